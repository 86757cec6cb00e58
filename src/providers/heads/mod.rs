//! Turns the heads of a provider's answers into ones that the HTTP client reads right.
//!
//! * Interim answers (`100 Continue`, `103 Early Hints`) are taken out. A provider may send any number of them, unasked,
//!   before its answer; the client takes the first head it reads for the answer.
//! * An answer of HTTP/1.1 that says nothing of its length ends with the connection (RFC 9112, section 6.3); the client
//!   reads only those of HTTP/1.0 like that, and takes others for empty. So it is made one of HTTP/1.0.
//! * An answer that has no body by its status (204, 205, 304) may announce or be followed by one all the same. The client
//!   would wait for what was announced, and take what follows for the next answer. So its fields are left out, and no
//!   other request may follow on its connection.
//! * A provider may refuse a request before it has read all of it, and read no further (RFC 9112, section 9.5); the client
//!   reads nothing before it has written everything, and would miss why. So the rest of such a request is passed over,
//!   and no other may follow on its connection.
//!
//! In all but the last of these cases the client would give the connection to the next request while bytes of the last
//! answer are on their way: one caller would get what was meant for another. So it is mended below the client, where the
//! bytes are read. (Nobody here asks with HEAD, the other way to an answer without a body.)

mod head;

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::head::{Beginning, is_plain};

/// The most bytes of interim answers before one answer, and of a head that is waited for as a whole.
const MOST_BYTES: usize = 64 * 1024;

/// A connection to a provider on which every answer is whole and says where it ends.
#[derive(Debug)]
pub(super) struct PlainHeads<S> {
    stream: S,
    state: State,
    /// The request was answered before it was sent as a whole: nobody reads the rest.
    is_answered_early: bool,
}

#[derive(Debug)]
enum State {
    /// A request has been written: what is read next is a head.
    Head(Beginning),
    /// These bytes have been read and are to be given on.
    Giving(BytesMut),
    /// Whatever comes is given on.
    Passing,
}

impl<S> PlainHeads<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            state: State::Passing,
            is_answered_early: false,
        }
    }

    fn request_begins(&mut self) {
        if !matches!(&self.state, State::Head(_)) {
            self.state = State::Head(Beginning::default());
        }
    }
}

impl<S: AsyncRead + Unpin> PlainHeads<S> {
    /// Reads on until the whole head of an answer is there; false when nothing more will come.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let State::Head(beginning) = &mut self.state else {
            return Poll::Ready(Ok(false));
        };
        // A head without end is the client's to refuse.
        while !beginning.is_whole() && beginning.held() <= MOST_BYTES {
            if beginning.skipped() > MOST_BYTES {
                let endless = "interim answers without end";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, endless)));
            }
            let mut chunk = [const { MaybeUninit::uninit() }; 4096];
            let mut read = ReadBuf::uninit(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            beginning.take_in(read.filled());
        }
        Poll::Ready(Ok(true))
    }

    /// What to say of a write that came to this: that it is done, where the request has been answered already.
    fn unless_answered<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        done: T,
    ) -> Poll<io::Result<T>> {
        let failed = match &written {
            Poll::Ready(Ok(_)) => return written,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        let has_head = matches!(self.poll_head(cx), Poll::Ready(Ok(true)));
        let State::Head(beginning) = &mut self.state else {
            return written;
        };
        // A provider that answers well while it reads on is waited for.
        if !has_head || !beginning.is_whole() || !(failed || beginning.is_refusal()) {
            return written;
        }
        beginning.close_behind();
        self.is_answered_early = true;
        Poll::Ready(Ok(done))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PlainHeads<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let State::Head(beginning) = &mut this.state {
            if beginning.held() == 0 {
                // Mostly the whole head comes at once, with nothing to mend: then it is not copied.
                let start = buffer.filled().len();
                ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
                let read = buffer.filled().get(start..).unwrap_or_default();
                if read.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                if is_plain(read) {
                    this.state = State::Passing;
                    return Poll::Ready(Ok(()));
                }
                beginning.take_in(read);
                buffer.set_filled(start);
            }
            ready!(this.poll_head(cx))?;
        }
        if let State::Head(beginning) = &mut this.state {
            this.state = State::Giving(beginning.give_on());
        }
        let State::Giving(held) = &mut this.state else {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        };
        let count = held.len().min(buffer.remaining());
        buffer.put_slice(&held.split_to(count));
        if held.is_empty() {
            this.state = State::Passing;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PlainHeads<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_answered_early {
            return Poll::Ready(Ok(bytes.len()));
        }
        this.request_begins();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.unless_answered(cx, written, bytes.len())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_answered_early {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.unless_answered(cx, flushed, ())
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
        let length = parts.iter().map(|part| part.len()).sum();
        if this.is_answered_early {
            return Poll::Ready(Ok(length));
        }
        this.request_begins();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.unless_answered(cx, written, length)
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
mod tests;
