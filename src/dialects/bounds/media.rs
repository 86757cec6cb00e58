//! How many tokens something that is no text can be at most: what the operator says, else what the vendor documents.

use gateway_actors::protocol::{Model, Vendor};

/// Of a kind of media in a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Media {
    /// The most tokens of all of them together.
    pub(super) tokens: u64,
}

impl Media {
    /// One more, of so many tokens.
    pub(super) fn add(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }
}

/// OpenAI, models that count tiles of 512 pixels or at most 1,536 patches (guide "Images and vision", "Calculating
/// costs"): the dearest is GPT-4.1 nano with 1,536 patches times 2.46; of those that count tiles, o1 to o3 and GPT-4o have at
/// most 8 of them, 85 + 8 x 170.
const OPENAI_IMAGE: u64 = 3_779;

/// GPT-4o mini counts 2,833 and 5,667 for each of at most 8 tiles (the same guide).
const OPENAI_4O_MINI_IMAGE: u64 = 2_833 + 8 * 5_667;

/// Newer models take up to 10,000 patches where the detail is `original` (the same guide), taken times the dearest
/// multiplier of any model.
const OPENAI_NEWER_IMAGE: u64 = 24_600;

/// Anthropic scales an image down to what its largest native resolution has, 4,784 patches of 28 pixels since Claude Opus
/// 4.7 and about 1,600 before (guide "Vision", "Evaluate image size").
const ANTHROPIC_IMAGE: u64 = 5_000;

/// Gemini from 3 on: `MEDIA_RESOLUTION_ULTRA_HIGH` (guide "Media resolution"). Before, an image is cut into as many tiles of
/// 258 tokens as it has room for, and no page says how many that can be.
const GEMINI_3_IMAGE: u64 = 2_240;

/// xAI: "each image prompt will take between 256 to 1792 tokens" (guide "Consumption and rate limits").
const XAI_IMAGE: u64 = 1_792;

/// The most tokens of one image at this model; nothing if nobody says.
pub(super) fn image_tokens(model: &Model) -> Option<u64> {
    if let Some(said) = model.media.image {
        return Some(said.into());
    }
    let name = &*model.api_model;
    match model.vendor {
        Vendor::Openai if name.contains("4o-mini") => Some(OPENAI_4O_MINI_IMAGE),
        Vendor::Openai if is_earlier_openai(name) => Some(OPENAI_IMAGE),
        // Whatever a deployment at Azure is called, it may be the dearest.
        Vendor::Openai if name.starts_with("gpt-") => Some(OPENAI_NEWER_IMAGE),
        Vendor::Openai => Some(OPENAI_4O_MINI_IMAGE),
        Vendor::Anthropic => Some(ANTHROPIC_IMAGE),
        Vendor::Gemini => is_gemini_3(name).then_some(GEMINI_3_IMAGE),
        Vendor::Xai => Some(XAI_IMAGE),
        _ => None,
    }
}

/// The most tokens of one document: nobody documents any, since it depends on its pages.
pub(super) fn document_tokens(model: &Model) -> Option<u64> {
    model.media.document.map(u64::from)
}

fn is_earlier_openai(name: &str) -> bool {
    ["gpt-4o", "gpt-4.1", "gpt-4-turbo", "o1", "o3", "o4"]
        .iter()
        .any(|family| name.starts_with(family))
}

fn is_gemini_3(name: &str) -> bool {
    let version = name.strip_prefix("gemini-").unwrap_or_default();
    let major = version.split(['.', '-']).next().unwrap_or_default();
    major.parse().is_ok_and(|major: u32| major >= 3)
}

#[cfg(test)]
mod tests {
    use super::super::samples::model;
    use super::*;

    #[test]
    fn an_image_has_the_most_tokens_that_its_vendor_documents_or_the_operator_says() {
        for (vendor, name, expected) in [
            (Vendor::Openai, "gpt-4o-mini-2024-07-18", Some(48_169)),
            (Vendor::Openai, "gpt-4o", Some(3_779)),
            (Vendor::Openai, "gpt-6", Some(24_600)),
            (Vendor::Openai, "my-deployment", Some(48_169)),
            (Vendor::Anthropic, "claude-opus-4-7", Some(5_000)),
            (Vendor::Gemini, "gemini-3.1-pro", Some(2_240)),
            (Vendor::Gemini, "gemini-2.5-flash", None),
            (Vendor::Gemini, "gemini-flash-latest", None),
            (Vendor::Xai, "grok-4", Some(1_792)),
            (Vendor::Openrouter, "openai/gpt-4o", None),
            (Vendor::Other, "llava", None),
        ] {
            let mut model = model(vendor, name);
            assert_eq!(image_tokens(&model), expected, "{vendor} {name}");
            model.media.image = Some(7);
            assert_eq!(image_tokens(&model), Some(7));
            assert_eq!(document_tokens(&model), None);
            model.media.document = Some(9);
            assert_eq!(document_tokens(&model), Some(9));
        }
    }
}
