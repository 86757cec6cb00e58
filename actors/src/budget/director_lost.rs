//! Leases that ran out while the process went on: what their slices held was posted in full. Once the records of all calls
//! that they paid for are stored the process ends them, as the next start would after its death, and what was posted
//! without need is taken back.

use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;
use crate::protocol::{Holdings, LeaseId, StoreError};

/// How long it takes until it is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// How far the lost leases are, which the holdings have.
#[derive(Debug)]
pub(super) struct LostLeases {
    /// One is being ended.
    ending: bool,
    next: Instant,
    /// How long a call that finds nothing left waits for what will be taken back.
    patient_until: Instant,
}

impl LostLeases {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ending: false,
            next: now,
            patient_until: now,
        }
    }

    /// A lease was lost; calls may wait for its end until then.
    pub(super) fn begin(&mut self, patient_until: Instant) {
        self.patient_until = patient_until;
    }

    /// Whether there is more to be had before long.
    pub(super) fn are_being_ended(&self, now: Instant) -> bool {
        now < self.patient_until
    }

    /// Ends one whose calls have all ended.
    pub(super) fn end_one(&mut self, holdings: &Holdings, now: Instant) -> Option<Action> {
        if self.ending || now < self.next {
            return None;
        }
        let lost = holdings.lost();
        let lease = lost.iter().find(|lost| lost.is_over())?.lease;
        self.ending = true;
        Some(Action::EndLost { lease })
    }

    /// What came of it: whether it has ended.
    pub(super) fn heard(&mut self, holdings: &Holdings, lease: LeaseId, ended: Result<bool, StoreError>, now: Instant) {
        self.ending = false;
        self.next = now + AGAIN;
        match ended {
            Ok(true) => {
                holdings.forget_lost(lease);
                tracing::info!(%lease, "a lease that was lost has ended: what was posted for it without need is free again");
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "a lease that was lost could not be ended yet"),
        }
    }
}
