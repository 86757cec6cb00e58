//! How models are to reason, and what they have reasoned before.
//!
//! `reasoning`, `include_reasoning` and `reasoning_details` in chat completions are from OpenRouter's reference,
//! `reasoning_content` from DeepSeek's.

use super::super::case::{ABSENT, Asked, Case, Held, NOWHERE};
use super::super::models::Models::{Current, Earlier, Routed};
use crate::dialects::neutral::Feature;

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::ReasoningEffort,
        says: "",
        models: Current,
        asked: HIGH,
        mark: r#""high""#,
        held: Held {
            chat: &[("/reasoning_effort", r#""high""#)],
            responses: &[("/reasoning/effort", r#""high""#)],
            messages: &[
                ("/thinking", r#"{"type": "adaptive"}"#),
                ("/output_config/effort", r#""high""#),
            ],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"thinkingLevel": "HIGH"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningEffort,
        says: "",
        models: Earlier,
        asked: HIGH,
        mark: r#""high""#,
        held: Held {
            // Half of the model's output tokens at most.
            messages: &[("/thinking", r#"{"type": "enabled", "budget_tokens": 16000}"#)],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"thinkingBudget": 16384}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningEffort,
        says: "`xhigh`",
        models: Current,
        asked: EXTRA_HIGH,
        mark: r#""xhigh""#,
        held: Held {
            chat: &[("/reasoning_effort", r#""xhigh""#)],
            responses: &[("/reasoning/effort", r#""xhigh""#)],
            messages: &[
                ("/thinking", r#"{"type": "adaptive"}"#),
                ("/output_config/effort", r#""xhigh""#),
            ],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningEffort,
        says: "`max`",
        models: Current,
        asked: MAX,
        mark: r#""max""#,
        held: Held {
            chat: &[("/reasoning_effort", r#""max""#)],
            responses: &[("/reasoning/effort", r#""max""#)],
            messages: &[
                ("/thinking", r#"{"type": "adaptive"}"#),
                ("/output_config/effort", r#""max""#),
            ],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningOff,
        says: "",
        models: Current,
        asked: OFF,
        mark: r#""none"|"disabled""#,
        held: Held {
            chat: &[("/reasoning_effort", r#""none""#)],
            responses: &[("/reasoning/effort", r#""none""#)],
            // What stands for it with this model.
            messages: &[("/thinking", r#"{"type": "between_tools"}"#)],
            ollama: &[("/think", "false")],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningOff,
        says: "",
        models: Earlier,
        asked: OFF,
        mark: r#""none"|"disabled""#,
        held: Held {
            // These models do not reason.
            chat: &[("/reasoning_effort", ABSENT)],
            responses: &[("/reasoning", ABSENT)],
            messages: &[("/thinking", r#"{"type": "disabled"}"#)],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"thinkingBudget": 0}"#)],
            ollama: &[("/think", "false")],
        },
    },
    Case {
        feature: Feature::ReasoningBudget,
        says: "",
        models: Current,
        asked: BUDGET,
        mark: "5000",
        held: Held {
            // The least effort that allows as much.
            chat: &[("/reasoning_effort", r#""medium""#)],
            responses: &[("/reasoning/effort", r#""medium""#)],
            messages: &[
                ("/thinking", r#"{"type": "adaptive"}"#),
                ("/output_config/effort", r#""medium""#),
            ],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"thinkingLevel": "MEDIUM"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningBudget,
        says: "",
        models: Earlier,
        asked: BUDGET,
        mark: "5000",
        held: Held {
            messages: &[("/thinking", r#"{"type": "enabled", "budget_tokens": 5000}"#)],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"thinkingBudget": 5000}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningVisible,
        says: "shown",
        models: Current,
        asked: Asked {
            chat: Some(r#""include_reasoning": true"#),
            responses: Some(r#""reasoning": {"summary": "auto"}"#),
            messages: None,
        },
        mark: "include_reasoning|summary",
        held: Held {
            responses: &[("/reasoning", r#"{"summary": "auto"}"#)],
            messages: &[("/thinking", r#"{"type": "adaptive", "display": "summarized"}"#)],
            gemini: &[("/generationConfig/thinkingConfig", r#"{"includeThoughts": true}"#)],
            // It always is.
            ollama: &[("/think", ABSENT)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningVisible,
        says: "shown",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(r#""thinking": {"type": "adaptive", "display": "summarized"}"#),
        },
        mark: "display",
        held: Held {
            responses: &[("/reasoning", r#"{"effort": "high", "summary": "auto"}"#)],
            gemini: &[(
                "/generationConfig/thinkingConfig",
                r#"{"thinkingLevel": "HIGH", "includeThoughts": true}"#,
            )],
            ollama: &[("/think", "true")],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningVisible,
        says: "hidden",
        models: Current,
        asked: Asked {
            chat: Some(r#""include_reasoning": false, "reasoning_effort": "high""#),
            responses: None,
            messages: Some(r#""thinking": {"type": "adaptive", "display": "omitted"}"#),
        },
        mark: "include_reasoning|display",
        held: Held {
            // No summary is given unless one is asked for.
            responses: &[("/reasoning", r#"{"effort": "high"}"#)],
            messages: &[("/thinking", r#"{"type": "adaptive", "display": "omitted"}"#)],
            gemini: &[(
                "/generationConfig/thinkingConfig",
                r#"{"thinkingLevel": "HIGH", "includeThoughts": false}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningText,
        says: "",
        models: Current,
        asked: THOUGHT,
        mark: "So it is",
        held: Held {
            gemini: &[("/contents/1/parts/0", r#"{"text": "So it is", "thought": true}"#)],
            ollama: &[("/messages/1/thinking", r#""So it is""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ReasoningText,
        says: "",
        models: Routed,
        asked: THOUGHT,
        mark: "So it is",
        held: Held {
            chat: &[("/messages/1/reasoning", r#""So it is""#)],
            gemini: &[("/contents/1/parts/0/thought", "true")],
            ollama: &[("/messages/1/thinking", r#""So it is""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Opaque,
        says: "of the model itself",
        models: Routed,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello.",
                     "reasoning_details": [{"type": "reasoning.text", "text": "So", "signature": "OWN_STATE"}]},
                    {"role": "user", "content": "Why?"}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": "hi"}, {"type": "reasoning", "id": "rs_1",
                     "summary": [{"type": "summary_text", "text": "So"}], "encrypted_content": "OWN_STATE"},
                    {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Why?"}]"#,
            ),
            messages: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [
                     {"type": "thinking", "thinking": "So", "signature": "OWN_STATE"}, {"type": "text", "text": "Hello."}]},
                    {"role": "user", "content": "Why?"}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/1/reasoning_details",
                r#"[{"type": "reasoning.text", "text": "So", "signature": "c2VhbGVk", "format": "unknown", "index": 0}]"#,
            )],
            responses: &[(
                "/input/1",
                r#"{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "So"}],
                    "encrypted_content": "c2VhbGVk"}"#,
            )],
            messages: &[(
                "/messages/1/content/0",
                r#"{"type": "thinking", "thinking": "So", "signature": "c2VhbGVk"}"#,
            )],
            gemini: &[(
                "/contents/1/parts",
                r#"[{"text": "So", "thought": true}, {"text": "Hello.", "thoughtSignature": "c2VhbGVk"}]"#,
            )],
            ollama: &[],
        },
    },
    Case {
        feature: Feature::Opaque,
        says: "of another model",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello.",
                     "reasoning_details": [{"type": "reasoning.text", "text": "So",
                                            "signature": "gw1.s.0000000000000007.c2VhbGVk"}]},
                    {"role": "user", "content": "Why?"}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": "hi"}, {"type": "reasoning", "id": "rs_1",
                     "summary": [{"type": "summary_text", "text": "So"}],
                     "encrypted_content": "gw1.s.0000000000000007.c2VhbGVk"},
                    {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Why?"}]"#,
            ),
            messages: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [
                     {"type": "thinking", "thinking": "So", "signature": "gw1.t.0000000000000007.c2VhbGVk"},
                     {"type": "text", "text": "Hello."}]},
                    {"role": "user", "content": "Why?"}]"#,
            ),
        },
        mark: "c2VhbGVk",
        held: NOWHERE,
    },
];

const HIGH: Asked = Asked {
    chat: Some(r#""reasoning_effort": "high""#),
    responses: Some(r#""reasoning": {"effort": "high"}"#),
    messages: Some(r#""output_config": {"effort": "high"}"#),
};

const EXTRA_HIGH: Asked = Asked {
    chat: Some(r#""reasoning_effort": "xhigh""#),
    responses: Some(r#""reasoning": {"effort": "xhigh"}"#),
    messages: Some(r#""output_config": {"effort": "xhigh"}"#),
};

const MAX: Asked = Asked {
    chat: Some(r#""reasoning_effort": "max""#),
    responses: Some(r#""reasoning": {"effort": "max"}"#),
    messages: Some(r#""output_config": {"effort": "max"}"#),
};

const OFF: Asked = Asked {
    chat: Some(r#""reasoning_effort": "none""#),
    responses: Some(r#""reasoning": {"effort": "none"}"#),
    messages: Some(r#""thinking": {"type": "disabled"}"#),
};

const BUDGET: Asked = Asked {
    chat: Some(r#""reasoning": {"max_tokens": 5000}"#),
    responses: None,
    messages: Some(r#""max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 5000}"#),
};

/// Reasoning that nobody signed.
const THOUGHT: Asked = Asked {
    chat: Some(
        r#""messages": [{"role": "user", "content": "hi"},
                        {"role": "assistant", "content": "Hello.", "reasoning_content": "So it is"},
                        {"role": "user", "content": "Why?"}]"#,
    ),
    responses: Some(
        r#""input": [{"role": "user", "content": "hi"},
                     {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "So it is"}]},
                     {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Why?"}]"#,
    ),
    messages: Some(
        r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [
                            {"type": "thinking", "thinking": "So it is", "signature": ""},
                            {"type": "text", "text": "Hello."}]},
                        {"role": "user", "content": "Why?"}]"#,
    ),
};
