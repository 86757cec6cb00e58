//! In-memory ports, a wired cell and records to store, for tests and benchmarks. Compiled only with the feature `testkit`.

mod cell;
mod idempotency;
mod journal;
mod keys;
mod ledger;
pub mod samples;
mod store;
mod upstream;

pub use cell::{TestCell, test_model};
pub use idempotency::MemoryAnswers;
pub use journal::MemoryJournal;
pub use keys::MemoryKeys;
pub use ledger::{MemoryLedger, PeriodSums};
pub use store::MemoryStore;
pub use upstream::{PlainRequest, Script, ScriptedUpstream};
