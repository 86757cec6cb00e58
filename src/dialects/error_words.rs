//! What providers' words for an error mean. They are the same whether an error comes with a status of HTTP that tells of it
//! or in an answer that began well.

use std::time::Duration;

use gateway_actors::protocol::FailureKind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::text;

/// Words by which providers say that the input does not fit. There is no common code for it.
const CONTEXT_WORDS: [&str; 24] = [
    "context_length",
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "too many tokens",
    "too many input tokens",
    "prompt is too long",
    "prompt tokens too long",
    "input is too long",
    "reduce the length",
    // Gemini.
    "input token count",
    "maximum number of tokens allowed",
    // GitHub.
    "prompt token count",
    "tokens_limit_reached",
    // OpenAI, and Amazon's models.
    "input tokens exceed",
    // xAI.
    "maximum prompt length",
    // vLLM.
    "maximum model length",
    // Text generation inference, and who serves with it.
    "`inputs` tokens",
    "`inputs` must have less than",
    // Moonshot, Zhipu and Alibaba.
    "exceeded model token limit",
    "prompt exceeds max length",
    "range of input length",
];

/// How a message begins that says that our key is none, with providers that answer 400 all the same. Nothing else of a
/// message is looked at for this: it may repeat what was asked.
const KEY_SENTENCES: [&str; 3] = ["api key not valid", "api key expired", "incorrect api key provided"];

/// What Google's APIs say of such a key.
const KEY_REASON: &str = "API_KEY_INVALID";

/// What an error status means. `text` is what came with it; `refuses_key`, whether that says that our key is none.
pub(crate) fn kind_of(status: u16, text: &str, refuses_key: bool) -> FailureKind {
    match status {
        300..=399 => FailureKind::Redirect,
        // Some providers answer 403 for what the request says. That says nothing of our key.
        403 if says(text, &["flagged", "moderation"]) => FailureKind::Rejected,
        // 402: the account behind our key has no money left.
        401..=403 => FailureKind::Auth,
        400 if refuses_key => FailureKind::Auth,
        404 => FailureKind::ModelGone,
        408 => FailureKind::ServerError,
        429 => FailureKind::RateLimited,
        400 | 413 | 422 if says(text, &CONTEXT_WORDS) => FailureKind::ContextTooLong,
        400..=499 => FailureKind::Rejected,
        500..=599 => FailureKind::ServerError,
        _ => FailureKind::Malformed,
    }
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// The status of HTTP with which an error of this word would have come, if it is one that refuses the request: for what it
/// says, for its key or its rate, or since too much is under way. Of any other word nothing is known: the provider may have
/// made an answer, and bill it.
pub(super) fn status_of(word: &str) -> Option<u16> {
    if let Ok(number) = word.parse::<u16>() {
        let is_refusal = matches!(number, 400..=407 | 409..=498 | 503 | 529);
        return is_refusal.then_some(number);
    }
    let word = word.to_ascii_lowercase();
    Some(match &*word {
        "context_length_exceeded"
        | "model_max_prompt_tokens_exceeded"
        | "exceed_context_size_error"
        | "string_above_max_length"
        | "invalid_request_error"
        | "invalid_request"
        | "invalid_argument"
        | "failed_precondition"
        | "out_of_range"
        | "badrequesterror"
        | "bad_request"
        | "invalid_prompt"
        | "invalid_base64_image"
        | "invalid_value"
        | "invalid_type"
        | "missing_required_parameter"
        | "unsupported_parameter"
        | "unsupported_value"
        | "unsupported_image_media_type"
        | "unsupported_file_type"
        | "empty_image_file"
        | "failed_to_download_image"
        | "content_policy_violation"
        | "cyber_policy"
        | "bio_policy" => 400,
        _ if word.starts_with("invalid_image") || word.starts_with("image_") => 400,
        "authentication_error" | "invalid_api_key" | "unauthenticated" | "unauthorized" => 401,
        "billing_error" | "payment_required" => 402,
        "permission_error" | "permission_denied" | "forbidden" => 403,
        "not_found_error" | "not_found" | "model_not_found" => 404,
        "request_too_large" | "tokens_limit_reached" => 413,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limited"
        | "too_many_requests"
        | "resource_exhausted"
        | "insufficient_quota" => 429,
        "unavailable" => 503,
        "overloaded_error"
        | "overloaded"
        | "server_overloaded"
        | "engine_overloaded"
        | "engine_overloaded_error"
        | "slow_down" => 529,
        _ => return None,
    })
}

/// What an error says beside its code.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Particulars {
    /// Whether it says that our key is none.
    pub(super) refuses_key: bool,
    /// After which time trying again may help.
    pub(super) retry_after: Option<Duration>,
}

/// Reads what an error says beside its code. What cannot be read says nothing.
pub(super) fn particulars(error: &RawValue) -> Particulars {
    #[derive(Deserialize, Default)]
    struct Members<'a> {
        #[serde(borrow)]
        message: Option<&'a RawValue>,
        #[serde(borrow)]
        details: Option<&'a RawValue>,
    }
    /// Of `google.rpc.ErrorInfo` and `google.rpc.RetryInfo`.
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        reason: Option<&'a RawValue>,
        #[serde(borrow, rename = "retryDelay")]
        retry_delay: Option<&'a RawValue>,
    }
    let members: Members<'_> = serde_json::from_str(error.get()).unwrap_or_default();
    let details = members.details.map(RawValue::get);
    let details: Vec<Detail<'_>> = details
        .and_then(|details| serde_json::from_str(details).ok())
        .unwrap_or_default();
    let has_reason = details
        .iter()
        .any(|detail| detail.reason.and_then(text).is_some_and(|reason| reason == KEY_REASON));
    let begins = members.message.or(Some(error)).and_then(text).is_some_and(|message| {
        let message = message.to_ascii_lowercase();
        KEY_SENTENCES.iter().any(|sentence| message.starts_with(sentence))
    });
    Particulars {
        refuses_key: has_reason || begins,
        retry_after: details.iter().find_map(|detail| seconds(&text(detail.retry_delay?)?)),
    }
}

/// A duration as Google writes it: `7s`, `0.5s`.
fn seconds(duration: &str) -> Option<Duration> {
    let seconds = duration.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_does_not_fit_is_known_by_the_words_of_every_vendor() {
        for message in [
            "This model's maximum context length is 8192 tokens",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "Input tokens exceed the configured limit of 272000 tokens.",
            "exceeds the available context size",
            "Prompt is too long: 9 > 8",
            "input length and `max_tokens` exceed context limit: 190000 + 16384 > 200000, decrease input length",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "Unable to submit request because the input token count is 40000 but model only supports up to 32768.",
            "prompt token count of 150000 exceeds the limit of 128000",
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            "Please reduce the length of the messages or completion.",
            "too many tokens: total number of tokens in the prompt cannot exceed 128000",
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000",
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            "the input length exceeds the context length",
            "Input is too long for requested model.",
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
            "Invalid request: Your request exceeded model token limit: 8192",
            "Prompt exceeds max length",
            "Range of input length should be [1, 30720]",
        ] {
            for status in [400, 413, 422] {
                assert_eq!(
                    kind_of(status, message, false),
                    FailureKind::ContextTooLong,
                    "{message}"
                );
            }
            assert_eq!(kind_of(500, message, false), FailureKind::ServerError, "{message}");
        }
    }

    #[test]
    fn a_limit_of_the_output_is_not_one_of_the_input() {
        for message in [
            "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for this model",
            "max_tokens is too large: 5000. This model supports at most 4096 completion tokens",
            "it has a maxOutputTokens value of 100000 but the supported range is from 1 to 8193",
        ] {
            assert_eq!(kind_of(400, message, false), FailureKind::Rejected, "{message}");
        }
    }

    #[test]
    fn words_that_refuse_have_a_status_and_others_have_none() {
        for (word, status) in [
            ("context_length_exceeded", Some(400)),
            ("invalid_prompt", Some(400)),
            ("invalid_image_url", Some(400)),
            ("image_too_large", Some(400)),
            ("INVALID_ARGUMENT", Some(400)),
            ("authentication_error", Some(401)),
            ("not_found_error", Some(404)),
            ("rate_limit_exceeded", Some(429)),
            ("RESOURCE_EXHAUSTED", Some(429)),
            ("429", Some(429)),
            ("overloaded_error", Some(529)),
            ("UNAVAILABLE", Some(503)),
            ("server_error", None),
            ("api_error", None),
            ("INTERNAL", None),
            ("200", None),
            ("408", None),
            ("499", None),
            ("502", None),
            ("504", None),
            ("3051", None),
            ("error", None),
        ] {
            assert_eq!(status_of(word), status, "{word}");
        }
    }

    #[test]
    fn a_key_is_refused_by_googles_reason_or_by_how_the_message_begins() {
        let refuses = |json: &str| particulars(serde_json::from_str(json).unwrap()).refuses_key;
        for json in [
            r#"{"code":400,"details":[{"@type":"x"},{"reason":"API_KEY_INVALID"}]}"#,
            r#"{"code":400,"message":"API key not valid. Please pass a valid API key."}"#,
            r#""Incorrect API key provided: xa***Y.""#,
        ] {
            assert!(refuses(json), "{json}");
        }
        for json in [
            r#"{"message":"you said: API key not valid, API_KEY_INVALID"}"#,
            r#"{"details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}"#,
            r#"{"details":{"reason":"API_KEY_INVALID"}}"#,
            "7",
        ] {
            assert!(!refuses(json), "{json}");
        }
    }

    #[test]
    fn the_time_to_wait_is_read_as_google_tells_it() {
        let wait = |delay: &str| {
            let json = format!(r#"{{"details":[{{"reason":"x"}},{{"retryDelay":{delay}}}]}}"#);
            particulars(serde_json::from_str(&json).unwrap()).retry_after
        };
        assert_eq!(wait(r#""7s""#), Some(Duration::from_secs(7)));
        assert_eq!(wait(r#""0.5s""#), Some(Duration::from_millis(500)));
        for nonsense in [r#""7""#, r#""-7s""#, r#""NaNs""#, r#""1e300s""#, "7", "null"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
