use super::*;
use crate::dialects::sse::Framing;

fn read_event(event: &[u8]) -> Result<Seen, BadEvent> {
    EventReader::new(Vendor::Other).read(&EventText::read(Framing::Events, event))
}
use gateway_actors::protocol::TokenUsage;

fn delta(delta: &str) -> Seen {
    let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n");
    read_event(event.as_bytes()).unwrap()
}

#[test]
fn text_reasoning_refusals_and_tool_calls_are_meaningful_and_measured() {
    let cases = [
        (r#"{"content":"abc"}"#, 3),
        (r#"{"reasoning":"ab","content":""}"#, 2),
        (r#"{"reasoning_content":"ab"}"#, 2),
        (r#"{"refusal":"no"}"#, 2),
        (
            r#"{"tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":""}}]}"#,
            1,
        ),
        (r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#, 6),
        (r#"{"tool_calls":[{"index":0}]}"#, 1),
        (r#"{"function_call":{"name":"fn"}}"#, 2),
        (r#"{"content":[{"text":"a"}]}"#, 14),
    ];
    for (json, bytes) in cases {
        let seen = delta(json);
        assert!(seen.meaningful, "{json}");
        assert_eq!(seen.content_bytes, bytes, "{json}");
    }
}

#[test]
fn roles_empty_deltas_comments_and_pings_are_not_meaningful() {
    for json in [
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":""}"#,
        "{}",
        "null",
    ] {
        assert!(!delta(json).meaningful, "{json}");
    }
    for event in [
        ": ping\n\n",
        "\n",
        "event: ping\ndata: {}\n\n",
        "data\n\n",
        "id: 7\nretry: 3\n\n",
    ] {
        assert_eq!(read_event(event.as_bytes()), Ok(Seen::default()), "{event:?}");
    }
}

#[test]
fn a_finish_reason_is_meaningful_and_finishes() {
    let seen = read_event(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n").unwrap();
    assert!(seen.meaningful && seen.finished && !seen.terminal);
}

#[test]
fn a_stream_is_finished_when_every_choice_that_has_begun_is() {
    let event = |choices: &[(&str, bool)]| {
        let choices = choices.iter().map(|(place, is_finished)| {
            let reason = if *is_finished { "\"stop\"" } else { "null" };
            format!("{{{place}\"delta\":{{\"content\":\"x\"}},\"finish_reason\":{reason}}}")
        });
        format!("data: {{\"choices\":[{}]}}\n\n", choices.collect::<Vec<_>>().join(","))
    };
    let (none, first, second) = ("", "\"index\":0,", "\"index\":1,");
    let far = "\"index\":4096,";
    for (events, expected) in [
        (vec![event(&[(first, false)])], false),
        (vec![event(&[(none, false)]), event(&[(none, true)])], true),
        (vec![event(&[(first, true)]), event(&[(second, false)])], false),
        (
            vec![event(&[(first, false), (second, false)]), event(&[(first, true)])],
            false,
        ),
        (vec![event(&[(second, true)]), event(&[(first, true)])], true),
        (vec![event(&[(first, true), (second, true)])], true),
        // Some tell the usage in a choice that says nothing more.
        (vec![event(&[(first, true)]), event(&[(first, false)])], true),
        (vec![event(&[(first, true)]), event(&[(far, true)])], false),
    ] {
        let mut reader = EventReader::new(Vendor::Other);
        let mut seen = Seen::default();
        for event in &events {
            seen = reader
                .read(&EventText::read(Framing::Events, event.as_bytes()))
                .unwrap();
            assert!(seen.meaningful);
        }
        assert_eq!(reader.is_finished(), expected, "{events:?}");
        assert!(!seen.finished || expected, "{events:?}");
    }
}

#[test]
fn an_empty_finish_reason_is_none() {
    let seen = read_event(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}\n\n").unwrap();
    assert!(!seen.meaningful && !seen.finished);
}

#[test]
fn data_may_stand_on_several_lines_and_without_the_space() {
    let event = b"data:{\"choices\":\ndata: [{\"delta\":{\"content\":\"hi\"}}]\r\ndata\rdata:}\n\n";
    assert_eq!(read_event(event).unwrap().content_bytes, 2);
    assert!(read_event(b"data:[DONE]\n\n").unwrap().terminal);
}

#[test]
fn an_event_for_usage_alone_is_known_from_one_that_carries_both() {
    let alone = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n";
    let both = b"data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n";
    let usage = UsageReport::Reported(TokenUsage {
        input: 4,
        output: 2,
        ..TokenUsage::default()
    });
    assert_eq!(read_event(alone).unwrap().usage, Some(usage));
    assert_eq!(read_event(both).unwrap().usage, Some(usage));
    let is_only_usage = |event: &[u8]| read_event(event).unwrap().only_usage;
    assert!(is_only_usage(alone) && !is_only_usage(both));
    assert!(!is_only_usage(
        b"data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"
    ));
    assert!(!is_only_usage(b"data: {\"choices\":[],\"usage\":null}\n\n"));
}

#[test]
fn errors_are_told_from_malformed_events() {
    let error = read_event(b"data: {\"error\":{\"message\":\"over\\nloaded\",\"code\":502}}\n\n").unwrap_err();
    let BadEvent::Error(object) = error else {
        panic!("{error:?}")
    };
    assert_eq!(object.to_string(), "502");
    let named = read_event(b"event: error\ndata: {\"detail\":\"gone\"}\n\n");
    assert!(matches!(named, Err(BadEvent::Error(_))));
    assert!(read_event(b"data: {\"choices\":[],\"error\":null}\n\n").is_ok());
    for bad in [
        "data: {\"a\n\n",
        "data: hello\n\n",
        "data: [1]\n\n",
        "data: {\"choices\":7}\n\n",
    ] {
        assert_eq!(read_event(bad.as_bytes()), Err(BadEvent::Malformed), "{bad:?}");
    }
}

/// Whether something of an answer came before the error that the last event is or with it, and its usage.
fn error_of(events: &[&str]) -> (String, bool, UsageReport) {
    let mut reader = EventReader::new(Vendor::Other);
    let read = |event: &&str| reader.read(&EventText::read(Framing::Events, event.as_bytes()));
    let mut told: Vec<_> = events.iter().map(read).collect();
    match told.pop() {
        Some(Err(BadEvent::Error(error))) => (error.to_string(), error.has_output, error.usage),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_choice_that_came_to_nothing_is_an_error() {
    let usage = UsageReport::Reported(TokenUsage {
        input: 4,
        output: 2,
        ..TokenUsage::default()
    });
    for (choice, word) in [
        (r#"{"delta":{"content":""},"finish_reason":"error"}"#, "error"),
        (
            r#"{"delta":{"content":"x"},"finish_reason":"error","error":{"code":502}}"#,
            "502",
        ),
        (
            r#"{"delta":{},"error":{"code":"rate_limit_exceeded"}}"#,
            "rate_limit_exceeded",
        ),
        (r#"{"delta":{}},{"delta":{},"finish_reason":"ABORT"}"#, "ABORT"),
        (r#"{"text":"","finish_reason":"network_error"}"#, "network_error"),
    ] {
        let alone = format!("data: {{\"choices\":[{choice}]}}\n\n");
        assert_eq!(error_of(&[&alone]), (word.to_owned(), true, UsageReport::Missing));
        let told =
            format!("data: {{\"choices\":[{choice}],\"usage\":{{\"prompt_tokens\":4,\"completion_tokens\":2}}}}\n\n");
        assert_eq!(error_of(&[&told]), (word.to_owned(), true, usage));
    }
    assert!(read_event(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"error\":null}]}\n\n").is_ok());
}

#[test]
fn an_error_tells_whether_an_answer_had_begun() {
    let error = "data: {\"error\":{\"code\":429}}\n\n";
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let filters = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    for (before, has_output) in [(": ping\n\n", false), (filters, false), (role, true)] {
        let told = error_of(&[before, error]);
        assert_eq!(told, ("429".to_owned(), has_output, UsageReport::Missing), "{before}");
    }
}

#[test]
fn an_event_that_is_an_error_without_saying_so_breaks_an_answer_that_is_not_finished() {
    let begun = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
    let finished = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    for (error, word) in [
        ("{\"detail\":\"boom\"}", "without a code"),
        ("{\"object\":\"error\",\"message\":\"boom\",\"code\":500}", "500"),
        (
            "{\"choices\":[],\"message\":\"boom\",\"code\":\"InternalError\"}",
            "InternalError",
        ),
        (
            "{\"choices\":[],\"x_groq\":{\"id\":\"r\",\"error\":\"boom\"}}",
            "without a code",
        ),
    ] {
        let error = format!("data: {error}\n\n");
        assert_eq!(
            error_of(&[begun, &error]),
            (word.to_owned(), true, UsageReport::Missing)
        );
    }
    // Behind the end an event may say what it likes, save that it is an error.
    let mut reader = EventReader::new(Vendor::Other);
    let mut read = |event: &str| reader.read(&EventText::read(Framing::Events, event.as_bytes()));
    for event in [begun, finished, "data: {\"detail\":\"boom\"}\n\n"] {
        assert!(read(event).is_ok(), "{event}");
    }
    assert!(read("data: {\"object\":\"error\",\"message\":\"boom\"}\n\n").is_err());
}

/// What a stream's events tell of usage last.
fn told_last(events: &[&str]) -> Option<UsageReport> {
    let mut reader = EventReader::new(Vendor::Other);
    let read = |event: &&str| {
        let event = format!("data: {event}\n\n");
        reader
            .read(&EventText::read(Framing::Events, event.as_bytes()))
            .unwrap()
    };
    events.iter().map(read).filter_map(|seen| seen.usage).last()
}

#[test]
fn usage_is_read_where_moonshot_and_groq_have_it() {
    let usage = r#"{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}"#;
    let of_choice = |index: u32| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{}},"finish_reason":"stop","usage":{usage}}}]}}"#)
    };
    let of_groq = format!(
        r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"id":"r","usage":{usage}}}}}"#
    );
    let expected = Some(UsageReport::Reported(TokenUsage {
        input: 4,
        output: 2,
        ..TokenUsage::default()
    }));
    assert_eq!(told_last(&[&of_choice(0)]), expected);
    assert_eq!(told_last(&[&of_groq]), expected);
    // One of several choices tells of itself.
    assert_eq!(
        told_last(&[r#"{"choices":[{"index":1,"delta":{}}]}"#, &of_choice(0)]),
        None
    );
    // What the chunk says of the whole counts before either.
    let both = r#"{"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":1,"completion_tokens":1}}],
        "usage":{"prompt_tokens":4,"completion_tokens":2},"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":9}}}"#
        .replace('\n', "");
    assert_eq!(told_last(&[&both]), expected);
}

#[test]
fn a_tier_that_any_chunk_names_is_that_of_the_usage() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#;
    let choice = |tier: &str| format!(r#"{{"service_tier":{tier},"choices":[{{"index":0,"delta":{{}}}}]}}"#);
    for (chunks, expected) in [
        (vec!["null"], Tier::Untold),
        (vec!["\"default\""], Tier::Usual),
        (vec!["\"auto\"", "\"priority\""], Tier::Other),
        (vec!["\"priority\"", "\"default\"", "null"], Tier::Usual),
    ] {
        let chunks: Vec<String> = chunks.into_iter().map(choice).collect();
        let events: Vec<&str> = chunks.iter().map(String::as_str).chain([usage]).collect();
        let Some(UsageReport::Reported(usage)) = told_last(&events) else {
            panic!("usage was told")
        };
        assert_eq!(usage.tier, expected, "{chunks:?}");
    }
}
