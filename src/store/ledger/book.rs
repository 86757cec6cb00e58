//! Changing periods and their slices, and writing down every change.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::alerts::{self, Event};
use super::charges::Charge;
use super::rows::{LeaseKey, Locked, PeriodKey, PeriodRow, SliceRow};

/// What a lease's state is called in the database.
const LIVE: &str = "live";
const EXPIRED: &str = "expired";

pub(super) type SliceKey = (PeriodKey, LeaseKey);

/// Locked periods and those of their slices that matter, while they are being changed.
#[derive(Debug)]
pub(in crate::store) struct Book {
    now: i64,
    periods: BTreeMap<PeriodKey, Account>,
    slices: BTreeMap<SliceKey, Slice>,
    entries: Vec<Entry>,
    events: Vec<Event>,
}

/// A period, and how it was.
#[derive(Debug)]
struct Account {
    row: PeriodRow,
    /// What was posted when it was read; none if all that holds of it is to be told.
    posted_before: Option<i64>,
    is_changed: bool,
}

/// A slice, and how it was.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) row: SliceRow,
    before: Option<SliceRow>,
    is_live: bool,
    is_expired: bool,
}

/// A row of `budget_ledger`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub(in crate::store) id: String,
    pub(in crate::store) key: PeriodKey,
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) posted_delta: i64,
    pub(in crate::store) held_delta: i64,
    pub(in crate::store) lease: Option<LeaseKey>,
    pub(in crate::store) calls: i64,
}

/// What is to be written, all of it or nothing.
#[derive(Debug, Default)]
pub(in crate::store) struct Changes {
    /// The database's time, in microseconds since 1970.
    pub(in crate::store) now: i64,
    pub(in crate::store) periods: Vec<PeriodRow>,
    pub(in crate::store) slices: Vec<SliceRow>,
    pub(in crate::store) entries: Vec<Entry>,
    pub(in crate::store) events: Vec<Event>,
}

impl Changes {
    /// Whether nothing is to be written.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.periods.is_empty() && self.slices.is_empty() && self.entries.is_empty() && self.events.is_empty()
    }
}

impl Book {
    /// The books of these periods; of each slice its lease's state is told.
    pub(in crate::store) fn new(locked: Locked, slices: Vec<(SliceRow, String)>) -> Self {
        let accounts = locked.periods.into_iter().map(|row| {
            let posted_before = Some(row.posted);
            let account = Account {
                row,
                posted_before,
                is_changed: false,
            };
            (account.row.key.clone(), account)
        });
        let slices = slices.into_iter().map(|(row, state)| {
            let slice = Slice {
                before: Some(row.clone()),
                row,
                is_live: state == LIVE,
                is_expired: state == EXPIRED,
            };
            ((slice.row.period_key(), slice.row.lease_key()), slice)
        });
        Self {
            now: locked.now,
            periods: accounts.collect(),
            slices: slices.collect(),
            entries: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The database's time, in microseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    pub(super) fn slice(&self, key: &PeriodKey, lease: &LeaseKey) -> Option<&Slice> {
        self.slices.get(&(key.clone(), lease.clone()))
    }

    pub(super) fn slices(&self) -> impl Iterator<Item = (&SliceKey, &Slice)> {
        self.slices.iter()
    }

    /// The slice, which is made if it is not there. Only of a lease that lives.
    pub(super) fn live_slice(&mut self, key: &PeriodKey, lease: &LeaseKey) -> &mut SliceRow {
        let new = || Slice {
            row: SliceRow::empty(key, lease),
            before: None,
            is_live: true,
            is_expired: false,
        };
        let slice = self.slices.entry((key.clone(), lease.clone())).or_insert_with(new);
        &mut slice.row
    }

    /// Asks once more for what the slices of this period do not need; the recall's number.
    pub(super) fn raise_recall(&mut self, key: &PeriodKey) -> i64 {
        self.periods.get_mut(key).map_or(0, |account| {
            account.is_changed = true;
            account.row.recall += 1;
            account.row.recall
        })
    }

    /// Counts what a slice of a living lease holds anew, as a change of this kind.
    pub(super) fn recount(&mut self, key: &PeriodKey, lease: &LeaseKey, kind: &'static str) {
        let Some(slice) = self.slices.get_mut(&(key.clone(), lease.clone())) else {
            return;
        };
        let held = slice.row.unspent();
        let delta = held - slice.row.held;
        slice.row.held = held;
        self.change(key, kind, 0, delta, Some(lease), 0);
    }

    /// Posts what records cost. Nothing is refused: what a slice does not hold is posted beyond it.
    pub(in crate::store) fn post(&mut self, charge: &Charge) {
        let Charge { key, lease, .. } = charge;
        let (mut held, mut explained) = (0, 0);
        if let Some(slice) = self.slices.get_mut(&(key.clone(), lease.clone())) {
            slice.row.posted = slice.row.posted.saturating_add(charge.cost).max(0);
            if slice.is_live {
                let unspent = slice.row.unspent();
                held = unspent - slice.row.held;
                slice.row.held = unspent;
            } else if slice.is_expired {
                explained = charge.cost.clamp(0, slice.row.expired);
                slice.row.expired -= explained;
            }
        }
        self.change(key, "post", charge.cost, held, Some(lease), charge.calls);
        self.change(key, "adjust", -explained, 0, Some(lease), 0);
        // Whose slice it was has counted the attempt at what was posted first, and hears of no difference.
        self.change(key, "adjust", charge.more, 0, Some(lease), charge.replaced);
        let above_allowed = charge.above_allowed.iter();
        self.events
            .extend(above_allowed.map(|call| alerts::above_allowed(key, call)));
    }

    /// Corrects what so many calls cost; whether there is such a period.
    pub(in crate::store) fn correct(&mut self, key: &PeriodKey, by: i64, calls: i64) -> bool {
        self.change(key, "adjust", by, 0, None, calls);
        self.periods.contains_key(key)
    }

    /// Posts in full what a slice holds whose lease ran out; how much that is.
    pub(in crate::store) fn expire(&mut self, key: &PeriodKey, lease: &LeaseKey) -> i64 {
        let Some(slice) = self.slices.get_mut(&(key.clone(), lease.clone())) else {
            return 0;
        };
        let held = std::mem::take(&mut slice.row.held);
        slice.row.expired = held;
        self.change(key, "expire", held, -held, Some(lease), 0);
        held
    }

    /// Frees what a slice holds of whose lease all records are there, and takes back what its expiry posted without need.
    pub(in crate::store) fn end(&mut self, key: &PeriodKey, lease: &LeaseKey) {
        let Some(slice) = self.slices.get_mut(&(key.clone(), lease.clone())) else {
            return;
        };
        let held = std::mem::take(&mut slice.row.held);
        let expired = std::mem::take(&mut slice.row.expired);
        self.change(key, "release", 0, -held, Some(lease), 0);
        self.change(key, "adjust", -expired, 0, Some(lease), 0);
    }

    /// Takes back a part of a slice, if its lease lives: `returned` in all. The recall that this answers is noted.
    pub(in crate::store) fn give_back(&mut self, key: &PeriodKey, lease: &LeaseKey, returned: i64, recall: i64) {
        let Some(slice) = self.slices.get_mut(&(key.clone(), lease.clone())) else {
            return;
        };
        if slice.is_live {
            let row = &mut slice.row;
            row.returned = row.returned.max(returned.min(row.granted));
            row.recall = row.recall.max(recall);
            self.recount(key, lease, "return");
        }
    }

    /// Opens a budget in a period in which so much was spent, some of which may be posted already. What was posted because
    /// leases ran out, and is explained by no record yet, is none of what was spent: records that come will be taken for it.
    pub(in crate::store) fn open(&mut self, key: &PeriodKey, spent: i64, unexplained: i64) {
        let posted = self.periods.get(key).map_or(0, |account| account.row.posted);
        let missing = spent.saturating_sub(posted.saturating_sub(unexplained)).max(0);
        self.change(key, "opening", missing, 0, None, 0);
    }

    /// Has operators told of all that holds of a period.
    pub(in crate::store) fn tell_all(&mut self, key: &PeriodKey) {
        if let Some(account) = self.periods.get_mut(key) {
            account.posted_before = None;
        }
    }

    /// How a period stands: what is posted, and what is held.
    pub(in crate::store) fn sums(&self, key: &PeriodKey) -> (i64, i64) {
        let row = self.periods.get(key).map(|account| &account.row);
        row.map_or((0, 0), |row| (row.posted, row.held))
    }

    /// Changes a period, and writes down by how much: sums that no column can hold stay at the largest, or at nothing.
    fn change(
        &mut self,
        key: &PeriodKey,
        kind: &'static str,
        posted: i64,
        held: i64,
        lease: Option<&LeaseKey>,
        calls: i64,
    ) {
        let Some(account) = self.periods.get_mut(key) else {
            return;
        };
        let row = &mut account.row;
        let before = (row.posted, row.held);
        row.posted = row.posted.saturating_add(posted).max(0);
        row.held = row.held.saturating_add(held).max(0);
        let (posted_delta, held_delta) = (row.posted - before.0, row.held - before.1);
        if posted_delta == 0 && held_delta == 0 && calls == 0 {
            return;
        }
        account.is_changed = true;
        self.entries.push(Entry {
            id: Uuid::now_v7().simple().to_string(),
            key: key.clone(),
            kind,
            posted_delta,
            held_delta,
            lease: lease.cloned(),
            calls,
        });
    }

    /// What is to be written.
    pub(in crate::store) fn into_changes(self) -> Changes {
        let mut events = self.events;
        for (key, account) in &self.periods {
            if let Some(watch) = &account.row.watch {
                events.extend(alerts::events(key, watch, account.posted_before, account.row.posted));
            }
        }
        let periods = self.periods.into_values().filter(|account| account.is_changed);
        let slices = self.slices.into_values();
        Changes {
            now: self.now,
            periods: periods.map(|account| account.row).collect(),
            slices: slices
                .filter(|slice| slice.before.as_ref() != Some(&slice.row))
                .map(|slice| slice.row)
                .collect(),
            entries: self.entries,
            events,
        }
    }
}
