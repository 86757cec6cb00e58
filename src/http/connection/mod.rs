//! A client's connection, with what actix does not see to: the time of every request but the first to be there with its
//! head, of the rest of a body that nobody waits for, and of a client that takes nothing of its answer; and that a
//! request is not looked at before the one in front of it is answered.
//!
//! The last, since actix frames an answer by the last request that it has read, and drops an answer under way when what
//! follows is no request.

mod framing;
mod traffic;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, sleep_until};

use self::framing::RequestFraming;
pub(super) use self::traffic::{Traffic, UnderWay};
use crate::config::HttpSettings;

/// The most bytes that are read behind a request that is not answered yet. A client that has sent as many is not noticed
/// when it leaves.
const MOST_AHEAD: usize = 64 * 1024;

/// After so many bytes, actix is made to hand on what it has before it gets more. Without a pause it reads the first of a
/// body behind the head into a buffer of up to 256 KiB, which the head then keeps for as long as the request is under way,
/// and the rest into another one as large.
const MOST_AT_ONCE: usize = 16 * 1024;

/// A connection that hands over one request at a time, and ends with an error when its client is too slow.
#[derive(Debug)]
pub(super) struct Connection<T = TcpStream> {
    stream: T,
    traffic: Rc<Traffic>,
    framing: RequestFraming,
    /// What has come behind the request that was handed over last.
    ahead: BytesMut,
    /// Whether actix has been able to begin the request that it was handed over last.
    was_handed_over: bool,
    /// Requests that were begun before the one that is handed over.
    begun_before: u64,
    /// Bytes of the request that were handed over without a pause.
    at_once: usize,
    write_timeout: Duration,
    /// Goes off when the next request is due; made once, since setting a timer for each request would cost more.
    request_timer: Option<Pin<Box<Sleep>>>,
    /// There while an answer waits for its client.
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Connection<T> {
    pub(super) fn new(stream: T, settings: &HttpSettings) -> Self {
        Self {
            stream,
            traffic: Rc::new(Traffic::new(settings)),
            framing: RequestFraming::new(),
            ahead: BytesMut::new(),
            was_handed_over: false,
            begun_before: 0,
            at_once: 0,
            write_timeout: settings.write_timeout,
            request_timer: None,
            write_timer: None,
        }
    }

    /// The connection itself.
    #[cfg(test)]
    pub(super) fn stream(&self) -> &T {
        &self.stream
    }

    /// For the requests that come over it.
    pub(super) fn traffic(&self) -> Rc<Traffic> {
        Rc::clone(&self.traffic)
    }

    /// Ready when the next request should have been there. While an answer waits for its client none is due.
    fn poll_request_is_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.traffic.due().filter(|_| self.write_timer.is_none()) else {
            return Poll::Pending;
        };
        let timer = self.request_timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if self.traffic.is_late() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Ready when the client has taken nothing for too long.
    fn poll_write_is_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.write_timeout;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx)
    }
}

impl<T: AsyncRead + Unpin> Connection<T> {
    /// Whether the request that was handed over last is answered, so that the next may follow.
    fn is_answered(&self) -> bool {
        self.was_handed_over && !self.traffic.is_under_way() && self.write_timer.is_none()
    }

    /// Whether what comes belongs to a request that is answered already.
    fn is_thrown_away(&self) -> bool {
        self.traffic.begun() > self.begun_before && !self.traffic.is_under_way()
    }

    /// Reads on behind a request that is not answered yet, so that it is noticed when the client leaves.
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while self.ahead.len() < MOST_AHEAD {
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) else {
                break;
            };
            let came = buffer.filled().get(before..).unwrap_or_default();
            let is_over = read.is_err() || came.is_empty();
            // What is answered at once is answered to a client that has sent all that it ever will.
            if is_over && !self.ahead.is_empty() && !self.was_handed_over {
                break;
            }
            if is_over {
                return Poll::Ready(read);
            }
            self.ahead.extend_from_slice(came);
            buffer.set_filled(before);
        }
        self.was_handed_over = true;
        if !self.ahead.is_empty() {
            self.call_back(cx);
        }
        self.poll_too_late(cx)
    }

    /// Has actix read again when the request under way may be answered. While an answer waits for its client, writing
    /// does.
    fn call_back(&self, cx: &Context<'_>) {
        if self.traffic.is_under_way() {
            self.traffic.wake_when_answered(cx.waker());
        } else if self.write_timer.is_none() {
            cx.waker().wake_by_ref();
        }
    }

    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_request_is_late(cx));
        Poll::Ready(Err(too_slow("the next request")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.framing.is_at_end() {
            if !this.is_answered() {
                return this.poll_read_ahead(cx, buffer);
            }
            this.framing.begin_next();
            this.was_handed_over = false;
            this.begun_before = this.traffic.begun();
            this.at_once = 0;
        }
        // The rest of a body that nobody waits for is thrown away, the faster the better.
        let most = if this.is_thrown_away() {
            usize::MAX
        } else {
            MOST_AT_ONCE.saturating_sub(this.at_once)
        };
        if most == 0 {
            this.at_once = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if this.ahead.is_empty() {
            let Poll::Ready(read) = poll_read_at_most(&mut this.stream, most, cx, buffer) else {
                this.at_once = 0;
                return this.poll_too_late(cx);
            };
            read?;
            let came = buffer.filled().get(before..).unwrap_or_default();
            let (_, behind) = came.split_at(this.framing.pass(came));
            this.ahead.extend_from_slice(behind);
            let end = buffer.filled().len() - behind.len();
            buffer.set_filled(end);
        } else {
            let some = this.ahead.len().min(buffer.remaining()).min(most);
            let (some, _) = this.ahead.split_at(some);
            let (request, _) = some.split_at(this.framing.pass(some));
            buffer.put_slice(request);
            let length = request.len();
            this.ahead.advance(length);
        }
        if buffer.filled().len() > before {
            this.traffic.heard();
        }
        this.at_once += buffer.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if written.is_pending() {
            ready!(this.poll_write_is_late(cx));
            return Poll::Ready(Err(too_slow("a client that takes its answer")));
        }
        if this.write_timer.take().is_some() {
            this.traffic.put_off();
            if !this.ahead.is_empty() {
                cx.waker().wake_by_ref();
            }
        }
        // The answer may have changed when the next request is due. It cannot be late yet: reading will tell.
        let _ = this.poll_request_is_late(cx);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Reads no more than so many bytes, however many there is room for.
fn poll_read_at_most<T: AsyncRead + Unpin>(
    stream: &mut T,
    most: usize,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buffer.remaining() <= most {
        return Pin::new(stream).poll_read(cx, buffer);
    }
    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
    ready!(Pin::new(stream).poll_read(cx, &mut part))?;
    let count = part.filled().len();
    buffer.advance(count);
    Poll::Ready(Ok(()))
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited too long for {what}"))
}

#[cfg(test)]
mod tests;
