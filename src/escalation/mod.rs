//! Offers to go on with a dearer layer: how they are made, known again and redeemed. Both edges use it.
//!
//! An offer is a row in the database, and a token that names it. The token is signed, and bound to the caller, to what its
//! request meant, to a layer and to a moment; the row makes that it is good once. Nothing is asked of a model before the
//! row is taken.

mod digest;
mod error;
mod offer;
mod redemption;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{Caller, EscalationStore, StoreError};
use tokio::sync::OnceCell;

pub(crate) use self::digest::{Meaning, RequestDigest};
pub(crate) use self::error::Refusal;
pub(crate) use self::offer::{Draft, MOST_ANSWER, Offered};
use self::token::Signer;
pub(crate) use self::token::Ticket;

/// Where offers are kept, and for how long they hold.
#[derive(Clone)]
pub struct Offers {
    store: Arc<dyn EscalationStore>,
    ttl: Duration,
    /// Read once from the database.
    signer: Arc<OnceCell<Signer>>,
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl Offers {
    /// Offers in this database, each of which holds for this long.
    #[must_use]
    pub fn new(store: Arc<dyn EscalationStore>, ttl: Duration) -> Self {
        Self {
            store,
            ttl,
            signer: Arc::default(),
        }
    }

    async fn signer(&self) -> Result<&Signer, StoreError> {
        let read = || async { Ok(Signer::new(&self.store.secret().await?)) };
        self.signer.get_or_try_init(read).await
    }
}

/// What a caller is known by in a token.
fn caller_text(caller: &Caller) -> String {
    match caller {
        Caller::Local => "local".to_owned(),
        Caller::Admin => "admin".to_owned(),
        Caller::Key(key) => format!("key:{}", key.id),
    }
}

#[cfg(test)]
mod tests;
