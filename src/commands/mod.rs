//! Commands that end by themselves and need no actor system.

mod audit;
mod calibrate;
mod eval;
mod journal;
mod keys;
mod reprice;
mod transfer;

pub use audit::{AuditError, audit};
pub use calibrate::{CalibrateArgs, CalibrateError, calibrate};
pub use eval::{EvalArgs, eval};
pub use journal::{BringInError, bring_in};
pub use keys::{AdminError, BudgetsCommand, KeysCommand, budgets, keys};
pub use reprice::{RepriceError, RepriceOrder, reprice};
pub use transfer::{MoveError, move_data};
