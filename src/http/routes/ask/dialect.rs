//! How the gateway's own messages are written for providers and how their answers are read: plain text both ways.

use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::{Completion, GatewayError, Needs, OutgoingRequest, StoredMessage, TurnDialect};

use super::request::AskRequest;
use crate::dialects::openai_chat::{ConversationRequest, plain_answer};

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
        plain_answer(completion)
    }
}
