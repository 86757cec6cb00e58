//! How the gateway's own messages are written for providers and how their answers are read: plain text both ways.

use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::{
    Completion, ErrorKind, GatewayError, Needs, OutgoingRequest, StoredMessage, TurnDialect,
};

use super::request::AskRequest;
use crate::dialects::openai_chat::{ConversationRequest, answer_text};

/// One message of a client, to be sent after whatever history it has.
#[derive(Clone)]
pub(super) struct PlainText {
    message: Arc<str>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
}

impl PlainText {
    pub(super) fn new(ask: &AskRequest) -> Self {
        Self {
            message: Arc::clone(&ask.message),
            max_tokens: ask.max_tokens,
            temperature: ask.temperature,
        }
    }
}

impl std::fmt::Debug for PlainText {
    /// Without the message: what people write to models is not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainText")
            .field("bytes", &self.message.len())
            .finish_non_exhaustive()
    }
}

impl TurnDialect for PlainText {
    fn request(&self, history: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        let history = history
            .iter()
            .map(|message| (message.role, Arc::clone(&message.content)));
        let request = ConversationRequest {
            system: None,
            history: history.collect(),
            message: Arc::clone(&self.message),
            max_tokens: self.max_tokens,
            temperature: self.temperature,
        };
        let needs = request.needs();
        (Rc::new(request), needs)
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        match answer_text(&completion.body) {
            Ok(answer) if !answer.text.is_empty() => Ok(answer.text),
            Ok(answer) if answer.refusal.is_some() => Err(GatewayError::new(
                ErrorKind::UpstreamRejected,
                "the model refused to answer this message; put it differently or ask another model",
            )),
            Ok(_) => Err(GatewayError::new(
                ErrorKind::UpstreamEmpty,
                "the model answered without any text; allow more tokens or ask another model",
            )),
            Err(_) => Err(GatewayError::new(
                ErrorKind::UpstreamMalformed,
                "the model's answer has no text that could be read; try again or ask another model",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gateway_actors::protocol::UsageReport;

    use super::*;

    fn read(message: &'static str) -> Result<String, ErrorKind> {
        let dialect = PlainText::new(&AskRequest::parse(br#"{"message":"hi"}"#).unwrap());
        let body = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
        let completion = Completion {
            status: 200,
            body: Bytes::from(body),
            usage: UsageReport::Missing,
        };
        dialect.answer_text(&completion).map_err(|error| error.kind)
    }

    #[test]
    fn an_answer_is_its_text_and_one_without_is_an_error() {
        assert_eq!(
            read(r#"{"role":"assistant","content":"hello"}"#),
            Ok("hello".to_owned())
        );
        assert_eq!(
            read(r#"{"role":"assistant","content":""}"#),
            Err(ErrorKind::UpstreamEmpty)
        );
        let refusal = r#"{"role":"assistant","content":null,"refusal":"no"}"#;
        assert_eq!(read(refusal), Err(ErrorKind::UpstreamRejected));
        assert_eq!(
            read(r#"{"role":"assistant","tool_calls":[{}]}"#),
            Err(ErrorKind::UpstreamMalformed)
        );
    }
}
