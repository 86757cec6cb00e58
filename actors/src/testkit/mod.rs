//! In-memory ports and a wired cell, for tests and benchmarks. Compiled only with the feature `testkit`.

mod cell;
mod journal;
mod store;
mod upstream;

pub use cell::{TestCell, test_model};
pub use journal::MemoryJournal;
pub use store::MemoryStore;
pub use upstream::{PlainRequest, Script, ScriptedUpstream};
