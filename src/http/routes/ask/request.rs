//! What a client may ask, field by field.

use std::sync::Arc;

use gateway_actors::protocol::{
    ConversationId, GatewayError, Layer, Needs, PlanRequest, QualityLevel, RequestId, Target, TaskType, TestResults,
    Wish,
};

use crate::dialects::openai_chat::PlainText;
use crate::escalation::{Meaning, RequestDigest};
use crate::http::extract::Fields;
use crate::test_results;

const FIELDS: &[&str] = &[
    "message",
    "conversationId",
    "clientMessageId",
    "userId",
    "projectId",
    "qualityLevel",
    "taskType",
    "layer",
    "maxLayer",
    "model",
    "maxTokens",
    "temperature",
    "explain",
    "testResults",
    "escalationToken",
];
/// Bytes of an id or label that the client makes up.
const LABEL_BYTES: usize = 256;
const MOST_TOKENS: u32 = 1_000_000;
const TOKEN_BYTES: usize = 512;

/// A checked request. The text of a message never selects a model or layer; only the fields do.
#[derive(Debug)]
pub(super) struct AskRequest {
    pub(super) message: Arc<str>,
    pub(super) conversation: Option<ConversationId>,
    pub(super) client_message_id: Option<Arc<str>>,
    pub(super) user_id: Option<Arc<str>>,
    pub(super) project_id: Option<Arc<str>>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    target: Target,
    max_layer: Option<Layer>,
    task: Option<TaskType>,
    quality: QualityLevel,
    /// Whether the caller wants to see why.
    pub(super) explain: bool,
    /// The token of an offer that the request redeems.
    pub(super) token: Option<String>,
    tests: Option<TestResults>,
}

impl AskRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed_json`, or `invalid_request` with the field at fault.
    pub(super) fn parse(body: &[u8]) -> Result<Self, GatewayError> {
        let fields = Fields::parse(body, FIELDS)?;
        let label = |name| Ok::<_, GatewayError>(fields.label(name, LABEL_BYTES)?.map(Arc::from));
        Ok(Self {
            message: message(&fields)?,
            conversation: fields.id("conversationId")?,
            client_message_id: label("clientMessageId")?,
            user_id: label("userId")?,
            project_id: label("projectId")?,
            max_tokens: fields.whole_number("maxTokens", 1..=MOST_TOKENS)?,
            temperature: fields.number("temperature", 0.0..=2.0)?,
            target: target(&fields)?,
            max_layer: fields.word("maxLayer")?,
            task: fields.word("taskType")?,
            quality: fields.word("qualityLevel")?.unwrap_or(QualityLevel::Normal),
            explain: fields.flag("explain")?.unwrap_or_default(),
            token: fields.label("escalationToken", TOKEN_BYTES)?,
            tests: test_results::results(&fields, "testResults")?,
        })
    }

    /// What it means, asked at this endpoint: how its tests went, whether it is to be explained and what its client calls it
    /// do not matter.
    pub(super) fn digest(&self, endpoint: &str) -> RequestDigest {
        let (layer, model) = match &self.target {
            Target::Auto => (None, None),
            Target::Layer(layer) => (Some(layer.as_str()), None),
            Target::Named(name) => (None, Some(&**name)),
        };
        Meaning::of(endpoint)
            .text(Some(&self.message))
            .text(self.conversation.as_ref().map(ConversationId::as_str))
            .text(self.user_id.as_deref())
            .text(self.project_id.as_deref())
            .text(self.task.map(TaskType::as_str))
            .text(layer)
            .text(self.max_layer.map(Layer::as_str))
            .text(model)
            .number(self.max_tokens.map(f64::from))
            .number(self.temperature)
            .text(Some(self.quality.as_str()))
            .digest()
    }

    /// What to plan for, with the needs left open.
    pub(super) fn plan(&self, request: RequestId, default_task: TaskType) -> PlanRequest {
        PlanRequest {
            request,
            target: self.target.clone(),
            max_layer: self.max_layer,
            allowed: None,
            task: self.task.unwrap_or(default_task),
            quality: self.quality,
            needs: Needs::default(),
            question: None,
            wish: Wish {
                task_is_given: self.task.is_some(),
                tests: self.tests.clone(),
                explain: self.explain,
                ..Wish::default()
            },
        }
    }

    /// How the message is written for a provider.
    pub(super) fn dialect(&self) -> PlainText {
        PlainText {
            system: None,
            message: Arc::clone(&self.message),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
        }
    }
}

fn message(fields: &Fields<'_>) -> Result<Arc<str>, GatewayError> {
    let message = fields.required_text("message")?;
    if message.trim().is_empty() {
        return Err(GatewayError::invalid("message", "`message` must not be empty"));
    }
    Ok(message.into())
}

/// `layer` and `model` both say who is to answer; they may agree, but not differ.
fn target(fields: &Fields<'_>) -> Result<Target, GatewayError> {
    let layer = fields.word::<Layer>("layer")?.map(Target::Layer);
    let model = fields.label("model", LABEL_BYTES)?;
    let model = model.map(|model| Target::from_model_field(&model));
    match (layer, model) {
        (layer, None | Some(Target::Auto)) => Ok(layer.unwrap_or(Target::Auto)),
        (None, Some(model)) => Ok(model),
        (Some(layer), Some(model)) if layer == model => Ok(layer),
        (Some(_), Some(_)) => {
            let message = "`layer` and `model` name different things; send one of them";
            Err(GatewayError::invalid("layer", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::ErrorKind;

    use super::*;

    fn with(member: &str) -> String {
        format!(r#"{{"message":"hi",{member}}}"#)
    }

    #[test]
    fn a_full_request_is_read_as_it_was_written() {
        let body = r#"{"message":" What's up? ","conversationId":"conv-123","clientMessageId":"m1","userId":"u",
            "projectId":"p","qualityLevel":"high","taskType":"code","layer":"L1","maxLayer":"L2","model":"auto",
            "maxTokens":100,"temperature":0}"#;
        let ask = AskRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(&*ask.message, " What's up? ");
        assert_eq!(ask.conversation.as_ref().map(ConversationId::as_str), Some("conv-123"));
        assert_eq!((ask.max_tokens, ask.temperature), (Some(100), Some(0.0)));
        let plan = ask.plan(RequestId::generate(), TaskType::Chat);
        assert_eq!((plan.task, plan.quality), (TaskType::Code, QualityLevel::High));
        assert_eq!(
            (plan.target, plan.max_layer),
            (Target::Layer(Layer::L1), Some(Layer::L2))
        );
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let ask = AskRequest::parse(br#"{"message":"use L3, {{7*7}} ${x} %n","temperature":null}"#).unwrap();
        let plan = ask.plan(RequestId::generate(), TaskType::General);
        assert_eq!((plan.target, plan.max_layer), (Target::Auto, None));
        assert_eq!((plan.task, plan.quality), (TaskType::General, QualityLevel::Normal));
        assert!(ask.conversation.is_none() && ask.temperature.is_none());
        assert_eq!(&*ask.message, "use L3, {{7*7}} ${x} %n");
    }

    #[test]
    fn every_impossible_value_is_refused_with_its_field() {
        let long_id = with(&format!(r#""conversationId":"{}""#, "x".repeat(129)));
        let long_label = with(&format!(r#""userId":"{}""#, "x".repeat(257)));
        let cases = [
            (r#"{}"#.to_owned(), "message"),
            (r#"{"message":null}"#.to_owned(), "message"),
            (r#"{"message":5}"#.to_owned(), "message"),
            (r#"{"message":[]}"#.to_owned(), "message"),
            (r#"{"message":{}}"#.to_owned(), "message"),
            (r#"{"message":true}"#.to_owned(), "message"),
            (r#"{"message":""}"#.to_owned(), "message"),
            (r#"{"message":" \n\t "}"#.to_owned(), "message"),
            (r#"{"message":"a\u0000b"}"#.to_owned(), "message"),
            (r#"{"message":"\ud800"}"#.to_owned(), "message"),
            (r#"{"message":"a","message":"b"}"#.to_owned(), "message"),
            (long_id, "conversationId"),
            (long_label, "userId"),
            (with(r#""conversationId":0"#), "conversationId"),
            (with(r#""conversationId":"""#), "conversationId"),
            (with(r#""conversationId":"a/b""#), "conversationId"),
            (with(r#""conversationId":"conv:messages:x""#), "conversationId"),
            (with(r#""conversationId":"*""#), "conversationId"),
            (with(r#""clientMessageId":"""#), "clientMessageId"),
            (with(r#""projectId":"a\nb""#), "projectId"),
            (with(r#""qualityLevel":"ultra""#), "qualityLevel"),
            (with(r#""qualityLevel":7"#), "qualityLevel"),
            (with(r#""taskType":"exec""#), "taskType"),
            (with(r#""layer":"L9""#), "layer"),
            (with(r#""maxLayer":"l1""#), "maxLayer"),
            (with(r#""layer":"L0","model":"gpt""#), "layer"),
            (with(r#""model":"""#), "model"),
            (with(r#""model":["gpt"]"#), "model"),
            (with(r#""maxTokens":0"#), "maxTokens"),
            (with(r#""maxTokens":-1"#), "maxTokens"),
            (with(r#""maxTokens":1e9"#), "maxTokens"),
            (with(r#""maxTokens":1.5"#), "maxTokens"),
            (with(r#""maxTokens":"100""#), "maxTokens"),
            (with(r#""temperature":-0.1"#), "temperature"),
            (with(r#""temperature":2.1"#), "temperature"),
            (with(r#""temperature":1e999"#), "temperature"),
            (with(r#""temperature":"hot""#), "temperature"),
            (with(r#""explain":"yes""#), "explain"),
            (with(r#""escalationToken":7"#), "escalationToken"),
            (
                with(&format!(r#""escalationToken":"{}""#, "x".repeat(513))),
                "escalationToken",
            ),
            (with(r#""testResults":"all passed""#), "testResults"),
            (with(r#""testResults":{"passed":-1}"#), "testResults.passed"),
            (with(r#""testResults":{"failed":1000001}"#), "testResults.failed"),
            (with(r#""testResults":{"skipped":1}"#), "testResults.skipped"),
            (
                with(&format!(r#""testResults":{{"output":"{}"}}"#, "x".repeat(16_385))),
                "testResults.output",
            ),
            (with(r#""api_base":"http://evil.example""#), "api_base"),
            (with(r#""role":"system""#), "role"),
        ];
        for (body, param) in cases {
            let error = AskRequest::parse(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body}");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
            let field = param.rsplit('.').next().unwrap();
            assert!(error.message.contains(field), "{body}: {}", error.message);
        }
    }

    #[test]
    fn a_request_is_the_same_whatever_comes_with_it_and_another_when_it_asks_for_something_else() {
        let digest = |member: &str, endpoint| AskRequest::parse(with(member).as_bytes()).unwrap().digest(endpoint);
        let plain = digest(r#""userId":null"#, "/v1/route");
        for same in [
            r#""explain":true"#,
            r#""escalationToken":"esc1.a.b""#,
            r#""testResults":{"failed":1}"#,
            r#""clientMessageId":"m1""#,
            r#""qualityLevel":"normal""#,
            r#""model":"auto""#,
        ] {
            assert_eq!(digest(same, "/v1/route"), plain, "{same}");
        }
        assert_ne!(digest(r#""userId":null"#, "/v1/chat"), plain);
        let others = [
            r#""conversationId":"c""#,
            r#""userId":"c""#,
            r#""projectId":"c""#,
            r#""taskType":"code""#,
            r#""layer":"L1""#,
            r#""maxLayer":"L1""#,
            r#""model":"c""#,
            r#""maxTokens":1"#,
            r#""temperature":1"#,
            r#""qualityLevel":"high""#,
        ];
        let digests = others.map(|other| digest(other, "/v1/route"));
        for (place, one) in digests.iter().enumerate() {
            assert_ne!(*one, plain, "{}", others[place]);
            assert!(!digests[place + 1..].contains(one), "{}", others[place]);
        }
    }
}
