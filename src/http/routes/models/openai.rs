//! Models in OpenAI's shape, with what the gateway knows of each beside it.

use std::sync::Arc;

use actix_web::HttpResponse;
use gateway_actors::protocol::{Capability, Layer, LongContext, Model, PicoUsdPerToken, Price, Rates};
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Prices {
    #[serde(flatten)]
    rates: UsdPerMtok,
    /// What holds instead for the whole of a request with a long input; null if it costs what others do.
    long_context: Option<LongContextPrices>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LongContextPrices {
    above_tokens: u64,
    #[serde(flatten)]
    rates: UsdPerMtok,
}

/// USD per million tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsdPerMtok {
    input_usd_per_mtok: Box<RawValue>,
    cached_input_usd_per_mtok: Box<RawValue>,
    cache_write_5m_usd_per_mtok: Box<RawValue>,
    cache_write_1h_usd_per_mtok: Box<RawValue>,
    output_usd_per_mtok: Box<RawValue>,
    reasoning_usd_per_mtok: Box<RawValue>,
}

/// These models.
pub(super) fn list(shared: &Shared, models: &[Arc<Model>]) -> Result<HttpResponse, Failure> {
    let entries = models.iter().map(|model| entry(model, shared.started_unix()));
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
        rates: rates(&price.rates)?,
        long_context: price.long_context.as_ref().map(long_context).transpose()?,
    })
}

fn long_context(long: &LongContext) -> Result<LongContextPrices, Failure> {
    Ok(LongContextPrices {
        above_tokens: long.above,
        rates: rates(&long.rates)?,
    })
}

fn rates(rates: &Rates) -> Result<UsdPerMtok, Failure> {
    Ok(UsdPerMtok {
        input_usd_per_mtok: usd_per_mtok(rates.input)?,
        cached_input_usd_per_mtok: usd_per_mtok(rates.cached_input)?,
        cache_write_5m_usd_per_mtok: usd_per_mtok(rates.cache_write_5m)?,
        cache_write_1h_usd_per_mtok: usd_per_mtok(rates.cache_write_1h)?,
        output_usd_per_mtok: usd_per_mtok(rates.output)?,
        reasoning_usd_per_mtok: usd_per_mtok(rates.reasoning)?,
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

    #[test]
    fn every_part_of_a_price_is_told() {
        let at = |price: Price| serde_json::to_string(&prices(price).unwrap()).unwrap();
        let mtok = |usd: u64| PicoUsdPerToken(usd * 1_000_000);
        let mut price = Price::plain(mtok(3), PicoUsdPerToken(300_000), mtok(15));
        assert_eq!(
            at(price),
            r#"{"inputUsdPerMtok":3,"cachedInputUsdPerMtok":0.3,"cacheWrite5mUsdPerMtok":3,"cacheWrite1hUsdPerMtok":3,"outputUsdPerMtok":15,"reasoningUsdPerMtok":15,"longContext":null}"#
        );
        price.long_context = Some(LongContext {
            above: 200_000,
            rates: Rates {
                input: mtok(6),
                cached_input: mtok(1),
                cache_write_5m: PicoUsdPerToken(7_500_000),
                cache_write_1h: mtok(12),
                output: mtok(22),
                reasoning: mtok(23),
            },
        });
        let text = at(price);
        assert!(
            text.ends_with(r#""longContext":{"aboveTokens":200000,"inputUsdPerMtok":6,"cachedInputUsdPerMtok":1,"cacheWrite5mUsdPerMtok":7.5,"cacheWrite1hUsdPerMtok":12,"outputUsdPerMtok":22,"reasoningUsdPerMtok":23}}"#),
            "{text}"
        );
    }
}
