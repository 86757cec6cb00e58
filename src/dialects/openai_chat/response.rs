//! A whole answer: whether it is one, what it used and what it says.

use std::fmt;

use gateway_actors::protocol::{Tier, UsageReport, Vendor};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::read_answer::is_failure;
use super::usage::usage_report;
use crate::dialects::fault::{ErrorObject, Inspected, ShapeError};
use crate::dialects::gemini::unusable;
use crate::dialects::json::{is_object, is_string, raw_text, text};

/// The words of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerText {
    /// What the model says, without NUL characters, which databases refuse.
    pub text: String,
    /// Why it stopped, in the provider's word (`stop`, `length`, `content_filter`, …).
    pub finish_reason: Option<String>,
    /// Its refusal, if that is what it answered.
    pub refusal: Option<String>,
}

/// Checks that a body is an answer of this vendor's and reads its usage, in one pass.
///
/// # Errors
/// Why it is no answer; [`ShapeError::NoText`] is not among them.
pub fn inspect(body: &[u8], vendor: Vendor) -> Result<Inspected, ShapeError> {
    let answer = parse(body, vendor)?;
    Ok(Inspected {
        usage: answer.usage(vendor),
    })
}

/// The words of an answer, for endpoints that answer in words.
///
/// # Errors
/// Why the body is no answer, or that it has no words.
pub fn answer_text(body: &[u8]) -> Result<AnswerText, ShapeError> {
    let answer = parse(body, Vendor::Other)?;
    let first = answer.choices.and_then(|choices| choices.first);
    let message: Message<'_> = match first.as_ref().and_then(|first| first.message) {
        Some(message) => serde_json::from_str(message.get()).map_err(|_error| NOT_AN_ANSWER)?,
        None => Message::default(),
    };
    let legacy = first.as_ref().and_then(|first| first.text);
    let content = message.content.or(legacy).and_then(content_text);
    let refusal = message.refusal.and_then(text).filter(|refusal| !refusal.is_empty());
    if content.is_none() && refusal.is_none() {
        return Err(ShapeError::NoText);
    }
    let without_nul = |text: &str| text.replace('\0', "");
    Ok(AnswerText {
        text: content.as_deref().map(without_nul).unwrap_or_default(),
        finish_reason: first
            .and_then(|first| first.finish_reason)
            .and_then(text)
            .as_deref()
            .map(without_nul),
        refusal: refusal.as_deref().map(without_nul),
    })
}

const NOT_JSON: ShapeError = ShapeError::Malformed("not JSON");
const NOT_AN_ANSWER: ShapeError = ShapeError::Malformed("JSON, but not a chat completion");

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    choices: Option<Choices<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
}

/// The choices, of which only the first is looked into.
struct Choices<'a> {
    first: Option<Choice<'a>>,
    /// That one of them came to nothing.
    failure: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// What the older completions API has in the message's place.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    native_finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// How a choice ended.
#[derive(Deserialize, Default)]
pub(super) struct Ended<'a> {
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    /// OpenRouter's: the word of who made the answer.
    #[serde(borrow)]
    pub(super) native_finish_reason: Option<&'a RawValue>,
    /// What OpenRouter says of one that came to nothing.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl Ended<'_> {
    /// That the choice came to nothing, as its end tells, or an error that it has: OpenRouter gives either, or both. Where
    /// a model of Gemini's made what cannot be used, OpenRouter says so in a word of its own.
    pub(super) fn failure(&self) -> Option<ErrorObject> {
        if let Some(unusable) = [self.finish_reason, self.native_finish_reason]
            .into_iter()
            .flatten()
            .find_map(|word| unusable(raw_text(word)?))
        {
            return Some(ErrorObject::unusable(unusable));
        }
        if let Some(error) = self.error.filter(|error| is_object(error)) {
            return Some(ErrorObject::read(error));
        }
        let word = self.finish_reason.and_then(text)?;
        is_failure(&word).then(|| ErrorObject::ended_by(&word))
    }
}

#[derive(Deserialize, Default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct TextPart<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ChoicesVisitor;

        impl<'de> Visitor<'de> for ChoicesVisitor {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices<'de>, A::Error> {
                let first: Option<Choice<'_>> = seq.next_element()?;
                let mut failure = first.as_ref().and_then(|first| first.ended().failure());
                while let Some(next) = seq.next_element::<&RawValue>()? {
                    // What cannot be read says nothing.
                    let next: Ended<'_> = serde_json::from_str(next.get()).unwrap_or_default();
                    failure = failure.or_else(|| next.failure());
                }
                Ok(Choices { first, failure })
            }
        }

        deserializer.deserialize_seq(ChoicesVisitor)
    }
}

impl<'a> Choice<'a> {
    fn ended(&self) -> Ended<'a> {
        Ended {
            finish_reason: self.finish_reason,
            native_finish_reason: self.native_finish_reason,
            error: self.error,
        }
    }
}

impl Answer<'_> {
    fn usage(&self, vendor: Vendor) -> UsageReport {
        self.usage
            .map_or(UsageReport::Missing, |usage| usage_report(usage, vendor))
            .in_tier(Tier::of_member(self.service_tier))
    }
}

fn parse(body: &[u8], vendor: Vendor) -> Result<Answer<'_>, ShapeError> {
    let start = body.trim_ascii_start();
    match start.first() {
        None => return Err(ShapeError::Empty),
        Some(b'<') => return Err(ShapeError::Malformed("HTML or XML")),
        // The parser would read an array as the members of an object, in order.
        Some(b'[') => return Err(NOT_AN_ANSWER),
        Some(_) => {}
    }
    // Looked at once here, instead of once more for every value that is kept.
    let json = std::str::from_utf8(body).map_err(|error| match error.error_len() {
        None => ShapeError::Cut,
        Some(_) => NOT_JSON,
    })?;
    let answer: Answer<'_> = serde_json::from_str(json).map_err(|error| {
        if error.is_eof() {
            ShapeError::Cut
        } else if error.is_data() {
            NOT_AN_ANSWER
        } else {
            NOT_JSON
        }
    })?;
    if let Some(error) = answer.error {
        let has_choice = answer.choices.as_ref().is_some_and(|choices| choices.first.is_some());
        let error = ErrorObject::read(error).with(answer.usage(vendor), has_choice);
        return Err(ShapeError::ErrorObject(error));
    }
    let failure = answer.choices.as_ref().and_then(|choices| choices.failure.clone());
    if let Some(failure) = failure {
        return Err(ShapeError::ErrorObject(failure.with(answer.usage(vendor), true)));
    }
    let Some(first) = answer.choices.as_ref().and_then(|choices| choices.first.as_ref()) else {
        return Err(NOT_AN_ANSWER);
    };
    if first.message.is_some_and(is_object) || first.text.is_some_and(is_string) {
        Ok(answer)
    } else {
        Err(NOT_AN_ANSWER)
    }
}

/// The text of a content: a string, or the text of its parts one after the other.
fn content_text(content: &RawValue) -> Option<String> {
    if let Some(text) = text(content) {
        return Some(text.into_owned());
    }
    let parts: Vec<TextPart<'_>> = serde_json::from_str(content.get()).ok()?;
    let texts: Vec<_> = parts.iter().filter_map(|part| part.text.and_then(text)).collect();
    (!texts.is_empty()).then(|| texts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::TokenUsage;

    fn inspect(body: &[u8]) -> Result<Inspected, ShapeError> {
        super::inspect(body, Vendor::Other)
    }

    fn answer(message: &str) -> String {
        format!(r#"{{"id":"x","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}},{{}}]}}"#)
    }

    #[test]
    fn an_answer_with_usage_is_inspected() {
        let body = r#" {"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}} "#;
        let usage = TokenUsage {
            input: 3,
            output: 1,
            ..TokenUsage::default()
        };
        assert_eq!(inspect(body.as_bytes()).unwrap().usage, UsageReport::Reported(usage));
        assert_eq!(inspect(answer("{}").as_bytes()).unwrap().usage, UsageReport::Missing);
        assert!(inspect(br#"{"choices":[{"text":"old"}]}"#).is_ok());
    }

    #[test]
    fn what_is_no_answer_says_why() {
        assert_eq!(inspect(b""), Err(ShapeError::Empty));
        assert_eq!(inspect(b" \r\n"), Err(ShapeError::Empty));
        assert_eq!(inspect(b"<!DOCTYPE html>"), Err(ShapeError::Malformed("HTML or XML")));
        for body in [
            "{}",
            "[]",
            "null",
            "5",
            r#"{"choices":[]}"#,
            r#"{"choices":[5]}"#,
            r#"{"choices":[{}]}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        for body in [
            r#"{"choices":[{"message":"hi"}]}"#,
            r#"{"choices":[{"message":null,"text":4}]}"#,
        ] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_AN_ANSWER), "{body}");
        }
        for body in ["data: {}\n\n", "{\"choices\"}", "upstream connect error", "\u{feff}{}"] {
            assert_eq!(inspect(body.as_bytes()), Err(NOT_JSON), "{body}");
        }
        let error = inspect(br#"{"error":{"message":"no such luck","code":500},"choices":[]}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body is an error: 500");
    }

    #[test]
    fn an_answer_of_which_a_choice_came_to_nothing_is_an_error_with_its_usage() {
        let usage = UsageReport::Reported(TokenUsage {
            input: 3,
            output: 1,
            ..TokenUsage::default()
        });
        for (ends, word) in [
            (r#"{"message":{"content":"par"},"finish_reason":"error"}"#, "error"),
            (
                r#"{"message":{"content":"par"},"finish_reason":"error","error":{"code":502,"message":"x"}}"#,
                "502",
            ),
            (r#"{"message":{"content":"par"},"error":{"code":429}}"#, "429"),
            (
                r#"{"message":{"content":"ok"},"finish_reason":"stop"},{"finish_reason":"error"}"#,
                "error",
            ),
            (
                r#"{"message":{"content":""},"finish_reason":"insufficient_system_resource"}"#,
                "insufficient_system_resource",
            ),
        ] {
            let body = format!(r#"{{"choices":[{ends}],"usage":{{"prompt_tokens":3,"completion_tokens":1}}}}"#);
            let Err(ShapeError::ErrorObject(error)) = inspect(body.as_bytes()) else {
                panic!("{body}")
            };
            assert_eq!(error.to_string(), word, "{body}");
            assert_eq!((error.has_output, error.usage), (true, usage), "{body}");
        }
        let good = r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop","error":null},5]}"#;
        assert!(inspect(good.as_bytes()).is_ok());
    }

    #[test]
    fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
        let body = answer(r#"{"role":"assistant","content":"héllo"}"#);
        for length in 1..body.len() {
            let cut = inspect(&body.as_bytes()[..length]);
            assert!(cut == Err(ShapeError::Cut) || cut == Err(NOT_JSON), "{length}: {cut:?}");
        }
        let in_a_letter = body.find('é').unwrap() + 1;
        assert_eq!(inspect(&body.as_bytes()[..in_a_letter]), Err(ShapeError::Cut));
    }

    #[test]
    fn text_comes_from_a_string_or_from_parts_and_loses_its_nuls() {
        let read = |message: &str| answer_text(answer(message).as_bytes());
        let text = read(r#"{"content":"a\u0000b \"c\""}"#).unwrap();
        assert_eq!(text.text, "ab \"c\"");
        assert_eq!(text.finish_reason.as_deref(), Some("stop"));
        let parts = r#"{"content":[{"type":"text","text":"a"},{"type":"x"},{"type":"text","text":"b"}]}"#;
        assert_eq!(read(parts).unwrap().text, "ab");
        assert_eq!(read(r#"{"content":""}"#).unwrap().text, "");
        assert_eq!(answer_text(br#"{"choices":[{"text":"old"}]}"#).unwrap().text, "old");
    }

    #[test]
    fn an_answer_without_words_is_a_typed_error() {
        let called = r#"{"content":null,"tool_calls":[{"id":"1"}]}"#;
        assert_eq!(answer_text(answer(called).as_bytes()), Err(ShapeError::NoText));
        let refused = answer_text(answer(r#"{"content":null,"refusal":"no"}"#).as_bytes()).unwrap();
        assert_eq!((refused.text.as_str(), refused.refusal.as_deref()), ("", Some("no")));
    }
}
