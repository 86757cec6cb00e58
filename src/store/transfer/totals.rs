//! What a database holds, as row counts and sums: few statements tell whether two hold the same.

use diesel::SqliteConnection;
use diesel::result::Error as DieselError;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::error::TransferError;
use super::money_rows::{
    Answer, ApiKey, Budget, BudgetEntry, BudgetLease, BudgetPeriod, BudgetSlice, Event, RateLimit, Secret,
};
use super::notes_rows::{Calibration, Escalation, Experiment, Improvement, ModelEdit, Outcome};
use super::rows::{Call, Conversation, Message, Moved, Response, Summary, TodoList};
use super::{MARK, mark};

/// How many tables are moved.
pub(super) const TABLES: usize = 22;

/// What a table holds: the same on both sides when the same rows are in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) table: &'static str,
    pub(super) rows: i64,
    sums: String,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.table, self.rows, self.sums)
    }
}

/// What every table of the source holds.
pub(super) fn totals_of_source(source: &mut SqliteConnection) -> Result<[Totals; TABLES], TransferError> {
    fn of<T: Moved>(source: &mut SqliteConnection) -> Result<Totals, TransferError> {
        let (rows, sums) = T::totals_of_source(source).map_err(TransferError::at(T::TABLE))?;
        let table = T::TABLE;
        Ok(Totals { table, rows, sums })
    }
    Ok([
        of::<Conversation>(source)?,
        of::<Message>(source)?,
        of::<Summary>(source)?,
        of::<TodoList>(source)?,
        of::<Response>(source)?,
        of::<Secret>(source)?,
        of::<ApiKey>(source)?,
        of::<RateLimit>(source)?,
        of::<Budget>(source)?,
        of::<BudgetPeriod>(source)?,
        of::<BudgetLease>(source)?,
        of::<BudgetSlice>(source)?,
        of::<BudgetEntry>(source)?,
        of::<Event>(source)?,
        of::<Answer>(source)?,
        of::<Escalation>(source)?,
        of::<Outcome>(source)?,
        of::<Experiment>(source)?,
        of::<Improvement>(source)?,
        of::<Calibration>(source)?,
        of::<ModelEdit>(source)?,
        of::<Call>(source)?,
    ])
}

async fn totals_of_target(target: &mut AsyncPgConnection) -> Result<[Totals; TABLES], DieselError> {
    async fn of<T: Moved>(target: &mut AsyncPgConnection) -> Result<Totals, DieselError> {
        let (rows, sums) = T::totals_of_target(target).await?;
        let table = T::TABLE;
        Ok(Totals { table, rows, sums })
    }
    Ok([
        of::<Conversation>(target).await?,
        of::<Message>(target).await?,
        of::<Summary>(target).await?,
        of::<TodoList>(target).await?,
        of::<Response>(target).await?,
        of::<Secret>(target).await?,
        of::<ApiKey>(target).await?,
        of::<RateLimit>(target).await?,
        of::<Budget>(target).await?,
        of::<BudgetPeriod>(target).await?,
        of::<BudgetLease>(target).await?,
        of::<BudgetSlice>(target).await?,
        of::<BudgetEntry>(target).await?,
        of::<Event>(target).await?,
        of::<Answer>(target).await?,
        of::<Escalation>(target).await?,
        of::<Outcome>(target).await?,
        of::<Experiment>(target).await?,
        of::<Improvement>(target).await?,
        of::<Calibration>(target).await?,
        of::<ModelEdit>(target).await?,
        of::<Call>(target).await?,
    ])
}

/// What is done when everything is there, in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    RemoveMark,
}

/// The first table of the target that does not hold what the source holds.
pub(super) async fn differing(
    target: &mut AsyncPgConnection,
    expected: &[Totals; TABLES],
    then: Then,
) -> Result<Option<&'static str>, TransferError> {
    let checked = target.transaction::<_, DieselError, _>(async |target| {
        let found = totals_of_target(target).await?;
        let differs = expected.iter().zip(found).find(|(expected, found)| *expected != found);
        if differs.is_none() && then == Then::RemoveMark {
            mark::remove(target).await?;
        }
        Ok(differs.map(|(expected, _)| expected.table))
    });
    checked.await.map_err(TransferError::at(MARK))
}
