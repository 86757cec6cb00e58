//! `reasoning_details`: the entries in which reasoning and what belongs to it travel, as OpenRouter's reference has them
//! (`reasoning.text`, `reasoning.summary` and `reasoning.encrypted`).
//!
//! An entry of a provider of this dialect is kept whole, save its text, so that it can be given back as it was. What a
//! provider of another dialect made goes to a client as a `signature` where there is a text, and as `data` where there is
//! none, with the mark of its maker. An entry whose `id` is that of a tool call stands before this call.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialects::neutral::{Opaque, OpaqueKind, Origin, PartKind, ToolCall};
use crate::dialects::object::{Text, object, read_body};

const TEXT: &str = "reasoning.text";
const SUMMARY: &str = "reasoning.summary";
const ENCRYPTED: &str = "reasoning.encrypted";

object! {
    /// One entry as it is read, or a piece of one from a stream.
    Detail {
        kind = "type": Text<'a>,
        text = "text": Text<'a>,
        summary = "summary": Text<'a>,
        data = "data": Text<'a>,
        signature = "signature": Text<'a>,
        id = "id": Text<'a>,
        format = "format": Text<'a>,
        index = "index": &'a RawValue,
    }
}

/// One entry as it is written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<Index<'a>>,
}

/// The place of an entry: as it stood, or counted here.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Index<'a> {
    AsItStood(&'a RawValue),
    Counted(u32),
}

/// Reasoning, and the call that it stands before if that is known.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    before_call: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    opaque: Option<Opaque<'a>>,
}

impl<'a> Detail<'a> {
    fn text(text: Option<Text<'a>>) -> Option<Cow<'a, str>> {
        text.map(|Text(text)| text)
    }

    /// Its words, if it has any.
    pub(super) fn words(&self) -> Option<&str> {
        let words = self.text.as_ref().or(self.summary.as_ref());
        words.map(|Text(words)| &**words).filter(|words| !words.is_empty())
    }

    /// Whether a model of another dialect made it, whose mark it bears.
    pub(super) fn is_marked(&self) -> bool {
        let sealed = [&self.signature, &self.data].into_iter().flatten();
        sealed
            .map(|Text(sealed)| Opaque::read(OpaqueKind::Details, Cow::Borrowed(sealed)))
            .any(|opaque| opaque.origin.is_some())
    }

    /// Whether a model of this dialect made it, and only that can read all of it.
    pub(super) fn is_sealed(&self) -> bool {
        let mut sealed = [&self.signature, &self.data].into_iter().flatten();
        sealed.any(|Text(sealed)| !sealed.is_empty()) && !self.is_marked()
    }

    /// Whether a piece goes on with this entry: of the same place, and of nothing else. What has been sealed has all its words,
    /// and what is sealed as a whole, or was by this gateway, comes in one piece.
    fn goes_on_with(&self, piece: &Self) -> bool {
        let same_place = match (self.index, piece.index) {
            (Some(own), Some(other)) => own.get() == other.get(),
            _ => false,
        };
        let is_same =
            |own: &Option<Text<'_>>, other: &Option<Text<'_>>| own.is_none() || other.is_none() || own == other;
        let is_sealed = [&self.signature, &self.data]
            .into_iter()
            .flatten()
            .any(|Text(sealed)| !sealed.is_empty());
        let has_words = piece.words().is_some();
        same_place
            && is_same(&self.kind, &piece.kind)
            && is_same(&self.id, &piece.id)
            && !(self.data.is_some() && piece.data.is_some())
            && !(is_sealed && (has_words || self.is_marked() || piece.is_marked()))
    }

    /// Takes in a piece that goes on with it.
    fn add(&mut self, piece: Self) {
        let join = |own: &mut Option<Text<'a>>, more: Option<Text<'a>>| {
            let Some(Text(more)) = more else { return };
            match own {
                Some(Text(own)) => own.to_mut().push_str(&more),
                None => *own = Some(Text(more)),
            }
        };
        join(&mut self.text, piece.text);
        join(&mut self.summary, piece.summary);
        join(&mut self.data, piece.data);
        join(&mut self.signature, piece.signature);
        self.kind = self.kind.take().or(piece.kind);
        self.id = self.id.take().or(piece.id);
        self.format = self.format.take().or(piece.format);
    }

    /// The readable text of the entry, and the rest of it; nothing if it says nothing.
    fn place(mut self) -> Option<Placed<'a>> {
        let words = Self::text(self.text.take()).or_else(|| Self::text(self.summary.take()));
        let text = words.unwrap_or_default();
        let before_call = self.id.clone().map(|Text(id)| id);
        let opaque = self.seal();
        (!text.is_empty() || opaque.is_some()).then_some(Placed {
            before_call,
            text,
            opaque,
        })
    }

    /// What belongs to the text and only its maker can read.
    fn seal(self) -> Option<Opaque<'a>> {
        let sealed = [&self.signature, &self.data].into_iter().flatten().next();
        if let Some(Text(sealed)) = sealed.filter(|Text(sealed)| !sealed.is_empty()) {
            let read = Opaque::read(OpaqueKind::Details, sealed.clone());
            if read.origin.is_some() {
                return Some(read);
            }
        } else if self.id.is_none() && self.format.is_none() {
            return None;
        }
        let kept = Entry {
            kind: Self::text(self.kind).unwrap_or(Cow::Borrowed(TEXT)),
            data: Self::text(self.data),
            signature: Self::text(self.signature),
            id: Self::text(self.id),
            format: Self::text(self.format),
            index: self.index.map(Index::AsItStood),
            ..Entry::default()
        };
        let data = serde_json::to_string(&kept).ok()?;
        Some(Opaque {
            kind: OpaqueKind::Details,
            data: Cow::Owned(data),
            origin: None,
        })
    }
}

/// The entries of which some are the pieces of a stream, as clients hand them back that add up what they get: the pieces of
/// one place are one entry.
fn joined(pieces: Vec<Detail<'_>>) -> Vec<Detail<'_>> {
    let mut entries: Vec<Detail<'_>> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match entries.last_mut() {
            Some(entry) if entry.goes_on_with(&piece) => entry.add(piece),
            _ => entries.push(piece),
        }
    }
    entries
}

/// The reasoning of a message: what its entries say, and `plain` where they have no words. Where they have, `plain` says
/// the same once more.
pub(super) fn read<'a>(entries: Vec<Detail<'a>>, plain: Option<Cow<'a, str>>) -> Vec<Placed<'a>> {
    let mut placed: Vec<Placed<'a>> = joined(entries).into_iter().filter_map(Detail::place).collect();
    if let Some(text) = plain.filter(|text| !text.is_empty())
        && placed.iter().all(|entry| entry.text.is_empty())
    {
        let reasoning = Placed {
            before_call: None,
            text,
            opaque: None,
        };
        placed.insert(0, reasoning);
    }
    placed
}

/// A message's parts in order: reasoning, what is said, and calls, each behind the reasoning that stands before it.
pub(super) fn arrange<'a, T: From<PartKind<'a>>>(
    reasoning: Vec<Placed<'a>>,
    said: Vec<T>,
    calls: Vec<ToolCall<'a>>,
) -> Vec<T> {
    let part = |Placed { text, opaque, .. }: Placed<'a>| T::from(PartKind::Reasoning { text, opaque });
    let is_of = |entry: &Placed<'a>, call: &ToolCall<'a>| entry.before_call.as_ref() == Some(&call.id);
    let (mut of_calls, first): (Vec<_>, Vec<_>) = reasoning
        .into_iter()
        .partition(|entry| calls.iter().any(|call| is_of(entry, call)));
    let mut parts: Vec<T> = first.into_iter().map(part).collect();
    parts.extend(said);
    for call in calls {
        let (before, others): (Vec<_>, Vec<_>) = of_calls.into_iter().partition(|entry| is_of(entry, &call));
        of_calls = others;
        parts.extend(before.into_iter().map(part));
        parts.push(T::from(PartKind::ToolCall(call)));
    }
    parts
}

impl<'a> Entry<'a> {
    /// The entry that a provider of this dialect made, as it kept it, with its text; nothing if it is none.
    pub(super) fn kept(kept: &'a str, text: &'a str) -> Option<Self> {
        let detail: Detail<'a> = read_body(kept).ok()?;
        let words = (!text.is_empty()).then_some(Cow::Borrowed(text));
        let kind = Detail::text(detail.kind)?;
        let is_summary = kind == SUMMARY;
        Some(Self {
            text: words.clone().filter(|_| !is_summary),
            summary: words.filter(|_| is_summary),
            data: Detail::text(detail.data),
            signature: Detail::text(detail.signature),
            id: Detail::text(detail.id),
            format: Detail::text(detail.format),
            index: detail.index.map(Index::AsItStood),
            kind,
        })
    }

    /// Reasoning for a client, as the entry at this place.
    pub(super) fn for_client(
        text: &'a str,
        opaque: Option<&'a Opaque<'_>>,
        maker: Origin,
        place: u32,
        before_call: Option<&'a str>,
    ) -> Self {
        if let Some(opaque) = opaque.filter(|opaque| opaque.kind == OpaqueKind::Details)
            && let Some(kept) = Self::kept(&opaque.data, text)
        {
            return kept;
        }
        let field = opaque.map(|opaque| opaque.to_field(OpaqueKind::Details, maker));
        let has_words = !text.is_empty() || field.is_none();
        let (signature, data) = if has_words { (field, None) } else { (None, field) };
        Self {
            kind: Cow::Borrowed(if has_words { TEXT } else { ENCRYPTED }),
            text: has_words.then_some(Cow::Borrowed(text)),
            signature,
            data,
            id: before_call.map(Cow::Borrowed),
            index: Some(Index::Counted(place)),
            ..Self::default()
        }
    }

    /// What ends the reasoning whose words were given before as the entry at this place.
    pub(super) fn signature(opaque: &'a Opaque<'_>, maker: Origin, place: u32) -> Self {
        Self {
            kind: Cow::Borrowed(TEXT),
            signature: Some(opaque.to_field(OpaqueKind::Details, maker)),
            index: Some(Index::Counted(place)),
            ..Self::default()
        }
    }
}

/// An entry of which a stream gives one piece after the other.
#[derive(Debug, Default)]
pub(super) struct OpenEntry {
    kind: String,
    data: String,
    signature: String,
    id: Option<String>,
    format: Option<String>,
    index: Option<Box<RawValue>>,
}

impl OpenEntry {
    /// Whether a piece goes on with this entry.
    pub(super) fn goes_on_with(&self, piece: &Detail<'_>) -> bool {
        let same_index = match (&self.index, piece.index) {
            (Some(own), Some(other)) => own.get() == other.get(),
            _ => true,
        };
        let same_kind = piece.kind.as_ref().is_none_or(|Text(kind)| *kind == self.kind);
        let same_id = match (&self.id, &piece.id) {
            (Some(own), Some(Text(other))) => own == other,
            _ => true,
        };
        same_index && same_kind && same_id
    }

    /// Takes in what a piece says beside its words.
    pub(super) fn add(&mut self, piece: &Detail<'_>) {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|Text(text)| text.clone().into_owned());
        if self.kind.is_empty() {
            self.kind = text(&piece.kind).unwrap_or_else(|| TEXT.to_owned());
        }
        self.data.push_str(&text(&piece.data).unwrap_or_default());
        self.signature.push_str(&text(&piece.signature).unwrap_or_default());
        self.id = self.id.take().or_else(|| text(&piece.id));
        self.format = self.format.take().or_else(|| text(&piece.format));
        self.index = self.index.take().or_else(|| piece.index.map(ToOwned::to_owned));
    }

    /// What belongs to its words, now that it is whole.
    pub(super) fn seal(&self) -> Option<Opaque<'static>> {
        let some = |text: &str| (!text.is_empty()).then(|| Text(Cow::Owned(text.to_owned())));
        let detail = Detail {
            kind: some(&self.kind),
            data: some(&self.data),
            signature: some(&self.signature),
            id: self.id.as_deref().and_then(some),
            format: self.format.as_deref().and_then(some),
            index: self.index.as_deref(),
            ..Detail::default()
        };
        detail.seal().map(owned)
    }
}

/// The same for as long as it is wanted.
pub(super) fn owned(opaque: Opaque<'_>) -> Opaque<'static> {
    let Opaque { kind, data, origin } = opaque;
    Opaque {
        kind,
        data: Cow::Owned(data.into_owned()),
        origin,
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::model_of;
    use super::*;
    use crate::dialects::neutral::ToolName;

    fn details(json: &str) -> Vec<Detail<'_>> {
        serde_json::from_str(json).unwrap()
    }

    fn written(entry: Option<Entry<'_>>) -> String {
        serde_json::to_string(&entry).unwrap()
    }

    #[test]
    fn an_entry_of_a_provider_is_given_back_as_it_was() {
        for json in [
            r#"{"type":"reasoning.text","text":"hm","signature":"Eq==","format":"anthropic-claude-v1","index":0}"#,
            r#"{"type":"reasoning.encrypted","data":"gAAA","id":"rs_1","format":"openai-responses-v1","index":1}"#,
            r#"{"type":"reasoning.summary","summary":"so","format":"openai-responses-v1"}"#,
        ] {
            let list = format!("[{json}]");
            let placed = read(details(&list), Some("said once more".into()));
            let with_words = json.contains("reasoning.encrypted");
            assert_eq!(placed.len(), 1 + usize::from(with_words), "{json}");
            let Placed { text, opaque, .. } = placed.last().unwrap();
            assert_eq!(written(Entry::kept(&opaque.as_ref().unwrap().data, text)), json);
        }
    }

    #[test]
    fn what_another_dialects_provider_made_comes_back_from_the_client_marked() {
        let maker = Origin::of(&model_of("anthropic", &[]));
        let made = |kind| Opaque {
            kind,
            data: Cow::Borrowed("sealed"),
            origin: None,
        };
        for (text, kind) in [
            ("hm", OpaqueKind::Signature),
            ("", OpaqueKind::Redacted),
            ("", OpaqueKind::ThoughtSignature),
        ] {
            let opaque = made(kind);
            let json = written(Some(Entry::for_client(text, Some(&opaque), maker, 0, None)));
            let list = format!("[{json}]");
            let placed = read(details(&list), None);
            assert_eq!(placed[0].text, text);
            let back = placed[0].opaque.as_ref().unwrap();
            assert_eq!(back.for_model(kind, maker), Some("sealed"), "{json}");
            assert_eq!(back.for_model(OpaqueKind::Details, maker), None);
        }
    }

    #[test]
    fn words_alone_are_unsigned_and_an_entry_that_says_nothing_is_none() {
        let placed = read(
            details(r#"[{"type":"reasoning.text","text":"hm","index":0},{"type":"x"}]"#),
            None,
        );
        assert_eq!((placed.len(), &placed[0].opaque), (1, &None));
        let plain = read(Vec::new(), Some("hm".into()));
        assert_eq!((plain.len(), &*plain[0].text), (1, "hm"));
        assert!(read(Vec::new(), Some("".into())).is_empty());
    }

    #[test]
    fn pieces_of_one_place_that_come_back_unjoined_are_one_entry() {
        let maker = Origin::of(&model_of("anthropic", &[]));
        let opaque = Opaque {
            kind: OpaqueKind::Signature,
            data: Cow::Borrowed("SIG=="),
            origin: None,
        };
        let signature = written(Some(Entry::signature(&opaque, maker, 0)));
        let list = format!(
            r#"[{{"type":"reasoning.text","text":"th","index":0}},{{"type":"reasoning.text","text":"ink","index":0}},
                {signature},{{"type":"reasoning.text","text":"more","index":1}},
                {{"type":"reasoning.text","signature":"E","index":1}},{{"type":"reasoning.text","signature":"q","index":1}},
                {{"type":"reasoning.text","text":"again","index":1}}]"#
        );
        let placed = read(details(&list), None);
        let texts: Vec<_> = placed.iter().map(|entry| &*entry.text).collect();
        assert_eq!(texts, ["think", "more", "again"]);
        let sealed = placed[0].opaque.as_ref().unwrap();
        assert_eq!(sealed.for_model(OpaqueKind::Signature, maker), Some("SIG=="));
        assert_eq!(
            placed[1].opaque.as_ref().unwrap().data,
            r#"{"type":"reasoning.text","signature":"Eq","index":1}"#
        );
    }

    #[test]
    fn entries_of_other_kinds_ids_or_without_a_place_are_not_joined() {
        for list in [
            r#"[{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.encrypted","data":"b","index":0}]"#,
            r#"[{"type":"reasoning.text","text":"a"},{"type":"reasoning.text","text":"b"}]"#,
            r#"[{"type":"reasoning.text","text":"a","index":0},{"type":"reasoning.text","text":"b","index":1}]"#,
            r#"[{"type":"reasoning.encrypted","data":"a","index":0},{"type":"reasoning.encrypted","data":"b","index":0}]"#,
            r#"[{"type":"reasoning.encrypted","data":"a","id":"x","index":0},
                {"type":"reasoning.encrypted","data":"b","id":"y","index":0}]"#,
        ] {
            assert_eq!(read(details(list), None).len(), 2, "{list}");
        }
    }

    #[test]
    fn an_entry_with_the_id_of_a_call_stands_before_it() {
        let call = |id| ToolCall {
            id: Cow::Borrowed(id),
            name: ToolName::plain("f"),
            arguments: "{}".into(),
            is_custom: false,
        };
        let entries = details(
            r#"[{"type":"reasoning.text","text":"hm"},{"type":"reasoning.encrypted","data":"x","id":"call_2"}]"#,
        );
        let said = vec![PartKind::Text("hi".into())];
        let parts: Vec<PartKind<'_>> = arrange(read(entries, None), said, vec![call("call_1"), call("call_2")]);
        let kinds: Vec<_> = parts
            .iter()
            .map(|part| match part {
                PartKind::Reasoning { .. } => "reasoning",
                PartKind::ToolCall(_) => "call",
                _ => "text",
            })
            .collect();
        assert_eq!(kinds, ["reasoning", "text", "call", "reasoning", "call"]);
    }

    #[test]
    fn pieces_of_a_stream_make_one_entry() {
        let pieces = details(
            r#"[{"type":"reasoning.text","text":"h","format":"f","index":0},{"type":"reasoning.text","text":"m","index":0},
                {"type":"reasoning.text","signature":"Eq","index":0},{"type":"reasoning.text","signature":"==","index":0}]"#,
        );
        let mut open = OpenEntry::default();
        for piece in &pieces {
            assert!(open.kind.is_empty() || open.goes_on_with(piece));
            open.add(piece);
        }
        let opaque = open.seal().unwrap();
        assert_eq!(
            opaque.data,
            r#"{"type":"reasoning.text","signature":"Eq==","format":"f","index":0}"#
        );
        let next = details(r#"[{"type":"reasoning.encrypted","data":"x"},{"type":"reasoning.text","index":1}]"#);
        assert!(!open.goes_on_with(&next[0]) && !open.goes_on_with(&next[1]));
    }
}
