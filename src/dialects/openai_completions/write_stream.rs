//! A stream of a model that holds conversations, written as one of a completion.
//!
//! Chunks have the shape of a whole completion (`types/completion.py` of the `openai` Python package, version 3.57.0), with
//! no finish reason but in the last, as OpenAI sends them.

use std::rc::Rc;

use gateway_actors::protocol::UsageReport;
use serde::Serialize;

use super::grammar::{Grammar, Step};
use super::write_answer::{ID_PREFIX, finish_word};
use crate::dialects::neutral::{AnswerContext, Event, StreamWriter};
use crate::dialects::openai_chat::{Usage, answer_id, answer_model};
use crate::dialects::sse::push_event;

/// Writes one stream.
#[derive(Debug)]
pub(in crate::dialects) struct Writer {
    context: Rc<AnswerContext>,
    grammar: Grammar,
    /// How every chunk begins, up to its choices.
    head: Vec<u8>,
    finished: bool,
    usage: UsageReport,
}

#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

impl Writer {
    /// A writer for the answer to one request.
    pub(in crate::dialects) fn new(context: Rc<AnswerContext>) -> Self {
        Self {
            context,
            grammar: Grammar::default(),
            head: Vec::new(),
            finished: false,
            usage: UsageReport::Missing,
        }
    }

    fn begin(&mut self, id: &str, model: &str) {
        if !self.head.is_empty() {
            return;
        }
        let head = Head {
            id: &answer_id(id, &self.context, ID_PREFIX),
            object: "text_completion",
            created: self.context.created,
            model: answer_model(model, &self.context),
        };
        self.head = serde_json::to_vec(&head).unwrap_or_default();
        // Its members go on in every chunk.
        self.head.pop();
    }

    fn chunk(&mut self, step: Step, text: &str, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice {
            text,
            index: 0,
            logprobs: None,
            finish_reason,
        };
        let usage: &[u8] = if self.context.wants_usage {
            b",\"usage\":null"
        } else {
            b""
        };
        self.data(step, &[choice], usage, out);
    }

    fn data(&mut self, step: Step, choices: &[Choice<'_>], rest: &[u8], out: &mut Vec<u8>) {
        let stepped = self.grammar.step(step);
        debug_assert!(stepped.is_ok(), "{stepped:?}");
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":");
        let written = serde_json::to_writer(&mut *out, choices);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        out.extend_from_slice(rest);
        out.extend_from_slice(b"}\n\n");
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Usage(usage) => self.usage = usage,
            Event::Begin { id, model } => self.begin(&id, &model),
            _ if self.finished => {}
            Event::Text(text) | Event::Refusal(text) => {
                self.begin("", "");
                self.chunk(Step::Text, &text, None, out);
            }
            Event::Finish(reason) => {
                self.begin("", "");
                self.finished = true;
                self.chunk(Step::Finish, "", Some(finish_word(&reason)), out);
            }
            // The dialect has text alone.
            Event::Reasoning(_)
            | Event::Opaque(_)
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::ServiceTier(_) => {}
        }
    }

    /// Appends the usage, if the client wants it and it is known, and the end mark. A stream that was not finished gets
    /// neither, so that its client sees that it is cut.
    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.finished || self.grammar.is_over() {
            return;
        }
        if let Some(usage) = Usage::of(self.usage).filter(|_| self.context.wants_usage) {
            let mut rest = b",\"usage\":".to_vec();
            let written = serde_json::to_writer(&mut rest, &usage);
            debug_assert!(written.is_ok(), "writing to memory does not fail");
            self.data(Step::Usage, &[], &rest, out);
        }
        let stepped = self.grammar.step(Step::Done);
        debug_assert!(stepped.is_ok(), "{stepped:?}");
        push_event(out, None, b"[DONE]");
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::TokenUsage;

    use super::super::grammar::check_stream;
    use super::*;
    use crate::dialects::neutral::FinishReason;
    use crate::dialects::openai_chat::Reader;
    use crate::dialects::openai_chat::samples::{any_usage, context, context_with, read_events, some_text};
    use crate::fuzz::fuzz;

    fn written(context: AnswerContext, events: Vec<Event<'_>>) -> String {
        let mut writer = Writer::new(Rc::new(context));
        let mut out = Vec::new();
        for event in events {
            writer.write(event, &mut out);
        }
        writer.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn begin() -> Event<'static> {
        Event::Begin {
            id: "a".into(),
            model: "m".into(),
        }
    }

    const STOP: Event<'static> = Event::Finish(FinishReason::Stop);

    #[test]
    fn a_stream_is_text_a_finish_reason_the_usage_and_the_end() {
        let usage = Event::Usage(UsageReport::Reported(TokenUsage::default()));
        let out = written(
            context(),
            vec![
                begin(),
                Event::Reasoning("hm".into()),
                Event::Text("a".into()),
                STOP,
                usage,
            ],
        );
        assert_eq!(check_stream(&out), Ok(()));
        let first = concat!(
            r#"data: {"id":"a","object":"text_completion","created":1760000000,"model":"m","#,
            r#""choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}],"usage":null}"#,
            "\n\n"
        );
        assert!(out.starts_with(first), "{out}");
        assert_eq!(
            (out.matches("\"usage\":{").count(), out.matches("\n\n").count()),
            (1, 4)
        );
    }

    #[test]
    fn a_stream_that_was_not_finished_has_no_end() {
        let out = written(context(), vec![begin(), Event::Text("a".into())]);
        assert!(check_stream(&out).is_err() && !out.contains("[DONE]"));
    }

    #[test]
    fn there_and_back_a_stream_at_random_keeps_its_text_and_the_grammar() {
        fuzz("streams of completions", |rng| {
            let texts: Vec<String> = (0..rng.usize(..5)).map(|_| some_text(rng)).collect();
            let mut events = vec![begin()];
            for text in &texts {
                if rng.u8(..4) == 0 {
                    events.push(Event::Reasoning("hm".into()));
                }
                events.push(Event::Text(text.into()));
            }
            events.extend([Event::Usage(any_usage(rng)), STOP]);
            let wants_usage = rng.bool();
            let out = written(context_with(|context| context.wants_usage = wants_usage), events);
            assert_eq!(check_stream(&out), Ok(()), "{out}");
            let back = read_events(&mut Reader::default(), &out).unwrap();
            let text: String = back.iter().filter_map(|event| event.strip_prefix("text ")).collect();
            assert_eq!(text, texts.concat());
            assert!(back.contains(&"finish Stop".to_owned()));
            assert!(wants_usage || !out.contains("usage"));
        });
    }
}
