//! What can be wrong with a provider's answer, whatever its dialect.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use gateway_actors::protocol::{FailureKind, UsageReport, Vendor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error_words::{Particulars, kind_of, particulars, status_of};
use super::events::has_no_output;
use super::json::text;
use super::openai_chat::usage_report;

/// The longest code that is kept.
const CODE_BYTES: usize = 64;

/// What was found in an answer that has its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// What it says of usage.
    pub usage: UsageReport,
}

/// Why a body is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// There is nothing in it.
    #[error("the body is empty")]
    Empty,
    /// It stops in the middle.
    #[error("the body stops in the middle")]
    Cut,
    /// It is not JSON, or JSON of another shape.
    #[error("the body is {0}")]
    Malformed(&'static str),
    /// It is an error, under a status that says it is none.
    #[error("the body is an error: {0}")]
    ErrorObject(ErrorObject),
    /// It is an answer, but none in words: the model called a tool, or said nothing.
    #[error("the answer has no text")]
    NoText,
}

/// Why a stream is over before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// An event is larger than the limit.
    #[error("an event of the stream is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The data of an event is not JSON, or not of the dialect.
    #[error("an event of the stream is not one of its dialect")]
    Malformed,
    /// An event is an error.
    #[error("the stream carries an error: {0}")]
    ErrorObject(ErrorObject),
    /// It ended before its end mark, and before any choice was finished.
    #[error("the stream ended before its end mark")]
    Truncated,
    /// It ended without saying anything.
    #[error("the stream ended without an answer")]
    Empty,
}

/// What is kept of a provider's error. Its message is not: it may repeat what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorObject {
    /// Its code, else its type, if that is a word of up to 64 letters, digits, dots, dashes and underscores. For the log.
    pub code: Option<String>,
    /// The status of HTTP with which it would have come, had it not been told in an answer, and what that means. Only if its
    /// words are known, and refuse the request.
    pub refusal: Option<(u16, FailureKind)>,
    /// Whether it says that the model made something of the request that cannot be used: of another it may not.
    pub is_unusable: bool,
    /// Whether it says that our key is none.
    pub refuses_key: bool,
    /// After which time trying again may help, as it says.
    pub retry_after: Option<Duration>,
    /// Whether something of an answer came before it or with it. Then that may be billed, whatever it says.
    pub has_output: bool,
    /// Usage that was reported with it.
    pub usage: UsageReport,
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_deref().unwrap_or("without a code"))
    }
}

impl ErrorObject {
    /// An error of which nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        code: None,
        refusal: None,
        is_unusable: false,
        refuses_key: false,
        retry_after: None,
        has_output: false,
        usage: UsageReport::Missing,
    };

    /// An error that is nothing but this word for why an answer ended, which refuses nothing.
    pub(super) fn ended_by(word: &str) -> Self {
        Self {
            code: is_word(word).then(|| word.to_owned()),
            ..Self::UNKNOWN
        }
    }

    /// The same where the word says that what the model made cannot be used.
    pub(super) fn unusable(word: &str) -> Self {
        Self {
            is_unusable: true,
            ..Self::ended_by(word)
        }
    }

    /// Reads the value of an `error` member: an object, or anything else. Of `code`, `status` (Gemini's word for it) and
    /// `type` the first that is a word is kept, and the first whose meaning is known counts.
    pub(super) fn read(value: &RawValue) -> Self {
        #[derive(Deserialize, Default)]
        struct Members<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow)]
            status: Option<&'a RawValue>,
            #[serde(borrow, rename = "type")]
            kind: Option<&'a RawValue>,
        }
        let members: Members<'_> = serde_json::from_str(value.get()).unwrap_or_default();
        let word = |value: &RawValue| {
            let word = text(value).unwrap_or(Cow::Borrowed(value.get()));
            is_word(&word).then(|| word.into_owned())
        };
        let code = [members.code, members.status, members.kind];
        let words: Vec<String> = code.into_iter().flatten().filter_map(word).collect();
        let Particulars {
            refuses_key,
            retry_after,
        } = particulars(value);
        let status = words.iter().find_map(|word| status_of(word));
        Self {
            refusal: status.map(|status| (status, kind_of(status, value.get(), refuses_key))),
            code: words.into_iter().next(),
            refuses_key,
            retry_after,
            ..Self::UNKNOWN
        }
    }

    /// The same with usage that was reported with it, and whether something of an answer came before it or with it. A report
    /// without output is none then.
    pub(super) fn with(mut self, usage: UsageReport, has_output: bool) -> Self {
        self.has_output |= has_output;
        self.usage = if self.has_output && has_no_output(usage) {
            UsageReport::Missing
        } else {
            usage
        };
        self
    }
}

fn is_word(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=CODE_BYTES).contains(&text.len()) && text != "null" && text.bytes().all(may_stand)
}

/// What a body that came with an error status says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// The error, if it names one.
    pub error: Option<ErrorObject>,
    /// Usage that it reports all the same.
    pub usage: UsageReport,
}

/// Reads a body that came with an error status, in any dialect: they all have an `error` member. It may be anything else:
/// what cannot be read says nothing.
#[must_use]
pub fn explanation(body: &[u8]) -> Explanation {
    #[derive(Deserialize)]
    struct Members<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }
    // Google's endpoint for chat completions sends an array of one.
    let members = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<[Members<'_>; 1]>(body).map(|[members]| members),
        _ => serde_json::from_slice(body),
    };
    match members {
        Ok(members) => Explanation {
            error: members.error.map(ErrorObject::read),
            usage: members
                .usage
                .map_or(UsageReport::Missing, |usage| usage_report(usage, Vendor::Other)),
        },
        Err(_anything) => Explanation::default(),
    }
}
