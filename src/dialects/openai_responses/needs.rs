//! What a request needs of a model, as far as it can be told without reading it whole.

use gateway_actors::protocol::{Capabilities, Capability, GatewayError, Needs};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::measure::text_bytes;
use super::scan::Scan;
use super::{BYTES_PER_TOKEN_AT_MOST, TOKENS_PER_ITEM};
use crate::dialects::json::{is_non_empty_container, text};

/// What the request needs of a model.
pub(super) fn needs(json: &str, found: &Scan<'_>) -> Result<Needs, GatewayError> {
    let input = found.input.unwrap_or_default();
    let mut capabilities = Capabilities::NONE;
    if input.has_tools || found.tools.is_some_and(is_non_empty_container) {
        capabilities = capabilities.with(Capability::Tools);
    }
    if found.text.is_some_and(asks_for_json) {
        capabilities = capabilities.with(Capability::Json);
    }
    if input.has_images {
        capabilities = capabilities.with(Capability::Vision);
    }
    let instructions = found.instructions.map_or(0, text_bytes);
    Ok(Needs {
        capabilities,
        // The instructions are a message of their own.
        input_bound: json.len() as u64 + (input.count + 1) * TOKENS_PER_ITEM,
        input_estimate: (input.text_bytes + instructions) / BYTES_PER_TOKEN_AT_MOST,
        max_output: max_output(found.max_output_tokens)?,
        answers: 1,
    })
}

/// Whether a `text` asks for JSON. One that cannot be read asks for nothing: the provider judges it.
fn asks_for_json(config: &RawValue) -> bool {
    #[derive(Deserialize, Default)]
    struct Config<'a> {
        #[serde(borrow)]
        format: Option<&'a RawValue>,
    }
    #[derive(Deserialize, Default)]
    struct Format<'a> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'a RawValue>,
    }
    let config: Config<'_> = serde_json::from_str(config.get()).unwrap_or_default();
    let format = config.format.map(RawValue::get).unwrap_or("{}");
    let format: Format<'_> = serde_json::from_str(format).unwrap_or_default();
    format.kind.and_then(text).is_some_and(|kind| kind.starts_with("json"))
}

/// A number of tokens, from 1, that may be absent or `null`.
fn max_output(value: Option<&RawValue>) -> Result<Option<u32>, GatewayError> {
    let Some(value) = value.map(RawValue::get).filter(|&value| value != "null") else {
        return Ok(None);
    };
    match value.parse() {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(GatewayError::invalid(
            "max_output_tokens",
            format!("`max_output_tokens` must be a whole number from 1 to {}", u32::MAX),
        )),
    }
}
