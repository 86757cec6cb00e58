//! Anthropic's dialect, Gemini's and Ollama's. The last two are written by the gateway alone, so that their tables hold
//! what it may come to write, and what would have to be refused.
//!
//! Messages are as in the published Python package `anthropic` 2.14.0, its betas among them; Gemini as in `google-genai`
//! 3.6.1; Ollama as in its `api/types.go`.

use super::super::effect::Effect::{
    Answers, Cap, Content, Edits, Free, Input, Nested, Refused, Schema, Thinking, Tools, Values, Words,
};
use super::super::effect::{Field, LEAVE_OUT, SEND_ITSELF, fields};

const OWN_TOOLS: &str = "offer its tools by your own program, in `tools`";

/// Anthropic Messages.
pub(in crate::dialects::bounds) const MESSAGES: &[Field] = fields! {
    Content => "messages" "system";
    Tools => "tools";
    Schema => "output_config" "output_format";
    Cap => "max_tokens";
    Thinking => "thinking";
    Edits => "context_management";
    // A priority tier is paid beforehand, and `auto` uses it as far as it goes.
    Words(&["auto", "standard_only"]) => "service_tier";
    Words(&["standard"]) => "speed";
    // Inference in one country has a surcharge.
    Words(&["global"]) => "inference_geo";
    Free => "model" "stream" "cache_control" "diagnostics" "metadata" "stop_sequences" "temperature" "tool_choice"
        "top_k" "top_p" "user_profile_id" "workspace_id";
    Refused(OWN_TOOLS) => "mcp_servers" "container";
    Refused(SEND_ITSELF) => "thread";
    Refused("name one model in `model`") => "fallbacks" "fallback_credit_token";
    Refused(LEAVE_OUT) => "billing_policy" "compaction";
};

/// `generationConfig`.
const GENERATION_CONFIG: &[Field] = fields! {
    Cap => "maxOutputTokens";
    Answers => "candidateCount";
    Schema => "responseJsonSchema" "responseSchema";
    Free => "temperature" "topP" "topK" "seed" "presencePenalty" "frequencyPenalty" "stopSequences"
        "responseMimeType" "responseLogprobs" "logprobs" "thinkingConfig";
    Values(&[r#"["TEXT"]"#], "ask for text alone") => "responseModalities";
    Refused(LEAVE_OUT) => "speechConfig" "mediaResolution" "imageConfig";
};

/// Gemini's `generateContent`.
pub(in crate::dialects::bounds) const GEMINI: &[Field] = fields! {
    Content => "contents" "systemInstruction";
    Tools => "tools";
    Nested(GENERATION_CONFIG) => "generationConfig";
    Free => "model" "toolConfig" "safetySettings" "labels";
    Refused(SEND_ITSELF) => "cachedContent";
    Refused(LEAVE_OUT) => "serviceTier";
};

/// Gemini's `batchEmbedContents`.
pub(in crate::dialects::bounds) const GEMINI_EMBEDDINGS: &[Field] = fields! {
    Input => "requests";
};

/// `options`.
const OPTIONS: &[Field] = fields! {
    Cap => "num_predict";
    Free => "temperature" "top_p" "top_k" "min_p" "seed" "frequency_penalty" "presence_penalty" "stop" "num_ctx"
        "repeat_penalty";
};

/// Ollama's `/api/chat`.
pub(in crate::dialects::bounds) const OLLAMA: &[Field] = fields! {
    Content => "messages";
    Tools => "tools";
    Schema => "format";
    Nested(OPTIONS) => "options";
    Free => "model" "stream" "think" "truncate" "keep_alive";
};

/// Ollama's `/api/embed`.
pub(in crate::dialects::bounds) const OLLAMA_EMBEDDINGS: &[Field] = fields! {
    Input => "input";
    Free => "model" "truncate" "dimensions" "keep_alive";
};
