//! Clients of Anthropic Messages.

use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use crate::dialects::matrix::answers::row::Row;
use crate::dialects::matrix::answers::sample::{MODEL, PARTS, REFUSAL, STATE, STOP_TEXT, STRANGE, TEXT, THOUGHT};
use crate::dialects::matrix::answers::want::{Outcome, Place, Want, count, is, with};

fn ended(reason: &str, sequence: Option<&str>) -> Vec<Place> {
    vec![
        is("/stop_reason", reason),
        ("/stop_sequence", Want::Is(json!(sequence))),
    ]
}

/// The block of text at this place.
fn block(at: usize) -> Vec<Place> {
    let [kind, text] = match at {
        0 => ["/content/0/type", "/content/0/text"],
        _ => ["/content/1/type", "/content/1/text"],
    };
    vec![is(kind, "text"), is(text, TEXT)]
}

/// The same, and a good end.
fn text(at: usize) -> Vec<Place> {
    with(block(at), ended("end_turn", None))
}

fn call(name: &str, input: Value) -> Vec<Place> {
    let call = vec![
        is("/content/0/type", "tool_use"),
        is("/content/0/id", "call_1"),
        is("/content/0/name", name),
        ("/content/0/input", Want::Is(input)),
        ("/content/1", Want::Absent),
    ];
    with(call, ended("tool_use", None))
}

fn thought(text: &str, signature: Want) -> Vec<Place> {
    vec![
        is("/content/0/type", "thinking"),
        is("/content/0/thinking", text),
        ("/content/0/signature", signature),
    ]
}

pub(super) fn outcomes(provider: Dialect, row: Row) -> Vec<Outcome> {
    match row {
        Row::Text => vec![Outcome::carried(with(text(0), vec![("/content/1", Want::Absent)]))],
        Row::Texts => {
            let parts = vec![
                is("/content/0/text", PARTS[0]),
                is("/content/1/text", PARTS[1]),
                ("/content/2", Want::Absent),
            ];
            vec![
                Outcome::carried(with(parts, ended("end_turn", None))),
                Outcome::told("told as one", with(text(0), vec![("/content/1", Want::Absent)])),
            ]
        }
        Row::Reasoning => vec![Outcome::carried(with(thought(THOUGHT, Want::Is(json!(""))), text(1)))],
        Row::State => vec![Outcome::carried(with(thought(THOUGHT, Want::Holds(STATE)), text(1)))],
        Row::Withheld if provider == Dialect::Gemini => vec![Outcome::carried(with(
            vec![
                is("/content/0/text", TEXT),
                is("/content/1/type", "thinking"),
                is("/content/1/thinking", ""),
                ("/content/1/signature", Want::Holds(STATE)),
                is("/content/2/id", "call_1"),
            ],
            ended("tool_use", None),
        ))],
        Row::Withheld => vec![Outcome::carried(with(thought("", Want::Holds(STATE)), text(1)))],
        Row::Call => vec![Outcome::carried(call(
            "weather",
            json!({"city": "Zürich", "days": 1.5}),
        ))],
        Row::Calls => {
            let calls = vec![
                is("/content/0/text", TEXT),
                is("/content/1/type", "tool_use"),
                is("/content/2/type", "tool_use"),
                ("/content/1/id", Want::Given),
                ("/content/2/id", Want::Differs("/content/1/id")),
                is("/content/1/name", "weather"),
                is("/content/2/name", "clock"),
                ("/content/1/input", Want::Is(json!({"city": "Zürich"}))),
                ("/content/2/input", Want::Is(json!({"zone": "CET"}))),
                ("/content/3", Want::Absent),
            ];
            vec![Outcome::carried(with(calls, ended("tool_use", None)))]
        }
        Row::BareCall => vec![Outcome::carried(call("clock", json!({})))],
        Row::Refusal => vec![Outcome::told(
            "told as text that ends with `refusal`",
            with(
                vec![is("/content/0/type", "text"), is("/content/0/text", REFUSAL)],
                ended("refusal", None),
            ),
        )],
        Row::Length => vec![Outcome::carried(with(block(0), ended("max_tokens", None)))],
        Row::StopText => vec![Outcome::carried(with(
            block(0),
            ended("stop_sequence", Some(STOP_TEXT)),
        ))],
        Row::Filter => vec![Outcome::told(
            "told as `refusal`",
            with(block(0), ended("refusal", None)),
        )],
        Row::Names => {
            let id = match provider {
                Dialect::OpenaiChat => is("/id", "chatcmpl-9"),
                Dialect::OpenaiResponses => is("/id", "resp_9"),
                Dialect::Gemini => is("/id", "mAitaLmk-9"),
                _ => {
                    return vec![Outcome::told(
                        "the model's name, an id of the gateway's",
                        vec![is("/model", MODEL), ("/id", Want::Holds("msg_"))],
                    )];
                }
            };
            vec![Outcome::carried(vec![id, is("/model", MODEL)])]
        }
        Row::Citations | Row::Logprobs | Row::Hosted | Row::Unknown => {
            vec![Outcome::dropped(vec![STRANGE], text(0))]
        }
        Row::Media if provider == Dialect::OpenaiChat => vec![Outcome::told("sound as its transcript", text(0))],
        Row::Media => vec![Outcome::dropped(vec![STATE], text(0))],
        Row::Counts => {
            // Beside it stand what was read from the cache and what was written to it.
            let beside = match provider {
                Dialect::Gemini => 40,
                Dialect::Ollama => 0,
                _ => 70,
            };
            vec![Outcome::carried(vec![
                count("/usage/input_tokens", 100 - beside),
                count("/usage/output_tokens", 50),
            ])]
        }
        Row::CacheReads => vec![Outcome::carried(vec![count("/usage/cache_read_input_tokens", 40)])],
        Row::CacheWrites => vec![Outcome::told(
            "carried, as written for five minutes",
            vec![count("/usage/cache_creation_input_tokens", 30)],
        )],
        Row::ReasoningCount => vec![Outcome::carried(vec![count(
            "/usage/output_tokens_details/thinking_tokens",
            15,
        )])],
    }
}
