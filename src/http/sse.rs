//! A streamed answer on its way to the client: the provider's events as they come, a comment when it is silent for
//! long, and an error event when it was cut, by the provider or because the gateway stops.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use gateway_actors::protocol::{Dialect, ErrorKind, GatewayError, RequestId};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, interval_at};

use super::keep::{HeldBack, Keep};
use super::shared::Ending;
use crate::dialects::error_event;

/// After so much silence the client gets a comment, so that nothing on the way takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The body of a streamed answer. Dropping it tells the stream's own task that the client has left.
pub(crate) struct EventBody {
    /// The dialect in which the client is told of an error.
    dialect: Dialect,
    request: RequestId,
    /// The last piece that was sent.
    last_sent: Bytes,
    events: mpsc::Receiver<Result<Bytes, GatewayError>>,
    heartbeat: Interval,
    last_event: Instant,
    ending: Ending,
    state: State,
    /// What is to be done with the answer before the client has the end of it.
    keep: Option<Box<dyn Keep>>,
    held_back: HeldBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More must come.
    Open,
    /// The stream came to its end.
    Ended,
    /// The client was told of an error; nothing follows.
    Cut,
}

impl EventBody {
    /// `ending` comes true when the gateway stops and waits for streams no longer.
    pub(crate) fn new(
        dialect: Dialect,
        request: RequestId,
        events: mpsc::Receiver<Result<Bytes, GatewayError>>,
        ending: Ending,
    ) -> Self {
        let now = Instant::now();
        Self {
            dialect,
            request,
            last_sent: Bytes::new(),
            events,
            heartbeat: interval_at(now + HEARTBEAT, HEARTBEAT),
            last_event: now,
            ending,
            state: State::Open,
            keep: None,
            held_back: HeldBack::default(),
        }
    }

    /// The same, but this is done with the answer before the client has the end of it.
    pub(crate) fn keeping(mut self, keep: Option<Box<dyn Keep>>) -> Self {
        self.keep = keep;
        self
    }

    /// What to send of a piece: nothing of the empty one, with which a stream ends.
    fn forward(&mut self, events: Bytes) -> Option<Bytes> {
        if events.is_empty() {
            self.state = State::Ended;
            return None;
        }
        self.last_event = Instant::now();
        self.last_sent = events.clone();
        Some(events)
    }

    fn cut(&mut self, error: &GatewayError) -> Bytes {
        self.state = State::Cut;
        error_event(self.dialect, error, self.request, &self.last_sent)
    }

    /// What to send when the stream's own task ended before the stream did.
    fn close(&mut self) -> Bytes {
        let message = "the stream broke in the gateway before its end; send the request again";
        self.cut(&GatewayError::new(ErrorKind::Internal, message))
    }

    /// What to send when the gateway stops before the stream has ended.
    fn shut_down(&mut self) -> Bytes {
        let message = "the gateway shut down before the stream ended; send the request again";
        self.cut(&GatewayError::new(ErrorKind::Draining, message))
    }

    /// Ready when the client has heard nothing for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.heartbeat.poll_tick(cx).is_ready() {
            let silence = self.last_event.elapsed();
            if silence >= HEARTBEAT {
                return Poll::Ready(());
            }
            self.heartbeat.reset_after(HEARTBEAT.saturating_sub(silence));
        }
        Poll::Pending
    }
}

impl MessageBody for EventBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.state != State::Open {
            return Poll::Ready(None);
        }
        if let Some(events) = std::task::ready!(self.held_back.poll(cx)) {
            return Poll::Ready(self.forward(events).map(Ok));
        }
        let next = match self.events.poll_recv(cx) {
            Poll::Ready(Some(Ok(events))) => {
                if let Some(until) = self.keep.as_ref().and_then(|keep| keep.events(&events)) {
                    self.held_back.hold(events, until);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.forward(events)
            }
            Poll::Ready(Some(Err(error))) => Some(self.cut(&error)),
            // Its task may have been cut before the end was noticed here.
            Poll::Ready(None) if self.ending.as_mut().poll(cx).is_ready() => Some(self.shut_down()),
            Poll::Ready(None) => Some(self.close()),
            Poll::Pending if self.ending.as_mut().poll(cx).is_ready() => Some(self.shut_down()),
            Poll::Pending => {
                std::task::ready!(self.poll_silence(cx));
                self.last_event = Instant::now();
                Some(COMMENT)
            }
        };
        Poll::Ready(next.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};

    use super::*;

    fn body(events: mpsc::Receiver<Result<Bytes, GatewayError>>) -> EventBody {
        EventBody::new(Dialect::OpenaiChat, RequestId::generate(), events, Box::pin(pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_stops_says_so_in_the_stream_after_what_has_come() {
        let (sender, events) = mpsc::channel(8);
        let mut body = EventBody::new(Dialect::OpenaiChat, RequestId::generate(), events, Box::pin(ready(())));
        sender.send(Ok(Bytes::from_static(b"data: {}\n\n"))).await.unwrap();
        assert_eq!(next(&mut body).await.as_deref(), Some("data: {}\n\n"));
        let told = next(&mut body).await.unwrap();
        assert!(told.contains("\"draining\"") && !told.contains("[DONE]"), "{told}");
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_task_was_cut_since_the_gateway_stops_says_so() {
        let (sender, events) = mpsc::channel(8);
        let mut body = EventBody::new(Dialect::OpenaiChat, RequestId::generate(), events, Box::pin(ready(())));
        drop(sender);
        let told = next(&mut body).await.unwrap();
        assert!(told.contains("\"draining\""), "{told}");
        assert_eq!(next(&mut body).await, None);
    }

    async fn next(body: &mut EventBody) -> Option<String> {
        let next = poll_fn(|cx| Pin::new(&mut *body).poll_next(cx)).await;
        next.map(|bytes| match bytes {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(never) => match never {},
        })
    }

    #[tokio::test(start_paused = true)]
    async fn events_go_through_as_the_same_bytes_and_the_end_is_the_end() {
        let (sender, events) = mpsc::channel(8);
        let mut body = self::body(events);
        let event = Bytes::from_static(b"data: {\"a\":1}\n\n");
        sender.send(Ok(event.clone())).await.unwrap();
        sender.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await.unwrap();
        sender.send(Ok(Bytes::new())).await.unwrap();
        drop(sender);
        let first = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.unwrap();
        assert_eq!(first.unwrap().as_ptr(), event.as_ptr());
        assert_eq!(next(&mut body).await.as_deref(), Some("data: [DONE]\n\n"));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_well_without_an_end_mark_is_followed_by_nothing() {
        for last in ["data: {\"choices\":[]}\n\n", "data: [DONE]\nid: 7\n\n"] {
            let (sender, events) = mpsc::channel(8);
            let mut body = self::body(events);
            sender.send(Ok(Bytes::from_static(last.as_bytes()))).await.unwrap();
            sender.send(Ok(Bytes::new())).await.unwrap();
            drop(sender);
            assert_eq!(next(&mut body).await.as_deref(), Some(last));
            assert_eq!(next(&mut body).await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_told_in_the_stream_and_nothing_follows_it() {
        let (sender, events) = mpsc::channel(8);
        let mut body = self::body(events);
        let error = GatewayError::new(ErrorKind::UpstreamError, "the provider broke off");
        sender.send(Err(error)).await.unwrap();
        sender.send(Ok(Bytes::from_static(b"data: late\n\n"))).await.unwrap();
        let told = next(&mut body).await.unwrap();
        assert!(
            told.starts_with("data: {\"error\":") && told.contains("upstream_error"),
            "{told}"
        );
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_task_died_does_not_look_finished() {
        let (sender, events) = mpsc::channel(8);
        let mut body = self::body(events);
        sender.send(Ok(Bytes::from_static(b"data: {}\n\n"))).await.unwrap();
        drop(sender);
        assert_eq!(next(&mut body).await.as_deref(), Some("data: {}\n\n"));
        let told = next(&mut body).await.unwrap();
        assert!(told.contains("\"error\"") && !told.contains("[DONE]"), "{told}");
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_every_fifteen_seconds() {
        let (sender, events) = mpsc::channel(8);
        let mut body = self::body(events);
        let start = Instant::now();
        assert_eq!(next(&mut body).await.as_deref(), Some(": keep-alive\n\n"));
        assert_eq!(start.elapsed(), HEARTBEAT);

        let speaker = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            sender.send(Ok(Bytes::from_static(b"data: {}\n\n"))).await.unwrap();
        };
        let (first, ()) = tokio::join!(next(&mut body), speaker);
        assert_eq!(first.as_deref(), Some("data: {}\n\n"));
        assert_eq!(next(&mut body).await.as_deref(), Some(": keep-alive\n\n"));
        assert_eq!(start.elapsed(), Duration::from_secs(40));
    }
}
