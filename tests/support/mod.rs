//! What the black-box tests stand on: a provider that misbehaves on request, the real gateway as a child process, and
//! small clients that read what it answers.
//!
//! Every test has its own provider, gateway, port and data folder, so tests run side by side. Nothing here waits by
//! sleeping for a fixed time: [`wait_for`] polls a condition.

#![expect(
    dead_code,
    unused_imports,
    reason = "every test program has a copy, and none uses all of it"
)]

mod client;
mod clock;
mod gateway;
mod keys;
mod load;
mod pieces;
mod postgres;
mod provider;
mod random;
mod raw;
mod records;
mod redis;
mod refusals;
mod setup;
mod slicing_proxy;
mod sse;
mod wait;

pub(crate) use client::{Client, Reply, chat, streamed_chat};
pub(crate) use clock::Clock;
pub(crate) use gateway::{Gateway, run_to_exit};
pub(crate) use keys::{KeyHolder, make_keys};
pub(crate) use load::in_parallel;
pub(crate) use pieces::PieceWriter;
pub(crate) use postgres::{OpenTransaction, PostgresDatabase, PostgresReader, PostgresServer};
pub(crate) use provider::{Behaviour, Charge, Content, ModelList, Provider, Received, UsageScript};
pub(crate) use random::Draw;
pub(crate) use raw::RawClient;
pub(crate) use records::CallRow;
pub(crate) use redis::{RedisServer, redis_url};
pub(crate) use setup::{Model, Setup};
pub(crate) use slicing_proxy::{Cuts, SlicingProxy};
pub(crate) use sse::{SseEvent, json_lines, sse_events};
pub(crate) use wait::{look_for, look_until, wait_for};
