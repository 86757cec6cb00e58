//! Black-box tests of the `mcp` program against the real gateway with its simulator, and of the gateway's own commands.

#![cfg(test)]

mod calibrate;
mod chat;
mod program;
mod ready;
#[path = "../support/mod.rs"]
mod support;
