//! What a model takes, told by its provider's name in the settings and by whether it reasons.
//!
//! OpenAI refuses what a model does not have: `reasoning` for one that does not reason, `temperature` and `top_p` for one
//! that does (its guide to reasoning models). OpenRouter leaves such things out by itself.

use gateway_actors::protocol::{Capability, Model};

/// Whether the model can be told how to reason.
pub(super) fn reasoning(model: &Model) -> bool {
    model.capabilities.has(Capability::Reasoning) || is_of(model, "openrouter")
}

/// Whether it takes `temperature` and `top_p` other than the default.
pub(super) fn sampling(model: &Model) -> bool {
    let is_openais = is_of(model, "openai") && !is_of(model, "openai-compatible") || is_of(model, "azure");
    !(is_openais && model.capabilities.has(Capability::Reasoning))
}

/// Whether the provider has this name, or one that begins with it and a dash.
fn is_of(model: &Model, name: &str) -> bool {
    let rest = model.provider.as_str().strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{Capabilities, ProviderName};

    use super::*;

    #[test]
    fn what_a_model_takes_depends_on_its_provider_and_on_whether_it_reasons() {
        for (provider, reasons, expected) in [
            ("openai", true, (true, false)),
            ("openai", false, (false, true)),
            ("azure-eu", true, (true, false)),
            ("openai-compatible", true, (true, true)),
            ("openai-compatible-box", false, (false, true)),
            ("openrouter", false, (true, true)),
            ("openaix", true, (true, true)),
        ] {
            let mut model = super::super::samples::model("m");
            model.provider = ProviderName::from(provider);
            model.capabilities = Capabilities::NONE;
            if reasons {
                model.capabilities = model.capabilities.with(Capability::Reasoning);
            }
            assert_eq!((reasoning(&model), sampling(&model)), expected, "{provider} {reasons}");
        }
    }
}
