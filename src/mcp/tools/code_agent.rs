//! `code_agent`: one programming task, sent as one turn to the model that suits it.

mod request;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AttemptTrace, CallContext, Caller, ConversationId, Layer, NanoUsd, Needs, PlanRequest, RequestId, Target, TaskType,
    TokenMeter,
};
use rmcp::model::{CallToolResult, ContentBlock, Tool, ToolAnnotations, object};
use serde::Serialize;
use serde_json::json;

use self::request::{AgentRequest, INSTRUCTIONS};
use super::given::Given;
use crate::answer::{Answerer, Performance, summary};
use crate::auth::{Owner, owner};
use crate::limits::Entered;
use crate::mcp::desk::{Question, Reply};
use crate::mcp::error::ToolFailure;
use crate::mcp::progress::Progress;
use crate::mcp::shared::Shared;

pub(super) const NAME: &str = "code_agent";

const DESCRIPTION: &str = "Hands a programming task to a language model that the gateway chooses, free ones first, and \
                           answers with its code or explanation, which model it was, and what it cost. The model sees \
                           only what the arguments hold: put the code that matters into context.existingCode. With a \
                           conversationId the gateway remembers what was said before.";

/// The endpoint's name in call records.
const ENDPOINT: &str = "mcp/code_agent";
/// Whom the calls are booked to: whoever may start this process acts as its user.
const LOCAL_USER: &str = "local";

pub(super) fn description() -> Tool {
    let annotations = ToolAnnotations::with_title("Code agent")
        .read_only(false)
        .destructive(false)
        .idempotent(false)
        .open_world(true);
    Tool::new(NAME, DESCRIPTION, object(request::schema()))
        .with_title("Code agent")
        .with_raw_output_schema(object(output_schema()).into())
        .with_annotations(annotations)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    result: &'a str,
    routing: Routing<'a>,
    performance: Performance,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a ConversationId>,
    request_id: RequestId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Routing<'a> {
    summary: Cow<'static, str>,
    #[serde(flatten)]
    by: Answerer<'a>,
    /// HTTP does not list them.
    attempts: Vec<AttemptEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptEntry<'a> {
    layer: Layer,
    model: &'a str,
    provider: &'a str,
    reason: String,
    outcome: &'static str,
    cost_nano_usd: NanoUsd,
}

fn output_schema() -> serde_json::Value {
    let word = json!({"type": "string"});
    let word_or_null = json!({"type": ["string", "null"]});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "properties": {
            "result": {"type": "string", "description": "the model's answer"},
            "routing": {"type": "object", "description": "who answered and why",
                "properties": {
                    "summary": {"type": "string", "description": "every attempt in one line"},
                    "layer": word_or_null, "model": word_or_null, "provider": word_or_null,
                    "attempts": {"type": "array", "description": "every attempt, the answering one last",
                        "items": {"type": "object",
                            "properties": {"layer": word, "model": word, "provider": word, "reason": word,
                                "outcome": word, "costNanoUsd": count},
                            "required": ["layer", "model", "provider", "reason", "outcome", "costNanoUsd"]}}
                },
                "required": ["summary", "layer", "model", "provider", "attempts"]},
            "performance": {"type": "object", "description": "of all attempts together",
                "properties": {
                    "durationMs": count,
                    "tokens": {"type": "object", "properties": {"input": count, "output": count},
                        "required": ["input", "output"]},
                    "cost": {"type": "number", "description": "USD"},
                    "costNanoUsd": {"type": "integer", "minimum": 0, "description": "the same, exactly: 10^-9 USD"}
                },
                "required": ["durationMs", "tokens", "cost", "costNanoUsd"]},
            "conversationId": {"type": "string", "description": "the conversation the turn was stored in, if it was"},
            "requestId": {"type": "string", "description": "finds the call records of this call"}
        },
        "required": ["result", "routing", "performance", "requestId"]
    })
}

pub(super) async fn call(shared: &Shared, given: Given<'_>) -> Result<CallToolResult, ToolFailure> {
    let wanted = AgentRequest::read(given.arguments)?;
    let request = given.request;
    let deadline = given.arrived + shared.patience;
    let caller = shared.identity.caller().await?;
    let owner = owner(&caller, named(&caller))?;
    let entered = enter(shared, &caller, &wanted.message).await?;
    let slot = shared.slots.take(deadline).await?;
    let mut progress = Progress::of(given.context);
    let (watcher, steps) = progress.watcher();
    let question = Question {
        system: INSTRUCTIONS,
        message: wanted.message,
        conversation: wanted
            .conversation
            .as_ref()
            .map(|conversation| conversation.within(caller.tenant().as_deref())),
        plan: PlanRequest {
            request,
            target: Target::Auto,
            max_layer: None,
            allowed: None,
            task: TaskType::Code,
            quality: wanted.quality,
            needs: Needs::default(),
        }
        .of(&caller),
        context: CallContext {
            endpoint: Arc::from(ENDPOINT),
            caller,
            user_id: owner.user,
            project_id: owner.project,
            deadline,
            watcher,
            meter: entered.clone().map(|entered| entered as Arc<dyn TokenMeter>),
            place: Some(Arc::new((slot, entered))),
        },
    };
    let answered = progress.tell_during(steps, shared.desk.ask(question)).await;
    let reply = answered.map_err(|error| ToolFailure::from(error).of(request))?;
    let took = given.arrived.elapsed();
    let output = output(&reply, wanted.conversation.as_ref(), request, took);
    let rendered = output.and_then(|output| render(&output)).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ToolFailure::internal().of(request)
    })?;
    progress.tell("answered".to_owned()).await;
    Ok(rendered)
}

/// Lets a call in, if its caller may have one more: the limits are those of requests over HTTP.
async fn enter(shared: &Shared, caller: &Caller, message: &str) -> Result<Option<Arc<Entered>>, ToolFailure> {
    let bytes = u64::try_from(INSTRUCTIONS.len() + message.len()).unwrap_or(u64::MAX);
    let entered = shared.limits.enter(caller, bytes).await;
    entered.map_err(|over| over.error.into())
}

/// Without a virtual key the calls are those of this machine's user.
fn named(caller: &Caller) -> Owner {
    match caller {
        Caller::Key(_) => Owner::default(),
        Caller::Local | Caller::Admin => Owner {
            user: Some(Arc::from(LOCAL_USER)),
            project: None,
        },
    }
}

fn output<'a>(
    reply: &'a Reply,
    conversation_id: Option<&'a ConversationId>,
    request_id: RequestId,
    took: Duration,
) -> Result<Output<'a>, serde_json::Error> {
    let served = reply.served.as_ref();
    Ok(Output {
        result: &reply.text,
        routing: Routing {
            summary: summary(served),
            by: Answerer::of(served),
            attempts: served.map_or_else(Vec::new, |served| served.attempts.iter().map(attempt).collect()),
        },
        performance: Performance::new(served, took)?,
        conversation_id,
        request_id,
    })
}

fn attempt(trace: &AttemptTrace) -> AttemptEntry<'_> {
    AttemptEntry {
        layer: trace.model.layer,
        model: trace.model.id.as_str(),
        provider: trace.model.provider.as_str(),
        reason: trace.reason.to_string(),
        outcome: trace.outcome.as_str(),
        cost_nano_usd: trace.cost,
    }
}

/// The answer as text for clients that know nothing else, the account of it in a line of its own, and all of it as
/// structured content.
fn render(output: &Output<'_>) -> Result<CallToolResult, serde_json::Error> {
    let account = format!("[{}; {}]", output.routing.summary, output.performance.account());
    let text = [output.result.to_owned(), account].map(ContentBlock::text);
    let mut result = CallToolResult::success(text.into());
    result.structured_content = Some(serde_json::to_value(output)?);
    Ok(result)
}
