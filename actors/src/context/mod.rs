//! ContextActor: the order of a conversation's turns, and what is known of conversations that have no id.
//!
//! * **Owns** which turn of each conversation runs and which wait: one at a time, four wait, then the next is refused.
//!   What was said is the database's; the pipeline reads and writes it. Of conversations whose clients give no id: the
//!   model of the newest turn and the dearest layer so far, in memory, for an hour, of 50,000 at most.
//! * **Talks to** nobody. Pipelines of every cell ask it for a [`TurnPermit`](crate::protocol::TurnPermit); the permit
//!   tells it when it is dropped. It has an arbiter of its own.
//! * **On a restart** the running turns are known by their permits, which are still alive; waiting ones are told that
//!   the wait is over without a permit, and ask again. What was known of conversations without an id is lost: the same
//!   text gives the same plan.

mod actor;
mod core;
mod loops;

pub use actor::ContextActor;
