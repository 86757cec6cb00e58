//! Why an answer ended: `finishReason`.

use serde_json::value::RawValue;

use crate::dialects::fault::ErrorObject;
use crate::dialects::json::raw_text;
use crate::dialects::neutral::FinishReason;

/// What a `finishReason` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// The answer is complete, or one of the request's stop texts came up: the API does not tell which.
    Stop,
    /// It was as long as it may be.
    Length,
    /// The model, or who watches over it, would not go on. So is read what is not known, too: an answer that may not be
    /// complete must not pass for one that is.
    Refused,
    /// What the model made cannot be used. The provider's word for it.
    Failed(&'static str),
}

/// Reasons for which there is no answer: it depends on the request whether a model makes such a thing.
const FAILURES: [&str; 5] = [
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "TOO_MANY_TOOL_CALLS",
    "UNEXPECTED_TOOL_CALL",
];

/// The reason among those for which there is no answer, where one is named in any case: of OpenAI's dialect Google's endpoint
/// says `function_call_filter: MALFORMED_FUNCTION_CALL`.
pub(in crate::dialects) fn unusable(reason: &str) -> Option<&'static str> {
    let word = reason.rsplit([' ', ':']).next().unwrap_or_default();
    FAILURES.into_iter().find(|failure| failure.eq_ignore_ascii_case(word))
}

impl Finish {
    /// Reads the value of the member; nothing if it is no word, as long as the answer goes on.
    pub(super) fn read(value: Option<&RawValue>) -> Option<Self> {
        let word = value.and_then(raw_text)?;
        if let Some(failure) = FAILURES.iter().find(|failure| **failure == word) {
            return Some(Self::Failed(failure));
        }
        Some(match word {
            "" | "FINISH_REASON_UNSPECIFIED" => return None,
            "STOP" => Self::Stop,
            "MAX_TOKENS" | "CONTINUATION" => Self::Length,
            _ => Self::Refused,
        })
    }

    /// The failure, if it is one.
    pub(super) fn failure(self) -> Option<ErrorObject> {
        match self {
            Self::Failed(word) => Some(ErrorObject::unusable(word)),
            Self::Stop | Self::Length | Self::Refused => None,
        }
    }

    /// What it is in no dialect, for an answer that has calls of tools or not; nothing for a failure.
    pub(super) fn reason(self, has_calls: bool) -> Option<FinishReason<'static>> {
        match self {
            Self::Stop if has_calls => Some(FinishReason::ToolCalls),
            Self::Stop => Some(FinishReason::Stop),
            Self::Length => Some(FinishReason::Length),
            Self::Refused => Some(FinishReason::Refused),
            Self::Failed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Finish> {
        Finish::read(Some(serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn every_published_reason_has_its_meaning() {
        for (word, expected) in [
            ("STOP", Finish::Stop),
            ("MAX_TOKENS", Finish::Length),
            ("CONTINUATION", Finish::Length),
            ("SAFETY", Finish::Refused),
            ("RECITATION", Finish::Refused),
            ("LANGUAGE", Finish::Refused),
            ("OTHER", Finish::Refused),
            ("BLOCKLIST", Finish::Refused),
            ("PROHIBITED_CONTENT", Finish::Refused),
            ("SPII", Finish::Refused),
            ("IMAGE_SAFETY", Finish::Refused),
            ("IMAGE_PROHIBITED_CONTENT", Finish::Refused),
            ("IMAGE_OTHER", Finish::Refused),
            ("NO_IMAGE", Finish::Refused),
            ("IMAGE_RECITATION", Finish::Refused),
            ("ESCALATION", Finish::Refused),
            ("PUP_LIMITED_DISABLED", Finish::Refused),
            ("MODEL_ARMOR", Finish::Refused),
            ("A_NEW_ONE", Finish::Refused),
            ("MALFORMED_FUNCTION_CALL", Finish::Failed("MALFORMED_FUNCTION_CALL")),
            ("UNEXPECTED_TOOL_CALL", Finish::Failed("UNEXPECTED_TOOL_CALL")),
            ("TOO_MANY_TOOL_CALLS", Finish::Failed("TOO_MANY_TOOL_CALLS")),
            ("MISSING_THOUGHT_SIGNATURE", Finish::Failed("MISSING_THOUGHT_SIGNATURE")),
            ("MALFORMED_RESPONSE", Finish::Failed("MALFORMED_RESPONSE")),
        ] {
            assert_eq!(read(&format!("\"{word}\"")), Some(expected), "{word}");
        }
    }

    #[test]
    fn an_answer_without_a_reason_goes_on() {
        for value in ["null", "\"\"", "\"FINISH_REASON_UNSPECIFIED\"", "1"] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(Finish::read(None), None);
    }

    #[test]
    fn a_complete_answer_with_calls_wants_them_made() {
        assert_eq!(Finish::Stop.reason(true), Some(FinishReason::ToolCalls));
        assert_eq!(Finish::Stop.reason(false), Some(FinishReason::Stop));
        assert_eq!(Finish::Length.reason(true), Some(FinishReason::Length));
        assert_eq!(Finish::Failed("MALFORMED_RESPONSE").reason(false), None);
    }
}
