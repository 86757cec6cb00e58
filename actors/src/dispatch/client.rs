//! Seeing that the client has left.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Whoever waits for an answer.
pub(super) trait Client {
    /// Ready once nobody waits any more.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Waits until the client is gone.
pub(super) async fn gone(client: &mut dyn Client) {
    poll_fn(|cx| client.poll_gone(cx)).await;
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
