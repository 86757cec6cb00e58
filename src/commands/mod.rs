//! Commands that end by themselves and need no actor system.

mod audit;
mod journal;
mod keys;
mod reprice;
mod transfer;

pub use audit::{AuditError, audit};
pub use journal::{BringInError, bring_in};
pub use keys::{AdminError, BudgetsCommand, KeysCommand, budgets, keys};
pub use reprice::{RepriceError, RepriceOrder, reprice};
pub use transfer::{MoveError, move_data};
