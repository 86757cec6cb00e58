//! What the tools see of the rest of the process.

use std::sync::Arc;
use std::time::Duration;

use super::desk::Desk;
use super::slots::Slots;
use super::status::Status;
use crate::auth::LocalIdentity;
use crate::escalation::Offers;
use crate::limits::Limits;

/// What every call of a tool works with.
#[derive(Debug)]
pub(super) struct Shared {
    /// Whom the process acts for.
    pub(super) identity: LocalIdentity,
    /// How often and how much it may ask.
    pub(super) limits: Arc<Limits>,
    /// The way to the pipeline.
    pub(super) desk: Desk,
    /// The calls that run and wait.
    pub(super) slots: Slots,
    /// What `gateway_status` tells of.
    pub(super) status: Status,
    /// The offers to go on with a dearer layer.
    pub(super) offers: Offers,
    /// How long a call may take, from its arrival on.
    pub(super) patience: Duration,
}
