//! Why an answer ended, in this dialect's words.

use std::borrow::Cow;

use crate::dialects::neutral::FinishReason;

/// Reads a `stop_reason`, and the `stop_sequence` beside it. A word that is not known here ends an answer like any other:
/// new ones come now and then.
pub(super) fn finish_reason<'a>(
    reason: Option<&str>,
    sequence: Option<Cow<'a, str>>,
    has_calls: bool,
) -> FinishReason<'a> {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("stop_sequence") => FinishReason::StopText(sequence),
        Some("tool_use") => FinishReason::ToolCalls,
        Some("pause_turn") => FinishReason::Paused,
        Some("refusal") => FinishReason::Refused,
        None if has_calls => FinishReason::ToolCalls,
        _ => FinishReason::Stop,
    }
}

/// The `stop_reason` of an answer, and its `stop_sequence`. Clients go by it: an answer that calls tools ends with
/// `tool_use`, one that calls none does not, and a refusal is one whatever its provider says of the end.
pub(super) fn stop_reason<'a>(
    finish: &'a FinishReason<'_>,
    has_calls: bool,
    is_refusal: bool,
) -> (&'static str, Option<&'a str>) {
    let reason = match finish {
        FinishReason::Stop | FinishReason::ToolCalls if has_calls => "tool_use",
        FinishReason::Stop | FinishReason::ToolCalls if is_refusal => "refusal",
        FinishReason::Stop | FinishReason::ToolCalls => "end_turn",
        FinishReason::StopText(text) => return ("stop_sequence", text.as_deref()),
        FinishReason::Length => "max_tokens",
        FinishReason::Refused => "refusal",
        FinishReason::Paused => "pause_turn",
    };
    (reason, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_was_read_is_written_again() {
        for reason in ["end_turn", "max_tokens", "tool_use", "pause_turn", "refusal"] {
            let has_calls = reason == "tool_use";
            let finish = finish_reason(Some(reason), None, has_calls);
            assert_eq!(stop_reason(&finish, has_calls, false), (reason, None));
        }
        let finish = finish_reason(Some("stop_sequence"), Some("END".into()), false);
        assert_eq!(stop_reason(&finish, false, false), ("stop_sequence", Some("END")));
        for (reason, expected) in [
            (Some("model_context_window_exceeded"), FinishReason::Length),
            (Some("compaction"), FinishReason::Stop),
            (Some("brand_new"), FinishReason::Stop),
            (None, FinishReason::Stop),
        ] {
            assert_eq!(finish_reason(reason, None, false), expected);
        }
        assert_eq!(finish_reason(None, None, true), FinishReason::ToolCalls);
    }

    #[test]
    fn calls_and_refusals_are_told_whatever_the_provider_says_of_the_end() {
        assert_eq!(stop_reason(&FinishReason::Stop, true, false).0, "tool_use");
        assert_eq!(stop_reason(&FinishReason::ToolCalls, false, false).0, "end_turn");
        assert_eq!(stop_reason(&FinishReason::Stop, false, true).0, "refusal");
        assert_eq!(stop_reason(&FinishReason::Length, true, false).0, "max_tokens");
        assert_eq!(
            stop_reason(&FinishReason::StopText(None), false, false),
            ("stop_sequence", None)
        );
    }
}
