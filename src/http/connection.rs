//! A client's connection, with the time limits that actix does not set: on every request but the first to be there with
//! its head, on the rest of a body that nobody waits for, and on a client that takes nothing of its answer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::config::HttpSettings;

/// How long the rest of a body may take to come after the last answer.
const CLOSING: Duration = Duration::from_secs(1);

/// A connection that ends with an error when its client is too slow.
#[derive(Debug)]
pub(super) struct Connection<T = TcpStream> {
    stream: T,
    traffic: Rc<Traffic>,
    write_timeout: Duration,
    /// Goes off when the next request is due; made once, since setting a timer for each request would cost more.
    request_timer: Option<Pin<Box<Sleep>>>,
    /// There while an answer waits for its client.
    write_timer: Option<Pin<Box<Sleep>>>,
}

/// What the guard around the routes and the connection tell each other.
#[derive(Debug)]
pub(super) struct Traffic {
    head_timeout: Duration,
    keep_alive: Duration,
    /// Requests whose head was read and whose answer is not made yet.
    under_way: Cell<usize>,
    /// Whether anything came since the last request.
    is_coming: Cell<bool>,
    /// When the next request must be there whole with its head, or the connection ends. Nothing while one is under way,
    /// nor before the first: its head is actix's own to watch, which answers 408.
    due: Cell<Option<Instant>>,
}

/// A request under way on a connection; ends when dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    traffic: Rc<Traffic>,
    closes: bool,
}

impl Traffic {
    fn new(settings: &HttpSettings) -> Self {
        Self {
            head_timeout: settings.head_timeout,
            keep_alive: settings.keep_alive,
            under_way: Cell::new(0),
            is_coming: Cell::new(false),
            due: Cell::new(None),
        }
    }

    /// The head of a request was read.
    pub(super) fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.is_coming.set(false);
        self.due.set(None);
        UnderWay {
            traffic: Rc::clone(self),
            closes: false,
        }
    }

    fn heard(&self) {
        if let Some(due) = self.due.get()
            && !self.is_coming.replace(true)
        {
            self.due.set(Some(due.min(Instant::now() + self.head_timeout)));
        }
    }

    fn is_late(&self) -> bool {
        self.due.get().is_some_and(|due| due <= Instant::now())
    }
}

impl UnderWay {
    /// The answer is the last on this connection. actix reads the rest of a chunked body before it closes, however long
    /// that takes.
    pub(super) fn close_after(&mut self) {
        self.closes = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let traffic = &self.traffic;
        traffic.under_way.set(traffic.under_way.get().saturating_sub(1));
        if traffic.under_way.get() == 0 {
            // actix ends idle connections itself, but not those on which the rest of a body is still to come.
            let patience = if self.closes {
                CLOSING
            } else {
                traffic.keep_alive + traffic.head_timeout
            };
            traffic.due.set(Some(Instant::now() + patience));
        }
    }
}

impl<T> Connection<T> {
    pub(super) fn new(stream: T, settings: &HttpSettings) -> Self {
        Self {
            stream,
            traffic: Rc::new(Traffic::new(settings)),
            write_timeout: settings.write_timeout,
            request_timer: None,
            write_timer: None,
        }
    }

    /// For the requests that come over it.
    pub(super) fn traffic(&self) -> Rc<Traffic> {
        Rc::clone(&self.traffic)
    }

    /// Ready when the next request should have been there.
    fn poll_request_is_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.traffic.due.get() else {
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

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            ready!(this.poll_request_is_late(cx));
            return Poll::Ready(Err(too_slow("the next request")));
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
    async fn before_the_first_request_and_while_one_is_under_way_there_is_no_limit() {
        let (mut connection, mut client) = connection();
        let traffic = connection.traffic();
        let waits = Duration::from_secs(60);
        assert!(
            tokio::time::timeout(waits, read(&mut connection)).await.is_err(),
            "unused"
        );
        let (_first, _second) = (traffic.begin(), drop(traffic.begin()));
        client.write_all(b"more").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), 4);
        assert!(
            tokio::time::timeout(waits, read(&mut connection)).await.is_err(),
            "under way"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_follows_ends_and_at_once_after_its_last_answer() {
        let settings = HttpSettings::default();
        for (closes, patience) in [(false, settings.keep_alive + settings.head_timeout), (true, CLOSING)] {
            let (mut connection, _client) = connection();
            let mut request = connection.traffic().begin();
            if closes {
                request.close_after();
            }
            drop(request);
            let start = Instant::now();
            let error = read(&mut connection).await.unwrap_err();
            assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, patience));
        }
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
