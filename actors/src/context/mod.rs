//! ContextActor: the order of a conversation's turns.
//!
//! * **Owns** which turn of each conversation runs and which wait: one at a time, four wait, then the next is refused.
//!   What was said is the database's; the pipeline reads and writes it.
//! * **Talks to** nobody. Pipelines of every cell ask it for a [`TurnPermit`](crate::protocol::TurnPermit); the permit
//!   tells it when it is dropped. It has an arbiter of its own.
//! * **On a restart** the running turns are known by their permits, which are still alive; waiting ones are told that
//!   the wait is over without a permit, and ask again.

mod actor;
mod core;

pub use actor::ContextActor;
