//! What both edges tell of an answer to a task besides its text.

use std::borrow::Cow;

use gateway_actors::protocol::{CheckPlan, CheckStatus, QualityLevel, RoutingStory, Served, TodoList, TodoStatus};
use serde::Serialize;

use crate::answer::CrossCheck;

/// How good the answer is, as far as anybody knows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quality<'a> {
    level: QualityLevel,
    /// The chance that it is right.
    confidence: Option<f64>,
    cross_check: CrossCheck<'a>,
    assessment: Cow<'static, str>,
}

impl<'a> Quality<'a> {
    /// Of an answer to a request of this level.
    pub(crate) fn of(level: QualityLevel, served: Option<&'a Served>) -> Self {
        let story = served.and_then(|served| served.routing.as_deref());
        Self {
            level,
            confidence: story.and_then(|story| story.confidence),
            cross_check: CrossCheck::of(story),
            assessment: story.map_or(Cow::Borrowed("not checked"), assessment),
        }
    }
}

/// What came of the check, in words.
fn assessment(story: &RoutingStory) -> Cow<'static, str> {
    match (story.check, story.votes, story.check_reason) {
        (CheckStatus::Off, _, Some(CheckPlan::AT_ONCE)) => {
            "not checked: the strongest model was asked at once, which is worth more than cheaper answers first".into()
        }
        (CheckStatus::Off, ..) => "not checked".into(),
        (CheckStatus::Agreed, Some((agreed, of)), _) => format!("agreed by {agreed} of {of}").into(),
        (CheckStatus::Agreed, None, _) => "agreed by independent models".into(),
        (CheckStatus::Disagreed, ..) => "independent models disagreed, and nobody settled it".into(),
        (CheckStatus::Accepted, ..) => "accepted by a reviewer".into(),
        (CheckStatus::Rejected, ..) => "rejected by a reviewer, and nothing better was to be had".into(),
        (CheckStatus::Arbitrated, ..) => "settled by another model".into(),
        (CheckStatus::Unavailable, _, Some(reason)) => format!("could not be checked: {reason}").into(),
        (CheckStatus::Unavailable, _, None) => "could not be checked".into(),
    }
}

/// The steps of a task.
#[derive(Debug, Serialize)]
pub(crate) struct Todo<'a> {
    id: &'a str,
    steps: Vec<StepView<'a>>,
}

#[derive(Debug, Serialize)]
struct StepView<'a> {
    text: &'a str,
    status: TodoStatus,
    model: Option<&'a str>,
}

impl<'a> Todo<'a> {
    pub(crate) fn of(list: &'a TodoList) -> Self {
        let steps = list.steps.iter().map(|step| StepView {
            text: &step.text,
            status: step.status,
            model: step.model.as_ref().map(|model| model.as_str()),
        });
        Self {
            id: &list.id,
            steps: steps.collect(),
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
