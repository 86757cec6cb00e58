//! `[openrouter]`: OpenRouter's list of models, as far as it stands in for an empty layer L0.

use std::time::Duration;

use super::kind::ProviderKind;
use super::provider::ProviderSettings;
use super::reader::{Reader, key};
use super::settings::Settings;
use super::value::{seconds, switch};

/// Whether and how often OpenRouter is asked for its free models. Only done while no configured model of layer L0 can
/// be used and there is an OpenRouter provider with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRouterSettings {
    /// Whether the best free models of OpenRouter's list make up layer L0 while it is empty. Default true.
    pub free_models: bool,
    /// How long a list is good for before the next is asked for, 1 s to 24 h. Default 1 h.
    pub free_models_ttl: Duration,
    /// How long after a question that brought no free model the next is asked, 1 s to 1 h. Default 60 s.
    pub free_models_retry: Duration,
}

impl Default for OpenRouterSettings {
    fn default() -> Self {
        Self {
            free_models: true,
            free_models_ttl: Duration::from_secs(3_600),
            free_models_retry: Duration::from_secs(60),
        }
    }
}

impl OpenRouterSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("free_models"), &mut self.free_models, switch);
        reader.set(key("free_models_ttl_s"), &mut self.free_models_ttl, seconds(1..=86_400));
        reader.set(
            key("free_models_retry_s"),
            &mut self.free_models_retry,
            seconds(1..=3_600),
        );
    }
}

impl ProviderSettings {
    /// Whether this is OpenRouter, with its key: then its list of models can be asked for free ones.
    #[must_use]
    pub fn lists_free_models(&self) -> bool {
        self.kind == ProviderKind::Openrouter && self.api_key.is_some()
    }
}

impl Settings {
    /// The provider whose free models make up layer L0 while no configured model does, if that is wanted.
    #[must_use]
    pub fn free_model_provider(&self) -> Option<&ProviderSettings> {
        let mut providers = self.providers.iter().filter(|_| self.openrouter.free_models);
        providers.find(|provider| provider.lists_free_models())
    }
}
