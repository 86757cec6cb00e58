//! OpenAI's dialects, as the published Python package `openai` 3.57.0 has them (its folder `types`), and what others who
//! speak them are known to take besides: OpenRouter, Mistral, DeepSeek, Groq, and the servers vLLM and llama.cpp.

use super::super::effect::Effect::{
    Answers, Cap, Content, Echo, Free, Input, Prompt, Refused, Schema, Tools, Values, Words,
};
use super::super::effect::{Field, LEAVE_OUT, SEND_ITSELF, fields};

/// Tiers that cost what the catalogue says, or less: `flex` is cheaper, and `priority` and `fast` are dearer. What `auto`
/// is, is set at the provider, where a budget here reaches nothing.
const TIERS: &[&str] = &["auto", "default", "flex", "on_demand"];

/// An answer of text alone.
const TEXT_ONLY: &[&str] = &[r#"["text"]"#];

/// Where other models may answer, at prices of their own.
const ONE_MODEL: &str = "name one model in `model`";

const NO_SEARCH: &str = "search by a tool of your own";

/// Chat completions.
pub(in crate::dialects::bounds) const CHAT: &[Field] = fields! {
    Content => "messages";
    Tools => "tools" "functions";
    Schema => "response_format";
    Cap => "max_completion_tokens" "max_tokens";
    Answers => "n" "best_of";
    Words(TIERS) => "service_tier";
    Values(TEXT_ONLY, "ask for text alone, or leave it out") => "modalities";
    // `model`, `stream` and `stream_options` are the gateway's own.
    Free => "model" "stream" "stream_options" "frequency_penalty" "function_call" "logit_bias" "logprobs" "metadata"
        "parallel_tool_calls" "presence_penalty" "prompt_cache_key" "prompt_cache_options" "prompt_cache_retention"
        "reasoning_effort" "safety_identifier" "seed" "stop" "store" "temperature" "tool_choice" "top_logprobs"
        "top_p" "user" "verbosity";
    // Of others: more ways to sample, and to show reasoning.
    Free => "top_k" "min_p" "top_a" "typical_p" "repetition_penalty" "random_seed" "safe_prompt" "prompt_mode"
        "include_reasoning" "reasoning" "reasoning_format" "thinking" "usage" "ignore_eos" "stop_token_ids"
        "skip_special_tokens";
    Refused(LEAVE_OUT) => "audio" "prediction" "moderation";
    Refused(NO_SEARCH) => "web_search_options" "search_parameters" "search_settings" "plugins";
    Refused(ONE_MODEL) => "models" "route";
};

/// Completions before chat.
pub(in crate::dialects::bounds) const COMPLETIONS: &[Field] = fields! {
    Prompt => "prompt";
    Cap => "max_tokens";
    Answers => "n" "best_of";
    Echo => "echo";
    Words(TIERS) => "service_tier";
    Free => "model" "stream" "stream_options" "suffix" "frequency_penalty" "logit_bias" "logprobs" "presence_penalty"
        "seed" "stop" "temperature" "top_p" "user" "top_k" "min_p" "repetition_penalty";
};

/// Responses. `client_metadata` is what Codex sends besides.
pub(in crate::dialects::bounds) const RESPONSES: &[Field] = fields! {
    Content => "input" "instructions";
    Tools => "tools";
    Schema => "text";
    Cap => "max_output_tokens";
    Words(TIERS) => "service_tier";
    Values(&["false"], "take the answer as a stream if it takes long") => "background";
    Free => "model" "stream" "stream_options" "include" "max_tool_calls" "metadata" "parallel_tool_calls"
        "prompt_cache_key" "prompt_cache_options" "prompt_cache_retention" "reasoning" "safety_identifier" "store"
        "temperature" "tool_choice" "top_logprobs" "top_p" "truncation" "user" "client_metadata";
    Refused(SEND_ITSELF) => "previous_response_id" "conversation" "prompt";
    Refused(LEAVE_OUT) => "access_programs" "background_options" "context_management" "moderation";
};

/// Embeddings.
pub(in crate::dialects::bounds) const EMBEDDINGS: &[Field] = fields! {
    Input => "input";
    Free => "model" "dimensions" "encoding_format" "user";
};
