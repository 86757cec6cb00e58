//! In-memory ports, a wired cell and records to store, for tests and benchmarks. Compiled only with the feature `testkit`.

mod cell;
mod idempotency;
mod journal;
pub mod samples;
mod store;
mod upstream;

pub use cell::{TestCell, test_model};
pub use idempotency::MemoryKeys;
pub use journal::MemoryJournal;
pub use store::MemoryStore;
pub use upstream::{PlainRequest, Script, ScriptedUpstream};
