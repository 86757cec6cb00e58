//! Clients of OpenAI Responses.

use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use crate::dialects::matrix::answers::row::Row;
use crate::dialects::matrix::answers::sample::{MODEL, PARTS, REFUSAL, STATE, STOP_TEXT, STRANGE, TEXT, THOUGHT};
use crate::dialects::matrix::answers::want::{Outcome, Place, Want, count, is, with};

/// How the response stands.
fn ended(status: &str, reason: Option<&str>) -> Vec<Place> {
    let details = reason.map_or(Value::Null, |reason| json!({"reason": reason}));
    vec![is("/status", status), ("/incomplete_details", Want::Is(details))]
}

/// Pointers into the item at this place of the output.
fn message(at: usize, status: &str) -> Vec<Place> {
    let [kind, stands, part, text] = match at {
        0 => [
            "/output/0/type",
            "/output/0/status",
            "/output/0/content/0/type",
            "/output/0/content/0/text",
        ],
        _ => [
            "/output/1/type",
            "/output/1/status",
            "/output/1/content/0/type",
            "/output/1/content/0/text",
        ],
    };
    vec![
        is(kind, "message"),
        is(stands, status),
        is(part, "output_text"),
        is(text, TEXT),
    ]
}

/// The text at this place of the output, and a good end.
fn text(at: usize) -> Vec<Place> {
    with(message(at, "completed"), ended("completed", None))
}

fn call(name: &str, arguments: Value) -> Vec<Place> {
    let call = vec![
        is("/output/0/type", "function_call"),
        is("/output/0/call_id", "call_1"),
        is("/output/0/name", name),
        is("/output/0/status", "completed"),
        ("/output/0/id", Want::Given),
        ("/output/0/arguments", Want::Json(arguments)),
        ("/output/1", Want::Absent),
    ];
    with(call, ended("completed", None))
}

fn thought(summary: Want) -> Vec<Place> {
    vec![
        is("/output/0/type", "reasoning"),
        ("/output/0/id", Want::Holds("rs_")),
        ("/output/0/summary", summary),
    ]
}

pub(super) fn outcomes(provider: Dialect, row: Row) -> Vec<Outcome> {
    let sealed = || ("/output/0/encrypted_content", Want::Holds(STATE));
    let words = || Want::Is(json!([{"type": "summary_text", "text": THOUGHT}]));
    match row {
        Row::Text => vec![Outcome::carried(with(
            text(0),
            vec![
                ("/output/0/content/0/annotations", Want::Is(json!([]))),
                ("/output/1", Want::Absent),
            ],
        ))],
        Row::Texts => {
            let parts = vec![
                is("/output/0/content/0/text", PARTS[0]),
                is("/output/0/content/1/text", PARTS[1]),
                ("/output/1", Want::Absent),
            ];
            vec![
                Outcome::carried(with(parts, ended("completed", None))),
                Outcome::told(
                    "told as one",
                    with(text(0), vec![("/output/0/content/1", Want::Absent)]),
                ),
            ]
        }
        Row::Reasoning => vec![Outcome::told(
            "told as a summary",
            with(
                with(thought(words()), text(1)),
                vec![("/output/0/encrypted_content", Want::Absent)],
            ),
        )],
        Row::State => vec![Outcome::carried(with(with(thought(words()), text(1)), vec![sealed()]))],
        Row::Withheld => {
            let places = thought(Want::Is(json!([])));
            if provider == Dialect::Gemini {
                let call = vec![
                    is("/output/0/content/0/text", TEXT),
                    is("/output/1/type", "reasoning"),
                    ("/output/1/encrypted_content", Want::Holds(STATE)),
                    is("/output/2/call_id", "call_1"),
                ];
                return vec![Outcome::carried(with(call, ended("completed", None)))];
            }
            vec![Outcome::carried(with(with(places, text(1)), vec![sealed()]))]
        }
        Row::Call => vec![Outcome::carried(call(
            "weather",
            json!({"city": "Zürich", "days": 1.5}),
        ))],
        Row::Calls => {
            let calls = vec![
                is("/output/1/type", "function_call"),
                is("/output/2/type", "function_call"),
                ("/output/1/call_id", Want::Given),
                ("/output/2/call_id", Want::Differs("/output/1/call_id")),
                is("/output/1/name", "weather"),
                is("/output/2/name", "clock"),
                ("/output/1/arguments", Want::Json(json!({"city": "Zürich"}))),
                ("/output/2/arguments", Want::Json(json!({"zone": "CET"}))),
                ("/output/3", Want::Absent),
            ];
            vec![Outcome::carried(with(text(0), calls))]
        }
        Row::BareCall => vec![Outcome::carried(call("clock", json!({})))],
        Row::Refusal => vec![Outcome::carried(with(
            vec![
                is("/output/0/content/0/type", "refusal"),
                is("/output/0/content/0/refusal", REFUSAL),
                ("/output/1", Want::Absent),
            ],
            ended("completed", None),
        ))],
        Row::Length => vec![Outcome::carried(with(
            message(0, "incomplete"),
            ended("incomplete", Some("max_output_tokens")),
        ))],
        Row::StopText => vec![Outcome::dropped(vec![STOP_TEXT], text(0)).says("told as `completed`")],
        Row::Filter => vec![Outcome::carried(with(
            message(0, "incomplete"),
            ended("incomplete", Some("content_filter")),
        ))],
        Row::Names => vec![Outcome::told(
            "the model's name, an id of the gateway's",
            vec![is("/model", MODEL), ("/id", Want::Holds("resp_"))],
        )],
        Row::Citations | Row::Logprobs | Row::Hosted | Row::Unknown => {
            vec![Outcome::dropped(vec![STRANGE], text(0))]
        }
        Row::Media if provider == Dialect::OpenaiChat => vec![Outcome::told("sound as its transcript", text(0))],
        Row::Media => vec![Outcome::dropped(vec![STATE], text(0))],
        Row::Counts => vec![Outcome::carried(vec![
            count("/usage/input_tokens", 100),
            count("/usage/output_tokens", 50),
            count("/usage/total_tokens", 150),
        ])],
        Row::CacheReads => vec![Outcome::carried(vec![count(
            "/usage/input_tokens_details/cached_tokens",
            40,
        )])],
        Row::CacheWrites => vec![Outcome::carried(vec![count(
            "/usage/input_tokens_details/cache_write_tokens",
            30,
        )])],
        Row::ReasoningCount => vec![Outcome::carried(vec![count(
            "/usage/output_tokens_details/reasoning_tokens",
            15,
        )])],
    }
}
