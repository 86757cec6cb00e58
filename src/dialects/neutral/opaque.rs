//! What only the provider that made it can read: signatures of reasoning and reasoning that is encrypted.
//!
//! A client keeps it and sends it back with its next request. In the provider's own dialect it goes through as it is.
//! Through another dialect it is put into that dialect's field for such things, together with who made it; on its way
//! back it is given to the same model only, and left out for any other, which would refuse it.
//!
//! What went through as it is does not say who made it. It is given to one provider of each request, and left out for
//! others: who that is, the pipeline knows.

use std::borrow::Cow;
use std::sync::LazyLock;

use gateway_actors::protocol::{Dialect, Model, Outgoing};
use memchr::memmem::Finder;
use sha2::{Digest as _, Sha256};

use super::feature::Feature;

/// How a value begins that was put into another dialect's field.
const MARK: &str = "gw1.";

/// Who made something opaque: a provider and its model, in eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) struct Origin(u64);

impl Origin {
    /// This model of its provider.
    pub(in crate::dialects) fn of(model: &Model) -> Self {
        let mut hash = Sha256::new();
        hash.update(model.provider.as_str());
        hash.update([0]);
        hash.update(model.api_model.as_bytes());
        let digest = hash.finalize();
        let first = digest.iter().take(8);
        Self(first.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// What kind of thing it is, which says where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum OpaqueKind {
    /// The `signature` of a thinking block of Anthropic's.
    Signature,
    /// The `data` of a redacted thinking block of Anthropic's.
    Redacted,
    /// The `encrypted_content` of a reasoning item of OpenAI's.
    Encrypted,
    /// A `thoughtSignature` of Gemini's, of the part that follows.
    ThoughtSignature,
    /// An entry of a chat completion's `reasoning_details`, without its text.
    Details,
}

impl OpaqueKind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Signature, "s"),
        (Self::Redacted, "r"),
        (Self::Encrypted, "e"),
        (Self::ThoughtSignature, "t"),
        (Self::Details, "d"),
    ];

    fn letter(self) -> &'static str {
        let found = Self::ALL.iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, letter)| letter)
    }
}

/// Something that only its maker can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dialects) struct Opaque<'a> {
    pub(in crate::dialects) kind: OpaqueKind,
    pub(in crate::dialects) data: Cow<'a, str>,
    /// Who made it, if it came through another dialect's field.
    pub(in crate::dialects) origin: Option<Origin>,
}

impl<'a> Opaque<'a> {
    /// Reads a field of a client's request in whose dialect such a field holds things of this kind.
    pub(in crate::dialects) fn read(native: OpaqueKind, field: Cow<'a, str>) -> Self {
        match tagged(&field) {
            Some((kind, origin, at)) => Self {
                kind,
                origin: Some(origin),
                data: match field {
                    Cow::Borrowed(field) => Cow::Borrowed(field.get(at..).unwrap_or_default()),
                    Cow::Owned(field) => Cow::Owned(field.get(at..).unwrap_or_default().to_owned()),
                },
            },
            None => Self {
                kind: native,
                data: field,
                origin: None,
            },
        }
    }

    /// What goes into a field of the client's dialect, where such a field holds things of `native` kind. What a provider of
    /// another dialect made is marked with its maker.
    pub(in crate::dialects) fn to_field(&self, native: OpaqueKind, maker: Origin) -> Cow<'_, str> {
        if self.kind == native {
            return Cow::Borrowed(&self.data);
        }
        Cow::Owned(format!("{MARK}{}.{:016x}.{}", self.kind.letter(), maker.0, self.data))
    }

    /// What this model is to be given back, in a field of this kind; nothing if it did not make it. What bears no mark was
    /// made by somebody of the client's own dialect. Which provider that was is not known here.
    pub(in crate::dialects) fn for_model(&self, wanted: OpaqueKind, reader: Origin) -> Option<&str> {
        let is_its_own = self.origin.is_none_or(|origin| origin == reader);
        (self.kind == wanted && is_its_own).then_some(&*self.data)
    }
}

/// Whether a body holds something that a provider of another dialect made.
pub(in crate::dialects) fn holds_marked(body: &[u8]) -> bool {
    // Made once: making one costs more than a short body.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"gw1."));
    FINDER.find(body).is_some()
}

/// Tells a client that something of the conversation was left out: what only its maker can read, or words beside it.
pub(in crate::dialects) fn tell_lost(feature: Feature, outgoing: &mut Outgoing, client: Dialect) {
    let name = feature.name_in(client);
    if !outgoing.dropped.iter().any(|told| told == name) {
        outgoing.dropped.push(Cow::Borrowed(name));
    }
}

/// The kind, the maker, and where what was made begins.
fn tagged(field: &str) -> Option<(OpaqueKind, Origin, usize)> {
    let rest = field.strip_prefix(MARK)?;
    let (letter, rest) = rest.split_once('.')?;
    let (maker, data) = rest.split_once('.')?;
    let (kind, _) = OpaqueKind::ALL.iter().find(|(_, known)| *known == letter)?;
    let maker = (maker.len() == 16).then(|| u64::from_str_radix(maker, 16).ok())??;
    Some((*kind, Origin(maker), field.len() - data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKER: Origin = Origin(7);

    fn signature() -> Opaque<'static> {
        Opaque {
            kind: OpaqueKind::ThoughtSignature,
            data: Cow::Borrowed("abc.def="),
            origin: None,
        }
    }

    #[test]
    fn what_went_through_another_dialect_comes_back_to_its_maker_alone() {
        let made = signature();
        let field = made.to_field(OpaqueKind::Signature, MAKER).into_owned();
        let back = Opaque::read(OpaqueKind::Signature, Cow::Owned(field));
        assert_eq!(back.for_model(OpaqueKind::ThoughtSignature, MAKER), Some("abc.def="));
        assert_eq!(back.for_model(OpaqueKind::ThoughtSignature, Origin(8)), None);
        assert_eq!(back.for_model(OpaqueKind::Signature, MAKER), None);
    }

    #[test]
    fn what_bears_no_mark_is_of_the_fields_own_kind() {
        let native = Opaque::read(OpaqueKind::Signature, Cow::Borrowed("EqoB"));
        assert_eq!(native.for_model(OpaqueKind::Signature, MAKER), Some("EqoB"));
        assert_eq!(native.for_model(OpaqueKind::Encrypted, MAKER), None);
        assert_eq!(native.to_field(OpaqueKind::Signature, MAKER), "EqoB");
        for odd in [
            "gw1.",
            "gw1.s",
            "gw1.s.7.x",
            "gw1.z.0000000000000007.x",
            "gw1.s.000000000000000g.x",
        ] {
            assert_eq!(Opaque::read(OpaqueKind::Signature, Cow::Borrowed(odd)).data, odd);
        }
    }
}
