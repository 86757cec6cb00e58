//! For the tests of this dialect.

use gateway_actors::protocol::{Capabilities, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor};

/// A model of this name.
pub(super) fn model(api_model: &str) -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("google"),
        vendor: Vendor::Other,
        api_model: api_model.into(),
        dialect: Dialect::Gemini,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 1_000_000,
        max_output_tokens: 65_536,
        price: None,
        media: MediaTokens::default(),
    }
}

/// An answer with a thought, a text, two calls and a signature: a `GenerateContentResponse` of google-genai 3.6.1.
pub(super) const ANSWER: &str = r#"{
  "candidates": [{
    "content": {
      "role": "model",
      "parts": [
        {"text": "**Weather**\nTwo calls.", "thought": true},
        {"text": "Let me look – \u00e9."},
        {"functionCall": {"name": "weather", "args": {"city": "Z\u00fcrich", "days": 1.50}}, "thoughtSignature": "CiQB0e8="},
        {"functionCall": {"id": "call-7", "name": "clock"}}
      ]
    },
    "finishReason": "STOP",
    "index": 0,
    "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]
  }],
  "usageMetadata": {
    "promptTokenCount": 40,
    "cachedContentTokenCount": 8,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 67,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}]
  },
  "modelVersion": "gemini-3-flash-preview",
  "responseId": "mAitaLmk/H+PPlz7I_PvtfUqQ4="
}"#;
