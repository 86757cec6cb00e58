use gateway_actors::protocol::TokenUsage;

use super::*;

/// Written from `types/chat/chat_completion.py` of the `openai` package, version 3.57.0.
const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"gpt-x-2026","choices":[
    {"index":0,"message":{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}},
        {"id":"call_2","type":"custom","custom":{"name":"shell","input":"ls"}}]},
     "logprobs":null,"finish_reason":"tool_calls"},
    {"index":1,"message":{"role":"assistant","content":"Hi \"you\"","refusal":null},"logprobs":null,"finish_reason":"length"}],
    "usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},
        "completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default","system_fingerprint":"fp_1"}"#;

fn one(message: &str, more: &str) -> String {
    format!(r#"{{"id":"a","model":"m","choices":[{{"message":{message},{more}}}]}}"#)
}

fn parts(message: &str) -> String {
    let body = one(message, r#""finish_reason":"stop""#);
    let answer = read_answer(&body, Vendor::Other).unwrap();
    let parts = answer.choices[0].parts.iter().map(|part| match part {
        PartKind::Text(text) => format!("text {text}"),
        PartKind::Refusal(text) => format!("refusal {text}"),
        PartKind::Reasoning { text, opaque } => match opaque {
            Some(opaque) => format!("reasoning {text} {:?}", opaque.kind),
            None => format!("reasoning {text}"),
        },
        PartKind::ToolCall(call) => format!("call {} {} {}", call.name.name, call.arguments, call.is_custom),
        other => panic!("{other:?}"),
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[test]
fn an_answer_is_read_whole() {
    let answer = read_answer(ANSWER, Vendor::Other).unwrap();
    assert_eq!((&*answer.id, &*answer.model), ("chatcmpl-1", "gpt-x-2026"));
    let usage = TokenUsage {
        input: 9,
        cached_input: 4,
        output: 5,
        reasoning: 2,
        ..TokenUsage::default()
    };
    assert_eq!(answer.usage, UsageReport::Reported(usage));
    let [calls, text] = answer.choices.as_slice() else {
        panic!()
    };
    assert_eq!((&calls.finish, calls.parts.len()), (&FinishReason::ToolCalls, 2));
    assert!(matches!(&calls.parts[1], PartKind::ToolCall(call) if call.is_custom && call.arguments == "ls"));
    assert!(matches!(text.parts.as_slice(), [PartKind::Text(text)] if text == "Hi \"you\""));
    assert_eq!(text.finish, FinishReason::Length);
}

#[test]
fn what_is_said_is_found_in_every_form() {
    for (message, expected) in [
        (r#"{"content":"a"}"#, "text a"),
        (r#"{"content":""}"#, ""),
        (r#"{"content":null,"refusal":"no"}"#, "refusal no"),
        (
            r#"{"content":null,"audio":{"id":"a","data":"UklG","expires_at":1,"transcript":"spoken"}}"#,
            "text spoken",
        ),
        (r#"{"content":"a","audio":null,"images":[]}"#, "text a"),
        (r#"{"content":"a","reasoning_content":"hm"}"#, "reasoning hm; text a"),
        (r#"{"content":"a","reasoning":"hm"}"#, "reasoning hm; text a"),
        (
            r#"{"content":"a","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"E"}]}"#,
            "reasoning hm Details; text a",
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},
                {"type":"text","text":"b"}]}"#,
            "reasoning hm; text ab",
        ),
        (
            r#"{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
            "call f {} false",
        ),
        (
            r#"{"tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a":1}}}]}"#,
            "call f {\"a\":1} false",
        ),
    ] {
        assert_eq!(parts(message), expected, "{message}");
    }
    let legacy = read_answer(r#"{"choices":[{"text":"old","finish_reason":"stop"}]}"#, Vendor::Other).unwrap();
    assert!(matches!(legacy.choices[0].parts.as_slice(), [PartKind::Text(text)] if text == "old"));
}

#[test]
fn a_call_without_an_id_gets_one() {
    let body = one(
        r#"{"tool_calls":[{"id":"","function":{"name":"f"}}]}"#,
        r#""finish_reason":"stop""#,
    );
    let answer = read_answer(&body, Vendor::Other).unwrap();
    let PartKind::ToolCall(call) = &answer.choices[0].parts[0] else {
        panic!()
    };
    assert!(call.id.starts_with("call_") && call.id.len() <= 40);
    assert_eq!(
        answer.choices[0].finish,
        FinishReason::ToolCalls,
        "whatever word the provider has for it"
    );
}

#[test]
fn why_it_ended_is_read_from_every_providers_word() {
    let finish = |more: &str| {
        let body = one(r#"{"content":"a"}"#, more);
        let answer = read_answer(&body, Vendor::Other)?;
        Ok(format!("{:?}", answer.choices[0].finish))
    };
    for (more, expected) in [
        (r#""finish_reason":"stop""#, "Stop"),
        (r#""finish_reason":null"#, "Stop"),
        (r#""finish_reason":"eos""#, "Stop"),
        (
            r#""finish_reason":"stop","stop_reason":"END""#,
            "StopText(Some(\"END\"))",
        ),
        (r#""finish_reason":"stop","stop_reason":128009"#, "Stop"),
        (r#""finish_reason":"model_length""#, "Length"),
        (r#""finish_reason":"MAX_TOKENS""#, "Length"),
        (r#""finish_reason":"content_filter""#, "Refused"),
        (r#""finish_reason":"SAFETY""#, "Refused"),
        (r#""finish_reason":"sensitive""#, "Refused"),
    ] {
        assert_eq!(finish(more).as_deref(), Ok(expected), "{more}");
    }
    for word in ["error", "abort", "network_error", "insufficient_system_resource"] {
        let failed: Result<String, TranslationError> = finish(&format!(r#""finish_reason":"{word}""#));
        assert!(failed.is_err(), "{word}");
    }
}

#[test]
fn what_is_no_answer_is_an_error() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":[{}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"id":"1"}]}}]}"#,
        r#"{"choices":[{"message":{"tool_calls":[{"id":"1","function":{"name":""}}]}}]}"#,
        r#"{"choices":[{"message":{"content":"a"}}],"error":{"message":"x"}}"#,
    ] {
        assert!(read_answer(body, Vendor::Other).is_err(), "{body}");
    }
    for length in 0..ANSWER.len() {
        assert!(read_answer(&ANSWER[..length], Vendor::Other).is_err(), "{length}");
    }
}

#[test]
fn an_image_in_an_answer_is_an_error_and_not_lost() {
    let image =
        r#"{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}"#;
    let body = one(image, r#""finish_reason":"stop""#);
    assert!(read_answer(&body, Vendor::Other).is_err());
}
