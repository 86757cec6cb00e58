//! The virtual keys of a SQLite file: writes go through the writer's queue, the rest is read beside it.

use gateway_actors::protocol::{
    HashSecret, KeyChange, KeyChanges, KeyCursor, KeyId, KeyStore, NewKey, RateLimits, Rotation, Scope, StoreFuture,
    StoredKey,
};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::queries;
use super::writer::Writer;
use crate::store::error::Fault;
use crate::store::{fresh_secret, now_us, runtime};

/// The keys of one database.
#[derive(Debug)]
pub(super) struct Keys {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
}

impl Keys {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
        }
    }
}

impl KeyStore for Keys {
    fn hash_secret(&self) -> StoreFuture<HashSecret> {
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::secret(connection, queries::KEY_HASH, &fresh_secret()?).await })
        })
    }

    fn create(&self, key: NewKey) -> StoreFuture<StoredKey> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::create_key(connection, &key, now_us()).await }))
    }

    fn list(&self, after: Option<KeyId>, most: u32) -> StoreFuture<Vec<StoredKey>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::list_keys(&mut connection, after.as_ref(), most).await
        })
    }

    fn get(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        let (readers, id) = (self.readers.clone(), id.clone());
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::find_key(&mut connection, &id).await
        })
    }

    fn update(&self, id: &KeyId, change: KeyChange) -> StoreFuture<Option<StoredKey>> {
        let id = id.clone();
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::update_key(connection, &id, &change, now_us()).await })
        })
    }

    fn revoke(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        let id = id.clone();
        self.writer
            .submit(move |connection| Box::pin(async move { queries::revoke_key(connection, &id, now_us()).await }))
    }

    fn rotate(&self, id: &KeyId, rotation: Rotation) -> StoreFuture<Option<StoredKey>> {
        let id = id.clone();
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::rotate_key(connection, &id, &rotation, now_us()).await })
        })
    }

    fn changes(&self, since: Option<KeyCursor>) -> StoreFuture<KeyChanges> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::key_changes(&mut connection, since, now_us()).await
        })
    }

    fn set_limits(&self, scope: Scope, limits: RateLimits) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::set_limits(connection, &scope, limits, now_us()).await })
        })
    }

    fn limits(&self, scope: Scope) -> StoreFuture<Option<RateLimits>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::find_limits(&mut connection, &scope).await
        })
    }

    fn delete_limits(&self, scope: Scope) -> StoreFuture<bool> {
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::delete_limits(connection, &scope, now_us()).await })
        })
    }
}
