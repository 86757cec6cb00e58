//! Models and bodies for the tests.

use gateway_actors::protocol::{Capabilities, Dialect, Layer, MediaTokens, Model, ModelId, ProviderName, Vendor};

/// A model of this vendor, which caps its output at 1,000 tokens.
pub(super) fn model(vendor: Vendor, api_model: &str) -> Model {
    Model {
        id: ModelId::from("id"),
        provider: ProviderName::from("alpha"),
        vendor,
        api_model: api_model.into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 100_000,
        max_output_tokens: 1_000,
        price: None,
        media: MediaTokens::default(),
    }
}
