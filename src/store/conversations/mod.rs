//! The conversations: the port, and one file per thing that is done to them.
//!
//! A conversation is a row with the place of its next message and, while a turn runs, that turn's lease. Its messages
//! alternate: the user's at odd places, the answers at even ones, without gaps. Only the newest turn can be open
//! (`pending`); a turn that came to nothing keeps its two places, the answer being empty.

mod close;
mod open;
mod page;
mod release;
#[cfg(test)]
mod tests;

use gateway_actors::protocol::{
    CloseTurn, ConversationId, ConversationPage, ConversationStore, OpenTurn, StoreFuture, TurnOpened,
};
use tokio::runtime::Handle;

use super::connection::ReadPool;
use super::error::Fault;
use super::writer::Writer;
use super::{now_us, runtime};

pub(super) use release::release;

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
            .submit(move |connection| Box::pin(async move { open::open(connection, &turn, now_us()).await }))
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| Box::pin(async move { close::close(connection, &turn, now_us()).await }))
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
            page::read(&mut connection, &conversation, limit, before).await
        })
    }
}
