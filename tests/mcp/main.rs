//! Black-box tests of `ai-mcp-gateway mcp`: the real binary, real pipes, a scripted provider behind it.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod desktop;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod process;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod session;
#[cfg(test)]
mod sharing;
#[cfg(test)]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the HTTP API, which use all of it"
)]
#[path = "../support/mod.rs"]
mod support;
