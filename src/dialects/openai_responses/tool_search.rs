//! A search for tools that the client runs, as Codex has it: `tool_search` with `execution: "client"`.
//!
//! To a model of another dialect it is a function like any other; its calls go back to the client as `tool_search_call`
//! items, and what it found (`tool_search_output`) is read as the call's result and as tools that are offered.

use std::borrow::Cow;

use crate::dialects::neutral::ToolName;

/// The name by which it is known in neutral requests: a group that no client's tool is in.
pub(super) const NAME: ToolName<'static> = ToolName {
    namespace: Some(Cow::Borrowed("tool_search")),
    name: Cow::Borrowed("client"),
};

/// What the model is told that a search found: the names by which it can call the tools, which are all offered to it.
pub(super) fn found(tools: &[ToolName<'_>]) -> String {
    if tools.is_empty() {
        return "No tools were found.".to_owned();
    }
    let names: Vec<_> = tools.iter().map(ToolName::flat).collect();
    format!("These tools were found and can be called: {}", names.join(", "))
}

/// Whether a tool of this name is the search.
pub(super) fn is_meant_by(name: &ToolName<'_>) -> bool {
    *name == NAME
}
