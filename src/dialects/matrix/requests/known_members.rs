//! The members that a body may have at its top, by the provider's published schema.
//!
//! - chat completions: `CompletionCreateParams` of the `openai` Python package, version 3.57.0
//!   (`types/chat/completion_create_params.py`), and what OpenRouter's reference adds to it;
//! - Responses: `ResponseCreateParams` of the same (`types/responses/response_create_params.py`);
//! - Messages: `MessageCreateParams` of the `anthropic` Python package, version 2.14.0
//!   (`types/message_create_params.py`), and the sampling members of earlier versions;
//! - Gemini: what the `google-genai` Python package, version 3.6.1, sends for `generateContent` (`models.py`,
//!   `_GenerateContentParameters_to_mldev`);
//! - Ollama: `ChatRequest` (`docs/api.md` and `api/types.go`).

use gateway_actors::protocol::Dialect;

/// Names apart by white space.
const CHAT: &str = "messages model audio frequency_penalty function_call functions logit_bias logprobs \
    max_completion_tokens max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty \
    prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed \
    service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity \
    web_search_options reasoning top_k min_p";

const RESPONSES: &str = "access_programs background background_options context_management conversation image include \
    input instructions max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls \
    previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier \
    service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user";

const MESSAGES: &str = "max_tokens messages model cache_control container diagnostics inference_geo metadata \
    output_config service_tier speed stop_sequences stream system thinking tool_choice tools user_profile_id \
    workspace_id temperature top_p top_k";

const GEMINI: &str = "contents systemInstruction tools toolConfig safetySettings cachedContent modelArmorConfig \
    generationConfig";

const OLLAMA: &str = "model messages tools format options stream think keep_alive truncate";

/// Whether a body for a provider may have this member at its top.
pub(super) fn is_known(provider: Dialect, name: &str) -> bool {
    let known = match provider {
        Dialect::OpenaiChat => CHAT,
        Dialect::OpenaiResponses => RESPONSES,
        Dialect::AnthropicMessages => MESSAGES,
        Dialect::Gemini => GEMINI,
        Dialect::Ollama => OLLAMA,
    };
    known.split_whitespace().any(|known| known == name)
}
