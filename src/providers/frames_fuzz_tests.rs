//! Streams at random: however the bytes are cut, the same comes out, and only what went in.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};
use gateway_actors::protocol::{Dialect, UsageReport, Vendor};
use tokio::time::Instant;

use super::*;
use crate::config::UpstreamTimeouts;
use crate::dialects::UsageEvents;
use crate::fuzz::{Rng, any_bytes, damage, fuzz, in_pieces, json, pick};

/// An event may have this many bytes, so that some have more.
const LIMIT: usize = 300;

const WORDS: &[&str] = &[
    "data: ",
    "data:",
    "\n\n",
    "\r\n\r\n",
    "\r",
    "\n",
    ":",
    ": ping",
    "event: x\n",
    "id: 1\n",
    "data: [DONE]\n\n",
    "\u{feff}",
    "[DONE]",
    "{\"choices\":[]}",
    "\"usage\":null",
    "data: {\"error\":{\"message\":\"x\"}}\n\n",
    "\0",
];

/// Events as providers send them, and some that they should not.
fn stream(rng: &mut Rng) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..rng.usize(..8) {
        let end = pick(rng, &["\n", "\n", "\r\n", "\r"]);
        let data = match rng.u8(..9) {
            0 => ": a comment".to_owned(),
            1 => "event: message".to_owned(),
            2 => r#"data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#.to_owned(),
            3 => r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned(),
            4 => r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}"#.to_owned(),
            5 if rng.bool() => "data: [DONE]".to_owned(),
            6 => format!("data: {{\"choices\":{},\"usage\":{}}}", json(rng, 2), json(rng, 1)),
            7 => format!("data: {{\"choices\":{end}data: []}}"),
            _ => format!("data:{{\"choices\":[{{\"delta\":{{\"content\":{}}}}}]}}", json(rng, 0)),
        };
        text.push_str(&data);
        text.push_str(end);
        text.push_str(end);
    }
    text.into_bytes()
}

/// What became of a stream.
#[derive(Debug, PartialEq)]
struct Outcome {
    forwarded: BytesMut,
    ended: Result<bool, FailureKind>,
    usage: UsageReport,
    meaningful: bool,
}

async fn outcome(pieces: Vec<Bytes>, usage_events: UsageEvents) -> Outcome {
    let end = Instant::now() + Duration::from_secs(60);
    let watchdog = Watchdog::start(&UpstreamTimeouts::default(), end).unwrap();
    let scanner = StreamScanner::new(Dialect::OpenaiChat, Vendor::Other, LIMIT, usage_events);
    let source = futures_util::stream::iter(pieces.into_iter().map(Ok));
    let mut frames = Frames::new(source, StatusCode::OK, scanner, watchdog, None);
    let mut outcome = Outcome {
        forwarded: BytesMut::new(),
        ended: Ok(false),
        usage: UsageReport::Missing,
        meaningful: false,
    };
    while let Some(frame) = frames.next().await {
        match frame {
            Ok(frame) => {
                outcome.forwarded.extend_from_slice(&frame.bytes);
                outcome.ended = Ok(frame.terminal);
            }
            Err(failure) => {
                outcome.ended = Err(failure.kind);
                break;
            }
        }
    }
    outcome.usage = frames.scanner.usage();
    outcome.meaningful = frames.scanner.meaningful();
    outcome
}

#[actix_web::test]
async fn streams_at_random_come_out_the_same_however_they_are_cut() {
    fuzz("streams", |rng| {
        let mut bytes = stream(rng);
        match rng.u8(..4) {
            0 => damage(rng, &mut bytes, WORDS),
            1 => bytes.extend(any_bytes(rng, 40)),
            2 => bytes.extend(
                pick(rng, &["data: {\"choices\":[", "x"])
                    .repeat(rng.usize(..LIMIT))
                    .bytes(),
            ),
            _ => {}
        }
        let bytes = Bytes::from(bytes);
        for usage_events in [UsageEvents::Forward, UsageEvents::Drop] {
            let run = |pieces| outcome(pieces, usage_events).now_or_never().unwrap();
            let whole = run(vec![bytes.clone()]);
            for _ in 0..3 {
                let cut = in_pieces(rng, &bytes);
                assert_eq!(run(cut), whole, "{:?}", String::from_utf8_lossy(&bytes));
            }
            if usage_events == UsageEvents::Forward {
                let text = String::from_utf8_lossy(&bytes);
                // A last event without its end gets one.
                let forwarded = &whole.forwarded;
                let come = forwarded
                    .strip_suffix(b"\n\n")
                    .or_else(|| forwarded.strip_suffix(b"\n"));
                assert!(
                    bytes.starts_with(forwarded) || come.is_some_and(|come| bytes.starts_with(come)),
                    "{whole:?} of {text:?}"
                );
            }
        }
    });
}
