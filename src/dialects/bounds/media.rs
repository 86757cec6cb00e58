//! How many tokens something that is no text can be at most: what the operator says, else what the vendor documents.

use gateway_actors::protocol::{Model, Vendor};

use crate::dialects::openai_effort::is_of;

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

/// OpenAI's guide "Images and vision", "Model sizing behavior" and "Calculating costs", as of September 2026. These count at
/// most 1,536 patches of 32 pixels, the dearest of them, GPT-4.1 nano, 2.46 tokens for each; or 8 tiles of 512 pixels, the
/// dearest of those, GPT-4o and GPT-4.1, 85 tokens and 170 for each tile.
const OPENAI_4_IMAGE: u64 = 3_779;

/// GPT-4o mini has 2,833 tokens and 5,667 for each of at most 8 tiles (the same page).
const OPENAI_4O_MINI_IMAGE: u64 = 2_833 + 8 * 5_667;

/// GPT-5 to GPT-5.5 have at most 10,000 patches, with the detail `original` (the same page), here taken times the dearest
/// multiplier of any model: which one they have is not always what the page says.
const OPENAI_5_IMAGE: u64 = 24_600;

/// From GPT-5.6 on an image is not made smaller unless that is asked for, and refused beyond 30,000 patches (the same page,
/// "Image input requirements"); times the dearest multiplier of any model.
const OPENAI_LATER_IMAGE: u64 = 73_800;

/// Anthropic scales an image down to the most visual tokens of its model: 4,784 from Claude Opus 4.7 on, 1,568 before (guide
/// "Vision", as of September 2026).
const ANTHROPIC_IMAGE: u64 = 5_000;

/// Gemini 3: `MEDIA_RESOLUTION_ULTRA_HIGH` (guide "Media resolution", "Token counts", as it was with Gemini 3.5). Before, an
/// image is cut into as many tiles of 258 tokens as it has room for (guide "Image understanding"), and no page says how many
/// that can be; of later models the figures were not found.
const GEMINI_3_IMAGE: u64 = 2_240;

/// xAI: an image has 256 to 1,792 tokens (page "Consumption and rate limits" as it was with Grok 4.3, in spring 2026). The
/// page of later models says nothing of images.
const XAI_IMAGE: u64 = 1_792;

/// The most tokens of one image at this model; nothing if nobody says.
pub(super) fn image_tokens(model: &Model) -> Option<u64> {
    if let Some(said) = model.media.image {
        return Some(said.into());
    }
    let name = &*model.api_model;
    match model.vendor {
        Vendor::Openai if name.contains("4o-mini") => Some(OPENAI_4O_MINI_IMAGE),
        Vendor::Openai if is_of(name, OPENAI_4) => Some(OPENAI_4_IMAGE),
        Vendor::Openai if is_of(name, OPENAI_5) => Some(OPENAI_5_IMAGE),
        // Whatever else a deployment at Azure is called, it may be the dearest.
        Vendor::Openai => Some(OPENAI_LATER_IMAGE),
        Vendor::Anthropic => Some(ANTHROPIC_IMAGE),
        Vendor::Gemini => is_gemini_3(name).then_some(GEMINI_3_IMAGE),
        Vendor::Xai => is_of(name, XAI).then_some(XAI_IMAGE),
        _ => None,
    }
}

/// The most tokens of one document: nobody documents any, since it depends on its pages.
pub(super) fn document_tokens(model: &Model) -> Option<u64> {
    model.media.document.map(u64::from)
}

/// The families of models that the figures above are of.
const OPENAI_4: &[&str] = &["gpt-4o", "gpt-4.1", "gpt-4-turbo", "o1", "o3", "o4"];
const OPENAI_5: &[&str] = &["gpt-5", "gpt-5.1", "gpt-5.2", "gpt-5.3", "gpt-5.4", "gpt-5.5"];
/// Not `grok-4-latest`, which is another model each time.
const XAI: &[&str] = &[
    "grok-2-vision",
    "grok-4-0709",
    "grok-4-fast",
    "grok-4-1-fast",
    "grok-4.1",
    "grok-4.20",
    "grok-4.3",
];

fn is_gemini_3(name: &str) -> bool {
    let version = name.strip_prefix("gemini-").unwrap_or_default();
    version.split(['.', '-']).next() == Some("3")
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
            (Vendor::Openai, "gpt-4.1-nano-2025-04-14", Some(3_779)),
            (Vendor::Openai, "o4-mini", Some(3_779)),
            (Vendor::Openai, "gpt-5-mini", Some(24_600)),
            (Vendor::Openai, "gpt-5.5", Some(24_600)),
            (Vendor::Openai, "gpt-5.6-sol", Some(73_800)),
            (Vendor::Openai, "gpt-6", Some(73_800)),
            (Vendor::Openai, "my-deployment", Some(73_800)),
            (Vendor::Anthropic, "claude-opus-4-7", Some(5_000)),
            (Vendor::Gemini, "gemini-3.1-pro", Some(2_240)),
            (Vendor::Gemini, "gemini-3-flash-preview", Some(2_240)),
            (Vendor::Gemini, "gemini-4-argon", None),
            (Vendor::Gemini, "gemini-2.5-flash", None),
            (Vendor::Gemini, "gemini-flash-latest", None),
            (Vendor::Xai, "grok-4.3", Some(1_792)),
            (Vendor::Xai, "grok-4.20-0309-reasoning", Some(1_792)),
            (Vendor::Xai, "grok-4.7", None),
            (Vendor::Xai, "grok-4-latest", None),
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
