//! The order in which the events of a stream may come.
//!
//! ```text
//! stream = message_start block* message_delta+ message_stop
//! block  = content_block_start delta* content_block_stop      numbered from 0 without gaps, one at a time
//! delta  = text_delta | citations_delta                       in a text block
//!        | thinking_delta, then at most one signature_delta   in a thinking block
//!        | input_json_delta                                   in a tool_use block
//! ```
//!
//! A `ping` may stand anywhere after the start, an `error` anywhere: nothing follows it. Source: Anthropic's page on
//! streaming messages, and `RawMessageStreamEvent` of the package.

/// An event, as far as its place matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum Step {
    MessageStart,
    BlockStart {
        index: u64,
        block: BlockKind,
    },
    BlockDelta {
        index: u64,
        delta: DeltaKind,
    },
    BlockStop {
        index: u64,
    },
    MessageDelta,
    MessageStop,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the check of a stream meets it"))]
    Ping,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the check of a stream meets it"))]
    Error,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum BlockKind {
    Text,
    Thinking,
    RedactedThinking,
    ToolUse,
}

/// What a part of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) enum DeltaKind {
    Text,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the check of a stream meets it"))]
    Citations,
    Thinking,
    Signature,
    InputJson,
}

/// An event where it may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{step:?} may not come {place}")]
pub(in crate::dialects) struct Violation {
    step: Step,
    place: &'static str,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Before,
    Between,
    In {
        block: BlockKind,
        is_signed: bool,
    },
    AfterDelta,
    Over,
    Failed,
}

/// Watches over one stream.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Grammar {
    state: State,
    /// Blocks that have begun.
    blocks: u64,
}

impl Grammar {
    /// Takes the next event.
    ///
    /// # Errors
    /// If it may not come here; the state stays as it was.
    pub(in crate::dialects) fn step(&mut self, step: Step) -> Result<(), Violation> {
        let next = self.next(step).map_err(|place| Violation { step, place })?;
        self.blocks += u64::from(matches!(step, Step::BlockStart { .. }));
        self.state = next;
        Ok(())
    }

    /// Whether it came to its end, and a good one.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the check of a stream meets it"))]
    pub(in crate::dialects) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// How many blocks have begun.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    fn next(&self, step: Step) -> Result<State, &'static str> {
        match (self.state, step) {
            (State::Over | State::Failed, _) => Err("after the end"),
            (_, Step::Error) => Ok(State::Failed),
            (State::Before, Step::MessageStart) => Ok(State::Between),
            (State::Before, _) => Err("before the start"),
            (_, Step::MessageStart) => Err("a second time"),
            (state, Step::Ping) => Ok(state),
            (State::Between, Step::BlockStart { index, block }) if index == self.blocks => Ok(State::In {
                block,
                is_signed: false,
            }),
            (State::Between, Step::BlockStart { .. }) => Err("out of order"),
            (State::Between | State::AfterDelta, Step::MessageDelta) => Ok(State::AfterDelta),
            (State::AfterDelta, Step::MessageStop) => Ok(State::Over),
            (State::In { block, is_signed }, Step::BlockDelta { index, delta }) if index + 1 == self.blocks => {
                within(block, is_signed, delta)
            }
            (State::In { .. }, Step::BlockStop { index }) if index + 1 == self.blocks => Ok(State::Between),
            (State::In { .. }, Step::BlockDelta { .. } | Step::BlockStop { .. }) => Err("of a block that is not open"),
            (State::In { .. }, _) => Err("while a block is open"),
            (State::AfterDelta, _) => Err("after the message's delta"),
            (State::Between, Step::MessageStop) => Err("without a delta of the message"),
            (State::Between, _) => Err("outside of a block"),
        }
    }
}

fn within(block: BlockKind, is_signed: bool, delta: DeltaKind) -> Result<State, &'static str> {
    let fits = match delta {
        DeltaKind::Text | DeltaKind::Citations => block == BlockKind::Text,
        DeltaKind::Thinking | DeltaKind::Signature => block == BlockKind::Thinking && !is_signed,
        DeltaKind::InputJson => block == BlockKind::ToolUse,
    };
    if !fits {
        return Err("in this block");
    }
    Ok(State::In {
        block,
        is_signed: delta == DeltaKind::Signature,
    })
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod oracle;

#[cfg(test)]
pub(in crate::dialects) use self::oracle::check_stream;
