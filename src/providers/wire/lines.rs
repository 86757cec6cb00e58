//! The connections to one address that wait for their next call.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use awc::error::ConnectError;
use awc::http::Uri;
use bytes::BytesMut;
use futures_core::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout};

/// How long a connection may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(3);

/// A buffer of more than so many bytes is not kept.
const KEPT: usize = 32 * 1024;

/// A connection, whatever is below it.
pub(in crate::providers) trait Io: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// How a connection to an address is made: name, TCP and TLS.
pub(in crate::providers) type Open = Rc<dyn Fn(Uri) -> LocalBoxFuture<'static, Result<Box<dyn Io>, ConnectError>>>;

/// The connections to one address. Calls under way are bounded by the leases of the provider's actor, not here.
pub(in crate::providers) struct Lines {
    address: Uri,
    open: Open,
    /// Within which a connection must be made.
    patience: Duration,
    /// How long one may wait unused, and how long it may be used in all.
    keep_alive: Duration,
    lifetime: Duration,
    idle: RefCell<VecDeque<Idle>>,
}

struct Idle {
    line: Line,
    buffers: Buffers,
    since: Instant,
}

/// What a connection's exchanges write and read with: kept with it, since they are large to make anew for each.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) read: BytesMut,
    pub(super) write: BytesMut,
}

impl Buffers {
    /// Leaves out what an unusual exchange has made too large to keep.
    fn trimmed(self) -> Self {
        let small = |buffer: BytesMut| {
            if buffer.capacity() > KEPT {
                BytesMut::new()
            } else {
                buffer
            }
        };
        Self {
            read: small(self.read),
            write: small(self.write),
        }
    }
}

impl Lines {
    pub(in crate::providers) fn new(
        address: Uri,
        open: Open,
        patience: Duration,
        keep_alive: Duration,
        lifetime: Duration,
    ) -> Rc<Self> {
        Rc::new(Self {
            address,
            open,
            patience,
            keep_alive,
            lifetime,
            idle: RefCell::default(),
        })
    }

    /// A connection on which nothing is under way: the one that was used longest ago, or a new one.
    pub(super) async fn take(&self) -> Result<(Line, Buffers), ConnectError> {
        if let Some(waiting) = self.waiting() {
            return Ok(waiting);
        }
        let io = timeout(self.patience, (self.open)(self.address.clone()));
        let io = io.await.map_err(|_elapsed| ConnectError::Timeout)??;
        let made = Instant::now();
        Ok((Line { io, made }, Buffers::default()))
    }

    fn waiting(&self) -> Option<(Line, Buffers)> {
        let mut idle = self.idle.borrow_mut();
        let now = Instant::now();
        while let Some(Idle {
            mut line,
            buffers,
            since,
        }) = idle.pop_front()
        {
            if now - since > self.keep_alive || now - line.made > self.lifetime {
                line.close();
            } else if is_quiet(&mut *line.io) {
                return Some((line, buffers));
            }
        }
        None
    }

    /// Takes a connection back for another exchange.
    pub(super) fn give_back(&self, line: Line, buffers: Buffers) {
        let mut idle = self.idle.borrow_mut();
        let since = Instant::now();
        while let Some(first) = idle.pop_front_if(|first| since - first.since > self.keep_alive) {
            first.line.close();
        }
        let buffers = buffers.trimmed();
        idle.push_back(Idle { line, buffers, since });
    }
}

/// Whether a connection has neither ended nor said what nobody asked for.
fn is_quiet(io: &mut dyn Io) -> bool {
    let mut byte = [0];
    let mut nobody = Context::from_waker(Waker::noop());
    Pin::new(io)
        .poll_read(&mut nobody, &mut ReadBuf::new(&mut byte))
        .is_pending()
}

/// A connection in use. Dropped, it breaks off.
pub(super) struct Line {
    io: Box<dyn Io>,
    made: Instant,
}

impl Line {
    /// Closes it in order, which takes a message where there is TLS.
    pub(super) fn close(mut self) {
        actix_rt::spawn(async move {
            let _ = timeout(FAREWELL, self.io.shutdown()).await;
        });
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().io).poll_shutdown(cx)
    }
}
