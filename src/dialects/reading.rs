//! Reading an answer in a client's dialect, to be judged.

use gateway_actors::protocol::{AnswerEnd, AnswerRead, Completion, Vendor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::text;
use super::neutral::{Answer, FinishReason, PartKind};
use super::{anthropic_messages, openai_chat, openai_responses};

/// The first answer of a chat completion, or of a completion before chat; nothing if it is none.
pub(super) fn of_chat(completion: &Completion) -> Option<AnswerRead> {
    // What it used, which vendors tell in ways of their own, is not read here.
    let answer = openai_chat::read_answer(body(completion)?, Vendor::Other).ok()?;
    first(&answer, false)
}

/// An answer in Anthropic's Messages; nothing if it is none.
pub(super) fn of_messages(completion: &Completion) -> Option<AnswerRead> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        content: Vec<Kind<'a>>,
    }
    let body = body(completion)?;
    let answer = anthropic_messages::read_answer(body).ok()?;
    let blocks = serde_json::from_str::<Body<'_>>(body).ok()?.content;
    first(
        &answer,
        hold_others(&blocks, &["text", "thinking", "redacted_thinking"]),
    )
}

/// An answer in OpenAI's Responses; nothing if it is none, or not finished.
pub(super) fn of_responses(completion: &Completion) -> Option<AnswerRead> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        output: Vec<Kind<'a>>,
    }
    let body = body(completion)?;
    let answer = openai_responses::read_answer(body).ok()?;
    let items = serde_json::from_str::<Body<'_>>(body).ok()?.output;
    first(&answer, hold_others(&items, &["message", "reasoning"]))
}

/// Of a block or an item only what it is.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
}

/// Whether there are blocks or items of other kinds: what a tool was called for, or did, whoever runs it.
fn hold_others(all: &[Kind<'_>], known: &[&str]) -> bool {
    all.iter()
        .filter_map(|one| one.kind.and_then(text))
        .any(|kind| !known.contains(&&*kind))
}

fn body(completion: &Completion) -> Option<&str> {
    std::str::from_utf8(&completion.body).ok()
}

/// What the first choice says. With `uses_tools` there is more in it than the neutral form tells.
fn first(answer: &Answer<'_>, uses_tools: bool) -> Option<AnswerRead> {
    let choice = answer.choices.first()?;
    let (mut text, mut refuses, mut calls) = (String::new(), false, uses_tools);
    for part in &choice.parts {
        match part {
            PartKind::Text(said) => text.push_str(said),
            PartKind::Refusal(_) => refuses = true,
            PartKind::ToolCall(_) => calls = true,
            _ => {}
        }
    }
    // A turn that its provider paused goes on when the client sends it back, as after a call.
    let is_paused = choice.finish == FinishReason::Paused;
    let end = match choice.finish {
        _ if refuses => AnswerEnd::Refused,
        FinishReason::Refused => AnswerEnd::Refused,
        FinishReason::Length => AnswerEnd::Length,
        FinishReason::ToolCalls | FinishReason::Paused => AnswerEnd::ToolCalls,
        FinishReason::Stop | FinishReason::StopText(_) => AnswerEnd::Stop,
    };
    Some(AnswerRead {
        text,
        end,
        calls_tools: calls || is_paused,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gateway_actors::protocol::UsageReport;

    use super::*;
    use crate::fuzz::{any_bytes, damage, fuzz};

    fn completion(body: impl Into<Bytes>) -> Completion {
        Completion {
            status: 200,
            body: body.into(),
            usage: UsageReport::Missing,
        }
    }

    type Read = fn(&Completion) -> Option<AnswerRead>;

    #[track_caller]
    fn assert_read(read: Read, body: &'static str, text: &str, end: AnswerEnd, calls_tools: bool) {
        let read = read(&completion(body)).unwrap_or_else(|| panic!("not read: {body}"));
        assert_eq!(
            (read.text.as_str(), read.end, read.calls_tools),
            (text, end, calls_tools),
            "{body}"
        );
    }

    #[test]
    fn a_chat_completion_says_what_its_first_choice_says() {
        for (choice, text, end, calls) in [
            (
                r#"{"message":{"content":"hi"},"finish_reason":"stop"},{"message":{"content":"ho"}}"#,
                "hi",
                AnswerEnd::Stop,
                false,
            ),
            (
                r#"{"message":{"content":""},"finish_reason":"stop"}"#,
                "",
                AnswerEnd::Stop,
                false,
            ),
            (
                r#"{"message":{"content":"h"},"finish_reason":"length"}"#,
                "h",
                AnswerEnd::Length,
                false,
            ),
            (
                r#"{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}"#,
                "",
                AnswerEnd::Refused,
                false,
            ),
            (
                r#"{"message":{"content":"h"},"finish_reason":"content_filter"}"#,
                "h",
                AnswerEnd::Refused,
                false,
            ),
            (
                r#"{"message":{"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}"#,
                "",
                AnswerEnd::ToolCalls,
                true,
            ),
            (
                r#"{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"reasoning":"hm"},"finish_reason":"stop"}"#,
                "ab",
                AnswerEnd::Stop,
                false,
            ),
            (
                r#"{"text":" upon a time","finish_reason":"length"}"#,
                " upon a time",
                AnswerEnd::Length,
                false,
            ),
        ] {
            let body = format!(r#"{{"id":"x","choices":[{choice}]}}"#);
            assert_read(of_chat, body.leak(), text, end, calls);
        }
    }

    #[test]
    fn a_message_says_its_texts_and_every_use_of_a_tool_counts() {
        for (members, text, end, calls) in [
            (
                r#""content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"hi"}],"stop_reason":"end_turn""#,
                "hi",
                AnswerEnd::Stop,
                false,
            ),
            (r#""content":[],"stop_reason":"end_turn""#, "", AnswerEnd::Stop, false),
            (
                r#""content":[{"type":"text","text":"h"}],"stop_reason":"max_tokens""#,
                "h",
                AnswerEnd::Length,
                false,
            ),
            (
                r#""content":[{"type":"text","text":"h"}],"stop_reason":"stop_sequence","stop_sequence":"x""#,
                "h",
                AnswerEnd::Stop,
                false,
            ),
            (r#""content":[],"stop_reason":"refusal""#, "", AnswerEnd::Refused, false),
            (
                r#""content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":"tool_use""#,
                "",
                AnswerEnd::ToolCalls,
                true,
            ),
            (
                r#""content":[{"type":"server_tool_use","id":"t","name":"web_search","input":{}}],"stop_reason":"pause_turn""#,
                "",
                AnswerEnd::ToolCalls,
                true,
            ),
        ] {
            let body = format!(r#"{{"id":"msg","type":"message","role":"assistant",{members}}}"#);
            assert_read(of_messages, body.leak(), text, end, calls);
        }
    }

    #[test]
    fn a_response_says_the_texts_of_its_messages_and_every_other_item_is_the_use_of_a_tool() {
        let message = r#"{"type":"message","content":[{"type":"output_text","text":"hi"}]}"#;
        for (members, text, end, calls) in [
            (
                format!(r#""status":"completed","output":[{{"type":"reasoning","summary":[]}},{message}]"#),
                "hi",
                AnswerEnd::Stop,
                false,
            ),
            (
                r#""status":"completed","output":[]"#.to_owned(),
                "",
                AnswerEnd::Stop,
                false,
            ),
            (
                format!(
                    r#""status":"incomplete","incomplete_details":{{"reason":"max_output_tokens"}},"output":[{message}]"#
                ),
                "hi",
                AnswerEnd::Length,
                false,
            ),
            (
                r#""status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]"#.to_owned(),
                "",
                AnswerEnd::Refused,
                false,
            ),
            (
                r#""status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]"#
                    .to_owned(),
                "",
                AnswerEnd::Refused,
                false,
            ),
            (
                r#""status":"completed","output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]"#
                    .to_owned(),
                "",
                AnswerEnd::ToolCalls,
                true,
            ),
            (
                r#""status":"completed","output":[{"type":"local_shell_call","call_id":"c"}]"#.to_owned(),
                "",
                AnswerEnd::Stop,
                true,
            ),
        ] {
            let body = format!(r#"{{"id":"resp",{members}}}"#);
            assert_read(of_responses, body.leak(), text, end, calls);
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"error":{"message":"no"}}"#,
            r#"{"choices":[]}"#,
            r#"{"content":7}"#,
            r#"{"output":[],"status":"failed"}"#,
            r#"{"output":[],"status":"in_progress"}"#,
        ] {
            for read in [of_chat as Read, of_messages, of_responses] {
                assert_eq!(read(&completion(body)), None, "{body}");
            }
        }
        assert_eq!(of_chat(&completion(&b"{\"choices\":\xff"[..])), None);
    }

    #[test]
    fn no_answer_makes_a_reader_panic() {
        const WHOLE: &str = r#"{"id":"x","status":"completed","stop_reason":"end_turn","choices":[{"message":{"content":"a\u00e9"},
            "finish_reason":"stop"}],"content":[{"type":"text","text":"a"}],"output":[{"type":"message","content":[]}]}"#;
        fuzz("answers", |rng| {
            let mut body = WHOLE.as_bytes().to_vec();
            if rng.u8(..8) == 0 {
                body = any_bytes(rng, 100);
            } else {
                damage(rng, &mut body, &["null", "[", "}", "\"", "7"]);
            }
            for read in [of_chat as Read, of_messages, of_responses] {
                let _any = read(&completion(body.clone()));
            }
        });
    }
}
