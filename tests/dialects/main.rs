//! Black-box tests of the dialects: every client dialect before every provider dialect, through the real binary.

#![cfg(test)]

mod failures;
mod pairs;
mod scene;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod tongue;
