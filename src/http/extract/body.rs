//! Reads a request body: within its size, within its time, within what all requests may hold together, and without
//! copying it when it comes in one piece.
//!
//! actix-web bounds neither the time nor the rate at which a body arrives, so this does.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use bytes::Bytes;
use futures_core::Stream;
use gateway_actors::protocol::{ErrorKind, GatewayError};
use tokio::time::{Instant, Sleep, sleep_until};

use super::budget::{BodyBudget, Share};
use crate::config::HttpSettings;

/// How often a body that is slow to come is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// No more than this is set aside for a body on the word of its `Content-Length`.
const RESERVE_AT_MOST: usize = 1024 * 1024;

/// Reads a JSON body of at most `limit` bytes. They count against the budget until the last reference to them is gone.
///
/// # Errors
/// `unsupported_media_type`, `payload_too_large`, `request_timeout`, `overloaded` when all requests together hold too
/// much, `invalid_request` when the chunks are broken, or `client_closed` when the client left.
pub(crate) async fn read_json<P>(
    request: &HttpRequest,
    payload: P,
    limit: usize,
    settings: &HttpSettings,
    budget: &Arc<BodyBudget>,
) -> Result<Bytes, GatewayError>
where
    P: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    check_media_type(request.headers())?;
    read_body(request, payload, limit, settings, budget).await
}

/// The same for a request that need not have a body: one without a type is read as one of JSON.
pub(crate) async fn read_any_json<P>(
    request: &HttpRequest,
    payload: P,
    limit: usize,
    settings: &HttpSettings,
    budget: &Arc<BodyBudget>,
) -> Result<Bytes, GatewayError>
where
    P: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let headers = request.headers();
    if headers.contains_key(header::CONTENT_TYPE) || headers.contains_key(header::CONTENT_ENCODING) {
        return read_json(request, payload, limit, settings, budget).await;
    }
    read_body(request, payload, limit, settings, budget).await
}

async fn read_body<P>(
    request: &HttpRequest,
    payload: P,
    limit: usize,
    settings: &HttpSettings,
    budget: &Arc<BodyBudget>,
) -> Result<Bytes, GatewayError>
where
    P: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let headers = request.headers();
    // What is more than all requests together may hold would be refused however long its client waited.
    let limit = limit.min(budget.limit());
    let declared = declared_length(headers);
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut chunks = Chunks::new(payload, settings);
    let Some(first) = chunks.next().await? else {
        return Ok(Bytes::new());
    };
    let mut share = Share::none(budget);
    let mut admit = |held: usize, chunk: &Bytes| {
        if chunk.len() > limit.saturating_sub(held) {
            return Err(too_large(limit));
        }
        share.grow(chunk.len())
    };
    admit(0, &first)?;
    let mut whole = Whole::One(first);
    loop {
        match chunks.next().await? {
            Some(chunk) => {
                admit(whole.len(), &chunk)?;
                whole = whole.and(&chunk, declared);
            }
            None => return Ok(share.bound_to(whole.into_bytes())),
        }
    }
}

/// The body so far: the first piece as it came, or several copied together.
enum Whole {
    One(Bytes),
    Several(Vec<u8>),
}

impl Whole {
    fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Several(bytes) => bytes.len(),
        }
    }

    fn and(self, chunk: &Bytes, declared: Option<usize>) -> Self {
        let mut bytes = match self {
            Self::One(first) => {
                let mut bytes = Vec::with_capacity(declared.unwrap_or_default().min(RESERVE_AT_MOST));
                make_room(&mut bytes, first.len() + chunk.len(), declared);
                bytes.extend_from_slice(&first);
                bytes
            }
            Self::Several(mut bytes) => {
                make_room(&mut bytes, chunk.len(), declared);
                bytes
            }
        };
        bytes.extend_from_slice(chunk);
        Self::Several(bytes)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::One(bytes) => bytes,
            // What was set aside and is not needed is given back: the body may be held for long.
            Self::Several(bytes) => bytes.into_boxed_slice().into(),
        }
    }
}

/// Room for so many more bytes: twice the room that there was, so that a body is seldom moved, but no more than it is to
/// have in all.
fn make_room(bytes: &mut Vec<u8>, more: usize, declared: Option<usize>) {
    let needed = bytes.len() + more;
    if needed > bytes.capacity() {
        let twice = bytes.capacity().saturating_mul(2);
        let room = twice.min(declared.unwrap_or(twice)).max(needed);
        bytes.reserve_exact(room - bytes.len());
    }
}

/// The pieces of a body as they arrive. The timer exists only once something has to be waited for.
struct Chunks<'a, P> {
    payload: P,
    settings: &'a HttpSettings,
    begun: Instant,
    received: u64,
    has_waited: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a, P> Chunks<'a, P>
where
    P: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    fn new(payload: P, settings: &'a HttpSettings) -> Self {
        Self {
            payload,
            settings,
            begun: Instant::now(),
            received: 0,
            has_waited: false,
            timer: None,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, GatewayError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, GatewayError>> {
        match Pin::new(&mut self.payload).poll_next(cx) {
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Ok(chunk))) => {
                let more = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                self.received = self.received.saturating_add(more);
                Poll::Ready(Ok(Some(chunk)))
            }
            Poll::Ready(Some(Err(_))) => {
                // To actix a broken chunk and a client that left are the same error; but only after the latter does the
                // body end.
                let after = Pin::new(&mut self.payload).poll_next(cx);
                let left = matches!(after, Poll::Ready(None));
                Poll::Ready(Err(if left { client_left() } else { broken_chunks() }))
            }
            Poll::Pending if !self.has_waited => {
                // actix asks for the answer before it hands over the bytes that came with the head: look once more
                // before setting a timer.
                self.has_waited = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => {
                ready!(self.poll_too_slow(cx));
                let message = "the body of the request arrived too slowly; send it again";
                Poll::Ready(Err(GatewayError::new(ErrorKind::RequestTimeout, message)))
            }
        }
    }

    /// Ready when the body is too slow.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (begun, received, settings) = (self.begun, self.received, self.settings);
        let first_check = begun + settings.body_grace.min(settings.body_timeout);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(first_check)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let elapsed = begun.elapsed();
            let expected = elapsed.as_secs().saturating_mul(settings.body_min_rate);
            if elapsed >= settings.body_timeout || received < expected {
                return Poll::Ready(());
            }
            let next_check = (elapsed + CHECK_EVERY).min(settings.body_timeout);
            timer.as_mut().reset(begun + next_check);
        }
    }
}

fn client_left() -> GatewayError {
    GatewayError::new(ErrorKind::ClientClosed, "the client left before its request was whole")
}

fn broken_chunks() -> GatewayError {
    GatewayError::new(
        ErrorKind::InvalidRequest,
        "the chunks of the body are broken; send it again with a right transfer encoding",
    )
}

fn too_large(limit: usize) -> GatewayError {
    let message = format!("the body is larger than the limit of {limit} bytes; send less");
    GatewayError::new(ErrorKind::PayloadTooLarge, message)
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    // A length that does not fit is larger than any limit.
    Some(length.parse().unwrap_or(usize::MAX))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), GatewayError> {
    let value = |name: HeaderName| headers.get(name).map(|value| value.as_bytes().trim_ascii());
    if !value(header::CONTENT_TYPE).is_some_and(is_json) {
        return Err(unsupported("send the body as `Content-Type: application/json`"));
    }
    match value(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(unsupported(
            "compressed bodies are not read; send it without `Content-Encoding`",
        )),
    }
}

fn unsupported(message: &'static str) -> GatewayError {
    GatewayError::new(ErrorKind::UnsupportedMediaType, message)
}

/// `application/json`, in UTF-8 if it says anything about its charset.
fn is_json(content_type: &[u8]) -> bool {
    let mut parts = content_type.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"));
    is_json && parts.all(is_utf8_or_no_charset)
}

fn is_utf8_or_no_charset(parameter: &[u8]) -> bool {
    match parameter.split_at_checked("charset=".len()) {
        Some((name, charset)) if name.eq_ignore_ascii_case(b"charset=") => {
            let charset = charset
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""))
                .unwrap_or(charset);
            charset.eq_ignore_ascii_case(b"utf-8") || charset.eq_ignore_ascii_case(b"utf8")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::{StreamExt, stream};

    use super::*;

    const LIMIT: usize = 10_000;

    fn request(headers: &[(&str, &str)]) -> HttpRequest {
        let mut request = TestRequest::post();
        for header in headers {
            request = request.append_header(*header);
        }
        request.to_http_request()
    }

    fn json() -> HttpRequest {
        request(&[("content-type", "application/json")])
    }

    async fn read<P>(request: HttpRequest, payload: P) -> Result<Bytes, ErrorKind>
    where
        P: Stream<Item = Result<Bytes, PayloadError>>,
    {
        let (settings, budget) = (HttpSettings::default(), Arc::new(BodyBudget::new(LIMIT)));
        let read = read_json(&request, Box::pin(payload), LIMIT, &settings, &budget).await;
        if read.is_err() {
            assert_eq!(budget.held(), 0);
        }
        read.map_err(|error| error.kind)
    }

    /// One piece of this many bytes every so often.
    fn dripping(bytes: usize, every: Duration) -> impl Stream<Item = Result<Bytes, PayloadError>> {
        stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(every).await;
            Ok(Bytes::from(vec![b' '; bytes]))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_in_one_piece_is_not_copied() {
        let body = Bytes::from(vec![b'x'; 5_000]);
        let read = read(json(), stream::iter([Ok(body.clone())])).await.unwrap();
        assert_eq!(read.as_ptr(), body.as_ptr());
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_put_together_in_order() {
        let pieces = ["one ", "two ", "three"].map(|piece| Ok(Bytes::from(piece)));
        assert_eq!(read(json(), stream::iter(pieces)).await.unwrap(), "one two three");
    }

    #[test]
    fn a_body_has_no_more_room_than_it_needs_and_is_seldom_moved() {
        let chunk = Bytes::from(vec![b'x'; 10_000]);
        for (declared, most) in [
            (Some(1_000_000), 1_000_000),
            (Some(3_000_000), 3_000_000),
            (None, 6_000_000),
        ] {
            let chunks = declared.unwrap_or(3_000_000) / chunk.len();
            let mut whole = Whole::One(chunk.clone());
            let mut moves = 0;
            for _ in 1..chunks {
                let before = match &whole {
                    Whole::One(_) => 0,
                    Whole::Several(bytes) => bytes.capacity(),
                };
                whole = whole.and(&chunk, declared);
                let Whole::Several(bytes) = &whole else {
                    panic!("one piece")
                };
                moves += usize::from(bytes.capacity() != before);
                assert!(bytes.capacity() <= most, "{declared:?}: {}", bytes.capacity());
            }
            assert!(moves <= 9, "{declared:?}: moved {moves} times");
            assert_eq!(whole.into_bytes(), chunk.repeat(chunks));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_over_the_limit_is_refused_by_its_declaration_or_at_the_byte() {
        let exactly = stream::iter([Ok(Bytes::from(vec![b'x'; LIMIT]))]);
        assert_eq!(read(json(), exactly).await.unwrap().len(), LIMIT);
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 1_000])));
        assert_eq!(read(json(), endless).await, Err(ErrorKind::PayloadTooLarge));
        for declared in ["10001", "10737418240", "99999999999999999999999"] {
            let request = request(&[("content-type", "application/json"), ("content-length", declared)]);
            let untouched = stream::poll_fn(|_| -> Poll<Option<Result<Bytes, PayloadError>>> {
                panic!("the body was read although its declared length is over the limit")
            });
            assert_eq!(
                read(request, untouched).await,
                Err(ErrorKind::PayloadTooLarge),
                "{declared}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_given_up_after_its_grace_and_a_long_one_after_its_time() {
        let start = Instant::now();
        assert_eq!(read(json(), stream::pending()).await, Err(ErrorKind::RequestTimeout));
        assert_eq!(start.elapsed(), Duration::from_secs(5));

        let start = Instant::now();
        let drip = dripping(1, Duration::from_secs(1));
        assert_eq!(read(json(), drip).await, Err(ErrorKind::RequestTimeout));
        assert_eq!(start.elapsed(), Duration::from_secs(5));

        let start = Instant::now();
        let settings = HttpSettings::default();
        let steady = Box::pin(dripping(2_048, Duration::from_secs(1)));
        let budget = Arc::new(BodyBudget::new(usize::MAX));
        let read = read_json(&json(), steady, usize::MAX, &settings, &budget).await;
        assert_eq!(read.unwrap_err().kind, ErrorKind::RequestTimeout);
        assert_eq!(start.elapsed(), settings.body_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_in_the_middle_gets_no_answer() {
        let pieces = [Ok(Bytes::from_static(b"{")), Err(PayloadError::Incomplete(None))];
        assert_eq!(read(json(), stream::iter(pieces)).await, Err(ErrorKind::ClientClosed));
    }

    #[tokio::test(start_paused = true)]
    async fn broken_chunks_are_the_clients_mistake() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"{")), Err(PayloadError::Incomplete(None))]);
        let broken = pieces.chain(stream::pending());
        assert_eq!(read(json(), broken).await, Err(ErrorKind::InvalidRequest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_counts_until_nobody_refers_to_it_and_one_too_many_is_refused() {
        let (settings, budget) = (HttpSettings::default(), Arc::new(BodyBudget::new(10)));
        let piece = || Ok(Bytes::from_static(b"123456"));
        let pieces = [piece(), piece()];
        let refused = read_json(&json(), stream::iter(pieces), LIMIT, &settings, &budget).await;
        assert_eq!(
            refused.unwrap_err().kind,
            ErrorKind::PayloadTooLarge,
            "it would never fit"
        );
        assert_eq!(budget.held(), 0);
        let first = read_json(&json(), stream::iter([piece()]), LIMIT, &settings, &budget).await;
        let second = read_json(&json(), stream::iter([piece()]), LIMIT, &settings, &budget).await;
        assert_eq!((budget.held(), second.unwrap_err().kind), (6, ErrorKind::Overloaded));
        drop(first);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_plain_json_is_read() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            let body = stream::iter([Ok(Bytes::from_static(b"{}"))]);
            assert!(read(request(&[("content-type", good)]), body).await.is_ok(), "{good}");
        }
        let refused: &[&[(&str, &str)]] = &[
            &[],
            &[("content-type", "text/plain")],
            &[("content-type", "application/jsonx")],
            &[("content-type", "application/json; charset=utf-16")],
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
        ];
        for headers in refused {
            let read = read(request(headers), stream::empty()).await;
            assert_eq!(read, Err(ErrorKind::UnsupportedMediaType), "{headers:?}");
        }
    }
}
