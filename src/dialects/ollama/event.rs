//! One line of a stream: what it is, without keeping anything of it.

use gateway_actors::protocol::UsageReport;

use super::glance::{Glance, usage};
use crate::dialects::events::{BadEvent, Seen};
use crate::dialects::sse::EventText;

/// Looks at the lines of a stream.
#[derive(Debug, Default)]
pub(in crate::dialects) struct EventReader {
    /// Whether the answer has begun.
    has_begun: bool,
}

impl EventReader {
    /// Looks at one whole line.
    ///
    /// # Errors
    /// When it is not of this dialect, or an error.
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
            return Err(BadEvent::Error(error.with(UsageReport::Missing, self.has_begun)));
        }
        self.has_begun |= seen.has_message();
        let is_done = seen.is_done();
        // Only the last line has some.
        let usage = if is_done { usage(data) } else { UsageReport::Missing };
        Ok(Seen {
            content_bytes: seen.content_bytes(),
            meaningful: seen.content_bytes() > 0 || is_done,
            finished: is_done,
            usage: (usage != UsageReport::Missing).then_some(usage),
            only_usage: false,
            terminal: is_done,
        })
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::TokenUsage;

    use super::*;
    use crate::dialects::sse::Framing;

    fn read(line: &str) -> Result<Seen, BadEvent> {
        EventReader::default().read(&EventText::read(Framing::Lines, line.as_bytes()))
    }

    #[test]
    fn texts_thinking_and_calls_are_meaningful_and_measured() {
        for (message, bytes) in [
            (r#"{"role":"assistant","content":"abc","images":null}"#, 3),
            (r#"{"content":"","thinking":"ab"}"#, 2),
            (r#"{"content":"\u00e9"}"#, 6),
            (
                r#"{"content":"","tool_calls":[{"function":{"name":"fn","arguments":{"a":1}}}]}"#,
                9,
            ),
            (r#"{"tool_calls":[{},{"function":{}}]}"#, 2),
        ] {
            let seen = read(&format!("{{\"model\":\"m\",\"message\":{message},\"done\":false}}\r\n")).unwrap();
            let found = (seen.content_bytes, seen.meaningful, seen.finished, seen.terminal);
            assert_eq!(found, (bytes, true, false, false), "{message}");
        }
    }

    #[test]
    fn what_says_nothing_is_not_meaningful() {
        for line in [
            "\n",
            "",
            " \r\n",
            "{}",
            r#"{"message":{"role":"assistant","content":""},"done":false}"#,
        ] {
            assert_eq!(read(line), Ok(Seen::default()), "{line:?}");
        }
    }

    #[test]
    fn the_last_line_is_terminal_and_has_the_usage() {
        let seen = read(r#"{"message":{"content":""},"done":true,"prompt_eval_count":4,"eval_count":2}"#).unwrap();
        let usage = TokenUsage {
            input: 4,
            output: 2,
            ..TokenUsage::default()
        };
        assert_eq!(
            seen,
            Seen {
                content_bytes: 0,
                meaningful: true,
                finished: true,
                usage: Some(UsageReport::Reported(usage)),
                only_usage: false,
                terminal: true,
            }
        );
    }

    #[test]
    fn errors_are_told_from_malformed_lines() {
        for error in [
            r#"{"error":"an error was encountered while running the model"}"#,
            r#"{"message":{"content":""},"done":true,"done_reason":"load"}"#,
        ] {
            assert!(matches!(read(error), Err(BadEvent::Error(_))), "{error}");
        }
        for bad in [
            "{\"a",
            "hello",
            "[{}]",
            "data: {}",
            r#"{"done":"yes"}"#,
            r#"{"message":7}"#,
        ] {
            assert_eq!(read(bad), Err(BadEvent::Malformed), "{bad:?}");
        }
    }
}
