//! Who asks: the administrator's key, virtual keys, and nobody where none is wanted. Both edges ask here.
//!
//! A text that cannot be a virtual key is refused without any I/O. One that can is looked up by its whole digest
//! ([`KeyRing`]); nothing else makes a caller with a key.

mod local;
mod owner;
mod ring;
mod text;
mod tries;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{Caller, ErrorKind, GatewayError};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

pub use self::local::LocalIdentity;
pub use self::owner::{Owner, owner};
pub use self::ring::{KeyRing, ReadFirst, Refusal};
pub use self::text::{Hasher, KeyText, NoRandomness};
use self::tries::FailedTries;

/// Decides who a request is from.
#[derive(Debug)]
pub struct Auth {
    admin_key: Option<SecretString>,
    require_keys: bool,
    ring: Arc<KeyRing>,
    tries: FailedTries,
}

impl Auth {
    /// With this administrator's key, and these virtual keys. Without the administrator's key whoever sends none is the
    /// local user, unless keys are required.
    #[must_use]
    pub fn new(admin_key: Option<SecretString>, require_keys: bool, ring: Arc<KeyRing>) -> Self {
        Self {
            admin_key,
            require_keys,
            ring,
            tries: FailedTries::new(Instant::now()),
        }
    }

    /// Whether there is an administrator's key.
    #[must_use]
    pub fn has_admin_key(&self) -> bool {
        self.admin_key.is_some()
    }

    /// The virtual keys.
    #[must_use]
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Who sends this key, or none, from this address. [`Caller::Local`] is whoever sends none that could be one here,
    /// where none is wanted: the edge looks whether he is at this machine.
    ///
    /// # Errors
    /// `unauthenticated`; `rate_limited` for an address that sent too many wrong keys; `ledger_unavailable` when it cannot
    /// be told whether the key is good.
    pub async fn caller(&self, key: Option<&[u8]>, peer: Option<IpAddr>) -> Result<Caller, GatewayError> {
        if let (Some(admin_key), Some(key)) = (&self.admin_key, key)
            && bool::from(admin_key.expose_secret().as_bytes().ct_eq(key))
        {
            return Ok(Caller::Admin);
        }
        if let Some(text) = key.and_then(KeyText::parse) {
            return match self.ring.verify(&text).await {
                Ok(identity) => Ok(Caller::Key(identity)),
                Err(Refusal::Unknown) => Err(self.refused(peer)),
                Err(Refusal::Unavailable) => Err(unavailable()),
            };
        }
        if self.admin_key.is_none() && !self.require_keys {
            return Ok(Caller::Local);
        }
        match key {
            Some(key) if !key.is_empty() => Err(self.refused(peer)),
            _ => Err(unauthenticated()),
        }
    }

    /// The answer to a wrong key.
    fn refused(&self, peer: Option<IpAddr>) -> GatewayError {
        let wait = peer.and_then(|peer| self.tries.count(peer, Instant::now()));
        match wait {
            None => unauthenticated(),
            Some(wait) => {
                let message = "too many wrong keys came from this address; wait, and check the key that is sent";
                GatewayError::new(ErrorKind::RateLimited, message).with_retry_after(wait)
            }
        }
    }
}

fn unauthenticated() -> GatewayError {
    GatewayError::new(
        ErrorKind::Unauthenticated,
        "this gateway wants a key: send it as `Authorization: Bearer …` or `x-api-key: …`",
    )
}

fn unavailable() -> GatewayError {
    let message = "the database cannot be reached, so that keys cannot be checked; try again shortly";
    GatewayError::new(ErrorKind::StoreUnavailable, message).with_retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use gateway_actors::testkit::MemoryKeys;

    use super::*;

    const ADMIN: &str = "0123456789abcdef0123456789abcdef";

    fn auth(admin: Option<&str>, require_keys: bool) -> (Auth, Arc<MemoryKeys>) {
        let store = Arc::new(MemoryKeys::default());
        let ring = Arc::new(KeyRing::new(store.clone(), Duration::from_secs(60)));
        (Auth::new(admin.map(Into::into), require_keys, ring), store)
    }

    async fn kind(auth: &Auth, key: Option<&[u8]>) -> Result<Caller, ErrorKind> {
        auth.caller(key, None).await.map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn only_the_whole_admin_key_is_the_administrators() {
        let (auth, _) = auth(Some(ADMIN), false);
        assert_eq!(kind(&auth, Some(ADMIN.as_bytes())).await, Ok(Caller::Admin));
        let longer = format!("{ADMIN}0");
        for wrong in [&b""[..], &ADMIN.as_bytes()[..31], longer.as_bytes(), b"\xff\xfe"] {
            assert_eq!(kind(&auth, Some(wrong)).await, Err(ErrorKind::Unauthenticated));
        }
        assert_eq!(kind(&auth, None).await, Err(ErrorKind::Unauthenticated));
    }

    #[tokio::test]
    async fn what_cannot_be_a_key_is_refused_without_asking_the_database() {
        let (auth, store) = auth(Some(ADMIN), false);
        let long = vec![b'x'; 100 * 1024];
        for garbage in [&b"' OR '1'='1"[..], b"\0", b"gwk_", "🔑".as_bytes(), &long] {
            assert_eq!(kind(&auth, Some(garbage)).await, Err(ErrorKind::Unauthenticated));
        }
        assert_eq!(store.asked(), 0);
        let unknown = KeyText::generate().unwrap();
        assert_eq!(
            kind(&auth, Some(unknown.expose().as_bytes())).await,
            Err(ErrorKind::Unauthenticated)
        );
        assert_eq!(store.asked(), 1);
    }

    #[tokio::test]
    async fn without_an_admin_key_only_a_virtual_key_is_looked_at_unless_keys_are_required() {
        let (open, _) = auth(None, false);
        assert_eq!(kind(&open, None).await, Ok(Caller::Local));
        assert_eq!(kind(&open, Some(b"sk-whatever")).await, Ok(Caller::Local));
        let unknown = KeyText::generate().unwrap();
        assert_eq!(
            kind(&open, Some(unknown.expose().as_bytes())).await,
            Err(ErrorKind::Unauthenticated)
        );
        let (closed, _) = auth(None, true);
        assert_eq!(kind(&closed, None).await, Err(ErrorKind::Unauthenticated));
        assert_eq!(
            kind(&closed, Some(b"sk-whatever")).await,
            Err(ErrorKind::Unauthenticated)
        );
    }

    #[tokio::test]
    async fn the_local_user_needs_a_key_once_there_is_one_and_a_bad_one_is_never_taken_for_none() {
        let (auth, store) = auth(None, false);
        let auth = Arc::new(auth);
        let as_nobody = LocalIdentity::new(auth.clone(), None);
        assert_eq!(as_nobody.caller().await.unwrap(), Caller::Local);
        let (text, key) = ring::tests::made(&store, None).await;
        auth.ring().catch_up().await.unwrap();
        assert_eq!(as_nobody.caller().await.unwrap_err().kind, ErrorKind::Unauthenticated);
        let holder = LocalIdentity::new(auth.clone(), Some(text.expose().into()));
        assert_eq!(holder.caller().await.unwrap(), Caller::Key(key.identity));
        let garbage = LocalIdentity::new(auth, Some("sk-anything".into()));
        assert_eq!(garbage.caller().await.unwrap_err().kind, ErrorKind::Unauthenticated);
    }

    #[tokio::test]
    async fn many_wrong_keys_from_one_address_are_held_up_and_good_ones_are_not() {
        let (auth, _) = auth(Some(ADMIN), false);
        let peer = Some("192.0.2.1".parse().unwrap());
        let mut kinds = Vec::new();
        for _ in 0..25 {
            kinds.push(auth.caller(Some(b"wrong"), peer).await.unwrap_err());
        }
        let held_up = kinds.iter().filter(|error| error.kind == ErrorKind::RateLimited);
        assert_eq!(held_up.clone().count(), 5);
        assert!(held_up.clone().all(|error| error.retry_after.is_some()));
        assert_eq!(auth.caller(Some(ADMIN.as_bytes()), peer).await.unwrap(), Caller::Admin);
        assert_eq!(
            auth.caller(None, peer).await.unwrap_err().kind,
            ErrorKind::Unauthenticated
        );
    }
}
