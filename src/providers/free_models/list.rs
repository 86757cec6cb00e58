//! OpenRouter's list of models: reads it, and chooses the best of those that cost nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use gateway_actors::protocol::{
    Capabilities, Capability, Dialect, Layer, MediaTokens, Model, Price, ProviderName, Vendor,
};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::is_model_id;

/// How many models a list may have.
const ENTRIES: usize = 10_000;

/// How many free models are taken.
const CHOSEN: usize = 5;

/// The output that is asked of a model whose limit is not told; a quarter of its window if that is less.
const ASSUMED_MAX_OUTPUT: u32 = 32_768;

/// Why a body is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is not JSON with a list in `data`.
    #[error("the answer is not a list of models")]
    Malformed,
    /// It names too many models to be one.
    #[error("the list has more than {ENTRIES} models")]
    TooLong,
}

/// The best free models of a list, best first: the larger window, then the more capabilities, then the id. Entries that
/// cannot be read are left out.
pub(super) fn choose(body: &[u8], provider: &ProviderName) -> Result<Vec<Model>, ListError> {
    let list: List = serde_json::from_slice(body).map_err(|_says_what_it_read| ListError::Malformed)?;
    let FreeEntries(entries) = list.data;
    let mut models: Vec<Model> = entries
        .ok_or(ListError::TooLong)?
        .into_iter()
        .filter_map(|entry| entry.into_model(provider))
        .collect();
    models.sort_by(|one, other| rank(one).cmp(&rank(other)));
    let mut seen = HashSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    models.truncate(CHOSEN);
    Ok(models)
}

fn rank(model: &Model) -> (Reverse<u32>, Reverse<usize>, &str) {
    let capabilities = model.capabilities.iter().count();
    (Reverse(model.context_window), Reverse(capabilities), model.id.as_str())
}

#[derive(Deserialize)]
struct List {
    data: FreeEntries,
}

/// The entries that cost nothing; nothing at all of a list that is too long. What costs something is not kept, so that
/// a long list takes little room.
struct FreeEntries(Option<Vec<Entry>>);

impl<'de> Deserialize<'de> for FreeEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = FreeEntries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of models")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FreeEntries, A::Error> {
        let mut free = Vec::new();
        for _ in 0..ENTRIES {
            let Some(text) = list.next_element::<&RawValue>()? else {
                return Ok(FreeEntries(Some(free)));
            };
            let entry = serde_json::from_str::<Entry>(text.get()).ok();
            free.extend(entry.filter(Entry::is_free));
        }
        let mut is_too_long = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_too_long = true;
        }
        Ok(FreeEntries((!is_too_long).then_some(free)))
    }
}

/// What the list tells of one model, as far as it matters here.
#[derive(Deserialize)]
struct Entry {
    id: String,
    context_length: Option<u64>,
    architecture: Option<Architecture>,
    pricing: BTreeMap<String, Value>,
    top_provider: Option<TopProvider>,
    supported_parameters: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Architecture {
    input_modalities: Option<Vec<String>>,
    output_modalities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
}

impl Entry {
    /// Every price is told to be 0, those of input and output among them.
    fn is_free(&self) -> bool {
        let has_both = ["prompt", "completion"]
            .iter()
            .all(|price| self.pricing.contains_key(*price));
        has_both && self.pricing.values().all(is_zero)
    }

    /// The model of layer L0; nothing if it does not answer texts with texts, or has no name or window to go by.
    fn into_model(self, provider: &ProviderName) -> Option<Model> {
        let architecture = self.architecture.as_ref();
        let inputs = architecture.and_then(|it| it.input_modalities.as_deref());
        let outputs = architecture.and_then(|it| it.output_modalities.as_deref());
        let is_for_text = has_or_untold(inputs, "text") && has_or_untold(outputs, "text");
        if !is_for_text || !is_model_id(&self.id) {
            return None;
        }
        let top = self.top_provider.as_ref();
        let windows = [self.context_length, top.and_then(|top| top.context_length)];
        let window = tokens(windows.into_iter().flatten().min()?)?;
        let told = top.and_then(|top| top.max_completion_tokens).and_then(tokens);
        let max_output = told.unwrap_or_else(|| ASSUMED_MAX_OUTPUT.min(window / 4).max(1));
        Some(Model {
            capabilities: self.capabilities(inputs),
            provider: provider.clone(),
            api_model: self.id.as_str().into(),
            dialect: Dialect::OpenaiChat,
            vendor: Vendor::Openrouter,
            layer: Layer::L0,
            context_window: window,
            max_output_tokens: max_output.min(window),
            price: Some(Price::FREE),
            media: MediaTokens::default(),
            id: self.id.as_str().into(),
        })
    }

    fn capabilities(&self, inputs: Option<&[String]>) -> Capabilities {
        let parameters = self.supported_parameters.as_deref().unwrap_or_default();
        let takes_any = |wanted: &[&str]| parameters.iter().any(|known| wanted.contains(&known.as_str()));
        let reads_images = inputs.is_some_and(|inputs| inputs.iter().any(|input| input == "image"));
        let told = [
            (Capability::Chat, true),
            (Capability::Code, true),
            (Capability::Reasoning, takes_any(&["reasoning", "include_reasoning"])),
            (Capability::Tools, takes_any(&["tools"])),
            (Capability::Json, takes_any(&["response_format", "structured_outputs"])),
            (Capability::Vision, reads_images),
        ];
        let has = told
            .into_iter()
            .filter_map(|(capability, has)| has.then_some(capability));
        has.collect()
    }
}

fn has_or_untold(modalities: Option<&[String]>, wanted: &str) -> bool {
    modalities.is_none_or(|told| told.iter().any(|modality| modality == wanted))
}

/// A number of tokens; 0 tells nothing.
fn tokens(told: u64) -> Option<u32> {
    let told = u32::try_from(told).unwrap_or(u32::MAX);
    (told > 0).then_some(told)
}

/// Whether a price is 0 in any plain spelling, as text or number. Anything else may cost something.
fn is_zero(price: &Value) -> bool {
    let text = match price {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return false,
    };
    text.contains('0') && text.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests;
