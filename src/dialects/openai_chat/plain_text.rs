//! Turns of plain text: how they are written for providers, and how their answers are read.

use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::{
    AnswerEnd, Completion, GatewayError, Needs, OutgoingRequest, StoredMessage, TurnDialect,
};

use super::native::{ConversationRequest, plain_answer};
use crate::dialects::reading;

/// One message, to be sent after whatever history it has.
#[derive(Clone)]
pub struct PlainText {
    /// Instructions that come before everything.
    pub system: Option<Arc<str>>,
    /// The message.
    pub message: Arc<str>,
    /// Output tokens at most; the model's own limit if absent.
    pub max_tokens: Option<u32>,
    /// Sent as it is, 0 too; not sent if absent.
    pub temperature: Option<f64>,
}

impl std::fmt::Debug for PlainText {
    /// Without the texts: what people write to models is not for logs.
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
            system: self.system.clone(),
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

    fn answer_end(&self, completion: &Completion) -> Option<AnswerEnd> {
        reading::of_chat(completion).map(|read| read.end)
    }
}
