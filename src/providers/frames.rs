//! A stream under way: reads the provider's chunks, hands out frames.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use awc::error::PayloadError;
use awc::http::StatusCode;
use bytes::Bytes;
use futures_core::Stream;
use gateway_actors::protocol::{Billing, FailureKind, StreamFrame, StreamTranslation, UpstreamFailure};

use super::failure::{from_fault, from_payload_error};
use super::watchdog::Watchdog;
use crate::dialects::StreamScanner;

/// How many bytes a stream may have before it says something meaningful.
const MOST_BEFORE_MEANING: usize = 64 * 1024;

/// How long the provider has, after its end mark, to end the body too. Only then can its connection be used again.
const TIME_TO_CLOSE: Duration = Duration::from_secs(1);

/// The frames of one stream. Dropping it closes the connection to the provider, unless the body was read to its end.
pub(super) struct Frames<S> {
    /// Nothing once the body is over: it must not be polled again.
    source: Option<S>,
    scanner: StreamScanner,
    watchdog: Watchdog,
    status: StatusCode,
    /// What turns the events into the client's dialect, if that is another.
    translation: Option<Box<dyn StreamTranslation>>,
    /// What was read before the first meaningful event.
    held: VecDeque<StreamFrame>,
    primed: bool,
    closing: bool,
}

impl<S> Frames<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    pub(super) fn new(
        source: S,
        status: StatusCode,
        scanner: StreamScanner,
        watchdog: Watchdog,
        translation: Option<Box<dyn StreamTranslation>>,
    ) -> Self {
        Self {
            source: Some(source),
            scanner,
            watchdog,
            status,
            translation,
            held: VecDeque::new(),
            primed: false,
            closing: false,
        }
    }

    /// Reads up to the first meaningful event. What was read comes out again.
    pub(super) async fn prime(&mut self) -> Result<(), UpstreamFailure> {
        let mut bytes = 0;
        while !self.scanner.meaningful() {
            let frame = match poll_fn(|cx| self.poll_frame(cx)).await {
                Some(frame) => frame?,
                None => return Err(self.failure(FailureKind::Empty, "the stream ended without an answer")),
            };
            bytes += frame.bytes.len();
            self.held.push_back(frame);
            if bytes > MOST_BEFORE_MEANING && !self.scanner.meaningful() {
                return Err(self.failure(FailureKind::Malformed, "the stream says nothing meaningful"));
            }
        }
        self.primed = true;
        self.watchdog.touch();
        Ok(())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<StreamFrame, UpstreamFailure>>> {
        loop {
            if self.closing {
                ready!(self.poll_close(cx));
                return Poll::Ready(None);
            }
            match self.scanner.next_frame() {
                Ok(Some(frame)) => {
                    let frame = self.translate(frame);
                    match &frame {
                        Ok(frame) if frame.terminal => self.close(cx),
                        Ok(_) => {}
                        Err(_) => self.source = None,
                    }
                    return Poll::Ready(Some(frame));
                }
                Ok(None) => {}
                Err(fault) => {
                    self.source = None;
                    return Poll::Ready(Some(Err(from_fault(&fault, self.status, self.scanner.usage()))));
                }
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            let failure = match Pin::new(source).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    if self.primed {
                        self.watchdog.touch();
                    }
                    self.scanner.push(chunk);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => from_payload_error(&error),
                Poll::Ready(None) => {
                    self.source = None;
                    let last = self.scanner.finish().transpose();
                    return Poll::Ready(last.map(|last| match last {
                        Ok(frame) => self.translate(frame),
                        Err(fault) => Err(from_fault(&fault, self.status, self.scanner.usage())),
                    }));
                }
                Poll::Pending => ready!(self.watchdog.poll_expired(cx)).into(),
            };
            self.source = None;
            return Poll::Ready(Some(Err(self.complete(failure))));
        }
    }

    /// Turns a frame into the client's dialect. What it says to the gateway stays.
    fn translate(&mut self, mut frame: StreamFrame) -> Result<StreamFrame, UpstreamFailure> {
        let Some(translation) = &mut self.translation else {
            return Ok(frame);
        };
        let translated = translation.events(&frame.bytes).and_then(|events| {
            if !frame.terminal {
                return Ok(events);
            }
            let end = translation.end()?;
            Ok(if events.is_empty() {
                end
            } else {
                Bytes::from([events, end].concat())
            })
        });
        match translated {
            Ok(bytes) => {
                frame.bytes = bytes;
                Ok(frame)
            }
            Err(error) => {
                let failure = UpstreamFailure::new(FailureKind::Malformed, Billing::Ambiguous, error.to_string());
                Err(self.complete(failure))
            }
        }
    }

    /// The end mark has been read: the rest of the body is of no interest, but its end is.
    fn close(&mut self, cx: &mut Context<'_>) {
        self.closing = true;
        self.watchdog.hurry(TIME_TO_CLOSE);
        // Mostly the end of the body has come with the end mark. Then the connection is free before anyone asks.
        let _is_over = self.poll_close(cx);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(source) = &mut self.source {
            match Pin::new(source).poll_next(cx) {
                Poll::Ready(Some(Ok(_ignored))) => {}
                Poll::Ready(Some(Err(_)) | None) => self.source = None,
                Poll::Pending => {
                    ready!(self.watchdog.poll_expired(cx));
                    self.source = None;
                }
            }
        }
        Poll::Ready(())
    }

    fn failure(&self, kind: FailureKind, detail: &'static str) -> UpstreamFailure {
        self.complete(UpstreamFailure::new(kind, Billing::Ambiguous, detail))
    }

    fn complete(&self, mut failure: UpstreamFailure) -> UpstreamFailure {
        failure.usage = self.scanner.usage();
        failure.with_status(self.status.as_u16())
    }
}

impl<S> Stream for Frames<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<StreamFrame, UpstreamFailure>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frames = self.get_mut();
        match frames.held.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => frames.poll_frame(cx),
        }
    }
}

#[cfg(test)]
#[path = "frames_fuzz_tests.rs"]
mod fuzz;
