//! The virtual keys of a PostgreSQL database. Times are the server's.

use std::sync::Arc;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    HashSecret, KeyChange, KeyChanges, KeyCursor, KeyId, KeyStore, NewKey, RateLimits, Rotation, Scope, StoreFuture,
    StoredKey,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};
use crate::store::fresh_secret;

/// The keys of one database.
#[derive(Debug)]
pub(super) struct Keys {
    transactions: Transactions,
}

impl Keys {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl KeyStore for Keys {
    fn hash_secret(&self) -> StoreFuture<HashSecret> {
        self.transactions.submit(Access::Write, move |connection| {
            async move { queries::secret(connection, queries::KEY_HASH, &fresh_secret()?).await }.boxed()
        })
    }

    fn create(&self, key: NewKey) -> StoreFuture<StoredKey> {
        let key = Arc::new(key);
        self.transactions.submit(Access::Write, move |connection| {
            let key = Arc::clone(&key);
            async move {
                let now = clock::now_us(connection).await?;
                queries::create_key(connection, &key, now).await
            }
            .boxed()
        })
    }

    fn list(&self, after: Option<KeyId>, most: u32) -> StoreFuture<Vec<StoredKey>> {
        let after = Arc::new(after);
        self.transactions.submit(Access::Read, move |connection| {
            let after = Arc::clone(&after);
            async move { queries::list_keys(connection, Option::as_ref(&after), most).await }.boxed()
        })
    }

    fn get(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        let id = Arc::new(id.clone());
        self.transactions.submit(Access::Read, move |connection| {
            let id = Arc::clone(&id);
            async move { queries::find_key(connection, &id).await }.boxed()
        })
    }

    fn update(&self, id: &KeyId, change: KeyChange) -> StoreFuture<Option<StoredKey>> {
        let id = Arc::new(id.clone());
        let change = Arc::new(change);
        self.transactions.submit(Access::Write, move |connection| {
            let id = Arc::clone(&id);
            let change = Arc::clone(&change);
            async move {
                let now = clock::now_us(connection).await?;
                queries::update_key(connection, &id, &change, now).await
            }
            .boxed()
        })
    }

    fn revoke(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        let id = Arc::new(id.clone());
        self.transactions.submit(Access::Write, move |connection| {
            let id = Arc::clone(&id);
            async move {
                let now = clock::now_us(connection).await?;
                queries::revoke_key(connection, &id, now).await
            }
            .boxed()
        })
    }

    fn rotate(&self, id: &KeyId, rotation: Rotation) -> StoreFuture<Option<StoredKey>> {
        let id = Arc::new(id.clone());
        let rotation = Arc::new(rotation);
        self.transactions.submit(Access::Write, move |connection| {
            let id = Arc::clone(&id);
            let rotation = Arc::clone(&rotation);
            async move {
                let now = clock::now_us(connection).await?;
                queries::rotate_key(connection, &id, &rotation, now).await
            }
            .boxed()
        })
    }

    fn changes(&self, since: Option<KeyCursor>) -> StoreFuture<KeyChanges> {
        self.transactions.submit(Access::Read, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::key_changes(connection, since, now).await
            }
            .boxed()
        })
    }

    fn set_limits(&self, scope: Scope, limits: RateLimits) -> StoreFuture<()> {
        let scope = Arc::new(scope);
        self.transactions.submit(Access::Write, move |connection| {
            let scope = Arc::clone(&scope);
            async move {
                let now = clock::now_us(connection).await?;
                queries::set_limits(connection, &scope, limits, now).await
            }
            .boxed()
        })
    }

    fn limits(&self, scope: Scope) -> StoreFuture<Option<RateLimits>> {
        let scope = Arc::new(scope);
        self.transactions.submit(Access::Read, move |connection| {
            let scope = Arc::clone(&scope);
            async move { queries::find_limits(connection, &scope).await }.boxed()
        })
    }

    fn delete_limits(&self, scope: Scope) -> StoreFuture<bool> {
        let scope = Arc::new(scope);
        self.transactions.submit(Access::Write, move |connection| {
            let scope = Arc::clone(&scope);
            async move {
                let now = clock::now_us(connection).await?;
                queries::delete_limits(connection, &scope, now).await
            }
            .boxed()
        })
    }
}
