//! Who may use the gateway. Keys come from the environment only.

use secrecy::{ExposeSecret, SecretString};

use super::reader::{Reader, variable};
use super::value::secret;

const ADMIN_KEY: &str = "GATEWAY_ADMIN_KEY";
const ADMIN_KEY_BYTES: usize = 32;

/// The gateway's own keys.
#[derive(Debug, Clone, Default)]
pub struct AuthSettings {
    /// The key that opens every route (`GATEWAY_ADMIN_KEY`), at least 32 bytes. Without it only a loopback address
    /// is served.
    pub admin_key: Option<SecretString>,
    /// The key that MCP over stdio will act as (`GATEWAY_API_KEY`); without effect yet, it acts as its local user.
    pub api_key: Option<SecretString>,
}

impl AuthSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let admin_key = variable(ADMIN_KEY);
        reader.set_some(admin_key, &mut self.admin_key, |written| {
            let key = secret(written)?;
            if key.expose_secret().len() < ADMIN_KEY_BYTES {
                return Err(format!(
                    "have at least {ADMIN_KEY_BYTES} bytes; make one with `openssl rand -hex 32`"
                ));
            }
            Ok(key)
        });
        reader.set_some(variable("GATEWAY_API_KEY"), &mut self.api_key, secret);
    }
}
