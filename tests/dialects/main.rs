//! Black-box tests of the dialects: every client dialect before every provider dialect, through the real binary.

#![cfg(test)]

mod chunks;
mod failures;
mod memory;
mod others;
mod pairs;
mod same_dialect;
mod scene;
mod stored;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod tongue;
mod vectors;
