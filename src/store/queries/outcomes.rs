//! Outcomes: storing them, what callers say of them, and what is learned of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    ArmSum, ExperimentId, Feedback, NanoUsd, OutcomeRow, PURGE_BATCH, RecordOwner, SuccessRow,
};

use super::reports::{first_id_since, overflowing};
use super::statement::Statement;
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
    let request = feedback.request.to_string();
    if let Some(labels) = labels_of(connection, &request).await? {
        return replace_feedback(connection, &request, feedback, labels.are_of(owner), now).await;
    }
    let calls = calls_of(connection, &request).await?;
    let seen = calls.as_slice().first().is_some_and(|call| call.labels().are_of(owner));
    let Some(made) = StoredOutcome::of_calls(&request, &calls, now).filter(|_| seen) else {
        return Ok(false);
    };
    let made: Arc<[StoredOutcome]> = [made.with_feedback(feedback)].into();
    if new_outcomes::insert(connection, &made).await?.is_empty() {
        // It was noted meanwhile.
        return replace_feedback(connection, &request, feedback, true, now).await;
    }
    Ok(true)
}

async fn labels_of(connection: &mut Connection, request: &str) -> Result<Option<Labels>, QueryError> {
    let labels = outcomes::table.find(request).select(Labels::as_select());
    Ok(labels.first(connection).await.optional()?)
}

/// Replaces what was said of an outcome before, if the caller may see it.
async fn replace_feedback(
    connection: &mut Connection,
    request: &str,
    feedback: &Feedback,
    seen: bool,
    now: i64,
) -> Result<bool, QueryError> {
    if !seen {
        return Ok(false);
    }
    let changed = diesel::update(outcomes::table.find(request))
        .set(FeedbackChange::new(feedback, now))
        .execute(connection)
        .await?;
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

/// What speaks against the answer that was given.
const BAD: &str = "(COALESCE(rating, 0) < 0 OR COALESCE(tests_failed, 0) > 0 OR NOT COALESCE(accepted, TRUE)
    OR evidence IS NOT NULL)";

/// Whether it says anything of its model: it answered, or the caller said something all the same.
const COUNTS: &str = "(ended = 'answered' OR COALESCE(rating, 0) <> 0 OR accepted IS NOT NULL
    OR tests_passed IS NOT NULL OR tests_failed IS NOT NULL)";

/// How often each model did well since then. A model whose answer was replaced has failed beside the one that replaced it.
pub(in super::super) async fn successes(
    connection: &mut Connection,
    since: i64,
) -> Result<Vec<SuccessRow>, QueryError> {
    let statement = Statement::new(
        "SELECT task, complexity, model_id, CAST(SUM(good) AS BIGINT) AS successes,
             CAST(SUM(bad) AS BIGINT) AS failures, CAST(SUM(cost) AS BIGINT) AS cost
         FROM (SELECT task, complexity, model_id, cost_nano_usd AS cost, CASE WHEN ",
    )
    .sql(COUNTS)
    .sql(" AND NOT ")
    .sql(BAD)
    .sql(" THEN 1 ELSE 0 END AS good, CASE WHEN ")
    .sql(COUNTS)
    .sql(" AND ")
    .sql(BAD)
    .sql(" THEN 1 ELSE 0 END AS bad FROM outcomes WHERE complexity IS NOT NULL AND created_at >= ")
    .number(since)
    .sql(
        " UNION ALL SELECT task, complexity, replaced_model_id, 0, 0, 1
         FROM outcomes WHERE complexity IS NOT NULL AND replaced_model_id IS NOT NULL AND created_at >= ",
    )
    .number(since)
    .sql(
        ") AS said GROUP BY task, complexity, model_id
         HAVING SUM(good) + SUM(bad) + SUM(cost) > 0 ORDER BY task, complexity, model_id",
    );
    let rows: Vec<CountRow> = statement.build().load(connection).await.map_err(overflowing)?;
    rows.into_iter().map(CountRow::told).collect()
}

/// What an experiment's arms come to.
pub(in super::super) async fn experiment_sums(
    connection: &mut Connection,
    experiment: ExperimentId,
) -> Result<Vec<ArmSum>, QueryError> {
    let statement = Statement::new(
        "SELECT arm, CAST(SUM(CASE WHEN ended = 'answered' OR ended = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS counted,
             CAST(SUM(CASE WHEN ended = 'failed' OR (ended = 'answered' AND ",
    )
    .sql(BAD)
    .sql(
        ") THEN 1 ELSE 0 END) AS BIGINT) AS failures, CAST(SUM(cost_nano_usd) AS BIGINT) AS cost
         FROM outcomes WHERE arm IS NOT NULL AND experiment_id = ",
    )
    .text(experiment.to_string())
    .sql(" GROUP BY arm ORDER BY arm");
    let rows: Vec<SumRow> = statement.build().load(connection).await.map_err(overflowing)?;
    Ok(rows.into_iter().map(ArmSum::from).collect())
}

#[derive(Debug, QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    arm: String,
    #[diesel(sql_type = BigInt)]
    counted: i64,
    #[diesel(sql_type = BigInt)]
    failures: i64,
    #[diesel(sql_type = BigInt)]
    cost: i64,
}

impl From<SumRow> for ArmSum {
    fn from(row: SumRow) -> Self {
        // Counts are not negative.
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        Self {
            arm: row.arm.into(),
            count: count(row.counted),
            failures: count(row.failures),
            cost: NanoUsd(row.cost),
        }
    }
}

#[derive(Debug, QueryableByName)]
struct CountRow {
    #[diesel(sql_type = Text)]
    task: String,
    #[diesel(sql_type = Text)]
    complexity: String,
    #[diesel(sql_type = Text)]
    model_id: String,
    #[diesel(sql_type = BigInt)]
    successes: i64,
    #[diesel(sql_type = BigInt)]
    failures: i64,
    #[diesel(sql_type = BigInt)]
    cost: i64,
}

impl CountRow {
    fn told(self) -> Result<SuccessRow, QueryError> {
        let unknown = |_unknown| Fault::failed("an outcome is of an unknown kind");
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(SuccessRow {
            task: self.task.parse().map_err(unknown)?,
            complexity: self.complexity.parse().map_err(unknown)?,
            model: self.model_id.into(),
            successes: count(self.successes),
            failures: count(self.failures),
            cost: NanoUsd(self.cost),
        })
    }
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
