//! One exchange over HTTP/1.1: a prepared request with its body out, the answer in.
//!
//! awc builds and prepares requests, and asks for lists of models. Calls go this way instead: awc makes a codec for each
//! request, with a clock of its own, which is a task, a timer and a wake-up of the thread that nobody needs. Here the
//! codec (actix-http's, as awc's) shares one clock, and the connection is found without asking services about it.

mod lines;

use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_codec::{Framed, FramedParts};
use actix_http::body::BodySize;
use actix_http::h1::{ClientCodec, ClientPayloadCodec, Message, MessageType};
use actix_http::{RequestHead, RequestHeadType, ResponseHead, ServiceConfig};
use awc::FrozenClientRequest;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::StatusCode;
use awc::http::header::HeaderMap;
use bytes::Bytes;
use futures_core::Stream;
use gateway_actors::protocol::OutgoingBody;
use tokio::io::AsyncWriteExt as _;

use self::lines::{Buffers, Line};
pub(super) use self::lines::{Io, Lines, Open};

/// A piece of a body up to so many bytes is copied behind what goes before it and sent with that; a longer one goes out by
/// itself, uncopied.
const COPIED: usize = 16 * 1024;

/// The way of one prepared request.
pub(super) struct Wire {
    lines: Rc<Lines>,
    head: Rc<RequestHead>,
    /// Made by the first exchange, since it needs the thread's runtime.
    config: OnceCell<ServiceConfig>,
}

impl Wire {
    /// For a request that awc has prepared, over these connections to its address.
    pub(super) fn new(request: &FrozenClientRequest, lines: Rc<Lines>) -> Self {
        let mut head = RequestHead::default();
        head.uri = request.get_uri().clone();
        head.method = request.get_method().clone();
        head.headers = request.headers().clone();
        Self {
            lines,
            head: Rc::new(head),
            config: OnceCell::new(),
        }
    }

    /// Sends the request with this body, and with these headers besides its own, and reads the head of the answer.
    pub(super) async fn send(
        &self,
        headers: Option<HeaderMap>,
        body: &OutgoingBody,
    ) -> Result<Answer, SendRequestError> {
        let (line, Buffers { read, write: buffer }) = self.lines.take().await?;
        let config = self.config.get_or_init(ServiceConfig::default).clone();
        let mut parts = FramedParts::with_read_buf(line, ClientCodec::new(config), read);
        parts.write_buf = buffer;
        let mut framed = Framed::from_parts(parts);
        write(&mut framed, RequestHeadType::Rc(Rc::clone(&self.head), headers), body).await?;
        let head = poll_fn(|cx| Pin::new(&mut framed).next_item(cx)).await;
        let head = head.ok_or(ConnectError::Disconnected)??;
        let body = match framed.codec_ref().message_type() {
            MessageType::None => {
                let keep_alive = framed.codec_ref().keep_alive();
                end(&self.lines, framed, keep_alive);
                None
            }
            MessageType::Payload | MessageType::Stream => Some(Unread {
                framed: framed.into_map_codec(ClientCodec::into_payload_codec),
                lines: Rc::clone(&self.lines),
            }),
        };
        Ok(Answer { head, body: Body(body) })
    }
}

/// Ends an exchange: another may follow on its connection, or none.
fn end<C>(lines: &Lines, framed: Framed<Line, C>, keep_alive: bool) {
    let parts = framed.into_parts();
    // What came behind the answer belongs to nobody.
    if keep_alive && parts.read_buf.is_empty() {
        let (read, write) = (parts.read_buf, parts.write_buf);
        lines.give_back(parts.io, Buffers { read, write });
    } else {
        parts.io.close();
    }
}

/// Writes a request as a whole.
async fn write(
    framed: &mut Framed<Line, ClientCodec>,
    head: RequestHeadType,
    body: &OutgoingBody,
) -> Result<(), SendRequestError> {
    let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
    Pin::new(&mut *framed).write(Message::Item((head, BodySize::Sized(length))))?;
    for piece in body.pieces() {
        let is_copied = piece.len() <= COPIED;
        if !is_copied || !framed.is_write_ready() {
            flush(framed).await?;
        }
        if is_copied {
            Pin::new(&mut *framed).write(Message::Chunk(Some(piece.clone())))?;
        } else {
            framed.io_mut().write_all(piece).await?;
        }
    }
    flush(framed).await
}

async fn flush(framed: &mut Framed<Line, ClientCodec>) -> Result<(), SendRequestError> {
    Ok(poll_fn(|cx| Pin::new(&mut *framed).flush(cx)).await?)
}

/// An answer whose head is there.
pub(super) struct Answer {
    head: ResponseHead,
    body: Body,
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The body, once.
    pub(super) fn take_payload(&mut self) -> Body {
        Body(self.body.0.take())
    }
}

/// The body of an answer as it arrives. The connection serves another call when all of it was read, and none if it is
/// dropped before.
pub(super) struct Body(Option<Unread>);

struct Unread {
    framed: Framed<Line, ClientPayloadCodec>,
    lines: Rc<Lines>,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(Unread { framed, .. }) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(framed).next_item(cx)) {
            Some(Ok(Some(chunk))) => Poll::Ready(Some(Ok(chunk))),
            Some(Ok(None)) => {
                if let Some(Unread { framed, lines }) = self.0.take() {
                    let keep_alive = framed.codec_ref().keep_alive();
                    end(&lines, framed, keep_alive);
                }
                Poll::Ready(None)
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests;
