//! The fault matrix: what providers, routing, the disk and the process itself may do wrong, one row after the other.
//!
//! A test's name begins with the id of its row; `scripts/fault_table.py` makes the table in `docs/faults.md` of them.

#![cfg(test)]

mod actors;
mod answers;
mod breakers;
mod chaos;
mod clock;
mod connections;
mod crash;
mod cross_check;
mod deadlines;
mod disk;
mod early_answers;
mod escalation;
mod floods;
mod free_models;
mod histories;
mod leaving_legs;
mod limits;
mod postgres;
mod process;
mod routing;
mod scene;
mod statuses;
#[path = "../support/mod.rs"]
mod support;
mod wire;

/// The OpenAI endpoint, which most tests ask.
const COMPLETIONS: &str = "/v1/chat/completions";
