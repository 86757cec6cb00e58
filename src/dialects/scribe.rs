//! The gateway's own requests to models: written as chat completions, and read as such.

use std::rc::Rc;

use gateway_actors::protocol::{AnswerEnd, AnswerRead, Completion, Needs, OutgoingRequest, OwnPrompt, Scribe};

use super::openai_chat::{ConversationRequest, answer_text};

/// Writes chat completions of the gateway's own kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatScribe;

impl Scribe for ChatScribe {
    fn write(&self, prompt: OwnPrompt) -> (Rc<dyn OutgoingRequest>, Needs) {
        let request = ConversationRequest {
            system: Some(prompt.system),
            history: Vec::new(),
            message: prompt.message,
            max_tokens: Some(prompt.max_tokens),
            temperature: Some(0.0),
        };
        let needs = request.needs();
        (Rc::new(request), needs)
    }

    fn read(&self, completion: &Completion) -> Option<AnswerRead> {
        let answer = answer_text(&completion.body).ok()?;
        let end = match (answer.finish_reason.as_deref(), &answer.refusal) {
            (_, Some(_)) | (Some("content_filter"), _) => AnswerEnd::Refused,
            (Some("length"), None) => AnswerEnd::Length,
            (Some("tool_calls"), None) => AnswerEnd::ToolCalls,
            _ => AnswerEnd::Stop,
        };
        Some(AnswerRead {
            text: answer.text,
            end,
            calls_tools: end == AnswerEnd::ToolCalls,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gateway_actors::protocol::UsageReport;

    use super::*;

    fn read(body: &'static str) -> Option<AnswerRead> {
        ChatScribe.read(&Completion {
            status: 200,
            body: Bytes::from_static(body.as_bytes()),
            usage: UsageReport::Missing,
        })
    }

    #[test]
    fn an_answer_is_read_with_how_it_ended() {
        let whole = read(r#"{"choices":[{"message":{"content":"medium"},"finish_reason":"stop"}]}"#).unwrap();
        assert_eq!((whole.text.as_str(), whole.end), ("medium", AnswerEnd::Stop));
        let cut = read(r#"{"choices":[{"message":{"content":"med"},"finish_reason":"length"}]}"#).unwrap();
        assert_eq!(cut.end, AnswerEnd::Length);
        let refused = read(r#"{"choices":[{"message":{"refusal":"no"},"finish_reason":"stop"}]}"#).unwrap();
        assert_eq!(refused.end, AnswerEnd::Refused);
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn a_prompt_needs_no_more_than_its_texts() {
        let (_, needs) = ChatScribe.write(OwnPrompt {
            system: "rate it".into(),
            message: "hello".into(),
            max_tokens: 8,
        });
        assert_eq!(needs.max_output, Some(8));
    }
}
