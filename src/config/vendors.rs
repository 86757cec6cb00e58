//! The vendors whose providers need no listing: each exists with its key, under the name of its kind.

use std::collections::BTreeMap;

use url::Url;

use super::kind::ProviderKind;
use super::problem::Report;
use super::provider::{AzureApi, ProviderSettings};
use super::providers::{Providers, azure_api};
use super::reader::{Environment, Reader, variable};
use super::value::base_url;

/// A vendor, and its names in the environment.
struct Vendor {
    kind: ProviderKind,
    /// The variables that may hold its key, the first that is set counts.
    keys: &'static [&'static str],
    /// The variable that holds its address.
    address: &'static str,
}

const VENDORS: [Vendor; 11] = [
    vendor(ProviderKind::Openai, &["OPENAI_API_KEY"], "OPENAI_BASE_URL"),
    vendor(ProviderKind::Openrouter, &["OPENROUTER_API_KEY"], "OPENROUTER_BASE_URL"),
    vendor(ProviderKind::Anthropic, &["ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL"),
    vendor(
        ProviderKind::Gemini,
        &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        "GEMINI_BASE_URL",
    ),
    vendor(
        ProviderKind::AzureOpenai,
        &["AZURE_OPENAI_API_KEY"],
        "AZURE_OPENAI_ENDPOINT",
    ),
    vendor(ProviderKind::Mistral, &["MISTRAL_API_KEY"], "MISTRAL_BASE_URL"),
    vendor(ProviderKind::Groq, &["GROQ_API_KEY"], "GROQ_BASE_URL"),
    vendor(ProviderKind::Deepseek, &["DEEPSEEK_API_KEY"], "DEEPSEEK_BASE_URL"),
    vendor(ProviderKind::Xai, &["XAI_API_KEY"], "XAI_BASE_URL"),
    vendor(ProviderKind::Cohere, &["COHERE_API_KEY"], "COHERE_BASE_URL"),
    vendor(ProviderKind::Together, &["TOGETHER_API_KEY"], "TOGETHER_BASE_URL"),
];

const fn vendor(kind: ProviderKind, keys: &'static [&'static str], address: &'static str) -> Vendor {
    Vendor { kind, keys, address }
}

impl Vendor {
    fn named(name: &str) -> Option<&'static Self> {
        VENDORS.iter().find(|vendor| vendor.kind.as_str() == name)
    }

    /// The variable that has its key.
    fn key_in(&self, environment: &Environment) -> Option<&'static str> {
        self.keys.iter().copied().find(|key| environment.text(key).is_some())
    }
}

/// What a vendor's provider of this name exists with.
pub(super) fn needs(name: &str) -> Option<String> {
    let vendor = Vendor::named(name)?;
    let keys = vendor.keys.join(" or ");
    Some(match vendor.kind.default_base_url() {
        Some(_) => keys,
        None => format!("{keys} and {}", vendor.address),
    })
}

/// Whether the environment says where the vendor's provider of this name is.
pub(super) fn has_address(name: &str, environment: &Environment) -> bool {
    Vendor::named(name).is_some_and(|vendor| environment.text(vendor.address).is_some())
}

/// What the environment says of providers by their names: of listed ones too.
#[derive(Debug, Default)]
pub(super) struct VendorVariables {
    addresses: BTreeMap<&'static str, Url>,
    azure_api: Option<AzureApi>,
}

impl VendorVariables {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        for Vendor { kind, address, .. } in &VENDORS {
            if let Some(url) = reader.optional(variable(address), base_url) {
                self.addresses.insert(kind.as_str(), url);
            }
        }
        reader.set_some(variable("AZURE_OPENAI_API_VERSION"), &mut self.azure_api, azure_api);
    }

    /// Puts what the environment says over what a file says.
    pub(super) fn apply(&self, provider: &mut ProviderSettings) {
        if let Some(url) = self.addresses.get(provider.name.as_str()) {
            provider.base_url = Some(url.clone());
        }
        let is_azure = provider.kind == ProviderKind::AzureOpenai && provider.name.as_str() == provider.kind.as_str();
        if let (true, Some(version)) = (is_azure, &self.azure_api) {
            provider.azure_api = version.clone();
        }
    }
}

/// Adds the vendors whose key is set.
pub(super) fn add_providers(providers: &mut Providers, environment: &Environment, report: &mut Report) {
    for vendor in &VENDORS {
        let name = vendor.kind.as_str();
        // A listed provider of this name reads its own variable.
        if providers.standing(name).is_some() {
            continue;
        }
        let Some(variable) = vendor.key_in(environment) else {
            continue;
        };
        let place = environment.place(variable);
        let Some(key) = environment.secret(variable, report) else {
            continue;
        };
        if vendor.kind.default_base_url().is_none() && !has_address(name, environment) {
            let message = format!(
                "needs {}, for example https://RESOURCE.openai.azure.com",
                vendor.address
            );
            report.problem(place, message);
            continue;
        }
        let settings = ProviderSettings {
            api_key_env: Some(variable.to_owned()),
            api_key: Some(key),
            ..ProviderSettings::new(name, vendor.kind)
        };
        providers.add_builtin(place, settings);
    }
}
