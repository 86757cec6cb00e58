//! The conversations of a PostgreSQL database.

use std::sync::Arc;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    AmendAnswer, CloseTurn, ConversationId, ConversationPage, ConversationStore, OpenTurn, StoreFuture, TurnOpened,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};

/// The conversations of one database.
#[derive(Debug)]
pub(super) struct Conversations {
    transactions: Transactions,
}

impl Conversations {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl ConversationStore for Conversations {
    fn open_turn(&self, turn: OpenTurn) -> StoreFuture<TurnOpened> {
        let turn = Arc::new(turn);
        self.transactions.submit(Access::Write, move |connection| {
            let turn = Arc::clone(&turn);
            async move {
                let now = clock::now_us(connection).await?;
                queries::open(connection, &turn, now).await
            }
            .boxed()
        })
    }

    fn close_turn(&self, turn: CloseTurn) -> StoreFuture<()> {
        let turn = Arc::new(turn);
        self.transactions.submit(Access::Write, move |connection| {
            let turn = Arc::clone(&turn);
            async move {
                let now = clock::now_us(connection).await?;
                queries::close(connection, &turn, now).await
            }
            .boxed()
        })
    }

    fn amend_answer(&self, amendment: AmendAnswer) -> StoreFuture<bool> {
        let amendment = Arc::new(amendment);
        self.transactions.submit(Access::Write, move |connection| {
            let amendment = Arc::clone(&amendment);
            async move {
                let now = clock::now_us(connection).await?;
                queries::amend(connection, &amendment, now).await
            }
            .boxed()
        })
    }

    fn page(
        &self,
        conversation: ConversationId,
        limit: u32,
        before: Option<i64>,
    ) -> StoreFuture<Option<ConversationPage>> {
        let conversation = Arc::new(conversation);
        self.transactions.submit(Access::Read, move |connection| {
            let conversation = Arc::clone(&conversation);
            async move { queries::read(connection, &conversation, limit, before).await }.boxed()
        })
    }

    fn delete_conversation(&self, conversation: ConversationId) -> StoreFuture<bool> {
        let conversation = Arc::new(conversation);
        self.transactions.submit(Access::Write, move |connection| {
            let conversation = Arc::clone(&conversation);
            async move { queries::forget(connection, &conversation).await }.boxed()
        })
    }
}
