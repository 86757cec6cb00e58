//! The store through its ports: one suite for both databases, and what only one of them has.

#![cfg(test)]

mod books;
mod calls;
mod connecting;
mod conversations;
mod database;
mod events;
mod foreign;
mod keys;
mod ledger;
mod reports;
mod responses;
mod schema;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod transfer;

use gateway_actors::testkit::samples;
