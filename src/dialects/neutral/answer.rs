//! A whole answer.

use std::borrow::Cow;

use gateway_actors::protocol::UsageReport;

use super::request::PartKind;

/// What a model answered.
#[derive(Debug, Default)]
pub(in crate::dialects) struct Answer<'a> {
    /// The provider's id for it; empty if it gave none.
    pub(in crate::dialects) id: Cow<'a, str>,
    /// The provider's name for the model that answered; empty if it gave none.
    pub(in crate::dialects) model: Cow<'a, str>,
    /// At least one.
    pub(in crate::dialects) choices: Vec<Choice<'a>>,
    pub(in crate::dialects) usage: UsageReport,
    /// The tier of service in which it was made, in OpenAI's words; empty if the provider does not say.
    pub(in crate::dialects) service_tier: Cow<'a, str>,
}

/// One of the answers that were asked for.
#[derive(Debug)]
pub(in crate::dialects) struct Choice<'a> {
    /// Reasoning, text, refusals and tool calls, in order.
    pub(in crate::dialects) parts: Vec<PartKind<'a>>,
    pub(in crate::dialects) finish: FinishReason<'a>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dialects) enum FinishReason<'a> {
    /// It was complete.
    Stop,
    /// One of the request's stop texts came up: which, if that is told.
    StopText(Option<Cow<'a, str>>),
    /// It was as long as it may be.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The model, or who watches over it, would not go on.
    Refused,
    /// The provider's turn was paused, and is to be continued by sending the answer back.
    Paused,
}
