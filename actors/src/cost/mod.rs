//! CostTracker: call records on their way to the database, and the totals behind the statistics.
//!
//! * **Owns** the cell's finished attempts that the database does not hold yet, and the totals since the start.
//! * **Talks to** the store (batches, idempotent by attempt) and the cell's journal (what the database holds may be
//!   forgotten). The pipeline tells it of finished attempts after journalling them.
//! * **On a restart** what is not written yet is read back from the journal; the totals are the last published ones
//!   plus the journalled attempts after them. An attempt told of twice is counted once.

mod actor;
mod core;

pub use actor::{CostSettings, CostTracker};
