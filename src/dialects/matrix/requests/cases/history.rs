//! Calls of tools in the conversation so far, and what came of them.

use super::super::case::{Asked, Case, Held, NOWHERE};
use super::super::models::Models::{Current, Earlier};
use crate::dialects::neutral::Feature;

/// A conversation in chat completions: the user asks, these calls were made, and this is what came of them.
macro_rules! chat {
    ($calls:literal, $result:literal) => {
        concat!(
            r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": ["#,
            $calls,
            "]}, ",
            $result,
            r#"], "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]"#
        )
    };
}

/// The same in Responses.
macro_rules! responses {
    ($call:literal, $result:literal) => {
        concat!(
            r#""input": [{"role": "user", "content": "hi"}, "#,
            $call,
            ", ",
            $result,
            r#"], "tools": [{"type": "function", "name": "weather", "strict": false, "parameters": {"type": "object"}}]"#
        )
    };
}

/// The same in Messages, of a call of the weather in Paris.
macro_rules! messages {
    ($result:literal) => {
        concat!(
            r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}]},
                {"role": "user", "content": ["#,
            $result,
            r#"]}], "tools": [{"name": "weather", "input_schema": {"type": "object"}}]"#
        )
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::ToolCalls,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(chat!(
                r#"{"id": "call_1", "type": "function",
                    "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}"#,
                r#"{"role": "tool", "tool_call_id": "call_1", "content": "21 C"}"#
            )),
            responses: Some(responses!(
                r#"{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\": \"Paris\"}"}"#,
                r#"{"type": "function_call_output", "call_id": "call_1", "output": "21 C"}"#
            )),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/1/tool_calls",
                r#"[{"id": "call_1", "type": "function",
                     "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}]"#,
            )],
            responses: &[(
                "/input/1",
                r#"{"type": "function_call", "call_id": "call_1", "name": "weather",
                    "arguments": "{\"city\": \"Paris\"}"}"#,
            )],
            messages: &[(
                "/messages/1/content",
                r#"[{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}]"#,
            )],
            // A call that another model made has what stands for a signature.
            gemini: &[(
                "/contents/1/parts",
                r#"[{"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Paris"}},
                     "thoughtSignature": "skip_thought_signature_validator"}]"#,
            )],
            ollama: &[(
                "/messages/1/tool_calls",
                r#"[{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}]"#,
            )],
        },
    },
    Case {
        feature: Feature::ToolCalls,
        says: "",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(messages!(
                r#"{"type": "tool_result", "tool_use_id": "call_1", "content": "21 C"}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/1/tool_calls",
                r#"[{"id": "call_1", "type": "function",
                     "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}]"#,
            )],
            responses: &[(
                "/input/1",
                r#"{"type": "function_call", "call_id": "call_1", "name": "weather",
                    "arguments": "{\"city\": \"Paris\"}"}"#,
            )],
            messages: &[],
            gemini: &[(
                "/contents/1/parts/0/functionCall",
                r#"{"id": "call_1", "name": "weather", "args": {"city": "Paris"}}"#,
            )],
            ollama: &[(
                "/messages/1/tool_calls/0/function",
                r#"{"name": "weather", "arguments": {"city": "Paris"}}"#,
            )],
        },
    },
    Case {
        feature: Feature::ToolCalls,
        says: "arguments that are no JSON",
        models: Current,
        asked: Asked {
            chat: Some(chat!(
                r#"{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": "}}"#,
                r#"{"role": "tool", "tool_call_id": "call_1", "content": "What?"}"#
            )),
            responses: Some(responses!(
                r#"{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\": "}"#,
                r#"{"type": "function_call_output", "call_id": "call_1", "output": "What?"}"#
            )),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[("/messages/1/tool_calls/0/function/arguments", r#""{\"city\": ""#)],
            responses: &[("/input/1/arguments", r#""{\"city\": ""#)],
            messages: &[("/messages/1/content/0/input", r#"{"INVALID_JSON": "{\"city\": "}"#)],
            gemini: &[(
                "/contents/1/parts/0/functionCall/args",
                r#"{"INVALID_JSON": "{\"city\": "}"#,
            )],
            ollama: &[(
                "/messages/1/tool_calls/0/function/arguments",
                r#"{"INVALID_JSON": "{\"city\": "}"#,
            )],
        },
    },
    Case {
        feature: Feature::ToolCalls,
        says: "of a custom tool",
        models: Current,
        asked: Asked {
            chat: Some(chat!(
                r#"{"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "+ a"}}"#,
                r#"{"role": "tool", "tool_call_id": "call_1", "content": "done"}"#
            )),
            responses: Some(responses!(
                r#"{"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "+ a"}"#,
                r#"{"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"}"#
            )),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/1/tool_calls/0",
                r#"{"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "+ a"}}"#,
            )],
            responses: &[
                (
                    "/input/1",
                    r#"{"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "+ a"}"#,
                ),
                (
                    "/input/2",
                    r#"{"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"}"#,
                ),
            ],
            messages: &[("/messages/1/content/0/input", r#"{"input": "+ a"}"#)],
            gemini: &[("/contents/1/parts/0/functionCall/args", r#"{"input": "+ a"}"#)],
            ollama: &[("/messages/1/tool_calls/0/function/arguments", r#"{"input": "+ a"}"#)],
        },
    },
    Case {
        feature: Feature::ToolResults,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(chat!(
                r#"{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}"#,
                r#"{"role": "tool", "tool_call_id": "call_1", "content": "21 C"}"#
            )),
            responses: Some(responses!(
                r#"{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}"#,
                r#"{"type": "function_call_output", "call_id": "call_1", "output": "21 C"}"#
            )),
            messages: Some(messages!(
                r#"{"type": "tool_result", "tool_use_id": "call_1", "content": "21 C"}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/2",
                r#"{"role": "tool", "tool_call_id": "call_1", "content": "21 C"}"#,
            )],
            responses: &[(
                "/input/2",
                r#"{"type": "function_call_output", "call_id": "call_1", "output": "21 C"}"#,
            )],
            messages: &[(
                "/messages/2",
                r#"{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1",
                    "content": [{"type": "text", "text": "21 C"}]}]}"#,
            )],
            gemini: &[(
                "/contents/2",
                r#"{"role": "user", "parts": [{"functionResponse": {"id": "call_1", "name": "weather",
                    "response": {"result": "21 C"}}}]}"#,
            )],
            ollama: &[(
                "/messages/2",
                r#"{"role": "tool", "content": "21 C", "tool_name": "weather", "tool_call_id": "call_1"}"#,
            )],
        },
    },
    Case {
        feature: Feature::ToolResultMedia,
        says: "",
        models: Current,
        asked: IMAGE_RESULT,
        mark: "",
        held: Held {
            // A tool says nothing but text there: the user's next message holds it.
            chat: &[
                ("/messages/2/role", r#""tool""#),
                (
                    "/messages/3",
                    r#"{"role": "user", "content": [
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}"#,
                ),
            ],
            responses: &[(
                "/input/2/output",
                r#"[{"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]"#,
            )],
            messages: &[(
                "/messages/2/content/0/content",
                r#"[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]"#,
            )],
            gemini: &[(
                "/contents/2/parts/0/functionResponse/parts",
                r#"[{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ToolResultMedia,
        says: "",
        models: Earlier,
        asked: IMAGE_RESULT,
        mark: "",
        held: Held {
            chat: &[("/messages/3/content/0/type", r#""image_url""#)],
            responses: &[("/input/2/output/0/type", r#""input_image""#)],
            messages: &[("/messages/2/content/0/content/0/type", r#""image""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ToolResultError,
        says: "",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(messages!(
                r#"{"type": "tool_result", "tool_use_id": "call_1", "content": "no such city", "is_error": true}"#
            )),
        },
        mark: "is_error",
        held: Held {
            gemini: &[(
                "/contents/2/parts/0/functionResponse/response",
                r#"{"error": "no such city"}"#,
            )],
            ..NOWHERE
        },
    },
];

/// What came of a call is an image. In chat completions a tool says nothing but text.
const IMAGE_RESULT: Asked = Asked {
    chat: None,
    responses: Some(responses!(
        r#"{"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}"#,
        r#"{"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]}"#
    )),
    messages: Some(messages!(
        r#"{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]}"#
    )),
};
