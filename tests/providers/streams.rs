//! Streams, and everything that comes in their place.

use ai_mcp_gateway::providers::Upstreams;
use futures_util::StreamExt as _;
use gateway_actors::protocol::{
    Billing, FailureKind, StreamFrame, TokenUsage, Upstream as _, UpstreamFailure, UpstreamReply, UpstreamStream,
    UsageReport,
};

use tokio::time::Instant;

use super::server::{Server, Step, answer, chunk, last_chunk, stream_head};
use super::{LONG, SHORT, call, failure, make, settings_of};

const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";

fn stream(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [stream_head()].into_iter().chain(steps).collect()
}

async fn open(server: &Server) -> UpstreamStream {
    match make(settings_of(server), call(true)).await.unwrap() {
        UpstreamReply::Stream(stream) => stream,
        UpstreamReply::Complete(_) => panic!("not a stream"),
    }
}

/// The bytes of all frames, and how the stream ended.
async fn read(stream: UpstreamStream) -> (String, Option<UpstreamFailure>, Vec<StreamFrame>) {
    let (mut text, mut end, mut frames) = (String::new(), None, Vec::new());
    let mut items = stream.frames;
    while let Some(item) = items.next().await {
        match item {
            Ok(frame) => {
                text.push_str(std::str::from_utf8(&frame.bytes).unwrap());
                frames.push(frame);
            }
            Err(failure) => end = Some(failure),
        }
    }
    (text, end, frames)
}

async fn failure_of(script: Vec<Step>) -> (FailureKind, Billing) {
    let failure = failure(settings_of(&Server::start(script).await), true).await;
    (failure.kind, failure.billing)
}

#[actix_web::test]
async fn a_stream_comes_back_byte_for_byte_from_its_first_event() {
    let whole = [": processing\n\n", ROLE, HELLO, STOP, USAGE, DONE];
    let server = Server::start(stream(whole.map(chunk).into_iter().chain([last_chunk()]))).await;
    let (text, end, frames) = read(open(&server).await).await;
    // The client did not ask for the usage event, so it is read and not forwarded.
    assert_eq!((text, end.is_none()), (whole.concat().replace(USAGE, ""), true));
    assert_eq!(frames.iter().map(|frame| frame.content_bytes).sum::<u64>(), 5);
    let usage = TokenUsage {
        input: 3,
        output: 1,
        ..TokenUsage::default()
    };
    let reported: Vec<_> = frames.iter().filter_map(|frame| frame.usage).collect();
    assert_eq!(reported, [UsageReport::Reported(usage)]);
    assert!(frames.last().unwrap().terminal);
    assert!(server.requests()[0].contains(r#""model":"gpt-4o-mini","stream_options":{"include_usage":true}"#));
}

#[actix_web::test]
async fn the_connection_of_a_stream_that_ended_is_used_again() {
    let round = || stream([chunk(HELLO), chunk(DONE), last_chunk()]);
    let script = round().into_iter().chain([Step::NextRequest]).chain(round()).collect();
    let server = Server::start(script).await;
    let upstreams = Upstreams::new(&[settings_of(&server)]).unwrap();
    for _ in 0..2 {
        let UpstreamReply::Stream(stream) = upstreams.call(call(true)).await.unwrap() else {
            panic!("not a stream")
        };
        assert_eq!(read(stream).await.0, format!("{HELLO}{DONE}"));
    }
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
}

#[actix_web::test]
async fn a_provider_that_does_not_end_its_body_after_the_end_mark_does_not_hold_the_stream() {
    let mut server = Server::start(stream([chunk(HELLO), chunk(DONE), Step::WaitForClient])).await;
    let start = Instant::now();
    let (text, end, _) = read(open(&server).await).await;
    assert_eq!((text, end.is_none()), (format!("{HELLO}{DONE}"), true));
    assert!(start.elapsed() < LONG, "given up before the idle limit");
    server.client_left().await;
}

#[actix_web::test]
async fn a_failure_before_the_first_meaningful_event_is_a_failure_of_the_call() {
    let cases = [
        (vec![chunk(ERROR)], FailureKind::ErrorFrame),
        (vec![chunk(ROLE), chunk(ERROR)], FailureKind::ErrorFrame),
        (
            vec![chunk(": ping\n\n"), chunk(": ping\n\n"), last_chunk()],
            FailureKind::Empty,
        ),
        (vec![last_chunk()], FailureKind::Empty),
        (vec![chunk(ROLE), chunk(DONE), last_chunk()], FailureKind::Empty),
        (vec![chunk(ROLE)], FailureKind::Empty),
        (vec![chunk("data: {\"choices\n\n")], FailureKind::Malformed),
        (
            vec![chunk(&format!("data: {}", "a".repeat(5000)))],
            FailureKind::TooLarge,
        ),
        (vec![chunk(&": ping\n\n".repeat(500)); 20], FailureKind::Malformed),
        (vec![chunk(ROLE), Step::Reset], FailureKind::Reset),
    ];
    for (steps, kind) in cases {
        let described = format!("{steps:?}");
        assert_eq!(
            failure_of(stream(steps)).await,
            (kind, Billing::Ambiguous),
            "{described:.200}"
        );
    }
}

#[actix_web::test]
async fn refusals_and_answers_that_are_no_stream_are_failures() {
    let (json, html) = ("content-type: application/json", "content-type: text/html");
    let error = r#"{"error":{"message":"overloaded"}}"#;
    let cases = [
        (
            answer("500 Internal Server Error", &[], "oops"),
            FailureKind::ServerError,
            Billing::NotBilled,
        ),
        (
            answer("429 Too Many Requests", &[json], error),
            FailureKind::RateLimited,
            Billing::NotBilled,
        ),
        (
            answer("200 OK", &[json], error),
            FailureKind::ErrorFrame,
            Billing::Ambiguous,
        ),
        (
            answer("200 OK", &[json], "{}"),
            FailureKind::Malformed,
            Billing::Ambiguous,
        ),
        (
            answer("200 OK", &[html], "<p>"),
            FailureKind::Malformed,
            Billing::Ambiguous,
        ),
    ];
    for (script, kind, billing) in cases {
        assert_eq!(failure_of(script).await, (kind, billing));
    }
}

#[actix_web::test]
async fn comments_do_not_count_as_a_first_byte() {
    let mut server = Server::start(stream([chunk(": ping\n\n"), chunk(ROLE), Step::WaitForClient])).await;
    let mut settings = settings_of(&server);
    settings.timeouts.first_byte = SHORT;
    let failure = failure(settings, true).await;
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::FirstByteTimeout, Billing::Ambiguous)
    );
    server.client_left().await;
}

#[actix_web::test]
async fn a_stream_that_stalls_is_given_up_and_closed() {
    let mut server = Server::start(stream([chunk(HELLO), Step::WaitForClient])).await;
    let mut settings = settings_of(&server);
    settings.timeouts.idle = SHORT;
    let UpstreamReply::Stream(stream) = make(settings, call(true)).await.unwrap() else {
        panic!("not a stream")
    };
    let (text, end, _) = read(stream).await;
    assert_eq!((text.as_str(), end.unwrap().kind), (HELLO, FailureKind::IdleTimeout));
    server.client_left().await;
}

#[actix_web::test]
async fn a_stream_that_breaks_off_gives_what_came_and_then_the_failure() {
    let usage = UsageReport::Reported(TokenUsage {
        input: 3,
        output: 1,
        ..TokenUsage::default()
    });
    let none = UsageReport::Missing;
    let cases = [
        (vec![chunk(HELLO)], FailureKind::Truncated, none),
        (vec![chunk(HELLO), last_chunk()], FailureKind::Truncated, none),
        (
            vec![chunk(&format!("{HELLO}data: {{\"cho"))],
            FailureKind::Truncated,
            none,
        ),
        (vec![chunk(HELLO), chunk(ERROR)], FailureKind::ErrorFrame, none),
        (vec![chunk(&format!("{HELLO}{ERROR}"))], FailureKind::ErrorFrame, none),
        // Told before the answer was finished, it is not the whole answer's.
        (
            vec![chunk(HELLO), chunk(USAGE), chunk("data: oops\n\n")],
            FailureKind::Malformed,
            none,
        ),
        (
            vec![chunk(HELLO), chunk(STOP), chunk(USAGE), chunk("data: oops\n\n")],
            FailureKind::Malformed,
            usage,
        ),
    ];
    for (steps, kind, usage) in cases {
        let described = format!("{steps:?}");
        let (text, end, _) = read(open(&Server::start(stream(steps)).await).await).await;
        let end = end.unwrap();
        assert_eq!(
            (end.kind, end.billing, end.usage),
            (kind, Billing::Ambiguous, usage),
            "{described:.200}"
        );
        assert!(
            text.starts_with(HELLO) && !text.contains("[DONE]") && !text.contains("error"),
            "{text}"
        );
    }
}

#[actix_web::test]
async fn a_provider_that_sends_no_end_mark_ends_well_once_a_choice_is_finished() {
    let server = Server::start(stream([chunk(HELLO), chunk(STOP), last_chunk()])).await;
    let (text, end, frames) = read(open(&server).await).await;
    assert_eq!((text, end.is_none()), (format!("{HELLO}{STOP}"), true));
    assert!(frames.last().unwrap().terminal);
}

#[actix_web::test]
async fn dropping_a_stream_closes_the_connection() {
    let mut server = Server::start(stream([chunk(HELLO), Step::WaitForClient])).await;
    let stream = open(&server).await;
    drop(stream);
    tokio::time::timeout(LONG, server.client_left()).await.unwrap();
}

#[actix_web::test]
async fn a_stream_without_chunks_goes_on_until_the_connection_ends() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let events = [ROLE, HELLO, STOP, DONE].map(|event| Step::Say(event.into()));
    let server = Server::start([Step::Say(head.into())].into_iter().chain(events).collect()).await;
    let (text, end, _) = read(open(&server).await).await;
    assert_eq!((text, end.is_none()), ([ROLE, HELLO, STOP, DONE].concat(), true));
}
