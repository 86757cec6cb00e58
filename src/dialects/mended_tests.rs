use gateway_actors::protocol::{Dialect, TokenUsage, Vendor};

use super::*;
use crate::dialects::provider_side::stream_reader;
use crate::dialects::sse::Framing;

/// What a stream of chat completions says, in short words.
fn said(chunks: &[&str]) -> Vec<String> {
    let mut reader = stream_reader(Dialect::OpenaiChat, Vendor::Other);
    let mut said = Vec::new();
    for chunk in chunks {
        let event = format!("data: {chunk}\n\n");
        let mut give = |event: Event<'_>| {
            said.push(match event {
                Event::Begin { .. } | Event::ServiceTier(_) => return,
                Event::Text(text) => format!("text {text}"),
                Event::Refusal(text) => format!("refusal {text}"),
                Event::Reasoning(text) => format!("reasoning {text}"),
                Event::Opaque(_) => "opaque".to_owned(),
                Event::ToolCall { index, .. } => format!("call {index}"),
                Event::Arguments { index, json } => format!("arguments {index} {json}"),
                Event::Finish(_) => "finish".to_owned(),
                Event::Usage(UsageReport::Reported(TokenUsage { input, output, .. })) => {
                    format!("usage {input} {output}")
                }
                Event::Usage(_) => "usage".to_owned(),
            });
        };
        let event = EventText::read(Framing::Events, event.as_bytes());
        reader.read(&event, &mut give).unwrap();
    }
    said
}

fn delta(delta: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#)
}

/// What comes of these deltas, and the end of the answer.
fn heard(deltas: &[&str]) -> Vec<String> {
    let mut chunks: Vec<String> = deltas.iter().map(|json| delta(json)).collect();
    chunks.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned());
    said(&chunks.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_character_that_a_stream_cut_in_two_is_whole_again() {
    assert_eq!(
        heard(&[r#"{"content":"a\ud83d"}"#, r#"{"content":"\ude00b"}"#]),
        ["text a", "text 😀b", "finish"]
    );
    assert_eq!(
        heard(&[
            r#"{"content":"\uD83D"}"#,
            r#"{"content":""}"#,
            r#"{"content":"\uDE00\ud83d"}"#,
            r#"{"content":"\ude01"}"#
        ]),
        ["text 😀", "text 😁", "finish"]
    );
    assert_eq!(
        heard(&[
            r#"{"reasoning_content":"\ud83d"}"#,
            r#"{"reasoning_content":"\ude00"}"#,
            r#"{"refusal":"\ud83d"}"#,
            r#"{"refusal":"\ude00"}"#
        ]),
        ["reasoning 😀", "refusal 😀", "finish"]
    );
}

#[test]
fn a_half_without_its_other_is_the_character_for_what_cannot_be_read() {
    for (deltas, expected) in [
        (vec![r#"{"content":"a\ud83d b"}"#], vec!["text a\u{fffd} b", "finish"]),
        (vec![r#"{"content":"\ude00b"}"#], vec!["text \u{fffd}b", "finish"]),
        (
            vec![r#"{"content":"a\ud83d"}"#, r#"{"content":"b"}"#],
            vec!["text a", "text \u{fffd}b", "finish"],
        ),
        (
            vec![r#"{"content":"a\ud83d"}"#],
            vec!["text a", "text \u{fffd}", "finish"],
        ),
        (
            vec![r#"{"content":"a\ud83d"}"#, r#"{"refusal":"\ude00b"}"#],
            vec!["text a", "text \u{fffd}", "refusal \u{fffd}b", "finish"],
        ),
        (
            vec![r#"{"content":"\ud83d\ud83d\ude00"}"#],
            vec!["text \u{fffd}😀", "finish"],
        ),
    ] {
        assert_eq!(heard(&deltas), expected, "{deltas:?}");
    }
}

#[test]
fn calls_that_take_turns_keep_their_halves_apart() {
    let piece = |index: u32, more: &str| format!(r#"{{"tool_calls":[{{"index":{index},{more}}}]}}"#);
    let begin = |index| {
        piece(
            index,
            &format!(r#""id":"c{index}","function":{{"name":"f","arguments":"{{"}}"#),
        )
    };
    let go_on = |index, arguments: &str| piece(index, &format!(r#""function":{{"arguments":"{arguments}"}}"#));
    let deltas = [
        begin(0),
        begin(1),
        go_on(0, r#"\"a\":\"\ud83d"#),
        go_on(1, r#"\"b\":\"\ud83d"#),
        go_on(0, r#"\ude00\"}"#),
        go_on(1, r#"\ude01\"}"#),
    ];
    assert_eq!(
        heard(&deltas.each_ref().map(String::as_str)),
        [
            "call 0",
            "arguments 0 {",
            "call 1",
            "arguments 1 {",
            "arguments 0 \"a\":\"",
            "arguments 1 \"b\":\"",
            "arguments 0 😀\"}",
            "arguments 1 😁\"}",
            "finish"
        ]
    );
}

#[test]
fn what_only_looks_like_a_half_is_left_as_it_is() {
    for json in [
        r#"{"content":"\ud83d\ude00 \\ud83d \u00e9 \"\\"}"#,
        r#"{"content":"no escapes"}"#,
        r#"{"content":"\ud83"#,
        r#"\u"#,
    ] {
        assert_eq!(marked(json.as_bytes()), None, "{json}");
    }
    // A character that stands for a half here is one of its own where there are none.
    assert_eq!(heard(&[r#"{"content":"\udbf6\udc3d"}"#]), ["text \u{10d83d}", "finish"]);
}

#[test]
fn usage_of_nothing_behind_usage_of_something_is_not_told() {
    let usage = |prompt: u32, completion: u32| {
        format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{}}}}}"#,
            prompt + completion
        )
    };
    let (none, some, more) = (usage(0, 0), usage(7, 2), usage(7, 3));
    assert_eq!(
        said(&[&none, &some, &more, &none]),
        ["usage 0 0", "usage 7 2", "usage 7 3"]
    );
}
