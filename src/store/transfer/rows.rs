//! Whole rows of every table, read from SQLite in the order of their keys and written to PostgreSQL.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use crate::store::schema::{context_summaries, conversations, llm_calls, messages, responses, todo_lists};

/// Rows that are read and written at once, at most.
pub(super) const PAGE: i64 = 500;
/// Bytes of them, give or take a row.
pub(super) const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What tells the rows of a table apart and orders them, the same way in both databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: String,
    /// The number within the id; 0 where the id alone is the key.
    pub(super) number: i64,
}

/// What ends each text of a key but the last: a control character, which ids do not have.
const END: char = '\u{1f}';

/// Several texts as one.
pub(super) fn join<const N: usize>(parts: [&str; N]) -> String {
    parts.join(&END.to_string())
}

impl Key {
    /// The texts of an id that has several.
    pub(super) fn parts<const N: usize>(&self) -> [String; N] {
        let mut parts = self.id.splitn(N, END);
        std::array::from_fn(|_| parts.next().unwrap_or_default().to_owned())
    }
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
    // Several texts are one id, in which a character that none of them has ends each but the last.
    (@key $row:ident, $first:ident / $second:ident) => {
        Key { id: join([&$row.$first, &$row.$second]), number: 0 }
    };
    (@key $row:ident, $first:ident / $second:ident / $third:ident, $number:ident) => {
        Key { id: join([&$row.$first, &$row.$second, &$row.$third]), number: $row.$number }
    };
    (@behind $table:ident, $place:ident, $first:ident / $second:ident) => {{
        let [first, second] = $place.parts();
        $table::$first.gt(first.clone()).or($table::$first.eq(first).and($table::$second.gt(second)))
    }};
    (@behind $table:ident, $place:ident, $first:ident / $second:ident / $third:ident, $number:ident) => {{
        let [first, second, third] = $place.parts();
        let in_third = $table::$third.gt(third.clone()).or($table::$third.eq(third).and($table::$number.gt($place.number)));
        let in_second = $table::$second.gt(second.clone()).or($table::$second.eq(second).and(in_third));
        $table::$first.gt(first.clone()).or($table::$first.eq(first).and(in_second))
    }};
    (@up_to $table:ident, $place:ident, $first:ident / $second:ident) => {{
        let [first, second] = $place.parts();
        $table::$first.lt(first.clone()).or($table::$first.eq(first).and($table::$second.le(second)))
    }};
    (@up_to $table:ident, $place:ident, $first:ident / $second:ident / $third:ident, $number:ident) => {{
        let [first, second, third] = $place.parts();
        let in_third = $table::$third.lt(third.clone()).or($table::$third.eq(third).and($table::$number.le($place.number)));
        let in_second = $table::$second.lt(second.clone()).or($table::$second.eq(second).and(in_third));
        $table::$first.lt(first.clone()).or($table::$first.eq(first).and(in_second))
    }};
    (@order $table:ident, $($key:ident),+) => {
        ($($table::$key,)+)
    };
    (@order $table:ident, $($part:ident)/+ $(, $number:ident)?) => {
        ($($table::$part,)+ $($table::$number,)?)
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
    (@sum $column:ident Blob) => {
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
    (@bytes $row:ident $column:ident Option Blob) => {
        $row.$column.as_deref().map_or(0, <[u8]>::len)
    };
    (@bytes $row:ident $column:ident $($number:ident)+) => {
        size_of_val(&$row.$column)
    };
    ($(#[$doc:meta])* $name:ident, $table:ident, key ($($key:tt)+) {
        $($column:ident: $type:ident $(<$inner:ident>)?,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
        #[diesel(table_name = $table)]
        pub(in crate::store) struct $name {
            $(pub(in crate::store) $column: $type $(<$inner>)?,)+
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
                moved!(@key self, $($key)+)
            }

            fn page(source: &mut SqliteConnection, after: Option<&Key>) -> QueryResult<Vec<Self>> {
                let mut query = $table::table.select(Self::as_select()).into_boxed();
                if let Some(after) = after {
                    query = query.filter(moved!(@behind $table, after, $($key)+));
                }
                let query = query.order(moved!(@order $table, $($key)+)).limit(PAGE);
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
                    query = query.filter(moved!(@behind $table, after, $($key)+));
                }
                if let Some(last) = last {
                    query = query.filter(moved!(@up_to $table, last, $($key)+));
                }
                let query = query.order(moved!(@order $table, $($key)+)).limit(PAGE + 1);
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

pub(super) use moved;

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
        route_layer: Option<String>,
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
        purpose: String,
        output_cap_tokens: Option<i64>,
    }
}
