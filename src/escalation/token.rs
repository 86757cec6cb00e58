//! The token of an offer: `esc1.`, what it is for, and a signature over that, both in base64 for URLs.
//!
//! What it is for is 57 bytes: the offer's id (16), a digest of the caller (16), one of the request (16), the layer (1), and
//! when it ends in seconds since 1970 (8, the highest first).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_actors::protocol::{Caller, EscalationId, HashSecret, Layer};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::caller_text;
use super::digest::RequestDigest;

const FORM: &str = "esc1";
const PAYLOAD: usize = 57;
const SIGNATURE: usize = 32;
/// Bytes of a token: no text of another length is looked into.
const LENGTH: usize = FORM.len() + 1 + PAYLOAD.div_ceil(3) * 4 + 1 + 43;

/// What a token says, once its signature was found to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The offer.
    pub(crate) id: EscalationId,
    /// A digest of who it was made to.
    pub(super) caller: [u8; 16],
    /// A digest of what the request meant.
    pub(super) request: [u8; 16],
    /// The layer that may answer.
    pub(crate) layer: Layer,
    /// When it ends, in seconds since 1970 (UTC).
    pub(super) ends_at: u64,
}

impl Ticket {
    /// Whether it is for this request. Takes the same time whatever differs.
    pub(super) fn is_for(&self, request: &RequestDigest) -> bool {
        bool::from(self.request.ct_eq(&request.0))
    }

    /// Whether it was made to this caller. Takes the same time whatever differs.
    pub(super) fn is_of(&self, caller: &[u8; 16]) -> bool {
        bool::from(self.caller.ct_eq(caller))
    }

    /// Whether it has ended at this moment, in microseconds since 1970.
    pub(super) fn has_ended(&self, now: i64) -> bool {
        i64::try_from(self.ends_at).is_ok_and(|ends_at| now >= ends_at.saturating_mul(1_000_000))
    }

    fn to_bytes(self) -> [u8; PAYLOAD] {
        let layer = u8::try_from(self.layer.index()).unwrap_or(u8::MAX);
        let parts = self.id.as_bytes().iter().chain(&self.caller).chain(&self.request);
        let ends_at = self.ends_at.to_be_bytes();
        let mut bytes = [0; PAYLOAD];
        for (to, from) in bytes.iter_mut().zip(parts.chain(&[layer]).chain(&ends_at)) {
            *to = *from;
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<16>()?;
        let (caller, rest) = rest.split_first_chunk::<16>()?;
        let (request, rest) = rest.split_first_chunk::<16>()?;
        let (&[layer], rest) = rest.split_first_chunk::<1>()?;
        Some(Self {
            id: EscalationId::from_bytes(*id),
            caller: *caller,
            request: *request,
            layer: *Layer::ALL.get(usize::from(layer))?,
            ends_at: u64::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// Makes tokens, and knows those again that it made.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// With this secret.
    pub(super) fn new(secret: &HashSecret) -> Self {
        // HMAC takes keys of any length; this one is never refused.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(secret.as_bytes()) {
            *to = *from;
        }
        Self(Hmac::new(&block.into()))
    }

    /// What this caller is known by in tokens and offers.
    pub(super) fn caller(&self, caller: &Caller) -> [u8; 16] {
        let mut first = [0; 16];
        for (to, from) in first
            .iter_mut()
            .zip(self.sign("caller", caller_text(caller).as_bytes()))
        {
            *to = from;
        }
        first
    }

    /// The token that says this.
    pub(super) fn token(&self, ticket: &Ticket) -> String {
        let payload = ticket.to_bytes();
        let (said, signature) = (URL_SAFE_NO_PAD.encode(payload), self.sign(FORM, &payload));
        format!("{FORM}.{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says; nothing if it was not made here, or differs in one bit from what was.
    pub(super) fn read(&self, token: &str) -> Option<Ticket> {
        if token.len() != LENGTH {
            return None;
        }
        let (said, signature) = token.strip_prefix(FORM)?.strip_prefix('.')?.split_once('.')?;
        // Of several texts for the same bytes the decoder takes one alone.
        let payload = URL_SAFE_NO_PAD.decode(said).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if signature.len() != SIGNATURE || !bool::from(self.sign(FORM, &payload).ct_eq(signature.as_slice())) {
            return None;
        }
        Ticket::from_bytes(&payload)
    }

    /// Signs bytes that are used for this and nothing else.
    fn sign(&self, purpose: &str, bytes: &[u8]) -> [u8; SIGNATURE] {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::HashSecret;

    use super::*;

    fn ticket(signer: &Signer) -> Ticket {
        Ticket {
            id: EscalationId::generate(),
            caller: signer.caller(&Caller::Admin),
            request: [5; 16],
            layer: Layer::L2,
            ends_at: 1_900_000_000,
        }
    }

    #[test]
    fn a_token_says_what_was_put_into_it_and_nothing_that_must_be_escaped() {
        let signer = Signer::new(&HashSecret::new([7; 32]));
        let ticket = ticket(&signer);
        let token = signer.token(&ticket);
        assert_eq!(token.len(), LENGTH);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        assert!(token.bytes().all(is_plain), "{token}");
        assert_eq!(signer.read(&token), Some(ticket));
    }

    #[test]
    fn a_token_with_any_byte_changed_is_none() {
        let signer = Signer::new(&HashSecret::new([7; 32]));
        let token = signer.token(&ticket(&signer));
        for place in 0..token.len() {
            for other in (0x20_u8..0x7f).filter(|other| *other != token.as_bytes()[place]) {
                let mut bytes = token.clone().into_bytes();
                bytes[place] = other;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(signer.read(&changed), None, "{changed}");
            }
        }
    }

    #[test]
    fn a_token_cut_lengthened_or_made_with_another_secret_is_none() {
        let signer = Signer::new(&HashSecret::new([7; 32]));
        let ticket = ticket(&signer);
        let token = signer.token(&ticket);
        for end in 0..token.len() {
            assert_eq!(signer.read(&token[..end]), None);
        }
        for changed in [
            format!("{token}="),
            format!("{token}A"),
            format!(" {token}"),
            token.replace("esc1", "esc2"),
        ] {
            assert_eq!(signer.read(&changed), None, "{changed}");
        }
        let other = Signer::new(&HashSecret::new([8; 32]));
        assert_eq!(signer.read(&other.token(&ticket)), None);
        assert_ne!(signer.caller(&Caller::Admin), other.caller(&Caller::Admin));
        assert_ne!(signer.caller(&Caller::Admin), signer.caller(&Caller::Local));
    }

    #[test]
    fn a_ticket_ends_at_its_second() {
        let ticket = ticket(&Signer::new(&HashSecret::new([7; 32])));
        assert!(!ticket.has_ended(1_899_999_999_999_999));
        assert!(ticket.has_ended(1_900_000_000_000_000));
    }
}
