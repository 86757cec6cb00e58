//! Settings of providers: where they are, which key they want, and how long and how much we let them talk.

use std::time::Duration;

use gateway_actors::protocol::{ProviderName, Vendor};
use secrecy::SecretString;
use url::Url;

use super::headers::ExtraHeaders;
use super::hosts::vendor_at;
use super::kind::ProviderKind;
use super::value::{Written, base_url};

/// One configured provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name, unique.
    pub name: ProviderName,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Where it is; nothing for the simulator.
    pub base_url: Option<Url>,
    /// The variable that holds its key, if it wants one.
    pub api_key_env: Option<String>,
    /// The key itself, if that variable was set.
    pub api_key: Option<SecretString>,
    /// Calls that may be under way at once, over all cells.
    pub max_in_flight: u32,
    /// How long it may take.
    pub timeouts: UpstreamTimeouts,
    /// How much it may say.
    pub limits: UpstreamLimits,
    /// Headers that every request to it has besides those of its kind.
    pub headers: ExtraHeaders,
    /// The version of its API, for the kind [`AzureOpenai`](ProviderKind::AzureOpenai) alone. Default [`AzureApi::V1`].
    pub azure_api: AzureApi,
    /// What is sent as `anthropic-version`, for the kind [`Anthropic`](ProviderKind::Anthropic) alone: a date. Default
    /// [`DEFAULT_ANTHROPIC_VERSION`](Self::DEFAULT_ANTHROPIC_VERSION).
    pub anthropic_version: String,
}

impl ProviderSettings {
    /// Calls that may be under way at once where the settings do not say.
    pub const DEFAULT_MAX_IN_FLIGHT: u32 = 128;

    /// The version of Anthropic's API that its SDKs ask for.
    pub const DEFAULT_ANTHROPIC_VERSION: &'static str = "2023-06-01";

    /// A provider of which nothing is said: at its kind's own address, if there is one, without a key.
    #[must_use]
    pub fn new(name: impl Into<ProviderName>, kind: ProviderKind) -> Self {
        Self {
            name: name.into(),
            kind,
            base_url: default_base_url(kind),
            api_key_env: None,
            api_key: None,
            max_in_flight: Self::DEFAULT_MAX_IN_FLIGHT,
            timeouts: UpstreamTimeouts::default(),
            limits: UpstreamLimits::default(),
            headers: ExtraHeaders::default(),
            azure_api: AzureApi::default(),
            anthropic_version: Self::DEFAULT_ANTHROPIC_VERSION.to_owned(),
        }
    }

    /// Whose service it is, by its kind or, where that does not tell, by where it is. Its name says nothing.
    #[must_use]
    pub fn vendor(&self) -> Vendor {
        match (self.kind, &self.base_url) {
            (ProviderKind::OpenaiCompatible, Some(address)) => vendor_at(address).unwrap_or(Vendor::Other),
            (kind, _) => kind.vendor(),
        }
    }

    /// Whether the provider can be called: it wants no key, or has it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.api_key_env.is_none() || self.api_key.is_some()
    }
}

/// The default address of a kind, which is a valid one.
pub(super) fn default_base_url(kind: ProviderKind) -> Option<Url> {
    let text = kind.default_base_url()?;
    base_url(Written::Text(text)).ok()
}

/// In which version Azure OpenAI is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AzureApi {
    /// The one without a date, generally available since August 2025: `base_url` + `/openai/v1` and OpenAI's own paths,
    /// the deployment's name as the body's `model`.
    #[default]
    V1,
    /// A dated one, as in `2024-10-21` or `2025-04-01-preview`: `base_url` + `/openai/deployments/DEPLOYMENT` + the path +
    /// `?api-version=DATE`. Responses, which a deployment's path has not, are at `/openai/responses`.
    Dated(String),
}

impl AzureApi {
    /// The first dated version that has Responses. There is none among those that are generally available.
    const FIRST_WITH_RESPONSES: &'static str = "2025-03-01";

    /// Whether this version has OpenAI's Responses API.
    #[must_use]
    pub fn has_responses(&self) -> bool {
        match self {
            Self::V1 => true,
            // Dates of this form sort as text.
            Self::Dated(version) => version.as_str() >= Self::FIRST_WITH_RESPONSES,
        }
    }
}

/// How long a provider may take; every one of them is also bounded by the caller's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// Name, connection and TLS. Default 3 s.
    pub connect: Duration,
    /// From the request to the first byte of the answer (first meaningful event of a stream). Default 120 s: a whole answer
    /// begins when the model is done with it, and a stream when the model has reasoned, which it may do in silence.
    pub first_byte: Duration,
    /// Between two chunks of an answer. Default 120 s: a model may reason again in the middle.
    pub idle: Duration,
    /// The whole attempt. Default 600 s.
    pub total: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
        }
    }
}

/// How much a provider may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Bytes of a whole answer, after decompression. Default 32 MiB.
    pub body_bytes: usize,
    /// Bytes of one event of a stream. Default 1 MiB.
    pub event_bytes: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            event_bytes: 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_provider_is_at_the_address_of_its_kind() {
        for kind in ProviderKind::ALL {
            let url = ProviderSettings::new("it", *kind).base_url;
            let expected = kind
                .default_base_url()
                .map(|text| text.trim_end_matches('/').to_owned());
            let found = url.map(|url| url.as_str().trim_end_matches('/').to_owned());
            assert_eq!(found, expected, "{kind:?}");
        }
    }

    #[test]
    fn azure_has_responses_in_its_undated_version_and_in_new_previews() {
        assert!(AzureApi::V1.has_responses());
        for (version, expected) in [
            ("2024-10-21", false),
            ("2025-02-01-preview", false),
            ("2025-03-01-preview", true),
            ("2025-04-01-preview", true),
        ] {
            assert_eq!(
                AzureApi::Dated(version.to_owned()).has_responses(),
                expected,
                "{version}"
            );
        }
    }
}
