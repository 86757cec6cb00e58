//! Black-box tests: the real binary, real sockets, scripted providers behind it.

#![cfg(test)]

mod aliases;
mod chat_completions;
mod code_agent;
mod coding_agents;
mod conversations;
mod crash;
mod dialect_clients;
mod dialect_providers;
mod edge;
mod escalations;
mod exhausted;
mod experiments;
mod explain;
mod failover;
mod feedback;
mod forgetting;
mod holds;
mod idempotency;
mod idle_probes;
mod improvement;
mod journals;
mod keys;
mod limits;
mod logs;
mod loops;
mod native;
mod native_bad_input;
mod odd_answers;
mod panics;
mod postgres;
mod prices;
mod quota;
mod real_model;
mod recovery;
mod refusals;
mod reload;
mod reports;
mod routing_headers;
mod settings;
mod shutdown;
mod source_in_use;
mod stats;
#[path = "../support/mod.rs"]
mod support;
mod todos;
mod transfer;
mod webhook;

/// The OpenAI endpoint, which most tests ask.
const COMPLETIONS: &str = "/v1/chat/completions";
