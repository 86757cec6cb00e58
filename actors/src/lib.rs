//! The actor system of AI MCP Gateway: routing, provider health, holds, conversations, call records and the pipeline
//! that takes a request through them. It knows no HTTP, no database and no provider's wire format: those are ports
//! ([`protocol::Upstream`], [`protocol::ConversationStore`], [`protocol::CallStore`], [`protocol::AttemptJournal`])
//! that the root package implements.

pub mod budget;
pub mod context;
pub mod cost;
pub mod dispatch;
pub mod learning;
pub mod protocol;
pub mod provider;
pub mod router;
pub mod runtime;
pub mod supervisor;
#[cfg(feature = "testkit")]
pub mod testkit;
