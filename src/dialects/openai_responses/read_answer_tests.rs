use std::borrow::Cow;

use gateway_actors::protocol::TokenUsage;

use super::*;
use crate::dialects::neutral::{OpaqueKind, ToolName};

/// An answer with an item of each kind, by the types of `openai` 3.57.0.
const RICH: &str = r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,
    "incomplete_details":null,"model":"gpt-6","output":[
     {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],
      "encrypted_content":"gAAA="},
     {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}},
     {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[
      {"type":"output_text","text":"Hi \u00e9","annotations":[]},{"type":"output_text","text":"!","annotations":[]}]},
     {"type":"function_call","id":"fc_1","call_id":"c1","name":"look","arguments":"{\"a\":1}","status":"completed"},
     {"type":"custom_tool_call","id":"ctc_1","call_id":"c2","name":"sql","input":"SELECT 1"},
     {"type":"never_heard_of"}],
    "usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":6,"cache_write_tokens":0},
     "output_tokens":87,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":123}}"#;

#[test]
fn an_answer_is_read_in_order_without_the_tools_that_its_provider_ran() {
    let answer = read_answer(RICH).unwrap();
    assert_eq!((&*answer.id, &*answer.model), ("resp_1", "gpt-6"));
    let expected = TokenUsage {
        input: 36,
        cached_input: 6,
        output: 87,
        reasoning: 7,
        ..TokenUsage::default()
    };
    assert_eq!(answer.usage, UsageReport::Reported(expected));
    assert_eq!(answer.choices[0].finish, FinishReason::ToolCalls);
    let [thought, hi, rest, look, sql] = answer.choices[0].parts.as_slice() else {
        panic!("{answer:?}")
    };
    let PartKind::Reasoning {
        text,
        opaque: Some(opaque),
    } = thought
    else {
        panic!("{thought:?}")
    };
    assert_eq!(
        (&**text, &*opaque.data, opaque.kind),
        ("a\n\nb", "rs_1|gAAA=", OpaqueKind::Encrypted)
    );
    assert!(matches!(hi, PartKind::Text(text) if text == "Hi é"));
    assert!(matches!(rest, PartKind::Text(Cow::Borrowed("!"))));
    let PartKind::ToolCall(look) = look else {
        panic!("{look:?}")
    };
    assert_eq!(
        (&*look.id, &look.name, &*look.arguments),
        ("c1", &ToolName::plain("look"), r#"{"a":1}"#)
    );
    let PartKind::ToolCall(sql) = sql else {
        panic!("{sql:?}")
    };
    assert_eq!((&*sql.id, &*sql.arguments, sql.is_custom), ("c2", "SELECT 1", true));
}

#[test]
fn how_an_answer_ended_is_told_by_its_status_and_by_what_it_says() {
    let finish = |status: &str, part: &str| {
        let item = format!(r#"{{"type":"message","content":[{part}]}}"#);
        let body = format!(r#"{{"output":[{item}],{status}}}"#);
        read_answer(&body).map(|answer| match answer.choices[0].finish {
            FinishReason::Stop => "stop",
            FinishReason::Refused => "refused",
            FinishReason::Length => "length",
            _ => "another",
        })
    };
    let text = r#"{"type":"output_text","text":"x"}"#;
    let refusal = r#"{"type":"refusal","refusal":"no"}"#;
    assert_eq!(finish(r#""status":"completed""#, text), Ok("stop"));
    assert_eq!(finish(r#""x":1"#, text), Ok("stop"));
    assert_eq!(finish(r#""status":"completed""#, refusal), Ok("stop"));
    let incomplete = |reason: &str| format!(r#""status":"incomplete","incomplete_details":{reason}"#);
    assert_eq!(
        finish(&incomplete(r#"{"reason":"max_output_tokens"}"#), text),
        Ok("length")
    );
    assert_eq!(finish(&incomplete("null"), text), Ok("length"));
    assert_eq!(
        finish(&incomplete(r#"{"reason":"content_filter"}"#), text),
        Ok("refused")
    );
    for status in ["failed", "in_progress", "queued", "cancelled"] {
        assert!(finish(&format!(r#""status":"{status}""#), text).is_err(), "{status}");
    }
}

#[test]
fn what_is_no_answer_is_an_error() {
    for body in [
        "",
        "{}",
        "[]",
        r#"{"output":{}}"#,
        r#"{"output":[5]}"#,
        r#"{"output":null}"#,
    ] {
        assert!(read_answer(body).is_err(), "{body}");
    }
}
