//! Black-box tests of the dialects: every client dialect before every provider dialect, through the real binary.

#![cfg(test)]

mod azure;
mod chunks;
mod failures;
mod memory;
mod others;
mod pairs;
mod refused;
mod same_dialect;
mod scene;
mod state;
mod stored;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod tongue;
mod unbuffered;
mod vectors;
