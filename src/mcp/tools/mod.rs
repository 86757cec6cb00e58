//! The tools, one file each; `given` is what they are called with.

mod code_agent;
mod gateway_status;
mod given;

use rmcp::model::{CallToolResponse, Tool};

pub(super) use self::given::Given;
use super::error::ToolFailure;
use super::shared::Shared;

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    CodeAgent,
    GatewayStatus,
}

const ALL: [Named; 2] = [Named::CodeAgent, Named::GatewayStatus];

impl Named {
    /// Its name in the protocol.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CodeAgent => code_agent::NAME,
            Self::GatewayStatus => gateway_status::NAME,
        }
    }

    /// Whether a call of it counts as a request in the statistics, which calls that ask for them do not.
    pub(super) fn counts(self) -> bool {
        self == Self::CodeAgent
    }
}

/// Every tool, as clients are told of it.
pub(super) fn list() -> Vec<Tool> {
    let description = |tool| match tool {
        Named::CodeAgent => code_agent::description(),
        Named::GatewayStatus => gateway_status::description(),
    };
    ALL.into_iter().map(description).collect()
}

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<Named> {
    ALL.into_iter().find(|tool| tool.name() == name)
}

/// Calls a tool.
pub(super) async fn call(tool: Named, shared: &Shared, given: Given<'_>) -> Result<CallToolResponse, ToolFailure> {
    match tool {
        Named::CodeAgent => Box::pin(code_agent::call(shared, given)).await,
        Named::GatewayStatus => gateway_status::call(shared, given).await.map(CallToolResponse::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_found_by_the_name_that_it_is_listed_under() {
        let listed = list();
        assert_eq!(listed.len(), ALL.len());
        for (tool, listed) in ALL.into_iter().zip(&listed) {
            assert_eq!(listed.name, tool.name());
            assert_eq!(find(&listed.name), Some(tool));
            assert!(listed.input_schema.contains_key("properties"));
            assert!(listed.output_schema.as_ref().unwrap().contains_key("properties"));
        }
        assert_eq!(find("fs_read"), None);
    }

    #[test]
    fn no_description_holds_a_character_that_people_cannot_see() {
        let text = serde_json::to_string(&list()).unwrap();
        let odd: Vec<char> = text.chars().filter(|c| !(' '..='~').contains(c)).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}
