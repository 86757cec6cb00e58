use gateway_actors::protocol::TokenUsage;

use super::*;
use crate::dialects::neutral::FinishReason;

/// An answer with blocks of every kind that is read, and of some that are not. Written from `Message` and its blocks,
/// `anthropic` 2.14.0.
const RICH: &str = r#"{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-8","container":null,
    "content":[
        {"type":"thinking","thinking":"Let me \"see\".","signature":"EqoB"},
        {"type":"thinking","thinking":"","signature":"Eq2"},
        {"type":"redacted_thinking","data":"Emw"},
        {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},
        {"type":"text","text":"Here: ","citations":null},
        {"type":"text","text":""},
        {"type":"tool_use","id":"toolu_1","name":"read","input":{"n":1.50},"caller":{"type":"direct"}}],
    "stop_reason":"tool_use","stop_sequence":null,"stop_details":null,
    "usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":7,
        "service_tier":"standard"}}"#;

#[test]
fn an_answer_is_read_block_by_block() {
    let answer = read_answer(RICH).unwrap();
    assert_eq!((&*answer.id, &*answer.model), ("msg_01", "claude-opus-4-8"));
    let usage = TokenUsage {
        input: 17,
        cached_input: 4,
        cache_write_5m: 3,
        cache_write_untold: 3,
        output: 7,
        ..TokenUsage::default()
    };
    assert_eq!(answer.usage, UsageReport::Reported(usage));
    let [choice] = &answer.choices[..] else { panic!() };
    assert_eq!(choice.finish, FinishReason::ToolCalls);
    let [signed, hidden, redacted, text, call] = &choice.parts[..] else {
        panic!("{:?}", choice.parts)
    };
    let state = |part: &PartKind<'_>| match part {
        PartKind::Reasoning {
            text,
            opaque: Some(opaque),
        } => (text.clone().into_owned(), opaque.kind, opaque.data.clone().into_owned()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        state(signed),
        ("Let me \"see\".".to_owned(), OpaqueKind::Signature, "EqoB".to_owned())
    );
    assert_eq!(state(hidden), (String::new(), OpaqueKind::Signature, "Eq2".to_owned()));
    assert_eq!(state(redacted), (String::new(), OpaqueKind::Redacted, "Emw".to_owned()));
    assert!(matches!(text, PartKind::Text(text) if text == "Here: "));
    assert!(matches!(call, PartKind::ToolCall(call) if call.arguments == "{\"n\":1.50}" && call.id == "toolu_1"));
}

#[test]
fn an_answer_of_a_compatible_server_may_lack_what_is_not_needed() {
    let answer = read_answer(r#"{"content":[{"type":"thinking","thinking":"a"},{"type":"text","text":"b"}]}"#).unwrap();
    assert_eq!((&*answer.id, answer.usage), ("", UsageReport::Missing));
    let choice = &answer.choices[0];
    assert_eq!((choice.parts.len(), &choice.finish), (2, &FinishReason::Stop));
    assert!(matches!(&choice.parts[0], PartKind::Reasoning { opaque: None, .. }));
}

#[test]
fn why_a_provider_refuses_is_a_refusal() {
    let body = r#"{"content":[{"type":"text","text":"I "}],"stop_reason":"refusal",
        "stop_details":{"type":"refusal","category":"bio","explanation":"Not this."}}"#;
    let answer = read_answer(body).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(choice.finish, FinishReason::Refused);
    assert!(matches!(&choice.parts[1], PartKind::Refusal(why) if why == "Not this."));
}

#[test]
fn what_is_no_message_is_an_error() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"content":"hi"}"#,
        r#"{"content":[5]}"#,
        r#"{"content":[{"type":"text"}]}"#,
        r#"{"content":[{"type":"thinking","signature":"x"}]}"#,
        r#"{"content":[{"type":"redacted_thinking"}]}"#,
        r#"{"content":[{"type":"tool_use","id":"1","name":"n"}]}"#,
        r#"{"content":[{"type":"tool_use","id":"1","name":"n","input":[]}]}"#,
        r#"{"content":[{"type":"tool_use","name":"n","input":{}}]}"#,
        r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
    ] {
        assert!(read_answer(body).is_err(), "{body}");
    }
    for length in 0..RICH.len() {
        assert!(read_answer(&RICH[..length]).is_err());
    }
}
