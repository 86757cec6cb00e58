//! How an answer came to be: what was decided, what was asked, what came of the check.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gateway_actors::protocol::{
    AttemptTrace, CheckStatus, Complexity, HandOff, Layer, LegRole, LegTrace, NanoUsd, RoutingStory, Served, Strategy,
    TaskType,
};
use serde::Serialize;

use super::plan::{PlanCandidate, PlanRejected, candidates, rejected};
use super::summary;

/// What an attempt is told as that has not ended: it is not needed any more, and read to its end for what it costs.
const RUNNING: &str = "running";

/// How an answer came to be. Of a request for a named model there is the summary alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Routing<'a> {
    summary: Cow<'static, str>,
    from_cache: bool,
    #[serde(flatten)]
    story: Option<Story<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Story<'a> {
    task: TaskType,
    complexity: Complexity,
    start_layer: Layer,
    strategy: Strategy,
    cross_check: CrossCheck<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<Arm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heuristic: Option<&'a str>,
    attempts: Vec<Attempt<'a>>,
    #[serde(flatten)]
    explained: Option<Explained<'a>>,
}

/// What came of checking an answer.
#[derive(Debug, Serialize)]
pub(crate) struct CrossCheck<'a> {
    status: CheckStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    models: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreed: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Arm<'a> {
    id: &'a str,
    arm: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attempt<'a> {
    role: LegRole,
    layer: Layer,
    model: &'a str,
    provider: &'a str,
    reason: String,
    outcome: &'static str,
    cost_nano_usd: NanoUsd,
    /// What it may cost at most, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_nano_usd: Option<NanoUsd>,
}

/// What is told on request.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    candidates: Vec<PlanCandidate<'a>>,
    rejected: Vec<PlanRejected<'a>>,
    signals: BTreeMap<&'static str, f64>,
    skipped: Vec<Skipped>,
    trace: Trace<'a>,
}

/// A layer that was passed over, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    layer: Layer,
    why: &'static str,
}

/// Layers that were passed over, and why.
pub(crate) fn skipped(skipped: &[(Layer, &'static str)]) -> Vec<Skipped> {
    skipped.iter().map(|&(layer, why)| Skipped { layer, why }).collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    legs: Vec<Leg<'a>>,
    hand_offs: Vec<Told<'a>>,
}

#[derive(Debug, Serialize)]
struct Leg<'a> {
    role: LegRole,
    attempts: Vec<Attempt<'a>>,
}

/// What a better model was told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told<'a> {
    /// With an offer that was approved; its text is what was kept.
    Note { text: &'a str, tokens: u32 },
    /// Within the request.
    Package(Package<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    summary: &'a str,
    task: TaskType,
    attempts: Vec<PackageAttempt<'a>>,
    known_issues: &'a [String],
    open_questions: &'a [String],
    request: &'a str,
    tokens: u32,
}

#[derive(Debug, Serialize)]
struct PackageAttempt<'a> {
    layer: Layer,
    model: &'a str,
    evidence: &'static str,
    answer: &'a str,
}

impl<'a> Routing<'a> {
    /// Of an answer; nothing served it when the same message had been answered before. With `explain` it tells all.
    pub(crate) fn of(served: Option<&'a Served>, explain: bool) -> Self {
        let story = served.and_then(|served| Some((served, served.routing.as_deref()?)));
        Self {
            summary: summary(served),
            from_cache: served.is_none(),
            story: story.map(|(served, story)| Story::of(served, story, explain)),
        }
    }

    /// Every leg and attempt in one line.
    pub(crate) fn summary(&self) -> &str {
        &self.summary
    }
}

impl<'a> Story<'a> {
    fn of(served: &'a Served, story: &'a RoutingStory, explain: bool) -> Self {
        let decision = &story.decision;
        Self {
            task: decision.task,
            complexity: decision.complexity,
            start_layer: decision.start,
            strategy: decision.strategy,
            cross_check: CrossCheck::of(Some(story)),
            confidence: story.confidence,
            experiment: decision.arm.as_ref().map(|chosen| Arm {
                id: &chosen.experiment,
                arm: &chosen.arm,
            }),
            heuristic: decision.heuristic.as_deref(),
            attempts: attempts(served, story),
            explained: explain.then(|| Explained::of(story)),
        }
    }
}

impl<'a> CrossCheck<'a> {
    /// Of an answer with this story.
    pub(crate) fn of(story: Option<&'a RoutingStory>) -> Self {
        let votes = story.and_then(|story| story.votes);
        Self {
            status: story.map_or(CheckStatus::Off, |story| story.check),
            reason: story.and_then(|story| story.check_reason),
            models: story.map_or_else(Vec::new, |story| story.checkers.iter().map(|id| id.as_str()).collect()),
            agreed: votes.map(|(agreed, _)| agreed),
            of: votes.map(|(_, of)| of),
            // A chance that no check gave says nothing about the check.
            confidence: votes.and(story.and_then(|story| story.confidence)),
        }
    }
}

impl<'a> Explained<'a> {
    fn of(story: &'a RoutingStory) -> Self {
        let decision = &story.decision;
        let legs = story.legs.iter().map(|leg| Leg {
            role: leg.role,
            attempts: of_leg(leg).map(|(_, attempt)| attempt).collect(),
        });
        Self {
            candidates: candidates(&story.candidates, &decision.estimates),
            rejected: rejected(&story.rejected),
            signals: decision.signals.iter().copied().collect(),
            skipped: skipped(&decision.skipped),
            trace: Trace {
                legs: legs.collect(),
                hand_offs: hand_offs(story),
            },
        }
    }
}

/// What models were told of attempts before, in the order in which they were.
fn hand_offs(story: &RoutingStory) -> Vec<Told<'_>> {
    let note = story.note.iter().map(|note| Told::Note {
        text: &note.0,
        tokens: note.tokens(),
    });
    let packages = story.rises.iter().map(|package| Told::Package(Package::of(package)));
    note.chain(packages).collect()
}

impl<'a> Package<'a> {
    fn of(package: &'a HandOff) -> Self {
        let attempts = package.attempts.iter().map(|attempt| PackageAttempt {
            layer: attempt.layer,
            model: attempt.model.as_str(),
            evidence: attempt.evidence.as_str(),
            answer: &attempt.answer,
        });
        Self {
            summary: &package.summary,
            task: package.task,
            attempts: attempts.collect(),
            known_issues: &package.known_issues,
            open_questions: &package.open_questions,
            request: &package.request,
            tokens: package.tokens,
        }
    }
}

/// Every attempt in the order in which they were begun.
fn attempts<'a>(served: &'a Served, story: &'a RoutingStory) -> Vec<Attempt<'a>> {
    if story.legs.is_empty() {
        return served.attempts.iter().map(|trace| Attempt::of(trace, None)).collect();
    }
    let mut all: Vec<(u8, Attempt<'a>)> = story.legs.iter().flat_map(of_leg).collect();
    all.sort_by_key(|(ordinal, _)| *ordinal);
    all.into_iter().map(|(_, attempt)| attempt).collect()
}

/// A leg's attempts with their places. Of one that still runs the last has not ended.
fn of_leg(leg: &LegTrace) -> impl Iterator<Item = (u8, Attempt<'_>)> {
    let last = leg.attempts.len().saturating_sub(1);
    leg.attempts.iter().enumerate().map(move |(place, trace)| {
        let held = leg.held.filter(|_| place == last);
        (trace.ordinal, Attempt::of(trace, held))
    })
}

impl<'a> Attempt<'a> {
    /// `held`: what is held for it, if it still runs.
    fn of(trace: &'a AttemptTrace, held: Option<NanoUsd>) -> Self {
        Self {
            role: trace.role,
            layer: trace.model.layer,
            model: trace.model.id.as_str(),
            provider: trace.model.provider.as_str(),
            reason: trace.reason.to_string(),
            outcome: if held.is_some() {
                RUNNING
            } else {
                trace.outcome.as_str()
            },
            cost_nano_usd: if held.is_some() { NanoUsd::ZERO } else { trace.cost },
            held_nano_usd: held,
        }
    }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
