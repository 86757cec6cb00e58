//! Tools and schemas: what a provider puts into the prompt for them, and which of them it would run itself.

use gateway_actors::protocol::GatewayError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Form;
use super::content::{Found, OTHER_LETTERS};
use super::reading::Reading;
use super::refusal::{refuse, shown};
use super::text::punctuation;
use crate::dialects::neutral::Feature;
use crate::dialects::object::{List, Text, object};
use crate::dialects::place::At;
use crate::dialects::respelled::is_respelled;

/// Tokens added once where there are tools. Anthropic documents its system prompt for them by model and choice (guide "Tool
/// use", "Pricing", as of July 2026): from 159 (Claude 3 Sonnet, `auto`) to 804 (Claude Opus 4.7, `any` and `tool`). Open
/// models have it in their chat templates, up to about 300.
const TOKENS_FOR_TOOLS: u64 = 1_536;

/// Tokens added for each tool: OpenAI's frame around a function has at most 22 (cookbook "How to count tokens with
/// tiktoken", on tool calls).
const TOKENS_PER_TOOL: u64 = 32;

/// Tokens of a tool of Anthropic's that the client runs: 244 or, from Claude Opus 4.7 on, 325 for `bash`, and 700 for
/// `text_editor` (page "Pricing", "Bash tool" and "Text editor tool", as of July 2026; what another tokenizer makes of the
/// latter is 930).
const TOKENS_PER_KNOWN_TOOL: u64 = 1_000;

/// Tokens added where the answer has a form: instructions to keep to it.
const TOKENS_FOR_SCHEMA: u64 = 512;

/// Tokens for each sign of punctuation in a schema, beside itself.
const TOKENS_PER_SIGN: u64 = 2;

/// What tools and schemas add to a prompt beyond their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToolTokens {
    pub(super) tokens: u64,
    has_tools: bool,
}

impl ToolTokens {
    fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// JSON that a provider may write in a form of its own.
    pub(super) fn add_json(&mut self, json: &str) {
        self.add(punctuation(json).saturating_mul(TOKENS_PER_SIGN));
    }

    /// One tool.
    fn add_tool(&mut self, tokens: u64) {
        if !self.has_tools {
            self.has_tools = true;
            self.add(TOKENS_FOR_TOOLS);
        }
        self.add(tokens);
    }

    /// Calls of tools in the conversation, whose arguments a provider may write anew.
    pub(super) fn add_call(&mut self, json: &str) {
        self.add_tool(TOKENS_PER_TOOL);
        self.add_json(json);
    }
}

object! {
    /// As much of a tool as its price depends on. A member that is given twice is an error.
    Tool {
        kind = "type": Text<'a>,
        execution = "execution": Text<'a>,
        tools = "tools": List<Tool<'a>>,
    }
}

impl Tool<'_> {
    fn kind(&self) -> Option<&str> {
        self.kind.as_ref().map(|Text(kind)| &**kind)
    }

    fn execution(&self) -> Option<&str> {
        self.execution.as_ref().map(|Text(execution)| &**execution)
    }
}

/// As much of a tool set of Gemini's: nothing but functions may be in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ToolSet {
    function_declarations: Vec<IgnoredAny>,
}

/// A form of the answer, or another JSON schema.
pub(super) fn read_schema(found: &mut Found, value: &RawValue) {
    found.tools.add(TOKENS_FOR_SCHEMA);
    found.tools.add_json(value.get());
}

/// Reads an array of tools.
pub(super) fn read_tools(reading: &mut Reading<'_>, value: &RawValue, at: &At<'_>) -> Result<(), GatewayError> {
    reading.found.tools.add_json(value.get());
    if reading.form == Form::Gemini {
        let sets: Vec<ToolSet> = serde_json::from_str(value.get()).map_err(|_error| hosted(reading, at, None))?;
        for _function in sets.iter().flat_map(|set| &set.function_declarations) {
            reading.found.tools.add_tool(TOKENS_PER_TOOL);
        }
        return Ok(());
    }
    let tools: Vec<Tool<'_>> = serde_json::from_str(value.get())
        .map_err(|_error| at.wrong("must be an array of tools, of which none has a member twice"))?;
    each(reading, &tools, at)
}

fn each(reading: &mut Reading<'_>, tools: &[Tool<'_>], at: &At<'_>) -> Result<(), GatewayError> {
    for (place, tool) in tools.iter().enumerate() {
        let at = at.item(place);
        let Some(tokens) = own_tool(reading.form, tool) else {
            return Err(hosted(reading, &at, tool.kind()));
        };
        if tool
            .others
            .iter()
            .any(|name| is_respelled(name, &["type", "execution", "tools"]))
        {
            return Err(at.wrong(OTHER_LETTERS));
        }
        reading.found.tools.add_tool(tokens);
        if let Some(List(inner)) = &tool.tools {
            each(reading, inner, &at.member("tools"))?;
        }
    }
    Ok(())
}

/// Tokens of a tool that the client runs; nothing for any other, whose use is billed in ways that nobody here can count.
fn own_tool(form: Form, tool: &Tool<'_>) -> Option<u64> {
    let kind = tool.kind().unwrap_or("function");
    let is_own = match form {
        Form::Messages if is_dated(kind, "bash_") || is_dated(kind, "text_editor_") => {
            return Some(TOKENS_PER_KNOWN_TOOL);
        }
        Form::Messages => tool.kind.is_none() || kind == "custom",
        Form::Responses if kind == "tool_search" => tool.execution() == Some("client"),
        Form::Responses => matches!(kind, "function" | "custom" | "namespace"),
        Form::Chat => matches!(kind, "function" | "custom"),
        _ => kind == "function",
    };
    is_own.then_some(TOKENS_PER_TOOL)
}

/// Whether a kind of tool is this one, of some date: `bash_code_execution_…` is no `bash_…`.
fn is_dated(kind: &str, name: &str) -> bool {
    let date = kind.strip_prefix(name);
    date.is_some_and(|date| !date.is_empty() && date.bytes().all(|digit| digit.is_ascii_digit()))
}

fn hosted(reading: &Reading<'_>, at: &At<'_>, kind: Option<&str>) -> GatewayError {
    let what = match kind.and_then(shown) {
        Some(kind) => format!("what the provider's own tool `{kind}` costs is not known before"),
        None => "what a provider's own tool costs is not known before".to_owned(),
    };
    let instead = "offer only tools that the client runs";
    refuse(reading.names, at, Feature::HostedTools, &what, instead)
}
