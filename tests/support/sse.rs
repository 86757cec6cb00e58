//! What a client reads off a stream: events, each a name and its data as JSON. It is strict where clients are: what is not
//! of the format fails the test. An event that was cut off is none, as the standard says (HTML Living Standard, 9.2.6).

use serde_json::Value;

use super::client::Reply;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SseEvent {
    /// The name, where the event has one.
    pub(crate) name: Option<String>,
    /// The data. The mark at the end of OpenAI's streams, which is not JSON, is the text `[DONE]`.
    pub(crate) data: Value,
}

impl SseEvent {
    /// The mark at the end of OpenAI's streams.
    const DONE: &'static str = "[DONE]";

    /// Whether it is the mark at the end of OpenAI's streams.
    pub(crate) fn is_done(&self) -> bool {
        self.data == Self::DONE
    }

    /// The `type` in its data, which it must have, and which must be its name where it has one.
    #[track_caller]
    pub(crate) fn kind(&self) -> &str {
        let kind = self.data["type"].as_str();
        let kind = kind.unwrap_or_else(|| panic!("an event without a type: {self:?}"));
        assert!(
            self.name.as_deref().is_none_or(|name| name == kind),
            "the name is not the type: {self:?}"
        );
        kind
    }
}

/// The events of a stream of server-sent events, as far as it came. Lines may end in any of the three ways.
#[track_caller]
pub(crate) fn sse_events(stream: &str) -> Vec<SseEvent> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let (mut name, mut data): (Option<String>, Vec<&str>) = (None, Vec::new());
    for line in stream.split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else {
            break; // Cut off.
        };
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (line, field) {
            ("", _) => {
                let name = name.take();
                if !data.is_empty() {
                    let data = parsed(&std::mem::take(&mut data).join("\n"));
                    events.push(SseEvent { name, data });
                }
            }
            // A comment.
            (_, "") => {}
            (_, "event") => name = Some(value.to_owned()),
            (_, "data") => data.push(value),
            (_, "id" | "retry") => {}
            _ => panic!("no line of server-sent events: {line:?}"),
        }
    }
    events
}

/// The values of a stream of lines of JSON, as far as it came.
#[track_caller]
pub(crate) fn json_lines(stream: &str) -> Vec<Value> {
    let lines = stream.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.filter(|line| !line.trim().is_empty()).map(parsed).collect()
}

#[track_caller]
fn parsed(data: &str) -> Value {
    if data == SseEvent::DONE {
        return data.into();
    }
    serde_json::from_str(data).unwrap_or_else(|error| panic!("data that is not JSON ({error}): {data}"))
}

impl Reply {
    /// The events of the stream that this answer is.
    #[track_caller]
    pub(crate) fn sse(&self) -> Vec<SseEvent> {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/event-stream"), "no stream: {self:?}");
        sse_events(self.text())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: Option<&str>, data: Value) -> SseEvent {
        SseEvent {
            name: name.map(str::to_owned),
            data,
        }
    }

    #[test]
    fn events_have_names_and_data_whatever_ends_their_lines() {
        let stream = ": a comment\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\nid: 7\ndata:{\"a\":\ndata: 1}\n\ndata: [DONE]\n\n";
        let expected = [
            event(Some("ping"), json!({ "type": "ping" })),
            event(None, json!({ "a": 1 })),
            event(None, json!("[DONE]")),
        ];
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(sse_events(&stream.replace('\n', end)), expected);
        }
        assert_eq!(expected[0].kind(), "ping");
        assert!(expected[2].is_done() && !expected[0].is_done());
    }

    #[test]
    fn what_is_cut_off_is_no_event_and_a_name_without_data_is_none() {
        for stream in [
            "data: {\"a\":1}\n\ndata: {\"b\":2}\n",
            "data: {\"a\":1}\n\ndata: {\"b\"",
            "event: x\n\ndata: {\"a\":1}\n\n",
        ] {
            assert_eq!(sse_events(stream), [event(None, json!({ "a": 1 }))], "{stream:?}");
        }
        assert_eq!(
            json_lines("{\"a\":1}\n\n{\"b\":2}\n{\"c\""),
            [json!({ "a": 1 }), json!({ "b": 2 })]
        );
    }

    #[test]
    fn what_is_not_of_the_format_fails_the_test() {
        let bad = [
            "<html>\n",
            "data: {\"a\n\n",
            "{\"error\":1}\n",
            "event: a\ndata: {\"type\":\"b\"}\n\n",
            "data: {}\n\n",
        ];
        for stream in bad {
            let fails =
                std::panic::catch_unwind(|| sse_events(stream).iter().map(|event| event.kind().len()).sum::<usize>());
            assert!(fails.is_err(), "{stream:?}");
        }
    }
}
