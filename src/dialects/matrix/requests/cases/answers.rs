//! What form the answer is to have, how long it may be, and how many there are to be.

use super::super::case::{ABSENT, Asked, Case, Held, NOWHERE};
use super::super::models::Models::{Current, Earlier};
use crate::dialects::neutral::Feature;

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::JsonSchema,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": true,
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                               "additionalProperties": false}}}"#,
            ),
            responses: Some(
                r#""text": {"format": {"type": "json_schema", "name": "city", "strict": true,
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                               "additionalProperties": false}}}"#,
            ),
            messages: Some(
                r#""output_config": {"format": {"type": "json_schema",
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                               "additionalProperties": false}}}"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[
                ("/response_format/type", r#""json_schema""#),
                ("/response_format/json_schema/strict", "true"),
                ("/response_format/json_schema/schema/required", r#"["city"]"#),
            ],
            responses: &[
                ("/text/format/type", r#""json_schema""#),
                ("/text/format/strict", "true"),
                ("/text/format/schema/required", r#"["city"]"#),
            ],
            messages: &[(
                "/output_config",
                r#"{"format": {"type": "json_schema",
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                               "additionalProperties": false}}}"#,
            )],
            gemini: &[
                ("/generationConfig/responseMimeType", r#""application/json""#),
                ("/generationConfig/responseJsonSchema/required", r#"["city"]"#),
            ],
            ollama: &[("/format/required", r#"["city"]"#)],
        },
    },
    Case {
        feature: Feature::JsonSchema,
        says: "beside tools",
        models: Earlier,
        asked: Asked {
            chat: Some(
                r#""response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}},
                    "tools": [{"type": "function", "function": {"name": "clock"}}]"#,
            ),
            responses: Some(
                r#""text": {"format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}}},
                    "tools": [{"type": "function", "name": "clock"}]"#,
            ),
            messages: Some(
                r#""output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {},
                        "additionalProperties": false}}},
                    "tools": [{"name": "clock", "input_schema": {"type": "object"}}]"#,
            ),
        },
        mark: "",
        held: Held {
            chat: &[
                ("/response_format/type", r#""json_schema""#),
                ("/tools/0/function/name", r#""clock""#),
            ],
            responses: &[
                ("/text/format/type", r#""json_schema""#),
                ("/tools/0/name", r#""clock""#),
            ],
            messages: &[
                ("/output_config/format/type", r#""json_schema""#),
                ("/tools/0/name", r#""clock""#),
            ],
            gemini: &[],
            ollama: &[
                ("/format/type", r#""object""#),
                ("/tools/0/function/name", r#""clock""#),
            ],
        },
    },
    Case {
        feature: Feature::StrictSchema,
        says: "one with what may be missing",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""response_format": {"type": "json_schema", "json_schema": {"name": "city", "strict": true,
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}}"#,
            ),
            responses: Some(
                r#""text": {"format": {"type": "json_schema", "name": "city", "strict": true,
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}}"#,
            ),
            messages: Some(
                r#""output_config": {"format": {"type": "json_schema",
                    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": false}}}"#,
            ),
        },
        mark: r#""strict": true|"output_config""#,
        held: Held {
            messages: &[("/output_config/format/schema/properties/city/type", r#""string""#)],
            gemini: &[(
                "/generationConfig/responseJsonSchema/properties/city/type",
                r#""string""#,
            )],
            ollama: &[("/format/properties/city/type", r#""string""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::SchemaDescription,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""response_format": {"type": "json_schema", "json_schema": {"name": "city",
                    "description": "Where it is.", "schema": {"type": "object"}}}"#,
            ),
            responses: Some(
                r#""text": {"format": {"type": "json_schema", "name": "city", "description": "Where it is.",
                    "schema": {"type": "object"}}}"#,
            ),
            messages: None,
        },
        mark: "Where it is.",
        held: Held {
            chat: &[("/response_format/json_schema/description", r#""Where it is.""#)],
            responses: &[("/text/format/description", r#""Where it is.""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::JsonObject,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""response_format": {"type": "json_object"}"#),
            responses: Some(r#""text": {"format": {"type": "json_object"}}"#),
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[("/response_format", r#"{"type": "json_object"}"#)],
            responses: &[("/text/format", r#"{"type": "json_object"}"#)],
            gemini: &[("/generationConfig/responseMimeType", r#""application/json""#)],
            ollama: &[("/format", r#""json""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::MaxTokens,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""max_completion_tokens": 321"#),
            responses: Some(r#""max_output_tokens": 321"#),
            messages: Some(r#""max_tokens": 321"#),
        },
        mark: "",
        held: Held {
            chat: &[("/max_completion_tokens", "321")],
            responses: &[("/max_output_tokens", "321")],
            messages: &[("/max_tokens", "321")],
            gemini: &[("/generationConfig/maxOutputTokens", "321")],
            ollama: &[("/options/num_predict", "321")],
        },
    },
    Case {
        feature: Feature::MaxTokens,
        says: "fewer than 16",
        models: Current,
        asked: Asked {
            chat: Some(r#""max_completion_tokens": 8"#),
            responses: None,
            messages: Some(r#""max_tokens": 8"#),
        },
        mark: "",
        held: Held {
            chat: &[("/max_completion_tokens", "8")],
            responses: &[("/max_output_tokens", "8")],
            messages: &[("/max_tokens", "8")],
            gemini: &[("/generationConfig/maxOutputTokens", "8")],
            ollama: &[("/options/num_predict", "8")],
        },
    },
    Case {
        feature: Feature::MaxTokens,
        says: "above the model's own",
        models: Current,
        asked: Asked {
            chat: Some(r#""max_completion_tokens": 99999"#),
            responses: Some(r#""max_output_tokens": 99999"#),
            messages: Some(r#""max_tokens": 99999"#),
        },
        mark: "99999",
        held: NOWHERE,
    },
    Case {
        feature: Feature::MaxTokens,
        says: "by its older name, `max_tokens`",
        models: Current,
        asked: Asked {
            chat: Some(r#""max_tokens": 321"#),
            responses: None,
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[],
            responses: &[("/max_output_tokens", "321")],
            messages: &[("/max_tokens", "321")],
            gemini: &[("/generationConfig/maxOutputTokens", "321")],
            ollama: &[("/options/num_predict", "321")],
        },
    },
    Case {
        feature: Feature::Stop,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""stop": "END""#),
            responses: None,
            messages: Some(r#""stop_sequences": ["END"]"#),
        },
        mark: "",
        held: Held {
            chat: &[("/stop", r#"["END"]"#)],
            messages: &[("/stop_sequences", r#"["END"]"#)],
            gemini: &[("/generationConfig/stopSequences", r#"["END"]"#)],
            ollama: &[("/options/stop", r#"["END"]"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Stop,
        says: "six",
        models: Current,
        asked: Asked {
            chat: None,
            responses: None,
            messages: Some(r#""stop_sequences": ["a", "b", "c", "d", "e", "f"]"#),
        },
        mark: "",
        held: Held {
            ollama: &[("/options/stop", r#"["a", "b", "c", "d", "e", "f"]"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Answers,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""n": 2"#),
            responses: None,
            messages: None,
        },
        mark: "",
        held: Held {
            gemini: &[("/generationConfig/candidateCount", "2")],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Answers,
        says: "one",
        models: Current,
        asked: Asked {
            chat: Some(r#""n": 1"#),
            responses: None,
            messages: None,
        },
        mark: "",
        held: Held {
            chat: &[],
            responses: &[("/n", ABSENT)],
            messages: &[("/n", ABSENT)],
            gemini: &[("/generationConfig/candidateCount", ABSENT)],
            ollama: &[("/n", ABSENT)],
        },
    },
    Case {
        feature: Feature::Verbosity,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""verbosity": "low""#),
            responses: Some(r#""text": {"verbosity": "low"}"#),
            messages: None,
        },
        mark: "verbosity",
        held: Held {
            chat: &[("/verbosity", r#""low""#)],
            responses: &[("/text", r#"{"verbosity": "low"}"#)],
            ..NOWHERE
        },
    },
];
