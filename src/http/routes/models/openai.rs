//! Models in OpenAI's shape, with what the gateway knows of each beside it.

use actix_web::HttpResponse;
use gateway_actors::protocol::{Capability, Layer, Model, PicoUsdPerToken, Price};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::error::Failure;
use crate::http::respond::{json, raw_number};
use crate::http::shared::Shared;

const PICO_PER_TOKEN_IN_USD_PER_MTOK: u64 = 1_000_000;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    gateway: Details<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    layer: Layer,
    provider: &'a str,
    api_model: &'a str,
    capabilities: Vec<Capability>,
    context_window: u32,
    max_output_tokens: u32,
    /// Null when unknown, which is not the same as free.
    prices: Option<Prices>,
}

/// USD per million tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prices {
    input_usd_per_mtok: Box<RawValue>,
    cached_input_usd_per_mtok: Box<RawValue>,
    output_usd_per_mtok: Box<RawValue>,
}

/// All models.
pub(super) fn list(shared: &Shared) -> Result<HttpResponse, Failure> {
    let catalogue = shared.catalogue.load();
    let entries = catalogue
        .models()
        .iter()
        .map(|model| entry(model, shared.started_unix()));
    let data = entries.collect::<Result<_, _>>()?;
    json(&List { object: "list", data })
}

/// One model.
pub(super) fn one(model: &Model, shared: &Shared) -> Result<HttpResponse, Failure> {
    json(&entry(model, shared.started_unix())?)
}

/// The catalogue knows no dates, so that a model counts as created when the gateway started.
fn entry(model: &Model, created: u64) -> Result<Entry<'_>, Failure> {
    Ok(Entry {
        id: model.id.as_str(),
        object: "model",
        created,
        owned_by: model.provider.as_str(),
        gateway: Details {
            layer: model.layer,
            provider: model.provider.as_str(),
            api_model: &model.api_model,
            capabilities: model.capabilities.iter().collect(),
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            prices: model.price.map(prices).transpose()?,
        },
    })
}

fn prices(price: Price) -> Result<Prices, Failure> {
    Ok(Prices {
        input_usd_per_mtok: usd_per_mtok(price.rates.input)?,
        cached_input_usd_per_mtok: usd_per_mtok(price.rates.cached_input)?,
        output_usd_per_mtok: usd_per_mtok(price.rates.output)?,
    })
}

/// Exact: the decimal text is made from the integer.
fn usd_per_mtok(price: PicoUsdPerToken) -> Result<Box<RawValue>, Failure> {
    let whole = price.0 / PICO_PER_TOKEN_IN_USD_PER_MTOK;
    let fraction = price.0 % PICO_PER_TOKEN_IN_USD_PER_MTOK;
    if fraction == 0 {
        return raw_number(whole.to_string());
    }
    let digits = format!("{fraction:06}");
    raw_number(format!("{whole}.{}", digits.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_printed_exactly() {
        for (pico, text) in [
            (0, "0"),
            (150_000, "0.15"),
            (37_500, "0.0375"),
            (15_000_000, "15"),
            (1, "0.000001"),
        ] {
            assert_eq!(usd_per_mtok(PicoUsdPerToken(pico)).unwrap().get(), text);
        }
    }
}
