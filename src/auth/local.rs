//! Whom a process acts for that no network leads to.

use std::sync::Arc;

use gateway_actors::protocol::{Caller, ErrorKind, GatewayError};
use secrecy::{ExposeSecret, SecretString};

use super::Auth;

/// The user at this machine: who has the key of the environment, or whoever starts the process while there are no keys.
#[derive(Debug)]
pub struct LocalIdentity {
    auth: Arc<Auth>,
    key: Option<SecretString>,
}

impl LocalIdentity {
    /// The holder of this key (`GATEWAY_API_KEY`), or the local user.
    #[must_use]
    pub fn new(auth: Arc<Auth>, key: Option<SecretString>) -> Self {
        Self { auth, key }
    }

    /// Who that is at this moment.
    ///
    /// # Errors
    /// `unauthenticated` when the key is not good, or is missing although there are virtual keys or keys are required;
    /// `ledger_unavailable` when it cannot be told whether it is good.
    pub async fn caller(&self) -> Result<Caller, GatewayError> {
        let Some(key) = &self.key else {
            if self.auth.require_keys || self.auth.ring.has_keys() {
                return Err(refused(
                    "this gateway has virtual keys: set GATEWAY_API_KEY to one (`ai-mcp-gateway keys create` makes it)",
                ));
            }
            return Ok(Caller::Local);
        };
        let caller = self.auth.caller(Some(key.expose_secret().as_bytes()), None).await;
        match caller {
            Err(error) if error.kind != ErrorKind::Unauthenticated => Err(error),
            // Where no key is wanted whatever is no key counts as none; one that was given on purpose does not.
            Err(_) | Ok(Caller::Local) => Err(refused(
                "GATEWAY_API_KEY is no key of this gateway, or was revoked or has expired: set a good one, or unset it",
            )),
            known => known,
        }
    }
}

fn refused(message: &'static str) -> GatewayError {
    GatewayError::new(ErrorKind::Unauthenticated, message)
}
