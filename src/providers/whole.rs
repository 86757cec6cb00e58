//! Reading a body that is wanted whole.

use awc::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt as _;
use gateway_actors::protocol::{Billing, FailureKind, UpstreamFailure};

use super::failure::from_payload_error;
use super::watchdog::Watchdog;

/// Reads a body of at most `limit` bytes. A body that comes in one chunk is not copied.
pub(super) async fn read_whole<S>(
    source: &mut S,
    announced: Option<usize>,
    limit: usize,
    watchdog: &mut Watchdog,
) -> Result<Bytes, UpstreamFailure>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large(limit));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = watchdog.guard(source.next()).await? {
        let chunk = chunk.map_err(|error| from_payload_error(&error))?;
        watchdog.touch();
        if first.len().max(all.len()) + chunk.len() > limit {
            return Err(too_large(limit));
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.reserve(announced.unwrap_or(first.len() * 2).max(first.len()));
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads the beginning of a body that only explains a failure: what cannot be read is left out.
pub(super) async fn read_beginning<S>(source: &mut S, limit: usize, watchdog: &mut Watchdog) -> Bytes
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let mut beginning = BytesMut::new();
    while let Ok(Some(Ok(chunk))) = watchdog.guard(source.next()).await {
        let room = limit.saturating_sub(beginning.len());
        beginning.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if beginning.len() >= limit {
            break;
        }
    }
    beginning.freeze()
}

fn too_large(limit: usize) -> UpstreamFailure {
    let detail = format!("the body of the answer is larger than {limit} bytes");
    UpstreamFailure::new(FailureKind::TooLarge, Billing::Ambiguous, detail)
}
