use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde_json::{Value, json};

use super::super::read_answer::read_answer;
use super::super::testing::model;
use super::*;
use crate::dialects::neutral::{Choice, FinishReason, Opaque, ToolCall, ToolName};
use crate::fuzz::{Rng, fuzz, json as any_json, pick};

fn context() -> AnswerContext {
    AnswerContext {
        id: "0190".to_owned(),
        ..AnswerContext::new(&model("small"), 0)
    }
}

fn answer<'a>(parts: Vec<PartKind<'a>>, finish: FinishReason<'a>) -> Answer<'a> {
    Answer {
        id: "".into(),
        model: "".into(),
        choices: vec![Choice { parts, finish }],
        usage: UsageReport::Missing,
        ..Answer::default()
    }
}

fn written(answer: &Answer<'_>) -> Value {
    serde_json::from_slice(&write_answer(answer, &context()).unwrap()).unwrap()
}

fn call(id: &'static str, arguments: &'static str) -> PartKind<'static> {
    PartKind::ToolCall(ToolCall {
        id: id.into(),
        name: ToolName::plain("read"),
        arguments: arguments.into(),
        is_custom: false,
    })
}

#[test]
fn an_answer_is_a_message_with_all_that_clients_need() {
    let mut answer = answer(vec![PartKind::Text("hi".into())], FinishReason::Stop);
    answer.usage = UsageReport::Reported(TokenUsage {
        input: 20,
        cached_input: 5,
        cache_write_1h: 3,
        cache_write_untold: 0,
        output: 9,
        reasoning: 4,
        ..TokenUsage::default()
    });
    assert_eq!(
        written(&answer),
        json!({"id": "msg_0190", "type": "message", "role": "assistant", "model": "small",
            "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 12, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 5,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3},
                "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}})
    );
    (answer.id, answer.model) = ("own".into(), "claude-opus-4-8".into());
    let own = written(&answer);
    assert_eq!((&own["id"], &own["model"]), (&json!("own"), &json!("claude-opus-4-8")));
}

#[test]
fn reasoning_refusals_and_calls_become_blocks_and_nothing_becomes_none() {
    let encrypted = Opaque {
        kind: OpaqueKind::Encrypted,
        data: "zzz".into(),
        origin: None,
    };
    let redacted = Opaque {
        kind: OpaqueKind::Redacted,
        data: "Em".into(),
        origin: None,
    };
    let reasoning = |text: &'static str, opaque| PartKind::Reasoning {
        text: text.into(),
        opaque,
    };
    let value = written(&answer(
        vec![
            reasoning("", None),
            reasoning("because", None),
            reasoning("", Some(encrypted)),
            reasoning("", Some(redacted)),
            PartKind::Text("".into()),
            PartKind::Refusal("I will not.".into()),
            call("call:1", "{\"n\":1.50}"),
            call("call:1", "oops"),
        ],
        FinishReason::Stop,
    ));
    let field = value["content"][1]["signature"].as_str().unwrap().to_owned();
    assert!(field.starts_with("gw1.e.") && field.ends_with(".zzz"), "{field}");
    assert_eq!(
        value["content"],
        json!([
            {"type": "thinking", "thinking": "because", "signature": ""},
            {"type": "thinking", "thinking": "", "signature": field},
            {"type": "redacted_thinking", "data": "Em"},
            {"type": "text", "text": "I will not."},
            {"type": "tool_use", "id": "gwx_63616c6c3a31", "name": "read", "input": {"n": 1.50}},
            {"type": "tool_use", "id": "gwx_63616c6c3a31_2", "name": "read", "input": {"INVALID_JSON": "oops"}},
        ])
    );
    assert_eq!(value["stop_reason"], "tool_use");
}

#[test]
fn an_answer_without_a_choice_is_an_error_and_one_without_parts_is_not() {
    let mut none = answer(vec![], FinishReason::Length);
    assert_eq!(written(&none)["content"], json!([]));
    assert_eq!(written(&none)["stop_reason"], "max_tokens");
    none.choices.clear();
    assert!(write_answer(&none, &context()).is_err());
}

/// Parts as they come from a model, as their meaning in words.
fn meaning(parts: &[PartKind<'_>]) -> Vec<String> {
    let words = parts.iter().filter_map(|part| match part {
        PartKind::Text(text) | PartKind::Refusal(text) => (!text.is_empty()).then(|| format!("text {text}")),
        PartKind::Reasoning { text, opaque } => {
            let opaque = opaque
                .as_ref()
                .map(|opaque| (opaque.kind, opaque.data.clone().into_owned()));
            (!text.is_empty() || opaque.is_some()).then(|| format!("thought {text} {opaque:?}"))
        }
        PartKind::ToolCall(call) => Some(format!("call {} {} {}", call.id, call.name.name, call.arguments)),
        other => panic!("{other:?}"),
    });
    words.collect()
}

fn any_part(rng: &mut Rng, number: usize) -> PartKind<'static> {
    let text = |rng: &mut Rng| pick(rng, &["", "a", "é\"\\\n", "\u{0}", "😀"]).to_owned();
    match rng.u8(..5) {
        0 => PartKind::Text(text(rng).into()),
        1 => PartKind::Refusal(text(rng).into()),
        2 => PartKind::Reasoning {
            text: text(rng).into(),
            opaque: rng.bool().then(|| Opaque {
                kind: OpaqueKind::Signature,
                data: "Eq==".into(),
                origin: None,
            }),
        },
        3 => PartKind::Reasoning {
            text: "".into(),
            opaque: Some(Opaque {
                kind: OpaqueKind::Redacted,
                data: "Em==".into(),
                origin: None,
            }),
        },
        _ => PartKind::ToolCall(ToolCall {
            id: format!("toolu_{number}").into(),
            name: ToolName::plain(pick(rng, &["read", "mcp__a__b"]).to_owned()),
            arguments: format!("{{\"a\":{}}}", any_json(rng, 2)).into(),
            is_custom: false,
        }),
    }
}

#[test]
fn answers_at_random_are_read_again_with_the_same_meaning() {
    fuzz("messages", |rng| {
        let parts: Vec<PartKind<'_>> = (0..rng.usize(..6)).map(|number| any_part(rng, number)).collect();
        let finishes = [
            FinishReason::Stop,
            FinishReason::Length,
            FinishReason::StopText(Some("END".into())),
            FinishReason::Refused,
            FinishReason::Paused,
        ];
        let finish = finishes[rng.usize(..finishes.len())].clone();
        let usage = UsageReport::Reported(TokenUsage {
            input: rng.u64(..1000) + 300,
            cached_input: rng.u64(..100),
            cache_write_5m: rng.u64(..100),
            cache_write_1h: rng.u64(..100),
            cache_write_untold: 0,
            output: rng.u64(..1000) + 10,
            reasoning: rng.u64(..10),
            ..TokenUsage::default()
        });
        let mut before = answer(parts, finish);
        before.usage = usage;
        let body = write_answer(&before, &context()).unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        let after = read_answer(body).unwrap();
        let (before, choice) = (&before.choices[0], &after.choices[0]);
        assert_eq!(meaning(&choice.parts), meaning(&before.parts), "{body}");
        assert_eq!(after.usage, usage, "{body}");
        let is_told_otherwise = before.finish == FinishReason::Stop && choice.finish != FinishReason::Stop;
        assert!(is_told_otherwise || choice.finish == before.finish, "{body}");
    });
}
