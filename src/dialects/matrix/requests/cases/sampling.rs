//! How tokens are chosen.
//!
//! `top_k` and `min_p` in chat completions are from OpenRouter's reference; the sampling of Messages from the `anthropic`
//! package before version 2.

use super::super::case::{Asked, Case, Held, NOWHERE};
use super::super::models::Models::{self, Current, Earlier};
use crate::dialects::neutral::Feature;

/// Asked in chat completions alone.
const fn chat(members: &'static str) -> Asked {
    Asked {
        chat: Some(members),
        responses: None,
        messages: None,
    }
}

/// Asked by the same members in every dialect.
const fn all(members: &'static str) -> Asked {
    Asked {
        chat: Some(members),
        responses: Some(members),
        messages: Some(members),
    }
}

const fn case(feature: Feature, models: Models, asked: Asked, mark: &'static str, held: Held) -> Case {
    Case {
        feature,
        says: "",
        models,
        asked,
        mark,
        held,
    }
}

pub(super) const CASES: &[Case] = &[
    case(
        Feature::Temperature,
        Current,
        all(r#""temperature": 0.25"#),
        "temperature",
        Held {
            gemini: &[("/generationConfig/temperature", "0.25")],
            ollama: &[("/options/temperature", "0.25")],
            ..NOWHERE
        },
    ),
    case(
        Feature::Temperature,
        Earlier,
        all(r#""temperature": 0.25"#),
        "temperature",
        Held {
            chat: &[("/temperature", "0.25")],
            responses: &[("/temperature", "0.25")],
            messages: &[("/temperature", "0.25")],
            gemini: &[("/generationConfig/temperature", "0.25")],
            ollama: &[("/options/temperature", "0.25")],
        },
    ),
    Case {
        feature: Feature::Temperature,
        says: "above 1",
        models: Earlier,
        asked: Asked {
            chat: Some(r#""temperature": 1.5"#),
            responses: Some(r#""temperature": 1.5"#),
            messages: None,
        },
        mark: "temperature",
        held: Held {
            chat: &[("/temperature", "1.5")],
            responses: &[("/temperature", "1.5")],
            messages: &[],
            gemini: &[("/generationConfig/temperature", "1.5")],
            ollama: &[("/options/temperature", "1.5")],
        },
    },
    case(
        Feature::TopP,
        Current,
        all(r#""top_p": 0.25"#),
        "top_p",
        Held {
            gemini: &[("/generationConfig/topP", "0.25")],
            ollama: &[("/options/top_p", "0.25")],
            ..NOWHERE
        },
    ),
    case(
        Feature::TopP,
        Earlier,
        all(r#""top_p": 0.25"#),
        "top_p",
        Held {
            chat: &[("/top_p", "0.25")],
            responses: &[("/top_p", "0.25")],
            messages: &[("/top_p", "0.25")],
            gemini: &[("/generationConfig/topP", "0.25")],
            ollama: &[("/options/top_p", "0.25")],
        },
    ),
    case(
        Feature::TopK,
        Earlier,
        Asked {
            chat: Some(r#""top_k": 40"#),
            responses: None,
            messages: Some(r#""top_k": 40"#),
        },
        "top_k",
        Held {
            messages: &[("/top_k", "40")],
            gemini: &[("/generationConfig/topK", "40")],
            ollama: &[("/options/top_k", "40")],
            ..NOWHERE
        },
    ),
    case(
        Feature::MinP,
        Current,
        chat(r#""min_p": 0.05"#),
        "min_p",
        Held {
            ollama: &[("/options/min_p", "0.05")],
            ..NOWHERE
        },
    ),
    case(
        Feature::Seed,
        Current,
        chat(r#""seed": 424242"#),
        "424242",
        Held {
            gemini: &[("/generationConfig/seed", "424242")],
            ollama: &[("/options/seed", "424242")],
            ..NOWHERE
        },
    ),
    case(
        Feature::FrequencyPenalty,
        Current,
        chat(r#""frequency_penalty": 0.5"#),
        "enalty",
        Held {
            ollama: &[("/options/frequency_penalty", "0.5")],
            ..NOWHERE
        },
    ),
    case(
        Feature::FrequencyPenalty,
        Earlier,
        chat(r#""frequency_penalty": 0.5"#),
        "enalty",
        Held {
            gemini: &[("/generationConfig/frequencyPenalty", "0.5")],
            ollama: &[("/options/frequency_penalty", "0.5")],
            ..NOWHERE
        },
    ),
    case(
        Feature::PresencePenalty,
        Current,
        chat(r#""presence_penalty": 0.5"#),
        "enalty",
        Held {
            ollama: &[("/options/presence_penalty", "0.5")],
            ..NOWHERE
        },
    ),
    case(
        Feature::PresencePenalty,
        Earlier,
        chat(r#""presence_penalty": 0.5"#),
        "enalty",
        Held {
            gemini: &[("/generationConfig/presencePenalty", "0.5")],
            ollama: &[("/options/presence_penalty", "0.5")],
            ..NOWHERE
        },
    ),
    case(
        Feature::LogitBias,
        Current,
        chat(r#""logit_bias": {"50256": -100}"#),
        "50256",
        NOWHERE,
    ),
    case(
        Feature::Logprobs,
        Current,
        Asked {
            chat: Some(r#""logprobs": true, "top_logprobs": 3"#),
            responses: Some(r#""top_logprobs": 3, "include": ["message.output_text.logprobs"]"#),
            messages: None,
        },
        "logprobs",
        NOWHERE,
    ),
];
