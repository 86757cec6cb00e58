//! What every edge tells of an answer besides its text: who gave it, what it took, and how it came to be.

mod plan;
mod routing;

use std::borrow::Cow;
use std::time::Duration;

use gateway_actors::protocol::{AnswerEnd, Layer, NanoUsd, Served};
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use self::plan::{PlanCandidate, PlanRejected, candidates, rejected};
pub(crate) use self::routing::{CrossCheck, Routing, Skipped, skipped};
use crate::status::usd_number;

/// Who answered. Nobody did when the same message had been answered before.
#[derive(Debug, Serialize)]
pub(crate) struct Answerer<'a> {
    model: Option<&'a str>,
    provider: Option<&'a str>,
    layer: Option<Layer>,
}

impl<'a> Answerer<'a> {
    pub(crate) fn of(served: Option<&'a Served>) -> Self {
        let model = served.map(|served| &served.model);
        Self {
            model: model.map(|model| model.id.as_str()),
            provider: model.map(|model| model.provider.as_str()),
            layer: model.map(|model| model.layer),
        }
    }
}

/// How the answer ended, as answers of the gateway's own tell it; nothing where it is not known, as of one that was given
/// before.
pub(crate) fn finish_reason(served: Option<&Served>) -> Option<&'static str> {
    served?.end.map(AnswerEnd::as_str)
}

/// Every attempt in one line.
pub(crate) fn summary(served: Option<&Served>) -> Cow<'static, str> {
    served.map_or("this message was answered before".into(), |served| {
        served.summary().into()
    })
}

/// What all attempts together took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Performance {
    duration_ms: u64,
    tokens: Tokens,
    cost: Box<RawValue>,
    cost_nano_usd: NanoUsd,
}

#[derive(Debug, Serialize, Default)]
struct Tokens {
    input: u64,
    output: u64,
}

impl Performance {
    /// Of an answer that was there after this time.
    ///
    /// # Errors
    /// Never: an amount's decimal text is a JSON number.
    pub(crate) fn new(served: Option<&Served>, took: Duration) -> Result<Self, serde_json::Error> {
        let cost = served.map_or(NanoUsd::ZERO, |served| served.cost);
        Ok(Self {
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            tokens: served.map_or_else(Tokens::default, |served| Tokens {
                input: served.usage.input,
                output: served.usage.output,
            }),
            cost: usd_number(cost)?,
            cost_nano_usd: cost,
        })
    }

    /// Tokens and cost for people.
    pub(crate) fn account(&self) -> String {
        let Self { tokens, cost, .. } = self;
        format!("{} tokens in, {} out; {cost} USD", tokens.input, tokens.output)
    }
}
