//! The messages of a request.

use std::borrow::Cow;

use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;

use super::super::details::Entry;
use super::super::flavour::Flavour;
use super::calls::{Call, call_id, write_call};
use super::parts::{Part, write_document, write_image};
use crate::dialects::neutral::{
    CacheMark, Feature, Losses, Opaque, OpaqueKind, Origin, Part as NeutralPart, PartKind, Request, Role, ToolResult,
};

/// What stands between texts that become one, save for those of which a model said one right after the other.
const BETWEEN_TEXTS: &str = "\n\n";

/// What the model says between a tool and a user, where it must say something.
const BETWEEN_TOOL_AND_USER: &str = "OK.";

/// A message as it is written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    /// Whether the answer is to go on with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prefix: bool,
}

impl Message<'_> {
    fn reasoning_is_absent(&self) -> bool {
        self.reasoning.is_none() && self.reasoning_content.is_none() && self.reasoning_details.is_empty()
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    #[default]
    Null,
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

/// A mark for a prompt cache, as Anthropic has it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CacheControl {
    pub(super) fn of(mark: CacheMark) -> Self {
        Self {
            kind: "ephemeral",
            ttl: (mark == CacheMark::OneHour).then_some("1h"),
        }
    }
}

/// Writes the messages of a request.
///
/// # Errors
/// When a part of one cannot be carried.
pub(super) fn write_messages<'r>(
    request: &'r Request<'_>,
    model: &Model,
    flavour: Flavour,
    losses: &mut Losses,
) -> Result<Vec<Message<'r>>, GatewayError> {
    let mut writer = Writer {
        flavour,
        reader: Origin::of(model),
        losses,
        written: Vec::with_capacity(request.messages.len()),
    };
    for message in &request.messages {
        match message.role {
            Role::System => writer.instructions("system", &message.parts)?,
            Role::Developer if flavour.is_openai() => writer.instructions("developer", &message.parts)?,
            Role::Developer => writer.instructions("system", &message.parts)?,
            Role::User => writer.user(&message.parts)?,
            Role::Assistant => writer.assistant(&message.parts),
        }
    }
    if flavour.marks_prefix()
        && let Some(last) = writer.written.last_mut()
    {
        last.prefix = last.role == "assistant" && last.tool_calls.is_empty();
    }
    if writer.written.is_empty() {
        let why = "this model cannot be asked without any text";
        return Err(writer.losses.refuse_value(Feature::Text, why));
    }
    Ok(writer.written)
}

struct Writer<'l, 'r> {
    flavour: Flavour,
    reader: Origin,
    losses: &'l mut Losses,
    written: Vec<Message<'r>>,
}

impl<'r> Writer<'_, 'r> {
    /// Instructions. Chat templates that allow for one system message only are common among servers that take no parts:
    /// there, neighbours are one.
    fn instructions(&mut self, role: &'static str, parts: &'r [NeutralPart<'_>]) -> Result<(), GatewayError> {
        let content = self.content(parts)?;
        if !self.flavour.takes_text_parts()
            && let Content::Text(more) = &content
            && let Some(Message {
                role: "system",
                content: Content::Text(before),
                ..
            }) = self.written.last_mut()
        {
            *before = Cow::Owned([&**before, more].join(BETWEEN_TEXTS));
            return Ok(());
        }
        self.written.push(Message {
            role,
            content,
            ..Message::default()
        });
        Ok(())
    }

    /// A user's message. Results of tools come first, each a message of its own, since they have to follow the calls.
    fn user(&mut self, parts: &'r [NeutralPart<'_>]) -> Result<(), GatewayError> {
        let mut media = Vec::new();
        for part in parts {
            if let PartKind::ToolResult(result) = &part.kind {
                self.result(result, part.cache, &mut media)?;
            }
        }
        let is_said = |part: &&NeutralPart<'_>| !matches!(part.kind, PartKind::ToolResult(_));
        let mut said = parts.iter().filter(is_said).peekable();
        if said.peek().is_none() && media.is_empty() {
            return Ok(());
        }
        let content = match self.content(said)? {
            content if media.is_empty() => content,
            Content::Null => Content::Parts(media),
            Content::Text(text) => {
                media.push(Part::text(text, None));
                Content::Parts(media)
            }
            Content::Parts(parts) => {
                media.extend(parts);
                Content::Parts(media)
            }
        };
        let is_behind_tool = self.written.last().is_some_and(|last| last.role == "tool");
        if is_behind_tool && !self.flavour.takes_users_behind_tools() {
            self.written.push(Message {
                role: "assistant",
                content: Content::Text(Cow::Borrowed(BETWEEN_TOOL_AND_USER)),
                ..Message::default()
            });
        }
        self.written.push(Message {
            role: "user",
            content,
            ..Message::default()
        });
        Ok(())
    }

    /// What came of a call: its text. Images and documents, which a tool's message cannot hold, go to `media`.
    fn result(
        &mut self,
        result: &'r ToolResult<'_>,
        cache: Option<CacheMark>,
        media: &mut Vec<Part<'r>>,
    ) -> Result<(), GatewayError> {
        if result.is_error {
            self.losses.drop(Feature::ToolResultError);
        }
        let mut texts = Vec::new();
        for kind in &result.content {
            match kind {
                PartKind::Text(text) | PartKind::Refusal(text) => texts.push(Cow::Borrowed(&**text)),
                PartKind::Image(image) => media.push(write_image(image)),
                PartKind::Document(document) => {
                    let part = write_document(document, self.flavour, self.losses)?;
                    if part.is_plain_text() {
                        texts.extend(part.into_text());
                    } else {
                        media.push(part);
                    }
                }
                PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {}
            }
        }
        let text = joined(texts);
        let mark = self.mark(cache);
        self.written.push(Message {
            role: "tool",
            tool_call_id: Some(call_id(&result.call_id, self.flavour.call_ids())),
            content: match mark {
                Some(_) => Content::Parts(vec![Part::text(text, mark)]),
                None => Content::Text(text),
            },
            ..Message::default()
        });
        Ok(())
    }

    /// What the model said before; left out if nothing remains of it. Texts that follow each other are one text that was
    /// cut, at citations say; where it thought or called a tool in between, a paragraph ends.
    fn assistant(&mut self, parts: &'r [NeutralPart<'_>]) {
        let mut message = Message {
            role: "assistant",
            ..Message::default()
        };
        let (mut said, mut refused) = (None, None);
        let mut reasoning = Vec::new();
        let mut before: Option<&PartKind<'_>> = None;
        for part in parts {
            let goes_on = before
                .replace(&part.kind)
                .is_some_and(|before| std::mem::discriminant(before) == std::mem::discriminant(&part.kind));
            let between = if goes_on { "" } else { BETWEEN_TEXTS };
            match &part.kind {
                PartKind::Text(text) => append(&mut said, between, text),
                PartKind::Refusal(refusal) if self.flavour.is_openai() => append(&mut refused, between, refusal),
                PartKind::Refusal(refusal) => append(&mut said, between, refusal),
                PartKind::Reasoning { text, opaque } => match self.sealed(text, opaque.as_ref()) {
                    Some(entry) => message.reasoning_details.push(entry),
                    // Its words can be read without what is left out.
                    None => reasoning.push(&**text),
                },
                PartKind::ToolCall(call) => message.tool_calls.push(write_call(call, self.flavour)),
                PartKind::Image(_) | PartKind::Document(_) | PartKind::ToolResult(_) => {
                    self.losses.drop(Feature::OtherContent);
                }
            }
            // Nothing of a model's own is marked: the next message's mark does the same.
            if part.cache.is_some() {
                self.losses.drop(Feature::CacheMarks);
            }
        }
        reasoning.retain(|text| !text.is_empty());
        if !reasoning.is_empty() {
            let text = Some(reasoning.join(BETWEEN_TEXTS));
            match self.flavour.reasoning_text() {
                Some("reasoning") => message.reasoning = text,
                Some(_) => message.reasoning_content = text,
                None => self.losses.drop(Feature::ReasoningText),
            }
        }
        message.refusal = refused;
        let is_silent = said.is_none() && message.tool_calls.is_empty() && message.refusal.is_none();
        if let Some(said) = said {
            message.content = Content::Text(said);
        }
        if !is_silent {
            self.say(message);
            return;
        }
        // A message of nothing but reasoning is none.
        if message.reasoning.is_some() || message.reasoning_content.is_some() {
            self.losses.drop(Feature::ReasoningText);
        }
        if !message.reasoning_details.is_empty() {
            self.losses.drop(Feature::Opaque);
        }
    }

    /// Adds what the model said. Chat templates that want users and models to take turns are common among servers that take
    /// no parts: there, it goes on with a text that the model said just before.
    fn say(&mut self, message: Message<'r>) {
        if !self.flavour.takes_text_parts()
            && let Content::Text(more) = &message.content
            && message.reasoning_is_absent()
            && let Some(last) = self.written.last_mut()
            && last.role == "assistant"
            && last.tool_calls.is_empty()
            && let Content::Text(before) = &mut last.content
            && !(before.is_empty() || more.is_empty())
        {
            *before = Cow::Owned([&**before, more].join(BETWEEN_TEXTS));
            last.tool_calls = message.tool_calls;
            return;
        }
        self.written.push(message);
    }

    /// The entry of reasoning to which something opaque belongs, if the model is to have it back.
    fn sealed(&mut self, text: &'r str, opaque: Option<&'r Opaque<'_>>) -> Option<Entry<'r>> {
        let opaque = opaque.filter(|opaque| !opaque.data.is_empty())?;
        let entry = opaque
            .for_model(OpaqueKind::Details, self.reader)
            .filter(|_| self.flavour.takes_reasoning_details())
            .and_then(|kept| Entry::kept(kept, text));
        if entry.is_none() {
            self.losses.drop(Feature::Opaque);
        }
        entry
    }

    /// What is said, as one text where it is only that.
    fn content<'p>(&mut self, parts: impl IntoIterator<Item = &'r NeutralPart<'p>>) -> Result<Content<'r>, GatewayError>
    where
        'p: 'r,
    {
        let mut written = Vec::new();
        for part in parts {
            let mark = self.mark(part.cache);
            written.push(match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => Part::text(Cow::Borrowed(text), mark),
                PartKind::Image(image) => write_image(image).with_mark(mark),
                PartKind::Document(document) => write_document(document, self.flavour, self.losses)?.with_mark(mark),
                PartKind::Reasoning { .. } | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                    self.losses.drop(Feature::OtherContent);
                    continue;
                }
            });
        }
        let keeps_parts = written.len() > 1 && self.flavour.takes_text_parts();
        if keeps_parts || !written.iter().all(Part::is_plain_text) {
            return Ok(Content::Parts(written));
        }
        let texts: Vec<Cow<'r, str>> = written.into_iter().filter_map(Part::into_text).collect();
        Ok(match texts.is_empty() {
            true => Content::Null,
            false => Content::Text(joined(texts)),
        })
    }

    /// A cache mark, if the provider takes any.
    fn mark(&mut self, mark: Option<CacheMark>) -> Option<CacheControl> {
        let mark = mark?;
        if self.flavour.takes_cache_marks() {
            Some(CacheControl::of(mark))
        } else {
            self.losses.drop(Feature::CacheMarks);
            None
        }
    }
}

/// Texts as one.
fn joined(texts: Vec<Cow<'_, str>>) -> Cow<'_, str> {
    match <[_; 1]>::try_from(texts) {
        Ok([one]) => one,
        Err(several) => Cow::Owned(several.join(BETWEEN_TEXTS)),
    }
}

/// Adds a text to what there is, with this in between.
fn append<'a>(all: &mut Option<Cow<'a, str>>, between: &str, text: &'a str) {
    match all {
        Some(all) if all.is_empty() => *all = Cow::Borrowed(text),
        Some(_) if text.is_empty() => {}
        Some(all) => {
            let all = all.to_mut();
            all.push_str(between);
            all.push_str(text);
        }
        None => *all = Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
