//! Chat completion bodies for the gateway's own endpoints, which know turns of plain text.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerEnd, AnswerFault, AnswerRead, BoundRules, Capabilities, Completion, Dialect, ErrorKind, GatewayError, Model,
    Needs, Outgoing, OutgoingRequest, Question, Role, TokenBound,
};
use serde::Serialize;

use super::response::answer_text;
use super::{BYTES_PER_TOKEN_AT_MOST, TOKENS_PER_MESSAGE};
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::{question, reading, translation};

/// How many bytes of text are taken to be one token when the history is fitted into a window. Most text has more
/// bytes for each token, so what is taken to fit nearly always does.
const BYTES_PER_TOKEN_AT_LEAST: u64 = 3;

/// The part of a window that is kept for the answer if the caller set no limit: one in this many.
const ANSWER_SHARE: u64 = 4;

/// One message and what was said before it.
#[derive(Clone)]
pub struct ConversationRequest {
    /// Instructions that come before everything.
    pub system: Option<Arc<str>>,
    /// Earlier messages, oldest first.
    pub history: Vec<(Role, Arc<str>)>,
    /// The new message.
    pub message: Arc<str>,
    /// Output tokens at most; the model's own limit if absent.
    pub max_tokens: Option<u32>,
    /// Sent as it is, 0 too; not sent if absent.
    pub temperature: Option<f64>,
}

impl std::fmt::Debug for ConversationRequest {
    /// Without the texts: what people write to models is not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationRequest")
            .field("history", &self.history.len())
            .field("message_bytes", &self.message.len())
            .field("max_tokens", &self.max_tokens)
            .field("temperature", &self.temperature)
            .finish_non_exhaustive()
    }
}

impl ConversationRequest {
    /// What the request needs of a model. The lower estimate leaves the history out, since it is dropped where it
    /// does not fit.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let system = self.system.as_deref().map_or(0, str::len) as u64;
        let history: u64 = self.history.iter().map(|(_, text)| text.len() as u64).sum();
        let messages = self.history.len() as u64 + 2;
        let kept = system + self.message.len() as u64;
        Needs {
            capabilities: Capabilities::NONE,
            input_bound: kept + history + messages * TOKENS_PER_MESSAGE,
            input_estimate: kept / BYTES_PER_TOKEN_AT_MOST,
            max_output: self.max_tokens,
            answers: 1,
        }
    }

    /// The newest part of the history that fits the model's window together with system text, message and answer.
    /// It is dropped from the old end, in whole turns: what is kept starts with a user's message.
    fn fitting_history(&self, model: &Model) -> &[(Role, Arc<str>)] {
        let window = u64::from(model.context_window);
        let answer = self.max_tokens.map_or_else(
            || u64::from(model.max_output_tokens).min(window / ANSWER_SHARE),
            u64::from,
        );
        let fixed = self.system.as_deref().map_or(0, tokens) + tokens(&self.message) + answer;
        let mut room = window.saturating_sub(fixed);
        let mut start = self.history.len();
        for (place, (role, text)) in self.history.iter().enumerate().rev() {
            let Some(left) = room.checked_sub(tokens(text)) else {
                break;
            };
            room = left;
            if *role == Role::User {
                start = place;
            }
        }
        self.history.get(start..).unwrap_or_default()
    }
}

/// At least as many tokens as a message of this text has, in nearly every case.
fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN_AT_LEAST) + TOKENS_PER_MESSAGE
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    stream: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl OutgoingRequest for ConversationRequest {
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let body = self.body_for(model);
        let needs = self.needs();
        let bounding = Bounding {
            needs: &needs,
            rules: bounds,
        };
        if model.dialect != Dialect::OpenaiChat {
            return translation::write(&translation::CHAT, &body, model, false, bounding);
        }
        let mut outgoing = Outgoing::as_sent(body.into(), true, TokenBound::default());
        bounding.written(&mut outgoing, Form::Chat, Dialect::OpenaiChat, model)?;
        Ok(outgoing)
    }

    fn question(&self) -> Option<Question> {
        let earlier = self.history.iter().filter(|(role, _)| *role == Role::User).count();
        let known = question::Known {
            needs: &self.needs(),
            stream: false,
        };
        question::of_text(&self.message, earlier, known)
    }

    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        reading::of_chat(completion)
    }

    /// One without a text that can be read, and be it a call of a tool that nobody offered; one with nothing in it. A refusal
    /// is neither.
    fn fault_of(&self, completion: &Completion) -> Option<AnswerFault> {
        let answer = answer_text(&completion.body);
        if answer.is_ok_and(|answer| answer.refusal.is_some() || !is_blank(&answer.text)) {
            return None;
        }
        match reading::of_chat(completion) {
            Some(read) if read.end == AnswerEnd::Refused => None,
            Some(read) if !read.calls_tools && is_blank(&read.text) => Some(AnswerFault::Empty),
            _ => Some(AnswerFault::Unusable),
        }
    }

    fn with_note(&self, note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        let system = match &self.system {
            Some(system) if !system.is_empty() => format!("{system}\n\n{note}").into(),
            _ => note.into(),
        };
        Some(Rc::new(Self {
            system: Some(system),
            ..self.clone()
        }))
    }
}

impl ConversationRequest {
    /// The oldest turns are left out until the rest fits the model's window; the new message never is. A limit above
    /// the model's own is lowered to it.
    fn body_for(&self, model: &Model) -> Bytes {
        let system = self.system.as_deref().map(|content| Message {
            role: "system",
            content,
        });
        let history = self.fitting_history(model).iter().map(|(role, content)| Message {
            role: role.as_str(),
            content,
        });
        let message = Message {
            role: Role::User.as_str(),
            content: &self.message,
        };
        let body = Body {
            model: &model.api_model,
            messages: system.into_iter().chain(history).chain([message]).collect(),
            max_tokens: self.max_tokens.map(|limit| limit.min(model.max_output_tokens)),
            temperature: self.temperature,
            stream: false,
        };
        serde_json::to_vec(&body).map_or_else(|_never| Bytes::new(), Bytes::from)
    }
}

/// The text of an answer to a request that offered no tools.
///
/// # Errors
/// When there is no text: a refusal, an empty answer, or a call of a tool that nobody offered.
pub(super) fn plain_answer(completion: &Completion) -> Result<String, GatewayError> {
    let answer = answer_text(&completion.body);
    let read = || reading::of_chat(completion).filter(|read| !read.calls_tools);
    let (kind, message) = match answer {
        Ok(answer) if !is_blank(&answer.text) => return Ok(answer.text),
        Ok(answer) if answer.refusal.is_some() => (
            ErrorKind::UpstreamRejected,
            "the model refused to answer this message; put it differently or ask another model",
        ),
        answer if answer.is_ok() || read().is_some_and(|read| is_blank(&read.text)) => (
            ErrorKind::UpstreamEmpty,
            "the model answered without any text; allow more tokens or ask another model",
        ),
        _ => (
            ErrorKind::UpstreamMalformed,
            "the model's answer has no text that could be read; try again or ask another model",
        ),
    };
    Err(GatewayError::new(kind, message))
}

/// Whether there is nothing in a text to be read.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::{Dialect, Layer, MediaTokens, ModelId, ProviderName, UsageReport, Vendor};
    use serde_json::{Value, json};

    fn model(context_window: u32) -> Model {
        Model {
            id: ModelId::from("id"),
            provider: ProviderName::from("alpha"),
            vendor: Vendor::Other,
            api_model: "small".into(),
            dialect: Dialect::OpenaiChat,
            layer: Layer::L0,
            capabilities: Capabilities::NONE,
            context_window,
            max_output_tokens: 100,
            price: None,
            media: MediaTokens::default(),
        }
    }

    fn request(turns: usize) -> ConversationRequest {
        let turn = |turn: usize| {
            [
                (Role::User, format!("question {turn:03}").into()),
                (Role::Assistant, format!("answer {turn:03}..").into()),
            ]
        };
        ConversationRequest {
            system: Some("be brief".into()),
            history: (0..turns).flat_map(turn).collect(),
            message: "and \"now\"?".into(),
            max_tokens: Some(50),
            temperature: Some(0.0),
        }
    }

    fn body(request: &ConversationRequest, window: u32) -> Value {
        serde_json::from_slice(&request.body_for(&model(window))).unwrap()
    }

    #[test]
    fn a_conversation_becomes_a_chat_completion_request() {
        assert_eq!(
            body(&request(1), 10_000),
            json!({"model": "small", "max_tokens": 50, "temperature": 0.0, "stream": false, "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "question 000"},
                {"role": "assistant", "content": "answer 000.."},
                {"role": "user", "content": "and \"now\"?"},
            ]})
        );
    }

    #[test]
    fn what_was_not_given_is_not_sent_and_no_limit_exceeds_the_models() {
        let mut request = request(0);
        request.max_tokens = Some(1_000_000);
        assert_eq!(body(&request, 10_000)["max_tokens"], 100);
        (request.max_tokens, request.temperature, request.system) = (None, None, None);
        let body = body(&request, 10_000);
        assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none());
        assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_oldest_turns_are_dropped_whole_until_the_rest_fits() {
        let request = request(20);
        let turn = 2 * (4 + TOKENS_PER_MESSAGE);
        let fixed = (3 + TOKENS_PER_MESSAGE) + (4 + TOKENS_PER_MESSAGE) + 50;
        for kept in [0, 1, 7, 20] {
            for slack in [0, turn - 1] {
                if kept == 20 && slack > 0 {
                    continue;
                }
                let window = u32::try_from(fixed + kept * turn + slack).unwrap();
                let body = body(&request, window);
                let messages = body["messages"].as_array().unwrap();
                assert_eq!(messages.len() as u64, 2 + 2 * kept, "window of {window}");
                if kept > 0 {
                    assert_eq!(messages[1]["content"], format!("question {:03}", 20 - kept));
                }
            }
        }
    }

    #[test]
    fn the_new_message_is_sent_even_if_nothing_fits() {
        let body = body(&request(3), 10);
        let messages = body["messages"].as_array().unwrap();
        assert_eq!(messages.last().unwrap()["content"], "and \"now\"?");
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn needs_are_bounded_by_everything_and_estimated_without_the_history() {
        let needs = request(1).needs();
        assert_eq!(needs.input_bound, 8 + 12 + 12 + 10 + 4 * 16);
        assert_eq!(needs.input_estimate, 18 / 8);
        assert_eq!(needs.max_output, Some(50));
    }

    fn read(message: &'static str) -> Result<String, ErrorKind> {
        let body = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
        let completion = Completion {
            status: 200,
            body: Bytes::from(body),
            usage: UsageReport::Missing,
        };
        plain_answer(&completion).map_err(|error| error.kind)
    }

    #[test]
    fn an_answer_is_of_no_use_that_cannot_be_read_calls_what_nobody_offered_or_has_nothing_in_it() {
        let call = r#"[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
        let (unusable, empty) = (Some(AnswerFault::Unusable), Some(AnswerFault::Empty));
        let calls = |content: &str| format!(r#"{{"content":{content},"tool_calls":{call}}}"#);
        for (message, finish, expected) in [
            (r#"{"content":"x \ud800 y"}"#.to_owned(), "stop", unusable),
            (r#"{"content":7}"#.to_owned(), "stop", unusable),
            (calls("null"), "tool_calls", unusable),
            (calls(r#""""#), "tool_calls", unusable),
            (calls(r#""so""#), "tool_calls", None),
            (r#"{"content":"hello"}"#.to_owned(), "stop", None),
            (r#"{"content":""}"#.to_owned(), "stop", empty),
            (r#"{"content":" \n\t"}"#.to_owned(), "stop", empty),
            (r#"{"content":null}"#.to_owned(), "length", empty),
            (r#"{"role":"assistant"}"#.to_owned(), "stop", empty),
            (r#"{"content":null}"#.to_owned(), "content_filter", None),
            (r#"{"content":null,"refusal":"no"}"#.to_owned(), "stop", None),
        ] {
            let body = format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"{finish}"}}]}}"#);
            let completion = Completion {
                status: 200,
                body: Bytes::from(body),
                usage: UsageReport::Missing,
            };
            assert_eq!(request(0).fault_of(&completion), expected, "{message}");
        }
    }

    #[test]
    fn an_answer_is_its_text_and_one_without_is_an_error() {
        assert_eq!(
            read(r#"{"role":"assistant","content":"hello"}"#),
            Ok("hello".to_owned())
        );
        for empty in [
            r#"{"role":"assistant","content":""}"#,
            r#"{"role":"assistant","content":" \n"}"#,
            r#"{"role":"assistant","content":null}"#,
        ] {
            assert_eq!(read(empty), Err(ErrorKind::UpstreamEmpty), "{empty}");
        }
        let refusal = r#"{"role":"assistant","content":null,"refusal":"no"}"#;
        assert_eq!(read(refusal), Err(ErrorKind::UpstreamRejected));
        assert_eq!(
            read(r#"{"role":"assistant","tool_calls":[{}]}"#),
            Err(ErrorKind::UpstreamMalformed)
        );
    }
}
