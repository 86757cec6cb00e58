//! Reads `[[providers]]` and adds the built-in ones.

use std::collections::BTreeMap;

use gateway_actors::protocol::ProviderName;
use secrecy::SecretString;
use url::{Host, Url};

use super::builtin::{self, Builtins};
use super::http::HttpSettings;
use super::problem::{Report, quoted};
use super::provider::{ProviderKind, ProviderSettings, UpstreamLimits, UpstreamTimeouts};
use super::reader::{Environment, Reader, key};
use super::unsupported;
use super::value::{self, Written, base_url, integer, millis, variable_name};

/// What is known of a name that models may give as their provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It can be routed to.
    Configured,
    /// It is listed, but what is wrong with it has been reported.
    Broken,
    /// It is listed with a kind that a later version will speak.
    Later,
}

/// The providers while they are put together.
#[derive(Debug, Default)]
pub(super) struct Providers {
    configured: Vec<(String, ProviderSettings)>,
    standings: BTreeMap<String, (String, Standing)>,
}

/// The kind as it is written.
#[derive(Debug, Clone, Copy)]
enum WrittenKind {
    Built(ProviderKind),
    Later,
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
        if let Some(WrittenKind::Later) = kind {
            standing = Standing::Later;
        } else if let Some(WrittenKind::Built(kind)) = kind {
            let base_url = if has_base_url { base_url } else { default_base_url(kind) };
            let is_placed = base_url.is_some() || kind == ProviderKind::Simulator;
            if is_placed && has_key == api_key_env.is_some() {
                standing = Standing::Configured;
                let api_key = api_key_of(api_key_env.as_deref(), environment, reader);
                let settings = ProviderSettings {
                    name: name.as_str().into(),
                    kind,
                    base_url,
                    api_key_env,
                    api_key,
                    max_in_flight: max_in_flight.unwrap_or(ProviderSettings::DEFAULT_MAX_IN_FLIGHT),
                    timeouts,
                    limits,
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

    /// The names that are listed with a kind of a later version, and their places.
    pub(super) fn later(&self) -> impl Iterator<Item = (&str, &str)> {
        self.standings
            .iter()
            .filter(|(_, (_, standing))| *standing == Standing::Later)
            .map(|(name, (place, _))| (name.as_str(), place.as_str()))
    }

    /// Whether there is a provider of this name with everything it needs.
    pub(super) fn is_usable(&self, name: &str) -> bool {
        self.configured
            .iter()
            .any(|(_, provider)| provider.name.as_str() == name && provider.is_usable())
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
            if let Some(url) = builtins.base_urls.get(provider.name.as_str()) {
                provider.base_url = Some(url.clone());
            }
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
    let is_default_url = provider.kind.default_base_url() == Some(url.as_str());
    let wants_key = matches!(provider.kind, ProviderKind::Openai | ProviderKind::Openrouter);
    if wants_key && is_default_url && provider.api_key_env.is_none() {
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

/// The default address of a kind, which is a valid one.
pub(super) fn default_base_url(kind: ProviderKind) -> Option<Url> {
    let text = kind.default_base_url()?;
    base_url(Written::Text(text)).ok()
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
    let name = value::name(written)?;
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.len() <= 64 && name.chars().all(is_allowed) {
        return Ok(name);
    }
    Err("be 1 to 64 characters out of A-Z a-z 0-9 . _ -".to_owned())
}

fn kind(written: Written<'_>) -> Result<WrittenKind, String> {
    let word = value::text(written)?;
    if unsupported::KINDS.contains(&word.as_str()) {
        return Ok(WrittenKind::Later);
    }
    let known = ProviderKind::ALL.iter().find(|kind| kind.as_str() == word);
    known.map(|kind| WrittenKind::Built(*kind)).ok_or_else(|| {
        let words: Vec<&str> = ProviderKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("be one of {}", words.join(", "))
    })
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

/// A provider with nothing said about it but where it is and its key.
pub(super) fn plain(
    name: &str,
    kind: ProviderKind,
    base_url: Option<Url>,
    key: Option<(&str, SecretString)>,
) -> ProviderSettings {
    let (api_key_env, api_key) = key.map(|(variable, key)| (variable.to_owned(), key)).unzip();
    ProviderSettings {
        name: ProviderName::from(name),
        kind,
        base_url,
        api_key_env,
        api_key,
        max_in_flight: ProviderSettings::DEFAULT_MAX_IN_FLIGHT,
        timeouts: UpstreamTimeouts::default(),
        limits: UpstreamLimits::default(),
    }
}
