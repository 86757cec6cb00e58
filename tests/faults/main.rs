//! What bad requests, slow clients, leaving clients, overload and the end of the process do to the gateway: nothing
//! that outlasts them.
//!
//! Tests of the fault matrix begin with the row they prove: `a` is framing, `b` is JSON and fields, `h` is streaming.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod disconnects;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod json;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod overload;
mod pipelining;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod streaming;
#[cfg(test)]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other test programs, each of which uses a part of it"
)]
#[path = "../support/mod.rs"]
mod support;

/// The OpenAI endpoint.
#[cfg(test)]
const COMPLETIONS: &str = "/v1/chat/completions";

/// Every endpoint that takes a body.
#[cfg(test)]
const WITH_BODY: [&str; 3] = ["/v1/chat", "/v1/route", COMPLETIONS];
