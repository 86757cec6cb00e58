//! The pump of a stream: carries frames to the client, meters them, and sees the attempt to its end.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout, timeout_at};

use super::attempt::{Attempt, Finished};
use super::cell::CellParts;
use super::failure::told;
use crate::protocol::{Billing, FailureKind, GatewayError, OutcomeEnd, StreamFrame, UpstreamFailure, UpstreamStream};
use crate::runtime::{AbortPoint, pass};

/// Frames that may wait for a slow client; beyond it the provider is read no further.
pub(super) const CHANNEL: usize = 16;

/// How long the end of the provider's answer is waited for after its end mark, so that its connection can be used
/// again.
const CLOSING: Duration = Duration::from_millis(500);

/// The client's end of the channel, or what is left when it has gone.
enum Downstream {
    Present(mpsc::Sender<Result<Bytes, GatewayError>>),
    Lingering {
        until: Instant,
        bytes_left: u64,
        _place: LingerPlace,
    },
    Gone,
}

impl Downstream {
    /// What is left of the patience with a stream that nobody reads, after this frame.
    fn after(self, frame: &StreamFrame) -> Self {
        let Self::Lingering {
            until,
            bytes_left,
            _place,
        } = self
        else {
            return self;
        };
        match bytes_left.checked_sub(frame.content_bytes) {
            Some(bytes_left) => Self::Lingering {
                until,
                bytes_left,
                _place,
            },
            None => Self::Gone,
        }
    }
}

/// Carries a stream to its end, and tells how it ended. A failure after the first event is told in the stream, never mended
/// by another model.
pub(super) async fn pump(
    cell: Rc<CellParts>,
    mut attempt: Attempt,
    mut stream: UpstreamStream,
    client: mpsc::Sender<Result<Bytes, GatewayError>>,
) -> (OutcomeEnd, Finished) {
    let mut downstream = Downstream::Present(client);
    loop {
        let item = match &downstream {
            Downstream::Present(client) => {
                tokio::select! {
                    biased;
                    item = stream.frames.next() => item,
                    () = client.closed() => {
                        downstream = linger(&cell);
                        continue;
                    }
                }
            }
            Downstream::Lingering { until, .. } => match timeout_at(*until, stream.frames.next()).await {
                Ok(item) => item,
                Err(_) => return (OutcomeEnd::Left, attempt.client_left()),
            },
            Downstream::Gone => return (OutcomeEnd::Left, attempt.client_left()),
        };
        match item {
            Some(Ok(frame)) => {
                #[cfg(feature = "fault-injection")]
                panic_if_told(&cell);
                attempt.meter(frame.content_bytes, frame.usage);
                downstream = downstream.after(&frame);
                if frame.terminal {
                    let ended = end(&cell, attempt, downstream, frame).await;
                    // Only its connection is still of interest.
                    let _ = timeout(CLOSING, async { while stream.frames.next().await.is_some() {} }).await;
                    return ended;
                }
                pass(AbortPoint::MidStream);
                if let Downstream::Present(client) = &downstream
                    && !frame.bytes.is_empty()
                    && !deliver(client, Ok(frame.bytes), cell.settings.write_stall).await
                {
                    downstream = linger(&cell);
                }
            }
            Some(Err(failure)) => return fail(&cell, attempt, downstream, &failure).await,
            None => {
                let failure = UpstreamFailure::new(FailureKind::Truncated, Billing::Ambiguous, "no end mark");
                return fail(&cell, attempt, downstream, &failure).await;
            }
        }
    }
}

#[cfg(feature = "fault-injection")]
fn panic_if_told(cell: &CellParts) {
    let told = cell.crash_stream.swap(false, std::sync::atomic::Ordering::AcqRel);
    assert!(!told, "injected into a stream");
}

/// The end mark is there: the attempt is journalled before the last bytes go out.
async fn end(cell: &CellParts, attempt: Attempt, downstream: Downstream, last: StreamFrame) -> (OutcomeEnd, Finished) {
    let Downstream::Present(client) = downstream else {
        return (OutcomeEnd::Left, attempt.completed_for_nobody());
    };
    let finished = attempt.completed();
    // A client that has gone by now has lost nothing but the end mark.
    if last.bytes.is_empty() || deliver(&client, Ok(last.bytes), cell.settings.write_stall).await {
        deliver(&client, Ok(Bytes::new()), cell.settings.write_stall).await;
    }
    (OutcomeEnd::Answered, finished)
}

async fn fail(
    cell: &CellParts,
    attempt: Attempt,
    downstream: Downstream,
    failure: &UpstreamFailure,
) -> (OutcomeEnd, Finished) {
    tracing::info!(failure = %failure, status = failure.status, "a stream broke after it had begun");
    let finished = attempt.failed(failure);
    let Downstream::Present(client) = downstream else {
        return (OutcomeEnd::Left, finished);
    };
    let error = told(failure);
    let end = OutcomeEnd::of_error(error.kind);
    deliver(&client, Err(error), cell.settings.write_stall).await;
    (end, finished)
}

/// Hands an item to the client; `false` when it has gone or takes nothing for too long.
async fn deliver(
    client: &mpsc::Sender<Result<Bytes, GatewayError>>,
    item: Result<Bytes, GatewayError>,
    stall: Duration,
) -> bool {
    match client.try_send(item) {
        Ok(()) => true,
        Err(TrySendError::Full(item)) => matches!(timeout(stall, client.send(item)).await, Ok(Ok(()))),
        Err(TrySendError::Closed(_)) => false,
    }
}

/// Reads on without a client, if there is a place for it: what the answer cost comes at its end.
fn linger(cell: &Rc<CellParts>) -> Downstream {
    if cell.lingering.get() >= cell.settings.most_lingering {
        return Downstream::Gone;
    }
    cell.lingering.set(cell.lingering.get() + 1);
    Downstream::Lingering {
        until: Instant::now() + cell.settings.linger,
        bytes_left: cell.settings.linger_bytes,
        _place: LingerPlace(Rc::clone(cell)),
    }
}

/// One stream that is read on without a client.
struct LingerPlace(Rc<CellParts>);

impl Drop for LingerPlace {
    fn drop(&mut self) {
        self.0.lingering.set(self.0.lingering.get() - 1);
    }
}
