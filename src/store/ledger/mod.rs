//! The books, apart from any database: rows as they were read under their locks, what is done to them, and what is to be
//! written.
//!
//! Whoever changes a budget's period has its row's lock, and only so are slices of that period changed: the locks of
//! periods, always taken in the order of scope and period, are all that keeps the books. Leases come before them.

mod alerts;
mod book;
mod charges;
mod grants;
mod rows;

pub(super) use alerts::{Event, told};
pub(super) use book::{Book, Changes, Entry};
pub(super) use charges::{Charge, Posted, charges_of};
pub(super) use rows::{
    BudgetRow, LeaseKey, Locked, Missing, PeriodColumns, PeriodKey, PeriodRow, SliceRow, json_of_percents,
};
