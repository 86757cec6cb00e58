//! How a task and its steps are written for providers.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use gateway_actors::protocol::{
    AgentDialect, AnswerEnd, Completion, GatewayError, Needs, OutgoingRequest, StoredMessage, TurnDialect,
};

use crate::dialects::openai_chat::PlainText;

/// A task with its files and context, as turns of plain text.
#[derive(Debug)]
pub(crate) struct AgentText {
    whole: PlainText,
}

impl AgentText {
    /// With these instructions and this message.
    pub(crate) fn new(instructions: Arc<str>, message: Arc<str>) -> Self {
        Self {
            whole: PlainText {
                system: Some(instructions),
                message,
                max_tokens: None,
                temperature: None,
            },
        }
    }
}

impl AgentText {
    /// How the model is to work.
    pub(crate) fn instructions(&self) -> Arc<str> {
        self.whole.system.clone().unwrap_or_default()
    }

    /// The whole message.
    pub(crate) fn message(&self) -> Arc<str> {
        Arc::clone(&self.whole.message)
    }
}

impl TurnDialect for AgentText {
    fn request(&self, history: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        self.whole.request(history)
    }

    fn answer_text(&self, completion: &Completion) -> Result<String, GatewayError> {
        self.whole.answer_text(completion)
    }

    fn answer_end(&self, completion: &Completion) -> Option<AnswerEnd> {
        self.whole.answer_end(completion)
    }
}

impl AgentDialect for AgentText {
    fn step(
        &self,
        history: &[StoredMessage],
        done: &[(String, String)],
        step: &str,
    ) -> (Rc<dyn OutgoingRequest>, Needs) {
        let message = PlainText {
            message: step_message(&self.whole.message, done, step).into(),
            ..self.whole.clone()
        };
        message.request(history)
    }
}

/// The task, what was done of it, and what is to be done now. Writing to a string cannot fail.
fn step_message(task: &str, done: &[(String, String)], step: &str) -> String {
    let mut message = String::from(task);
    if !done.is_empty() {
        message.push_str("\n# Steps that are done\n");
        for (place, (step, result)) in done.iter().enumerate() {
            let _ = write!(message, "\n## {}. {step}\n", place + 1);
            if !result.is_empty() {
                let _ = write!(message, "\n{result}\n");
            }
        }
    }
    let _ = write!(
        message,
        "\n# Your step\n\n{step}\n\nDo this step alone: steps that are done need no repeating, and others come later.\n"
    );
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_with_the_task_and_what_was_done_before() {
        let done = [
            ("Write it".to_owned(), "fn it() {}".to_owned()),
            ("Read it".to_owned(), String::new()),
        ];
        assert_eq!(
            step_message("# Task\n\nx\n", &done, "Test it"),
            "# Task\n\nx\n\n# Steps that are done\n\n## 1. Write it\n\nfn it() {}\n\n## 2. Read it\n\n# Your step\n\n\
             Test it\n\nDo this step alone: steps that are done need no repeating, and others come later.\n"
        );
        assert!(!step_message("# Task\n\nx\n", &[], "Test it").contains("Steps that are done"));
    }
}
