//! For tests of dialects that providers speak: conversations, texts and JSON at random.

use std::borrow::Cow;

use super::neutral::{
    Image, Message, Opaque, OpaqueKind, Part, PartKind, Role, Source, ToolCall, ToolName, ToolResult,
};
use crate::fuzz::{Rng, json, pick};

/// Letters and pieces that are easily got wrong: escapes, ends of lines and of events, several bytes, other formats.
const PIECES: &[&str] = &[
    "a", "Hello ", "é", "世界", "😀", "\"", "\\", "\n", "\r\n\r\n", "\t", "</think>", "data: ", "{}", "[DONE]",
    "\u{2028}", "\u{7f}", "\u{1}",
];

/// A text; maybe an empty one.
pub(super) fn text(rng: &mut Rng) -> String {
    (0..rng.usize(..6)).map(|_| pick(rng, PIECES)).collect()
}

/// A text of at least one letter.
pub(super) fn words(rng: &mut Rng) -> String {
    format!("{}{}", pick(rng, PIECES), text(rng))
}

/// A text in JSON, its letters escaped here and there.
pub(super) fn quoted(rng: &mut Rng, text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        let must = letter < ' ' || matches!(letter, '"' | '\\');
        if must || rng.u8(..8) == 0 {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(letter);
        }
    }
    out.push('"');
    out
}

/// A text in pieces that are not empty, in order.
pub(super) fn fragments(rng: &mut Rng, text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for letter in text.chars() {
        match all.last_mut() {
            Some(last) if rng.bool() => last.push(letter),
            _ => all.push(letter.to_string()),
        }
    }
    all
}

/// A JSON object.
pub(super) fn object(rng: &mut Rng) -> String {
    if rng.u8(..4) == 0 {
        return "{}".to_owned();
    }
    // A number that an ordinary parser can hold, so that tests can compare.
    format!("{{\"n\": {},\"s\":{}}}", json(rng, 2), json(rng, 1)).replace("1e999", "1e9")
}

/// A conversation that ends with the user: instructions, texts, images, reasoning with signatures of this kind, calls, and
/// a result for each of them.
pub(super) fn conversation(rng: &mut Rng, signatures: OpaqueKind) -> Vec<Message<'static>> {
    let mut messages = Vec::new();
    let mut calls = 0;
    for _ in 0..rng.usize(..2) {
        messages.push(Message::text(pick_role(rng), words(rng)));
    }
    for _ in 0..rng.usize(..5) {
        messages.push(message(Role::User, user_parts(rng)));
        let (parts, ids) = assistant_parts(rng, signatures, &mut calls);
        messages.push(message(Role::Assistant, parts));
        if !ids.is_empty() {
            messages.push(message(Role::User, ids.into_iter().map(|id| result(rng, id)).collect()));
        }
        if rng.u8(..6) == 0 {
            messages.push(Message::text(pick_role(rng), words(rng)));
        }
    }
    messages.push(Message::text(Role::User, words(rng)));
    messages
}

fn pick_role(rng: &mut Rng) -> Role {
    if rng.bool() { Role::System } else { Role::Developer }
}

fn message(role: Role, kinds: Vec<PartKind<'static>>) -> Message<'static> {
    Message {
        role,
        parts: kinds.into_iter().map(Part::from).collect(),
    }
}

fn user_parts(rng: &mut Rng) -> Vec<PartKind<'static>> {
    let mut parts = Vec::new();
    for _ in 0..rng.usize(..4) {
        parts.push(if rng.u8(..4) == 0 {
            let source = Source::Data {
                media_type: Cow::Borrowed("image/png"),
                base64: Cow::Owned(format!("AAA{}", rng.alphanumeric())),
            };
            PartKind::Image(Image { source, detail: None })
        } else {
            PartKind::Text(Cow::Owned(text(rng)))
        });
    }
    parts
}

fn assistant_parts(rng: &mut Rng, signatures: OpaqueKind, calls: &mut u32) -> (Vec<PartKind<'static>>, Vec<String>) {
    let (mut parts, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..rng.usize(..5) {
        parts.push(match rng.u8(..4) {
            0 => PartKind::Reasoning {
                text: Cow::Owned(text(rng)),
                opaque: rng.bool().then(|| Opaque {
                    kind: signatures,
                    data: Cow::Owned(format!("sig{}", rng.u32(..))),
                    origin: None,
                }),
            },
            1 => {
                *calls += 1;
                let id = format!("c{calls}");
                ids.push(id.clone());
                PartKind::ToolCall(ToolCall {
                    id: Cow::Owned(id),
                    name: ToolName::plain(pick(rng, &["look", "wait", "x-1"]).to_owned()),
                    arguments: match rng.u8(..4) {
                        0 => Cow::Borrowed(""),
                        1 => Cow::Owned(text(rng)),
                        _ => Cow::Owned(object(rng)),
                    },
                    is_custom: rng.u8(..8) == 0,
                })
            }
            _ => PartKind::Text(Cow::Owned(text(rng))),
        });
    }
    rng.shuffle(&mut ids);
    (parts, ids)
}

fn result(rng: &mut Rng, id: String) -> PartKind<'static> {
    PartKind::ToolResult(ToolResult {
        call_id: Cow::Owned(id),
        content: (0..rng.usize(..3))
            .map(|_| PartKind::Text(Cow::Owned(text(rng))))
            .collect(),
        is_error: rng.u8(..6) == 0,
    })
}
