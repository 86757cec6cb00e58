//! Items of which another dialect has nothing alike.

use crate::dialects::neutral::Feature;

/// What is refused with an item of this kind.
pub(super) fn foreign(kind: &str) -> Feature {
    match kind {
        "item_reference" | "compaction" | "compaction_trigger" | "context_compaction" => Feature::ProviderState,
        _ if is_hosted(kind) => Feature::HostedTools,
        _ => Feature::OtherContent,
    }
}

/// Whether items of this kind are of tools that a provider runs. Those of a shell, a patch or a computer are not: the client
/// runs them.
fn is_hosted(kind: &str) -> bool {
    let calls = ["file_search", "image_generation", "code_interpreter"];
    kind.starts_with("mcp_")
        || kind.starts_with("program")
        || calls
            .iter()
            .filter_map(|tool| kind.strip_prefix(tool))
            .any(|rest| matches!(rest, "_call" | "_call_output"))
}
