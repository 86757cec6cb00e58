//! Money: providers that keep their own bill, budgets that cannot be overspent, and books that balance, whatever happens
//! to clients, providers, processes and databases in between.
//!
//! It is section E of the fault matrix, and the rows of sections J and K that are about money. Every test ends with
//! the books: see `books`.

#![cfg(test)]

mod alerts;
mod bill;
mod books;
mod budgets;
mod clients;
mod clocks;
mod crash;
mod cross_check;
mod deadlocks;
mod kills;
mod observer;
mod outage;
mod panics;
mod refused;
mod replicas;
mod scene;
mod scopes;
mod statements;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod till;
mod usage;
#[path = "../api/webhook.rs"]
mod webhook;
mod windows;

/// The OpenAI endpoint, which most tests ask.
const COMPLETIONS: &str = "/v1/chat/completions";
