//! Connections that rest between two calls, and are closed when nobody will use them again.
//!
//! The HTTP client keeps them in a pool that it looks at only when it needs one: a connection that its provider has
//! closed, or that has rested too long, would stay open until the next call of the same provider on the same thread,
//! which may never come. So each is looked at here from time to time while no call uses it.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// How often a resting connection is looked at.
const LOOK: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The call whose request is being sent.
    static CALL: Rc<Call>;
}

/// A call under way: its connection does not rest as long as somebody keeps this.
#[derive(Debug)]
pub(super) struct Call(());

impl Call {
    pub(super) fn begin() -> Rc<Self> {
        Rc::new(Self(()))
    }

    /// Sends the call's request; the connection that it is written to is in use until the call is over.
    pub(super) async fn send<F: Future>(self: Rc<Self>, sending: F) -> F::Output {
        CALL.scope(self, sending).await
    }
}

/// A connection whose calls are known.
#[derive(Debug)]
pub(super) struct Resting<S>(Rc<RefCell<Line<S>>>);

#[derive(Debug)]
struct Line<S> {
    /// Nothing once it is closed.
    stream: Option<S>,
    /// The last call that wrote to it; one that is not known counts as going on.
    call: Option<Weak<Call>>,
    since: Option<Instant>,
}

impl<S: AsyncRead + Unpin + 'static> Resting<S> {
    /// Looks after a connection, which is closed when it has rested for `at_most`.
    pub(super) fn new(stream: S, at_most: Duration) -> Self {
        let line = Rc::new(RefCell::new(Line {
            stream: Some(stream),
            call: None,
            since: None,
        }));
        let watched = Rc::downgrade(&line);
        actix_rt::spawn(async move {
            loop {
                sleep(LOOK).await;
                match watched.upgrade() {
                    Some(line) if line.borrow_mut().look(at_most) => {}
                    _ => return,
                }
            }
        });
        Self(line)
    }
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// Closes the connection if it rests and is of no use any more; `false` when it is closed.
    fn look(&mut self, at_most: Duration) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        if self.call.as_ref().is_none_or(|call| call.strong_count() > 0) {
            self.since = None;
            return true;
        }
        // Its end, or bytes that nobody asked for: the pool would refuse it as well. Nobody else waits for it.
        let mut byte = [0];
        let mut nobody = Context::from_waker(Waker::noop());
        let has_said = Pin::new(stream)
            .poll_read(&mut nobody, &mut ReadBuf::new(&mut byte))
            .is_ready();
        if has_said || self.since.get_or_insert_with(Instant::now).elapsed() >= at_most {
            self.stream = None;
        }
        self.stream.is_some()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Resting<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.0.borrow_mut().stream {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<S> Resting<S> {
    fn to_stream<T>(&self, write: impl FnOnce(&mut S) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut line = self.0.borrow_mut();
        if let Ok(call) = CALL.try_with(Rc::downgrade) {
            line.call = Some(call);
            line.since = None;
        }
        match &mut line.stream {
            Some(stream) => write(stream),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Resting<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.to_stream(|stream| Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to_stream(|stream| Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to_stream(|stream| Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.to_stream(|stream| Pin::new(stream).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.0
            .borrow()
            .stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }
}

/// A connection that has TCP below it, with or without TLS between.
pub(super) trait OverTcp {
    /// What is below.
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for AsyncTlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl<S: OverTcp + AsyncRead + AsyncWrite + Unpin> ActixStream for Resting<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.0.borrow().stream {
            Some(stream) => ActixStream::poll_read_ready(stream.tcp(), cx),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.0.borrow().stream {
            Some(stream) => ActixStream::poll_write_ready(stream.tcp(), cx),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const AT_MOST: Duration = Duration::from_secs(60);

    /// A connection on which this call has sent something, and its far end.
    async fn used(call: &Rc<Call>) -> (Resting<DuplexStream>, DuplexStream) {
        let (near, mut far) = duplex(64);
        let mut line = Resting::new(near, AT_MOST);
        Rc::clone(call).send(line.write_all(b"ask")).await.unwrap();
        far.read_exact(&mut [0; 3]).await.unwrap();
        (line, far)
    }

    /// Lets this much time pass, which is done in no time.
    async fn pass(time: Duration) {
        sleep(time + Duration::from_millis(1)).await;
    }

    async fn in_time(test: impl Future<Output = ()>) {
        tokio::time::pause();
        tokio::task::LocalSet::new().run_until(test).await;
    }

    fn is_open(line: &Resting<DuplexStream>) -> bool {
        line.0.borrow().stream.is_some()
    }

    #[tokio::test]
    async fn a_resting_connection_is_closed_soon_after_its_far_end_was() {
        in_time(async {
            let call = Call::begin();
            let (mut line, far) = used(&call).await;
            drop(call);
            pass(LOOK * 2).await;
            assert!(is_open(&line));
            drop(far);
            pass(LOOK).await;
            assert!(!is_open(&line));
            assert_eq!(line.read(&mut [0]).await.unwrap(), 0, "as if it had come to its end");
            assert!(line.write_all(b"x").await.is_err());
        })
        .await;
    }

    #[tokio::test]
    async fn a_connection_in_use_is_left_alone_however_long_it_is_silent() {
        in_time(async {
            let call = Call::begin();
            let (mut line, mut far) = used(&call).await;
            far.write_all(b"late").await.unwrap();
            drop(far);
            pass(AT_MOST * 2).await;
            let mut answer = Vec::new();
            line.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"late");
            drop(call);
            pass(LOOK).await;
            assert!(!is_open(&line));
        })
        .await;
    }

    #[tokio::test]
    async fn a_connection_that_nobody_uses_rests_for_so_long_and_each_use_begins_anew() {
        in_time(async {
            let call = Call::begin();
            let (mut line, _far) = used(&call).await;
            drop(call);
            pass(AT_MOST / 2).await;
            let next = Call::begin();
            Rc::clone(&next).send(line.write_all(b"ask")).await.unwrap();
            // No look falls into this use.
            drop(next);
            pass(AT_MOST - LOOK).await;
            assert!(is_open(&line));
            pass(LOOK * 3).await;
            assert!(!is_open(&line));
        })
        .await;
    }

    #[tokio::test]
    async fn bytes_that_nobody_asked_for_end_a_rest() {
        in_time(async {
            let call = Call::begin();
            let (line, mut far) = used(&call).await;
            drop(call);
            far.write_all(b"stray").await.unwrap();
            pass(LOOK).await;
            assert!(!is_open(&line));
            assert!(far.read(&mut [0]).now_or_never().is_some(), "the far end sees it");
        })
        .await;
    }
}
