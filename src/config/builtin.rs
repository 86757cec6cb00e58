//! The providers that need no listing: vendors exist with their keys, `oss` and `simulator` when they are switched on.
//! And the models that come with the environment's names for them.

use gateway_actors::protocol::{Alias, Capabilities, Capability, Dialect, Layer, MediaTokens, Model, Price, Vendor};
use url::Url;

use super::catalogue::Draft;
use super::kind::ProviderKind;
use super::models::check_limits;
use super::openrouter::OpenRouterSettings;
use super::problem::Report;
use super::provider::{ProviderSettings, default_base_url};
use super::providers::Providers;
use super::reader::{Environment, Reader, key};
use super::value::{base_url, integer, name, names, switch};
use super::vendors::{self, VendorVariables};

/// What a built-in provider of this name comes into being with; nothing if no such name is taken.
pub(super) fn needs(name: &str) -> Option<String> {
    match name {
        "oss" => Some("OSS_MODEL_ENABLED=true".to_owned()),
        "simulator" => Some("SIMULATOR_ENABLED=true".to_owned()),
        _ => vendors::needs(name),
    }
}

/// What is assumed of a model that is only named: a small window, so that nothing is sent that does not fit.
const ASSUMED_WINDOW: u32 = 32_768;
const ASSUMED_MAX_OUTPUT: u32 = 4_096;

/// `[openrouter]`, `[oss]`, `[simulator]` and the environment's names for them.
#[derive(Debug)]
pub(super) struct Builtins {
    /// `OPENAI_BASE_URL` and its like.
    pub(super) vendors: VendorVariables,
    pub(super) openrouter: OpenRouterSettings,
    fallback_models: Vec<String>,
    replace_openai: Option<String>,
    replace_claude: Option<String>,
    oss_enabled: bool,
    oss_endpoint: Option<Url>,
    oss_model: Option<String>,
    oss_window: u32,
    oss_max_output: u32,
    simulator_enabled: bool,
}

impl Default for Builtins {
    fn default() -> Self {
        Self {
            vendors: VendorVariables::default(),
            openrouter: OpenRouterSettings::default(),
            fallback_models: Vec::new(),
            replace_openai: None,
            replace_claude: None,
            oss_enabled: false,
            oss_endpoint: default_base_url(ProviderKind::Ollama),
            oss_model: None,
            oss_window: 8_192,
            oss_max_output: 4_096,
            simulator_enabled: false,
        }
    }
}

impl Builtins {
    pub(super) fn read_openrouter(&mut self, reader: &mut Reader<'_>) {
        let fallback = key("fallback_models").or_variable("OPENROUTER_FALLBACK_MODELS");
        reader.set(fallback, &mut self.fallback_models, names);
        let openai = key("replace_openai").or_variable("OPENROUTER_REPLACE_OPENAI");
        reader.set_some(openai, &mut self.replace_openai, name);
        let claude = key("replace_claude").or_variable("OPENROUTER_REPLACE_CLAUDE");
        reader.set_some(claude, &mut self.replace_claude, name);
        self.openrouter.read(reader);
    }

    pub(super) fn read_oss(&mut self, reader: &mut Reader<'_>) {
        let enabled = key("enabled").or_variable("OSS_MODEL_ENABLED");
        reader.set(enabled, &mut self.oss_enabled, switch);
        let endpoint = key("endpoint").or_variable("OSS_MODEL_ENDPOINT");
        reader.set_some(endpoint, &mut self.oss_endpoint, base_url);
        let model = key("model").or_variable("OSS_MODEL_NAME");
        reader.set_some(model, &mut self.oss_model, name);
        let any_tokens = || integer::<u32>(1..=u64::from(u32::MAX));
        let window = reader.optional(key("context_window"), any_tokens());
        let max_output = reader.optional(key("max_output_tokens"), any_tokens());
        let is_window_known = window.is_some() || !reader.has(key("context_window"));
        self.oss_window = window.unwrap_or(self.oss_window);
        self.oss_max_output = max_output.unwrap_or(self.oss_max_output);
        // Where only the window is written, the default of the other is cut to it.
        if let (Some(max_output), true) = (max_output, is_window_known) {
            check_limits(self.oss_window, max_output, reader);
        }
    }

    pub(super) fn read_simulator(&mut self, reader: &mut Reader<'_>) {
        let enabled = key("enabled").or_variable("SIMULATOR_ENABLED").or_flag("--simulator");
        reader.set(enabled, &mut self.simulator_enabled, switch);
    }
}

/// Adds the built-in providers that exist.
pub(super) fn add_providers(
    providers: &mut Providers,
    builtins: &Builtins,
    environment: &Environment,
    report: &mut Report,
) {
    vendors::add_providers(providers, environment, report);
    if let (true, Some(endpoint)) = (builtins.oss_enabled, &builtins.oss_endpoint) {
        // Ollama's own address has no path; another server is given with the path of its OpenAI endpoints.
        let kind = match endpoint.path() {
            "" | "/" => ProviderKind::Ollama,
            _ => ProviderKind::OpenaiCompatible,
        };
        let settings = ProviderSettings {
            base_url: Some(endpoint.clone()),
            ..ProviderSettings::new("oss", kind)
        };
        providers.add_builtin("OSS_MODEL_ENDPOINT".to_owned(), settings);
    }
    if builtins.simulator_enabled {
        let settings = ProviderSettings::new("simulator", ProviderKind::Simulator);
        providers.add_builtin("simulator.enabled".to_owned(), settings);
    }
}

/// Adds the models that are only named, and returns the aliases that replace an absent vendor's models.
pub(super) fn add_models(
    draft: &mut Draft,
    builtins: &Builtins,
    providers: &Providers,
    report: &mut Report,
) -> Vec<Alias> {
    let mut replacements = Vec::new();
    add_oss_model(draft, builtins, providers, report);
    if !providers.is_usable("openrouter") {
        if !builtins.fallback_models.is_empty() {
            let message = "has no effect without OPENROUTER_API_KEY";
            report.warn("OPENROUTER_FALLBACK_MODELS", message);
        }
        return replacements;
    }
    for api_model in &builtins.fallback_models {
        if !draft.has("openrouter", api_model) {
            draft.add(named_model(providers, "openrouter", api_model, Layer::L0));
        }
    }
    for (vendor, pattern, target) in [
        ("openai", "gpt-*", &builtins.replace_openai),
        ("anthropic", "claude-*", &builtins.replace_claude),
    ] {
        let Some(target) = target else { continue };
        if providers.is_usable(vendor) {
            continue;
        }
        if !draft.has("openrouter", target) {
            // What a named replacement costs is unknown: it belongs neither to the cheap layers nor to the premium.
            draft.add(named_model(providers, "openrouter", target, Layer::L2));
        }
        replacements.push(Alias {
            pattern: pattern.into(),
            target: draft.id_of("openrouter", target),
        });
    }
    replacements
}

fn add_oss_model(draft: &mut Draft, builtins: &Builtins, providers: &Providers, report: &mut Report) {
    if !builtins.oss_enabled {
        return;
    }
    match &builtins.oss_model {
        Some(api_model) if providers.is_usable("oss") => {
            if !draft.has("oss", api_model) {
                draft.add(Model {
                    context_window: builtins.oss_window,
                    max_output_tokens: builtins.oss_max_output.min(builtins.oss_window),
                    price: Some(Price::FREE),
                    ..named_model(providers, "oss", api_model, Layer::L0)
                });
            }
        }
        Some(_) => {}
        None if draft.has_provider("oss") => {}
        None => report.problem("OSS_MODEL_ENABLED", "needs OSS_MODEL_NAME, for example llama3:8b"),
    }
}

/// A model of which nothing is known but its name. OpenRouter's free variants end in `:free`.
fn named_model(providers: &Providers, provider: &str, api_model: &str, layer: Layer) -> Model {
    let capabilities: Capabilities = [Capability::Chat, Capability::Code].into_iter().collect();
    let settings = providers.configured(provider);
    Model {
        id: api_model.into(),
        provider: provider.into(),
        vendor: settings.map_or(Vendor::Other, ProviderSettings::vendor),
        api_model: api_model.into(),
        dialect: settings.map_or(Dialect::OpenaiChat, |it| it.kind.dialect()),
        layer,
        capabilities,
        context_window: ASSUMED_WINDOW,
        max_output_tokens: ASSUMED_MAX_OUTPUT,
        price: api_model.ends_with(":free").then_some(Price::FREE),
        media: MediaTokens::default(),
    }
}
