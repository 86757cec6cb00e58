//! What is done to the ledger. Each of these reads under the locks of the periods that it changes, has the books changed
//! in memory (`store::ledger`), and writes what came of it at once.
//!
//! Locks are taken in one order: leases, budgets, periods by scope and name. Call records come before periods too. Last of
//! all comes the order of budgets' changes, which others wait for whatever their budget.

mod budgets;
mod leases;
mod opening;
mod purge;
mod slices;

pub(in super::super) use budgets::{budget, budget_changes, delete_budget, recount, set_budget};
pub(in super::super) use leases::{end_lease, end_leases_of, expire_leases, open_lease, renew_lease};
pub(in super::super) use purge::{purge_leases, purge_slices};
pub(in super::super) use slices::{give_back, grant, post, recalls};

use super::{Connection, books, stamps};
