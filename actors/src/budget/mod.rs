//! BudgetActor and BudgetDirector: who may spend what.
//!
//! * **BudgetActor**, one in each cell, turns what a call may cost at most into a [`Hold`](crate::protocol::Hold): it
//!   takes the amount from the process's slices of every budget that must pay, or from none. It owns nothing that could
//!   be lost: slices and sums are counters that its holds share, and a hold that is dropped gives back, or books, what it
//!   is for.
//! * **BudgetDirector**, one in the process on the control arbiter, owns the process's lease and fills and empties the
//!   slices: it asks the ledger for more where cells have not enough, gives back what nobody uses or what other
//!   processes want, and publishes the budgets. Requests ask it only when memory does not suffice.
//! * **Talk to** each other through the published [`BudgetBook`](crate::protocol::BudgetBook) only. The pipeline asks
//!   both.
//! * **On a restart** the BudgetActor is as it was. The director finds budgets and slices in the book; what waited for it
//!   asks once more, and a question to the ledger whose answer was lost is asked again under the same number.

mod action;
mod actor;
mod director;
mod director_changes;
mod director_core;
mod director_lease;
mod director_lost;
mod director_questions;
mod slices;
mod waiters;

pub use action::{Action, WaiterId};
pub use actor::BudgetActor;
pub use director::BudgetDirector;
pub use director_changes::HEARD_EVERYWHERE;
pub use director_core::{BudgetSettings, DirectorCore};
