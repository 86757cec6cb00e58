//! A client's request with a note for the model.
//!
//! The note is put in where it belongs, behind the client's own instructions, and everything else stays as the client
//! wrote it, to the byte: members that nobody here knows, state of a provider's and marks for its cache among them. So
//! nothing is lost by it, whatever dialect the model speaks. Where there are instructions it becomes a part of them, and
//! no message of its own: some models take one message of instructions and no more.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::{is_non_empty_container, is_string, push_string, range_in, text};
use super::splice::{Splice, spliced};

/// A body in OpenAI's chat completions whose instructions end with the note; nothing if there is no place for it.
pub(super) fn in_chat(body: &Bytes, note: &str) -> Option<Bytes> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        messages: Vec<&'a RawValue>,
    }
    let json = std::str::from_utf8(body).ok()?;
    let Body { messages } = serde_json::from_str(json).ok()?;
    Some(with(body, behind_instructions(json, &messages, note, &CHAT)?))
}

/// A body in Anthropic's Messages whose `system` ends with the note; nothing if that is not what it must be. `after_model`
/// is where the value of `model` ends.
pub(super) fn in_messages(body: &Bytes, note: &str, after_model: usize) -> Option<Bytes> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default, deserialize_with = "present")]
        system: Option<&'a RawValue>,
    }
    let json = std::str::from_utf8(body).ok()?;
    let Body { system } = serde_json::from_str(json).ok()?;
    let splice = match system {
        Some(system) if system.get() == "null" => Splice::new(range_in(json, system), quoted(note)),
        Some(system) => extended(json, system, note, "text")?,
        None => {
            let member = [&b",\"system\":"[..], &quoted(note)].concat();
            Splice::new(after_model..after_model, member)
        }
    };
    Some(with(body, splice))
}

/// A body in OpenAI's Responses whose input begins with instructions that end with the note. Not its `instructions`, which
/// an answer repeats. Nothing if the input is not what it must be.
pub(super) fn in_responses(body: &Bytes, note: &str) -> Option<Bytes> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        input: Option<&'a RawValue>,
    }
    let json = std::str::from_utf8(body).ok()?;
    let input = serde_json::from_str::<Body<'_>>(json).ok()?.input?;
    if is_string(input) {
        let mut items = Vec::from(*b"[");
        RESPONSES.push_message(&mut items, note);
        items.extend_from_slice(br#",{"type":"message","role":"user","content":[{"type":"input_text","text":"#);
        items.extend_from_slice(input.get().as_bytes());
        items.extend_from_slice(b"}]}]");
        return Some(with(body, Splice::new(range_in(json, input), items)));
    }
    let items: Vec<&RawValue> = serde_json::from_str(input.get()).ok()?;
    Some(with(body, behind_instructions(json, &items, note, &RESPONSES)?))
}

/// How a dialect writes messages.
struct Written {
    /// What a message begins with.
    members: &'static str,
    /// What a part of text is called.
    part: &'static str,
}

const CHAT: Written = Written {
    members: "",
    part: "text",
};

const RESPONSES: Written = Written {
    members: r#""type":"message","#,
    part: "input_text",
};

impl Written {
    fn push_message(&self, out: &mut Vec<u8>, note: &str) {
        out.push(b'{');
        out.extend_from_slice(self.members.as_bytes());
        out.extend_from_slice(br#""role":"system","content":"#);
        push_string(out, note);
        out.push(b'}');
    }
}

/// The note behind the instructions that these messages begin with, or before the first if they begin with none.
fn behind_instructions(json: &str, messages: &[&RawValue], note: &str, written: &Written) -> Option<Splice> {
    let instructions = messages.iter().map_while(|message| instructions_in(message));
    if let Some(content) = instructions.last() {
        return extended(json, content, note, written.part);
    }
    let first = range_in(json, messages.first()?).start;
    let mut message = Vec::with_capacity(note.len() + 64);
    written.push_message(&mut message, note);
    message.push(b',');
    Some(Splice::new(first..first, message))
}

/// The content of a message that instructs the model; nothing for any other.
fn instructions_in<'a>(message: &&'a RawValue) -> Option<&'a RawValue> {
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Option<&'a RawValue>,
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let message: Message<'_> = serde_json::from_str(message.get()).ok()?;
    let role = message.role.and_then(text)?;
    matches!(&*role, "system" | "developer").then_some(message.content)?
}

/// The note at the end of a text, or as one more part of this kind.
fn extended(json: &str, content: &RawValue, note: &str, part: &str) -> Option<Splice> {
    let end = range_in(json, content).end.checked_sub(1)?;
    let added = if is_string(content) {
        let between = if content.get() == "\"\"" { "" } else { "\n\n" };
        let text = quoted(&format!("{between}{note}"));
        // The quotes are there.
        text.get(1..text.len().checked_sub(1)?)?.to_vec()
    } else if content.get().starts_with('[') {
        let comma = if is_non_empty_container(content) { "," } else { "" };
        let begin = format!(r#"{comma}{{"type":"{part}","text":"#);
        [begin.as_bytes(), &quoted(note), b"}"].concat()
    } else {
        return None;
    };
    Some(Splice::new(end..end, added))
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}

fn with(body: &Bytes, splice: Splice) -> Bytes {
    spliced(body, std::iter::once(&splice)).to_bytes()
}

/// A member that is there even if it is `null`, so that it can be replaced.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

#[cfg(test)]
#[path = "noted_tests.rs"]
mod tests;
