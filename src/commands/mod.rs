//! Commands that end by themselves and need no actor system.

mod transfer;

pub use transfer::{MoveError, move_data};
