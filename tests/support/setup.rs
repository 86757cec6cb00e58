//! The settings of one gateway: what goes into its TOML file and its environment.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use super::provider::Provider;

/// A gateway's settings, built step by step. Nothing of the machine's own environment gets in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    toml: String,
    pub(super) env: BTreeMap<String, String>,
}

impl Setup {
    /// No provider, no model, no environment.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One free model in layer L0 for each provider, called `<provider>-small`, tried in this order.
    pub(crate) fn free_l0(providers: &[&Provider]) -> Self {
        let names: Vec<String> = providers
            .iter()
            .map(|provider| format!("{}-small", provider.name()))
            .collect();
        let mut setup = Self::new().env("CHAT_MODELS", &names.join(","));
        for (provider, name) in providers.iter().zip(&names) {
            setup = setup.provider(provider).model(&Model::free(name, provider));
        }
        setup
    }

    /// Adds a provider without a key.
    pub(crate) fn provider(self, provider: &Provider) -> Self {
        self.provider_with(provider, "")
    }

    /// Adds a provider, with further lines of settings.
    pub(crate) fn provider_with(self, provider: &Provider, more: &str) -> Self {
        self.provider_kind(provider, "openai-compatible", more)
    }

    /// Adds a provider under any word for its kind, at the base URL that goes with it, with further lines of settings.
    pub(crate) fn provider_kind(self, provider: &Provider, kind: &str, more: &str) -> Self {
        let name = provider.name();
        let base_url = match kind {
            // To these the gateway adds the version of the interface by itself.
            "anthropic" | "ollama" => format!("http://{}", provider.address()),
            "gemini" => format!("http://{}/v1beta", provider.address()),
            _ => provider.base_url(),
        };
        self.toml(&format!(
            "[[providers]]\nname = \"{name}\"\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\n{more}\n"
        ))
    }

    /// Adds a model.
    pub(crate) fn model(self, model: &Model) -> Self {
        self.toml(&model.to_toml())
    }

    /// Leads all that has been said so far to be at one address to another: something is put in between.
    pub(crate) fn through(mut self, from: SocketAddr, to: SocketAddr) -> Self {
        let (from, to) = (format!("//{from}"), format!("//{to}"));
        assert!(self.toml.contains(&from), "nothing is at {from}");
        self.toml = self.toml.replace(&from, &to);
        self
    }

    /// Adds these lines to the file.
    pub(crate) fn toml(mut self, lines: &str) -> Self {
        self.toml.push_str(lines);
        self.toml.push('\n');
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What an environment variable was set to.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// The whole file.
    pub(super) fn file(&self) -> &str {
        &self.toml
    }
}

/// One `[[models]]` entry.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    id: String,
    provider: String,
    api_model: String,
    layer: &'static str,
    window: u32,
    usd_per_mtok: (&'static str, &'static str),
    more: String,
}

impl Model {
    /// A model of layer L0 that costs nothing and that its provider calls `<id>-api`.
    pub(crate) fn free(id: &str, provider: &Provider) -> Self {
        Self {
            id: id.to_owned(),
            provider: provider.name().to_owned(),
            api_model: format!("{id}-api"),
            layer: "L0",
            window: 128_000,
            usd_per_mtok: ("0", "0"),
            more: String::new(),
        }
    }

    /// The same model at a price: USD per million tokens of input and of output.
    pub(crate) fn priced(mut self, input: &'static str, output: &'static str) -> Self {
        self.usd_per_mtok = (input, output);
        self
    }

    /// The same model under another name at its provider.
    pub(crate) fn api_model(mut self, name: &str) -> Self {
        name.clone_into(&mut self.api_model);
        self
    }

    /// The same model in another layer.
    pub(crate) fn layer(mut self, layer: &'static str) -> Self {
        self.layer = layer;
        self
    }

    /// The same model with another context window.
    pub(crate) fn window(mut self, tokens: u32) -> Self {
        self.window = tokens;
        self
    }

    /// The same model with further lines of settings.
    pub(crate) fn more(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    fn to_toml(&self) -> String {
        let Self {
            id,
            provider,
            api_model,
            layer,
            window,
            usd_per_mtok: (input, output),
            more,
        } = self;
        let mut text = String::from("[[models]]\n");
        writeln!(
            text,
            "id = \"{id}\"\nprovider = \"{provider}\"\napi_model = \"{api_model}\""
        )
        .unwrap();
        writeln!(
            text,
            "layer = \"{layer}\"\ncontext_window = {window}\nmax_output_tokens = {}",
            window / 2
        )
        .unwrap();
        writeln!(
            text,
            "capabilities = [\"chat\", \"code\", \"reasoning\", \"tools\", \"json\", \"vision\"]"
        )
        .unwrap();
        writeln!(text, "input_usd_per_mtok = {input}\noutput_usd_per_mtok = {output}").unwrap();
        text.push_str(more);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_toml_with_every_provider_and_model() {
        let alpha = Provider::start("alpha");
        let setup = Setup::free_l0(&[&alpha])
            .provider_with(&alpha, "timeouts = { first_byte_ms = 5 }")
            .model(&Model::free("paid", &alpha).priced("0.15", "2").layer("L1").window(10));
        let file: toml::Table = toml::from_str(setup.file()).unwrap();
        assert_eq!(
            file["providers"][0]["base_url"].as_str(),
            Some(alpha.base_url().as_str())
        );
        assert_eq!(file["providers"][1]["timeouts"]["first_byte_ms"].as_integer(), Some(5));
        assert_eq!(file["models"][0]["api_model"].as_str(), Some("alpha-small-api"));
        assert_eq!(file["models"][1]["input_usd_per_mtok"].as_float(), Some(0.15));
        assert_eq!(setup.env["CHAT_MODELS"], "alpha-small");
    }

    #[test]
    fn each_kind_of_provider_gets_the_base_url_that_goes_with_it_and_models_get_further_lines() {
        let alpha = Provider::start("alpha");
        let address = alpha.address();
        let model = Model::free("one", &alpha)
            .more("tools = false")
            .more("effort = \"low\"");
        let mut setup = Setup::new().model(&model);
        let kinds = [
            ("openai", format!("http://{address}/v1")),
            ("azure-openai", format!("http://{address}/v1")),
            ("anthropic", format!("http://{address}")),
            ("gemini", format!("http://{address}/v1beta")),
            ("ollama", format!("http://{address}")),
        ];
        for (kind, _) in &kinds {
            setup = setup.provider_kind(&alpha, kind, "max_in_flight = 3");
        }
        let file: toml::Table = toml::from_str(setup.file()).unwrap();
        for (place, (kind, base_url)) in kinds.iter().enumerate() {
            let provider = &file["providers"][place];
            assert_eq!(provider["kind"].as_str(), Some(*kind));
            assert_eq!(provider["base_url"].as_str(), Some(base_url.as_str()));
            assert_eq!(provider["max_in_flight"].as_integer(), Some(3));
        }
        assert_eq!(file["models"][0]["tools"].as_bool(), Some(false));
        assert_eq!(file["models"][0]["effort"].as_str(), Some("low"));
    }
}
