//! What is done to conversations, in diesel's own language.
//!
//! A conversation is a row with the place of its next message and, while a turn runs, that turn's lease. Its messages
//! alternate: the user's at odd places, the answers at even ones, without gaps. Only the newest turn can be open
//! (`pending`); a turn that came to nothing keeps its two places, the answer being empty.
//!
//! This module is compiled once inside each database's module. What it takes from there is all that the databases
//! differ in: `Connection` is the connection's type, and `lock` makes others wait who want to change the same
//! conversation.

mod close;
mod open;
mod page;
mod release;

pub(super) use close::close;
pub(super) use open::open;
pub(super) use page::read;
pub(super) use release::release;

use super::{Connection, lock};
