//! Black-box tests: the real binary, real sockets, scripted providers behind it.

#[cfg(test)]
mod chat_completions;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod idle_probes;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod native;
#[cfg(test)]
mod native_bad_input;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod real_model;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod stats;
#[cfg(test)]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other test programs, some of which use more"
)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod transfer;

/// The OpenAI endpoint, which most tests ask.
#[cfg(test)]
const COMPLETIONS: &str = "/v1/chat/completions";
