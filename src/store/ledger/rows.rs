//! Rows of the ledger's tables.

use std::sync::Arc;

use diesel::prelude::*;
use gateway_actors::protocol::{BudgetRule, LeaseId, NanoUsd, Period, Window};

use crate::store::error::Fault;
use crate::store::schema::{budget_slices, budgets};

/// A scope and the name of a period: a row of `budget_periods`. Ordered as the database orders them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct PeriodKey {
    pub(in crate::store) scope: Arc<str>,
    pub(in crate::store) period: Arc<str>,
}

/// A lease, as it is in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct LeaseKey {
    pub(in crate::store) instance: Arc<str>,
    pub(in crate::store) epoch: i64,
}

impl LeaseKey {
    /// Those of rows with the instance and the epoch.
    pub(in crate::store) fn all(rows: Vec<(String, i64)>) -> Vec<Self> {
        let key = |(instance, epoch): (String, i64)| Self {
            instance: instance.into(),
            epoch,
        };
        rows.into_iter().map(key).collect()
    }
}

impl From<LeaseId> for LeaseKey {
    fn from(lease: LeaseId) -> Self {
        Self {
            instance: lease.instance.to_string().into(),
            epoch: lease.epoch.into(),
        }
    }
}

impl TryFrom<&LeaseKey> for LeaseId {
    type Error = Fault;

    fn try_from(key: &LeaseKey) -> Result<Self, Fault> {
        let none = |what: &str| Fault::failed(&format!("a lease has {what} that is none"));
        Ok(Self {
            instance: key.instance.parse().map_err(|_invalid| none("an instance"))?,
            epoch: u32::try_from(key.epoch).map_err(|_negative| none("a number"))?,
        })
    }
}

/// What is done about periods that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Missing {
    /// They are made.
    Make,
    /// They are left out.
    Skip,
}

/// Periods whose rows are locked until the transaction ends.
#[derive(Debug)]
pub(in crate::store) struct Locked {
    /// The database's time when the locks were had, in microseconds since 1970.
    pub(in crate::store) now: i64,
    /// The periods.
    pub(in crate::store) periods: Vec<PeriodRow>,
}

/// A row of `budget_periods`, and what is to be watched of it.
#[derive(Debug, Clone)]
pub(in crate::store) struct PeriodRow {
    pub(in crate::store) key: PeriodKey,
    pub(in crate::store) posted: i64,
    pub(in crate::store) held: i64,
    pub(in crate::store) recall: i64,
    /// Of the scope's budget, if it has one whose periods are of this kind.
    pub(in crate::store) watch: Option<Watch>,
}

/// Of a period what is posted and held, and its recall; of its scope's budget the limit, the kind of its periods, and the
/// percents.
pub(in crate::store) type PeriodColumns = (i64, i64, i64, Option<i64>, Option<String>, Option<String>);

impl PeriodRow {
    /// The row with these columns.
    pub(in crate::store) fn new(
        key: PeriodKey,
        (posted, held, recall, limit, kind, percents): PeriodColumns,
    ) -> Result<Self, Fault> {
        Ok(Self {
            watch: Watch::of(&key, limit, kind.as_deref(), percents.as_deref())?,
            key,
            posted,
            held,
            recall,
        })
    }
}

/// What of a budget operators are told of.
#[derive(Debug, Clone)]
pub(in crate::store) struct Watch {
    pub(in crate::store) limit: i64,
    pub(in crate::store) percents: Vec<u8>,
}

impl Watch {
    /// The columns of a period's budget, if it has one.
    fn of(
        key: &PeriodKey,
        limit: Option<i64>,
        kind: Option<&str>,
        percents: Option<&str>,
    ) -> Result<Option<Self>, Fault> {
        let (Some(limit), Some(kind), Some(percents)) = (limit, kind, percents) else {
            return Ok(None);
        };
        let is_of_kind = Period::window_of(&key.period).is_some_and(|window| window.as_str() == kind);
        let percents = percents_of(percents)?;
        Ok(is_of_kind.then_some(Self { limit, percents }))
    }
}

/// A row of `budget_slices`.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = budget_slices, treat_none_as_null = true)]
pub(in crate::store) struct SliceRow {
    pub(in crate::store) scope: String,
    pub(in crate::store) period: String,
    pub(in crate::store) instance_id: String,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) granted: i64,
    pub(in crate::store) returned: i64,
    pub(in crate::store) posted: i64,
    pub(in crate::store) held: i64,
    pub(in crate::store) expired: i64,
    pub(in crate::store) seq: i64,
    pub(in crate::store) seq_amount: i64,
    pub(in crate::store) seq_recall: Option<i64>,
    pub(in crate::store) recall: i64,
}

impl SliceRow {
    /// A slice of which nothing was granted yet.
    pub(super) fn empty(key: &PeriodKey, lease: &LeaseKey) -> Self {
        Self {
            scope: key.scope.to_string(),
            period: key.period.to_string(),
            instance_id: lease.instance.to_string(),
            epoch: lease.epoch,
            granted: 0,
            returned: 0,
            posted: 0,
            held: 0,
            expired: 0,
            seq: 0,
            seq_amount: 0,
            seq_recall: None,
            recall: 0,
        }
    }

    pub(in crate::store) fn period_key(&self) -> PeriodKey {
        PeriodKey {
            scope: self.scope.as_str().into(),
            period: self.period.as_str().into(),
        }
    }

    pub(in crate::store) fn lease_key(&self) -> LeaseKey {
        LeaseKey {
            instance: self.instance_id.as_str().into(),
            epoch: self.epoch,
        }
    }

    /// What a slice of a living lease holds.
    pub(super) fn unspent(&self) -> i64 {
        let kept = self.granted.saturating_sub(self.returned);
        kept.saturating_sub(self.posted).max(0)
    }

    /// What was posted beyond what was granted.
    pub(super) fn owed(&self) -> i64 {
        let kept = self.granted.saturating_sub(self.returned);
        self.posted.saturating_sub(kept).max(0)
    }
}

/// What is said of a budget, as it is in the database.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = budgets)]
pub(in crate::store) struct BudgetRow {
    pub(in crate::store) scope: String,
    limit_nano_usd: i64,
    period_kind: String,
    on_exhausted: String,
    max_layer: Option<String>,
    alert_percents: String,
    pub(in crate::store) updated_at: i64,
    pub(in crate::store) deleted_at: Option<i64>,
}

impl BudgetRow {
    /// How long its periods are.
    pub(in crate::store) fn window(&self) -> Result<Window, Fault> {
        self.period_kind.parse().map_err(|_unknown| unknown("kind of period"))
    }

    /// What holds for it.
    pub(in crate::store) fn rule(&self) -> Result<BudgetRule, Fault> {
        let max_layer = self.max_layer.as_deref().map(str::parse).transpose();
        let on_exhausted = self.on_exhausted.parse();
        Ok(BudgetRule {
            limit: NanoUsd(self.limit_nano_usd),
            window: self.window()?,
            on_exhausted: on_exhausted.map_err(|_unknown| unknown("way of being exhausted"))?,
            max_layer: max_layer.map_err(|_unknown| unknown("layer"))?,
            alert_percents: percents_of(&self.alert_percents)?,
        })
    }
}

fn unknown(what: &str) -> Fault {
    Fault::failed(&format!("a budget has an unknown {what}"))
}

fn percents_of(json: &str) -> Result<Vec<u8>, Fault> {
    serde_json::from_str(json).map_err(|_invalid| unknown("list of percents"))
}

/// A list of percents as it is stored.
pub(in crate::store) fn json_of_percents(percents: &[u8]) -> String {
    let texts: Vec<_> = percents.iter().map(u8::to_string).collect();
    format!("[{}]", texts.join(","))
}
