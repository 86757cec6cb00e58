//! Reports: sums over call records, and the dearest of them. One table is read, never joined, so that no record counts
//! twice.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    CallFilter, CallSums, ConversationId, Dimension, Interval, MOST_DIMENSIONS, NanoUsd, RecordOwner, ReportGroup,
    ReportQuestion, ReportedCall,
};

use super::statement::Statement;
use super::{Connection, dialect};
use crate::store::error::{Fault, QueryError};

/// How much earlier a request may be than the call it made, and how far a clock may be set back between the two, in
/// microseconds: an id is made when the request arrives, which may be answered for minutes.
const SLACK_US: i64 = 3_600_000_000;
/// The largest time that an id holds, in milliseconds.
const LAST_MS: i64 = (1 << 48) - 1;

/// The groups of a report.
pub(in super::super) async fn report(
    connection: &mut Connection,
    question: &ReportQuestion,
) -> Result<Vec<ReportGroup>, QueryError> {
    let columns = question.dimensions.iter().take(MOST_DIMENSIONS).copied().map(column);
    let columns: Vec<&'static str> = columns.collect();
    let mut keys: Vec<&'static str> = question.interval.map(bucket).into_iter().collect();
    keys.extend(&columns);
    let mut statement = Statement::new("SELECT ");
    for place in 0..MOST_DIMENSIONS {
        let column = columns.get(place).copied().unwrap_or("CAST(NULL AS TEXT)");
        statement = statement.sql(column).sql(&format!(" AS d{place}, "));
    }
    statement = statement.sql(SUMS).sql(" FROM llm_calls WHERE ");
    statement = filtered(statement, &question.filter);
    if !keys.is_empty() {
        statement = statement.sql(" GROUP BY ").sql(&keys.join(", "));
    }
    statement = statement.sql(" ORDER BY ");
    if let Some(bucket) = question.interval.map(bucket) {
        statement = statement.sql(bucket).sql(", ");
    }
    statement = statement.sql("sum_cost DESC");
    for column in &columns {
        statement = statement.sql(", ").sql(column);
    }
    let limit = i64::from(question.most_groups).saturating_add(1);
    let statement = statement.sql(" LIMIT ").number(limit).build();
    let rows: Vec<GroupRow> = statement.load(connection).await.map_err(overflowing)?;
    if rows.len() > question.most_groups as usize {
        return Err(QueryError::ReportTooLarge);
    }
    // Without groups the database answers with one row even where there is no record.
    let rows = rows.into_iter().filter(|row| row.sum_calls > 0);
    rows.map(|row| row.group(question.interval, columns.len())).collect()
}

/// The dearest calls.
pub(in super::super) async fn dearest_calls(
    connection: &mut Connection,
    filter: &CallFilter,
    limit: u32,
) -> Result<Vec<ReportedCall>, QueryError> {
    let statement = Statement::new(
        "SELECT attempt_id, request_id, conversation_id, user_id, project_id, key_id, endpoint, model_id, provider,
            layer, purpose, outcome, cost_nano_usd, estimated, input_tokens, output_tokens, duration_us, started_at,
            CASE WHEN charges IS NOT NULL AND (cost_nano_usd > held_nano_usd OR output_tokens > output_cap_tokens)
                THEN true ELSE false END AS above_allowed
         FROM llm_calls WHERE ",
    );
    let statement = filtered(statement, filter).sql(" ORDER BY cost_nano_usd DESC, attempt_id LIMIT ");
    let rows: Vec<CallRow> = statement.number(limit.into()).build().load(connection).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The condition that a record is of a conversation of this name, whichever tenant's: three pieces of SQL, and the values
/// between them. The ids alone are in an index, which is read as a whole.
pub(in super::super) fn conversations_named(id: &ConversationId) -> ([String; 3], [String; 2]) {
    let name = id.client_text();
    let pieces = [
        "conversation_id IN (SELECT conversation_id FROM llm_calls WHERE conversation_id IS NOT NULL
            AND (conversation_id = "
            .to_owned(),
        // Both databases count letters from 1.
        format!(
            " OR substr(conversation_id, length(conversation_id) - {}) = ",
            name.len()
        ),
        "))".to_owned(),
    ];
    (pieces, [name.to_owned(), format!("/{name}")])
}

/// Adds the condition that a record is one of those looked at.
pub(super) fn filtered(statement: Statement, filter: &CallFilter) -> Statement {
    // Something for the others to be added to.
    let mut statement = between(statement.sql("1 = 1"), filter.since, filter.until);
    let (key, project, user) = match &filter.owner {
        RecordOwner::Everyone => (None, None, None),
        RecordOwner::Key(key) => (Some(key.as_str()), None, None),
        RecordOwner::Labels { project, user } => (None, project.as_deref(), user.as_deref()),
    };
    let conversation = filter.conversation.as_ref();
    let conversation = match conversation.filter(|_| filter.of_all_tenants) {
        Some(id) if !id.has_tenant() => {
            let ([first, second, end], [name, of_a_tenant]) = conversations_named(id);
            statement = statement.sql(" AND ").sql(&first).text(name);
            statement = statement.sql(&second).text(of_a_tenant).sql(&end);
            None
        }
        _ => conversation.map(|id| id.as_str()),
    };
    for (column, value) in [
        ("key_id", key),
        ("project_id", project),
        ("user_id", user),
        ("conversation_id", conversation),
        ("project_id", filter.project.as_deref()),
        ("user_id", filter.user.as_deref()),
    ] {
        if let Some(value) = value {
            statement = statement.sql(" AND ").sql(column).sql(" = ").text(value);
        }
    }
    statement
}

/// Adds the condition that a record was sent within this time, by which the database need not look at all of them: the
/// table is in the order of the attempts' ids, which begin with the time.
pub(super) fn between(mut statement: Statement, since: Option<i64>, until: Option<i64>) -> Statement {
    if let Some(since) = since {
        let first = first_id_since(since);
        statement = statement.sql(" AND attempt_id >= ").text(first);
        statement = statement.sql(" AND started_at >= ").number(since);
    }
    if let Some(until) = until {
        let end = id_at(until.saturating_add(SLACK_US));
        statement = statement.sql(" AND attempt_id < ").text(end);
        statement = statement.sql(" AND started_at < ").number(until);
    }
    statement
}

/// What comes before the ids of requests that may have ended then or later.
pub(super) fn first_id_since(since: i64) -> String {
    id_at(since.saturating_sub(SLACK_US))
}

/// What the ids of a moment (microseconds since 1970) begin with.
fn id_at(moment: i64) -> String {
    format!("req_{:012x}", (moment / 1_000).clamp(0, LAST_MS))
}

const fn column(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Model => "model_id",
        Dimension::Layer => "layer",
        Dimension::Provider => "provider",
        Dimension::Project => "project_id",
        Dimension::User => "user_id",
        Dimension::Key => "key_id",
        Dimension::Outcome => "outcome",
        Dimension::Purpose => "purpose",
    }
}

/// What is the same for all moments of a stretch of time, and grows from one to the next.
const fn bucket(interval: Interval) -> &'static str {
    match interval {
        Interval::Day => "started_at / 86400000000",
        // 1970 began on a Thursday, three days after a Monday.
        Interval::Week => "(started_at + 259200000000) / 604800000000",
        Interval::Month => dialect::MONTH,
    }
}

/// PostgreSQL adds up to a `numeric`, SQLite to a 64-bit integer: one that does not fit is an error in both.
const SUMS: &str = "COUNT(*) AS sum_calls,
    CAST(COALESCE(SUM(CASE WHEN success THEN 1 ELSE 0 END), 0) AS BIGINT) AS sum_succeeded,
    CAST(COALESCE(SUM(CASE WHEN estimated THEN 1 ELSE 0 END), 0) AS BIGINT) AS sum_estimated,
    CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT) AS sum_input,
    CAST(COALESCE(SUM(cached_input_tokens), 0) AS BIGINT) AS sum_cached,
    CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT) AS sum_output,
    CAST(COALESCE(SUM(reasoning_tokens), 0) AS BIGINT) AS sum_reasoning,
    CAST(COALESCE(SUM(cost_nano_usd), 0) AS BIGINT) AS sum_cost,
    CAST(COALESCE(SUM(CASE WHEN estimated THEN cost_nano_usd ELSE 0 END), 0) AS BIGINT) AS sum_estimated_cost,
    CAST(COALESCE(SUM(duration_us), 0) AS BIGINT) AS sum_duration,
    COALESCE(MIN(started_at), 0) AS first_at,
    COALESCE(MAX(started_at), 0) AS last_at";

/// The databases' words for a sum that they cannot hold.
const OVERFLOWS: [&str; 2] = ["integer overflow", "bigint out of range"];

/// A sum that the database cannot hold is a report that is too large.
pub(super) fn overflowing(error: diesel::result::Error) -> QueryError {
    let said = error.to_string();
    match OVERFLOWS.iter().any(|words| said.contains(words)) {
        true => QueryError::ReportTooLarge,
        false => error.into(),
    }
}

#[derive(Debug, QueryableByName)]
struct GroupRow {
    #[diesel(sql_type = Nullable<Text>)]
    d0: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    d1: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    d2: Option<String>,
    #[diesel(sql_type = BigInt)]
    sum_calls: i64,
    #[diesel(sql_type = BigInt)]
    sum_succeeded: i64,
    #[diesel(sql_type = BigInt)]
    sum_estimated: i64,
    #[diesel(sql_type = BigInt)]
    sum_input: i64,
    #[diesel(sql_type = BigInt)]
    sum_cached: i64,
    #[diesel(sql_type = BigInt)]
    sum_output: i64,
    #[diesel(sql_type = BigInt)]
    sum_reasoning: i64,
    #[diesel(sql_type = BigInt)]
    sum_cost: i64,
    #[diesel(sql_type = BigInt)]
    sum_estimated_cost: i64,
    #[diesel(sql_type = BigInt)]
    sum_duration: i64,
    #[diesel(sql_type = BigInt)]
    first_at: i64,
    #[diesel(sql_type = BigInt)]
    last_at: i64,
}

impl GroupRow {
    fn group(self, interval: Option<Interval>, dimensions: usize) -> Result<ReportGroup, QueryError> {
        let count =
            |sum: i64| u64::try_from(sum).map_err(|_negative| Fault::failed("call records have negative counts"));
        let sums = CallSums {
            calls: count(self.sum_calls)?,
            succeeded: count(self.sum_succeeded)?,
            estimated: count(self.sum_estimated)?,
            input_tokens: count(self.sum_input)?,
            cached_input_tokens: count(self.sum_cached)?,
            output_tokens: count(self.sum_output)?,
            reasoning_tokens: count(self.sum_reasoning)?,
            cost: NanoUsd(self.sum_cost),
            estimated_cost: NanoUsd(self.sum_estimated_cost),
            duration_us: count(self.sum_duration)?,
            first_at: self.first_at,
            last_at: self.last_at,
        };
        let values = [self.d0, self.d1, self.d2].into_iter().take(dimensions);
        Ok(ReportGroup {
            // Every record of the group is within it.
            period: interval.map(|interval| interval.window().period_at(self.first_at)),
            values: values.map(|value| value.map(Into::into)).collect(),
            sums,
        })
    }
}

#[derive(Debug, QueryableByName)]
struct CallRow {
    #[diesel(sql_type = Text)]
    attempt_id: String,
    #[diesel(sql_type = Text)]
    request_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    conversation_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    user_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    project_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    key_id: Option<String>,
    #[diesel(sql_type = Text)]
    endpoint: String,
    #[diesel(sql_type = Text)]
    model_id: String,
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = Text)]
    layer: String,
    #[diesel(sql_type = Text)]
    purpose: String,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = BigInt)]
    cost_nano_usd: i64,
    #[diesel(sql_type = Bool)]
    estimated: bool,
    #[diesel(sql_type = BigInt)]
    input_tokens: i64,
    #[diesel(sql_type = BigInt)]
    output_tokens: i64,
    #[diesel(sql_type = BigInt)]
    duration_us: i64,
    #[diesel(sql_type = BigInt)]
    started_at: i64,
    #[diesel(sql_type = Bool)]
    above_allowed: bool,
}

impl From<CallRow> for ReportedCall {
    fn from(row: CallRow) -> Self {
        Self {
            attempt: row.attempt_id,
            request: row.request_id,
            conversation: row.conversation_id,
            user: row.user_id,
            project: row.project_id,
            key: row.key_id,
            endpoint: row.endpoint,
            model: row.model_id,
            provider: row.provider,
            layer: row.layer,
            purpose: row.purpose,
            outcome: row.outcome,
            cost: NanoUsd(row.cost_nano_usd),
            estimated: row.estimated,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            duration_us: row.duration_us,
            started_at: row.started_at,
            above_allowed: row.above_allowed,
        }
    }
}
