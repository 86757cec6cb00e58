//! The store through its ports: one suite for both databases, and what only one of them has.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod database;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod servers;
#[cfg(test)]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the tests of the HTTP API, which use all of it"
)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod transfer;

#[cfg(test)]
use gateway_actors::testkit::samples;
