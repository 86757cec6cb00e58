//! Whose answer it is: the members that a client's dialect demands, and those of others that may not be there.

use gateway_actors::protocol::Dialect;
use serde_json::Value;

use super::reassemble;
use super::run::Got;

/// The members by which an answer of a dialect is known.
fn own(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenaiChat => &[
            "choices",
            "finish_reason",
            "tool_calls",
            "reasoning_content",
            "reasoning_details",
            "prompt_tokens",
            "completion_tokens",
            "prompt_tokens_details",
            "created",
            "system_fingerprint",
            "executed_tools",
            "audio",
            "function",
            "stop_reason",
            "logprobs",
            "signature",
            "refusal",
            "message",
            "delta",
            "role",
        ],
        Dialect::OpenaiResponses => &[
            "output",
            "incomplete_details",
            "input_tokens_details",
            "encrypted_content",
            "call_id",
            "summary",
            "created_at",
            "status",
            "logprobs",
            "annotations",
            "refusal",
            "delta",
            "response",
            "sequence_number",
            "output_index",
            "item",
            "role",
            "input_tokens",
            "output_tokens",
            "output_tokens_details",
        ],
        Dialect::AnthropicMessages => &[
            "stop_reason",
            "stop_sequence",
            "stop_details",
            "content_block",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation",
            "thinking",
            "signature",
            "citations",
            "message",
            "delta",
            "role",
            "input_tokens",
            "output_tokens",
            "output_tokens_details",
        ],
        Dialect::Gemini => &[
            "candidates",
            "finishReason",
            "usageMetadata",
            "promptTokenCount",
            "modelVersion",
            "responseId",
            "parts",
            "functionCall",
            "thought",
            "thoughtSignature",
            "promptFeedback",
            "safetyRatings",
            "groundingMetadata",
            "citationMetadata",
            "logprobsResult",
            "inlineData",
            "executableCode",
        ],
        Dialect::Ollama => &[
            "done",
            "done_reason",
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "eval_count",
            "eval_duration",
            "created_at",
            "thinking",
            "message",
            "images",
            "tool_calls",
            "function",
        ],
    }
}

/// Members that a whole answer must have: those that the official packages' types have without a default.
fn demanded(client: Dialect) -> &'static [&'static str] {
    match client {
        Dialect::OpenaiResponses => &[
            "/id",
            "/object",
            "/created_at",
            "/status",
            "/model",
            "/output",
            "/parallel_tool_calls",
            "/tool_choice",
            "/tools",
            "/error",
            "/incomplete_details",
            "/instructions",
            "/metadata",
            "/temperature",
            "/top_p",
            "/usage/input_tokens",
            "/usage/input_tokens_details/cached_tokens",
            "/usage/input_tokens_details/cache_write_tokens",
            "/usage/output_tokens",
            "/usage/output_tokens_details/reasoning_tokens",
            "/usage/total_tokens",
        ],
        Dialect::AnthropicMessages => &[
            "/id",
            "/type",
            "/role",
            "/model",
            "/content",
            "/stop_reason",
            "/stop_sequence",
            "/usage/input_tokens",
            "/usage/output_tokens",
        ],
        _ => &[
            "/id",
            "/object",
            "/created",
            "/model",
            "/choices/0/index",
            "/choices/0/message/role",
            "/choices/0/message/content",
            "/choices/0/message/refusal",
            "/choices/0/finish_reason",
            "/choices/0/logprobs",
            "/usage/prompt_tokens",
            "/usage/completion_tokens",
            "/usage/total_tokens",
        ],
    }
}

/// Why what a client got is not wholly of its own dialect; nothing if it is.
pub(super) fn fails(client: Dialect, provider: Dialect, got: &Got) -> Option<String> {
    let foreign: Vec<&str> = own(provider)
        .iter()
        .copied()
        .filter(|name| !own(client).contains(name))
        .collect();
    let mut members = Vec::new();
    members_of(&got.whole, &mut members);
    for event in reassemble::values(&got.stream) {
        members_of(&event, &mut members);
    }
    if let Some(member) = members.iter().find(|member| foreign.contains(&member.as_str())) {
        return Some(format!("`{member}` is the provider's own"));
    }
    for answer in [&got.whole, &got.reassembled] {
        let missing = demanded(client).iter().find(|place| answer.pointer(place).is_none());
        if let Some(missing) = missing {
            return Some(format!("{missing} is missing in {answer}"));
        }
    }
    None
}

fn members_of(value: &Value, members: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                members.push(name.clone());
                members_of(value, members);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| members_of(value, members)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_of_the_provider_and_missing_ones_are_found() {
        let whole = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
        let got = |whole: &Value| Got {
            whole: whole.clone(),
            stream: String::new(),
            reassembled: whole.clone(),
        };
        let fails = |whole: &Value| fails(Dialect::AnthropicMessages, Dialect::Gemini, &got(whole));
        assert_eq!(fails(&whole), None);
        let mut passed_on = whole.clone();
        passed_on["usage"]["promptTokenCount"] = json!(1);
        assert!(fails(&passed_on).is_some());
        let mut lacking = whole;
        lacking.as_object_mut().unwrap().remove("stop_sequence");
        assert!(fails(&lacking).is_some());
    }
}
