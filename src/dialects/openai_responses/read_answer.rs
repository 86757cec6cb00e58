//! A provider's whole answer, read for a client of another dialect.

use gateway_actors::protocol::{TranslationError, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::output_item::OutputItem;
use crate::dialects::json::{raw_text, text};
use crate::dialects::neutral::{Answer, Choice, FinishReason, PartKind};
use crate::dialects::usage::of_openai_responses;

/// The members of a response that say how it ended.
#[derive(Debug, Deserialize, Default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<&'a RawValue>,
}

impl Response<'_> {
    /// Its usage.
    pub(super) fn usage(&self) -> UsageReport {
        self.usage.map_or(UsageReport::Missing, of_openai_responses)
    }

    /// Why it ended. A refusal in words is a whole answer.
    ///
    /// # Errors
    /// When it did not end.
    pub(super) fn finish(&self, calls: bool) -> Result<FinishReason<'static>, TranslationError> {
        #[derive(Deserialize, Default)]
        struct Details<'a> {
            #[serde(borrow)]
            reason: Option<&'a RawValue>,
        }
        match self.status.and_then(raw_text) {
            None | Some("completed") if calls => Ok(FinishReason::ToolCalls),
            None | Some("completed") => Ok(FinishReason::Stop),
            Some("incomplete") => {
                let details = self.incomplete_details.map_or("{}", RawValue::get);
                let details: Details<'_> = serde_json::from_str(details).unwrap_or_default();
                match details.reason.and_then(raw_text) {
                    Some("content_filter") => Ok(FinishReason::Refused),
                    _ => Ok(FinishReason::Length),
                }
            }
            Some(_) => Err(TranslationError("the response is not finished")),
        }
    }
}

/// Reads an answer.
///
/// # Errors
/// When it is none, or none that is finished.
pub(in crate::dialects) fn read_answer(body: &str) -> Result<Answer<'_>, TranslationError> {
    let response: Response<'_> =
        serde_json::from_str(body).map_err(|_error| TranslationError("the body is not a response"))?;
    let Some(output) = &response.output else {
        return Err(TranslationError("the response has no output"));
    };
    let mut parts = Vec::new();
    for item in output {
        let item = OutputItem::read(item).ok_or(TranslationError("an item of the output is none"))?;
        parts.append(&mut item.into_parts());
    }
    let calls = parts.iter().any(|part| matches!(part, PartKind::ToolCall(_)));
    Ok(Answer {
        id: response.id.and_then(text).unwrap_or_default(),
        model: response.model.and_then(text).unwrap_or_default(),
        choices: vec![Choice {
            finish: response.finish(calls)?,
            parts,
        }],
        usage: response.usage(),
        service_tier: response.service_tier.and_then(text).unwrap_or_default(),
    })
}

#[cfg(test)]
#[path = "read_answer_tests.rs"]
mod tests;
