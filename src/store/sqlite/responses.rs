//! The responses of a SQLite file: writes go through the writer's queue, the rest is read beside it.

use gateway_actors::protocol::{Chain, ResponseId, ResponseStore, StoreFuture, StoredResponse};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::queries;
use super::writer::Writer;
use crate::store::error::Fault;
use crate::store::{now_us, runtime};

/// The responses of one database.
#[derive(Debug)]
pub(super) struct Responses {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
}

impl Responses {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
        }
    }
}

impl ResponseStore for Responses {
    fn put(&self, response: StoredResponse) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::put_response(connection, &response, now_us()).await })
        })
    }

    fn get(&self, id: &ResponseId) -> StoreFuture<Option<StoredResponse>> {
        let (readers, id) = (self.readers.clone(), id.clone());
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::find_response(&mut connection, &id, now_us()).await
        })
    }

    fn chain(&self, id: &ResponseId, most: u32) -> StoreFuture<Chain> {
        let (readers, id) = (self.readers.clone(), id.clone());
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::response_chain(&mut connection, &id, most, now_us()).await
        })
    }

    fn delete(&self, id: &ResponseId) -> StoreFuture<bool> {
        let id = id.clone();
        self.writer.submit(move |connection| {
            Box::pin(async move { queries::delete_response(connection, &id, now_us()).await })
        })
    }

    fn purge_expired(&self) -> StoreFuture<usize> {
        self.writer
            .submit(|connection| Box::pin(async move { queries::purge_responses(connection, now_us()).await }))
    }
}
