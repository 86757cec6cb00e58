//! The body of a request on its way to a provider.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, MessageBody};
use bytes::Bytes;
use gateway_actors::protocol::OutgoingBody;

/// How much is handed over at once. The HTTP client copies it into its buffer, which it empties before it asks for more.
const STEP: usize = 32 * 1024;

/// Hands out a body in small steps, so that no second copy of a large one is made.
#[derive(Debug)]
pub(super) struct StepwiseBody {
    /// What is left, last piece first.
    pieces: Vec<Bytes>,
    len: u64,
}

impl StepwiseBody {
    pub(super) fn new(body: &OutgoingBody) -> Self {
        Self {
            pieces: body.pieces().iter().rev().cloned().collect(),
            len: u64::try_from(body.len()).unwrap_or(u64::MAX),
        }
    }
}

impl MessageBody for StepwiseBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.len)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Some(piece) = self.pieces.last_mut() else {
            return Poll::Ready(None);
        };
        let step = piece.split_to(piece.len().min(STEP));
        if piece.is_empty() {
            self.pieces.pop();
        }
        Poll::Ready(Some(Ok(step)))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_body_goes_out_in_order_and_in_small_steps() {
        let body = OutgoingBody::from_pieces([vec![b'a'; STEP + 1], vec![b'b'; 3], vec![b'c'; STEP]].map(Bytes::from));
        let mut steps = StepwiseBody::new(&body);
        assert_eq!(steps.size(), BodySize::Sized(2 * STEP as u64 + 4));
        let mut sent = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(step))) = Pin::new(&mut steps).poll_next(&mut cx) {
            assert!((1..=STEP).contains(&step.len()));
            sent.extend_from_slice(&step);
        }
        assert_eq!(sent, body.to_bytes());
    }
}
