//! The statement that writes what was changed in the ledger.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use crate::store::ledger::Changes;

/// Declares a statement whose rows are lists, one each column: the text is constant whatever the number of rows, so that
/// it is prepared once for each connection.
macro_rules! lists {
    ($(#[$doc:meta])* $name:ident, $first:ident: $first_type:ty => $first_rust:ty, $($column:ident: $type:ty => $rust:ty,)+) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        struct $name<'a> {
            $first: Vec<$first_rust>,
            $($column: Vec<$rust>,)+
        }

        impl $name<'_> {
            /// `first, second, …`
            const COLUMNS: &'static str = concat!(stringify!($first), $(", ", stringify!($column),)+);

            /// The lists, as rows.
            fn push_rows<'b>(&'b self, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                pass.push_sql("SELECT * FROM unnest(");
                pass.push_bind_param::<Array<$first_type>, _>(&self.$first)?;
                $(
                    pass.push_sql(", ");
                    pass.push_bind_param::<Array<$type>, _>(&self.$column)?;
                )+
                pass.push_sql(")");
                Ok(())
            }
        }
    };
}

lists! {
    /// Rows of `budget_periods`, all of them there.
    Periods,
    scope: Text => &'a str,
    period: Text => &'a str,
    posted: BigInt => i64,
    held: BigInt => i64,
    recall: BigInt => i64,
}

lists! {
    /// Rows of `budget_slices`.
    Slices,
    scope: Text => &'a str,
    period: Text => &'a str,
    instance_id: Text => &'a str,
    epoch: BigInt => i64,
    granted: BigInt => i64,
    returned: BigInt => i64,
    posted: BigInt => i64,
    held: BigInt => i64,
    expired: BigInt => i64,
    seq: BigInt => i64,
    seq_amount: BigInt => i64,
    seq_recall: Nullable<BigInt> => Option<i64>,
    recall: BigInt => i64,
}

lists! {
    /// Rows of `budget_ledger`.
    Entries,
    id: Text => &'a str,
    scope: Text => &'a str,
    period: Text => &'a str,
    kind: Text => &'a str,
    posted_delta: BigInt => i64,
    held_delta: BigInt => i64,
    instance_id: Nullable<Text> => Option<&'a str>,
    epoch: Nullable<BigInt> => Option<i64>,
    calls: BigInt => i64,
    created_at: BigInt => i64,
}

lists! {
    /// Rows of `events`.
    Events,
    id: Text => &'a str,
    once: Text => &'a str,
    kind: Text => &'a str,
    detail: Text => &'a str,
    created_at: BigInt => i64,
    next_attempt_at: BigInt => i64,
}

/// Writes all of it, and tells the ids of the events that were raised by it: nobody had before. The periods are locked,
/// and with them their slices.
#[derive(Debug, Default)]
pub(super) struct Write<'a> {
    periods: Periods<'a>,
    slices: Slices<'a>,
    entries: Entries<'a>,
    events: Events<'a>,
}

impl<'a> From<&'a Changes> for Write<'a> {
    fn from(changes: &'a Changes) -> Self {
        let mut write = Self::default();
        for row in &changes.periods {
            write.periods.scope.push(&row.key.scope);
            write.periods.period.push(&row.key.period);
            write.periods.posted.push(row.posted);
            write.periods.held.push(row.held);
            write.periods.recall.push(row.recall);
        }
        for row in &changes.slices {
            write.slices.scope.push(&row.scope);
            write.slices.period.push(&row.period);
            write.slices.instance_id.push(&row.instance_id);
            write.slices.epoch.push(row.epoch);
            write.slices.granted.push(row.granted);
            write.slices.returned.push(row.returned);
            write.slices.posted.push(row.posted);
            write.slices.held.push(row.held);
            write.slices.expired.push(row.expired);
            write.slices.seq.push(row.seq);
            write.slices.seq_amount.push(row.seq_amount);
            write.slices.seq_recall.push(row.seq_recall);
            write.slices.recall.push(row.recall);
        }
        for entry in &changes.entries {
            write.entries.id.push(&entry.id);
            write.entries.scope.push(&entry.key.scope);
            write.entries.period.push(&entry.key.period);
            write.entries.kind.push(entry.kind);
            write.entries.posted_delta.push(entry.posted_delta);
            write.entries.held_delta.push(entry.held_delta);
            let lease = entry.lease.as_ref();
            write.entries.instance_id.push(lease.map(|lease| &*lease.instance));
            write.entries.epoch.push(lease.map(|lease| lease.epoch));
            write.entries.calls.push(entry.calls);
            write.entries.created_at.push(changes.now);
        }
        for event in &changes.events {
            write.events.id.push(&event.id);
            write.events.once.push(&event.once);
            write.events.kind.push(event.kind);
            write.events.detail.push(&event.detail);
            write.events.created_at.push(changes.now);
            write.events.next_attempt_at.push(changes.now);
        }
        write
    }
}

impl QueryFragment<Pg> for Write<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("WITH w (");
        pass.push_sql(Periods::COLUMNS);
        pass.push_sql(") AS (");
        self.periods.push_rows(&mut pass)?;
        pass.push_sql("), slices AS (INSERT INTO budget_slices AS s (");
        pass.push_sql(Slices::COLUMNS);
        pass.push_sql(") ");
        self.slices.push_rows(&mut pass)?;
        pass.push_sql(
            " ON CONFLICT (scope, period, instance_id, epoch) DO UPDATE SET granted = excluded.granted,
                returned = excluded.returned, posted = excluded.posted, held = excluded.held,
                expired = excluded.expired, seq = excluded.seq, seq_amount = excluded.seq_amount,
                seq_recall = excluded.seq_recall, recall = excluded.recall
             ), entries AS (INSERT INTO budget_ledger (",
        );
        pass.push_sql(Entries::COLUMNS);
        pass.push_sql(") ");
        self.entries.push_rows(&mut pass)?;
        pass.push_sql("), told AS (INSERT INTO events (");
        pass.push_sql(Events::COLUMNS);
        pass.push_sql(") ");
        self.events.push_rows(&mut pass)?;
        pass.push_sql(
            " ON CONFLICT (once) DO NOTHING RETURNING id
             ), changed AS (
                UPDATE budget_periods p SET posted = w.posted, held = w.held, recall = w.recall
                FROM w WHERE p.scope = w.scope AND p.period = w.period
             )
             SELECT id FROM told",
        );
        Ok(())
    }
}

impl Query for Write<'_> {
    type SqlType = Text;
}

impl QueryId for Write<'_> {
    type QueryId = Write<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
