//! Rows of `outcomes`, turned into the protocol's types and back.

use diesel::prelude::*;
use gateway_actors::protocol::{
    CheckStatus, Complexity, ConversationId, Evidence, Feedback, KeyId, Layer, LegRole, NanoUsd, Outcome, OutcomeEnd,
    OutcomeRow, QualityLevel, RecordOwner, Strategy,
};

use super::error::Fault;
use super::schema::{llm_calls, outcomes};
use super::transfer::StoredOutcome;

/// A column holds what nobody wrote there.
fn broken<E>(_error: E) -> Fault {
    Fault::failed("an outcome's row cannot be read")
}

/// A number in thousandths, as the database has it.
fn thousandths(number: f64) -> i64 {
    // A float that is too large, or is none, becomes the nearest number.
    (number * 1_000.0).round() as i64
}

impl StoredOutcome {
    /// The row of an outcome that is stored now.
    pub(super) fn new(outcome: &OutcomeRow, now: i64) -> Self {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(ToOwned::to_owned);
        let confidence = outcome.confidence.map(|chance| thousandths(chance.clamp(0.0, 1.0)));
        let (experiment, arm) = outcome.experiment.clone().unzip();
        let (passed, failed) = outcome.tests.unzip();
        Self {
            request_id: outcome.request.to_string(),
            key_id: outcome.key_id.as_ref().map(ToString::to_string),
            user_id: text(&outcome.user_id),
            project_id: text(&outcome.project_id),
            conversation_id: outcome.conversation.as_ref().map(|id| id.as_str().to_owned()),
            endpoint: outcome.endpoint.to_string(),
            task: outcome.task.to_string(),
            complexity: outcome.complexity.as_ref().map(Complexity::to_string),
            quality: outcome.quality.to_string(),
            difficulty_milli: outcome.difficulty.map(thousandths),
            start_layer: outcome.start.as_ref().map(Layer::to_string),
            layer: outcome.layer.to_string(),
            model_id: outcome.model.to_string(),
            strategy: outcome.strategy.as_ref().map(Strategy::to_string),
            cross_check: outcome.check.to_string(),
            votes: outcome.votes.map(i32::from),
            confidence_milli: confidence.and_then(|milli| i32::try_from(milli).ok()),
            evidence: outcome.evidence.as_ref().map(Evidence::to_string),
            escalated: outcome.escalated,
            replaced_model_id: outcome.replaced.as_ref().map(ToString::to_string),
            ended: outcome.ended.to_string(),
            accepted: outcome.accepted,
            rating: outcome.rating.map(i32::from),
            tests_passed: passed.map(i64::from),
            tests_failed: failed.map(i64::from),
            comment: None,
            experiment_id: experiment.as_ref().map(ToString::to_string),
            arm: text(&arm),
            arm_failed: outcome.arm_failed,
            cost_nano_usd: outcome.cost.0,
            created_at: outcome.created_at,
            updated_at: now,
        }
    }

    /// The row of a request that has none, made of its calls in the order of their places: what is known of a model that
    /// was named. Nothing without a call.
    pub(super) fn of_calls(request: &str, calls: &[CallLabels], now: i64) -> Option<Self> {
        let answers = || calls.iter().filter(|call| call.is_an_answer());
        let answered = answers().rfind(|call| call.success);
        let last = answered.or(answers().next_back()).or(calls.last())?;
        let ended = calls
            .iter()
            .map(|call| call.started_at.saturating_add(call.duration_us));
        let rise = LegRole::Rise.as_str();
        Some(Self {
            request_id: request.to_owned(),
            key_id: last.key_id.clone(),
            user_id: last.user_id.clone(),
            project_id: last.project_id.clone(),
            conversation_id: last.conversation_id.clone(),
            endpoint: last.endpoint.clone(),
            task: last.task.clone(),
            complexity: None,
            quality: QualityLevel::Normal.to_string(),
            difficulty_milli: None,
            start_layer: None,
            layer: last.layer.clone(),
            model_id: last.model_id.clone(),
            strategy: None,
            cross_check: CheckStatus::Off.to_string(),
            votes: None,
            confidence_milli: None,
            evidence: None,
            escalated: answered.is_some_and(|call| call.purpose == rise),
            replaced_model_id: None,
            ended: match answered {
                Some(_) => OutcomeEnd::Answered,
                None => last.ended(),
            }
            .to_string(),
            accepted: None,
            rating: None,
            tests_passed: None,
            tests_failed: None,
            comment: None,
            experiment_id: None,
            arm: None,
            arm_failed: false,
            cost_nano_usd: calls
                .iter()
                .fold(0, |sum, call| i64::saturating_add(sum, call.cost_nano_usd)),
            created_at: ended.max().unwrap_or(now),
            updated_at: now,
        })
    }

    /// The same with what a caller says of it.
    pub(super) fn with_feedback(self, feedback: &Feedback) -> Self {
        let (passed, failed) = feedback.tests.unzip();
        Self {
            accepted: feedback.accepted,
            rating: feedback.rating.map(i32::from),
            tests_passed: passed.map(i64::from),
            tests_failed: failed.map(i64::from),
            comment: feedback.comment.as_deref().map(ToOwned::to_owned),
            ..self
        }
    }
}

impl TryFrom<StoredOutcome> for OutcomeRow {
    type Error = Fault;

    fn try_from(row: StoredOutcome) -> Result<Self, Fault> {
        fn word<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Fault> {
            text.map(str::parse).transpose().map_err(broken)
        }
        fn narrow<T: TryFrom<i64>>(number: impl Into<i64>) -> Result<T, Fault> {
            T::try_from(number.into()).map_err(broken)
        }
        let conversation = row.conversation_id.as_deref().map(ConversationId::from_stored);
        let tests = match (row.tests_passed, row.tests_failed) {
            (None, None) => None,
            (passed, failed) => Some((narrow(passed.unwrap_or_default())?, narrow(failed.unwrap_or_default())?)),
        };
        let experiment = match (word(row.experiment_id.as_deref())?, row.arm) {
            (Some(experiment), Some(arm)) => Some((experiment, arm.into())),
            _ => None,
        };
        Ok(Self {
            request: row.request_id.parse().map_err(broken)?,
            key_id: word(row.key_id.as_deref())?,
            user_id: row.user_id.map(Into::into),
            project_id: row.project_id.map(Into::into),
            conversation: conversation.transpose().map_err(broken)?,
            endpoint: row.endpoint.into(),
            task: row.task.parse().map_err(broken)?,
            complexity: word(row.complexity.as_deref())?,
            quality: row.quality.parse().map_err(broken)?,
            difficulty: row.difficulty_milli.map(|milli| milli as f64 / 1_000.0),
            start: word(row.start_layer.as_deref())?,
            layer: row.layer.parse().map_err(broken)?,
            model: row.model_id.into(),
            strategy: word(row.strategy.as_deref())?,
            check: row.cross_check.parse().map_err(broken)?,
            votes: row.votes.map(narrow).transpose()?,
            confidence: row.confidence_milli.map(|milli| f64::from(milli) / 1_000.0),
            evidence: word(row.evidence.as_deref())?,
            escalated: row.escalated,
            replaced: row.replaced_model_id.map(Into::into),
            ended: row.ended.parse().map_err(broken)?,
            accepted: row.accepted,
            rating: row.rating.map(narrow).transpose()?,
            tests,
            experiment,
            arm_failed: row.arm_failed,
            cost: NanoUsd(row.cost_nano_usd),
            created_at: row.created_at,
        })
    }
}

/// What a caller says of a request, over what was said before.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = outcomes, treat_none_as_null = true)]
pub(super) struct FeedbackChange<'a> {
    accepted: Option<bool>,
    rating: Option<i32>,
    tests_passed: Option<i64>,
    tests_failed: Option<i64>,
    comment: Option<&'a str>,
    updated_at: i64,
}

impl<'a> FeedbackChange<'a> {
    pub(super) fn new(feedback: &'a Feedback, now: i64) -> Self {
        let (passed, failed) = feedback.tests.unzip();
        Self {
            accepted: feedback.accepted,
            rating: feedback.rating.map(i32::from),
            tests_passed: passed.map(i64::from),
            tests_failed: failed.map(i64::from),
            comment: feedback.comment.as_deref(),
            updated_at: now,
        }
    }
}

/// What an outcome is made of where there is none: a part of a call record.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = llm_calls)]
pub(super) struct CallLabels {
    key_id: Option<String>,
    user_id: Option<String>,
    project_id: Option<String>,
    conversation_id: Option<String>,
    endpoint: String,
    task: String,
    layer: String,
    model_id: String,
    purpose: String,
    outcome: String,
    success: bool,
    cost_nano_usd: i64,
    duration_us: i64,
    started_at: i64,
}

impl CallLabels {
    /// Whether it was made for a text that the client may get.
    fn is_an_answer(&self) -> bool {
        let others = [LegRole::Review, LegRole::Rating, LegRole::Plan];
        !others.iter().any(|role| role.as_str() == self.purpose)
    }

    /// How a request ended whose last call, which was not answered, is this one. What a provider refused may have been the
    /// provider's fault or the request's own, which is not told: nobody is blamed.
    fn ended(&self) -> OutcomeEnd {
        let is = |outcomes: &[Outcome]| outcomes.iter().any(|outcome| outcome.as_str() == self.outcome);
        if is(&[Outcome::ClientLeft, Outcome::Superseded]) {
            OutcomeEnd::Left
        } else if is(&[Outcome::Refused, Outcome::Cut, Outcome::Interrupted]) {
            OutcomeEnd::Refused
        } else {
            OutcomeEnd::Failed
        }
    }

    /// Whose it is.
    pub(super) fn labels(&self) -> Labels {
        Labels {
            key_id: self.key_id.clone(),
            project_id: self.project_id.clone(),
            user_id: self.user_id.clone(),
        }
    }
}

/// Whose a row is.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = outcomes)]
pub(super) struct Labels {
    key_id: Option<String>,
    project_id: Option<String>,
    user_id: Option<String>,
}

impl Labels {
    /// Whether it is one of these, as reports tell them.
    pub(super) fn are_of(&self, owner: &RecordOwner) -> bool {
        match owner {
            RecordOwner::Everyone => true,
            RecordOwner::Key(key) => self.key_id.as_deref() == Some(KeyId::as_str(key)),
            RecordOwner::Labels { project, user } => {
                let project_is = project.is_none() || self.project_id.as_deref() == project.as_deref();
                project_is && (user.is_none() || self.user_id.as_deref() == user.as_deref())
            }
        }
    }
}

#[cfg(test)]
#[path = "outcome_row_tests.rs"]
mod tests;
