//! Outcomes: storing them, what callers say of them, and reading them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    EarlierTests, ExperimentId, Feedback, LegRole, OutcomeRow, PURGE_BATCH, RecordOwner, RequestId,
};

use super::reports::first_id_since;
use super::{Connection, new_outcomes};
use crate::store::error::{Fault, QueryError};
use crate::store::outcome_row::{CallLabels, FeedbackChange, Labels};
use crate::store::schema::{llm_calls, outcomes};
use crate::store::transfer::StoredOutcome;

/// Stores outcomes inside the running transaction. One that is there stays as it is, save that what was noted replaces
/// what feedback made of the calls because it came first.
pub(in super::super) async fn insert_outcomes(
    connection: &mut Connection,
    noted: &[OutcomeRow],
    now: i64,
) -> Result<(), QueryError> {
    // In the order of their ids, each once: replicas do not wait for each other in a circle.
    let mut rows = BTreeMap::new();
    for outcome in noted {
        let row = StoredOutcome::new(outcome, now);
        rows.entry(row.request_id.clone()).or_insert(row);
    }
    let rows: Arc<[StoredOutcome]> = rows.into_values().collect();
    let new: HashSet<String> = new_outcomes::insert(connection, &rows).await?;
    let there = rows.iter().filter(|row| !new.contains(&row.request_id));
    for row in there.filter(|row| row.complexity.is_some()) {
        replace_made(connection, row).await?;
    }
    Ok(())
}

/// Puts what was noted in the place of what was made of the calls. What the caller said stays.
async fn replace_made(connection: &mut Connection, row: &StoredOutcome) -> Result<(), QueryError> {
    let made = outcomes::table
        .find(&row.request_id)
        .filter(outcomes::complexity.is_null());
    let labels = (
        outcomes::key_id.eq(&row.key_id),
        outcomes::user_id.eq(&row.user_id),
        outcomes::project_id.eq(&row.project_id),
        outcomes::conversation_id.eq(&row.conversation_id),
        outcomes::endpoint.eq(&row.endpoint),
        outcomes::task.eq(&row.task),
        outcomes::quality.eq(&row.quality),
        outcomes::layer.eq(&row.layer),
        outcomes::model_id.eq(&row.model_id),
    );
    let decision = (
        outcomes::complexity.eq(&row.complexity),
        outcomes::difficulty_milli.eq(row.difficulty_milli),
        outcomes::start_layer.eq(&row.start_layer),
        outcomes::strategy.eq(&row.strategy),
        outcomes::experiment_id.eq(&row.experiment_id),
        outcomes::arm.eq(&row.arm),
        outcomes::arm_failed.eq(row.arm_failed),
    );
    let end = (
        outcomes::cross_check.eq(&row.cross_check),
        outcomes::votes.eq(row.votes),
        outcomes::confidence_milli.eq(row.confidence_milli),
        outcomes::evidence.eq(&row.evidence),
        outcomes::escalated.eq(row.escalated),
        outcomes::replaced_model_id.eq(&row.replaced_model_id),
        outcomes::ended.eq(&row.ended),
        outcomes::cost_nano_usd.eq(row.cost_nano_usd),
        outcomes::created_at.eq(row.created_at),
        outcomes::updated_at.eq(row.updated_at),
    );
    diesel::update(made)
        .set((labels, decision, end))
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes what a caller says of a request inside the running transaction; whether there is one whose calls it may see.
pub(in super::super) async fn note_feedback(
    connection: &mut Connection,
    feedback: &Feedback,
    owner: &RecordOwner,
    now: i64,
) -> Result<bool, QueryError> {
    note(connection, &Word::All(feedback), feedback, owner, now).await
}

/// Notes how tests of an earlier answer of a conversation went, inside the running transaction; whether there is such an
/// answer, whose calls the caller may see.
pub(in super::super) async fn note_tests(
    connection: &mut Connection,
    earlier: &EarlierTests,
    now: i64,
) -> Result<bool, QueryError> {
    let Some(request) = newest_answer(connection, earlier).await? else {
        return Ok(false);
    };
    let feedback = Feedback {
        request,
        rating: None,
        accepted: None,
        tests: Some(earlier.tests),
        comment: None,
    };
    note(connection, &Word::Tests(earlier.tests), &feedback, &earlier.owner, now).await
}

/// The request whose answer is the conversation's newest before the one that tells of tests.
async fn newest_answer(connection: &mut Connection, earlier: &EarlierTests) -> Result<Option<RequestId>, QueryError> {
    let judges = [LegRole::Review, LegRole::Rating, LegRole::Plan].map(LegRole::as_str);
    let answers = llm_calls::table
        .filter(llm_calls::conversation_id.eq(earlier.conversation.as_str()))
        .filter(llm_calls::attempt_id.lt(earlier.told_by.to_string()))
        .filter(llm_calls::success.eq(true))
        .filter(llm_calls::purpose.ne_all(judges))
        .order(llm_calls::attempt_id.desc())
        .select(llm_calls::attempt_id);
    let newest: Option<String> = answers.first(connection).await.optional()?;
    let request = newest.as_deref().and_then(|attempt| attempt.split_once('.'));
    let request = request.map(|(request, _)| request.parse());
    Ok(request
        .transpose()
        .map_err(|_unknown| Fault::failed("a call's row cannot be read"))?)
}

/// What replaces what was said of an outcome before.
enum Word<'a> {
    /// All of it.
    All(&'a Feedback),
    /// How tests went, and nothing else.
    Tests((u32, u32)),
}

/// Notes it with the request's outcome; where there is none, with one that is made of its calls.
async fn note(
    connection: &mut Connection,
    word: &Word<'_>,
    feedback: &Feedback,
    owner: &RecordOwner,
    now: i64,
) -> Result<bool, QueryError> {
    let request = feedback.request.to_string();
    if let Some(labels) = labels_of(connection, &request).await? {
        return replace(connection, &request, word, labels.are_of(owner), now).await;
    }
    let calls = calls_of(connection, &request).await?;
    let seen = calls.as_slice().first().is_some_and(|call| call.labels().are_of(owner));
    let Some(made) = StoredOutcome::of_calls(&request, &calls, now).filter(|_| seen) else {
        return Ok(false);
    };
    let made: Arc<[StoredOutcome]> = [made.with_feedback(feedback)].into();
    if new_outcomes::insert(connection, &made).await?.is_empty() {
        // It was noted meanwhile.
        return replace(connection, &request, word, true, now).await;
    }
    Ok(true)
}

async fn labels_of(connection: &mut Connection, request: &str) -> Result<Option<Labels>, QueryError> {
    let labels = outcomes::table.find(request).select(Labels::as_select());
    Ok(labels.first(connection).await.optional()?)
}

/// Replaces what was said of an outcome before, if the caller may see it.
async fn replace(
    connection: &mut Connection,
    request: &str,
    word: &Word<'_>,
    seen: bool,
    now: i64,
) -> Result<bool, QueryError> {
    if !seen {
        return Ok(false);
    }
    let this = diesel::update(outcomes::table.find(request));
    let changed = match word {
        Word::All(feedback) => this.set(FeedbackChange::new(feedback, now)).execute(connection).await?,
        Word::Tests((passed, failed)) => {
            let tests = (
                outcomes::tests_passed.eq(i64::from(*passed)),
                outcomes::tests_failed.eq(i64::from(*failed)),
                outcomes::updated_at.eq(now),
            );
            this.set(tests).execute(connection).await?
        }
    };
    Ok(changed > 0)
}

/// A request's calls, in the order of their places.
async fn calls_of(connection: &mut Connection, request: &str) -> Result<Vec<CallLabels>, QueryError> {
    // The attempts' ids are the request's, a point and a place; what comes behind a point is a stroke.
    let calls = llm_calls::table
        .filter(llm_calls::attempt_id.gt(format!("{request}.")))
        .filter(llm_calls::attempt_id.lt(format!("{request}/")))
        .order(llm_calls::ordinal)
        .select(CallLabels::as_select());
    Ok(calls.load(connection).await?)
}

/// The newest outcomes of an experiment, newest first.
pub(in super::super) async fn outcomes_of_experiment(
    connection: &mut Connection,
    experiment: ExperimentId,
    most: u32,
) -> Result<Vec<OutcomeRow>, QueryError> {
    let rows: Vec<StoredOutcome> = outcomes::table
        .filter(outcomes::experiment_id.eq(experiment.to_string()))
        .order((outcomes::created_at.desc(), outcomes::request_id.desc()))
        .limit(most.into())
        .select(StoredOutcome::as_select())
        .load(connection)
        .await?;
    told(rows)
}

/// Outcomes that ended then or later, in the order of their requests' ids, behind this one.
pub(in super::super) async fn outcome_page(
    connection: &mut Connection,
    since: i64,
    after: Option<&str>,
    most: u32,
) -> Result<Vec<OutcomeRow>, QueryError> {
    // The ids begin with the time of the request: the database need not look at those of long before.
    let first = first_id_since(since);
    let behind = after.map_or(&*first, |after| after.max(&first));
    let rows: Vec<StoredOutcome> = outcomes::table
        .filter(outcomes::request_id.gt(behind))
        .filter(outcomes::created_at.ge(since))
        .order(outcomes::request_id)
        .limit(most.into())
        .select(StoredOutcome::as_select())
        .load(connection)
        .await?;
    told(rows)
}

fn told(rows: Vec<StoredOutcome>) -> Result<Vec<OutcomeRow>, QueryError> {
    let told = rows.into_iter().map(OutcomeRow::try_from);
    Ok(told.collect::<Result<_, _>>()?)
}

/// Removes a batch of those that ended before then, inside the running transaction; how many they were.
pub(in super::super) async fn purge_outcomes(connection: &mut Connection, before: i64) -> Result<usize, QueryError> {
    let limit = i64::try_from(PURGE_BATCH).unwrap_or(i64::MAX);
    let old: Vec<String> = outcomes::table
        .filter(outcomes::created_at.le(before))
        .order(outcomes::created_at)
        .limit(limit)
        .select(outcomes::request_id)
        .load(connection)
        .await?;
    if !old.is_empty() {
        diesel::delete(outcomes::table.filter(outcomes::request_id.eq_any(&old)))
            .execute(connection)
            .await?;
    }
    Ok(old.len())
}
