//! What a call of a tool came with, and how its arguments are read.

use gateway_actors::protocol::RequestId;
use rmcp::RoleServer;
use rmcp::model::{InputResponses, JsonObject};
use rmcp::service::RequestContext;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::mcp::error::ToolFailure;

/// What a call came with.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    /// By which the call's records are found.
    pub(crate) request: RequestId,
    pub(crate) arguments: JsonObject,
    /// What an earlier answer wanted to be sent back, and what the client answers to what it was asked there.
    pub(crate) state: Option<String>,
    pub(crate) responses: Option<InputResponses>,
    pub(crate) arrived: Instant,
    pub(crate) context: &'a RequestContext<RoleServer>,
}

/// Reads a tool's arguments. What is wrong is told with its place.
pub(super) fn read_arguments<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, ToolFailure> {
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let place = error.path().to_string();
        let problem = error.into_inner();
        let at_the_top = place == ".";
        ToolFailure::invalid_args(if at_the_top {
            problem.to_string()
        } else {
            format!("`{place}`: {problem}")
        })
    })
}
