//! Caches, what is told about a request, and what a provider keeps.
//!
//! `cache_control` in chat completions is from OpenRouter's reference.

use super::super::case::{Asked, Case, Held, NOWHERE};
use super::super::models::Models::{Current, Routed};
use crate::dialects::neutral::Feature;

pub(super) const CASES: &[Case] = &[
    Case {
        feature: Feature::CacheMarks,
        says: "",
        models: Current,
        asked: MARKED,
        mark: "cache_control|prompt_cache_breakpoint",
        held: Held {
            messages: &[(
                "/messages/0/content/0",
                r#"{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}"#,
            )],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::CacheMarks,
        says: "",
        models: Routed,
        asked: MARKED,
        mark: "cache_control|prompt_cache_breakpoint",
        held: Held {
            chat: &[("/messages/0/content/0/cache_control", r#"{"type": "ephemeral"}"#)],
            messages: &[("/messages/0/content/0/cache_control", r#"{"type": "ephemeral"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::CacheKey,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""prompt_cache_key": "key-77""#),
            responses: Some(r#""prompt_cache_key": "key-77""#),
            messages: None,
        },
        mark: "key-77",
        held: Held {
            chat: &[("/prompt_cache_key", r#""key-77""#)],
            responses: &[("/prompt_cache_key", r#""key-77""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::User,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""user": "alice-7""#),
            responses: Some(r#""user": "alice-7""#),
            messages: Some(r#""metadata": {"user_id": "alice-7"}"#),
        },
        mark: "alice-7",
        held: Held {
            chat: &[("/user", r#""alice-7""#)],
            // The name that has taken the place of `user`.
            responses: &[("/safety_identifier", r#""alice-7""#)],
            messages: &[("/metadata", r#"{"user_id": "alice-7"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::Metadata,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(r#""metadata": {"ticket": "T-77"}"#),
            responses: Some(r#""metadata": {"ticket": "T-77"}"#),
            messages: None,
        },
        mark: "T-77",
        held: Held {
            responses: &[("/metadata", r#"{"ticket": "T-77"}"#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ServiceTier,
        says: "the usual one alone",
        models: Current,
        asked: Asked {
            chat: Some(r#""service_tier": "default""#),
            responses: Some(r#""service_tier": "default""#),
            messages: Some(r#""service_tier": "standard_only""#),
        },
        mark: "service_tier",
        held: Held {
            chat: &[("/service_tier", r#""default""#)],
            responses: &[("/service_tier", r#""default""#)],
            messages: &[("/service_tier", r#""standard_only""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ServiceTier,
        says: "`flex`",
        models: Current,
        asked: Asked {
            chat: Some(r#""service_tier": "flex""#),
            responses: Some(r#""service_tier": "flex""#),
            messages: None,
        },
        mark: "flex",
        held: Held {
            chat: &[("/service_tier", r#""flex""#)],
            responses: &[("/service_tier", r#""flex""#)],
            ..NOWHERE
        },
    },
    Case {
        feature: Feature::ProviderState,
        says: "",
        models: Current,
        asked: Asked {
            chat: Some(
                r#""messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-77"}}]}]"#,
            ),
            responses: Some(
                r#""input": [{"type": "item_reference", "id": "msg_77"}, {"role": "user", "content": "So?"}]"#,
            ),
            messages: Some(r#""container": "container-77""#),
        },
        mark: "77",
        held: NOWHERE,
    },
];

const MARKED: Asked = Asked {
    chat: Some(
        r#""messages": [{"role": "user", "content": [
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}]"#,
    ),
    responses: Some(
        r#""input": [{"role": "user", "content": [
            {"type": "input_text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}}]}]"#,
    ),
    messages: Some(
        r#""messages": [{"role": "user", "content": [
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}]"#,
    ),
};
