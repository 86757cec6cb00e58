//! Reads `[[models]]` and `[aliases]`.

use std::fmt;
use std::str::FromStr;

use gateway_actors::protocol::{Capabilities, Capability, Dialect, Layer, MediaTokens, Model, Vendor};
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::price::read_price;
use super::problem::{Report, quoted};
use super::reader::{Reader, in_order, key, shown_key};
use super::value::{Written, date, integer, name, switch, text, word};

/// One entry of `[[models]]`.
#[derive(Debug)]
pub(super) struct WrittenModel {
    pub(super) id: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) api_model: Option<String>,
    /// The whole but for its dialect, which its provider's kind tells; nothing where a part of it is missing or cannot
    /// be, which was reported.
    pub(super) model: Option<Model>,
    /// In which of OpenAI's dialects it is asked, if that is written, and where.
    pub(super) api: Option<(OpenaiApi, String)>,
    pub(super) place: String,
    pub(super) is_enabled: bool,
    pub(super) is_shipped: bool,
}

/// One of OpenAI's APIs in which a model can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenaiApi {
    /// Chat completions.
    Chat,
    /// Responses.
    Responses,
}

impl FromStr for OpenaiApi {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "chat" => Ok(Self::Chat),
            "responses" => Ok(Self::Responses),
            _ => Err("be chat or responses"),
        }
    }
}

impl fmt::Display for OpenaiApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
        })
    }
}

/// One entry of `[aliases]`.
#[derive(Debug)]
pub(super) struct WrittenAlias {
    pub(super) pattern: String,
    /// The names of models, of which it stands for the first that there is.
    pub(super) targets: Vec<String>,
    pub(super) place: String,
    pub(super) is_shipped: bool,
}

/// Reads one model, or as much of it as can be read.
pub(super) fn read_model(reader: &mut Reader<'_>) -> WrittenModel {
    let any_tokens = || integer::<u32>(1..=u64::from(u32::MAX));
    let place = reader.place();
    let id = reader.required(key("id"), model_id);
    let provider = reader.required(key("provider"), name);
    let is_named = reader.has(key("api_model"));
    let written_name = reader.optional(key("api_model"), text);
    let api_model = if is_named { written_name } else { id.clone() };
    let api: Option<OpenaiApi> = reader.optional(key("api"), word);
    let api = api.map(|api| (api, reader.place_of(key("api"))));
    let layer: Option<Layer> = reader.required(key("layer"), word);
    let capabilities = reader.required(key("capabilities"), capabilities);
    let context_window = reader.required(key("context_window"), any_tokens());
    let max_output_tokens = reader.required(key("max_output_tokens"), any_tokens());
    let price = read_price(reader, context_window);
    let media = MediaTokens {
        image: reader.optional(key("max_image_tokens"), any_tokens()),
        document: reader.optional(key("max_document_tokens"), any_tokens()),
    };
    // For people who keep the catalogue up to date; checked so that a typo shows.
    reader.optional(key("price_source"), text);
    reader.optional(key("price_date"), date);
    let is_enabled = reader.optional(key("enabled"), switch).unwrap_or(true);
    let limits = context_window.zip(max_output_tokens);
    if let Some((context_window, max_output_tokens)) = limits {
        check_limits(context_window, max_output_tokens, reader);
    }
    let names = (id.as_deref(), provider.as_deref(), api_model.as_deref());
    let model = match (names, layer, capabilities, limits) {
        ((Some(id), Some(provider), Some(api_model)), Some(layer), Some(capabilities), Some(limits)) => Some(Model {
            id: id.into(),
            provider: provider.into(),
            api_model: api_model.into(),
            // Until its provider is known.
            dialect: Dialect::OpenaiChat,
            vendor: Vendor::Other,
            layer,
            capabilities,
            context_window: limits.0,
            max_output_tokens: limits.1,
            price,
            media,
        }),
        _ => None,
    };
    WrittenModel {
        id,
        provider,
        api_model,
        model,
        api,
        place,
        is_enabled,
        is_shipped: reader.is_shipped(),
    }
}

/// Reports an answer that is longer than all that fits into the model.
pub(super) fn check_limits(context_window: u32, max_output_tokens: u32, reader: &mut Reader<'_>) {
    if max_output_tokens > context_window {
        let place = reader.place_of(key("max_output_tokens"));
        let message = format!("must be at most context_window, which is {context_window}");
        reader.report.problem(place, message);
    }
}

/// Whether a model may have this id: a name that asks for no layer.
#[must_use]
pub fn is_model_id(id: &str) -> bool {
    model_id(Written::Text(id)).is_ok()
}

fn model_id(written: Written<'_>) -> Result<String, String> {
    let id = name(written)?;
    if id == "auto" || id.parse::<Layer>().is_ok() {
        return Err("be another name: auto and L0 to L3 ask for a layer".to_owned());
    }
    Ok(id)
}

fn capabilities(written: Written<'_>) -> Result<Capabilities, String> {
    let words: Vec<&str> = Capability::ALL.iter().map(|capability| capability.as_str()).collect();
    let wanted = || format!("be a list of at least one of {}", words.join(", "));
    let Written::Toml(DeValue::Array(items)) = written else {
        return Err(wanted());
    };
    let parse = |item: &toml::Spanned<DeValue<'_>>| item.get_ref().as_str().and_then(|word| word.parse().ok());
    let capabilities: Option<Capabilities> = items.iter().map(parse).collect();
    capabilities.filter(|found| !found.is_empty()).ok_or_else(wanted)
}

/// Reads `[aliases]`, in the order of the file, which is the order of precedence.
pub(super) fn read_aliases(document: &Document<'_>, table: &DeTable<'_>, report: &mut Report) -> Vec<WrittenAlias> {
    let mut aliases = Vec::new();
    for (pattern, target) in in_order(table) {
        let place = document.place(pattern.span(), &format!("aliases.{}", shown_key(pattern.get_ref())));
        let pattern = match model_id(Written::Text(pattern.get_ref())) {
            Ok(pattern) => pattern,
            Err(message) => {
                report.problem(place, format!("the alias must {message}"));
                continue;
            }
        };
        match targets(target.get_ref()) {
            Ok(targets) => aliases.push(WrittenAlias {
                pattern,
                targets,
                place,
                is_shipped: document.is_shipped,
            }),
            Err(message) => {
                report.problem(
                    place,
                    format!("must {message}: the name of a model, or a list of names"),
                );
            }
        }
    }
    aliases
}

fn targets(written: &DeValue<'_>) -> Result<Vec<String>, String> {
    match written {
        DeValue::Array(items) if !items.is_empty() => {
            items.iter().map(|item| text(Written::Toml(item.get_ref()))).collect()
        }
        one => text(Written::Toml(one)).map(|name| vec![name]),
    }
}

/// Reports ids that more than one model has; each further model is left out.
pub(super) fn drop_duplicates(models: &mut Vec<WrittenModel>, report: &mut Report) {
    let mut first_places = std::collections::HashMap::new();
    models.retain(|written| {
        let Some(id) = &written.id else { return true };
        match first_places.get(id) {
            None => {
                first_places.insert(id.clone(), written.place.clone());
                true
            }
            Some(first) => {
                let message = format!("the id {} is taken by {first}; give each model its own", quoted(id));
                report.problem(written.place.clone(), message);
                false
            }
        }
    });
}
