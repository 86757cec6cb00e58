use gateway_actors::protocol::{TokenUsage, UsageReport, Vendor};
use serde_json::{Value, json};

use super::super::read_answer::read_answer;
use super::super::samples::{any_usage, context, context_with, model_of, some_text};
use super::*;
use crate::dialects::neutral::{OpaqueKind, Origin, Tool, ToolKind, ToolName, ToolNames};
use crate::fuzz::{Rng, fuzz, pick};

fn answer<'a>(parts: Vec<PartKind<'a>>, finish: FinishReason<'static>) -> Answer<'a> {
    Answer {
        id: "msg_1".into(),
        model: "claude-x".into(),
        choices: vec![Choice { parts, finish }],
        usage: UsageReport::Missing,
        ..Answer::default()
    }
}

fn call<'a>(name: &'a str, arguments: &'a str) -> PartKind<'a> {
    PartKind::ToolCall(ToolCall {
        id: "call_1".into(),
        name: ToolName::plain(name),
        arguments: arguments.into(),
        is_custom: false,
    })
}

fn opaque(kind: OpaqueKind) -> Opaque<'static> {
    Opaque {
        kind,
        data: "sealed".into(),
        origin: None,
    }
}

fn written(answer: &Answer<'_>, context: &AnswerContext) -> Value {
    serde_json::from_slice(&write_answer(answer, context).unwrap()).unwrap()
}

#[test]
fn an_answer_has_every_member_that_the_schema_requires() {
    let mut answer = answer(vec![PartKind::Text("Hi".into())], FinishReason::StopText(None));
    answer.usage = UsageReport::Reported(TokenUsage {
        input: 9,
        cached_input: 4,
        cache_write_5m: 1,
        cache_write_1h: 2,
        cache_write_untold: 0,
        output: 5,
        reasoning: 2,
        ..TokenUsage::default()
    });
    assert_eq!(
        written(&answer, &context()),
        json!({
            "id": "msg_1", "object": "chat.completion", "created": 1_760_000_000, "model": "claude-x",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": null},
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 2},
            },
        })
    );
    (answer.id, answer.model) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let value = written(&answer, &context());
    assert_eq!(
        (&value["id"], &value["model"]),
        (&json!("chatcmpl-0001"), &json!("the-model"))
    );
}

#[test]
fn reasoning_comes_as_text_and_as_entries_with_what_belongs_to_it() {
    let maker = Origin::of(&model_of("alpha", &[]));
    let signed = opaque(OpaqueKind::Signature);
    let field = signed.to_field(OpaqueKind::Details, maker).into_owned();
    let thought = opaque(OpaqueKind::ThoughtSignature);
    let before_call = thought.to_field(OpaqueKind::Details, maker).into_owned();
    let parts = vec![
        PartKind::Reasoning {
            text: "hm".into(),
            opaque: Some(signed),
        },
        PartKind::Text("so".into()),
        PartKind::Reasoning {
            text: "".into(),
            opaque: Some(thought),
        },
        call("look", "{}"),
    ];
    let value = written(&answer(parts, FinishReason::ToolCalls), &context());
    let message = &value["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["reasoning_content"]),
        (&json!("so"), &json!("hm"))
    );
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "hm", "signature": field, "index": 0},
            {"type": "reasoning.encrypted", "data": before_call, "id": "call_1", "index": 1},
        ])
    );
}

#[test]
fn a_call_is_told_as_the_client_knows_the_tool() {
    let tool = Tool {
        name: ToolName::plain("shell"),
        description: None,
        kind: ToolKind::Custom { format: None },
        cache: None,
    };
    let context = context_with(|context| context.tools = ToolNames::of(&[tool]));
    let parts = vec![
        call("shell", r#"{"input":"ls \"x\""}"#),
        call("shell", "ls"),
        call("look", ""),
    ];
    let value = written(&answer(parts, FinishReason::Stop), &context);
    let choice = &value["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&Value::Null, &json!("tool_calls"))
    );
    let custom = |input: &str| json!({"id": "call_1", "type": "custom", "custom": {"name": "shell", "input": input}});
    assert_eq!(
        choice["message"]["tool_calls"],
        json!([
            custom("ls \"x\""),
            custom("ls"),
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        ])
    );
}

#[test]
fn a_client_of_the_older_form_gets_its_first_call_in_it() {
    let context = context_with(|context| context.legacy_functions = true);
    let value = written(
        &answer(vec![call("f", "{}"), call("g", "{}")], FinishReason::ToolCalls),
        &context,
    );
    let choice = &value["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call");
    assert_eq!(
        choice["message"]["function_call"],
        json!({"name": "f", "arguments": "{}"})
    );
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"]["name"], "g",
        "nothing is lost"
    );
}

#[test]
fn every_end_has_its_word() {
    for (finish, word) in [
        (FinishReason::Stop, "stop"),
        (FinishReason::ToolCalls, "stop"),
        (FinishReason::Length, "length"),
        (FinishReason::Paused, "length"),
        (FinishReason::Refused, "content_filter"),
    ] {
        assert_eq!(
            written(&answer(Vec::new(), finish), &context())["choices"][0]["finish_reason"],
            word
        );
    }
    let nothing = Answer {
        choices: Vec::new(),
        ..answer(Vec::new(), FinishReason::Stop)
    };
    assert!(write_answer(&nothing, &context()).is_err());
}

/// An answer whose parts stand in the order that this dialect keeps.
fn any_answer(rng: &mut Rng) -> Answer<'static> {
    let mut choices = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let mut parts = Vec::new();
        let seal = |rng: &mut Rng| rng.bool().then(|| opaque(*pick_kind(rng)));
        for _ in 0..rng.usize(..3) {
            let text = some_text(rng);
            parts.push(PartKind::Reasoning {
                opaque: if text.is_empty() {
                    Some(opaque(OpaqueKind::Encrypted))
                } else {
                    seal(rng)
                },
                text: text.into(),
            });
        }
        let mut say = |rng: &mut Rng, part: fn(Cow<'static, str>) -> PartKind<'static>| {
            let text = some_text(rng);
            if rng.bool() && !text.is_empty() {
                parts.push(part(text.into()));
            }
        };
        say(rng, PartKind::Text);
        say(rng, PartKind::Refusal);
        let calls = rng.usize(..3);
        for place in 0..calls {
            if rng.u8(..4) == 0 {
                parts.push(PartKind::Reasoning {
                    text: "".into(),
                    opaque: Some(opaque(OpaqueKind::ThoughtSignature)),
                });
            }
            parts.push(PartKind::ToolCall(ToolCall {
                id: format!("call_{place}").into(),
                name: ToolName::plain(pick(rng, &["look", "shell"]).to_owned()),
                arguments: pick(rng, &["{}", r#"{"a":"\"é"}"#, "no json"]).into(),
                is_custom: rng.bool(),
            }));
        }
        let finish = match rng.u8(..3) {
            0 => FinishReason::Length,
            1 => FinishReason::Refused,
            _ if calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        choices.push(Choice { parts, finish });
    }
    Answer {
        id: "msg_1".into(),
        model: "m".into(),
        choices,
        usage: any_usage(rng),
        ..Answer::default()
    }
}

fn pick_kind(rng: &mut Rng) -> &'static OpaqueKind {
    let kinds = [&OpaqueKind::Signature, &OpaqueKind::Redacted, &OpaqueKind::Encrypted];
    kinds[rng.usize(..kinds.len())]
}

#[test]
fn there_and_back_an_answer_at_random_keeps_its_meaning() {
    let maker = context().origin;
    fuzz("answers", |rng| {
        let mut answer = any_answer(rng);
        let body = write_answer(&answer, &context()).unwrap();
        let body = String::from_utf8(body).unwrap();
        let back = read_answer(&body, Vendor::Other).unwrap();
        // On its way through the client's dialect it got the mark of its maker.
        for part in answer.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            if let PartKind::Reasoning {
                opaque: Some(opaque), ..
            } = part
            {
                opaque.origin = Some(maker);
            }
        }
        assert_eq!(format!("{back:#?}"), format!("{answer:#?}"), "{body}");
    });
}
