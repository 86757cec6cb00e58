//! The conversations of a SQLite file: writes go through the writer's queue, pages are read beside it.

use gateway_actors::protocol::{
    AmendAnswer, CloseTurn, ConversationId, ConversationPage, ConversationStore, OpenTurn, StoreFuture, TurnOpened,
};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::queries;
use super::writer::Writer;
use crate::store::error::Fault;
use crate::store::{now_us, runtime};

/// The conversations of one database.
#[derive(Debug)]
pub(super) struct Conversations {
    writer: Writer,
    readers: ReadPool,
    runtime: Handle,
}

impl Conversations {
    pub(super) fn new(writer: Writer, readers: ReadPool, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            runtime,
        }
    }
}

impl ConversationStore for Conversations {
    fn open_turn(&self, turn: OpenTurn) -> StoreFuture<TurnOpened> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::open(connection, &turn, now_us()).await }))
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::close(connection, &turn, now_us()).await }))
    }

    fn amend_answer(&self, amendment: AmendAnswer) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::amend(connection, &amendment, now_us()).await }))
    }

    fn page(
        &self,
        conversation: ConversationId,
        limit: u32,
        before: Option<i64>,
    ) -> StoreFuture<Option<ConversationPage>> {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            queries::read(&mut connection, &conversation, limit, before).await
        })
    }

    fn delete_conversation(&self, conversation: ConversationId) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| Box::pin(async move { queries::forget(connection, &conversation).await }))
    }
}
