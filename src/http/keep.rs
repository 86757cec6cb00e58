//! Something that is to be done with an answer before its client has the end of it.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use gateway_actors::protocol::Model;

/// Does it.
pub(crate) trait Keep {
    /// Is told which model answers, before anything else.
    fn answered_by(&mut self, model: &Model);

    /// With a whole answer.
    fn whole(&self, body: &Bytes) -> LocalBoxFuture<'static, ()>;

    /// With the events of a stream, if the answer is whole with them.
    fn events(&self, events: &Bytes) -> Option<LocalBoxFuture<'static, ()>>;
}

/// The events with which an answer is whole, held back until that is done.
#[derive(Default)]
pub(crate) struct HeldBack(Option<(Bytes, LocalBoxFuture<'static, ()>)>);

impl HeldBack {
    /// Holds events back until this is done.
    pub(crate) fn hold(&mut self, events: Bytes, until: LocalBoxFuture<'static, ()>) {
        self.0 = Some((events, until));
    }

    /// The events that were held back, once it is done; nothing if there are none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some((_, until)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        ready!(until.as_mut().poll(cx));
        Poll::Ready(self.0.take().map(|(events, _)| events))
    }
}
