//! The call records, read from the gateway's own database.

use std::path::Path;

use super::postgres;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

/// One row of `llm_calls`.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct CallRow {
    /// Unique: the request's id, a dot and the attempt's number.
    #[diesel(sql_type = Text)]
    pub(crate) attempt_id: String,
    /// The request it was made for.
    #[diesel(sql_type = Text)]
    pub(crate) request_id: String,
    /// 1 for the request's first attempt.
    #[diesel(sql_type = Integer)]
    pub(crate) ordinal: i32,
    /// The process that made it.
    #[diesel(sql_type = Text)]
    pub(crate) instance_id: String,
    /// The endpoint that was asked, its path.
    #[diesel(sql_type = Text)]
    pub(crate) endpoint: String,
    /// The conversation it belongs to.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) conversation_id: Option<String>,
    /// The gateway's name for the model.
    #[diesel(sql_type = Text)]
    pub(crate) model_id: String,
    /// The provider's name for the model.
    #[diesel(sql_type = Text)]
    pub(crate) api_model: String,
    /// The provider.
    #[diesel(sql_type = Text)]
    pub(crate) provider: String,
    /// The model's layer.
    #[diesel(sql_type = Text)]
    pub(crate) layer: String,
    /// Tokens of the input.
    #[diesel(sql_type = BigInt)]
    pub(crate) input_tokens: i64,
    /// Those of them that were read from the provider's cache.
    #[diesel(sql_type = BigInt)]
    pub(crate) cached_input_tokens: i64,
    /// Those of them that were written to it for a short time.
    #[diesel(sql_type = BigInt)]
    pub(crate) cache_write_5m_tokens: i64,
    /// Those of them that were written to it for a long time.
    #[diesel(sql_type = BigInt)]
    pub(crate) cache_write_1h_tokens: i64,
    /// Tokens of the output.
    #[diesel(sql_type = BigInt)]
    pub(crate) output_tokens: i64,
    /// Those of them that are reasoning.
    #[diesel(sql_type = BigInt)]
    pub(crate) reasoning_tokens: i64,
    /// The whole price as JSON, where three prices do not say all of it.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) price: Option<String>,
    /// What it cost.
    #[diesel(sql_type = BigInt)]
    pub(crate) cost_nano_usd: i64,
    /// Whether the cost is an upper bound.
    #[diesel(sql_type = Bool)]
    pub(crate) estimated: bool,
    /// Whether a stream was asked for.
    #[diesel(sql_type = Bool)]
    pub(crate) streamed: bool,
    /// How it ended.
    #[diesel(sql_type = Text)]
    pub(crate) outcome: String,
    /// The provider's status.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(crate) status: Option<i32>,
    /// Whether the answer was whole.
    #[diesel(sql_type = Bool)]
    pub(crate) success: bool,
    /// When it was sent, in microseconds since 1970 (UTC).
    #[diesel(sql_type = BigInt)]
    pub(crate) started_at: i64,
}

/// Reads every call record of a PostgreSQL database, oldest first.
pub(super) fn read_calls_of_postgres(url: &str) -> Vec<CallRow> {
    let rows = postgres::rows(url, "SELECT * FROM llm_calls ORDER BY started_at, attempt_id");
    let read = |row: &tokio_postgres::Row| CallRow {
        attempt_id: row.get("attempt_id"),
        request_id: row.get("request_id"),
        ordinal: row.get("ordinal"),
        instance_id: row.get("instance_id"),
        endpoint: row.get("endpoint"),
        conversation_id: row.get("conversation_id"),
        model_id: row.get("model_id"),
        api_model: row.get("api_model"),
        provider: row.get("provider"),
        layer: row.get("layer"),
        input_tokens: row.get("input_tokens"),
        cached_input_tokens: row.get("cached_input_tokens"),
        cache_write_5m_tokens: row.get("cache_write_5m_tokens"),
        cache_write_1h_tokens: row.get("cache_write_1h_tokens"),
        output_tokens: row.get("output_tokens"),
        reasoning_tokens: row.get("reasoning_tokens"),
        price: row.get("price"),
        cost_nano_usd: row.get("cost_nano_usd"),
        estimated: row.get("estimated"),
        streamed: row.get("streamed"),
        outcome: row.get("outcome"),
        status: row.get("status"),
        success: row.get("success"),
        started_at: row.get("started_at"),
    };
    rows.iter().map(read).collect()
}

/// Reads every call record of a SQLite file, oldest first.
pub(super) fn read_calls(database: &Path) -> Vec<CallRow> {
    let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON")
        .unwrap();
    sql_query("SELECT * FROM llm_calls ORDER BY started_at, attempt_id")
        .load(&mut connection)
        .unwrap()
}
