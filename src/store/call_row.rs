//! The row of a call record, and the statement that inserts it.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;
use gateway_actors::protocol::CallRecord;

/// A call record as it is stored. Counts beyond what the database holds are stored as the largest that it does.
#[derive(Debug)]
pub(super) struct CallRow<'a> {
    attempt_id: String,
    request_id: String,
    ordinal: i32,
    instance_id: String,
    cell: i32,
    conversation_id: Option<&'a str>,
    user_id: Option<&'a str>,
    project_id: Option<&'a str>,
    endpoint: &'a str,
    model_id: &'a str,
    api_model: &'a str,
    provider: &'a str,
    layer: &'static str,
    task: &'static str,
    input_tokens: i64,
    cached_input_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    usage_source: &'static str,
    cost_nano_usd: i64,
    held_nano_usd: i64,
    input_price_pico_usd: Option<i64>,
    cached_input_price_pico_usd: Option<i64>,
    output_price_pico_usd: Option<i64>,
    estimated: bool,
    streamed: bool,
    outcome: &'static str,
    status: Option<i32>,
    success: bool,
    first_byte_us: Option<i64>,
    duration_us: i64,
    started_at: i64,
    created_at: i64,
}

impl<'a> CallRow<'a> {
    /// The row of this record, first stored at `now` (microseconds since 1970).
    pub(super) fn new(record: &'a CallRecord, now: i64) -> Self {
        let sent = &record.dispatch;
        Self {
            attempt_id: sent.attempt.to_string(),
            request_id: sent.attempt.request.to_string(),
            ordinal: sent.attempt.ordinal.into(),
            instance_id: sent.instance.to_string(),
            cell: sent.cell.0.into(),
            conversation_id: sent.conversation.as_ref().map(|id| id.as_str()),
            user_id: sent.user_id.as_deref(),
            project_id: sent.project_id.as_deref(),
            endpoint: &sent.endpoint,
            model_id: sent.model.as_str(),
            api_model: &sent.api_model,
            provider: sent.provider.as_str(),
            layer: sent.layer.as_str(),
            task: sent.task.as_str(),
            input_tokens: saturating(record.usage.input),
            cached_input_tokens: saturating(record.usage.cached_input),
            output_tokens: saturating(record.usage.output),
            reasoning_tokens: saturating(record.usage.reasoning),
            usage_source: record.usage_source.as_str(),
            cost_nano_usd: record.cost.0,
            held_nano_usd: sent.held.0,
            input_price_pico_usd: sent.price.map(|price| saturating(price.input.0)),
            cached_input_price_pico_usd: sent.price.map(|price| saturating(price.cached_input.0)),
            output_price_pico_usd: sent.price.map(|price| saturating(price.output.0)),
            estimated: record.estimated,
            streamed: sent.streamed,
            outcome: record.outcome.as_str(),
            status: record.status.map(Into::into),
            success: record.succeeded(),
            first_byte_us: record.first_byte_us.map(saturating),
            duration_us: saturating(record.duration_us),
            started_at: sent.started_at,
            created_at: now,
        }
    }
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes [`CallRow`] the statement that inserts itself, unless a row with its key is there.
///
/// diesel's own insert walks a tree of types for each row it binds, which costs as much as SQLite's part of the work.
/// The statement is constant, so it is prepared once for each connection.
macro_rules! insert_or_ignore {
    ($first:ident: $first_type:ty, $($column:ident: $type:ty,)+) => {
        impl QueryFragment<Sqlite> for CallRow<'_> {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                pass.push_sql(concat!(
                    "INSERT OR IGNORE INTO llm_calls (",
                    stringify!($first), $(", ", stringify!($column),)+
                    ") VALUES (",
                ));
                pass.push_bind_param::<$first_type, _>(&self.$first)?;
                $(
                    pass.push_sql(", ");
                    pass.push_bind_param::<$type, _>(&self.$column)?;
                )+
                pass.push_sql(")");
                Ok(())
            }
        }
    };
}

insert_or_ignore! {
    attempt_id: Text,
    request_id: Text,
    ordinal: Integer,
    instance_id: Text,
    cell: Integer,
    conversation_id: Nullable<Text>,
    user_id: Nullable<Text>,
    project_id: Nullable<Text>,
    endpoint: Text,
    model_id: Text,
    api_model: Text,
    provider: Text,
    layer: Text,
    task: Text,
    input_tokens: BigInt,
    cached_input_tokens: BigInt,
    output_tokens: BigInt,
    reasoning_tokens: BigInt,
    usage_source: Text,
    cost_nano_usd: BigInt,
    held_nano_usd: BigInt,
    input_price_pico_usd: Nullable<BigInt>,
    cached_input_price_pico_usd: Nullable<BigInt>,
    output_price_pico_usd: Nullable<BigInt>,
    estimated: Bool,
    streamed: Bool,
    outcome: Text,
    status: Nullable<Integer>,
    success: Bool,
    first_byte_us: Nullable<BigInt>,
    duration_us: BigInt,
    started_at: BigInt,
    created_at: BigInt,
}

impl QueryId for CallRow<'_> {
    type QueryId = CallRow<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for CallRow<'_> {}
