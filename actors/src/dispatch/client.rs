//! Seeing that the client has left, or that an answer is not needed any more.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::protocol::NanoUsd;

/// Whoever waits for an answer.
pub(super) trait Client {
    /// Ready once nobody waits any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Ready once the answer is not needed any more although somebody is there: another was taken.
    fn poll_superseded(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    /// Is told of each attempt that is being sent: its place, and what is held for it.
    fn sending(&mut self, _ordinal: u8, _held: NanoUsd) {}
}

/// Waits until the client is gone.
pub(super) async fn gone(client: &mut dyn Client) {
    poll_fn(|cx| client.poll_gone(cx)).await;
}

/// Waits until the answer is not needed any more.
pub(super) async fn superseded(client: &mut dyn Client) {
    poll_fn(|cx| client.poll_superseded(cx)).await;
}

impl<T> Client for oneshot::Sender<T> {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_closed(cx)
    }
}

/// The caller of a conversation's turn: the turn is carried to its end whether or not somebody waits.
#[derive(Debug)]
pub(super) struct Patient;

impl Client for Patient {
    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
