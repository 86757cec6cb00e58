//! LearningDirector: what became of requests, on its way to the database, and what is learned from it.
//!
//! * **Owns** outcomes that the database does not hold yet. They are statistics, not money: what cannot be kept is counted
//!   and dropped.
//! * **Talks to** the store (batches, idempotent by request) and publishes [`Learned`](crate::protocol::Learned) to all
//!   cells: every 10 s it reads the notebook, once a minute, where models are drawn by it, the table of successes (and
//!   at once when an administrator has edited what is known of a model), and it stops experiments that are outside their
//!   guard rails. Pipelines tell it of outcomes, and of tests of earlier answers; whoever ends the process has
//!   it store what it holds.
//! * **On a restart** outcomes that were not written are lost, and counted.

mod director;
mod director_core;
mod earlier;
mod look;
mod looks;

pub use director::{LearningDirector, LearningParts};
