//! Whole rows of every table, read from SQLite in the order of their keys and written to PostgreSQL.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use crate::store::schema::{
    api_keys, context_summaries, conversations, llm_calls, messages, rate_limits, responses, secrets, todo_lists,
};

/// Rows that are read and written at once, at most.
const PAGE: i64 = 500;
/// Bytes of them, give or take a row.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What tells the rows of a table apart and orders them, the same way in both databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: String,
    /// The number within the id; 0 where the id alone is the key.
    pub(super) number: i64,
}

/// A table whose rows can be moved.
pub(super) trait Moved: Sized + PartialEq + Send + Sync {
    /// The table's name.
    const TABLE: &'static str;

    /// The row's key.
    fn key(&self) -> Key;

    /// The next rows of the source behind this one, or the first, in the order of their keys.
    fn page(source: &mut SqliteConnection, after: Option<&Key>) -> QueryResult<Vec<Self>>;

    /// The rows of the target behind `after` and up to `last` (which are rows of the source), in the order of their
    /// keys, and not many more than a page of them.
    fn between(
        target: &mut AsyncPgConnection,
        after: Option<&Key>,
        last: Option<&Key>,
    ) -> impl Future<Output = QueryResult<Vec<Self>>> + Send;

    /// Whether the target has no row.
    fn is_empty(target: &mut AsyncPgConnection) -> impl Future<Output = QueryResult<bool>> + Send;

    /// Writes rows whose keys are not there yet; how many they were.
    fn insert(target: &mut AsyncPgConnection, rows: &[Self]) -> impl Future<Output = QueryResult<usize>> + Send;

    /// How many rows the source has, and the sums of what is in their columns.
    fn totals_of_source(source: &mut SqliteConnection) -> QueryResult<(i64, String)>;

    /// The same of the target.
    fn totals_of_target(target: &mut AsyncPgConnection) -> impl Future<Output = QueryResult<(i64, String)>> + Send;
}

/// Declares a table's row and how it moves. The key is one column, or a column and a number within it.
macro_rules! moved {
    (@key $row:ident, $key:ident) => {
        Key { id: $row.$key.clone(), number: 0 }
    };
    (@key $row:ident, $key:ident, $number:ident) => {
        Key { id: $row.$key.clone(), number: $row.$number }
    };
    (@behind $table:ident, $place:ident, $key:ident) => {
        $table::$key.gt(&$place.id)
    };
    (@behind $table:ident, $place:ident, $key:ident, $number:ident) => {
        $table::$key.gt(&$place.id).or($table::$key.eq(&$place.id).and($table::$number.gt($place.number)))
    };
    (@up_to $table:ident, $place:ident, $key:ident) => {
        $table::$key.le(&$place.id)
    };
    (@up_to $table:ident, $place:ident, $key:ident, $number:ident) => {
        $table::$key.lt(&$place.id).or($table::$key.eq(&$place.id).and($table::$number.le($place.number)))
    };
    // SQL that both databases understand alike: the characters of a text, and a number without what would make the sum
    // of many too large.
    (@sum $column:ident String) => {
        concat!("' ' || coalesce(sum(length(", stringify!($column), ")), 0)")
    };
    (@sum $column:ident bool) => {
        concat!("' ' || coalesce(sum(CAST(", stringify!($column), " AS INTEGER)), 0)")
    };
    (@sum $column:ident Option $inner:ident) => {
        concat!(moved!(@sum $column $inner), " || ' ' || count(", stringify!($column), ")")
    };
    (@sum $column:ident $number:ident) => {
        concat!("' ' || coalesce(sum(", stringify!($column), " % 1000000007), 0)")
    };
    (@bytes $row:ident $column:ident String) => {
        $row.$column.len()
    };
    (@bytes $row:ident $column:ident Option String) => {
        $row.$column.as_deref().map_or(0, str::len)
    };
    (@bytes $row:ident $column:ident $($number:ident)+) => {
        size_of_val(&$row.$column)
    };
    ($(#[$doc:meta])* $name:ident, $table:ident, key ($($key:ident),+) {
        $($column:ident: $type:ident $(<$inner:ident>)?,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
        #[diesel(table_name = $table)]
        pub(super) struct $name {
            $($column: $type $(<$inner>)?,)+
        }

        impl $name {
            /// About how many bytes the row has.
            fn bytes(&self) -> usize {
                0 $(+ moved!(@bytes self $column $type $($inner)?))+
            }

            const SUMS: &'static str = concat!("''", $(" || ", moved!(@sum $column $type $($inner)?),)+);
        }

        impl Moved for $name {
            const TABLE: &'static str = stringify!($table);

            fn key(&self) -> Key {
                moved!(@key self, $($key),+)
            }

            fn page(source: &mut SqliteConnection, after: Option<&Key>) -> QueryResult<Vec<Self>> {
                let mut query = $table::table.select(Self::as_select()).into_boxed();
                if let Some(after) = after {
                    query = query.filter(moved!(@behind $table, after, $($key),+));
                }
                let query = query.order(($($table::$key,)+)).limit(PAGE);
                let mut bytes = 0;
                let mut page = Vec::new();
                for row in query.load_iter::<Self, DefaultLoadingMode>(source)? {
                    let row = row?;
                    bytes += row.bytes();
                    page.push(row);
                    if bytes >= PAGE_BYTES {
                        break;
                    }
                }
                Ok(page)
            }

            async fn between(
                target: &mut AsyncPgConnection,
                after: Option<&Key>,
                last: Option<&Key>,
            ) -> QueryResult<Vec<Self>> {
                let mut query = $table::table.select(Self::as_select()).into_boxed();
                if let Some(after) = after {
                    query = query.filter(moved!(@behind $table, after, $($key),+));
                }
                if let Some(last) = last {
                    query = query.filter(moved!(@up_to $table, last, $($key),+));
                }
                let query = query.order(($($table::$key,)+)).limit(PAGE + 1);
                diesel_async::RunQueryDsl::load(query, target).await
            }

            async fn is_empty(target: &mut AsyncPgConnection) -> QueryResult<bool> {
                let any = diesel::select(exists($table::table.select(sql::<Text>("'any'"))));
                diesel_async::RunQueryDsl::get_result(any, target).await.map(|any: bool| !any)
            }

            async fn insert(target: &mut AsyncPgConnection, rows: &[Self]) -> QueryResult<usize> {
                let insert = diesel::insert_into($table::table).values(rows).on_conflict_do_nothing();
                diesel_async::RunQueryDsl::execute(insert, target).await
            }

            fn totals_of_source(source: &mut SqliteConnection) -> QueryResult<(i64, String)> {
                $table::table.select((count_star(), sql::<Text>(Self::SUMS))).first(source)
            }

            async fn totals_of_target(target: &mut AsyncPgConnection) -> QueryResult<(i64, String)> {
                let totals = $table::table.select((count_star(), sql::<Text>(Self::SUMS)));
                diesel_async::RunQueryDsl::first(totals, target).await
            }
        }
    };
}

moved! {
    /// A row of `conversations`.
    Conversation, conversations, key (id) {
        id: String,
        user_id: Option<String>,
        project_id: Option<String>,
        created_at: i64,
        updated_at: i64,
        metadata: String,
        next_seq: i64,
        lease_request: Option<String>,
        lease_instance: Option<String>,
        lease_expires_at: Option<i64>,
    }
}

moved! {
    /// A row of `messages`.
    Message, messages, key (conversation_id, seq) {
        conversation_id: String,
        seq: i64,
        role: String,
        content: String,
        status: String,
        client_message_id: Option<String>,
        request_id: Option<String>,
        metadata: String,
        created_at: i64,
    }
}

moved! {
    /// A row of `context_summaries`.
    Summary, context_summaries, key (conversation_id, version) {
        conversation_id: String,
        version: i64,
        summary: String,
        covers_seq: i64,
        created_at: i64,
    }
}

moved! {
    /// A row of `todo_lists`.
    TodoList, todo_lists, key (id) {
        id: String,
        conversation_id: String,
        todo_data: String,
        created_at: i64,
        updated_at: i64,
    }
}

moved! {
    /// A row of `responses`.
    Response, responses, key (id) {
        id: String,
        previous_id: Option<String>,
        request_id: String,
        model: String,
        input: String,
        body: String,
        created_at: i64,
        expires_at: i64,
    }
}

moved! {
    /// A row of `llm_calls`.
    Call, llm_calls, key (attempt_id) {
        attempt_id: String,
        request_id: String,
        ordinal: i32,
        instance_id: String,
        cell: i32,
        conversation_id: Option<String>,
        user_id: Option<String>,
        project_id: Option<String>,
        endpoint: String,
        model_id: String,
        api_model: String,
        provider: String,
        layer: String,
        task: String,
        input_tokens: i64,
        cached_input_tokens: i64,
        output_tokens: i64,
        reasoning_tokens: i64,
        usage_source: String,
        cost_nano_usd: i64,
        held_nano_usd: i64,
        input_price_pico_usd: Option<i64>,
        cached_input_price_pico_usd: Option<i64>,
        output_price_pico_usd: Option<i64>,
        estimated: bool,
        streamed: bool,
        outcome: String,
        status: Option<i32>,
        success: bool,
        first_byte_us: Option<i64>,
        duration_us: i64,
        started_at: i64,
        created_at: i64,
        cache_write_5m_tokens: i64,
        cache_write_1h_tokens: i64,
        price: Option<String>,
        key_id: Option<String>,
        charges: Option<String>,
    }
}

moved! {
    /// A row of `secrets`: without them no key of the source is one of the target.
    Secret, secrets, key (name) {
        name: String,
        value: String,
    }
}

moved! {
    /// A row of `api_keys`.
    ApiKey, api_keys, key (id) {
        id: String,
        hash: String,
        prefix: String,
        name: String,
        project_id: Option<String>,
        user_id: Option<String>,
        role: String,
        max_layer: Option<String>,
        models: Option<String>,
        rpm: Option<i64>,
        tpm: Option<i64>,
        max_concurrent: Option<i64>,
        previous_hash: Option<String>,
        previous_until: Option<i64>,
        created_at: i64,
        updated_at: i64,
        expires_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

moved! {
    /// A row of `rate_limits`.
    RateLimit, rate_limits, key (scope) {
        scope: String,
        rpm: Option<i64>,
        tpm: Option<i64>,
        max_concurrent: Option<i64>,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}
