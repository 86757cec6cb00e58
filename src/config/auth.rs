//! Who may use the gateway. Keys come from the environment only.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::reader::{Reader, key, variable};
use super::value::{millis, secret, switch};

const ADMIN_KEY: &str = "GATEWAY_ADMIN_KEY";
const ADMIN_KEY_BYTES: usize = 32;

/// The gateway's own keys.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// The key that opens every route (`GATEWAY_ADMIN_KEY`), at least 32 bytes. Without it only a loopback address
    /// is served.
    pub admin_key: Option<SecretString>,
    /// The key that MCP over stdio acts as (`GATEWAY_API_KEY`); without one it is the local user, which is refused once
    /// there are virtual keys.
    pub api_key: Option<SecretString>,
    /// Whether every request needs a key even where there is no `GATEWAY_ADMIN_KEY` (`require_keys`). Default false.
    pub require_keys: bool,
    /// How long virtual keys that are known hold while the database cannot be read (`keys_max_age_ms`), 5 s to 1 day.
    /// Default 60 s.
    pub keys_max_age: Duration,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            admin_key: None,
            api_key: None,
            require_keys: false,
            keys_max_age: Duration::from_secs(60),
        }
    }
}

impl AuthSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let admin_key = variable(ADMIN_KEY);
        reader.set_some(admin_key, &mut self.admin_key, |written| {
            let secret_key = secret(written)?;
            if secret_key.expose_secret().len() < ADMIN_KEY_BYTES {
                return Err(format!(
                    "have at least {ADMIN_KEY_BYTES} bytes; make one with `openssl rand -hex 32`"
                ));
            }
            Ok(secret_key)
        });
        reader.set(key("require_keys"), &mut self.require_keys, switch);
        reader.set(
            key("keys_max_age_ms"),
            &mut self.keys_max_age,
            millis(5_000..=86_400_000),
        );
        reader.set_some(variable("GATEWAY_API_KEY"), &mut self.api_key, secret);
    }
}
