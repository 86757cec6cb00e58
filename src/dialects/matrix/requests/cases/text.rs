//! What is said: by users, models, and those who instruct models.

use super::super::case::{Asked, Case, Held};
use super::super::models::Models::Current;
use crate::dialects::neutral::Feature;

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::Text,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""messages": [{"role": "user", "content": "Hello \"there\""}]"#),
            responses: Some(r#""input": "Hello \"there\"""#),
            messages: Some(r#""messages": [{"role": "user", "content": "Hello \"there\""}]"#),
        },
        mark: "",
        held: Held {
            chat: &[("/messages", r#"[{"role": "user", "content": "Hello \"there\""}]"#)],
            responses: &[(
                "/input",
                r#"[{"type": "message", "role": "user",
                     "content": [{"type": "input_text", "text": "Hello \"there\""}]}]"#,
            )],
            messages: &[(
                "/messages",
                r#"[{"role": "user", "content": [{"type": "text", "text": "Hello \"there\""}]}]"#,
            )],
            gemini: &[(
                "/contents",
                r#"[{"role": "user", "parts": [{"text": "Hello \"there\""}]}]"#,
            )],
            ollama: &[("/messages", r#"[{"role": "user", "content": "Hello \"there\""}]"#)],
        },
    },
    Case {
        feature: Feature::Text,
        says: "in several parts",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": [{"type": "text", "text": "One"},
                                                             {"type": "text", "text": "Two"}]}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": [{"type": "input_text", "text": "One"},
                                                          {"type": "input_text", "text": "Two"}]}]"#,
            ),
            messages: Some(
                r#""messages": [{"role": "user", "content": [{"type": "text", "text": "One"},
                                                             {"type": "text", "text": "Two"}]}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0/content/1", r#"{"type": "text", "text": "Two"}"#)],
            responses: &[("/input/0/content/1", r#"{"type": "input_text", "text": "Two"}"#)],
            messages: &[("/messages/0/content/1", r#"{"type": "text", "text": "Two"}"#)],
            gemini: &[("/contents/0/parts/1", r#"{"text": "Two"}"#)],
            ollama: &[("/messages/0/content", r#""One\nTwo""#)],
        },
    },
    Case {
        feature: Feature::Text,
        says: "what the model said before",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "Four."},
                                {"role": "user", "content": "Sure?"}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": "2+2?"},
                             {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                              "content": [{"type": "output_text", "text": "Four.", "annotations": []}]},
                             {"role": "user", "content": "Sure?"}]"#,
            ),
            messages: Some(
                r#""messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "Four."},
                                {"role": "user", "content": "Sure?"}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/1", r#"{"role": "assistant", "content": "Four."}"#)],
            responses: &[(
                "/input/1",
                r#"{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four."}]}"#,
            )],
            messages: &[(
                "/messages/1",
                r#"{"role": "assistant", "content": [{"type": "text", "text": "Four."}]}"#,
            )],
            gemini: &[("/contents/1", r#"{"role": "model", "parts": [{"text": "Four."}]}"#)],
            ollama: &[("/messages/1", r#"{"role": "assistant", "content": "Four."}"#)],
        },
    },
    Case {
        feature: Feature::Text,
        says: "a refusal of the model's before",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "refusal": "I will not."},
                                {"role": "user", "content": "Why?"}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": "hi"},
                             {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                              "content": [{"type": "refusal", "refusal": "I will not."}]},
                             {"role": "user", "content": "Why?"}]"#,
            ),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[(
                "/messages/1",
                r#"{"role": "assistant", "content": null, "refusal": "I will not."}"#,
            )],
            responses: &[("/input/1/content/0", r#"{"type": "refusal", "refusal": "I will not."}"#)],
            messages: &[("/messages/1/content/0/text", r#""I will not.""#)],
            gemini: &[("/contents/1/parts/0/text", r#""I will not.""#)],
            ollama: &[("/messages/1/content", r#""I will not.""#)],
        },
    },
    Case {
        feature: Feature::System,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]"#,
            ),
            responses: Some(r#""instructions": "Be brief.""#),
            messages: Some(r#""system": "Be brief.""#),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0", r#"{"role": "system", "content": "Be brief."}"#)],
            responses: &[("/instructions", r#""Be brief.""#)],
            messages: &[("/system", r#"[{"type": "text", "text": "Be brief."}]"#)],
            gemini: &[("/systemInstruction", r#"{"parts": [{"text": "Be brief."}]}"#)],
            ollama: &[("/messages/0", r#"{"role": "system", "content": "Be brief."}"#)],
        },
    },
    Case {
        feature: Feature::System,
        says: "later on",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."},
                                {"role": "user", "content": "So?"}, {"role": "system", "content": "Be brief."}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."},
                             {"role": "user", "content": "So?"}, {"role": "system", "content": "Be brief."}]"#,
            ),
            messages: Some(
                r#""messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."},
                                {"role": "user", "content": "So?"}, {"role": "system", "content": "Be brief."}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[("/messages/3", r#"{"role": "system", "content": "Be brief."}"#)],
            responses: &[(
                "/input/3",
                r#"{"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]}"#,
            )],
            messages: &[(
                "/messages/3",
                r#"{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}"#,
            )],
            gemini: &[("/systemInstruction", r#"{"parts": [{"text": "Be brief."}]}"#)],
            ollama: &[("/messages/3", r#"{"role": "system", "content": "Be brief."}"#)],
        },
    },
    Case {
        feature: Feature::Developer,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}]"#,
            ),
            responses: Some(
                r#""input": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}]"#,
            ),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[("/messages/0", r#"{"role": "developer", "content": "Be brief."}"#)],
            responses: &[(
                "/input/0",
                r#"{"type": "message", "role": "developer",
                    "content": [{"type": "input_text", "text": "Be brief."}]}"#,
            )],
            messages: &[("/system", r#"[{"type": "text", "text": "Be brief."}]"#)],
            gemini: &[("/systemInstruction", r#"{"parts": [{"text": "Be brief."}]}"#)],
            ollama: &[("/messages/0", r#"{"role": "system", "content": "Be brief."}"#)],
        },
    },
];
