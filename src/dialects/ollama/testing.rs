//! For the tests of this dialect.

use gateway_actors::protocol::{Capabilities, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor};

/// A model of this name.
pub(super) fn model(api_model: &str) -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("local"),
        vendor: Vendor::Other,
        api_model: api_model.into(),
        dialect: Dialect::Ollama,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 8_192,
        max_output_tokens: 4_096,
        price: None,
        media: MediaTokens::default(),
    }
}

/// An answer with thinking, a text and two calls: a `ChatResponse` of `api/types.go` at v0.33.0-rc2.
pub(super) const ANSWER: &str = r#"{
  "model": "qwen3",
  "created_at": "2025-07-07T20:32:53.844124Z",
  "message": {
    "role": "assistant",
    "content": "Let me look – \u00e9.",
    "thinking": "Two calls.",
    "tool_calls": [
      {"id": "call_abcd1234", "function": {"index": 0, "name": "weather", "arguments": {"city": "Z\u00fcrich", "days": 1.50}}},
      {"function": {"name": "clock", "arguments": {}}}
    ]
  },
  "done": true,
  "done_reason": "stop",
  "total_duration": 3244883583,
  "load_duration": 2969184542,
  "prompt_eval_count": 169,
  "prompt_eval_duration": 141656333,
  "eval_count": 15,
  "eval_duration": 133293625
}"#;
