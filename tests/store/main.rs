//! The store through its ports: one suite for both databases, and what only one of them has.

#![cfg(test)]

mod amend;
mod books;
mod calls;
mod connecting;
mod conversations;
mod database;
mod escalations;
mod events;
mod feedback;
mod foreign;
mod forgetting;
mod keys;
mod ledger;
mod notebook;
mod outcomes;
mod plans;
mod reports;
mod responses;
mod schema;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod todos;
mod transfer;

use gateway_actors::testkit::samples;
