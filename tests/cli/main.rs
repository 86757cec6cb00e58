//! Black-box tests of the `mcp` program against the real gateway with its simulator.

#![cfg(test)]

mod chat;
mod program;
mod ready;
#[path = "../support/mod.rs"]
mod support;
