//! The models of a plan, as people are told of them.

use gateway_actors::protocol::{Candidate, Estimate, Layer, NanoUsd, RejectReason, Rejected};
use serde::Serialize;

/// A model that may answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanCandidate<'a> {
    model: &'a str,
    layer: Layer,
    provider: &'a str,
    /// The chance of a right answer that is expected of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    chance: Option<f64>,
    /// Whether that is its own chance, or its layer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_cost_nano_usd: Option<NanoUsd>,
    reason: String,
}

/// A model that was left out.
#[derive(Debug, Serialize)]
pub(crate) struct PlanRejected<'a> {
    model: &'a str,
    layer: Layer,
    provider: &'a str,
    reason: String,
}

/// Candidates with what was expected of them, as far as it is known.
pub(crate) fn candidates<'a>(candidates: &'a [Candidate], estimates: &[Estimate]) -> Vec<PlanCandidate<'a>> {
    let shown = candidates.iter().map(|Candidate { model, reason }| {
        let estimate = estimates.iter().find(|estimate| estimate.model.id == model.id);
        PlanCandidate {
            model: model.id.as_str(),
            layer: model.layer,
            provider: model.provider.as_str(),
            chance: estimate.map(|estimate| estimate.chance),
            known: estimate.map(|estimate| estimate.known),
            estimated_cost_nano_usd: estimate.map(|estimate| estimate.cost),
            reason: reason.to_string(),
        }
    });
    shown.collect()
}

/// Models that were left out, and why.
pub(crate) fn rejected(rejected: &[Rejected]) -> Vec<PlanRejected<'_>> {
    let shown = rejected.iter().map(|Rejected { model, reason }| PlanRejected {
        model: model.id.as_str(),
        layer: model.layer,
        provider: model.provider.as_str(),
        reason: match reason {
            RejectReason::Lacks(missing) => format!("cannot do what is asked: {missing}"),
            RejectReason::WindowTooSmall => "the input does not fit its window".to_owned(),
            RejectReason::NoKey => "its provider has no key".to_owned(),
        },
    });
    shown.collect()
}
