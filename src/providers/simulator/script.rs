//! What the simulator does, as the model's name says.

use std::time::Duration;

use awc::http::StatusCode;

/// A script, read from an `api_model`.
///
/// | `api_model` | what it does |
/// |---|---|
/// | `sim-error-503` | answers this status (any from 400 to 599), with `retry-after: 1` |
/// | `sim-stall` | never answers |
/// | `sim-slow-20ms` | waits this long before the answer, and before every chunk of a stream |
/// | `sim-stream-60` | answers with this many words (at most 10,000), each a chunk of a stream |
/// | anything else, `sim-echo` | answers at once with the last user message |
///
/// Where texts are to become vectors, there are no words to say; all else holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Script {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// How long to wait before each chunk.
    pub(super) delay: Duration,
    /// Whether to say nothing, ever.
    pub(super) stall: bool,
    /// How many words to say instead of the echo.
    pub(super) words: Option<u16>,
}

/// More words than this are not said.
const MOST_WORDS: u16 = 10_000;

impl Script {
    pub(super) fn of(api_model: &str) -> Self {
        let mut script = Self {
            status: StatusCode::OK,
            delay: Duration::ZERO,
            stall: api_model == "sim-stall",
            words: None,
        };
        if let Some(status) = api_model.strip_prefix("sim-error-") {
            script.status = status
                .parse()
                .ok()
                .filter(|status: &StatusCode| status.is_client_error() || status.is_server_error())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let Some(delay) = api_model.strip_prefix("sim-slow-") {
            let milliseconds = delay.strip_suffix("ms").and_then(|delay| delay.parse().ok());
            script.delay = Duration::from_millis(milliseconds.unwrap_or(0));
        } else if let Some(words) = api_model.strip_prefix("sim-stream-") {
            script.words = words.parse().ok().map(|words: u16| words.min(MOST_WORDS));
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_name_says_what_is_done() {
        let echo = Script::of("sim-echo");
        assert_eq!(
            (echo.status, echo.delay, echo.stall, echo.words),
            (StatusCode::OK, Duration::ZERO, false, None)
        );
        assert_eq!(Script::of("anything"), echo);
        assert_eq!(Script::of("sim-error-429").status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(Script::of("sim-error-200").status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(Script::of("sim-stall").stall);
        assert_eq!(Script::of("sim-slow-20ms").delay, Duration::from_millis(20));
        assert_eq!(Script::of("sim-stream-60").words, Some(60));
        assert_eq!(Script::of("sim-stream-60000").words, Some(MOST_WORDS));
    }
}
