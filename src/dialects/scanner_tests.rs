use gateway_actors::protocol::TokenUsage;

use super::*;

const LIMIT: usize = 4096;

/// A stream as providers send them: byte order mark, comment, role, text in several scripts, tool call, both kinds of
/// usage, end mark; with LF, CRLF and CR and data over several lines.
const RECORDED: &str = concat!(
    "\u{feff}: processing\n\n",
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "event: message\r\nid: 7\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"héllo\"}}]}\r\n\r\n",
    ": ping\r\n\r\n",
    "data:{\"choices\":[{\"delta\":{\"content\":\"世界\"}}]}\r\r",
    "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"!\"}}]}\n\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

const CONTENT_BYTES: u64 = 6 + 6 + 1 + 2;

fn usage_event() -> &'static str {
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5}}\n\n"
}

fn reported() -> UsageReport {
    UsageReport::Reported(TokenUsage {
        input: 12,
        output: 5,
        ..TokenUsage::default()
    })
}

#[derive(Debug, Default, PartialEq)]
struct Out {
    bytes: Vec<u8>,
    content_bytes: u64,
    usage: Option<UsageReport>,
    terminals: usize,
    frames: usize,
}

impl Out {
    fn add(&mut self, frame: StreamFrame) {
        self.bytes.extend_from_slice(&frame.bytes);
        self.content_bytes += frame.content_bytes;
        self.usage = frame.usage.or(self.usage);
        self.terminals += usize::from(frame.terminal);
        self.frames += 1;
    }
}

fn run<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, usage_events: UsageEvents) -> (Out, Result<(), StreamFault>) {
    let mut scanner = StreamScanner::new(Dialect::OpenaiChat, Vendor::Other, LIMIT, usage_events);
    let mut out = Out::default();
    for chunk in chunks {
        scanner.push(Bytes::copy_from_slice(chunk));
        loop {
            match scanner.next_frame() {
                Ok(Some(frame)) => out.add(frame),
                Ok(None) => break,
                Err(fault) => return (out, Err(fault)),
            }
        }
    }
    let end = scanner
        .finish()
        .map(|frame| frame.into_iter().for_each(|frame| out.add(frame)));
    (out, end)
}

fn whole(text: &str, usage_events: UsageEvents) -> (Out, Result<(), StreamFault>) {
    run([text.as_bytes()], usage_events)
}

/// A small generator, so that a failing split can be replayed from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

fn random_split(text: &str, seed: u64) -> Vec<&[u8]> {
    let mut random = Random(seed);
    let longest = [1, 3, 20, 200][random.below(4)];
    let mut rest = text.as_bytes();
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[test]
fn however_a_stream_is_split_the_same_comes_out() {
    let without_usage = RECORDED.replace(usage_event(), "");
    for (usage_events, expected) in [(UsageEvents::Forward, RECORDED), (UsageEvents::Drop, &*without_usage)] {
        for seed in 1..=1000 {
            let (out, end) = run(random_split(RECORDED, seed), usage_events);
            assert_eq!(end, Ok(()), "seed {seed}");
            assert_eq!(out.bytes, expected.as_bytes(), "seed {seed}");
            assert_eq!(out.content_bytes, CONTENT_BYTES, "seed {seed}");
            assert_eq!(out.usage, Some(reported()), "seed {seed}");
            assert_eq!(out.terminals, 1, "seed {seed}");
        }
    }
}

#[test]
fn whole_events_of_one_chunk_are_one_frame_in_the_chunks_own_memory() {
    let text = RECORDED.replace(usage_event(), "");
    let chunk = Bytes::from(text.clone());
    let mut scanner = StreamScanner::new(Dialect::OpenaiChat, Vendor::Other, LIMIT, UsageEvents::Forward);
    scanner.push(chunk.clone());
    let frame = scanner.next_frame().unwrap().unwrap();
    assert_eq!(frame.bytes.as_ptr(), chunk.as_ptr(), "not copied");
    assert_eq!(frame.bytes, text);
    assert!(frame.terminal && scanner.next_frame().unwrap().is_none());
}

#[test]
fn a_usage_event_is_forwarded_like_any_other_or_left_out() {
    let text = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}]}}\n\n{}data: [DONE]\n\n",
        usage_event()
    );
    let (forwarded, _) = whole(&text, UsageEvents::Forward);
    assert_eq!((forwarded.frames, forwarded.bytes), (1, text.clone().into_bytes()));
    assert_eq!(forwarded.usage, Some(reported()));
    let (dropped, _) = whole(&text, UsageEvents::Drop);
    assert_eq!((dropped.frames, dropped.usage), (2, Some(reported())));
    let (alone, _) = whole(&format!("{}data: [DONE]\n\n", usage_event()), UsageEvents::Drop);
    assert_eq!(
        (alone.frames, alone.bytes.as_slice()),
        (1, b"data: [DONE]\n\n".as_slice())
    );
    assert_eq!(alone.usage, Some(reported()));
}

#[test]
fn a_last_event_without_its_end_gets_one() {
    const STOP: &str = r#"data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    for (given, missing) in [
        ("", "\n\n"),
        ("\n", "\n"),
        ("\r\n", "\n"),
        ("\n\n", ""),
        ("\r\n\r\n", ""),
        ("\r\r", ""),
    ] {
        let text = format!("{STOP}\n\n{STOP}{given}");
        let (out, end) = whole(&text, UsageEvents::Forward);
        let expected = format!("{text}{missing}");
        assert_eq!((end, out.bytes), (Ok(()), expected.into_bytes()), "{given:?}");
    }
}

#[test]
fn a_crlf_split_between_chunks_is_one_line_end() {
    let text =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n";
    for at in 0..text.len() {
        let (first, second) = text.as_bytes().split_at(at);
        let (out, end) = run([first, second], UsageEvents::Forward);
        assert_eq!((end, out.bytes.as_slice()), (Ok(()), text.as_bytes()), "split at {at}");
    }
}

#[test]
fn nothing_after_the_end_mark_comes_out() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n: more\n\ndata: {bad\n\n";
    let (out, end) = whole(text, UsageEvents::Forward);
    assert_eq!(end, Ok(()));
    assert!(out.bytes.ends_with(b"[DONE]\n\n") && out.terminals == 1);
}

#[test]
fn the_end_mark_counts_without_its_empty_line() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]";
    for (ending, missing) in [("", "\n\n"), ("\n", "\n"), ("\r\n", "\n"), ("\r\n\r", "")] {
        let (out, end) = whole(&format!("{text}{ending}"), UsageEvents::Forward);
        assert_eq!((end, out.terminals), (Ok(()), 1), "{ending:?}");
        assert_eq!(out.bytes, format!("{text}{ending}{missing}").as_bytes());
    }
}

#[test]
fn a_stream_without_end_mark_ended_well_only_if_a_choice_was_finished() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
    assert_eq!(whole(text, UsageEvents::Forward).1, Err(StreamFault::Truncated));
    let finished = format!("{text}data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"length\"}}]}}\n\n");
    let (out, end) = whole(&finished, UsageEvents::Forward);
    assert_eq!((end, out.terminals), (Ok(()), 1));
    assert_eq!(out.bytes, finished.as_bytes(), "no end mark is made up");
    let cut = format!("{finished}data: {{\"choi");
    assert_eq!(whole(&cut, UsageEvents::Forward).1, Err(StreamFault::Truncated));
}

#[test]
fn a_stream_that_says_nothing_is_empty() {
    for text in [
        "",
        ": ping\n\n: ping\n\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
        "hello",
    ] {
        assert_eq!(whole(text, UsageEvents::Forward).1, Err(StreamFault::Empty), "{text:?}");
    }
}

#[test]
fn what_came_before_an_error_comes_out_before_it() {
    let good = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
    let (out, end) = whole(
        &format!("{good}data: {{\"error\":{{\"message\":\"overloaded\"}}}}\n\n"),
        UsageEvents::Forward,
    );
    assert_eq!(out.bytes, good.as_bytes());
    assert!(matches!(end, Err(StreamFault::ErrorObject(_))), "{end:?}");
    let (out, end) = whole(&format!("{good}data: {{\"broken\n\n{good}"), UsageEvents::Forward);
    assert_eq!(
        (out.bytes.as_slice(), end),
        (good.as_bytes(), Err(StreamFault::Malformed))
    );
}

#[test]
fn usage_told_with_an_error_is_of_all_that_came_before_it() {
    let read = |events: &[&str]| {
        let mut scanner = StreamScanner::new(Dialect::OpenaiResponses, Vendor::Other, LIMIT, UsageEvents::Forward);
        scanner.push(Bytes::from(events.concat()));
        let end = loop {
            match scanner.next_frame() {
                Ok(Some(_)) => {}
                end => break end.map(|_| ()),
            }
        };
        assert!(matches!(end, Err(StreamFault::ErrorObject(_))), "{end:?}");
        scanner.usage()
    };
    let delta = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";
    let failed = |output: u64| {
        format!(
            "data: {{\"type\":\"response.failed\",\"response\":{{\"error\":{{\"code\":\"server_error\"}},\
            \"usage\":{{\"input_tokens\":12,\"output_tokens\":{output}}}}}}}\n\n"
        )
    };
    assert_eq!(read(&[delta, &failed(5)]), reported());
    assert_eq!(read(&[delta, &failed(0)]), UsageReport::Missing);
}

#[test]
fn no_line_of_a_stream_comes_out_that_is_not_utf_8() {
    let good: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    for bad in [
        &b": \xff\n\n"[..],
        b"event: \xc3\x28\n\n",
        b"dat\xe1: {}\n\n",
        b"data: \"\xed\xa0\x80\"\n\n",
    ] {
        let (out, end) = run([good, bad, good], UsageEvents::Forward);
        assert_eq!(
            (out.bytes.as_slice(), end),
            (good, Err(StreamFault::Malformed)),
            "{bad:?}"
        );
    }
}

#[test]
fn an_event_above_the_limit_is_refused_whether_whole_or_in_pieces() {
    let fits = format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(LIMIT - 16));
    assert_eq!(fits.len(), LIMIT);
    assert_eq!(whole(&fits, UsageEvents::Forward).1, Err(StreamFault::Empty));
    let large = format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(LIMIT));
    let too_large = Err(StreamFault::TooLarge { limit: LIMIT });
    assert_eq!(whole(&large, UsageEvents::Forward).1, too_large);
    assert_eq!(run(large.as_bytes().chunks(100), UsageEvents::Forward).1, too_large);
}

#[test]
fn usage_that_is_told_on_the_way_counts_only_when_the_whole_answer_has_come() {
    const TOLD: &str = r#""usage":{"prompt_tokens":12,"completion_tokens":5}"#;
    let content = r#"data: {"choices":[{"delta":{"content":"word"}}]}"#;
    let with_usage = format!(r#"data: {{"choices":[{{"delta":{{"content":"word"}}}}],{TOLD}}}"#);
    let alone = format!(r#"data: {{"choices":[],{TOLD}}}"#);
    let stop = r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let stop_with_usage = format!(r#"data: {{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],{TOLD}}}"#);
    let done = "data: [DONE]";
    let (reported, missing) = (reported(), UsageReport::Missing);
    let less = alone.replace(":12,", ":11,");
    let more = alone.replace(":5}", ":6}");
    let nothing = alone.replace(":12,", ":0,").replace(":5}", ":0}");
    let cases: [(&[&str], UsageReport); 17] = [
        (&[&alone, content], missing),
        (&[&with_usage, &with_usage], missing),
        (&[&with_usage, stop], missing),
        (&[content, stop_with_usage.as_str()], reported),
        (&[content, stop, &alone], reported),
        // The second of two choices goes on.
        (&[content, &stop_with_usage, content], missing),
        (&[content, stop, &with_usage], missing),
        // All of it has come, and what was told before is not of all of it.
        (&[&with_usage, stop, done], missing),
        (&[&alone, content, stop, done], missing),
        (&[&alone, content, done], missing),
        // Nothing else says that it is finished.
        (&[&with_usage, done], reported),
        // It is told twice.
        (
            &[content, &more.replace(":6}", ":4}"), stop, &alone, &alone, done],
            reported,
        ),
        (&[content, stop, &alone, &less, done], UsageReport::Absurd),
        (&[content, stop, &more, &alone, done], UsageReport::Absurd),
        // None of anything, behind some, takes nothing back.
        (&[content, stop, &alone, &nothing, done], reported),
        (&[content, stop, &nothing, &alone, done], reported),
        (&[content, stop, &nothing, done], missing),
    ];
    for (events, expected) in cases {
        let text = format!("{}\n\n", events.join("\n\n"));
        for piece in [text.len(), 1] {
            let mut scanner = StreamScanner::new(Dialect::OpenaiChat, Vendor::Other, LIMIT, UsageEvents::Forward);
            let mut told = missing;
            for chunk in text.as_bytes().chunks(piece) {
                scanner.push(Bytes::copy_from_slice(chunk));
                while let Some(frame) = scanner.next_frame().unwrap() {
                    told = frame.usage.unwrap_or(told);
                }
            }
            assert_eq!((told, scanner.usage()), (expected, expected), "{text}");
        }
    }
}
