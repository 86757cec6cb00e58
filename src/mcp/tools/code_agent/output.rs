//! What `code_agent` answers with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AgentAnswer, AgentStatus, AttemptTrace, ConversationId, Layer, LegRole, NanoUsd, QualityLevel, RequestId, Served,
};
use rmcp::model::{CallToolResult, ContentBlock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::agent::{Quality, Todo};
use crate::answer::{Answerer, Performance, Routing, finish_reason};
use crate::escalation::{MOST_ANSWER, Offered};

/// The structured content.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output<'a> {
    result: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    routing: RoutingPart<'a>,
    todo: Option<Todo<'a>>,
    status: AgentStatus,
    quality: Quality<'a>,
    performance: Performance,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a ConversationId>,
    context: Context<'a>,
    request_id: RequestId,
}

#[derive(Debug, Serialize)]
struct RoutingPart<'a> {
    #[serde(flatten)]
    routing: Routing<'a>,
    #[serde(flatten)]
    by: Answerer<'a>,
    /// Where there is no story to tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptEntry<'a>>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptEntry<'a> {
    role: LegRole,
    layer: Layer,
    model: &'a str,
    provider: &'a str,
    reason: String,
    outcome: &'static str,
    cost_nano_usd: NanoUsd,
}

impl<'a> RoutingPart<'a> {
    fn of(served: Option<&'a Served>) -> Self {
        let has_story = served.is_some_and(|served| served.routing.is_some());
        let untold = || served.map_or_else(Vec::new, |served| served.attempts.iter().map(attempt).collect());
        Self {
            routing: Routing::of(served, false),
            by: Answerer::of(served),
            attempts: (!has_story).then(untold),
        }
    }
}

fn attempt(trace: &AttemptTrace) -> AttemptEntry<'_> {
    AttemptEntry {
        role: trace.role,
        layer: trace.model.layer,
        model: trace.model.id.as_str(),
        provider: trace.model.provider.as_str(),
        reason: trace.reason.to_string(),
        outcome: trace.outcome.as_str(),
        cost_nano_usd: trace.cost,
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    conversation_id: Option<&'a ConversationId>,
    /// Told only where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
}

/// What is told of an offer to go on with a dearer layer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Escalation {
    /// It is made.
    Offered(Box<Offered>),
    /// It was decided about.
    Decided(Decided),
}

/// An offer that was decided about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Decided {
    pub(super) required: bool,
    /// `approved` or `rejected`.
    pub(super) decision: &'static str,
    /// Why no dearer layer answered although somebody said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    /// The request whose answer the offer was about.
    pub(super) request_id: RequestId,
}

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) answer: &'a AgentAnswer,
    pub(super) quality: QualityLevel,
    pub(super) conversation: Option<&'a ConversationId>,
    pub(super) request: RequestId,
}

/// All that is told of an answer, save for what becomes of an offer: it is kept while somebody decides.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// What it took, in a line.
    account: String,
    /// The structured content.
    content: Map<String, Value>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// What an answer is told as that is longer than is kept.
const NOT_KEPT: &str = "This answer is longer than is kept while somebody decides: it came with the offer.";

impl Told<'_> {
    /// It in the form that it is kept in.
    ///
    /// # Errors
    /// Never: it is JSON.
    pub(super) fn kept(&self, took: Duration) -> Result<Kept, serde_json::Error> {
        let served = self.answer.served.as_ref();
        let output = Output {
            result: &self.answer.text,
            finish_reason: finish_reason(served),
            routing: RoutingPart::of(served),
            todo: self.answer.todo.as_ref().map(Todo::of),
            status: self.answer.status,
            quality: Quality::of(self.quality, served),
            performance: Performance::new(served, took)?,
            conversation_id: self.conversation,
            context: Context {
                conversation_id: self.conversation,
                stored: (!self.answer.stored).then_some(false),
            },
            request_id: self.request,
        };
        let account = format!(
            "[{}; {}]",
            output.routing.routing.summary(),
            output.performance.account()
        );
        let content = serde_json::from_value(serde_json::to_value(&output)?)?;
        Ok(Kept { account, content })
    }
}

impl Kept {
    /// What was kept; nothing where it is no such text.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text that is kept, and whether the answer is in it: one that is too long is left out, the rest is told.
    ///
    /// # Errors
    /// Never: it is JSON.
    pub(super) fn text(mut self) -> Result<(Arc<str>, bool), serde_json::Error> {
        let whole = serde_json::to_string(&self)?;
        if whole.len() <= MOST_ANSWER {
            return Ok((whole.into(), true));
        }
        self.content.insert("result".to_owned(), NOT_KEPT.into());
        Ok((serde_json::to_string(&self)?.into(), false))
    }

    /// The answer as text for clients that know nothing else, the account of it in a line of its own, and all of it as
    /// structured content.
    ///
    /// # Errors
    /// Never: it is JSON.
    pub(super) fn render(mut self, escalation: Option<&Escalation>) -> Result<CallToolResult, serde_json::Error> {
        let result = self.content.get("result").and_then(Value::as_str).unwrap_or_default();
        let mut text = vec![result.to_owned(), self.account];
        if let Some(escalation) = escalation {
            text.extend(escalation.line());
            self.content
                .insert("escalation".to_owned(), serde_json::to_value(escalation)?);
        }
        let mut result = CallToolResult::success(text.into_iter().map(ContentBlock::text).collect());
        result.structured_content = Some(Value::Object(self.content));
        Ok(result)
    }
}

impl Escalation {
    /// An offer in a line, for clients that show no structured content.
    fn line(&self) -> Option<String> {
        let Self::Offered(offered) = self else {
            return None;
        };
        let token = offered.token.as_ref()?;
        let (layer, price) = (offered.suggested_layer, offered.price());
        Some(format!(
            "[A model of layer {layer} may do better, {price} for the whole task; checks and failed attempts come on top. \
             Ask the user; then call code_agent with escalationDecision \"approve\" or \"reject\" and escalationToken \
             \"{token}\"]"
        ))
    }
}
