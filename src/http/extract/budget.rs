//! How many bytes of request bodies the process holds at once, over all requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gateway_actors::protocol::{ErrorKind, GatewayError};

/// The bytes that may be held, and those that are.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    limit: usize,
    held: AtomicUsize,
}

impl BodyBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
        }
    }

    /// How many bytes may be held.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), GatewayError> {
        let within = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
            Ok(_) => Ok(()),
            Err(_) => {
                let message = "the gateway holds as many bytes of requests as it can take; try again shortly";
                Err(GatewayError::new(ErrorKind::Overloaded, message).with_retry_after(Duration::from_secs(1)))
            }
        }
    }
}

/// A body's part of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<BodyBudget>,
    bytes: usize,
}

impl Share {
    pub(super) fn none(budget: &Arc<BodyBudget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes more.
    ///
    /// # Errors
    /// `overloaded` when that would be more than all requests together may hold.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), GatewayError> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// The body, whose share is given back with the last reference to its bytes.
    pub(super) fn bound_to(self, body: Bytes) -> Bytes {
        Bytes::from_owner(HeldBody { body, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct HeldBody {
    body: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_with_the_last_reference() {
        let budget = Arc::new(BodyBudget::new(10));
        let mut share = Share::none(&budget);
        share.grow(4).unwrap();
        share.grow(4).unwrap();
        let refused = share.grow(3).unwrap_err();
        assert_eq!(
            (refused.kind, refused.retry_after),
            (ErrorKind::Overloaded, Some(Duration::from_secs(1)))
        );
        let body = share.bound_to(Bytes::from_static(b"12345678"));
        let part = body.slice(2..4);
        drop(body);
        assert_eq!((budget.held(), &part[..]), (8, &b"34"[..]));
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_share_that_was_refused_takes_nothing() {
        let budget = Arc::new(BodyBudget::new(10));
        let mut share = Share::none(&budget);
        assert!(share.grow(11).is_err() && share.grow(usize::MAX).is_err());
        assert_eq!(budget.held(), 0);
        share.grow(10).unwrap();
        drop(share);
        assert_eq!(budget.held(), 0);
    }
}
