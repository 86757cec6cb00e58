//! Takes interim answers (`100 Continue`, `103 Early Hints`) out of what a provider sends.
//!
//! A provider may send any number of them, unasked, before its answer. The HTTP client takes the first head it reads
//! for the answer, and gives the connection to the next request while the answer to the last is still on its way: one
//! client would get what was meant for another. So they are taken out below it, where the bytes are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of interim answers before one answer.
const MOST_BYTES: usize = 64 * 1024;

/// The bytes that show whether a head is that of an interim answer: `HTTP/1.1 103`.
const TELLING_BYTES: usize = 12;

/// A connection to a provider without its interim answers.
#[derive(Debug)]
pub(super) struct WithoutInterim<S> {
    stream: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A request has been written: what is read next is a head.
    Head {
        /// Bytes that have been read and not been given on, as they are or may be an interim answer.
        held: BytesMut,
        /// Bytes of interim answers so far.
        skipped: usize,
    },
    /// These bytes have been read and are to be given on.
    Giving(BytesMut),
    /// Whatever comes is given on.
    Passing,
}

/// What the beginning of a head shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// An answer, or no HTTP at all: the client's to judge.
    Answer,
    /// An interim answer; its length, once all of it is there.
    Interim(Option<usize>),
    /// Too little to tell.
    Unclear,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let fits = |(place, &byte): (usize, &u8)| match place {
            0..=6 => b"HTTP/1.".get(place) == Some(&byte),
            8 => byte == b' ',
            9 => byte == b'1',
            _ => byte.is_ascii_digit(),
        };
        if !bytes.iter().take(TELLING_BYTES).enumerate().all(fits) {
            return Self::Answer;
        }
        match bytes.get(9..TELLING_BYTES) {
            None => Self::Unclear,
            // Switching protocols is the last thing that a server says in this one.
            Some(b"101") => Self::Answer,
            Some(_) => Self::Interim(memmem::find(bytes, b"\r\n\r\n").map(|end| end + 4)),
        }
    }
}

impl<S> WithoutInterim<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            state: State::Passing,
        }
    }

    fn request_begins(&mut self) {
        if !matches!(&self.state, State::Head { .. }) {
            self.state = State::Head {
                held: BytesMut::new(),
                skipped: 0,
            };
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutInterim<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, state } = self.get_mut();
        loop {
            match state {
                State::Passing => return Pin::new(stream).poll_read(cx, buffer),
                State::Giving(held) => {
                    let count = held.len().min(buffer.remaining());
                    buffer.put_slice(&held.split_to(count));
                    if held.is_empty() {
                        *state = State::Passing;
                    }
                    return Poll::Ready(Ok(()));
                }
                State::Head { held, skipped } => {
                    let mut chunk = [0; 4096];
                    let mut read = ReadBuf::new(&mut chunk);
                    ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
                    let is_end = read.filled().is_empty();
                    held.extend_from_slice(read.filled());
                    while let Head::Interim(Some(length)) = Head::of(held) {
                        held.advance(length);
                        *skipped += length;
                    }
                    if held.len() + *skipped > MOST_BYTES && Head::of(held) != Head::Answer {
                        let endless = "interim answers without end";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, endless)));
                    }
                    if is_end || (!held.is_empty() && Head::of(held) == Head::Answer) {
                        *state = State::Giving(std::mem::take(held));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithoutInterim<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.request_begins();
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.request_begins();
        Pin::new(&mut this.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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

impl<S: OverTcp + AsyncRead + AsyncWrite + Unpin> ActixStream for WithoutInterim<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.stream.tcp(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.stream.tcp(), cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n";
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    /// A connection on which a request has been sent, and the server's end of it.
    async fn asked() -> (WithoutInterim<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1024 * 1024);
        let mut connection = WithoutInterim::new(near);
        connection.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        (connection, far)
    }

    /// What is left of these pieces, each of which is there before the next is sent.
    async fn what_comes_through(pieces: &[&[u8]]) -> io::Result<String> {
        let (mut connection, mut far) = asked().await;
        let mut read = Vec::new();
        for piece in pieces {
            far.write_all(piece).await.unwrap();
            let mut buffer = [0; 7];
            while let Some(count) = futures_util::FutureExt::now_or_never(connection.read(&mut buffer)) {
                read.extend_from_slice(&buffer[..count?]);
            }
        }
        drop(far);
        connection.read_to_end(&mut read).await?;
        Ok(String::from_utf8(read).unwrap())
    }

    #[actix_web::test]
    async fn interim_answers_are_taken_out_however_they_are_cut() {
        let sent = [CONTINUE, HINTS, CONTINUE, ANSWER].concat();
        for size in 1..sent.len() {
            let pieces: Vec<&[u8]> = sent.as_bytes().chunks(size).collect();
            assert_eq!(
                what_comes_through(&pieces).await.unwrap(),
                ANSWER,
                "in pieces of {size}"
            );
        }
    }

    #[actix_web::test]
    async fn everything_else_comes_through_as_it_was_sent() {
        let switching = "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 100 no head any more\r\n\r\n";
        let after = format!("{ANSWER}{CONTINUE}");
        for sent in [
            ANSWER,
            switching,
            &after,
            "not http",
            "HTTP/1",
            "HTTP/1.1 1",
            "HTTP/2 103 x\r\n\r\n",
            "",
        ] {
            for size in [1, 5, 1000] {
                let pieces: Vec<&[u8]> = sent.as_bytes().chunks(size).collect();
                assert_eq!(what_comes_through(&pieces).await.unwrap(), sent);
            }
        }
    }

    #[actix_web::test]
    async fn each_request_on_a_connection_may_have_interim_answers() {
        let (mut connection, mut far) = asked().await;
        for _ in 0..3 {
            far.write_all([HINTS, ANSWER].concat().as_bytes()).await.unwrap();
            let mut answer = vec![0; ANSWER.len()];
            connection.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, ANSWER.as_bytes());
            connection.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        }
    }

    #[actix_web::test]
    async fn interim_answers_without_end_are_an_error() {
        let many = HINTS.repeat(MOST_BYTES / HINTS.len() + 2);
        assert!(what_comes_through(&[many.as_bytes()]).await.is_err());
        let long = format!("HTTP/1.1 103 Early Hints\r\nx: {}", "a".repeat(MOST_BYTES));
        assert!(what_comes_through(&[long.as_bytes()]).await.is_err());
    }
}
