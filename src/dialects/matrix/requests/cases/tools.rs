//! Tools that are offered.

use super::super::case::{Asked, Case, Held, NOWHERE};
use super::super::models::Models::Current;
use crate::dialects::neutral::Feature;

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::Tools,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""tools": [{"type": "function", "function": {"name": "weather", "description": "Tells it.",
                              "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]"#,
            ),
            responses: Some(
                r#""tools": [{"type": "function", "name": "weather", "description": "Tells it.", "strict": false,
                              "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]"#,
            ),
            messages: Some(
                r#""tools": [{"name": "weather", "description": "Tells it.",
                              "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[
                ("/tools/0/type", r#""function""#),
                ("/tools/0/function/name", r#""weather""#),
                ("/tools/0/function/description", r#""Tells it.""#),
                (
                    "/tools/0/function/parameters",
                    r#"{"type": "object", "properties": {"city": {"type": "string"}}}"#,
                ),
            ],
            responses: &[(
                "/tools/0",
                r#"{"type": "function", "name": "weather", "description": "Tells it.", "strict": false,
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}"#,
            )],
            messages: &[(
                "/tools/0",
                r#"{"name": "weather", "description": "Tells it.",
                    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}"#,
            )],
            gemini: &[(
                "/tools/0/functionDeclarations/0",
                r#"{"name": "weather", "description": "Tells it.",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}}}"#,
            )],
            ollama: &[(
                "/tools/0",
                r#"{"type": "function", "function": {"name": "weather", "description": "Tells it.",
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}"#,
            )],
        },
    },
    Case {
        feature: Feature::Tools,
        says: "in the older form, `functions`",
        models: Current,
        asked: Asked {
            chat: Some(r#""functions": [{"name": "clock", "parameters": {"type": "object", "properties": {}}}]"#),
            responses: None,
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[],
            responses: &[("/tools/0/name", r#""clock""#)],
            messages: &[("/tools/0/name", r#""clock""#)],
            gemini: &[("/tools/0/functionDeclarations/0/name", r#""clock""#)],
            ollama: &[("/tools/0/function/name", r#""clock""#)],
        },
    },
    Case {
        feature: Feature::Tools,
        says: "in a group",
        models: Current,
        asked: Asked {
            chat: None,
            responses: Some(
                r#""tools": [{"type": "namespace", "name": "mail", "description": "Mail.", "tools": [
                              {"type": "function", "name": "send", "strict": false,
                               "parameters": {"type": "object", "properties": {}}}]}]"#,
            ),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[
                ("/tools/0/function/name", r#""mail__send""#),
                ("/tools/0/function/description", r#""About all tools of mail: Mail.""#),
            ],
            responses: &[],
            messages: &[("/tools/0/name", r#""mail__send""#)],
            gemini: &[("/tools/0/functionDeclarations/0/name", r#""mail__send""#)],
            ollama: &[("/tools/0/function/name", r#""mail__send""#)],
        },
    },
    Case {
        feature: Feature::StrictTools,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""tools": [{"type": "function", "function": {"name": "weather", "strict": true,
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                                   "additionalProperties": false}}}]"#,
            ),
            responses: Some(
                r#""tools": [{"type": "function", "name": "weather", "strict": true,
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                                   "additionalProperties": false}}]"#,
            ),
            messages: Some(
                r#""tools": [{"name": "weather", "strict": true,
                    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                                     "additionalProperties": false}}]"#,
            ),
        },
        mark: r#""strict""#,
        held: Held {
            chat: &[("/tools/0/function/strict", "true")],
            responses: &[("/tools/0/strict", "true")],
            messages: &[("/tools/0/strict", "true")],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::StrictTools,
        says: "with what may be missing",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""tools": [{"type": "function", "function": {"name": "weather", "strict": true,
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]"#,
            ),
            responses: Some(
                r#""tools": [{"type": "function", "name": "weather", "strict": true,
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]"#,
            ),
            messages: Some(
                r#""tools": [{"name": "weather", "strict": true,
                    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]"#,
            ),
        },
        mark: r#""strict": true"#,
        held: Held {
            messages: &[("/tools/0/strict", "true")],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::CustomTools,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""tools": [{"type": "custom", "custom": {"name": "patch", "description": "Edits."}}]"#),
            responses: Some(r#""tools": [{"type": "custom", "name": "patch", "description": "Edits."}]"#),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[(
                "/tools/0",
                r#"{"type": "custom", "custom": {"name": "patch", "description": "Edits."}}"#,
            )],
            responses: &[(
                "/tools/0",
                r#"{"type": "custom", "name": "patch", "description": "Edits."}"#,
            )],
            messages: &[
                ("/tools/0/name", r#""patch""#),
                ("/tools/0/input_schema/properties", r#"{"input": {"type": "string"}}"#),
            ],
            gemini: &[
                ("/tools/0/functionDeclarations/0/name", r#""patch""#),
                (
                    "/tools/0/functionDeclarations/0/parametersJsonSchema/properties",
                    r#"{"input": {"type": "string"}}"#,
                ),
            ],
            ollama: &[
                ("/tools/0/function/name", r#""patch""#),
                (
                    "/tools/0/function/parameters/properties",
                    r#"{"input": {"type": "string"}}"#,
                ),
            ],
        },
    },
    Case {
        feature: Feature::CustomTools,
        says: "their grammar",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""tools": [{"type": "custom", "custom": {"name": "patch", "format": {"type": "grammar",
                              "grammar": {"syntax": "lark", "definition": "start: WORD"}}}}]"#,
            ),
            responses: Some(
                r#""tools": [{"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark",
                              "definition": "start: WORD"}}]"#,
            ),
            messages: None,
        },
        mark: "start: WORD",
        held: Held {
            chat: &[(
                "/tools/0/custom/format",
                r#"{"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}"#,
            )],
            responses: &[(
                "/tools/0/format",
                r#"{"type": "grammar", "syntax": "lark", "definition": "start: WORD"}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::HostedTools,
        says: "a web search",
        models: Current,
        asked: Asked {
            chat: Some(r#""web_search_options": {}"#),
            responses: Some(r#""tools": [{"type": "web_search"}]"#),
            messages: Some(r#""tools": [{"type": "web_search_20250305", "name": "web_search"}]"#),
        },
        mark: "web_search",
        held: NOWHERE,
    },
    Case {
        feature: Feature::HostedTools,
        says: "running code",
        models: Current,
        asked: Asked {
            chat: None,
            responses: Some(r#""tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]"#),
            messages: Some(r#""tools": [{"type": "code_execution_20250825", "name": "code_execution"}]"#),
        },
        mark: "code_",
        held: NOWHERE,
    },
    Case {
        feature: Feature::HostedTools,
        says: "those of an MCP server",
        models: Current,
        asked: Asked {
            chat: None,
            responses: Some(
                r#""tools": [{"type": "mcp", "server_label": "a", "server_url": "https://example.com/mcp"}]"#,
            ),
            messages: Some(r#""mcp_servers": [{"type": "url", "name": "a", "url": "https://example.com/mcp"}]"#),
        },
        mark: "mcp",
        held: NOWHERE,
    },
];
