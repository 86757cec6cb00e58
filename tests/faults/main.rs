//! What bad requests, slow clients, leaving clients, overload and the end of the process do to the gateway: nothing
//! that outlasts them.
//!
//! Tests of the fault matrix begin with the row they prove: `a` is framing, `b` is JSON and fields, `h` is streaming.

#![cfg(test)]

mod bodies;
mod connections;
mod disconnects;
mod drain;
mod fields;
mod framing;
mod headers;
mod json;
mod leaving;
mod overload;
mod pipelining;
mod protocol;
mod scene;
mod streaming;
#[path = "../support/mod.rs"]
mod support;

/// The OpenAI endpoint.
const COMPLETIONS: &str = "/v1/chat/completions";

/// Every endpoint that takes a body.
const WITH_BODY: [&str; 3] = ["/v1/chat", "/v1/route", COMPLETIONS];
