use gateway_actors::protocol::TokenUsage;

use super::super::event::EventReader;
use super::*;
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::neutral::FinishReason;
use crate::dialects::replay::{self, Piece, told_by_events};
use crate::dialects::sse::Framing;

/// A stream with thinking, text and calls, as `docs/api.md` and `api/types.go` at v0.33.0-rc2 have it.
const STREAM: &str = concat!(
    r#"{"model":"qwen3","created_at":"2025-07-07T20:22:19.184789Z","message":{"role":"assistant","content":"","#,
    r#""thinking":"Two "},"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-07-07T20:22:19.184790Z","message":{"role":"assistant","content":"","#,
    r#""thinking":"calls."},"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-07-07T20:22:19.184791Z","message":{"role":"assistant","content":"Let – é","#,
    r#""images":null},"done":false}"#,
    "\r\n",
    r#"{"model":"qwen3","created_at":"2025-07-07T20:22:19.184792Z","message":{"role":"assistant","content":"","#,
    r#""tool_calls":[{"function":{"name":"weather","arguments":{"city":"Zürich"}}},{"id":"call_7","function":"#,
    r#"{"index":1,"name":"clock","arguments":{}}}]},"done":false}"#,
    "\n",
    r#"{"model":"qwen3","created_at":"2025-07-07T20:22:19.19314Z","message":{"role":"assistant","content":""},"#,
    r#""done_reason":"stop","done":true,"total_duration":182242375,"prompt_eval_count":169,"eval_count":15}"#,
    "\n",
);

fn events(stream: &str) -> Vec<Vec<u8>> {
    replay::split(Framing::Lines, [stream.as_bytes()])
}

fn read(stream: &str) -> Result<Vec<Event<'static>>, TranslationError> {
    replay::read(Reader::default(), Framing::Lines, &events(stream))
}

fn look(events: &[Vec<u8>]) -> Result<Vec<Seen>, BadEvent> {
    let mut reader = EventReader::default();
    replay::look(|event| reader.read(event), Framing::Lines, events)
}

#[test]
fn a_stream_tells_everything_in_its_order() {
    let told = told_by_events(&read(STREAM).unwrap());
    assert_eq!((told.id.as_str(), told.model.as_str()), ("", "qwen3"));
    assert_eq!(
        told.pieces,
        [
            Piece::Reasoning("Two calls.".to_owned(), None),
            Piece::Text("Let – é".to_owned()),
            Piece::Call {
                id: "call_20250707T202219184789Z_0".to_owned(),
                name: "weather".to_owned(),
                arguments: "{\"city\":\"Zürich\"}".to_owned(),
            },
            Piece::Call {
                id: "call_7".to_owned(),
                name: "clock".to_owned(),
                arguments: "{}".to_owned(),
            },
        ]
    );
    assert_eq!(told.finish, Some(FinishReason::ToolCalls));
    let usage = TokenUsage {
        input: 169,
        output: 15,
        ..TokenUsage::default()
    };
    assert_eq!(told.usage, UsageReport::Reported(usage));
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_events() {
    let whole = read(STREAM).unwrap();
    for at in 0..=STREAM.len() {
        let (head, tail) = STREAM.as_bytes().split_at(at);
        let split = replay::split(Framing::Lines, [head, tail]);
        assert_eq!(
            replay::read(Reader::default(), Framing::Lines, &split),
            Ok(whole.clone()),
            "cut at {at}"
        );
    }
    // The last line may lack its end.
    assert_eq!(read(STREAM.trim_end()), Ok(whole));
}

#[test]
fn a_stream_that_stops_early_never_passes_for_a_whole_one() {
    let events = events(STREAM);
    for count in 0..events.len() {
        let given = replay::read(Reader::default(), Framing::Lines, &events[..count]).unwrap();
        assert!(
            !given.iter().any(|event| matches!(event, Event::Finish(_))),
            "{count} lines"
        );
        let seen = look(&events[..count]).unwrap();
        assert!(
            seen.iter().all(|seen| !seen.finished && !seen.terminal),
            "{count} lines"
        );
    }
}

#[test]
fn older_servers_end_without_a_message_and_without_a_reason() {
    let stream = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"model\":\"m\",\"done\":true}\n";
    let told = told_by_events(&read(stream).unwrap());
    assert_eq!(told.pieces, [Piece::Text("a".to_owned())]);
    assert_eq!(told.finish, Some(FinishReason::Stop));
    assert_eq!(told.usage, UsageReport::Missing);
}

#[test]
fn nothing_may_follow_the_end() {
    let end = "{\"message\":{\"content\":\"a\"},\"done\":true}\n";
    assert!(read(&format!("{end}\n")).is_ok());
    assert_eq!(read(&format!("{end}{end}")), Err(BEHIND_THE_END));
}

#[test]
fn what_cannot_be_told_is_an_error_and_metering_sees_the_failures_too() {
    let begin = "{\"message\":{\"content\":\"a\"},\"done\":false}\n";
    for (line, is_failure) in [
        ("{\"error\":\"an error was encountered while running the model\"}", true),
        (
            "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"unload\"}",
            true,
        ),
        (
            "{\"message\":{\"tool_calls\":[{\"function\":{}}]},\"done\":false}",
            false,
        ),
        ("{}", false),
    ] {
        let stream = format!("{begin}{line}\n");
        assert!(read(&stream).is_err(), "{line}");
        let seen = look(&events(&stream));
        assert_eq!(matches!(seen, Err(BadEvent::Error(_))), is_failure, "{line}");
    }
    for line in ["[{}]", "{\"a", "5", "data: {}"] {
        assert!(read(line).is_err(), "{line}");
    }
}
