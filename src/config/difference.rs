//! What differs between the settings that are in use and newly loaded ones.

use secrecy::{ExposeSecret as _, SecretString};

use super::alerts::AlertSettings;
use super::auth::AuthSettings;
use super::provider::ProviderSettings;
use super::routing::RoutingSettings;
use super::settings::Settings;
use super::store::{Database, PostgresSettings, RedisSettings, StoreSettings};

impl Settings {
    /// The tables that differ from these other settings, besides the catalogue and its task lists, which alone can be
    /// exchanged while the gateway serves. Shows no value.
    #[must_use]
    pub fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        // Without `..`, so that a new table cannot be forgotten here.
        let Self {
            http,
            auth,
            routing,
            breaker,
            failover,
            drain,
            store,
            redis,
            responses,
            budget,
            idempotency,
            cost,
            alerts,
            log,
            openrouter,
            providers,
            models: _,
            catalogue: _,
        } = self;
        let same = [
            ("http", *http == other.http),
            ("auth", same_auth(auth, &other.auth)),
            ("routing", same_routing(routing, &other.routing)),
            ("breaker", *breaker == other.breaker),
            ("failover", *failover == other.failover),
            ("drain", *drain == other.drain),
            ("store", same_store(store, &other.store)),
            ("redis", same_redis(redis, &other.redis)),
            ("responses", *responses == other.responses),
            ("budget", *budget == other.budget),
            ("idempotency", *idempotency == other.idempotency),
            ("cost", *cost == other.cost),
            ("alerts", same_alerts(alerts, &other.alerts)),
            ("log", *log == other.log),
            ("openrouter", *openrouter == other.openrouter),
            ("providers", same_providers(providers, &other.providers)),
        ];
        let differs = |(name, is_same): (&'static str, bool)| (!is_same).then_some(name);
        same.into_iter().filter_map(differs).collect()
    }
}

fn same_secret(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    one.map(|secret| secret.expose_secret()) == other.map(|secret| secret.expose_secret())
}

fn same_auth(one: &AuthSettings, other: &AuthSettings) -> bool {
    let AuthSettings {
        admin_key,
        api_key,
        require_keys,
        keys_max_age,
    } = one;
    let same_keys = same_secret(admin_key.as_ref(), other.admin_key.as_ref())
        && same_secret(api_key.as_ref(), other.api_key.as_ref());
    same_keys && *require_keys == other.require_keys && *keys_max_age == other.keys_max_age
}

fn same_alerts(one: &AlertSettings, other: &AlertSettings) -> bool {
    let AlertSettings {
        webhook_url,
        webhook_secret,
    } = one;
    *webhook_url == other.webhook_url && same_secret(webhook_secret.as_ref(), other.webhook_secret.as_ref())
}

fn same_routing(one: &RoutingSettings, other: &RoutingSettings) -> bool {
    let with_its_lists = RoutingSettings {
        task_lists: one.task_lists.clone(),
        ..other.clone()
    };
    *one == with_its_lists
}

fn same_store(one: &StoreSettings, other: &StoreSettings) -> bool {
    let StoreSettings {
        database,
        data_dir,
        postgres,
        limits,
        // Only messages name it.
        database_setting: _,
    } = one;
    let same_database = match (database, &other.database) {
        (Database::Sqlite(one), Database::Sqlite(other)) => one == other,
        (Database::Postgres(one), Database::Postgres(other)) => one == other,
        (Database::Sqlite(_), Database::Postgres(_)) | (Database::Postgres(_), Database::Sqlite(_)) => false,
    };
    same_database && *data_dir == other.data_dir && *limits == other.limits && same_postgres(postgres, &other.postgres)
}

fn same_postgres(one: &PostgresSettings, other: &PostgresSettings) -> bool {
    let PostgresSettings {
        database,
        user,
        password,
        host,
        port,
    } = one;
    (database, user, host, port) == (&other.database, &other.user, &other.host, &other.port)
        && same_secret(password.as_ref(), other.password.as_ref())
}

fn same_redis(one: &RedisSettings, other: &RedisSettings) -> bool {
    let RedisSettings { url, password, timeout } = one;
    *timeout == other.timeout
        && same_secret(url.as_ref(), other.url.as_ref())
        && same_secret(password.as_ref(), other.password.as_ref())
}

/// The order of providers means nothing.
fn same_providers(one: &[ProviderSettings], other: &[ProviderSettings]) -> bool {
    let has_its_like = |provider: &ProviderSettings| other.iter().any(|like| same_provider(provider, like));
    one.len() == other.len() && one.iter().all(has_its_like)
}

fn same_provider(one: &ProviderSettings, other: &ProviderSettings) -> bool {
    let ProviderSettings {
        name,
        kind,
        base_url,
        api_key_env,
        api_key,
        max_in_flight,
        timeouts,
        limits,
        headers,
        azure_api,
        anthropic_version,
    } = one;
    (name, kind, base_url, api_key_env) == (&other.name, &other.kind, &other.base_url, &other.api_key_env)
        && (max_in_flight, timeouts, limits) == (&other.max_in_flight, &other.timeouts, &other.limits)
        && (headers, azure_api, anthropic_version) == (&other.headers, &other.azure_api, &other.anthropic_version)
        && same_secret(api_key.as_ref(), other.api_key.as_ref())
}
