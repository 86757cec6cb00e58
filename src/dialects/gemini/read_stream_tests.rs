use gateway_actors::protocol::TokenUsage;

use super::super::event::EventReader;
use super::*;
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::replay::{self, Piece, told_by_events};
use crate::dialects::sse::Framing;

/// A stream with thoughts, text, calls and signatures, of the shape of google-genai 3.6.1 and in the pieces in which the
/// API sends it: usage in every chunk, the reason in the last, no end mark.
const STREAM: &str = concat!(
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"**Weather**\\n\",\"thought\": true}],",
    "\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 40,\"totalTokenCount\": 60,",
    "\"thoughtsTokenCount\": 20},\"modelVersion\": \"gemini-3-flash-preview\",\"responseId\": \"mAitaLmk\"}\r\n\r\n",
    ": ping\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Let me \"}],\"role\": \"model\"},\"index\": 0}],",
    "\"usageMetadata\": {\"promptTokenCount\": 40,\"candidatesTokenCount\": 2,\"totalTokenCount\": 62,",
    "\"thoughtsTokenCount\": 20},\"modelVersion\": \"gemini-3-flash-preview\",\"responseId\": \"mAitaLmk\"}\r\n\r\n",
    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"look – \\u00e9.\"},{\"functionCall\": {\"name\": ",
    "\"weather\",\"args\": {\"city\": \"Zürich\"}},\"thoughtSignature\": \"CiQB0e8=\"},{\"functionCall\": {\"id\": ",
    "\"call-7\",\"name\": \"clock\"}}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],",
    "\"usageMetadata\": {\"promptTokenCount\": 40,\"candidatesTokenCount\": 7,\"totalTokenCount\": 67,",
    "\"thoughtsTokenCount\": 20},\"modelVersion\": \"gemini-3-flash-preview\",\"responseId\": \"mAitaLmk\"}\r\n\r\n",
);

fn events(stream: &str) -> Vec<Vec<u8>> {
    replay::split(Framing::Events, [stream.as_bytes()])
}

fn read(stream: &str) -> Result<Vec<Event<'static>>, TranslationError> {
    replay::read(Reader::default(), Framing::Events, &events(stream))
}

fn chunk(candidate: &str) -> String {
    format!("data: {{\"candidates\":[{candidate}],\"responseId\":\"r\"}}\n\n")
}

fn look(events: &[Vec<u8>]) -> Result<Vec<Seen>, BadEvent> {
    let mut reader = EventReader::default();
    replay::look(|event| reader.read(event), Framing::Events, events)
}

#[test]
fn a_stream_tells_everything_in_its_order() {
    let given = read(STREAM).unwrap();
    let told = told_by_events(&given);
    assert_eq!(
        (told.id.as_str(), told.model.as_str()),
        ("mAitaLmk", "gemini-3-flash-preview")
    );
    assert_eq!(
        told.pieces,
        [
            Piece::Reasoning("**Weather**\n".to_owned(), None),
            Piece::Text("Let me look – é.".to_owned()),
            Piece::Reasoning(String::new(), Some("CiQB0e8=".to_owned())),
            Piece::Call {
                id: "call_mAitaLmk_0".to_owned(),
                name: "weather".to_owned(),
                arguments: "{\"city\": \"Zürich\"}".to_owned(),
            },
            Piece::Call {
                id: "call-7".to_owned(),
                name: "clock".to_owned(),
                arguments: "{}".to_owned(),
            },
        ]
    );
    assert_eq!(told.finish, Some(FinishReason::ToolCalls));
    let usage = TokenUsage {
        input: 40,
        output: 27,
        reasoning: 20,
        ..TokenUsage::default()
    };
    assert_eq!(told.usage, UsageReport::Reported(usage));
}

#[test]
fn a_stream_cut_at_any_byte_gives_the_same_events() {
    let whole = read(STREAM).unwrap();
    for at in 0..=STREAM.len() {
        let (head, tail) = STREAM.as_bytes().split_at(at);
        let split = replay::split(Framing::Events, [head, tail]);
        assert_eq!(
            replay::read(Reader::default(), Framing::Events, &split),
            Ok(whole.clone()),
            "cut at {at}"
        );
    }
}

#[test]
fn a_stream_that_stops_early_never_passes_for_a_whole_one() {
    let events = events(STREAM);
    for count in 0..events.len() {
        let given = replay::read(Reader::default(), Framing::Events, &events[..count]).unwrap();
        assert!(
            !given.iter().any(|event| matches!(event, Event::Finish(_))),
            "{count} events"
        );
        let seen = look(&events[..count]).unwrap();
        assert!(
            seen.iter().all(|seen| !seen.finished && !seen.terminal),
            "{count} events"
        );
    }
}

#[test]
fn usage_is_given_when_it_changes() {
    let usage =
        |candidates: u32| format!("\"usageMetadata\":{{\"promptTokenCount\":4,\"candidatesTokenCount\":{candidates}}}");
    let part = "\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]";
    let end = "\"candidates\":[{\"finishReason\":\"STOP\"}]";
    let stream = format!(
        "data: {{{part},{}}}\n\ndata: {{{part},{}}}\n\ndata: {{{end},{}}}\n\ndata: {{{}}}\n\n",
        usage(1),
        usage(1),
        usage(2),
        usage(3)
    );
    let given = read(&stream).unwrap();
    let usages: Vec<_> = given.iter().filter(|event| matches!(event, Event::Usage(_))).collect();
    assert_eq!(usages.len(), 3);
    assert!(matches!(given.last(), Some(Event::Usage(UsageReport::Reported(usage))) if usage.output == 3));
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let given = read("data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"modelVersion\":\"m\"}\n\n").unwrap();
    let told = told_by_events(&given);
    assert_eq!(told.pieces, [Piece::Refusal(BLOCKED.to_owned())]);
    assert_eq!(told.finish, Some(FinishReason::Refused));
}

#[test]
fn no_more_than_usage_and_empty_texts_may_follow_the_end() {
    let end = chunk(r#"{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}"#);
    let empty = chunk(r#"{"content":{"parts":[{"text":"","thoughtSignature":"c2ln"}]},"finishReason":"STOP"}"#);
    let given = read(&format!("{end}{empty}")).unwrap();
    assert_eq!(told_by_events(&given).finish, Some(FinishReason::Stop));
    for more in [
        r#"{"content":{"parts":[{"text":"b"}]}}"#,
        r#"{"content":{"parts":[{"text":"b","thought":true}]}}"#,
        r#"{"content":{"parts":[{"functionCall":{"name":"f"}}]}}"#,
    ] {
        assert_eq!(read(&format!("{end}{}", chunk(more))), Err(BEHIND_THE_END), "{more}");
    }
}

#[test]
fn what_cannot_be_told_is_an_error_and_metering_sees_the_failures_too() {
    for (event, is_failure) in [
        (chunk(r#"{"finishReason":"MALFORMED_FUNCTION_CALL"}"#), true),
        ("data: {\"error\":{\"code\":500}}\n\n".to_owned(), true),
        ("event: error\ndata: {}\n\n".to_owned(), true),
        (
            chunk(r#"{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}"#),
            false,
        ),
        (chunk(r#"{"content":{"parts":[{"functionCall":{"args":{}}}]}}"#), false),
    ] {
        assert!(read(&event).is_err(), "{event}");
        let seen = look(&events(&event));
        assert_eq!(matches!(seen, Err(BadEvent::Error(_))), is_failure, "{event}");
    }
    for event in ["data: [{}]\n\n", "data: {\"a\n\n", "data: 5\n\n"] {
        assert!(read(event).is_err(), "{event}");
    }
}
