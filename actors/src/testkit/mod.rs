//! In-memory ports, a wired cell and records to store, for tests and benchmarks. Compiled only with the feature `testkit`.

mod cell;
mod events;
mod idempotency;
mod journal;
mod keys;
mod ledger;
mod notes;
pub mod samples;
mod store;
mod upstream;
mod wait;

pub use cell::{TestCell, TestSettings, test_model};
pub use events::MemoryEvents;
pub use idempotency::MemoryAnswers;
pub use journal::MemoryJournal;
pub use keys::MemoryKeys;
pub use ledger::{MemoryLedger, PeriodSums};
pub use notes::MemoryNotes;
pub use store::MemoryStore;
pub use upstream::{CUT, PlainRequest, PlainScribe, Script, ScriptedUpstream, TextRequest, UNREADABLE};
pub use wait::until;
