//! What the fields of a request do to its price.

/// A field of a request, and what it does to the price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
}

/// What a field does to the price of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Nothing that the bytes of the body do not bound: text, or a setting without a price.
    Free,
    /// Messages, instructions or items: text is bounded by its bytes, what is no text by what its vendor documents.
    Content,
    /// Tools that the client runs. Those that the provider runs are refused.
    Tools,
    /// A JSON schema, which a provider puts into the prompt in a form of its own.
    Schema,
    /// Texts to go on with, each of them an answer of its own.
    Prompt,
    /// Texts that become vectors.
    Input,
    /// The output cap: always sent, and at most the model's own.
    Cap,
    /// How many answers are made; the most of several such fields counts.
    Answers,
    /// Whether the prompt is a part of the answer.
    Echo,
    /// How the model thinks: within the output cap, or refused.
    Thinking,
    /// How the provider is to shorten the conversation: only by leaving something out.
    Edits,
    /// A word, one of these; any other is another price.
    Words(&'static [&'static str]),
    /// A value in JSON, one of these; any other has a price that nobody knows. What to do instead.
    Values(&'static [&'static str], &'static str),
    /// An object with fields of its own.
    Nested(&'static [Field]),
    /// No bound is known for it. What to do instead.
    Refused(&'static str),
}

/// Fields that have one effect.
macro_rules! fields {
    ($($effect:expr => $($name:literal)+;)+) => {
        &[$($($crate::dialects::bounds::effect::Field { name: $name, effect: $effect },)+)+]
    };
}

pub(super) use fields;

/// Leave a field out.
pub(super) const LEAVE_OUT: &str = "leave it out";

/// A file, a template or a conversation that the provider keeps has to be sent itself.
pub(super) const SEND_ITSELF: &str = "send what it stands for itself, as text";
