//! The fault matrix: what providers, routing, the disk and the process itself may do wrong, one row after the other.
//!
//! A test's name begins with the id of its row; `scripts/fault_table.py` makes the table in `docs/faults.md` of them.

#[cfg(test)]
mod actors;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod free_models;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod process;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod statuses;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "it serves other test programs too")]
mod support;

/// The OpenAI endpoint, which most tests ask.
#[cfg(test)]
const COMPLETIONS: &str = "/v1/chat/completions";
