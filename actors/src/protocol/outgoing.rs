//! A request on its way out: what the edge keeps of it, how it is written for a model, and in which form its answer is
//! wanted.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::catalogue::Model;
use super::dialect::{Dialect, Operation};
use super::errors::GatewayError;
use super::ids::ProviderName;
use super::orchestra::Question;
use super::router::Needs;
use super::story::AnswerRead;
use super::upstream::Completion;
use super::usage::Tier;

/// What is looked for in every body. Each is made once: making one costs more than looking through a short body.
static ESCAPED_H: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u0068"));
static ESCAPED_DIGIT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u003"));
static TIER_MEMBERS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["\"service_tier\"", "\"speed\"", "\"inference_geo\""].map(Finder::new));

/// A request that can be written for any candidate. Where the client and the model's provider speak the same dialect,
/// what the client sent goes out byte for byte save the fields that the gateway owns; else it is translated.
pub trait OutgoingRequest: fmt::Debug {
    /// What the provider is asked to do.
    fn operation(&self) -> Operation {
        Operation::Generate
    }

    /// What the provider of this model is asked to do, where that depends on the model.
    fn operation_for(&self, _model: &Model) -> Operation {
        self.operation()
    }

    /// Writes the request for this model. With `bounds` a budget pays for the attempt: its output is capped, and
    /// [`Outgoing::bound`] is certain. Without, nothing is capped that the client did not cap, and the bound is an estimate.
    ///
    /// # Errors
    /// `invalid_request` naming the field that cannot be carried to this model and is not harmless to leave out. Another
    /// model may take it. With `bounds` also `cost_unbounded` naming what may cost any amount at this model.
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError>;

    /// What is asked, read from the request; nothing where there is no user's text. It costs a look at the whole request:
    /// only where the gateway is to choose the model.
    fn question(&self) -> Option<Question> {
        None
    }

    /// What an answer to this request says, in the client's dialect; nothing where it cannot be read.
    fn read_answer(&self, _completion: &Completion) -> Option<AnswerRead> {
        None
    }

    /// Why nobody can make anything of an answer that its provider calls whole, if so. Another model is asked then, as after
    /// any call that failed.
    fn fault_of(&self, _completion: &Completion) -> Option<AnswerFault> {
        None
    }

    /// The same request with a note for the model behind the client's own system text; nothing where there is no place for
    /// it, or something would be lost.
    fn with_note(&self, _note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        None
    }

    /// The dialect whose providers are given opaque state as it came: the client's own; nothing where there never is any.
    fn state_dialect(&self) -> Option<Dialect> {
        None
    }

    /// The same request without opaque state that does not say who made it; nothing where there is none. With `own` what
    /// this model's provider is known to have made stays. It costs a look at the whole request.
    fn without_state(&self, _own: Option<&Model>) -> Option<Rc<dyn OutgoingRequest>> {
        None
    }
}

/// Why a whole answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerFault {
    /// It cannot be read, or calls a tool that nobody offered.
    Unusable,
    /// There is nothing in it, or white space alone.
    Empty,
}

/// The one provider that is given a request's opaque state, whichever models it is asked of: signatures and encrypted
/// reasoning that do not say who made them, and that nobody but their maker can read. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StateReader(Arc<OnceLock<ProviderName>>);

impl StateReader {
    /// Whether this provider may have it.
    #[must_use]
    pub fn may_be(&self, provider: &ProviderName) -> bool {
        self.0.get().is_none_or(|reader| reader == provider)
    }

    /// It is this provider, unless there is one already.
    pub fn is(&self, provider: &ProviderName) {
        self.0.get_or_init(|| provider.clone());
    }
}

/// What is let pass where a budget pays.
#[derive(Debug, Clone, Default)]
pub struct BoundRules {
    /// Top-level fields that nobody here knows, which the operator says do not change what a call costs.
    pub pass_fields: Arc<[Box<str>]>,
}

/// The most tokens that one attempt is billed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenBound {
    /// Input tokens, cached ones included.
    pub input: u64,
    /// Output tokens of all answers together, reasoning included.
    pub output: u64,
}

impl TokenBound {
    /// The bound of a request that no budget pays for, as far as its needs tell: a body of this many bytes, to this model.
    #[must_use]
    pub fn estimate(needs: &Needs, sent_bytes: usize, model: &Model) -> Self {
        // A translation may be longer than what it was made from.
        let sent_bytes = u64::try_from(sent_bytes).unwrap_or(u64::MAX);
        Self {
            input: needs.input_bound.max(sent_bytes),
            output: needs.output_bound(model.max_output_tokens),
        }
    }
}

/// A request as it is written for one model.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The body.
    pub body: OutgoingBody,
    /// Headers of the client's that go along: names in lower case and values that a header may have.
    pub headers: Vec<(&'static str, Arc<str>)>,
    /// In which form the answer is wanted.
    pub answer: AnswerForm,
    /// The client's names for what was left out since the model's dialect has nothing for it.
    pub dropped: Vec<Cow<'static, str>>,
    /// What it is billed for at most.
    pub bound: TokenBound,
}

impl Outgoing {
    /// A request in the client's own dialect.
    #[must_use]
    pub fn as_sent(body: OutgoingBody, usage_events: bool, bound: TokenBound) -> Self {
        Self {
            body,
            headers: Vec::new(),
            answer: AnswerForm::AsSent { usage_events },
            dropped: Vec::new(),
            bound,
        }
    }
}

/// In which form the client wants the answer.
#[derive(Debug, Clone)]
pub enum AnswerForm {
    /// As the provider sends it.
    AsSent {
        /// Whether the client is to see the event of a stream that is there only for the usage. The gateway always asks
        /// the provider for it.
        usage_events: bool,
    },
    /// In another dialect.
    Translated(Rc<dyn AnswerTranslation>),
    /// The answer is this: the model's provider cannot be asked, and need not be.
    Known(Bytes),
}

/// Turns a provider's answers to one request into the client's dialect.
pub trait AnswerTranslation: fmt::Debug {
    /// The whole answer.
    ///
    /// # Errors
    /// When the body is no answer in the provider's dialect.
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError>;

    /// Begins a stream.
    fn stream(&self) -> Box<dyn StreamTranslation>;
}

/// Turns one stream into the client's dialect, piece by piece.
pub trait StreamTranslation: fmt::Debug {
    /// What the client is to get for these whole events; may be nothing.
    ///
    /// # Errors
    /// When they are not what the provider's dialect allows here. Nothing may follow.
    fn events(&mut self, events: &Bytes) -> Result<Bytes, TranslationError>;

    /// What the client is to get once the provider's stream has come to its end.
    ///
    /// # Errors
    /// When it ended where it must not.
    fn end(&mut self) -> Result<Bytes, TranslationError>;
}

/// An answer that cannot be told in the client's dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be translated: {0}")]
pub struct TranslationError(pub &'static str);

/// A body in one or more pieces that follow each other. Large ones share the memory of what the client sent.
#[derive(Debug, Clone, Default)]
pub struct OutgoingBody {
    pieces: Vec<Bytes>,
    len: usize,
}

impl OutgoingBody {
    /// A body of these pieces; empty ones are left out.
    #[must_use]
    pub fn from_pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Self {
            len: pieces.iter().map(Bytes::len).sum(),
            pieces,
        }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Whether it may ask that something stays in a cache for hours (`"ttl":"1h"`), wherever in it: texts that end so, and
    /// digits and letters that are escaped, count too.
    #[must_use]
    pub fn may_ask_for_long_writes(&self) -> bool {
        self.pieces.iter().any(|piece| {
            let is_one = |end: usize| {
                let (before, rest) = piece.split_at(end);
                match before {
                    [.., digit, b'h'] => digit.is_ascii_digit() && rest.first() == Some(&b'"'),
                    _ => false,
                }
            };
            memchr::memchr_iter(b'h', piece).any(|place| is_one(place + 1))
                || ESCAPED_H.find(piece).is_some()
                || ESCAPED_DIGIT
                    .find_iter(piece)
                    .any(|place| piece.get(place + 5).is_some_and(u8::is_ascii_digit))
        })
    }

    /// Whether it asks for a tier of service, a speed or a place whose prices are not the usual ones.
    #[must_use]
    pub fn asks_for_another_tier(&self) -> bool {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow)]
            service_tier: Option<&'a RawValue>,
            #[serde(borrow)]
            speed: Option<&'a RawValue>,
            #[serde(borrow)]
            inference_geo: Option<&'a RawValue>,
        }
        // Hardly any body names one of them, and none is read that does not.
        let is_named = |piece: &Bytes| TIER_MEMBERS.iter().any(|name| name.find(piece).is_some());
        if !self.pieces.iter().any(is_named) {
            return false;
        }
        serde_json::from_slice::<Members<'_>>(&self.to_bytes()).is_ok_and(|members| {
            [members.service_tier, members.speed, members.inference_geo]
                .into_iter()
                .flatten()
                .any(|value| Tier::of_json(value.get()) == Tier::Other)
        })
    }

    /// The whole in one piece, which is copied together where it is not one.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [one] => one.clone(),
            several => Bytes::from(several.concat()),
        }
    }
}

impl From<Bytes> for OutgoingBody {
    fn from(piece: Bytes) -> Self {
        Self::from_pieces([piece])
    }
}

impl From<Vec<u8>> for OutgoingBody {
    fn from(piece: Vec<u8>) -> Self {
        Self::from(Bytes::from(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_may_want_a_long_cache_is_known_by_its_letters() {
        for (body, may) in [
            (r#"{"cache_control":{"type":"ephemeral","ttl":"1h"}}"#, true),
            (r#"{"prompt_cache_retention":"24h"}"#, true),
            (r#"{"ttl":"\u0031h"}"#, true),
            (r#"{"ttl":"1\u0068"}"#, true),
            (
                r#"{"cache_control":{"type":"ephemeral","ttl":"5m"},"content":"with 1h of \u00e9 \u003c"}"#,
                false,
            ),
            ("h\"", false),
            ("1h", false),
        ] {
            let body = OutgoingBody::from_pieces(["{", body].map(|piece| Bytes::from_static(piece.as_bytes())));
            assert_eq!(body.may_ask_for_long_writes(), may, "{body:?}");
        }
    }

    #[test]
    fn a_body_that_asks_for_other_prices_says_so_in_a_member_of_its_own() {
        for (body, asks) in [
            (r#"{"service_tier":"priority","messages":[]}"#, true),
            (r#"{"messages":[],"service_tier" : "flex"}"#, true),
            (r#"{"speed":"fast"}"#, true),
            (r#"{"inference_geo":"us"}"#, true),
            (
                r#"{"service_tier":"auto","speed":"standard","inference_geo":"global"}"#,
                false,
            ),
            (r#"{"service_tier":"default","speed":null,"inference_geo":7}"#, false),
            (r#"{"service_tier":"standard_only"}"#, false),
            (r#"{"messages":[{"content":[{"input":{"speed":"fast"}}]}]}"#, false),
            (r#"{"messages":[{"content":"\"speed\":\"fast\""}]}"#, false),
            ("{}", false),
        ] {
            let (start, end) = body.split_at(1);
            let body = OutgoingBody::from_pieces([start, end].map(|piece| Bytes::from_static(piece.as_bytes())));
            assert_eq!(body.asks_for_another_tier(), asks, "{body:?}");
        }
    }

    #[test]
    fn a_body_of_pieces_is_the_same_as_one_of_one_piece() {
        let pieces = OutgoingBody::from_pieces(["ab", "", "c"].map(|piece| Bytes::from_static(piece.as_bytes())));
        assert_eq!((pieces.len(), pieces.pieces().len()), (3, 2));
        assert_eq!(pieces.to_bytes(), OutgoingBody::from(b"abc".to_vec()).to_bytes());
        assert!(OutgoingBody::from(Vec::new()).is_empty());
    }
}
