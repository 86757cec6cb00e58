//! Which of the tools are to be called.

use super::super::case::{ABSENT, Asked, Case, Held, NOWHERE};
use super::super::models::Models::{Current, Earlier};
use crate::dialects::neutral::Feature;

/// Two tools in chat completions, and more members.
macro_rules! chat {
    ($($more:literal)*) => {
        concat!(
            r#""tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
                         {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}]"#
            $(, ", ", $more)*
        )
    };
}

/// The same in Responses.
macro_rules! responses {
    ($($more:literal)*) => {
        concat!(
            r#""tools": [{"type": "function", "name": "weather", "strict": false, "parameters": {"type": "object"}},
                         {"type": "function", "name": "clock", "strict": false, "parameters": {"type": "object"}}]"#
            $(, ", ", $more)*
        )
    };
}

/// The same in Messages.
macro_rules! messages {
    ($($more:literal)*) => {
        concat!(
            r#""tools": [{"name": "weather", "input_schema": {"type": "object"}},
                         {"name": "clock", "input_schema": {"type": "object"}}]"#
            $(, ", ", $more)*
        )
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::ToolChoiceAuto,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(chat!(r#""tool_choice": "auto""#)),
            responses: Some(responses!(r#""tool_choice": "auto""#)),
            messages: Some(messages!(r#""tool_choice": {"type": "auto"}"#)),
        },
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#""auto""#)],
            responses: &[("/tool_choice", r#""auto""#)],
            messages: &[("/tool_choice", r#"{"type": "auto"}"#)],
            gemini: &[("/toolConfig/functionCallingConfig", r#"{"mode": "AUTO"}"#)],
            // Models there may call what they are offered.
            ollama: &[("/tools/1/function/name", r#""clock""#), ("/tool_choice", ABSENT)],
        },
    },
    Case {
        feature: Feature::ToolChoiceNone,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(chat!(r#""tool_choice": "none""#)),
            responses: Some(responses!(r#""tool_choice": "none""#)),
            messages: Some(messages!(r#""tool_choice": {"type": "none"}"#)),
        },
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#""none""#)],
            responses: &[("/tool_choice", r#""none""#)],
            messages: &[("/tool_choice", r#"{"type": "none"}"#)],
            gemini: &[("/toolConfig/functionCallingConfig", r#"{"mode": "NONE"}"#)],
            // What is not offered is not called.
            ollama: &[("/tools", ABSENT)],
        },
    },
    Case {
        feature: Feature::ToolChoiceRequired,
        says: "",
        models: Current,
        asked: FORCED,
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#""required""#)],
            responses: &[("/tool_choice", r#""required""#)],
            gemini: &[("/toolConfig/functionCallingConfig", r#"{"mode": "ANY"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ToolChoiceRequired,
        says: "",
        models: Earlier,
        asked: FORCED,
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#""required""#)],
            responses: &[("/tool_choice", r#""required""#)],
            messages: &[("/tool_choice", r#"{"type": "any"}"#)],
            gemini: &[("/toolConfig/functionCallingConfig", r#"{"mode": "ANY"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ToolChoiceNamed,
        says: "",
        models: Current,
        asked: NAMED,
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#"{"type": "function", "function": {"name": "clock"}}"#)],
            responses: &[("/tool_choice", r#"{"type": "function", "name": "clock"}"#)],
            gemini: &[(
                "/toolConfig/functionCallingConfig",
                r#"{"mode": "ANY", "allowedFunctionNames": ["clock"]}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ToolChoiceNamed,
        says: "",
        models: Earlier,
        asked: NAMED,
        mark: "",
        held: Held {
            chat: &[("/tool_choice", r#"{"type": "function", "function": {"name": "clock"}}"#)],
            responses: &[("/tool_choice", r#"{"type": "function", "name": "clock"}"#)],
            messages: &[("/tool_choice", r#"{"type": "tool", "name": "clock"}"#)],
            gemini: &[(
                "/toolConfig/functionCallingConfig",
                r#"{"mode": "ANY", "allowedFunctionNames": ["clock"]}"#,
            )],
            ..NOWHERE
        },
    },
    // The others are not offered then.
    Case {
        feature: Feature::ToolChoiceSome,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(chat!(
                r#""tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "clock"}}]}}"#
            )),
            responses: Some(responses!(
                r#""tool_choice": {"type": "allowed_tools", "mode": "auto",
                    "tools": [{"type": "function", "name": "clock"}]}"#
            )),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[
                ("/tools/0/function/name", r#""clock""#),
                ("/tools/1", ABSENT),
                ("/tool_choice", r#""auto""#),
            ],
            responses: &[
                ("/tools/0/name", r#""clock""#),
                ("/tools/1", ABSENT),
                ("/tool_choice", r#""auto""#),
            ],
            messages: &[
                ("/tools/0/name", r#""clock""#),
                ("/tools/1", ABSENT),
                ("/tool_choice", r#"{"type": "auto"}"#),
            ],
            gemini: &[
                ("/tools/0/functionDeclarations/0/name", r#""clock""#),
                ("/tools/0/functionDeclarations/1", ABSENT),
                ("/toolConfig/functionCallingConfig", r#"{"mode": "AUTO"}"#),
            ],
            ollama: &[("/tools/0/function/name", r#""clock""#), ("/tools/1", ABSENT)],
        },
    },
    Case {
        feature: Feature::ParallelToolCalls,
        says: "on",
        models: Current,
        asked: Asked {
            chat: Some(chat!(r#""parallel_tool_calls": true"#)),
            responses: Some(responses!(r#""parallel_tool_calls": true"#)),
            messages: Some(messages!(
                r#""tool_choice": {"type": "auto", "disable_parallel_tool_use": false}"#
            )),
        },
        mark: "",
        held: Held {
            chat: &[("/parallel_tool_calls", "true")],
            responses: &[("/parallel_tool_calls", "true")],
            // It is what these do unless they are told otherwise.
            messages: &[
                ("/tools/1/name", r#""clock""#),
                ("/tool_choice/disable_parallel_tool_use", ABSENT),
            ],
            gemini: &[("/tools/0/functionDeclarations/1/name", r#""clock""#)],
            ollama: &[("/tools/1/function/name", r#""clock""#)],
        },
    },
    Case {
        feature: Feature::ParallelToolCalls,
        says: "off",
        models: Current,
        asked: Asked {
            chat: Some(chat!(r#""parallel_tool_calls": false"#)),
            responses: Some(responses!(r#""parallel_tool_calls": false"#)),
            messages: Some(messages!(
                r#""tool_choice": {"type": "auto", "disable_parallel_tool_use": true}"#
            )),
        },
        mark: "parallel",
        held: Held {
            chat: &[("/parallel_tool_calls", "false")],
            responses: &[("/parallel_tool_calls", "false")],
            messages: &[("/tool_choice/disable_parallel_tool_use", "true")],
            ..NOWHERE
        },
    },
];

const FORCED: Asked = Asked {
    chat: Some(chat!(r#""tool_choice": "required""#)),
    responses: Some(responses!(r#""tool_choice": "required""#)),
    messages: Some(messages!(r#""tool_choice": {"type": "any"}"#)),
};

const NAMED: Asked = Asked {
    chat: Some(chat!(
        r#""tool_choice": {"type": "function", "function": {"name": "clock"}}"#
    )),
    responses: Some(responses!(r#""tool_choice": {"type": "function", "name": "clock"}"#)),
    messages: Some(messages!(r#""tool_choice": {"type": "tool", "name": "clock"}"#)),
};
