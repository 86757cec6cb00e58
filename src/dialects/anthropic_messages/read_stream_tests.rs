use gateway_actors::protocol::TokenUsage;

use super::*;
use crate::dialects::sse::{Framing, Splitter};

/// A stream with blocks of every kind that is read, and of some that are not. Written from `RawMessageStreamEvent` and
/// Anthropic's page on streaming messages, `anthropic` 2.14.0.
pub(super) const RICH: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\
    \"assistant\",\"model\":\"claude-opus-4-8\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\
    \"input_tokens\":25,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\
    \"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
    "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
    \"thinking_delta\",\"thinking\":\"Let me \\\"see\\\".\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
    \"signature_delta\",\"signature\":\"EqoB\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\
    \"redacted_thinking\",\"data\":\"Emw\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\
    \"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\
    \"input_json_delta\",\"partial_json\":\"{\\\"query\\\":\\\"x\\\"}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":3,\"content_block\":{\"type\":\"text\",\
    \"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\"text_delta\",\
    \"text\":\"Héllo\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":3,\"delta\":{\"type\":\
    \"citations_delta\",\"citation\":{\"type\":\"char_location\"}}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":3}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":4,\"content_block\":{\"type\":\
    \"tool_use\",\"id\":\"toolu_1\",\"name\":\"read\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":4,\"delta\":{\"type\":\
    \"input_json_delta\",\"partial_json\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":4,\"delta\":{\"type\":\
    \"input_json_delta\",\"partial_json\":\"{\\\"n\\\":\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":4,\"delta\":{\"type\":\
    \"input_json_delta\",\"partial_json\":\"1.50}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":4}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":5,\"content_block\":{\"type\":\
    \"tool_use\",\"id\":\"toolu_2\",\"name\":\"now\",\"input\":{}}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":5}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\
    \"usage\":{\"output_tokens\":15}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

fn owned(event: Event<'_>) -> String {
    format!("{event:?}")
}

/// What the events of a text say, fed in these pieces.
fn read<'t>(pieces: impl IntoIterator<Item = &'t [u8]>) -> Result<Vec<String>, TranslationError> {
    let mut splitter = Splitter::new(Framing::Events);
    let mut reader = Reader::default();
    let (mut given, mut carried) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        while let Some(end) = splitter.event_end(piece) {
            carried.extend_from_slice(&piece[..end]);
            piece = &piece[end..];
            splitter.taken(end);
            let event = std::mem::take(&mut carried);
            let event = EventText::read(Framing::Events, &event);
            reader.read(&event, &mut |event| given.push(owned(event)))?;
        }
        carried.extend_from_slice(piece);
        splitter.next_chunk();
    }
    Ok(given)
}

fn said(events: &[&str]) -> Result<Vec<String>, TranslationError> {
    let text: String = events.iter().map(|data| format!("data: {data}\n\n")).collect();
    read([text.as_bytes()])
}

fn usage(output: u64) -> Event<'static> {
    Event::Usage(UsageReport::Reported(TokenUsage {
        input: 30,
        cached_input: 3,
        cache_write_5m: 2,
        cache_write_untold: 2,
        output,
        ..TokenUsage::default()
    }))
}

/// What the rich stream says.
fn expected() -> Vec<String> {
    let arguments = |index, json: &'static str| Event::Arguments {
        index,
        json: json.into(),
    };
    let call = |index, id: &'static str, name: &'static str| Event::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
    };
    let events = [
        Event::Begin {
            id: "msg_01".into(),
            model: "claude-opus-4-8".into(),
        },
        Event::Reasoning("Let me \"see\".".into()),
        Event::Opaque(opaque(OpaqueKind::Signature, "EqoB".into())),
        Event::Opaque(opaque(OpaqueKind::Redacted, "Emw".into())),
        Event::Text("Héllo".into()),
        call(0, "toolu_1", "read"),
        arguments(0, "{\"n\":"),
        arguments(0, "1.50}"),
        call(1, "toolu_2", "now"),
        arguments(1, "{}"),
        Event::Finish(FinishReason::ToolCalls),
        usage(15),
    ];
    // `Owned` and `Borrowed` look the same.
    events.into_iter().map(owned).collect()
}

#[test]
fn a_stream_says_the_same_wherever_it_is_split() {
    let text = RICH.as_bytes();
    assert_eq!(read([text]).unwrap(), expected());
    for at in 0..=text.len() {
        assert_eq!(read([&text[..at], &text[at..]]).unwrap(), expected(), "{at}");
    }
    for size in [1, 2, 7, 100] {
        assert_eq!(read(text.chunks(size)).unwrap(), expected(), "{size}");
    }
    let lines_of_windows = RICH.replace('\n', "\r\n");
    assert_eq!(read([lines_of_windows.as_bytes()]).unwrap(), expected());
}

#[test]
fn a_stream_that_is_cut_has_no_end() {
    let ends: Vec<usize> = RICH.match_indices("\n\n").map(|(at, _)| at + 2).collect();
    for end in &ends[..ends.len() - 2] {
        let given = read([&RICH.as_bytes()[..*end]]).unwrap();
        assert!(!given.iter().any(|event| event.starts_with("Finish")), "{end}");
    }
}

#[test]
fn input_that_came_with_the_start_is_given_at_the_end_unless_pieces_came() {
    let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"1","name":"n","input":{"a":1}}}"#;
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let end = r#"{"type":"message_stop"}"#;
    let arguments = |json: &str| format!("Arguments {{ index: 0, json: {json:?} }}");
    for (events, json) in [
        (&[start, stop][..], "{\"a\":1}"),
        (&[start, end], "{\"a\":1}"),
        (&[start, piece, stop], "{}"),
    ] {
        let given = said(events).unwrap();
        let pieces: Vec<_> = given.iter().filter(|event| event.starts_with("Arguments")).collect();
        assert_eq!(pieces, [&arguments(json)], "{events:?}");
    }
}

#[test]
fn a_compatible_server_may_leave_out_the_start_and_the_reason() {
    let text = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"hi"}}"#;
    let given = said(&[text, r#"{"type":"message_stop"}"#]).unwrap();
    assert_eq!(
        given,
        ["Begin { id: \"\", model: \"\" }", "Text(\"hi\")", "Finish(Stop)"]
    );
}

#[test]
fn the_end_is_told_once_and_why_a_provider_refuses_before_it() {
    let refused = r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,
        "stop_details":{"type":"refusal","explanation":"Not this."}},"usage":{"output_tokens":0}}"#
        .replace('\n', " ");
    let given = said(&[&refused, &refused, r#"{"type":"message_stop"}"#]).unwrap();
    assert_eq!(given[1..], ["Refusal(\"Not this.\")", "Finish(Refused)"]);
    let stopped = r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"}}"#;
    assert_eq!(said(&[stopped]).unwrap()[1], "Finish(StopText(Some(\"END\")))");
}

#[test]
fn what_may_not_come_is_an_error() {
    let start = r#"{"type":"message_start","message":{"id":"1"}}"#;
    let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    for events in [
        &["[1]"][..],
        &["{}"],
        &["hello"],
        &[r#"{"type":"message_start"}"#],
        &[start, start],
        &[end, delta],
        &[r#"{"type":"content_block_start","index":0}"#],
        &[r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"1"}}"#],
        &[r#"{"type":"content_block_start","content_block":{"type":"tool_use","id":"1","name":"n"}}"#],
        &[r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking"}}"#],
        &[r#"{"type":"content_block_delta","index":0,"delta":{"text":"a"}}"#],
        &[r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta"}}"#],
        &[r#"{"type":"content_block_stop"}"#],
        &[r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#],
    ] {
        assert!(said(events).is_err(), "{events:?}");
    }
    assert!(
        said(&[r#"{"type":"brand_new"}"#, r#"{"type":"ping"}"#])
            .unwrap()
            .is_empty()
    );
}
