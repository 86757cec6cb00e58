//! A virtual key's text: `gwk_`, 40 random characters, and 6 that are computed from what stands before them.

use std::fmt;

use gateway_actors::protocol::{HashSecret, KeyHash};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const PREFIX: &str = "gwk_";
const RANDOM: usize = 40;
const CHECK: usize = 6;
/// Bytes of a key.
const LENGTH: usize = PREFIX.len() + RANDOM + CHECK;
/// Characters by which a person knows a key: 8 of the 40 random ones.
const SHOWN: usize = 12;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that has the form of a virtual key: that there is such a key is another question. Cleared from memory when it
/// is dropped.
#[derive(Clone)]
pub struct KeyText(SecretString);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes; no key can be made without them")]
pub struct NoRandomness;

impl KeyText {
    /// A key that nobody can guess: 40 characters have 238 random bits.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut text = String::with_capacity(LENGTH);
        text.push_str(PREFIX);
        while text.len() < PREFIX.len() + RANDOM {
            let mut bytes = [0; RANDOM];
            getrandom::fill(&mut bytes).map_err(|_error| NoRandomness)?;
            let rest = PREFIX.len() + RANDOM - text.len();
            // 248 is the largest multiple of 62: the bytes above it would make some characters likelier than others.
            let even = bytes.into_iter().filter(|byte| *byte < 248);
            text.extend(even.take(rest).map(|byte| digit(u32::from(byte))));
        }
        let check = check_of(text.as_bytes());
        text.push_str(&check);
        Ok(Self(text.into()))
    }

    /// The key that this text may be; nothing if it can be none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != LENGTH || !text.starts_with(PREFIX.as_bytes()) {
            return None;
        }
        let (body, check) = text.split_at_checked(LENGTH - CHECK)?;
        let is_of_a_key = text.iter().skip(PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric());
        if !is_of_a_key || check_of(body).as_bytes() != check {
            return None;
        }
        Some(Self(std::str::from_utf8(text).ok()?.into()))
    }

    /// The characters by which a person knows the key, and nobody can use it.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.0.expose_secret().get(..SHOWN).unwrap_or_default()
    }

    /// The whole key, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

fn digit(value: u32) -> char {
    let place = usize::try_from(value % 62).unwrap_or_default();
    DIGITS.get(place).copied().map_or('0', char::from)
}

/// CRC-32 as 6 digits to the base of 62, the highest first.
fn check_of(body: &[u8]) -> String {
    let mut rest = crc32fast::hash(body);
    let mut digits = ['0'; CHECK];
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        rest /= 62;
    }
    digits.iter().collect()
}

/// A key with this beginning and the check that belongs to it.
#[cfg(test)]
pub(super) fn with_check(body: &[u8]) -> KeyText {
    let text = format!("{}{}", std::str::from_utf8(body).unwrap(), check_of(body));
    KeyText::parse(text.as_bytes()).unwrap()
}

/// Makes digests of keys.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(…)")
    }
}

impl Hasher {
    /// With this secret.
    #[must_use]
    pub fn new(secret: &HashSecret) -> Self {
        // HMAC takes keys of any length; this one is never refused.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(secret.as_bytes()) {
            *to = *from;
        }
        Self(Hmac::new(&block.into()))
    }

    /// The digest of a key: of all of it, so that keys which differ in one character have nothing in common.
    #[must_use]
    pub fn hash(&self, key: &KeyText) -> KeyHash {
        let mut mac = self.0.clone();
        mac.update(key.expose().as_bytes());
        KeyHash::new(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_key_is_read_as_what_it_is() {
        let key = KeyText::generate().unwrap();
        let text = key.expose().to_owned();
        assert_eq!((text.len(), &text[..4]), (50, "gwk_"));
        assert_eq!(KeyText::parse(text.as_bytes()).unwrap().expose(), text);
        assert_eq!(key.shown(), &text[..12]);
        assert_ne!(KeyText::generate().unwrap().expose(), text);
        assert!(!format!("{key:?}").contains(&text[4..8]), "{key:?}");
    }

    #[test]
    fn a_text_with_one_character_changed_is_no_key() {
        let text = KeyText::generate().unwrap().expose().to_owned();
        for place in 0..text.len() {
            for other in [b'0', b'z', b'_', b' ', 0, 0xff] {
                let mut changed = text.clone().into_bytes();
                if changed[place] != other {
                    changed[place] = other;
                    assert!(KeyText::parse(&changed).is_none(), "{changed:?}");
                }
            }
        }
        for bad in ["", "gwk_", &text[..49], &format!("{text}0"), "' OR '1'='1", "sk-proj-x"] {
            assert!(KeyText::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    /// Made with Python: `hmac.new(secret, key, 'sha256').hexdigest()` and `zlib.crc32`.
    #[test]
    fn digests_and_checks_are_the_standards() {
        let body = format!("gwk_{}", "0123456789".repeat(4));
        assert_eq!(check_of(body.as_bytes()), "1W4yjy");
        let key = KeyText::parse(format!("{body}1W4yjy").as_bytes()).unwrap();
        let hash = Hasher::new(&HashSecret::new([7; 32])).hash(&key);
        assert_eq!(
            hash.to_hex(),
            "f520abccab38ae81fab770a64e67dc97f80fec831b178e11c0dbf78fc6b91af9"
        );
    }
}
