//! Black-box tests of the `mcp` program against the real gateway with its simulator.

#[cfg(test)]
mod chat;
#[cfg(test)]
mod program;
#[cfg(test)]
mod ready;
#[cfg(test)]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the HTTP API, which use all of it"
)]
#[path = "../support/mod.rs"]
mod support;
