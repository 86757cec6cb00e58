//! The models of a measurement: layer, price and window, as a file tells them.
//!
//! ```json
//! {"models": {"gpt-4o-mini-2024-07-18": {"tier": "L1", "input_usd_per_mtok": 0.15, "output_usd_per_mtok": 0.6, "context_window": 128000}}}
//! ```
//!
//! Other members are let pass: they are for people.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gateway_actors::protocol::{
    Capabilities, Capability, Dialect, Layer, MediaTokens, Model, PicoUsdPerToken, Price, Vendor,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::error::EvalError;

/// A window that is not told: the recorded questions did fit.
const ANY_WINDOW: u32 = 1_000_000;
/// More than any recorded answer has.
const MOST_OUTPUT: u32 = 65_536;
/// What a million tokens may cost at most, in USD: a larger number is a slip of units.
const MOST_USD: f64 = 1_000_000.0;

#[derive(Deserialize)]
struct File {
    models: Entries,
}

/// The entries, none of them twice.
struct Entries(BTreeMap<String, Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of models")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, entry)) = map.next_entry::<String, Entry>()? {
                    if entries.contains_key(&name) {
                        return Err(A::Error::custom(format!("the model {name:?} is there twice")));
                    }
                    entries.insert(name, entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

#[derive(Deserialize)]
struct Entry {
    tier: Layer,
    input_usd_per_mtok: f64,
    output_usd_per_mtok: f64,
    #[serde(default)]
    context_window: Option<u32>,
}

/// Reads the models, the cheapest layer first, in it the cheapest model.
///
/// # Errors
/// When the file cannot be read, is not of this form, or has no model or a price that is none.
pub(super) fn read(path: &Path) -> Result<Vec<Model>, EvalError> {
    let text = std::fs::read(path).map_err(EvalError::file(path))?;
    let file: File = serde_json::from_slice(&text).map_err(|error| {
        let problem = format!(
            "it must be an object {{\"models\": {{NAME: {{\"tier\", \"input_usd_per_mtok\", \"output_usd_per_mtok\", \
             \"context_window\"}}}}}}: {error}"
        );
        EvalError::line(path, error.line(), problem)
    })?;
    let mut models = Vec::with_capacity(file.models.0.len());
    for (name, entry) in file.models.0 {
        let price = price(&entry).map_err(|field| {
            let problem = format!("`models.{name}.{field}` must be a price in USD for a million tokens, 0 or more");
            EvalError::whole(path, problem)
        })?;
        if entry.context_window == Some(0) {
            let problem = format!("`models.{name}.context_window` must be a number of tokens, 1 or more");
            return Err(EvalError::whole(path, problem));
        }
        models.push(model(&name, &entry, price));
    }
    if models.is_empty() {
        return Err(EvalError::whole(
            path,
            "`models` is empty: name the models of the outcomes",
        ));
    }
    models.sort_by_cached_key(|model| {
        let rates = model.price.map(|price| (price.rates.output.0, price.rates.input.0));
        (model.layer, rates, Arc::clone(&model.api_model))
    });
    Ok(models)
}

fn price(entry: &Entry) -> Result<Price, &'static str> {
    let pico = |field: &'static str, usd: f64| {
        if !(0.0..=MOST_USD).contains(&usd) {
            return Err(field);
        }
        // 1 USD for a million tokens is a million pico-USD for one; in range, as was just looked at.
        Ok(PicoUsdPerToken((usd * 1e6).round() as u64))
    };
    let input = pico("input_usd_per_mtok", entry.input_usd_per_mtok)?;
    let output = pico("output_usd_per_mtok", entry.output_usd_per_mtok)?;
    Ok(Price::plain(input, input, output))
}

/// Each model is at a provider of its own, so that no model's trouble is another's.
fn model(name: &str, entry: &Entry, price: Price) -> Model {
    let name: Arc<str> = name.into();
    Model {
        id: (&*name).into(),
        provider: format!("recorded-{name}").as_str().into(),
        vendor: Vendor::Other,
        api_model: name,
        dialect: Dialect::OpenaiChat,
        layer: entry.tier,
        capabilities: Capabilities::NONE.with(Capability::Chat),
        context_window: entry.context_window.unwrap_or(ANY_WINDOW),
        max_output_tokens: MOST_OUTPUT,
        price: Some(price),
        media: MediaTokens::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Model>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.json");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|error| {
            assert_eq!(error.exit_code(), 65);
            let text = error.to_string();
            text.split_once("models.json").unwrap().1.to_owned()
        })
    }

    #[test]
    fn models_are_read_the_cheapest_first() {
        let models = read_text(
            r#"{"currency": "USD", "models": {
                "big": {"tier": "L2", "input_usd_per_mtok": 2.5, "output_usd_per_mtok": 10, "context_window": 1000, "note": 1},
                "mid": {"tier": "L0", "input_usd_per_mtok": 0.2, "output_usd_per_mtok": 0.2, "context_window": null},
                "small": {"tier": "L0", "input_usd_per_mtok": 0.05, "output_usd_per_mtok": 0.08}}}"#,
        )
        .unwrap();
        let names: Vec<&str> = models.iter().map(|model| &*model.api_model).collect();
        assert_eq!(names, ["small", "mid", "big"]);
        let price = models[0].price.unwrap().rates;
        assert_eq!((price.input.0, price.output.0), (50_000, 80_000));
        assert_eq!(
            (models[1].context_window, models[2].context_window),
            (ANY_WINDOW, 1_000)
        );
    }

    #[test]
    fn a_file_that_is_none_says_where() {
        let error = read_text("{\"models\": {\n\"a\": {\"tier\": \"L9\"}}}").unwrap_err();
        assert!(error.starts_with(", line 2: it must be an object"), "{error}");
        assert!(error.contains("L9"), "{error}");
        let error = read_text(r#"{"models": {}}"#).unwrap_err();
        assert_eq!(error, ": `models` is empty: name the models of the outcomes");
        for price in ["-1", "1e99"] {
            let text = format!(
                r#"{{"models": {{"a": {{"tier": "L0", "input_usd_per_mtok": 1, "output_usd_per_mtok": {price}}}}}}}"#
            );
            let error = read_text(&text).unwrap_err();
            assert!(
                error.starts_with(": `models.a.output_usd_per_mtok` must be a price"),
                "{error}"
            );
        }
        let entry = r#"{"tier": "L0", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1, "context_window": 0}"#;
        let error = read_text(&format!(r#"{{"models": {{"a": {entry}}}}}"#)).unwrap_err();
        assert_eq!(
            error,
            ": `models.a.context_window` must be a number of tokens, 1 or more"
        );
        let error = read_text(&format!(r#"{{"models": {{"a": {entry}, "a": {entry}}}}}"#)).unwrap_err();
        assert!(error.contains(r#"the model "a" is there twice"#), "{error}");
        let error = read_text(r#"{"models": {"a": {"tier": "L0", "input_usd_per_mtok": NaN}}}"#).unwrap_err();
        assert!(error.starts_with(", line 1"), "{error}");
    }
}
