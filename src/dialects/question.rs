//! Reading the question out of a client's request, whatever its dialect.
//!
//! The question is the last user turn: the texts of the user's messages at the end, before whatever tools a model has
//! called since. What coding agents put into a user's message without the user having said it is cut out. Instructions,
//! results of tools and what a model said are never part of it. The body is gone over once, where it stands; what is kept
//! of it is the last user turn, and the first instructions, the first user's message and the first answer to it, by which a
//! conversation without an id is known again.

mod content;
mod conversation;
mod cut;
mod shape;

use std::borrow::Cow;
use std::sync::Arc;

use gateway_actors::protocol::{AnswerShape, Capability, ConversationMark, LoopKey, Needs, Question};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use self::content::Content;
use self::conversation::Conversation;
use self::cut::{ends, without_label};
use self::shape::{shape, shape_within};

/// How many bytes of each end of a long text count for what a conversation is known by.
const MARKED_END: usize = 4 * 1024;

/// What a client says of the user or the conversation that a request is for: the values of up to three members.
type Whose<'w> = [Option<&'w RawValue>; 3];

/// What has been read of a request before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'n> {
    /// What it needs of a model.
    pub(super) needs: &'n Needs,
    /// Whether a stream is asked for.
    pub(super) stream: bool,
}

/// The question of a body in OpenAI's chat completions; nothing where no user says anything, or it cannot be read.
pub(super) fn of_chat(body: &[u8], known: Known<'_>) -> Option<Question> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        messages: Conversation<'a>,
        #[serde(borrow)]
        response_format: Option<&'a RawValue>,
        #[serde(borrow)]
        user: Option<&'a RawValue>,
        #[serde(borrow)]
        safety_identifier: Option<&'a RawValue>,
        #[serde(borrow)]
        prompt_cache_key: Option<&'a RawValue>,
    }
    let body: Body<'_> = read(body)?;
    let whose = [body.user, body.safety_identifier, body.prompt_cache_key];
    question(&body.messages, None, whose, body.response_format.map(shape), known)
}

/// The question of a body in Anthropic's messages; nothing where no user says anything, or it cannot be read.
pub(super) fn of_messages(body: &[u8], known: Known<'_>) -> Option<Question> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        messages: Conversation<'a>,
        #[serde(borrow)]
        system: Option<Content<'a>>,
        /// Holds what the user is known by.
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
        #[serde(borrow)]
        output_config: Option<&'a RawValue>,
        /// The name that a beta had for the format.
        #[serde(borrow)]
        output_format: Option<&'a RawValue>,
    }
    let body: Body<'_> = read(body)?;
    let asked = body.output_config.and_then(shape_within);
    let asked = asked.or_else(|| body.output_format.map(shape));
    let whose = [body.metadata, None, None];
    question(&body.messages, body.system.as_ref(), whose, asked, known)
}

/// The question of a body in OpenAI's Responses; nothing where no user says anything, or it cannot be read. Of a request
/// that goes on from a stored answer only what it holds itself is seen.
pub(super) fn of_responses(body: &[u8], known: Known<'_>) -> Option<Question> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        input: Option<Conversation<'a>>,
        #[serde(borrow)]
        instructions: Option<Content<'a>>,
        #[serde(borrow)]
        text: Option<&'a RawValue>,
        #[serde(borrow)]
        user: Option<&'a RawValue>,
        #[serde(borrow)]
        safety_identifier: Option<&'a RawValue>,
        #[serde(borrow)]
        prompt_cache_key: Option<&'a RawValue>,
    }
    let body: Body<'_> = read(body)?;
    let input = body.input?;
    // What is asked for within the conversation is newer.
    let asked = input.update.or(body.text).and_then(shape_within);
    let whose = [body.user, body.safety_identifier, body.prompt_cache_key];
    question(&input, body.instructions.as_ref(), whose, asked, known)
}

/// The question of a request of the gateway's own kind: the message, after this many earlier ones of the user's.
pub(super) fn of_text(message: &Arc<str>, earlier: usize, known: Known<'_>) -> Option<Question> {
    if message.trim().is_empty() {
        return None;
    }
    let text = match ends(message) {
        Cow::Borrowed(_whole) => Arc::clone(message),
        Cow::Owned(ends) => ends.into(),
    };
    let conversation = Conversation::after(earlier);
    Some(described(&conversation, text, None, AnswerShape::Free, known))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_str(std::str::from_utf8(body).ok()?).ok()
}

/// The question of a conversation whose instructions may stand apart from it. What the client says of whose it is tells
/// conversations apart that begin alike.
fn question(
    conversation: &Conversation<'_>,
    instructions: Option<&Content<'_>>,
    whose: Whose<'_>,
    asked: Option<AnswerShape>,
    known: Known<'_>,
) -> Option<Question> {
    let last = joined(&conversation.last);
    if last.trim().is_empty() {
        return None;
    }
    let key = key(conversation, instructions, whose, &last);
    let shape = asked.unwrap_or_default();
    Some(described(conversation, ends(&last).into(), Some(key), shape, known))
}

fn described(
    conversation: &Conversation<'_>,
    text: Arc<str>,
    loop_key: Option<LoopKey>,
    shape: AnswerShape,
    known: Known<'_>,
) -> Question {
    Question {
        text,
        user_turns: conversation.turns,
        loop_key,
        in_loop: conversation.in_loop,
        tool_errors: conversation.tool_errors,
        shape,
        has_tools: known.needs.capabilities.has(Capability::Tools),
        has_media: conversation.has_media || known.needs.capabilities.has(Capability::Vision),
        stream: known.stream,
        answers: known.needs.answers,
        capped: known.needs.max_output.is_some(),
    }
}

/// By what the conversation and its last turn, whose text this is, are known again.
fn key(conversation: &Conversation<'_>, instructions: Option<&Content<'_>>, whose: Whose<'_>, last: &str) -> LoopKey {
    let system = instructions.or(conversation.first_system.as_ref());
    // In the first turn, which is the whole question then, it is not read once more.
    let is_first = conversation.turns == 1 && conversation.last.len() == conversation.first_user.len();
    let mut mark = Mark::default();
    for text in system.into_iter().flat_map(Content::texts) {
        mark.add(without_label(text));
    }
    if is_first {
        mark.add(last);
    } else {
        mark.add(&joined(&conversation.first_user));
    }
    for who in whose.into_iter().flatten() {
        mark.add(who.get());
    }
    let beginning = mark.bytes();
    let answered = conversation.first_answer.as_ref().map(|answer| {
        // No turn has this number.
        let mut mark = Mark::after(&beginning, 0);
        for said in answer.marks() {
            mark.add(said);
        }
        mark.bytes()
    });
    let mut mark = Mark::after(&beginning, conversation.turns);
    if !is_first {
        mark.add(last);
    }
    LoopKey {
        conversation: ConversationMark {
            beginning,
            answered,
            is_young: conversation.answers <= 1,
        },
        turn: mark.bytes(),
    }
}

/// Texts of a user's, one below the other.
fn joined<'t>(said: &'t [Cow<'_, str>]) -> Cow<'t, str> {
    match said {
        [one] => Cow::Borrowed(one),
        several => Cow::Owned(several.join("\n")),
    }
}

/// What something is known by: the first 16 bytes of SHA-256 over its texts, each with its length before it. Of a long
/// text both ends count.
#[derive(Default)]
struct Mark(Sha256);

impl Mark {
    /// That of a turn: of the conversation that it is in, and how many there are.
    fn after(conversation: &[u8; 16], turns: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(conversation);
        hash.update(turns.to_le_bytes());
        Self(hash)
    }

    fn add(&mut self, text: &str) {
        let Self(hash) = self;
        let bytes = text.as_bytes();
        hash.update((bytes.len() as u64).to_le_bytes());
        match (bytes.first_chunk::<MARKED_END>(), bytes.last_chunk::<MARKED_END>()) {
            (Some(head), Some(tail)) if bytes.len() > 2 * MARKED_END => {
                hash.update(head);
                hash.update(tail);
            }
            _ => hash.update(bytes),
        }
    }

    fn bytes(self) -> [u8; 16] {
        let Self(hash) = self;
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(hash.finalize())
            .for_each(|(byte, of_hash)| *byte = of_hash);
        bytes
    }
}

#[cfg(test)]
#[path = "question_tests.rs"]
mod tests;
