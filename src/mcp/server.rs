//! What the protocol's requests reach: who we are, which tools there are, and a call of one.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::protocol::RequestId;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::watch;
use tokio::time::Instant;

use super::desk::Desk;
use super::error::{Fault, ToolFailure};
use super::shared::Shared;
use super::slots::Slots;
use super::status::{Status, StatusParts};
use super::tools::{self, Given};
use crate::auth::LocalIdentity;
use crate::escalation::Offers;
use crate::limits::Limits;

/// The revisions served here. 2025-03-26 is left out: it alone demands batches. A client that asks for it is offered
/// 2025-11-25.
const REVISIONS: &[ProtocolVersion] = &[
    ProtocolVersion::V_2024_11_05,
    ProtocolVersion::V_2025_06_18,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2026_07_28,
];

const INSTRUCTIONS: &str = "A gateway to many language models. code_agent hands a programming task to the model that \
                            suits it, free models first, and says which model answered and what it cost; \
                            before it spends more than it may, it asks. \
                            gateway_status tells which models and providers work at the moment.";

/// The MCP server of this process.
#[derive(Debug, Clone)]
pub(crate) struct GatewayServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Shared,
    /// True once calls under way must end.
    give_up: watch::Receiver<bool>,
}

impl GatewayServer {
    /// A server over these parts, which acts for `identity` within its `limits`. `patience` is how long a call may take;
    /// `give_up` turns true when those under way must end.
    pub(crate) fn new(
        identity: LocalIdentity,
        limits: Arc<Limits>,
        desk: Desk,
        status: StatusParts,
        offers: Offers,
        patience: Duration,
        give_up: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner {
            shared: Shared {
                identity,
                limits,
                desk,
                slots: Slots::new(),
                status: Status::new(status),
                offers,
                patience,
            },
            give_up,
        }))
    }
}

impl ServerHandler for GatewayServer {
    fn get_info(&self) -> ServerConfig {
        let mut ours = Implementation::new("ai-mcp-gateway", env!("CARGO_PKG_VERSION"));
        ours.title = Some("AI MCP Gateway".to_owned());
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.protocol_version = ProtocolVersion::V_2025_11_25;
        config.server_info = ours;
        config.with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(REVISIONS)
    }

    /// Refused where the session has begun by a request that named its revision: all that came after it would have to do so
    /// too, and who initializes does not.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // rmcp knows the peer of every other session by now.
        let initialized = match context.peer.peer_info() {
            Some(_) => self.negotiate_initialize(&request),
            None => Err(Fault::BegunWithout.into()),
        };
        std::future::ready(initialized).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        // All of it is one page: nobody was given a cursor.
        let listed = match cursor {
            Some(cursor) => Err(Fault::UnknownCursor { cursor }.into()),
            None => Ok(ListToolsResult::with_all_items(tools::list())),
        };
        std::future::ready(listed).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arrived = Instant::now();
        let Some(tool) = tools::find(&request.name) else {
            let name = request.name.into_owned();
            return Err(Fault::UnknownTool { name }.into());
        };
        let request_id = RequestId::generate();
        let given = Given {
            request: request_id,
            arguments: request.arguments.unwrap_or_default(),
            state: request.request_state,
            responses: request.input_responses,
            arrived,
            context: &context,
        };
        let mut give_up = self.0.give_up.clone();
        let result = tokio::select! {
            result = guarded(tools::call(tool, &self.0.shared, given)) => result,
            () = context.ct.cancelled() => Err(ToolFailure::cancelled()),
            _ = give_up.wait_for(|now| *now) => Err(ToolFailure::draining().of(request_id)),
        };
        let took = arrived.elapsed();
        if tool.counts() {
            self.0.shared.status.calls.add(took);
        }
        let outcome = match &result {
            Ok(CallToolResponse::InputRequired(_)) => "asks",
            Ok(_) => "ok",
            Err(failure) => failure.kind(),
        };
        tracing::info!(
            tool = tool.name(),
            outcome,
            duration_ms = took.as_millis(),
            "tool called"
        );
        Ok(result.unwrap_or_else(|failure| failure.into_result().into()))
    }
}

/// Runs a tool so that a panic in it is a failed call and not one that is never answered.
async fn guarded(
    call: impl Future<Output = Result<CallToolResponse, ToolFailure>>,
) -> Result<CallToolResponse, ToolFailure> {
    let result = AssertUnwindSafe(call).catch_unwind().await;
    // The panic itself is logged where it happens.
    result.unwrap_or_else(|_panic| Err(ToolFailure::internal()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_that_panics_has_failed() {
        let failure = guarded(async { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(failure, ToolFailure::internal());
    }
}
