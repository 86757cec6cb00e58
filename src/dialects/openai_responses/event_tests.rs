use super::*;
use crate::dialects::sse::Framing;
use gateway_actors::protocol::TokenUsage;

fn read_all<'e>(events: impl IntoIterator<Item = &'e str>) -> Vec<Result<Seen, BadEvent>> {
    let mut reader = EventReader::default();
    let text = |data| format!("data: {data}\n\n");
    let read = |event: String| reader.read(&EventText::read(Framing::Events, event.as_bytes()));
    events.into_iter().map(text).map(read).collect()
}

fn seen(data: &str) -> Seen {
    read_all([data]).remove(0).unwrap()
}

#[test]
fn text_reasoning_refusals_and_tool_calls_are_meaningful_and_measured() {
    for (kind, bytes) in [
        ("output_text", 3),
        ("refusal", 3),
        ("reasoning_summary_text", 3),
        ("reasoning_text", 3),
        ("function_call_arguments", 3),
        ("custom_tool_call_input", 3),
    ] {
        let seen = seen(&format!(r#"{{"type":"response.{kind}.delta","delta":"abc"}}"#));
        assert!(seen.meaningful && seen.content_bytes == bytes, "{kind}");
    }
    let call =
        seen(r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"look","arguments":""}}"#);
    assert!(call.meaningful && call.content_bytes == 4);
    let unnamed = seen(r#"{"type":"response.output_item.added","item":{"type":"custom_tool_call"}}"#);
    assert_eq!(unnamed.content_bytes, 1);
}

#[test]
fn starts_empty_items_and_pings_are_not_meaningful() {
    for data in [
        r#"{"type":"response.created","response":{"status":"in_progress","usage":null,"error":null}}"#,
        r#"{"type":"response.in_progress","response":{}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#,
        r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
        r#"{"type":"response.output_text.delta","delta":""}"#,
        r#"{"type":"keepalive"}"#,
    ] {
        assert_eq!(seen(data), Seen::default(), "{data}");
    }
    assert_eq!(read_all([""]), [Ok(Seen::default())]);
}

#[test]
fn what_a_finished_item_has_beyond_its_deltas_is_measured_too() {
    let item = r#"{"type":"message","content":[{"type":"output_text","text":"Hello"},{"refusal":"no"}]}"#;
    let done = format!(r#"{{"type":"response.output_item.done","item":{item}}}"#);
    let delta = r#"{"type":"response.output_text.delta","delta":"Hel"}"#;
    let bytes = |events: &[&str]| -> Vec<u64> {
        let seen = read_all(events.iter().copied());
        seen.into_iter().map(|seen| seen.unwrap().content_bytes).collect()
    };
    assert_eq!(bytes(&[&done]), [7]);
    assert_eq!(bytes(&[delta, &done]), [3, 4]);
    assert_eq!(bytes(&[delta, delta, delta, &done]), [3, 3, 3, 0]);
    let call = r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":"{}"}}"#;
    assert_eq!(bytes(&[call]), [3]);
}

#[test]
fn the_end_finishes_and_tells_the_usage() {
    for kind in ["completed", "incomplete"] {
        let data = format!(
            r#"{{"type":"response.{kind}","response":{{"error":null,"usage":{{"input_tokens":4,"output_tokens":2}}}}}}"#
        );
        let seen = seen(&data);
        assert!(seen.meaningful && seen.finished && seen.terminal);
        let usage = TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        };
        assert_eq!(seen.usage, Some(UsageReport::Reported(usage)));
    }
    assert_eq!(seen("[DONE]"), Seen::default());
    assert_eq!(
        seen(r#"{"type":"response.completed","response":{"usage":null}}"#).usage,
        None
    );
}

#[test]
fn errors_are_told_from_malformed_events() {
    for (data, code) in [
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"x"}"#,
            "rate_limit_exceeded",
        ),
        (
            r#"{"type":"error","error":{"code":"boom"},"sequence_number":2}"#,
            "boom",
        ),
        (r#"{"error":{"code":502}}"#, "502"),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}"#,
            "server_error",
        ),
        (
            r#"{"type":"response.failed","response":{"error":null}}"#,
            "without a code",
        ),
    ] {
        let error = read_all([data]).remove(0).unwrap_err();
        let BadEvent::Error(object) = error else {
            panic!("{error:?}")
        };
        assert_eq!(object.to_string(), code, "{data}");
    }
    for bad in [r#"{"a"#, "hello", "[1]", "{}", r#"{"type":7}"#] {
        assert_eq!(read_all([bad]), [Err(BadEvent::Malformed)], "{bad:?}");
    }
}

#[test]
fn a_failure_tells_its_usage_and_whether_an_answer_had_begun() {
    let begun = [
        r#"{"type":"response.created","response":{"output":[]}}"#,
        r#"{"type":"response.in_progress","response":{"output":[]}}"#,
    ];
    let item = r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#;
    let failed = |output: &str, usage: &str| {
        format!(
            r#"{{"type":"response.failed","response":{{"output":{output},"error":{{"code":"rate_limit_exceeded"}},"usage":{usage}}}}}"#
        )
    };
    let told = |events: &[&str]| match read_all(events.iter().copied()).pop() {
        Some(Err(BadEvent::Error(error))) => (error.has_output, error.usage),
        other => panic!("{other:?}"),
    };
    let (none, empty) = (UsageReport::Missing, failed("[]", "null"));
    assert_eq!(told(&[begun[0], begun[1], &empty]), (false, none));
    assert_eq!(told(&[begun[0], begun[1], item, &empty]), (true, none));
    assert_eq!(told(&[&failed(r#"[{"type":"reasoning"}]"#, "null")]), (true, none));
    let usage = |input, output| {
        UsageReport::Reported(TokenUsage {
            input,
            output,
            ..TokenUsage::default()
        })
    };
    let reported = failed("[]", r#"{"input_tokens":4,"output_tokens":2}"#);
    assert_eq!(told(&[item, &reported]), (true, usage(4, 2)));
    // Something was made, whatever this says.
    let without_output = failed("[]", r#"{"input_tokens":4,"output_tokens":0}"#);
    assert_eq!(told(&[item, &without_output]), (true, none));
    assert_eq!(told(&[&without_output]), (false, usage(4, 0)));
    let event = r#"{"type":"error","code":"context_length_exceeded","message":"x"}"#;
    assert_eq!(told(&[begun[0], event]), (false, none));
}
