//! One event of a stream: what it is, without keeping anything of it.

use gateway_actors::protocol::UsageReport;

use super::glance::Glance;
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::fault::ErrorObject;
use crate::dialects::sse::EventText;

/// Looks at the events of a stream. There is no end mark: a stream ends well when it ends after a `finishReason`.
#[derive(Debug, Default)]
pub(in crate::dialects) struct EventReader {
    /// Whether the answer has begun.
    has_begun: bool,
}

impl EventReader {
    /// Looks at one whole event.
    ///
    /// # Errors
    /// When it is not of this dialect, an error, or says that what the model made cannot be used.
    pub(in crate::dialects) fn read(&mut self, event: &EventText<'_>) -> Result<Seen, BadEvent> {
        let data = event.data.trim_ascii();
        match data.first() {
            None => return Ok(Seen::default()),
            // The parser would read an array as the members of an object, in order.
            Some(b'[') => return Err(BadEvent::Malformed),
            Some(_) => {}
        }
        let seen = Glance::at(data).map_err(|_error| BadEvent::Malformed)?;
        if let Some(error) = seen.error() {
            let usage = error.usage;
            return Err(BadEvent::Error(error.with(usage, self.has_begun)));
        }
        if event.name == Some(b"error") {
            let error = ErrorObject::UNKNOWN.with(UsageReport::Missing, self.has_begun);
            return Err(BadEvent::Error(error));
        }
        self.has_begun |= seen.has_begun();
        let usage = seen.usage();
        Ok(Seen {
            content_bytes: seen.content_bytes(),
            meaningful: seen.content_bytes() > 0 || seen.is_finished(),
            finished: seen.is_finished(),
            usage: (usage != UsageReport::Missing).then_some(usage),
            only_usage: false,
            terminal: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::TokenUsage;

    use super::*;
    use crate::dialects::sse::Framing;

    fn read(event: &str) -> Result<Seen, BadEvent> {
        EventReader::default().read(&EventText::read(Framing::Events, event.as_bytes()))
    }

    fn candidate(candidate: &str) -> Seen {
        read(&format!("data: {{\"candidates\":[{candidate}]}}\r\n\r\n")).unwrap()
    }

    #[test]
    fn texts_thoughts_and_calls_are_meaningful_and_measured() {
        for (parts, bytes) in [
            (r#"{"text":"abc"}"#, 3),
            (r#"{"text":"ab","thought":true},{"text":"c"}"#, 3),
            (r#"{"text":"\u00e9"}"#, 6),
            (r#"{"functionCall":{"name":"fn","args":{"a":1}}}"#, 9),
            (r#"{"functionCall":{}}"#, 1),
        ] {
            let seen = candidate(&format!(r#"{{"content":{{"role":"model","parts":[{parts}]}}}}"#));
            assert_eq!(
                (seen.content_bytes, seen.meaningful, seen.finished),
                (bytes, true, false),
                "{parts}"
            );
        }
    }

    #[test]
    fn what_says_nothing_is_not_meaningful() {
        for event in [
            ": ping\n\n",
            "\n",
            "data: {}\n\n",
            "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]}}]}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"thoughtSignature\":\"c2ln\"}]}}]}\n\n",
            "data: {\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":null}]}\n\n",
        ] {
            assert_eq!(read(event), Ok(Seen::default()), "{event:?}");
        }
    }

    #[test]
    fn a_reason_finishes_and_so_does_a_blocked_prompt() {
        let seen = candidate(r#"{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}"#);
        assert!(seen.finished && seen.meaningful && !seen.terminal);
        let blocked = read("data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n").unwrap();
        assert!(blocked.finished && blocked.meaningful && blocked.content_bytes == 0);
    }

    #[test]
    fn usage_is_read_from_every_chunk() {
        let event = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\
            \"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":2,\"totalTokenCount\":6}}\n\n";
        let seen = read(event).unwrap();
        let usage = TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        };
        assert_eq!(seen.usage, Some(UsageReport::Reported(usage)));
        assert!(!seen.only_usage);
    }

    #[test]
    fn an_error_tells_its_usage_and_whether_an_answer_had_begun() {
        let told = |events: &[&str]| {
            let mut reader = EventReader::default();
            let read = |event: &&str| reader.read(&EventText::read(Framing::Events, event.as_bytes()));
            let mut told: Vec<_> = events.iter().map(read).collect();
            match told.pop() {
                Some(Err(BadEvent::Error(error))) => (error.has_output, error.usage),
                other => panic!("{other:?}"),
            }
        };
        let error = "data: {\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n";
        let text = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]}}]}\n\n";
        assert_eq!(told(&[error]), (false, UsageReport::Missing));
        assert_eq!(told(&[text, error]), (true, UsageReport::Missing));
        let failed = |counts: &str| {
            format!(
                "data: {{\"candidates\":[{{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}}],\"usageMetadata\":{counts}}}\n\n"
            )
        };
        let usage = UsageReport::Reported(TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        });
        let reported = failed("{\"promptTokenCount\":4,\"candidatesTokenCount\":2,\"totalTokenCount\":6}");
        assert_eq!(told(&[&reported]), (true, usage));
        // A call was made, if a bad one.
        let without_output = failed("{\"promptTokenCount\":4,\"totalTokenCount\":4}");
        assert_eq!(told(&[&without_output]), (true, UsageReport::Missing));
    }

    #[test]
    fn errors_are_told_from_malformed_events() {
        let error = read("data: {\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n");
        let BadEvent::Error(object) = error.unwrap_err() else {
            panic!("an error is one")
        };
        assert_eq!(object.to_string(), "429");
        let failed = "data: {\"candidates\":[{\"finishReason\":\"UNEXPECTED_TOOL_CALL\"}]}\n\n";
        let BadEvent::Error(object) = read(failed).unwrap_err() else {
            panic!("an error is one")
        };
        assert_eq!(object.to_string(), "UNEXPECTED_TOOL_CALL");
        assert_eq!(
            read("event: error\ndata: {\"detail\":\"gone\"}\n\n"),
            Err(BadEvent::Error(ErrorObject::UNKNOWN))
        );
        for bad in [
            "data: {\"a\n\n",
            "data: [DONE]\n\n",
            "data: [{}]\n\n",
            "data: {\"candidates\":7}\n\n",
        ] {
            assert_eq!(read(bad), Err(BadEvent::Malformed), "{bad:?}");
        }
    }
}
