//! The simulator's answer as bytes that arrive over time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec::IntoIter;

use awc::error::PayloadError;
use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Sleep, sleep};

use super::script::Script;

/// Chunks that come at the script's pace.
pub(super) struct Source {
    chunks: IntoIter<Bytes>,
    delay: Duration,
    stall: bool,
    /// The wait under way.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Source {
    pub(super) fn new(chunks: Vec<Bytes>, script: &Script) -> Self {
        Self {
            chunks: chunks.into_iter(),
            delay: script.delay,
            stall: script.stall,
            wait: None,
        }
    }
}

impl Stream for Source {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stall {
            return Poll::Pending;
        }
        if !self.delay.is_zero() {
            let delay = self.delay;
            let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(delay)));
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        Poll::Ready(self.chunks.next().map(Ok))
    }
}
