//! Clients of OpenAI chat completions.

use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use crate::dialects::matrix::answers::row::Row;
use crate::dialects::matrix::answers::sample::{MODEL, REFUSAL, STATE, STOP_TEXT, STRANGE, TEXT, THOUGHT};
use crate::dialects::matrix::answers::want::{Outcome, Place, Want, count, is, with};

const CONTENT: &str = "/choices/0/message/content";
const FINISH: &str = "/choices/0/finish_reason";

/// The text, and a good end.
fn text() -> Vec<Place> {
    vec![is(CONTENT, TEXT), is(FINISH, "stop")]
}

fn call(name: &str, arguments: Value) -> Vec<Place> {
    vec![
        is(FINISH, "tool_calls"),
        is("/choices/0/message/tool_calls/0/id", "call_1"),
        is("/choices/0/message/tool_calls/0/type", "function"),
        is("/choices/0/message/tool_calls/0/function/name", name),
        (
            "/choices/0/message/tool_calls/0/function/arguments",
            Want::Json(arguments),
        ),
        ("/choices/0/message/tool_calls/1", Want::Absent),
    ]
}

pub(super) fn outcomes(provider: Dialect, row: Row) -> Vec<Outcome> {
    let details = "/choices/0/message/reasoning_details";
    let thought = || is("/choices/0/message/reasoning_content", THOUGHT);
    match row {
        Row::Text | Row::Texts => vec![Outcome::carried(with(
            text(),
            vec![("/choices/0/message/refusal", Want::Is(Value::Null))],
        ))],
        Row::Reasoning => vec![Outcome::carried(with(
            text(),
            vec![thought(), is("/choices/0/message/reasoning_details/0/text", THOUGHT)],
        ))],
        Row::State => vec![Outcome::carried(with(
            text(),
            vec![
                thought(),
                is("/choices/0/message/reasoning_details/0/text", THOUGHT),
                ("/choices/0/message/reasoning_details/0/signature", Want::Holds(STATE)),
            ],
        ))],
        Row::Withheld => {
            let sealed = ("/choices/0/message/reasoning_details/0/data", Want::Holds(STATE));
            let silent = ("/choices/0/message/reasoning_content", Want::Absent);
            // Gemini's belongs to a call, by whose id it is known.
            let of_call = is("/choices/0/message/reasoning_details/0/id", "call_1");
            let places = if provider == Dialect::Gemini {
                vec![sealed, silent, of_call, is(CONTENT, TEXT), is(FINISH, "tool_calls")]
            } else {
                with(text(), vec![sealed, silent])
            };
            vec![Outcome::carried(places)]
        }
        Row::Call => vec![Outcome::carried(with(
            call("weather", json!({"city": "Zürich", "days": 1.5})),
            vec![
                (CONTENT, Want::NoText),
                ("/choices/0/message/reasoning_content", Want::Absent),
                (details, Want::Absent),
            ],
        ))],
        Row::Calls => {
            let second = "/choices/0/message/tool_calls/1/id";
            vec![Outcome::carried(vec![
                is(CONTENT, TEXT),
                is(FINISH, "tool_calls"),
                ("/choices/0/message/tool_calls/0/id", Want::Given),
                (second, Want::Given),
                (second, Want::Differs("/choices/0/message/tool_calls/0/id")),
                is("/choices/0/message/tool_calls/0/function/name", "weather"),
                is("/choices/0/message/tool_calls/1/function/name", "clock"),
                (
                    "/choices/0/message/tool_calls/0/function/arguments",
                    Want::Json(json!({"city": "Zürich"})),
                ),
                (
                    "/choices/0/message/tool_calls/1/function/arguments",
                    Want::Json(json!({"zone": "CET"})),
                ),
                ("/choices/0/message/tool_calls/2", Want::Absent),
            ])]
        }
        Row::BareCall => vec![Outcome::carried(call("clock", json!({})))],
        Row::Refusal => vec![Outcome::carried(vec![
            is("/choices/0/message/refusal", REFUSAL),
            (CONTENT, Want::NoText),
            (FINISH, Want::Given),
        ])],
        Row::Length => vec![Outcome::carried(vec![is(CONTENT, TEXT), is(FINISH, "length")])],
        Row::StopText => vec![Outcome::dropped(vec![STOP_TEXT], text()).says("told as `stop`")],
        Row::Filter => vec![Outcome::carried(vec![is(CONTENT, TEXT), is(FINISH, "content_filter")])],
        Row::Names => {
            let id = match provider {
                Dialect::OpenaiResponses => is("/id", "resp_9"),
                Dialect::AnthropicMessages => is("/id", "msg_9"),
                Dialect::Gemini => is("/id", "mAitaLmk-9"),
                _ => {
                    return vec![Outcome::told(
                        "the model's name, an id of the gateway's",
                        vec![is("/model", MODEL), ("/id", Want::Holds("chatcmpl-"))],
                    )];
                }
            };
            vec![Outcome::carried(vec![id, is("/model", MODEL)])]
        }
        Row::Citations | Row::Logprobs | Row::Hosted | Row::Unknown => {
            vec![Outcome::dropped(vec![STRANGE], text())]
        }
        Row::Media => vec![Outcome::dropped(vec![STATE], text())],
        Row::Counts => vec![Outcome::carried(vec![
            count("/usage/prompt_tokens", 100),
            count("/usage/completion_tokens", 50),
            count("/usage/total_tokens", 150),
        ])],
        Row::CacheReads => vec![Outcome::carried(vec![count(
            "/usage/prompt_tokens_details/cached_tokens",
            40,
        )])],
        Row::CacheWrites => vec![Outcome::carried(vec![count(
            "/usage/prompt_tokens_details/cache_write_tokens",
            30,
        )])],
        Row::ReasoningCount => vec![Outcome::carried(vec![count(
            "/usage/completion_tokens_details/reasoning_tokens",
            15,
        )])],
    }
}
