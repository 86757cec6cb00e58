//! Reasoning in a conversation that the model which is asked did not make.
//!
//! Clients send it back as it was written for them: in a thinking block whose signature bears the gateway's mark, or has
//! none, where a model of another dialect made it; with a signature that only its maker can read otherwise. Servers that
//! sign thinking refuse what they have not signed. It is cut out of the body where it stands; a message that has nothing
//! else goes with it, since an empty one is refused too, and its neighbours of one role are one turn for the API.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::cut::cuts_of;
use crate::dialects::json::{raw_text, text};
use crate::dialects::neutral::{Opaque, OpaqueKind};

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
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What is to be cut out of a body, in order: reasoning of other dialects, and what nobody signed if that is to go too.
/// Nothing of a body that cannot be read.
pub(super) fn foreign_reasoning(body: &[u8], unsigned_too: bool) -> Vec<Range<usize>> {
    reasoning(body, &|maker| {
        maker == Maker::OtherDialect || unsigned_too && maker == Maker::Nobody
    })
}

/// The reasoning that models of this dialect signed, likewise.
pub(super) fn signed_reasoning(body: &[u8]) -> Vec<Range<usize>> {
    reasoning(body, &|maker| maker == Maker::ThisDialect)
}

fn reasoning(body: &[u8], is_cut_of: &dyn Fn(Maker) -> bool) -> Vec<Range<usize>> {
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
            let (blocks, is_cut) = blocks_of(message, is_cut_of);
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
fn blocks_of<'a>(message: &'a RawValue, is_cut_of: &dyn Fn(Maker) -> bool) -> (Vec<&'a RawValue>, Vec<bool>) {
    let content = serde_json::from_str::<Message<'_>>(message.get()).ok();
    let content = content.and_then(|message| message.content);
    let blocks: Vec<&RawValue> = content
        .and_then(|content| serde_json::from_str(content.get()).ok())
        .unwrap_or_default();
    let is_cut = |block: &&RawValue| {
        let Ok(block) = serde_json::from_str::<Block<'_>>(block.get()) else {
            return false;
        };
        match block.kind.and_then(raw_text) {
            Some("thinking") => is_cut_of(maker(block.signature)),
            Some("redacted_thinking") => is_cut_of(maker(block.data)),
            _ => false,
        }
    };
    let is_cut = blocks.iter().map(is_cut).collect();
    (blocks, is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const MARKED: &str = r#"{"type":"thinking","thinking":"a","signature":"gw1.t.0000000000000007.x"}"#;
    const UNSIGNED: &str = r#"{ "signature" : "" , "type":"thinking","thinking":"b"}"#;
    const SIGNED: &str = r#"{"type":"thinking","thinking":"c","signature":"Eq=="}"#;
    const TEXT: &str = r#"{"type":"text","text":"\"gw1.t.0000000000000007.x"}"#;

    fn without(messages: &str, unsigned_too: bool) -> Value {
        let body = format!(r#" {{"x":"gw1.", "messages" : {messages}, "stream":true }}"#);
        let mut left = body.clone();
        for cut in foreign_reasoning(body.as_bytes(), unsigned_too).into_iter().rev() {
            left.replace_range(cut, "");
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
            for unsigned_too in [false, true] {
                let blocks = [one, other, third];
                let user = r#"{"role":"user","content":"hi"}"#;
                let messages = format!("[{user} ,{}, {user},{}]", said(&blocks), said(&[one]));
                let stays = |block: &&&str| **block != MARKED && !(unsigned_too && **block == UNSIGNED);
                let expected: Vec<Value> = [&blocks[..], &[one]]
                    .iter()
                    .map(|blocks| blocks.iter().filter(stays).copied().collect::<Vec<_>>())
                    .flat_map(|left| {
                        [user.to_owned()]
                            .into_iter()
                            .chain((!left.is_empty()).then(|| said(&left)))
                    })
                    .map(|message| serde_json::from_str(&message).unwrap())
                    .collect();
                assert_eq!(without(&messages, unsigned_too), Value::Array(expected), "{messages}");
            }
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
            assert!(foreign_reasoning(body.as_bytes(), true).is_empty(), "{body}");
        }
        assert_eq!(
            without(r#"[5,{"content":7},{"content":[1,{"type":"thinking"}]}]"#, false),
            json!([5, {"content": 7}, {"content": [1, {"type": "thinking"}]}])
        );
        assert_eq!(without(&format!("[{}]", said(&[MARKED])), false), json!([]));
    }
}
