//! What a caller may ask of the code agent, field by field.

use std::sync::Arc;

use gateway_actors::protocol::{
    ConversationId, EscalationDecision, GatewayError, Layer, Needs, PlanRequest, QualityLevel, RequestId, Target,
    TaskType, TestResults, Wish,
};
use serde_json::{Value, json};

use super::dialect::AgentText;
use super::fields::{Given, check_line};
use super::message::{Context, INSTRUCTIONS, message};
use crate::escalation::{Meaning, RequestDigest};
use crate::fields::{Fields, within};
use crate::test_results;

/// What both edges take.
macro_rules! fields {
    ($($more:literal),*) => {
        &["task", "files", "context", "quality", "conversationId", "layer", "maxLayer", "testResults", "escalationToken", $($more),*]
    };
}

const HTTP_FIELDS: &[&str] = fields!("clientMessageId", "userId", "projectId", "explain");
const MCP_FIELDS: &[&str] = fields!("escalationDecision");
const CONTEXT_FIELDS: &[&str] = &["language", "framework", "existingCode", "requirements"];

/// Bytes of an id or label that the client makes up, and of a language's or a framework's name.
const LABEL_BYTES: usize = 256;
/// Bytes of a path.
const PATH_BYTES: usize = 4_096;
/// Bytes of a token.
const TOKEN_BYTES: usize = 512;
/// Files at most.
const MOST_FILES: usize = 64;
/// Requirements at most.
const MOST_REQUIREMENTS: usize = 256;

/// A task with fewer bytes, files and requirements is small.
const SMALL_BYTES: usize = 400;
const SMALL_FILES: usize = 2;
const SMALL_REQUIREMENTS: usize = 3;

/// Which fields there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepts {
    /// Those of `POST /v1/code-agent`.
    Http,
    /// The arguments of the tool.
    Mcp,
}

/// A checked request. The text of a task never selects a model or layer; only the fields do.
#[derive(Debug)]
pub(crate) struct AgentRequest {
    /// The whole message to the model; nothing where only a token was sent, which is for a request of before.
    message: Option<Arc<str>>,
    pub(crate) quality: QualityLevel,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) client_message_id: Option<Arc<str>>,
    pub(crate) user_id: Option<Arc<str>>,
    pub(crate) project_id: Option<Arc<str>>,
    /// The offer that is redeemed with this request.
    pub(crate) token: Option<String>,
    /// What is decided about it; a token without a decision is an approval.
    pub(crate) decision: Option<EscalationDecision>,
    pub(crate) explain: bool,
    layer: Option<Layer>,
    max_layer: Option<Layer>,
    tests: Option<TestResults>,
    meaning: Meaning,
    is_small: bool,
}

impl AgentRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed_json`, or `invalid_request` with the field at fault.
    pub(crate) fn parse(body: &[u8], accepts: Accepts, endpoint: &str) -> Result<Self, GatewayError> {
        let accepted = match accepts {
            Accepts::Http => HTTP_FIELDS,
            Accepts::Mcp => MCP_FIELDS,
        };
        let given = Given::new(Fields::parse(body, accepted)?);
        let fields = given.fields();
        let label = |name| Ok::<_, GatewayError>(fields.label(name, LABEL_BYTES)?.map(Arc::from));
        let token = fields.label("escalationToken", TOKEN_BYTES)?;
        let decision = fields.word("escalationDecision")?;
        if decision.is_some() && token.is_none() {
            let text = "`escalationDecision` is about an offer; send its `escalationToken` too";
            return Err(GatewayError::invalid("escalationDecision", text));
        }
        let is_bare = token.is_some() && !fields.is_given("task") && accepts == Accepts::Mcp;
        let task = if is_bare { None } else { Some(task(fields)?) };
        let files = given.texts("files", MOST_FILES)?;
        for path in &files {
            check_line("files", path, PATH_BYTES)?;
        }
        let context = context(fields)?;
        let tests = test_results::results(fields, "testResults")?;
        let quality = fields.word("quality")?.unwrap_or(QualityLevel::Normal);
        let conversation: Option<ConversationId> = fields.id("conversationId")?;
        let bytes = task.as_ref().map_or(0, String::len);
        let is_small =
            bytes < SMALL_BYTES && files.len() < SMALL_FILES && context.requirements.len() < SMALL_REQUIREMENTS;
        let (layer, max_layer) = (fields.word::<Layer>("layer")?, fields.word::<Layer>("maxLayer")?);
        let (user_id, project_id): (Option<Arc<str>>, Option<Arc<str>>) = (label("userId")?, label("projectId")?);
        let meaning = meaning(
            endpoint,
            task.as_deref(),
            &files,
            &context,
            quality,
            conversation.as_ref(),
        );
        let meaning = meaning
            .text(layer.map(Layer::as_str))
            .text(max_layer.map(Layer::as_str))
            .text(user_id.as_deref())
            .text(project_id.as_deref());
        Ok(Self {
            message: task.map(|task| message(&task, &files, &context, tests.as_ref()).into()),
            quality,
            conversation,
            client_message_id: label("clientMessageId")?,
            user_id,
            project_id,
            token,
            decision,
            explain: flag(fields, "explain")?,
            layer,
            max_layer,
            tests,
            meaning,
            is_small,
        })
    }

    /// The whole message to the model.
    ///
    /// # Errors
    /// `invalid_request` when there is no task.
    pub(crate) fn message(&self) -> Result<Arc<str>, GatewayError> {
        let missing = || GatewayError::invalid("task", "`task` is required");
        self.message.clone().ok_or_else(missing)
    }

    /// Whether only a token was sent.
    pub(crate) fn is_bare(&self) -> bool {
        self.message.is_none()
    }

    /// What the request means: an offer that was made for it is for nothing else.
    pub(crate) fn digest(&self) -> RequestDigest {
        self.meaning.clone().digest()
    }

    /// Bytes of input that are sent at least.
    pub(crate) fn input_bytes(&self) -> u64 {
        let message = self.message.as_deref().map_or(0, str::len);
        u64::try_from(INSTRUCTIONS.len() + message).unwrap_or(u64::MAX)
    }

    /// Whether the task is too small to be split, as far as its size tells.
    pub(crate) fn is_small(&self) -> bool {
        self.is_small
    }

    /// What to plan for, with the needs left open.
    pub(crate) fn plan(&self, request: RequestId, user: Option<Arc<str>>) -> PlanRequest {
        PlanRequest {
            request,
            target: self.layer.map_or(Target::Auto, Target::Layer),
            max_layer: self.max_layer,
            allowed: None,
            task: TaskType::Code,
            quality: self.quality,
            needs: Needs::default(),
            question: None,
            wish: Wish {
                // Whatever words it is put in, it is a task for whoever writes code.
                task_is_given: true,
                unit_conversation: self.conversation.as_ref().map(|id| id.as_str().into()),
                unit_user: user,
                tests: self.tests.clone(),
                explain: self.explain,
                ..Wish::default()
            },
        }
    }

    /// How the task is written for a provider.
    ///
    /// # Errors
    /// `invalid_request` when there is no task.
    pub(crate) fn dialect(&self) -> Result<AgentText, GatewayError> {
        Ok(AgentText::new(INSTRUCTIONS.into(), self.message()?))
    }
}

fn task(fields: &Fields<'_>) -> Result<String, GatewayError> {
    let task = fields.required_text("task")?;
    if task.trim().is_empty() {
        return Err(GatewayError::invalid("task", "`task` must not be empty"));
    }
    Ok(task)
}

fn context(fields: &Fields<'_>) -> Result<Context, GatewayError> {
    let Some(context) = fields.object("context", CONTEXT_FIELDS)? else {
        return Ok(Context::default());
    };
    let given = Given::new(context);
    let read = || {
        Ok(Context {
            language: given.line("language", LABEL_BYTES)?,
            framework: given.line("framework", LABEL_BYTES)?,
            existing_code: given.fields().text("existingCode")?,
            requirements: given.texts("requirements", MOST_REQUIREMENTS)?,
        })
    };
    read().map_err(|error| within("context", error))
}

fn flag(fields: &Fields<'_>, name: &'static str) -> Result<bool, GatewayError> {
    match fields.value(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(GatewayError::invalid(name, format!("`{name}` must be true or false"))),
    }
}

fn meaning(
    endpoint: &str,
    task: Option<&str>,
    files: &[String],
    context: &Context,
    quality: QualityLevel,
    conversation: Option<&ConversationId>,
) -> Meaning {
    let mut all = Meaning::of(endpoint)
        .text(task)
        .text(Some(quality.as_str()))
        .text(conversation.map(ConversationId::as_str))
        .text(context.language.as_deref())
        .text(context.framework.as_deref())
        .text(context.existing_code.as_deref());
    for list in [files, &context.requirements] {
        all = list.iter().fold(all, |all, text| all.text(Some(text))).text(None);
    }
    all
}

/// The schema of the tool's arguments. Some clients take no conditions at its top, so that what must be there is said in
/// words.
pub(crate) fn schema() -> Value {
    let layer = |text: &str| json!({"type": "string", "enum": ["L0", "L1", "L2", "L3"], "description": text});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "properties": {
            "task": {"type": "string", "minLength": 1,
                "description": "what is to be done, in full sentences; required, unless an offer is decided about"},
            "files": {"type": "array", "maxItems": MOST_FILES, "items": {"type": "string", "maxLength": PATH_BYTES},
                "description": "paths of the files that the task is about; they are named to the model, not read"},
            "context": {"type": "object", "additionalProperties": false, "properties": {
                "language": {"type": "string", "maxLength": LABEL_BYTES, "description": "for example typescript"},
                "framework": {"type": "string", "maxLength": LABEL_BYTES, "description": "for example react"},
                "existingCode": {"type": "string", "description": "the code that is to be changed, or to be fitted into"},
                "requirements": {"type": "array", "maxItems": MOST_REQUIREMENTS, "items": {"type": "string"},
                    "description": "what the result must meet, one thing each"}
            }},
            "quality": {"type": "string", "enum": ["normal", "high", "critical"], "default": "normal",
                "description": "how much the answer matters: the higher, the better the models and the more it is checked"},
            "conversationId": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$",
                "description": "continues this conversation, or begins it; without one nothing is remembered"},
            "layer": layer("the layer of models to begin with, L0 (free) to L3 (premium)"),
            "maxLayer": layer("the dearest layer that may be used"),
            "testResults": {"type": "object", "additionalProperties": false,
                "description": "how the tests of an earlier answer went; failed ones call for a better model",
                "properties": {"passed": count, "failed": count, "output": {"type": "string",
                    "description": "what they printed, at most 16 KiB"}}},
            "escalationToken": {"type": "string", "maxLength": TOKEN_BYTES,
                "description": "the token of an offer in escalation.token of an earlier answer. Ask the user before you \
                                approve one: it spends money"},
            "escalationDecision": {"type": "string", "enum": ["approve", "reject"],
                "description": "what the user decided about the offer; with it, task and all else may be left out"}
        },
        "additionalProperties": false
    })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
