//! A client's connection, with the two time limits that actix does not set: on the head of every request but the first,
//! and on a client that takes nothing of its answer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::config::HttpSettings;

/// A connection that ends with an error when its client is too slow.
#[derive(Debug)]
pub(super) struct Connection<T = TcpStream> {
    stream: T,
    traffic: Rc<Traffic>,
    head_timeout: Duration,
    write_timeout: Duration,
    /// Looks at the head that is being read; made once, since setting a timer for each request would cost more.
    head_timer: Option<Pin<Box<Sleep>>>,
    /// There while an answer waits for its client.
    write_timer: Option<Pin<Box<Sleep>>>,
}

/// What the guard around the routes and the connection tell each other.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Requests whose head was read and whose answer is not made yet.
    under_way: Cell<usize>,
    /// Whether there was a request. The head of the first is actix's own to watch: it answers 408.
    is_used: Cell<bool>,
    /// Since when bytes have come that belong to no request yet.
    unclaimed_since: Cell<Option<Instant>>,
}

/// A request under way on a connection; ends when dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Rc<Traffic>);

impl Traffic {
    /// The head of a request was read.
    pub(super) fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.is_used.set(true);
        self.unclaimed_since.set(None);
        UnderWay(Rc::clone(self))
    }

    fn heard(&self) {
        if self.is_used.get() && self.under_way.get() == 0 && self.unclaimed_since.get().is_none() {
            self.unclaimed_since.set(Some(Instant::now()));
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get().saturating_sub(1));
    }
}

impl<T> Connection<T> {
    pub(super) fn new(stream: T, settings: &HttpSettings) -> Self {
        Self {
            stream,
            traffic: Rc::default(),
            head_timeout: settings.head_timeout,
            write_timeout: settings.write_timeout,
            head_timer: None,
            write_timer: None,
        }
    }

    /// For the requests that come over it.
    pub(super) fn traffic(&self) -> Rc<Traffic> {
        Rc::clone(&self.traffic)
    }

    /// Ready when a head has been coming for too long.
    fn poll_head_is_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.traffic.is_used.get() {
            return Poll::Pending;
        }
        let limit = self.head_timeout;
        let timer = self.head_timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let since = self.traffic.unclaimed_since.get();
            let waited = since.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= limit {
                return Poll::Ready(());
            }
            timer.as_mut().reset(Instant::now() + (limit - waited));
        }
    }

    /// Ready when the client has taken nothing for too long.
    fn poll_write_is_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.write_timeout;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            ready!(this.poll_head_is_late(cx));
            return Poll::Ready(Err(too_slow("the head of a request")));
        }
        if buffer.filled().len() > before {
            this.traffic.heard();
        }
        read
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
        this.write_timer = None;
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited too long for {what}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn connection() -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(16);
        (Connection::new(ours, &HttpSettings::default()), theirs)
    }

    async fn read(connection: &mut Connection<DuplexStream>) -> io::Result<usize> {
        connection.read(&mut [0; 64]).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_second_request_has_its_time_however_it_drips() {
        let (mut connection, mut client) = connection();
        let first = connection.traffic().begin();
        drop(first);
        let start = Instant::now();
        let drip = async {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        };
        let reading = async {
            loop {
                if let Err(error) = read(&mut connection).await {
                    return error.kind();
                }
            }
        };
        let ended = tokio::select! {
            kind = reading => kind,
            () = drip => panic!("the client was cut by something else"),
        };
        assert_eq!(ended, io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), HttpSettings::default().head_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_request_is_under_way_or_nothing_has_come_the_head_has_no_limit() {
        let (mut connection, mut client) = connection();
        let traffic = connection.traffic();
        let waits = Duration::from_secs(60);
        assert!(tokio::time::timeout(waits, read(&mut connection)).await.is_err(), "unused");
        let request = traffic.begin();
        client.write_all(b"more").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), 4);
        assert!(tokio::time::timeout(waits, read(&mut connection)).await.is_err(), "under way");
        drop(request);
        assert!(tokio::time::timeout(waits, read(&mut connection)).await.is_err(), "idle");
        client.write_all(b"x").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), 1);
        drop(traffic.begin());
        assert!(tokio::time::timeout(waits, read(&mut connection)).await.is_err(), "claimed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_and_one_that_takes_a_little_is_not() {
        let (mut connection, mut client) = connection();
        let slow = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(20)).await;
                client.read_exact(&mut [0; 4]).await.unwrap();
            }
        };
        let long = [0; 56];
        let (written, ()) = tokio::join!(connection.write_all(&long), slow);
        written.unwrap();
        let start = Instant::now();
        let error = connection.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), HttpSettings::default().write_timeout);
    }
}
