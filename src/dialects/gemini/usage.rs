//! Token counts: `usageMetadata`.

pub(super) use crate::dialects::usage::of_gemini as usage_report;
