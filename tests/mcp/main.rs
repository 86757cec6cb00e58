//! Black-box tests of `ai-mcp-gateway mcp`: the real binary, real pipes, a scripted provider behind it.

#![cfg(test)]

mod agent;
mod budgets;
mod calls;
mod clients;
mod desktop;
mod ending;
mod escalation;
mod fields;
mod fuzz;
mod limits;
mod process;
mod protocol;
mod request_state;
mod session;
mod sharing;
#[path = "../support/mod.rs"]
mod support;
