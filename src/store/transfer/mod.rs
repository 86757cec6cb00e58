//! Moves a SQLite database into a PostgreSQL one.
//!
//! Rows are copied page by page, each page in a transaction that also notes in the target's mark how far the move is
//! (`mark`). While the mark is there no gateway starts on the target, and a run that was stopped is gone on with behind
//! the row that was copied last, if the source still holds what it held. The mark goes when everything is there: counts
//! and sums of every table are the same on both sides.
//!
//! Into a target with rows but without a mark nothing is written unless each of its rows is one of the source. The
//! source is locked against writers meanwhile, and not changed, save that leases on budgets which nobody can renew are
//! ended before; the target is locked against other moves.

mod error;
mod mark;
mod money_rows;
mod notes_rows;
mod rows;
mod totals;

use std::time::Duration;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use self::mark::{Mark, Place};
use self::money_rows::{
    Answer, ApiKey, Budget, BudgetEntry, BudgetLease, BudgetPeriod, BudgetSlice, Event, RateLimit, Secret,
};
use self::notes_rows::{Calibration, Escalation, Experiment, Improvement, ModelEdit, Outcome};
use self::rows::{Call, Conversation, Message, Moved, Response, Summary, TodoList};
use self::totals::{TABLES, Then, Totals, differing, totals_of_source};
use super::error::OpenError;
use super::runtime::{Network, StoreRuntime};
use super::schema::budget_leases;
use super::sqlite::{Claim, NotClaimed};
use super::{PostgresConfig, SqliteConfig, Store, postgres, sqlite};

pub use self::error::TransferError;
/// A whole row of `api_keys`, in the order of its columns: also for those who only read it.
pub(super) use self::money_rows::ApiKey as KeyRow;
/// The same of `calibrations`, `escalations`, `model_edits` and `outcomes`.
pub(super) use self::notes_rows::{
    Calibration as CalibrationRow, Escalation as EscalationRow, ModelEdit as ModelEditRow, Outcome as StoredOutcome,
};

/// How long closing the source may take.
const CLOSE: Duration = Duration::from_secs(5);

/// The mark's own table, for errors.
const MARK: &str = "moves";

/// What was done to one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableMoved {
    /// The table's name.
    pub table: &'static str,
    /// Its rows in the source, all of which are now in the target.
    pub rows: usize,
    /// Those of them that were not there before.
    pub copied: usize,
}

/// A move from a file into a database. While it exists no other process can move data into that database, and no gateway
/// can start on the file.
#[derive(Debug)]
pub struct Transfer {
    source: SqliteConfig,
    claim: Claim,
    target: Target,
    runtime: StoreRuntime,
}

/// The session that has the target's lock.
struct Target(AsyncPgConnection);

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").finish_non_exhaustive()
    }
}

impl Transfer {
    /// Looks at the source and claims it, without changing it; then claims the target, whose tables are created or
    /// upgraded where they need it. Blocks.
    ///
    /// # Errors
    /// When the source is not a gateway's file, a process has it open, the target cannot be opened, or another move of the
    /// one or into the other is under way.
    pub fn prepare(mut source: SqliteConfig, target: &PostgresConfig) -> Result<Self, TransferError> {
        if !source.path.is_file() {
            return Err(TransferError::NoSource(source.path));
        }
        source.path = std::fs::canonicalize(&source.path).unwrap_or(source.path);
        if !sqlite::has_tables(&source)? {
            return Err(TransferError::NotOurs(source.path));
        }
        let claim = match Claim::take(&source.path) {
            Err(NotClaimed::Shared) => return Err(TransferError::SourceInUse(source.path)),
            Err(NotClaimed::Failed { path, source }) => return Err(TransferError::NoLock { path, source }),
            Err(NotClaimed::Claimed) => None,
            Ok(claim) => Some(claim),
        };
        let runtime = StoreRuntime::start(Network::Needed)?;
        let target = postgres::claim(target, runtime.handle())?.ok_or(TransferError::UnderWay)?;
        let Some(claim) = claim else {
            return Err(TransferError::SourceUnderWay(source.path));
        };
        Ok(Self {
            source,
            claim,
            target: Target(target),
            runtime,
        })
    }

    /// Opens the source as a store, for what must be in it before it is moved. Blocks.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open_source(&self) -> Result<Store, OpenError> {
        Store::open_under(self.source.clone().into(), Some(&self.claim))
    }

    /// Moves every row of the file, or those that an earlier run did not get to. Blocks. The file's tables are upgraded
    /// first where they need it.
    ///
    /// # Errors
    /// When the source cannot be opened, is locked or of a newer version, when the target holds other data, and when one
    /// of the databases fails on the way.
    pub fn run(mut self) -> Result<Vec<TableMoved>, TransferError> {
        let mut source = sqlite::connect(&self.source)?;
        self.end_leases(&mut source)?;
        let locked = source.batch_execute("BEGIN IMMEDIATE");
        locked.map_err(|error| OpenError::of(self.source.path.clone(), error.into()))?;
        let name = format!("sqlite:{}", self.source.path.display());
        let moved = self
            .runtime
            .block_on(move_all(&name, &mut source, &mut self.target.0))?;
        source.batch_execute("ROLLBACK").map_err(TransferError::at(MARK))?;
        Ok(moved)
    }

    /// Ends the leases of processes that died and did not come back: what they held of budgets is posted, so that nothing
    /// stays held in the target, and their records correct it there as they would have here.
    fn end_leases(&self, source: &mut SqliteConnection) -> Result<(), TransferError> {
        let at = TransferError::at(BudgetLease::TABLE);
        let live = budget_leases::table.filter(budget_leases::state.eq("live"));
        let overdue = diesel::update(live).set(budget_leases::expires_at.eq(0));
        if overdue.execute(source).map_err(at)? == 0 {
            return Ok(());
        }
        let store = self.open_source()?;
        let ended = loop {
            let expired = store.block_on(store.ledger().expire_leases(Duration::ZERO));
            let left: Result<i64, _> = live.count().get_result(source);
            match (expired, left) {
                (Ok(_), Ok(0)) => break Ok(()),
                (Ok(_), Ok(_)) => {}
                (Ok(_), Err(error)) => break Err(TransferError::at(BudgetLease::TABLE)(error)),
                (Err(error), _) => {
                    break Err(TransferError::Stopped {
                        table: BudgetLease::TABLE,
                        source: Box::new(error),
                    });
                }
            }
        };
        store.shutdown(CLOSE);
        ended
    }
}

/// Moves everything, or the rest of what an earlier run began, and checks that all of it is there.
async fn move_all(
    name: &str,
    source: &mut SqliteConnection,
    target: &mut AsyncPgConnection,
) -> Result<Vec<TableMoved>, TransferError> {
    let expected = totals_of_source(source)?;
    let text = expected.iter().map(Totals::to_string).collect::<Vec<_>>().join("\n");
    let mut resume = match mark::read(target).await.map_err(TransferError::at(MARK))? {
        Some(mark) if mark.source_totals == text => mark.last,
        Some(mark) if mark.source != name => {
            return Err(TransferError::OtherSource {
                begun: mark.source,
                asked: name.to_owned(),
            });
        }
        Some(_) => {
            let changed = |table| TransferError::SourceChanged {
                source_name: name.to_owned(),
                table,
            };
            compare_all(source, target, changed).await?;
            None
        }
        None => {
            compare_all(source, target, |table| TransferError::ForeignData { table }).await?;
            if differing(target, &expected, Then::Nothing).await?.is_none() {
                return Ok(report(&expected, [0; TABLES]));
            }
            None
        }
    };
    let mark = Mark {
        source: name.to_owned(),
        source_totals: text,
        last: resume.clone(),
    };
    mark::write(target, &mark).await.map_err(TransferError::at(MARK))?;
    let resume = &mut resume;
    let copied = [
        copy::<Conversation>(source, target, resume).await?,
        copy::<Message>(source, target, resume).await?,
        copy::<Summary>(source, target, resume).await?,
        copy::<TodoList>(source, target, resume).await?,
        copy::<Response>(source, target, resume).await?,
        copy::<Secret>(source, target, resume).await?,
        copy::<ApiKey>(source, target, resume).await?,
        copy::<RateLimit>(source, target, resume).await?,
        copy::<Budget>(source, target, resume).await?,
        copy::<BudgetPeriod>(source, target, resume).await?,
        copy::<BudgetLease>(source, target, resume).await?,
        copy::<BudgetSlice>(source, target, resume).await?,
        copy::<BudgetEntry>(source, target, resume).await?,
        copy::<Event>(source, target, resume).await?,
        copy::<Answer>(source, target, resume).await?,
        copy::<Escalation>(source, target, resume).await?,
        copy::<Outcome>(source, target, resume).await?,
        copy::<Experiment>(source, target, resume).await?,
        copy::<Improvement>(source, target, resume).await?,
        copy::<Calibration>(source, target, resume).await?,
        copy::<ModelEdit>(source, target, resume).await?,
        copy::<Call>(source, target, resume).await?,
    ];
    match differing(target, &expected, Then::RemoveMark).await? {
        None => Ok(report(&expected, copied)),
        Some(table) => Err(TransferError::Differs { table }),
    }
}

fn report(expected: &[Totals; TABLES], copied: [usize; TABLES]) -> Vec<TableMoved> {
    let tables = expected.iter().zip(copied).map(|(expected, copied)| TableMoved {
        table: expected.table,
        rows: usize::try_from(expected.rows).unwrap_or_default(),
        copied,
    });
    tables.collect()
}

/// Checks that every row of the target is one of the source; `other` makes the error for the first table with another.
async fn compare_all(
    source: &mut SqliteConnection,
    target: &mut AsyncPgConnection,
    other: impl Fn(&'static str) -> TransferError,
) -> Result<(), TransferError> {
    compare::<Conversation>(source, target, &other).await?;
    compare::<Message>(source, target, &other).await?;
    compare::<Summary>(source, target, &other).await?;
    compare::<TodoList>(source, target, &other).await?;
    compare::<Response>(source, target, &other).await?;
    compare::<Secret>(source, target, &other).await?;
    compare::<ApiKey>(source, target, &other).await?;
    compare::<RateLimit>(source, target, &other).await?;
    compare::<Budget>(source, target, &other).await?;
    compare::<BudgetPeriod>(source, target, &other).await?;
    compare::<BudgetLease>(source, target, &other).await?;
    compare::<BudgetSlice>(source, target, &other).await?;
    compare::<BudgetEntry>(source, target, &other).await?;
    compare::<Event>(source, target, &other).await?;
    compare::<Answer>(source, target, &other).await?;
    compare::<Escalation>(source, target, &other).await?;
    compare::<Outcome>(source, target, &other).await?;
    compare::<Experiment>(source, target, &other).await?;
    compare::<Improvement>(source, target, &other).await?;
    compare::<Calibration>(source, target, &other).await?;
    compare::<ModelEdit>(source, target, &other).await?;
    compare::<Call>(source, target, &other).await
}

async fn compare<T: Moved>(
    source: &mut SqliteConnection,
    target: &mut AsyncPgConnection,
    other: &impl Fn(&'static str) -> TransferError,
) -> Result<(), TransferError> {
    let at = TransferError::at(T::TABLE);
    if T::is_empty(target).await.map_err(&at)? {
        return Ok(());
    }
    let mut after = None;
    loop {
        let page = T::page(source, after.as_ref()).map_err(&at)?;
        // Behind the source's last row the page is empty: then the target must have nothing there either.
        let last = page.last().map(Moved::key);
        let there = T::between(target, after.as_ref(), last.as_ref()).await.map_err(&at)?;
        // Both are in the order of their keys.
        let mut expected = page.iter();
        if !there.iter().all(|row| expected.any(|one| one == row)) {
            return Err(other(T::TABLE));
        }
        match last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// Copies the rows that the target does not have; how many they were. Where an earlier run got further than this table
/// nothing is done, where it stopped in it the rest is copied.
async fn copy<T: Moved>(
    source: &mut SqliteConnection,
    target: &mut AsyncPgConnection,
    resume: &mut Option<Place>,
) -> Result<usize, TransferError> {
    if resume.as_ref().is_some_and(|place| place.table != T::TABLE) {
        return Ok(0);
    }
    let mut after = resume.take().map(|place| place.key);
    let mut copied = 0;
    loop {
        let page = T::page(source, after.as_ref()).map_err(TransferError::at(T::TABLE))?;
        let Some(last) = page.last().map(Moved::key) else {
            return Ok(copied);
        };
        let one_page = target.transaction(async |target| {
            let copied = T::insert(target, &page).await?;
            mark::advance(target, T::TABLE, &last).await?;
            Ok(copied)
        });
        copied += one_page.await.map_err(TransferError::at(T::TABLE))?;
        after = Some(last);
    }
}
