//! The statement that inserts a call record.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::store::call_row::{CallRow, call_columns};

/// Makes [`CallRow`] the statement that inserts itself, unless a row with its key is there.
///
/// diesel's own insert walks a tree of types for each row it binds, which costs as much as SQLite's part of the work.
/// The statement is constant, so it is prepared once for each connection.
macro_rules! insert_or_ignore {
    ($first:ident: $first_type:ty => $first_rust:ty, $($column:ident: $type:ty => $rust:ty,)+) => {
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

call_columns!(insert_or_ignore);

impl QueryId for CallRow<'_> {
    type QueryId = CallRow<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<SqliteConnection> for CallRow<'_> {}
