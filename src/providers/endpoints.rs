//! Where a provider has what: its address, and the path of each operation in each dialect.

use awc::http::Uri;
use gateway_actors::protocol::{Dialect, Model, Operation};
use url::{Position, Url};

use super::BuildError;
use crate::config::{AzureApi, ProviderKind, ProviderSettings};

/// The address of one provider.
#[derive(Debug)]
pub(super) struct Endpoints {
    base: Url,
    kind: ProviderKind,
    azure: AzureApi,
}

impl Endpoints {
    /// The address in a provider's settings.
    pub(super) fn of(settings: &ProviderSettings) -> Result<Self, BuildError> {
        let wrong = |problem| BuildError::BaseUrl {
            provider: settings.name.clone(),
            problem,
        };
        let base = settings.base_url.clone().ok_or_else(|| BuildError::NoBaseUrl {
            provider: settings.name.clone(),
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("must start with http:// or https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong(
                "must not hold a user or password: name the key's variable in api_key_env",
            ));
        }
        let endpoints = Self {
            base,
            kind: settings.kind,
            azure: settings.azure_api.clone(),
        };
        // What comes behind it never makes an address wrong that was right.
        if to_uri(&endpoints.base).is_none() {
            return Err(wrong("is not an address that can be called"));
        }
        Ok(endpoints)
    }

    /// The host and port, as a `Host` header names them.
    pub(super) fn authority(&self) -> &str {
        self.base.authority()
    }

    /// Where the provider lists its models.
    pub(super) fn models(&self) -> Option<Uri> {
        to_uri(&match self.kind {
            ProviderKind::Anthropic => self.at("/v1/models"),
            ProviderKind::Ollama => self.at("/api/tags"),
            ProviderKind::AzureOpenai => match &self.azure {
                AzureApi::V1 => self.at("/openai/v1/models"),
                AzureApi::Dated(version) => with_query(self.at("/openai/models"), "api-version", version),
            },
            _ => self.at("/models"),
        })
    }

    /// Whether the path of an operation has the model's name in it.
    pub(super) fn names_the_model(&self, dialect: Dialect) -> bool {
        dialect == Dialect::Gemini || self.kind == ProviderKind::AzureOpenai
    }

    /// Where a model is asked for something; nothing if providers of this kind cannot be asked for it.
    pub(super) fn of_call(&self, model: &Model, operation: Operation, stream: bool) -> Option<Uri> {
        let path = match (model.dialect, operation) {
            (Dialect::Gemini, operation) => return to_uri(&self.gemini(&model.api_model, operation, stream)?),
            (Dialect::OpenaiChat, Operation::Generate) => "/chat/completions",
            (Dialect::OpenaiResponses, Operation::Generate) => "/responses",
            (Dialect::OpenaiChat | Dialect::OpenaiResponses, Operation::CompleteText) => "/completions",
            (Dialect::OpenaiChat | Dialect::OpenaiResponses, Operation::Embed) => "/embeddings",
            (Dialect::AnthropicMessages, Operation::Generate) => "/v1/messages",
            (Dialect::AnthropicMessages, Operation::CountTokens) => "/v1/messages/count_tokens",
            (Dialect::Ollama, Operation::Generate) => "/api/chat",
            (Dialect::Ollama, Operation::Embed) => "/api/embed",
            (Dialect::Ollama, Operation::CompleteText) => "/v1/completions",
            (Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Ollama, Operation::CountTokens)
            | (Dialect::AnthropicMessages, Operation::CompleteText | Operation::Embed) => return None,
        };
        to_uri(&match self.kind {
            ProviderKind::AzureOpenai => self.azure(&model.api_model, path),
            _ => self.at(path),
        })
    }

    fn gemini(&self, api_model: &str, operation: Operation, stream: bool) -> Option<Url> {
        let (verb, is_sse) = match operation {
            Operation::Generate if stream => ("streamGenerateContent", true),
            Operation::Generate => ("generateContent", false),
            Operation::CountTokens => ("countTokens", false),
            Operation::Embed => ("batchEmbedContents", false),
            Operation::CompleteText => return None,
        };
        // A tuned model is named with the kind of thing it is.
        let folder = if api_model.contains('/') { "" } else { "models/" };
        let url = self.at(&format!("/{folder}{api_model}:{verb}"));
        Some(if is_sse { with_query(url, "alt", "sse") } else { url })
    }

    fn azure(&self, deployment: &str, path: &str) -> Url {
        match &self.azure {
            AzureApi::V1 => self.at(&format!("/openai/v1{path}")),
            AzureApi::Dated(version) => {
                let path = match path {
                    "/responses" => "/openai/responses".to_owned(),
                    path => format!("/openai/deployments/{deployment}{path}"),
                };
                with_query(self.at(&path), "api-version", version)
            }
        }
    }

    /// The base address with this path behind its own. A query that it has is kept.
    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_fragment(None);
        url
    }
}

fn with_query(mut url: Url, name: &str, value: &str) -> Url {
    url.query_pairs_mut().append_pair(name, value);
    url
}

/// The address as the HTTP client is to have it: with TLS below the client, it starts with `http` all the same.
fn to_uri(url: &Url) -> Option<Uri> {
    let host = url.host_str()?;
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let uri = match url.port_or_known_default() {
        Some(port) => format!("http://{host}:{port}{path}"),
        None => format!("http://{host}{path}"),
    };
    uri.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_actors::protocol::{Capabilities, Layer, MediaTokens, Vendor};

    fn endpoints(kind: ProviderKind, base_url: &str) -> Endpoints {
        let mut settings = ProviderSettings::new("alpha", kind);
        settings.base_url = Some(base_url.parse().unwrap());
        Endpoints::of(&settings).unwrap()
    }

    fn model(api_model: &str, dialect: Dialect) -> Model {
        Model {
            id: "id".into(),
            provider: "alpha".into(),
            vendor: Vendor::Other,
            api_model: api_model.into(),
            dialect,
            layer: Layer::L0,
            capabilities: Capabilities::NONE,
            context_window: 1,
            max_output_tokens: 1,
            price: None,
            media: MediaTokens::default(),
        }
    }

    fn of(kind: ProviderKind, base_url: &str, dialect: Dialect, operation: Operation, stream: bool) -> String {
        let uri = endpoints(kind, base_url).of_call(&model("m-1", dialect), operation, stream);
        uri.map(|uri| uri.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_path_follows_from_kind_dialect_and_operation() {
        use Dialect::{AnthropicMessages, Gemini, Ollama, OpenaiChat, OpenaiResponses};
        use Operation::{CompleteText, CountTokens, Embed, Generate};
        let openai = (ProviderKind::Openai, "https://api.test/v1");
        let compatible = (ProviderKind::OpenaiCompatible, "http://[::1]:9100/v1/?a=1#b");
        let anthropic = (ProviderKind::Anthropic, "https://api.test");
        let gemini = (ProviderKind::Gemini, "https://api.test/v1beta");
        let ollama = (ProviderKind::Ollama, "http://127.0.0.1:11434");
        let azure = (ProviderKind::AzureOpenai, "https://me.test");
        for ((kind, base), dialect, operation, stream, expected) in [
            (
                openai,
                OpenaiChat,
                Generate,
                true,
                "http://api.test:443/v1/chat/completions",
            ),
            (
                openai,
                OpenaiResponses,
                Generate,
                false,
                "http://api.test:443/v1/responses",
            ),
            (openai, OpenaiChat, Embed, false, "http://api.test:443/v1/embeddings"),
            (
                openai,
                OpenaiChat,
                CompleteText,
                false,
                "http://api.test:443/v1/completions",
            ),
            (openai, OpenaiChat, CountTokens, false, ""),
            (
                compatible,
                OpenaiChat,
                Generate,
                false,
                "http://[::1]:9100/v1/chat/completions?a=1",
            ),
            (
                anthropic,
                AnthropicMessages,
                Generate,
                true,
                "http://api.test:443/v1/messages",
            ),
            (
                anthropic,
                AnthropicMessages,
                CountTokens,
                false,
                "http://api.test:443/v1/messages/count_tokens",
            ),
            (
                gemini,
                Gemini,
                Generate,
                false,
                "http://api.test:443/v1beta/models/m-1:generateContent",
            ),
            (
                gemini,
                Gemini,
                Generate,
                true,
                "http://api.test:443/v1beta/models/m-1:streamGenerateContent?alt=sse",
            ),
            (
                gemini,
                Gemini,
                CountTokens,
                false,
                "http://api.test:443/v1beta/models/m-1:countTokens",
            ),
            (ollama, Ollama, Generate, true, "http://127.0.0.1:11434/api/chat"),
            (
                azure,
                OpenaiChat,
                Generate,
                false,
                "http://me.test:443/openai/v1/chat/completions",
            ),
            (
                azure,
                OpenaiResponses,
                Generate,
                false,
                "http://me.test:443/openai/v1/responses",
            ),
        ] {
            assert_eq!(
                of(kind, base, dialect, operation, stream),
                expected,
                "{kind:?} {dialect} {operation:?}"
            );
        }
    }

    #[test]
    fn a_dated_version_of_azure_has_the_deployment_in_its_path() {
        let mut azure = endpoints(ProviderKind::AzureOpenai, "https://me.test");
        azure.azure = AzureApi::Dated("2024-10-21".to_owned());
        let uri = |dialect| {
            let uri = azure.of_call(&model("my gpt", dialect), Operation::Generate, false);
            uri.unwrap().to_string()
        };
        assert_eq!(
            uri(Dialect::OpenaiChat),
            "http://me.test:443/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(
            uri(Dialect::OpenaiResponses),
            "http://me.test:443/openai/responses?api-version=2024-10-21"
        );
        assert!(azure.names_the_model(Dialect::OpenaiChat));
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        for base_url in [None, Some("ftp://x.test/"), Some("http://user:pass@x.test/v1")] {
            let mut settings = ProviderSettings::new("alpha", ProviderKind::OpenaiCompatible);
            settings.base_url = base_url.map(|url| url.parse().unwrap());
            assert!(Endpoints::of(&settings).is_err(), "{base_url:?}");
        }
    }

    #[test]
    fn the_client_calls_every_address_as_http() {
        for (base_url, called, authority) in [
            (
                "https://api.test:8443/v1",
                "http://api.test:8443/v1/models",
                "api.test:8443",
            ),
            ("http://127.0.0.1/v1", "http://127.0.0.1:80/v1/models", "127.0.0.1"),
            ("http://[::1]:9100/v1", "http://[::1]:9100/v1/models", "[::1]:9100"),
        ] {
            let endpoints = endpoints(ProviderKind::Openai, base_url);
            assert_eq!(endpoints.models().unwrap().to_string(), called);
            assert_eq!(endpoints.authority(), authority, "the host that is sent");
        }
    }
}
