//! What the tests of the dialect share.

use std::rc::Rc;

use gateway_actors::protocol::{
    Capabilities, Capability, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor,
};

use super::echo::echo;
use crate::dialects::neutral::{AnswerContext, Losses, ToolNames};

/// A model of a provider of this dialect, which reasons.
pub(super) fn model(api_model: &str) -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: api_model.into(),
        dialect: Dialect::OpenaiResponses,
        layer: Layer::L0,
        capabilities: Capabilities::NONE.with(Capability::Reasoning),
        context_window: 100_000,
        max_output_tokens: 4_000,
        price: None,
        media: MediaTokens::default(),
    }
}

/// Nothing lost yet between a client of the dialect and Anthropic's.
pub(super) fn losses() -> Losses {
    Losses::new(Dialect::OpenaiResponses, Dialect::AnthropicMessages)
}

/// What is kept of a request that offers these tools, with a known id.
pub(super) fn context(tools: ToolNames) -> Rc<AnswerContext> {
    Rc::new(AnswerContext {
        id: "0123".to_owned(),
        tools,
        echo: Some(echo(r#"{"instructions":"be brief","tools":[],"store":false}"#, None)),
        ..AnswerContext::new(&model("small"), 1_700_000_000)
    })
}

/// A body as Codex 0.171.0 sends it, with a turn behind it: its own tools, an MCP server's in a namespace, a search for
/// tools, a custom tool, and opaque reasoning.
pub(super) const CODEX: &str = r#"{"model":"gpt-5.5","stream":true,"tool_choice":"auto","parallel_tool_calls":true,
    "reasoning":{"effort":"medium","summary":"auto"},"store":false,"include":["reasoning.encrypted_content"],
    "prompt_cache_key":"01a2244b","text":{"verbosity":"low"},"client_metadata":{"thread_id":"01a2244b"},
    "input":[
     {"type":"message","id":"msg_1","role":"developer","content":[{"type":"input_text","text":"You are Codex."}]},
     {"type":"message","id":"msg_2","role":"user","content":[{"type":"input_text","text":"<environment_context>"}]},
     {"type":"message","id":"msg_3","role":"user","content":[{"type":"input_text","text":"hi"}]},
     {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"thinking"}],"content":null,
      "encrypted_content":"gAAA="},
     {"type":"message","id":"msg_4","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}],
      "phase":"commentary"},
     {"type":"function_call","id":"fc_1","name":"write","namespace":"mcp__files","arguments":"{}","call_id":"call_1"},
     {"type":"custom_tool_call","id":"ctc_2","call_id":"call_3","name":"apply_patch","input":"*** Begin Patch\n+hi"},
     {"type":"tool_search_call","id":"tsc_1","call_id":"call_4","status":"completed","execution":"client",
      "arguments":{"query":"write file","limit":3}},
     {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}},
     {"type":"function_call_output","id":"fco_1","call_id":"call_1","output":[
      {"type":"input_text","text":"Wall time: 0.0130 seconds"},{"type":"input_text","text":"done"}]},
     {"type":"custom_tool_call_output","id":"ctco_1","call_id":"call_3","output":"Exit code: 0"},
     {"type":"tool_search_output","id":"tso_1","call_id":"call_4","status":"completed","execution":"client","tools":[
      {"type":"namespace","name":"mcp__files","description":"Tools in the mcp__files namespace.","tools":[
       {"type":"function","name":"write","description":"Writes.","strict":false,"defer_loading":true,
        "parameters":{"type":"object","properties":{}}},
       {"type":"function","name":"read_all","description":"Reads.","strict":false,"defer_loading":true,
        "parameters":{"type":"object","properties":{"path":{"type":"string"}}}}]}]}],
    "tools":[
     {"type":"function","name":"exec_command","description":"Runs.","strict":false,
      "parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"],"additionalProperties":false}},
     {"type":"custom","name":"apply_patch","description":"Edits.",
      "format":{"type":"grammar","syntax":"lark","definition":"start: hunk+"}},
     {"type":"tool_search","execution":"client","description":"Finds tools.","parameters":{"type":"object"}},
     {"type":"web_search","external_web_access":false}]}"#;
