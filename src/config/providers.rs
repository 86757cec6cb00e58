//! Reads `[[providers]]` and adds the built-in ones.

use std::collections::BTreeMap;

use secrecy::SecretString;
use toml::de::DeValue;
use url::{Host, Url};

use super::builtin::{self, Builtins};
use super::headers::ExtraHeaders;
use super::http::HttpSettings;
use super::kind::ProviderKind;
use super::problem::{Report, quoted};
use super::provider::{AzureApi, ProviderSettings, UpstreamLimits, UpstreamTimeouts, default_base_url};
use super::reader::{Environment, Names, Reader, key};
use super::value::{self, Written, base_url, date, integer, millis, variable_name};
use super::vendors;

/// What is known of a name that models may give as their provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It can be routed to.
    Configured,
    /// It is listed, but what is wrong with it has been reported.
    Broken,
}

/// The providers while they are put together.
#[derive(Debug, Default)]
pub(super) struct Providers {
    configured: Vec<(String, ProviderSettings)>,
    standings: BTreeMap<String, (String, Standing)>,
}

impl Providers {
    /// Reads one entry of `[[providers]]`.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, environment: &Environment) {
        let place = reader.place();
        let name = reader.required(key("name"), provider_name);
        let kind = reader.required(key("kind"), kind);
        let has_base_url = reader.has(key("base_url"));
        let base_url = reader.optional(key("base_url"), base_url);
        let has_key = reader.has(key("api_key_env"));
        let api_key_env = reader.optional(key("api_key_env"), variable_name);
        let max_in_flight = reader.optional(key("max_in_flight"), integer(1..=65_536));
        let timeouts = read_timeouts(reader);
        let limits = read_limits(reader);
        let headers = ExtraHeaders::read(reader);
        let azure_api = read_for(ProviderKind::AzureOpenai, kind, key("api_version"), azure_api, reader);
        let anthropic_key = key("anthropic_version");
        let anthropic_version = read_for(ProviderKind::Anthropic, kind, anthropic_key, date, reader);
        let Some(name) = name else { return };
        if let Some((first, _)) = self.standings.get(&name) {
            let message = format!(
                "the name {} is taken by {first}; give each provider its own",
                quoted(&name)
            );
            reader.report.problem(reader.place_of(key("name")), message);
            return;
        }
        let mut standing = Standing::Broken;
        if let Some(kind) = kind {
            let defaults = ProviderSettings::new(name.as_str(), kind);
            let base_url = if has_base_url { base_url } else { defaults.base_url };
            // What the environment says of its address is added later.
            let is_placed = base_url.is_some()
                || kind == ProviderKind::Simulator
                || !has_base_url && vendors::has_address(&name, environment);
            if is_placed && has_key == api_key_env.is_some() {
                standing = Standing::Configured;
                let api_key = api_key_of(api_key_env.as_deref(), environment, reader);
                let settings = ProviderSettings {
                    name: defaults.name,
                    kind,
                    base_url,
                    api_key_env,
                    api_key,
                    max_in_flight: max_in_flight.unwrap_or(defaults.max_in_flight),
                    timeouts,
                    limits,
                    headers,
                    azure_api: azure_api.unwrap_or(defaults.azure_api),
                    anthropic_version: anthropic_version.map_or(defaults.anthropic_version, |date| date.to_string()),
                };
                self.configured.push((place.clone(), settings));
            } else if !has_base_url && !is_placed {
                let message = format!(
                    "`base_url` is missing: a provider of kind {} has no default",
                    kind.as_str()
                );
                reader.report.problem(place.clone(), message);
            }
        }
        self.standings.insert(name, (place, standing));
    }

    /// Adds a provider that nobody listed, unless a listed one has its name.
    pub(super) fn add_builtin(&mut self, place: String, settings: ProviderSettings) {
        let name = settings.name.to_string();
        if self.standings.contains_key(&name) {
            return;
        }
        self.standings.insert(name, (place.clone(), Standing::Configured));
        self.configured.push((place, settings));
    }

    /// What is known of a name, and where it is listed.
    pub(super) fn standing(&self, name: &str) -> Option<(&str, Standing)> {
        self.standings
            .get(name)
            .map(|(place, standing)| (place.as_str(), *standing))
    }

    /// The provider of this name, if it can be routed to.
    pub(super) fn configured(&self, name: &str) -> Option<&ProviderSettings> {
        let mut providers = self.configured.iter().map(|(_, provider)| provider);
        providers.find(|provider| provider.name.as_str() == name)
    }

    /// Whether there is a provider of this name with everything it needs.
    pub(super) fn is_usable(&self, name: &str) -> bool {
        self.configured(name).is_some_and(ProviderSettings::is_usable)
    }

    /// Whether one of them can be asked for its free models.
    pub(super) fn list_free_models(&self) -> bool {
        self.configured.iter().any(|(_, provider)| provider.lists_free_models())
    }

    /// Completes the providers: built-in ones, addresses from the environment, and checks across settings.
    pub(super) fn complete(
        mut self,
        builtins: &Builtins,
        http: &HttpSettings,
        environment: &Environment,
        report: &mut Report,
    ) -> Self {
        builtin::add_providers(&mut self, builtins, environment, report);
        for (place, provider) in &mut self.configured {
            builtins.vendors.apply(provider);
            check(place, provider, http, report);
        }
        self
    }

    /// The providers' settings, in the order of the file, built-in ones last.
    pub(super) fn into_settings(self) -> Vec<ProviderSettings> {
        self.configured.into_iter().map(|(_, provider)| provider).collect()
    }
}

fn check(place: &str, provider: &ProviderSettings, http: &HttpSettings, report: &mut Report) {
    if provider.kind == ProviderKind::Simulator {
        report.warn(place, "is a simulator: its answers are scripted, no model is asked");
        return;
    }
    let Some(url) = &provider.base_url else { return };
    if http.port != 0 && url.port_or_known_default() == Some(http.port) && is_host(url, http) {
        report.problem(
            place,
            "this is the gateway's own address, so it would call itself without end; give the provider's address",
        );
    }
    for end in provider.kind.added_paths() {
        if url.path().ends_with(end) {
            let message = format!("its base_url must not end in {end}: the gateway adds that itself");
            report.problem(place, message);
        }
    }
    let is_vendors = default_base_url(provider.kind).as_ref() == Some(url);
    let wants_key = provider.kind == ProviderKind::AzureOpenai || is_vendors && provider.kind != ProviderKind::Ollama;
    if wants_key && provider.api_key_env.is_none() {
        report.warn(
            place,
            "has no api_key_env, so it is called without a key and will refuse",
        );
    }
    if url.scheme() == "http" && provider.api_key.is_some() && !is_loopback(url) {
        report.warn(
            place,
            "its key travels unencrypted over http; use https where the provider offers it",
        );
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn is_host(url: &Url, http: &HttpSettings) -> bool {
    let own = http.host.to_canonical();
    match url.host() {
        Some(Host::Ipv4(address)) => own == address || own.is_unspecified() && address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            let address = address.to_canonical();
            own == address || own.is_unspecified() && address.is_loopback()
        }
        Some(Host::Domain(name)) => name == "localhost" && (own.is_loopback() || own.is_unspecified()),
        None => false,
    }
}

fn api_key_of(variable: Option<&str>, environment: &Environment, reader: &mut Reader<'_>) -> Option<SecretString> {
    let variable = variable?;
    if environment.text(variable).is_none() {
        // The name is not shown: somebody may have put the key itself there.
        let message = "the variable that is named here is not set, so this provider gets no calls";
        reader.report.warn(reader.place_of(key("api_key_env")), message);
        return None;
    }
    environment.secret(variable, reader.report)
}

fn provider_name(written: Written<'_>) -> Result<String, String> {
    let name = written.string()?;
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if (1..=64).contains(&name.len()) && name.chars().all(is_allowed) {
        return Ok(name.to_owned());
    }
    Err("be 1 to 64 characters out of A-Z a-z 0-9 . _ -".to_owned())
}

fn kind(written: Written<'_>) -> Result<ProviderKind, String> {
    let word = value::text(written)?;
    let known = ProviderKind::ALL.iter().find(|kind| kind.as_str() == word);
    known.copied().ok_or_else(|| {
        let words: Vec<&str> = ProviderKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("be one of {}", words.join(", "))
    })
}

/// Reads a setting that only providers of one kind have.
fn read_for<T>(
    owner: ProviderKind,
    kind: Option<ProviderKind>,
    names: Names,
    convert: impl FnOnce(Written<'_>) -> Result<T, String>,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let value = reader.optional(names, convert);
    if let (Some(kind), true) = (kind, reader.has(names))
        && kind != owner
    {
        let message = format!(
            "only a provider of kind {} has this, and this one is of kind {}; leave it out",
            owner.as_str(),
            kind.as_str()
        );
        reader.report.problem(reader.place_of(names), message);
    }
    value
}

/// `v1`, or a date with `-preview` behind it or without.
pub(super) fn azure_api(written: Written<'_>) -> Result<AzureApi, String> {
    let wanted = "be v1, or a date such as 2024-10-21 or 2025-04-01-preview";
    let text = match written {
        Written::Toml(DeValue::Datetime(date)) => date.to_string(),
        other => value::text(other).or(Err(wanted))?,
    };
    if text == "v1" {
        return Ok(AzureApi::V1);
    }
    let day = text.strip_suffix("-preview").unwrap_or(&text);
    match date(Written::Text(day)) {
        Ok(date) if date.to_string() == day => Ok(AzureApi::Dated(text)),
        _ => Err(wanted.to_owned()),
    }
}

fn read_timeouts(reader: &mut Reader<'_>) -> UpstreamTimeouts {
    let mut timeouts = UpstreamTimeouts::default();
    reader.sub_table("timeouts", |reader| {
        reader.set(key("connect_ms"), &mut timeouts.connect, millis(1..=60_000));
        reader.set(key("first_byte_ms"), &mut timeouts.first_byte, millis(1..=3_600_000));
        reader.set(key("idle_ms"), &mut timeouts.idle, millis(1..=3_600_000));
        reader.set(key("total_ms"), &mut timeouts.total, millis(1..=3_600_000));
    });
    timeouts
}

fn read_limits(reader: &mut Reader<'_>) -> UpstreamLimits {
    const MIB: u64 = 1024 * 1024;
    let mut limits = UpstreamLimits::default();
    reader.sub_table("limits", |reader| {
        reader.set(key("body_bytes"), &mut limits.body_bytes, integer(1024..=1024 * MIB));
        reader.set(key("event_bytes"), &mut limits.event_bytes, integer(1024..=64 * MIB));
    });
    limits
}
