//! What the provider says, before it is put in any dialect. Every piece of text is tagged with the provider's name, so
//! that an answer spliced from two providers can be seen.

use std::sync::Arc;

use serde_json::Value;

use super::base64;
use super::content::{Content, End, ToolCall, UsageScript};

/// Pieces of reasoning in an answer that thinks.
const THOUGHTS: usize = 2;

/// One answer to be given, whole or in pieces.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The provider's name.
    pub(super) provider: String,
    /// Which of the provider's answers it is, from 1.
    pub(super) number: usize,
    /// The id of the answer, in the dialect's manner.
    pub(super) id: String,
    /// The model that was asked for.
    pub(super) model: String,
    /// The body of the request: some dialects repeat parts of it.
    pub(super) request: Value,
    /// What it consists of, in order.
    pub(super) blocks: Vec<Block>,
    /// Why it ends.
    pub(super) end: End,
    /// What it costs.
    pub(super) counts: Counts,
    /// Whether usage is told.
    pub(super) with_usage: bool,
}

/// One part of an answer.
#[derive(Debug, Clone)]
pub(super) enum Block {
    /// Reasoning, which ends with [`sealed`].
    Thoughts(Pieces),
    /// Text.
    Text(Pieces),
    /// The words of a refusal.
    Refusal(Pieces),
    /// The call of a tool, and its place among the calls, from 0.
    Call(usize, ToolCall),
}

impl Block {
    /// How many tokens it has, whether the dialect shows them or not.
    fn tokens(&self) -> usize {
        match self {
            Self::Thoughts(pieces) | Self::Text(pieces) | Self::Refusal(pieces) => pieces.count,
            Self::Call(_, call) => call.pieces().len(),
        }
    }
}

/// Text in pieces, one for each token: `alpha-1 `, `alpha-2 `, …, each with the same letters before its blank if it was so
/// told.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    tag: String,
    letters: &'static str,
    /// What is said instead, all of it in the first piece.
    said: Option<Arc<str>>,
    count: usize,
}

impl Pieces {
    /// The pieces, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = String> + Send + '_ {
        (1..=self.count).map(|number| {
            if let Some(said) = &self.said {
                return if number == 1 { said.to_string() } else { String::new() };
            }
            let space = if number == self.count { "" } else { " " };
            format!("{}-{number}{}{space}", self.tag, self.letters)
        })
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        self.iter().collect()
    }
}

impl Answer {
    /// The parts of an answer with this content and this many pieces of text, as far as the dialect has words for them.
    pub(super) fn blocks(
        provider: &str,
        content: &Content,
        tokens: usize,
        can_say: impl Fn(&Block) -> bool,
    ) -> Vec<Block> {
        let pieces = |kind: &str, count| Pieces {
            tag: format!("{provider}{kind}"),
            letters: content.letters,
            said: content.said.clone(),
            count,
        };
        let mut blocks = Vec::new();
        if content.thinks {
            blocks.push(Block::Thoughts(pieces("-thought", THOUGHTS)));
        }
        if content.speaks {
            blocks.push(Block::Text(pieces("", tokens)));
        }
        if matches!(content.end, End::Refusal) {
            blocks.push(Block::Refusal(pieces("-refusal", tokens)));
        }
        let calls = content.calls.iter().cloned().enumerate();
        blocks.extend(calls.map(|(place, call)| Block::Call(place, call)));
        blocks.retain(can_say);
        if blocks.iter().all(|block| matches!(block, Block::Thoughts(_))) {
            blocks.push(Block::Text(pieces("", tokens)));
        }
        blocks
    }

    /// The text, if there is a part that is text.
    pub(super) fn text(&self) -> Option<String> {
        self.blocks.iter().find_map(|block| match block {
            Block::Text(pieces) => Some(pieces.text()),
            _ => None,
        })
    }

    /// The reasoning, if there is any.
    pub(super) fn thoughts(&self) -> Option<String> {
        self.blocks.iter().find_map(|block| match block {
            Block::Thoughts(pieces) => Some(pieces.text()),
            _ => None,
        })
    }

    /// The words of the refusal, if it is one.
    pub(super) fn refusal(&self) -> Option<String> {
        self.blocks.iter().find_map(|block| match block {
            Block::Refusal(pieces) => Some(pieces.text()),
            _ => None,
        })
    }

    /// The calls of tools and their places.
    pub(super) fn calls(&self) -> impl Iterator<Item = (usize, &ToolCall)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(place, call) => Some((*place, call)),
            _ => None,
        })
    }

    /// What the provider wants back with its reasoning.
    pub(super) fn sealed(&self) -> String {
        sealed(&self.provider)
    }

    /// An id of a part of the answer, or of a call in it: `<kind>_<provider>_<answer>_<place>`.
    pub(super) fn part_id(&self, kind: &str, place: usize) -> String {
        format!("{kind}_{}_{}_{place}", self.provider, self.number)
    }
}

/// The opaque state that goes with a provider's reasoning: base64, since some dialects carry bytes.
pub(super) fn sealed(provider: &str) -> String {
    base64::encode(format!("{provider} thought of this").as_bytes())
}

/// The tokens of one answer, each in one place only.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Of the request, new to the provider: its words.
    pub(super) fresh: u64,
    /// What was scripted besides.
    pub(super) script: UsageScript,
    /// Of the answer, without the reasoning.
    pub(super) visible: u64,
    /// Of the reasoning.
    pub(super) reasoning: u64,
}

impl Counts {
    /// The tokens of a request with these texts and of these parts of an answer.
    pub(super) fn new(texts: &[String], blocks: &[Block], script: UsageScript) -> Self {
        let words: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
        let is_thought = |block: &&Block| matches!(block, Block::Thoughts(_));
        let thoughts: usize = blocks.iter().filter(is_thought).map(Block::tokens).sum();
        let all: usize = blocks.iter().map(Block::tokens).sum();
        // Where nothing is answered, nothing is thought: vectors and counts.
        let scripted = if blocks.is_empty() { 0 } else { script.reasoning };
        Self {
            fresh: count(words),
            script,
            visible: count(all - thoughts),
            reasoning: scripted.max(count(thoughts)),
        }
    }

    /// All tokens of the request: new, read from the cache, written to it.
    pub(super) fn input(&self) -> u64 {
        self.fresh + self.script.cached + self.written()
    }

    /// Tokens written to the cache.
    pub(super) fn written(&self) -> u64 {
        self.script.cache_write + self.script.cache_write_1h
    }

    /// All tokens of the answer.
    pub(super) fn output(&self) -> u64 {
        self.visible + self.reasoning
    }

    /// Tokens of reasoning that are in no piece of the answer.
    pub(super) fn hidden(&self, blocks: &[Block]) -> u64 {
        let all: usize = blocks.iter().map(Block::tokens).sum();
        self.output() - count(all)
    }
}

fn count(tokens: usize) -> u64 {
    u64::try_from(tokens).unwrap()
}

/// A part of a stream that is sent at once.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// The bytes, with everything that separates it from the next one.
    pub(super) text: String,
    /// How many tokens of the answer it brings. What brings none tells of the answer's shape only.
    pub(super) tokens: usize,
}

/// A stream, frame by frame: made while it is sent, since it may be long.
pub(super) type Frames<'a> = Box<dyn Iterator<Item = Frame> + Send + 'a>;
