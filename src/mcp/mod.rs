//! The MCP edge: tools for the programs that people work in, over stdin and stdout.
//!
//! `transport` reads and writes the lines; `server` is what the protocol's requests reach; every tool is one file in
//! `tools` and works with what is in `shared`; `desk` is the way from there to the pipeline of the edge's own cell, which
//! lives on another thread. `error` holds the only table of JSON-RPC codes.

mod desk;
mod error;
mod progress;
mod server;
mod shared;
mod slots;
mod status;
mod tools;
mod transport;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;

pub(crate) use desk::{Desk, Orders};
pub(crate) use server::GatewayServer;
pub(crate) use status::StatusParts;
pub(crate) use transport::{Pipes, StdioTransport};

/// Serves one client until its input ends, its output is closed, or the transport is told to stop. Calls under way have
/// ended by then.
pub(crate) async fn serve(server: GatewayServer, transport: StdioTransport) {
    let (begun, written) = (transport.beginning(), transport.written());
    match server.serve(transport).await {
        Ok(running) => {
            begun.has_begun();
            match running.waiting().await {
                Ok(reason) => tracing::debug!(?reason, "the session is over"),
                Err(error) => tracing::error!(%error, "the session's task failed"),
            }
        }
        Err(ServerInitializeError::ConnectionClosed(_)) => tracing::debug!("the client left without a session"),
        Err(error) => tracing::warn!(%error, "no session came about"),
    }
    written.wait().await;
}

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod raw_client_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod state_tests;
