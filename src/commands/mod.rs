//! Commands that end by themselves and need no actor system.

mod journal;
mod transfer;

pub use journal::{BringInError, bring_in};
pub use transfer::{MoveError, move_data};
