use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde_json::{Value, json};

use super::*;
use crate::dialects::neutral::{Choice, FinishReason, Origin, Tool, ToolKind, ToolNames};
use crate::dialects::openai_responses::read_answer;
use crate::dialects::openai_responses::samples::{context, model};

fn answer(parts: Vec<PartKind<'static>>, finish: FinishReason<'static>) -> Answer<'static> {
    Answer {
        id: "msg_of_anthropic".into(),
        model: Cow::Borrowed(""),
        choices: vec![Choice { parts, finish }],
        usage: UsageReport::Reported(TokenUsage {
            input: 10,
            cached_input: 4,
            output: 7,
            reasoning: 2,
            ..TokenUsage::default()
        }),
        ..Answer::default()
    }
}

fn written(parts: Vec<PartKind<'static>>, finish: FinishReason<'static>) -> Value {
    let context = context(names());
    let body = write_answer(&answer(parts, finish), &context).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn text(text: &'static str) -> PartKind<'static> {
    PartKind::Text(text.into())
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> PartKind<'static> {
    PartKind::ToolCall(ToolCall {
        id: id.into(),
        name: ToolName::plain(name),
        arguments: arguments.into(),
        is_custom: false,
    })
}

/// The names of a tool in a namespace, of a custom tool in one, and of the client's search for tools.
fn names() -> ToolNames {
    let function = ToolKind::Function {
        parameters: None,
        strict: None,
    };
    let tool = |name: ToolName<'static>, kind: ToolKind<'static>| Tool {
        name,
        description: None,
        kind,
        cache: None,
    };
    let in_group = |group: &'static str, name: &'static str| ToolName {
        namespace: Some(group.into()),
        name: name.into(),
    };
    let custom = ToolKind::Custom { format: None };
    let search = ToolKind::Function {
        parameters: None,
        strict: None,
    };
    ToolNames::of(&[
        tool(in_group("mcp__files", "read.all"), function),
        tool(in_group("functions", "exec"), custom),
        tool(tool_search::NAME, search),
    ])
}

#[test]
fn an_answer_is_a_response_that_repeats_its_request() {
    let body = written(vec![text("Hello"), text(""), text("!")], FinishReason::Stop);
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = json!({"type": "message", "id": "msg_0123_0", "status": "completed", "role": "assistant",
        "content": [part("Hello"), part("!")]});
    assert_eq!(body["output"], json!([item]));
    assert_eq!(
        (&body["id"], &body["object"]),
        (&json!("resp_0123"), &json!("response"))
    );
    assert_eq!((&body["status"], &body["error"]), (&json!("completed"), &Value::Null));
    assert_eq!(
        (&body["model"], &body["created_at"]),
        (&json!("small"), &json!(1_700_000_000))
    );
    assert_eq!(
        (&body["instructions"], &body["store"]),
        (&json!("be brief"), &json!(false))
    );
    let usage = json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 17});
    assert_eq!(body["usage"], usage);
}

#[test]
fn tools_have_the_clients_names_again() {
    let body = written(
        vec![
            text("I look."),
            call("c1", "mcp__files__read_all", "{\"a\":1}"),
            call("c2", "functions__exec", "{\"input\":\"ls -l\\n\"}"),
            call("", "look", " "),
            call("c4", "tool_search__client", "{\"query\":\n\"x\"}"),
        ],
        FinishReason::ToolCalls,
    );
    assert_eq!(body["status"], "completed");
    assert_eq!(
        body["output"].as_array().unwrap()[1..],
        [
            json!({"type": "function_call", "id": "fc_0123_1", "status": "completed", "call_id": "c1",
                "namespace": "mcp__files", "name": "read.all", "arguments": "{\"a\":1}"}),
            json!({"type": "custom_tool_call", "id": "ctc_0123_2", "status": "completed", "call_id": "c2",
                "namespace": "functions", "name": "exec", "input": "ls -l\n"}),
            json!({"type": "function_call", "id": "fc_0123_3", "status": "completed", "call_id": "call_0123_3",
                "name": "look", "arguments": "{}"}),
            json!({"type": "tool_search_call", "id": "tsc_0123_4", "status": "completed", "call_id": "c4",
                "execution": "client", "arguments": {"query": "x"}}),
        ]
    );
}

#[test]
fn reasoning_carries_its_state_and_who_made_it() {
    let thought = |kind: OpaqueKind, data: &'static str| PartKind::Reasoning {
        text: "hm".into(),
        opaque: Some(Opaque {
            kind,
            data: data.into(),
            origin: None,
        }),
    };
    let silent = PartKind::Reasoning {
        text: Cow::Borrowed(""),
        opaque: None,
    };
    let body = written(
        vec![
            thought(OpaqueKind::Encrypted, "rs_9|gAAA="),
            thought(OpaqueKind::Signature, "sig"),
            silent,
        ],
        FinishReason::Stop,
    );
    let origin = Opaque {
        kind: OpaqueKind::Signature,
        data: "sig".into(),
        origin: None,
    };
    let marked = origin
        .to_field(OpaqueKind::Encrypted, Origin::of(&model("small")))
        .into_owned();
    assert!(marked.starts_with("gw1.s."));
    let summary = json!([{"type": "summary_text", "text": "hm"}]);
    assert_eq!(
        body["output"],
        json!([
            {"type": "reasoning", "id": "rs_9", "summary": summary, "encrypted_content": "gAAA="},
            {"type": "reasoning", "id": "rs_0123_1", "summary": summary, "encrypted_content": marked},
            {"type": "reasoning", "id": "rs_0123_2", "summary": []},
        ])
    );
}

#[test]
fn an_answer_that_is_not_whole_says_why() {
    for (finish, reason) in [
        (FinishReason::Length, "max_output_tokens"),
        (FinishReason::Paused, "max_output_tokens"),
        (FinishReason::Refused, "content_filter"),
    ] {
        let body = written(vec![text("a"), call("c", "look", "{}"), text("b")], finish);
        assert_eq!(body["status"], "incomplete");
        assert_eq!(body["incomplete_details"], json!({"reason": reason}));
        let of_items: Vec<&str> = body["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["status"].as_str().unwrap())
            .collect();
        assert_eq!(of_items, ["completed", "completed", "incomplete"]);
    }
    let refusal = PartKind::Refusal("no".into());
    let body = written(vec![refusal], FinishReason::Refused);
    assert_eq!(
        (&body["status"], &body["incomplete_details"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!(
        body["output"][0]["content"],
        json!([{"type": "refusal", "refusal": "no"}])
    );
}

#[test]
fn usage_that_nobody_knows_is_null_and_no_choice_is_an_error() {
    let mut unknown = answer(Vec::new(), FinishReason::Stop);
    unknown.usage = UsageReport::Absurd;
    unknown.id = "resp_own".into();
    unknown.model = "own".into();
    let context = context(ToolNames::default());
    let body: Value = serde_json::from_slice(&write_answer(&unknown, &context).unwrap()).unwrap();
    assert_eq!((&body["usage"], &body["output"]), (&Value::Null, &json!([])));
    assert_eq!((&body["id"], &body["model"]), (&json!("resp_own"), &json!("own")));
    unknown.choices.clear();
    assert!(write_answer(&unknown, &context).is_err());
}

#[test]
fn what_was_written_is_read_again() {
    let parts = vec![
        PartKind::Reasoning {
            text: "hm".into(),
            opaque: Some(Opaque {
                kind: OpaqueKind::Encrypted,
                data: "rs_9|gAAA=".into(),
                origin: None,
            }),
        },
        text("a\"b"),
        call("c1", "look", "{\"a\":1}"),
    ];
    let context = context(ToolNames::default());
    let first = write_answer(&answer(parts, FinishReason::ToolCalls), &context).unwrap();
    let first = String::from_utf8(first).unwrap();
    let again = read_answer(&first).unwrap();
    assert_eq!(again.choices[0].finish, FinishReason::ToolCalls);
    assert_eq!(write_answer(&again, &context).unwrap(), first.as_bytes());
}
