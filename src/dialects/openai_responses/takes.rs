//! What a model takes, told by whose service it is and by whether it reasons.
//!
//! OpenAI refuses what a model does not have: `reasoning` for one that does not reason, `temperature` and `top_p` for one
//! that does (its guide to reasoning models). OpenRouter leaves such things out by itself.

use gateway_actors::protocol::{Capability, Model, Vendor};

/// Whether the model can be told how to reason.
pub(super) fn reasoning(model: &Model) -> bool {
    model.capabilities.has(Capability::Reasoning) || model.vendor == Vendor::Openrouter
}

/// Whether it takes `temperature` and `top_p` other than the default.
pub(super) fn sampling(model: &Model) -> bool {
    !(model.vendor == Vendor::Openai && model.capabilities.has(Capability::Reasoning))
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Capabilities;

    use super::*;

    #[test]
    fn what_a_model_takes_depends_on_whose_service_it_is_and_on_whether_it_reasons() {
        for (vendor, reasons, expected) in [
            (Vendor::Openai, true, (true, false)),
            (Vendor::Openai, false, (false, true)),
            (Vendor::Other, true, (true, true)),
            (Vendor::Other, false, (false, true)),
            (Vendor::Openrouter, false, (true, true)),
        ] {
            let mut model = super::super::samples::model("m");
            model.vendor = vendor;
            model.capabilities = Capabilities::NONE;
            if reasons {
                model.capabilities = model.capabilities.with(Capability::Reasoning);
            }
            assert_eq!((reasoning(&model), sampling(&model)), expected, "{vendor} {reasons}");
        }
    }
}
