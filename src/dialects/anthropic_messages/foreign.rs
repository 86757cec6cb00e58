//! Reasoning in a conversation that the model which is asked did not make.
//!
//! Clients send it back as it was written for them: in a thinking block whose signature bears the gateway's mark, or has
//! none, where a model of another dialect made it; with a signature that only its maker can read otherwise. Servers that
//! sign thinking refuse what they have not signed. It is cut out of the body where it stands; a message that has nothing
//! else goes with it, since an empty one is refused too, and its neighbours of one role are one turn for the API. Models
//! that sign nothing are given the words, without the signature.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::cut::cuts_of;
use crate::dialects::json::{range_in, raw_text, text};
use crate::dialects::neutral::{Opaque, OpaqueKind};
use crate::dialects::splice::Splice;

/// Who made reasoning, as its signature tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// A model of this dialect.
    ThisDialect,
    /// A model of another one.
    OtherDialect,
    /// It is not signed, as by models that sign nothing, here or elsewhere.
    Nobody,
}

/// Who made a block, by its `signature` or `data`.
pub(super) fn maker(field: Option<&RawValue>) -> Maker {
    let field = field.and_then(text).unwrap_or_default();
    if field.is_empty() {
        return Maker::Nobody;
    }
    match Opaque::read(OpaqueKind::Signature, field).origin {
        Some(_) => Maker::OtherDialect,
        None => Maker::ThisDialect,
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What is exchanged in a body.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// In order.
    pub(super) splices: Vec<Splice>,
    /// Whether words that can be read go with it.
    pub(super) loses_words: bool,
}

/// What is exchanged for a model: reasoning of other dialects goes, and for one that takes `signed` thinking alone what
/// nobody signed goes too. Nothing of a body that cannot be read.
pub(super) fn foreign_reasoning(body: &[u8], signed: bool) -> Foreign {
    let mut loses_words = false;
    let mut unsigned = Vec::new();
    let cuts = reasoning(body, &mut |json, block| {
        let is_cut = match block.maker() {
            Maker::ThisDialect => false,
            Maker::OtherDialect => true,
            Maker::Nobody => signed,
        };
        if !is_cut || !block.has_words() {
            return is_cut;
        }
        if signed {
            loses_words = true;
            return true;
        }
        let signature = block.signature.map(|signature| range_in(json, signature));
        unsigned.extend(signature.map(|signature| Splice::new(signature, r#""""#)));
        false
    });
    let mut splices: Vec<Splice> = cuts.into_iter().map(|cut| Splice::new(cut, "")).collect();
    splices.append(&mut unsigned);
    splices.sort_by_key(|splice| splice.at.start);
    Foreign { splices, loses_words }
}

/// The reasoning that models of this dialect signed: what is to be cut, in order.
pub(super) fn signed_reasoning(body: &[u8]) -> Vec<Range<usize>> {
    reasoning(body, &mut |_, block| block.maker() == Maker::ThisDialect)
}

impl Block<'_> {
    /// Who made it.
    fn maker(&self) -> Maker {
        let is_redacted = self.kind.and_then(raw_text) == Some("redacted_thinking");
        maker(if is_redacted { self.data } else { self.signature })
    }

    /// Whether it says something that can be read.
    fn has_words(&self) -> bool {
        let is_thinking = self.kind.and_then(raw_text) == Some("thinking");
        is_thinking && self.thinking.and_then(raw_text).is_some_and(|words| !words.is_empty())
    }
}

/// Whether a block of reasoning, in this body, is to be cut.
type IsCut<'d> = dyn FnMut(&str, &Block<'_>) -> bool + 'd;

fn reasoning(body: &[u8], is_cut: &mut IsCut<'_>) -> Vec<Range<usize>> {
    let Ok(json) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    let Ok(Body { messages }) = serde_json::from_str(json) else {
        return Vec::new();
    };
    let mut cuts = Vec::new();
    let is_whole_cut: Vec<bool> = messages
        .iter()
        .map(|message| {
            let (blocks, is_cut) = blocks_of(json, message, is_cut);
            let is_whole = !is_cut.is_empty() && is_cut.iter().all(|cut| *cut);
            if !is_whole {
                cuts.extend(cuts_of(json, &blocks, &is_cut));
            }
            is_whole
        })
        .collect();
    cuts.extend(cuts_of(json, &messages, &is_whole_cut));
    cuts.sort_by_key(|cut| cut.start);
    cuts
}

/// The blocks of a message, and which of them are to be cut.
fn blocks_of<'a>(json: &str, message: &'a RawValue, is_cut: &mut IsCut<'_>) -> (Vec<&'a RawValue>, Vec<bool>) {
    let content = serde_json::from_str::<Message<'_>>(message.get()).ok();
    let content = content.and_then(|message| message.content);
    let blocks: Vec<&RawValue> = content
        .and_then(|content| serde_json::from_str(content.get()).ok())
        .unwrap_or_default();
    let is_cut = blocks.iter().map(|block| {
        let Ok(block) = serde_json::from_str::<Block<'_>>(block.get()) else {
            return false;
        };
        let is_reasoning = matches!(block.kind.and_then(raw_text), Some("thinking" | "redacted_thinking"));
        is_reasoning && is_cut(json, &block)
    });
    let is_cut = is_cut.collect();
    (blocks, is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const MARKED: &str = r#"{"type":"thinking","thinking":"a","signature":"gw1.t.0000000000000007.x"}"#;
    /// The same for a model that signs nothing.
    const WORDS: &str = r#"{"type":"thinking","thinking":"a","signature":""}"#;
    const UNSIGNED: &str = r#"{ "signature" : "" , "type":"thinking","thinking":"b"}"#;
    const SIGNED: &str = r#"{"type":"thinking","thinking":"c","signature":"Eq=="}"#;
    const TEXT: &str = r#"{"type":"text","text":"\"gw1.t.0000000000000007.x"}"#;

    fn without(messages: &str, signed: bool) -> Value {
        let body = format!(r#" {{"x":"gw1.", "messages" : {messages}, "stream":true }}"#);
        let mut left = body.clone();
        for splice in foreign_reasoning(body.as_bytes(), signed).splices.into_iter().rev() {
            left.replace_range(splice.at, std::str::from_utf8(&splice.with).unwrap());
        }
        let left: Value = serde_json::from_str(&left).unwrap_or_else(|error| panic!("{error}: {left}"));
        assert_eq!((&left["x"], &left["stream"]), (&json!("gw1."), &json!(true)));
        left["messages"].clone()
    }

    fn said(blocks: &[&str]) -> String {
        format!(r#"{{"role":"assistant","content":[ {} ]}}"#, blocks.join(" , "))
    }

    #[test]
    fn reasoning_of_others_is_cut_wherever_it_stands() {
        let kinds = [MARKED, UNSIGNED, SIGNED, TEXT];
        for (one, other, third) in (0..64).map(|number| (kinds[number % 4], kinds[number / 4 % 4], kinds[number / 16]))
        {
            for signed in [false, true] {
                let blocks = [one, other, third];
                let user = r#"{"role":"user","content":"hi"}"#;
                let messages = format!("[{user} ,{}, {user},{}]", said(&blocks), said(&[one]));
                let stays = |block: &&&str| !(signed && [MARKED, UNSIGNED].contains(*block));
                let expected: Vec<Value> = [&blocks[..], &[one]]
                    .iter()
                    .map(|blocks| blocks.iter().filter(stays).copied().collect::<Vec<_>>())
                    .flat_map(|left| {
                        [user.to_owned()]
                            .into_iter()
                            .chain((!left.is_empty()).then(|| said(&left)))
                    })
                    .map(|message| serde_json::from_str(&message.replace(MARKED, WORDS)).unwrap())
                    .collect();
                assert_eq!(without(&messages, signed), Value::Array(expected), "{messages}");
            }
        }
    }

    #[test]
    fn words_that_can_be_read_and_are_cut_are_noted() {
        let silent = MARKED.replace("\"a\"", "\"\"");
        let redacted = r#"{"type":"redacted_thinking","data":"gw1.t.0000000000000007.x"}"#;
        for (block, signed, loses_words, left) in [
            (MARKED, true, true, None),
            (MARKED, false, false, Some(WORDS)),
            (UNSIGNED, true, true, None),
            (&*silent, true, false, None),
            (&*silent, false, false, None),
            (redacted, true, false, None),
            (redacted, false, false, None),
            (SIGNED, true, false, Some(SIGNED)),
        ] {
            let messages = format!("[{}]", said(&[block, TEXT]));
            let body = format!(r#"{{"messages":{messages}}}"#);
            assert_eq!(
                foreign_reasoning(body.as_bytes(), signed).loses_words,
                loses_words,
                "{block}"
            );
            let kept: Vec<&str> = left.into_iter().chain([TEXT]).collect();
            let expected: Value = serde_json::from_str(&format!("[{}]", said(&kept))).unwrap();
            assert_eq!(without(&messages, signed), expected, "{block}");
        }
    }

    #[test]
    fn what_models_of_this_dialect_signed_is_cut_when_that_is_asked_for() {
        let redacted = r#"{"type":"redacted_thinking","data":"Eq=="}"#;
        let blocks = [SIGNED, MARKED, TEXT, redacted, UNSIGNED];
        let body = format!(r#"{{"messages":[{},{}]}}"#, said(&blocks), said(&[SIGNED, redacted]));
        let mut left = body.clone();
        for cut in signed_reasoning(body.as_bytes()).into_iter().rev() {
            left.replace_range(cut, "");
        }
        let left: Value = serde_json::from_str(&left).unwrap();
        let expected: Value = serde_json::from_str(&said(&[MARKED, TEXT, UNSIGNED])).unwrap();
        assert_eq!(left, json!({ "messages": [expected] }));
        assert!(signed_reasoning(left.to_string().as_bytes()).is_empty());
    }

    #[test]
    fn a_body_of_another_shape_is_left_alone() {
        for body in ["", "{}", "[]", r#"{"messages":{}}"#, "\u{feff}"] {
            assert!(foreign_reasoning(body.as_bytes(), true).splices.is_empty(), "{body}");
        }
        assert_eq!(
            without(r#"[5,{"content":7},{"content":[1,{"type":"thinking"}]}]"#, false),
            json!([5, {"content": 7}, {"content": [1, {"type": "thinking"}]}])
        );
        assert_eq!(without(&format!("[{}]", said(&[MARKED])), true), json!([]));
    }
}
