//! What outcomes come to: how often models did well, and the arms of experiments.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Integer, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    ArmSum, ExperimentId, Judgement, NanoUsd, OutcomeGroup, SuccessRow, add_trials, count_successes,
};

use super::Connection;
use super::notebook::list_model_edits;
use super::reports::overflowing;
use super::statement::Statement;
use crate::store::error::{Fault, QueryError};

/// What the caller says against the answer.
const DISLIKED: &str = "(COALESCE(rating, 0) < 0 OR COALESCE(tests_failed, 0) > 0 OR NOT COALESCE(accepted, TRUE))";

/// Whether the caller said anything of it.
const JUDGED: &str = "(COALESCE(rating, 0) <> 0 OR accepted IS NOT NULL OR tests_passed IS NOT NULL
    OR tests_failed IS NOT NULL)";

/// How often each model did well since then. The database only counts outcomes of which the same is known: what they say of
/// a model is told in one place for all who learn. What administrators say of models counts as they say.
pub(in super::super) async fn successes(
    connection: &mut Connection,
    since: i64,
) -> Result<Vec<SuccessRow>, QueryError> {
    let statement = Statement::new(
        "SELECT task, complexity, said.model_id AS model_id, ended, cross_check, judgement, has_evidence, has_replaced,
             was_replaced, COUNT(*) AS count, CAST(SUM(cost) AS BIGINT) AS cost
         FROM (SELECT task, complexity, model_id, created_at, ended, cross_check, cost_nano_usd AS cost, CASE WHEN ",
    )
    .sql(DISLIKED)
    .sql(" THEN -1 WHEN ")
    .sql(JUDGED)
    .sql(
        " THEN 1 ELSE 0 END AS judgement, evidence IS NOT NULL AS has_evidence,
             replaced_model_id IS NOT NULL AS has_replaced, FALSE AS was_replaced
         FROM outcomes WHERE complexity IS NOT NULL AND created_at >= ",
    )
    .number(since)
    .sql(
        " UNION ALL SELECT task, complexity, replaced_model_id, created_at, ended, cross_check, 0, 0, FALSE, TRUE, TRUE
         FROM outcomes WHERE complexity IS NOT NULL AND replaced_model_id IS NOT NULL AND created_at >= ",
    )
    .number(since)
    .sql(
        ") AS said LEFT JOIN model_edits ON model_edits.model_id = said.model_id
         WHERE said.created_at >= COALESCE(model_edits.since, said.created_at)
         GROUP BY task, complexity, said.model_id, ended, cross_check, judgement, has_evidence, has_replaced,
             was_replaced",
    );
    let rows: Vec<GroupRow> = statement.build().load(connection).await.map_err(overflowing)?;
    let groups = rows.into_iter().map(OutcomeGroup::try_from);
    let mut table = count_successes(&groups.collect::<Result<Vec<_>, _>>()?);
    add_trials(&mut table, &list_model_edits(connection).await?);
    Ok(table)
}

/// What an experiment's arms come to.
pub(in super::super) async fn experiment_sums(
    connection: &mut Connection,
    experiment: ExperimentId,
) -> Result<Vec<ArmSum>, QueryError> {
    let statement = Statement::new(
        "SELECT arm, CAST(SUM(CASE WHEN ended = 'answered' OR ended = 'failed' THEN 1 ELSE 0 END) AS BIGINT) AS counted,
             CAST(SUM(CASE WHEN ended = 'failed' OR (ended = 'answered' AND (",
    )
    .sql(DISLIKED)
    .sql(
        " OR evidence IS NOT NULL OR arm_failed)) THEN 1 ELSE 0 END) AS BIGINT) AS failures, CAST(SUM(cost_nano_usd) AS BIGINT) AS cost
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

/// Outcomes of one model at one kind of request of which the same is known.
#[derive(Debug, QueryableByName)]
struct GroupRow {
    #[diesel(sql_type = Text)]
    task: String,
    #[diesel(sql_type = Text)]
    complexity: String,
    #[diesel(sql_type = Text)]
    model_id: String,
    #[diesel(sql_type = Text)]
    ended: String,
    #[diesel(sql_type = Text)]
    cross_check: String,
    /// Below 0 where the caller was not content, above where they were, 0 where they said nothing.
    #[diesel(sql_type = Integer)]
    judgement: i32,
    #[diesel(sql_type = Bool)]
    has_evidence: bool,
    #[diesel(sql_type = Bool)]
    has_replaced: bool,
    #[diesel(sql_type = Bool)]
    was_replaced: bool,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = BigInt)]
    cost: i64,
}

impl TryFrom<GroupRow> for OutcomeGroup {
    type Error = QueryError;

    fn try_from(row: GroupRow) -> Result<Self, QueryError> {
        let unknown = |_unknown| Fault::failed("an outcome is of an unknown kind");
        let judgement = Judgement {
            ended: row.ended.parse().map_err(unknown)?,
            check: row.cross_check.parse().map_err(unknown)?,
            judged: (row.judgement != 0).then_some(row.judgement > 0),
            has_evidence: row.has_evidence,
            has_replaced: row.has_replaced,
        };
        Ok(Self {
            task: row.task.parse().map_err(unknown)?,
            complexity: row.complexity.parse().map_err(unknown)?,
            model: row.model_id.into(),
            judgement,
            was_replaced: row.was_replaced,
            // Counts are not negative.
            count: u64::try_from(row.count).unwrap_or_default(),
            cost: NanoUsd(row.cost),
        })
    }
}
