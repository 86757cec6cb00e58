//! AI MCP Gateway: the edges and adapters around the actor system in `gateway_actors`.
//!
//! `http` and `cli` send requests in; `providers`, `store` and `redis` are the far sides that the actors reach through ports;
//! `dialects` knows the wire formats; `config` the settings; `system` wires it all, `startup` runs and drains it, `reload`
//! exchanges its models meanwhile, of which `catalogue` publishes what is routed by. `answer` and `status` hold what HTTP and
//! MCP tell alike: of an answer, and of the process; `auth` tells both who asks, `limits` how much more
//! they may ask, and `admin` does what HTTP and the command line let administrators do; `budgets` makes what they change of
//! budgets hold at once; `alerts` tells operators of events.

mod admin;
mod agent;
pub mod alerts;
mod answer;
pub mod auth;
mod budgets;
mod catalogue;
pub mod cli;
pub mod commands;
pub mod config;
mod dates;
pub mod dialects;
pub mod escalation;
pub mod eval;
mod fields;
#[cfg(test)]
#[path = "tests/fuzz.rs"]
mod fuzz;
pub mod http;
pub mod limits;
mod mcp;
mod moment;
pub mod providers;
pub mod redis;
pub mod reload;
pub mod startup;
pub mod status;
pub mod store;
mod system;
pub mod telemetry;
mod test_results;
