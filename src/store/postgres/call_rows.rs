//! Rows of call records by column, and the statement that inserts them.

use std::sync::Arc;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use gateway_actors::protocol::CallRecord;

use crate::store::call_row::{CallRow, RowIds, call_columns};

/// Declares the columns, and the statement: constant whatever the number of rows, so that it is prepared once for each
/// connection. A row whose key is there is left alone, save that a finished attempt replaces an interrupted one.
macro_rules! insert_columns {
    ($first:ident: $first_type:ty => $first_rust:ty, $($column:ident: $type:ty => $rust:ty,)+) => {
        /// Call records, each column a list.
        #[derive(Debug)]
        pub(super) struct CallRows<'a> {
            $first: Vec<$first_rust>,
            $($column: Vec<$rust>,)+
        }

        impl<'a> CallRows<'a> {
            /// The rows of these records, whose ids these are, and of which no two have the same key. `now` is in
            /// microseconds since 1970.
            pub(super) fn new(records: &'a [Arc<CallRecord>], ids: &'a [RowIds], now: i64) -> Self {
                let count = records.len();
                let mut rows = Self {
                    $first: Vec::with_capacity(count),
                    $($column: Vec::with_capacity(count),)+
                };
                for (record, ids) in records.iter().zip(ids) {
                    let row = CallRow::new(record, ids, now);
                    rows.$first.push(row.$first);
                    $(rows.$column.push(row.$column);)+
                }
                rows
            }
        }

        impl CallRows<'_> {
            fn push_insert<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                pass.push_sql(concat!(
                    "INSERT INTO llm_calls (",
                    stringify!($first), $(", ", stringify!($column),)+
                    ") SELECT * FROM unnest(",
                ));
                pass.push_bind_param::<Array<$first_type>, _>(&self.$first)?;
                $(
                    pass.push_sql(", ");
                    pass.push_bind_param::<Array<$type>, _>(&self.$column)?;
                )+
                pass.push_sql(")");
                Ok(())
            }
        }

        impl QueryFragment<Pg> for CallRows<'_> {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                self.push_insert(&mut pass)?;
                pass.push_sql(concat!(
                    " ON CONFLICT (", stringify!($first), ") DO UPDATE SET ",
                    stringify!($first), " = excluded.", stringify!($first),
                    $(", ", stringify!($column), " = excluded.", stringify!($column),)+
                    " WHERE llm_calls.outcome = 'interrupted' AND excluded.outcome <> 'interrupted'",
                ));
                Ok(())
            }
        }
    };
}

call_columns!(insert_columns);

impl QueryId for CallRows<'_> {
    type QueryId = CallRows<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Inserts the rows whose keys are not there, and tells those keys.
#[derive(Debug)]
pub(super) struct OnlyNew<'a>(pub(super) CallRows<'a>);

impl QueryFragment<Pg> for OnlyNew<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.push_insert(&mut pass)?;
        pass.push_sql(" ON CONFLICT (attempt_id) DO NOTHING RETURNING attempt_id");
        Ok(())
    }
}

impl Query for OnlyNew<'_> {
    type SqlType = Text;
}

impl QueryId for OnlyNew<'_> {
    type QueryId = OnlyNew<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
