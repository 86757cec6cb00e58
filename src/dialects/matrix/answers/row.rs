//! What an answer may hold: the rows of the tables.

/// One thing that an answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    Text,
    Texts,
    Reasoning,
    State,
    Withheld,
    Call,
    Calls,
    BareCall,
    Refusal,
    Length,
    StopText,
    Filter,
    Names,
    Citations,
    Logprobs,
    Media,
    Hosted,
    Unknown,
    Counts,
    CacheReads,
    CacheWrites,
    ReasoningCount,
}

impl Row {
    /// Every row, in the order of the table.
    pub(super) const ALL: [Self; 22] = [
        Self::Text,
        Self::Texts,
        Self::Reasoning,
        Self::State,
        Self::Withheld,
        Self::Call,
        Self::Calls,
        Self::BareCall,
        Self::Refusal,
        Self::Length,
        Self::StopText,
        Self::Filter,
        Self::Names,
        Self::Citations,
        Self::Logprobs,
        Self::Media,
        Self::Hosted,
        Self::Unknown,
        Self::Counts,
        Self::CacheReads,
        Self::CacheWrites,
        Self::ReasoningCount,
    ];

    /// What it is, in words.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Texts => "text in several parts",
            Self::Reasoning => "reasoning that can be read",
            Self::State => "reasoning with what only its maker can read",
            Self::Withheld => "reasoning that only its maker can read",
            Self::Call => "a tool call",
            Self::Calls => "two tool calls at once",
            Self::BareCall => "a tool call without arguments",
            Self::Refusal => "a refusal in words",
            Self::Length => "the end: the limit of tokens",
            Self::StopText => "the end: a stop text, and which",
            Self::Filter => "the end: a content filter",
            Self::Names => "the answer's id, the model's name",
            Self::Citations => "citations",
            Self::Logprobs => "token probabilities",
            Self::Media => "images or sound in the answer",
            Self::Hosted => "tools that the provider ran",
            Self::Unknown => "members and kinds that nobody knows",
            Self::Counts => "usage: input and output",
            Self::CacheReads => "usage: cache reads",
            Self::CacheWrites => "usage: cache writes",
            Self::ReasoningCount => "usage: reasoning",
        }
    }
}
