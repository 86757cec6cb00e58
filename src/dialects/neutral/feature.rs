//! What a request may hold, each with its name in every dialect that clients speak. The rows of the table of
//! translations in `docs/dialects.md`.

use gateway_actors::protocol::Dialect;

/// Defines the features: what each is in words, and its names in chat completions, Responses and Messages.
macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $label:literal: $chat:literal, $responses:literal, $messages:literal;)+) => {
        /// Something that a request may ask for or hold.
        #[cfg_attr(not(test), expect(dead_code, reason = "some are never lost, and stand for the table alone"))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(in crate::dialects) enum Feature {
            $($(#[$doc])* $variant),+
        }

        impl Feature {
            /// Every feature, in the order of the table.
            #[cfg(test)]
            pub(in crate::dialects) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What it is, in words.
            pub(in crate::dialects) const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// Its name in a dialect that clients speak; the name in chat completions for the others.
            pub(in crate::dialects) const fn name_in(self, dialect: Dialect) -> &'static str {
                match (self, dialect) {
                    $(
                        (Self::$variant, Dialect::OpenaiResponses) => $responses,
                        (Self::$variant, Dialect::AnthropicMessages) => $messages,
                        (Self::$variant, _) => $chat,
                    )+
                }
            }
        }
    };
}

features! {
    /// Plain text of users and models.
    Text = "text": "messages", "input", "messages";
    /// Instructions of the system.
    System = "system instructions": "messages", "instructions", "system";
    /// Instructions of the developer.
    Developer = "developer instructions": "messages", "input", "messages";
    /// An image in base64.
    ImageData = "an image in base64": "messages.image_url", "input.input_image", "messages.image";
    /// An image at an address.
    ImageUrl = "an image at an address": "messages.image_url", "input.input_image", "messages.image";
    /// How closely an image is looked at.
    ImageDetail = "the detail of an image": "messages.image_url.detail", "input.input_image.detail", "messages.image";
    /// A file in base64, such as a PDF.
    Document = "a document": "messages.file", "input.input_file", "messages.document";
    /// What a file is called.
    DocumentName = "the name of a document": "messages.file.filename", "input.input_file.filename", "messages.document.title";
    /// Sound.
    Audio = "audio": "messages.input_audio", "input.input_audio", "messages.audio";
    /// A part of a message that nobody here knows, or that only its own dialect has.
    OtherContent = "this kind of content": "messages.content", "input", "messages.content";
    /// Tools that are functions.
    Tools = "tools": "tools", "tools", "tools";
    /// Arguments that keep to the schema for certain.
    StrictTools = "strict tool arguments": "tools.function.strict", "tools.strict", "tools.strict";
    /// Tools that take a plain text.
    CustomTools = "custom tools": "tools.custom", "tools.custom", "tools.custom";
    /// Tools that the provider runs itself, such as a web search.
    HostedTools = "tools that a provider runs itself": "web_search_options", "tools", "tools";
    /// The model may call tools or not.
    ToolChoiceAuto = "tool choice auto": "tool_choice", "tool_choice", "tool_choice";
    /// The model may call none.
    ToolChoiceNone = "tool choice none": "tool_choice", "tool_choice", "tool_choice";
    /// The model must call one.
    ToolChoiceRequired = "a forced tool call": "tool_choice", "tool_choice", "tool_choice";
    /// The model must call this one.
    ToolChoiceNamed = "a forced call of one tool": "tool_choice", "tool_choice", "tool_choice";
    /// The model must keep to some of the tools.
    ToolChoiceSome = "a choice among some of the tools": "tool_choice", "tool_choice", "tool_choice";
    /// Whether several tools may be called at once.
    ParallelToolCalls = "the switch for parallel tool calls":
        "parallel_tool_calls", "parallel_tool_calls", "tool_choice.disable_parallel_tool_use";
    /// Calls of tools in the conversation so far.
    ToolCalls = "tool calls": "messages.tool_calls", "input.function_call", "messages.tool_use";
    /// Their results.
    ToolResults = "tool results": "messages.tool", "input.function_call_output", "messages.tool_result";
    /// Results that are images or documents.
    ToolResultMedia = "an image or document as a tool's result":
        "messages.tool.content", "input.function_call_output.output", "messages.tool_result.content";
    /// Results that are errors.
    ToolResultError = "the mark of a failed tool call": "messages.tool", "input.function_call_output", "messages.tool_result.is_error";
    /// An answer of a JSON schema.
    JsonSchema = "an answer of a JSON schema": "response_format", "text.format", "output_config.format";
    /// What a schema of an answer is said to be for.
    SchemaDescription = "the description of an answer's schema":
        "response_format.json_schema.description", "text.format.description", "output_config.format.description";
    /// An answer that keeps to its schema for certain.
    StrictSchema = "an answer that keeps to its schema for certain":
        "response_format.json_schema.strict", "text.format.strict", "output_config.format";
    /// An answer that is some JSON object.
    JsonObject = "an answer that is a JSON object": "response_format", "text.format", "output_config.format";
    /// A limit of output tokens.
    MaxTokens = "the limit of output tokens": "max_completion_tokens", "max_output_tokens", "max_tokens";
    /// Texts that end the answer.
    Stop = "stop texts": "stop", "stop", "stop_sequences";
    Temperature = "the temperature": "temperature", "temperature", "temperature";
    TopP = "nucleus sampling": "top_p", "top_p", "top_p";
    TopK = "top-k sampling": "top_k", "top_k", "top_k";
    MinP = "min-p sampling": "min_p", "min_p", "min_p";
    Seed = "the seed": "seed", "seed", "seed";
    FrequencyPenalty = "the frequency penalty": "frequency_penalty", "frequency_penalty", "frequency_penalty";
    PresencePenalty = "the presence penalty": "presence_penalty", "presence_penalty", "presence_penalty";
    LogitBias = "token biases": "logit_bias", "logit_bias", "logit_bias";
    /// Probabilities of tokens.
    Logprobs = "token probabilities": "logprobs", "top_logprobs", "logprobs";
    /// More than one answer.
    Answers = "more than one answer": "n", "n", "n";
    /// How much the model reasons, in words.
    ReasoningEffort = "the reasoning effort": "reasoning_effort", "reasoning.effort", "output_config.effort";
    /// The model is not to reason at all.
    ReasoningOff = "no reasoning": "reasoning_effort", "reasoning.effort", "thinking";
    /// How much the model reasons, in tokens.
    ReasoningBudget = "the reasoning budget": "reasoning.max_tokens", "reasoning.max_tokens", "thinking.budget_tokens";
    /// Whether the caller sees the reasoning.
    ReasoningVisible = "whether reasoning is shown": "include_reasoning", "reasoning.summary", "thinking.display";
    /// Reasoning in the conversation so far.
    ReasoningText = "earlier reasoning": "messages.reasoning_content", "input.reasoning", "messages.thinking";
    /// What only the provider that made it can read.
    Opaque = "reasoning that only its maker can read":
        "messages.reasoning_details", "input.reasoning.encrypted_content", "messages.thinking.signature";
    /// Marks for the provider's prompt cache.
    CacheMarks = "cache marks":
        "messages.cache_control", "input.content.prompt_cache_breakpoint", "cache_control";
    /// A key for the provider's prompt cache.
    CacheKey = "the prompt cache key": "prompt_cache_key", "prompt_cache_key", "prompt_cache_key";
    Verbosity = "the verbosity": "verbosity", "text.verbosity", "verbosity";
    User = "the end user's name": "user", "user", "metadata.user_id";
    Metadata = "metadata": "metadata", "metadata", "metadata";
    ServiceTier = "the service tier": "service_tier", "service_tier", "service_tier";
    /// Something that the provider keeps and the request refers to.
    ProviderState = "what a provider has stored": "messages.file_id", "input.item_reference", "container";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_words_and_a_name_that_may_stand_in_a_header() {
        for feature in Feature::ALL {
            assert!(!feature.label().is_empty());
            for dialect in [
                Dialect::OpenaiChat,
                Dialect::OpenaiResponses,
                Dialect::AnthropicMessages,
            ] {
                let name = feature.name_in(dialect);
                assert!(
                    name.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte)),
                    "{name}"
                );
            }
        }
    }
}
