//! The statements that insert call records.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use crate::store::call_row::{CallRow, call_columns};

/// Rows that one statement inserts when there are as many.
pub(super) const ROWS: usize = 16;

/// The statement that inserts these rows, each unless a row with its key is there.
///
/// diesel's own insert walks a tree of types for each row it binds, which costs as much as SQLite's part of the work.
/// The statement is constant for each number of rows, so it is prepared once for each connection; beginning and ending
/// one costs a sixth of inserting a row, so most rows go [`ROWS`] at a time.
#[derive(Debug)]
pub(super) struct Insert<'a, const N: usize>(pub(super) [CallRow<'a>; N]);

macro_rules! insert_or_ignore {
    ($first:ident: $first_type:ty => $first_rust:ty, $($column:ident: $type:ty => $rust:ty,)+) => {
        const INSERT: &str = concat!(
            "INSERT OR IGNORE INTO llm_calls (", stringify!($first), $(", ", stringify!($column),)+ ") VALUES "
        );

        fn bind<'b>(row: &'b CallRow<'_>, pass: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
            pass.push_sql("(");
            pass.push_bind_param::<$first_type, _>(&row.$first)?;
            $(
                pass.push_sql(", ");
                pass.push_bind_param::<$type, _>(&row.$column)?;
            )+
            pass.push_sql(")");
            Ok(())
        }
    };
}

call_columns!(insert_or_ignore);

impl<const N: usize> QueryFragment<Sqlite> for Insert<'_, N> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut before = INSERT;
        for row in &self.0 {
            pass.push_sql(before);
            bind(row, &mut pass)?;
            before = ", ";
        }
        Ok(())
    }
}

impl<const N: usize> QueryId for Insert<'_, N> {
    type QueryId = Insert<'static, N>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize> RunQueryDsl<SqliteConnection> for Insert<'_, N> {}
