//! Commands that end by themselves and need no actor system.

mod journal;
mod keys;
mod transfer;

pub use journal::{BringInError, bring_in};
pub use keys::{AdminError, BudgetsCommand, KeysCommand, budgets, keys};
pub use transfer::{MoveError, move_data};
