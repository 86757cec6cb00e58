//! Turns the heads of a provider's answers into ones that the HTTP client reads right.
//!
//! * Interim answers (`100 Continue`, `103 Early Hints`) are taken out. A provider may send any number of them, unasked,
//!   before its answer; the client takes the first head it reads for the answer.
//! * An answer of HTTP/1.1 that says nothing of its length ends with the connection (RFC 9112, section 6.3); the client
//!   reads only those of HTTP/1.0 like that, and takes others for empty. So it is made one of HTTP/1.0.
//! * An answer that has no body by its status (204, 205, 304) may announce or be followed by one all the same. The client
//!   would wait for what was announced, and take what follows for the next answer. So its fields are left out, and no
//!   other request may follow on its connection.
//!
//! In each of these cases the client would give the connection to the next request while bytes of the last answer are on
//! their way: one caller would get what was meant for another. So it is mended below the client, where the bytes are
//! read. (Nobody here asks with HEAD, the other way to an answer without a body.)

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of interim answers before one answer, and of a head that is waited for as a whole.
const MOST_BYTES: usize = 64 * 1024;

/// The most header fields of a head that is looked into; the client refuses more.
const MOST_FIELDS: usize = 96;

/// A connection to a provider on which every answer is whole and says where it ends.
#[derive(Debug)]
pub(super) struct PlainHeads<S> {
    stream: S,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A request has been written: what is read next is a head.
    Head {
        /// Bytes that have been read and not been given on: a head that is not there as a whole yet.
        held: BytesMut,
        /// Bytes of interim answers so far.
        skipped: usize,
    },
    /// These bytes have been read and are to be given on.
    Giving(BytesMut),
    /// Whatever comes is given on.
    Passing,
}

/// What the bytes before an answer's body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The head of an answer that says where it ends, or no HTTP at all: the client's to judge.
    Answer,
    /// The head of an HTTP/1.1 answer that ends with the connection; where its version's last digit stands.
    UntilClose { minor: usize },
    /// The head of an answer that has no body whatever its fields say, and its length.
    Bodiless { status: u16, length: usize },
    /// The head of an interim answer, and its length.
    Interim(usize),
    /// Not all of it is there.
    Unclear,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let mut parser = httparse::ParserConfig::default();
        // As the client does.
        parser.allow_spaces_after_header_name_in_responses(true);
        let length = match parser.parse_response(&mut response, bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Self::Unclear,
            Err(_) => return Self::Answer,
        };
        let status = response.code.unwrap_or_default();
        match status {
            // Switching protocols is the last thing that a server says in this one.
            101 => Self::Answer,
            100..200 => Self::Interim(length),
            204 | 205 | 304 => Self::Bodiless { status, length },
            _ if response.version == Some(1) && !says_where_it_ends(response.headers) => {
                let version = bytes.get(..length).and_then(|head| memmem::find(head, b"HTTP/1.1"));
                version.map_or(Self::Answer, |at| Self::UntilClose { minor: at + 7 })
            }
            _ => Self::Answer,
        }
    }
}

/// The head of an answer without a body and of its connection's last.
fn bodiless(status: u16) -> String {
    format!("HTTP/1.1 {status} \r\nconnection: close\r\n\r\n")
}

/// A transfer coding other than `chunked` says nothing of it. The client passes over `identity` and refuses the others.
fn says_where_it_ends(fields: &[httparse::Header<'_>]) -> bool {
    fields.iter().any(|field| {
        let is_coding = field.name.eq_ignore_ascii_case("transfer-encoding");
        field.name.eq_ignore_ascii_case("content-length")
            || (is_coding && !field.value.trim_ascii().eq_ignore_ascii_case(b"identity"))
    })
}

impl<S> PlainHeads<S> {
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

impl<S: AsyncRead + Unpin> AsyncRead for PlainHeads<S> {
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
                    let mut head = Head::of(held);
                    while let Head::Interim(length) = head {
                        held.advance(length);
                        *skipped += length;
                        head = Head::of(held);
                    }
                    if let Head::UntilClose { minor } = head
                        && let Some(digit) = held.get_mut(minor)
                    {
                        *digit = b'0';
                        head = Head::Answer;
                    }
                    if let Head::Bodiless { status, length } = head {
                        let rest = held.split_off(length);
                        *held = BytesMut::from(bodiless(status).as_bytes());
                        held.unsplit(rest);
                        head = Head::Answer;
                    }
                    if *skipped > MOST_BYTES {
                        let endless = "interim answers without end";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, endless)));
                    }
                    // A head without end is the client's to refuse.
                    if is_end || (head == Head::Answer && !held.is_empty()) || held.len() > MOST_BYTES {
                        *state = State::Giving(std::mem::take(held));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PlainHeads<S> {
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

impl<S: ActixStream> ActixStream for PlainHeads<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.stream.poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.stream.poll_write_ready(cx)
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
    async fn asked() -> (PlainHeads<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1024 * 1024);
        let mut connection = PlainHeads::new(near);
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

    /// Checks what is left of this when it is sent in pieces of each of these sizes.
    async fn assert_comes_through(sent: &str, sizes: impl IntoIterator<Item = usize>, expected: &str) {
        for size in sizes {
            let pieces: Vec<&[u8]> = sent.as_bytes().chunks(size).collect();
            let left = what_comes_through(&pieces).await.unwrap();
            assert_eq!(left, expected, "{sent:?} in pieces of {size}");
        }
    }

    #[actix_web::test]
    async fn interim_answers_are_taken_out_however_they_are_cut() {
        let sent = [CONTINUE, HINTS, CONTINUE, ANSWER].concat();
        assert_comes_through(&sent, 1..sent.len(), ANSWER).await;
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
            "HTTP/1.0 200 OK\r\n\r\nuntil it closes",
            "HTTP/2 103 x\r\n\r\n",
            "",
        ] {
            assert_comes_through(sent, [1, 5, 1000], sent).await;
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
    }

    #[actix_web::test]
    async fn an_answer_that_ends_with_the_connection_says_so_in_its_version() {
        let body = "\r\ncontent-type: text/plain\r\n\r\nHTTP/1.1 is what it says";
        let sent = format!("{HINTS}HTTP/1.1 200 OK{body}");
        let expected = format!("HTTP/1.0 200 OK{body}");
        assert_comes_through(&sent, [1, 5, 1000], &expected).await;
        for whole in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\nCONTENT-LENGTH: 0\n\n",
        ] {
            assert_comes_through(whole, [whole.len()], whole).await;
        }
    }

    #[actix_web::test]
    async fn an_answer_without_a_body_by_its_status_announces_none_and_is_its_connections_last() {
        for (sent, expected) in [
            (
                "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
                "HTTP/1.1 204 \r\nconnection: close\r\n\r\n",
            ),
            (
                "HTTP/1.0 205 Reset Content\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                "HTTP/1.1 205 \r\nconnection: close\r\n\r\n0\r\n\r\n",
            ),
            (
                "HTTP/1.1 304 Not Modified\nconnection: keep-alive\n\nstray",
                "HTTP/1.1 304 \r\nconnection: close\r\n\r\nstray",
            ),
        ] {
            assert_comes_through(sent, [1, 1000], expected).await;
        }
    }

    #[actix_web::test]
    async fn stray_line_breaks_before_an_answer_hide_no_interim_answer() {
        let sent = ["\r\n", CONTINUE, "\r\n", HINTS, ANSWER].concat();
        assert_comes_through(&sent, [1, 3, 1000], ANSWER).await;
    }

    #[actix_web::test]
    async fn a_head_without_end_is_given_on_for_the_client_to_refuse() {
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MOST_BYTES));
        assert_comes_through(&long, [long.len()], &long).await;
    }
}
