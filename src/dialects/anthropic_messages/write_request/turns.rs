//! Turns of a conversation: who may speak after whom.

use std::borrow::Cow;
use std::collections::HashSet;

use gateway_actors::protocol::GatewayError;
use serde::Serialize;

use super::blocks::{Block, Reader, block};
use crate::dialects::neutral::{Feature, Losses, Message, PartKind, Role};

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    User,
    Assistant,
    System,
}

/// What one of them says in one go.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: Speaker,
    content: Vec<Block<'a>>,
}

impl<'a> Turn<'a> {
    /// What it says.
    pub(super) fn blocks(&mut self) -> &mut [Block<'a>] {
        &mut self.content
    }

    pub(super) fn is_users(&self) -> bool {
        self.role == Speaker::User
    }

    pub(super) fn is_assistants(&self) -> bool {
        self.role == Speaker::Assistant
    }

    /// Whether it holds what came of a call.
    pub(super) fn has_results(&self) -> bool {
        self.content.iter().any(is_result)
    }

    /// Whether the model thought before anything else.
    pub(super) fn begins_with_thinking(&self) -> bool {
        let first = self.content.first();
        matches!(first, Some(Block::Thinking { .. } | Block::RedactedThinking { .. }))
    }
}

fn is_result(block: &Block<'_>) -> bool {
    matches!(block, Block::ToolResult { .. })
}

/// Instructions that come before everything, and the conversation.
#[derive(Debug, Default)]
pub(super) struct Turns<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Turn<'a>>,
    /// Instructions that wait for the end of the user's turn.
    later: Vec<Block<'a>>,
}

/// Makes turns of messages.
///
/// # Errors
/// If there is no turn of the user's or the model's, a result belongs to no call, or a part cannot be carried.
pub(super) fn turns<'a>(
    messages: &'a [Message<'_>],
    reader: Reader,
    losses: &mut Losses,
) -> Result<Turns<'a>, GatewayError> {
    let mut turns = Turns::default();
    for message in messages {
        let mut content = Vec::with_capacity(message.parts.len());
        // White space of the model's own that is a part by itself, which the API refuses: it goes before what follows.
        let mut space = String::new();
        for part in &message.parts {
            let mut written = block(part, reader, losses)?;
            if let Some(Block::Text { text, .. }) = &mut written
                && !space.is_empty()
            {
                text.to_mut().insert_str(0, &space);
            }
            space = match &part.kind {
                PartKind::Text(text) if written.is_none() && message.role == Role::Assistant => space + text,
                _ => String::new(),
            };
            content.extend(written);
        }
        match message.role {
            Role::User => turns.say(Speaker::User, content),
            Role::Assistant => turns.say(Speaker::Assistant, content),
            Role::System | Role::Developer => {
                if content.iter().any(|block| !matches!(block, Block::Text { .. })) {
                    return Err(losses.refuse(Feature::OtherContent));
                }
                let is_first = turns.messages.is_empty();
                let place = if is_first || !reader.takes.later_system {
                    &mut turns.system
                } else {
                    &mut turns.later
                };
                place.extend(content);
            }
        }
    }
    turns.instruct();
    for turn in turns.messages.iter_mut().filter(|turn| turn.is_users()) {
        turn.content.sort_by_key(|block| !is_result(block));
    }
    if turns.messages.is_empty() {
        let why = "this model needs a message of the user's that says something";
        return Err(losses.refuse_value(Feature::Text, why));
    }
    check_results(&turns.messages, losses)?;
    prefill(&mut turns.messages, reader, losses)?;
    Ok(turns)
}

/// What the model is to go on with, if its turn comes last. White space at its end is refused, and means nothing: the
/// model begins with some of its own.
fn prefill(turns: &mut [Turn<'_>], reader: Reader, losses: &Losses) -> Result<(), GatewayError> {
    let Some(last) = turns.last_mut().filter(|last| last.is_assistants()) else {
        return Ok(());
    };
    if !reader.takes.prefill {
        let why = "this model does not go on with a message of its own: the last must be the user's";
        return Err(losses.refuse_value(Feature::Text, why));
    }
    if let Some(Block::Text { text, .. }) = last.content.last_mut() {
        let kept = text.trim_end().len();
        match text {
            Cow::Borrowed(borrowed) => *borrowed = borrowed.get(..kept).unwrap_or_default(),
            Cow::Owned(owned) => owned.truncate(kept),
        }
    }
    Ok(())
}

impl<'a> Turns<'a> {
    fn say(&mut self, speaker: Speaker, mut content: Vec<Block<'a>>) {
        if content.is_empty() {
            return;
        }
        if speaker == Speaker::Assistant {
            self.instruct();
        }
        match self.messages.last_mut() {
            Some(last) if last.role == speaker => last.content.append(&mut content),
            _ => self.messages.push(Turn { role: speaker, content }),
        }
    }

    /// Puts instructions that wait behind the user's turn, which has just ended; to the others if no such turn has.
    fn instruct(&mut self) {
        let mut content = std::mem::take(&mut self.later);
        if content.is_empty() {
            return;
        }
        if self.messages.last().is_some_and(Turn::is_users) {
            self.messages.push(Turn {
                role: Speaker::System,
                content,
            });
        } else {
            self.system.append(&mut content);
        }
    }
}

/// Every result must answer a call of the model's turn just before it, and every call must be answered in the user's
/// turn that follows, if one does.
fn check_results(turns: &[Turn<'_>], losses: &Losses) -> Result<(), GatewayError> {
    let mut open: HashSet<&str> = HashSet::new();
    for turn in turns.iter().filter(|turn| turn.role != Speaker::System) {
        let mut answered: HashSet<&str> = HashSet::new();
        let mut called: HashSet<&str> = HashSet::new();
        for block in &turn.content {
            match block {
                Block::ToolUse { id, .. } => {
                    called.insert(id);
                }
                Block::ToolResult { tool_use_id, .. } => {
                    answered.insert(tool_use_id);
                }
                _ => {}
            }
        }
        if !answered.is_subset(&open) {
            let why = "each result must follow the message that holds its call for this model";
            return Err(losses.refuse_value(Feature::ToolResults, why));
        }
        if open.len() > answered.len() {
            let why = "each call must be followed by its result for this model";
            return Err(losses.refuse_value(Feature::ToolCalls, why));
        }
        open = called;
    }
    Ok(())
}
