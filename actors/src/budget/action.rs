//! What the director wants done.

use std::time::Duration;

use crate::protocol::{BudgetCursor, BudgetError, GiveBack, GrantRequest, InstanceId, LeaseId, Reserved};

/// Somebody who waits for money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub u64);

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// A waiter is answered.
    Answer(WaiterId, Result<Reserved, BudgetError>),
    /// The ledger is asked to open a lease.
    OpenLease {
        /// For this process.
        instance: InstanceId,
        /// Of this length.
        ttl: Duration,
    },
    /// It is asked to renew a lease.
    RenewLease {
        /// The lease.
        lease: LeaseId,
        /// To this length from now.
        ttl: Duration,
    },
    /// It is asked to end what ran out so long ago.
    ExpireLeases {
        /// How long ago.
        grace: Duration,
    },
    /// It is asked for more.
    Grant {
        /// Under this lease.
        lease: LeaseId,
        /// Of these.
        wanted: Vec<GrantRequest>,
    },
    /// It gets something back.
    GiveBack {
        /// Of this lease.
        lease: LeaseId,
        /// These parts.
        parts: Vec<GiveBack>,
    },
    /// It is asked what other processes want back.
    Recalls {
        /// Of this lease.
        lease: LeaseId,
    },
    /// It is told that a lost lease has ended, if the records of all calls that it paid for are stored.
    EndLost {
        /// The lease.
        lease: LeaseId,
    },
    /// It is asked for budgets that changed.
    Changes {
        /// From this place on.
        from: BudgetCursor,
    },
}
