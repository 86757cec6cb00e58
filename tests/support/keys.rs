//! Virtual keys for tests, made in a PostgreSQL database as the gateway makes them. No gateway need run yet.

use std::time::Duration;

use ai_mcp_gateway::auth::{Hasher, KeyText};
use ai_mcp_gateway::config::PostgresAddress;
use ai_mcp_gateway::store::{PostgresConfig, Store, StoreConfig};
use gateway_actors::protocol::{AccessRole, KeyId, KeyIdentity, NewKey, RateLimits, Scope};

/// Who a key is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHolder {
    /// Its project.
    pub(crate) project: Option<&'static str>,
    /// Its user.
    pub(crate) user: Option<&'static str>,
    /// How much it may ask.
    pub(crate) limits: RateLimits,
}

/// Makes keys for these holders in the database at this URL, and sets the rates of projects and users. The keys' texts.
pub(crate) fn make_keys<const N: usize>(
    url: &str,
    holders: [KeyHolder; N],
    rates: &[(Scope, RateLimits)],
) -> [String; N] {
    let address = PostgresAddress::parse(url).unwrap();
    let store = Store::open(StoreConfig::from(PostgresConfig::new(address))).unwrap();
    let keys = store.keys();
    let hasher = Hasher::new(&store.block_on(keys.hash_secret()).unwrap());
    let texts = holders.map(|holder| {
        let text = KeyText::generate().unwrap();
        let identity = KeyIdentity {
            id: KeyId::generate(),
            project: holder.project.map(Into::into),
            user: holder.user.map(Into::into),
            role: AccessRole::User,
            max_layer: None,
            models: None,
            expires_at: None,
            limits: holder.limits,
        };
        let key = NewKey {
            identity,
            name: "test".into(),
            prefix: text.shown().into(),
            hash: hasher.hash(&text),
        };
        store.block_on(keys.create(key)).unwrap();
        text.expose().to_owned()
    });
    for (scope, limits) in rates {
        store.block_on(keys.set_limits(scope.clone(), *limits)).unwrap();
    }
    store.shutdown(Duration::from_secs(10));
    texts
}
