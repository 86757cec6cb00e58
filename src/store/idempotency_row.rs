//! Rows of `idempotency`, turned into the protocol's types and back.

use std::time::Duration;

use bytes::Bytes;
use diesel::prelude::*;
use gateway_actors::protocol::{Claimed, IdempotencyClaim, KeptAnswer};

use super::error::Fault;
use super::schema::idempotency;

/// A claim as it is stored, also over one that has expired: of the answer that was there nothing is left.
#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = idempotency, treat_none_as_null = true)]
pub(super) struct ClaimRow<'a> {
    owner: &'a str,
    idempotency_key: &'a str,
    body_hash: &'a str,
    request_id: &'a str,
    instance_id: &'a str,
    status: Option<i32>,
    headers: Option<&'a str>,
    body: Option<&'a [u8]>,
    created_at: i64,
    expires_at: i64,
}

impl<'a> ClaimRow<'a> {
    /// The row of a claim that is made now by this request of this process.
    pub(super) fn new(claim: &'a IdempotencyClaim, request: &'a str, instance: &'a str, now: i64) -> Self {
        Self {
            owner: &claim.name.owner,
            idempotency_key: &claim.name.key,
            body_hash: &claim.body_hash,
            request_id: request,
            instance_id: instance,
            status: None,
            headers: None,
            body: None,
            created_at: now,
            expires_at: later(now, claim.running_for),
        }
    }
}

/// What is there under a key.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = idempotency)]
pub(super) struct KeptRow {
    body_hash: String,
    request_id: String,
    status: Option<i32>,
    headers: Option<String>,
    body: Option<Vec<u8>>,
}

impl KeptRow {
    /// What a claim that finds this row is told. A claim may be made twice by the same request.
    pub(super) fn claimed_by(self, claim: &IdempotencyClaim, request: &str) -> Result<Claimed, Fault> {
        if *self.body_hash != *claim.body_hash {
            return Ok(Claimed::OtherBody);
        }
        let Some(status) = self.status else {
            let is_its_own = self.request_id == request;
            return Ok(if is_its_own { Claimed::Run } else { Claimed::Running });
        };
        let status = u16::try_from(status);
        Ok(Claimed::Answered(KeptAnswer {
            status: status.map_err(|_too_large| Fault::failed("an answer was kept with a status that is none"))?,
            headers: self.headers.unwrap_or_default().into(),
            body: self.body.map(Bytes::from),
        }))
    }
}

/// The moment so long after another, in microseconds since 1970 (UTC).
pub(super) fn later(now: i64, after: Duration) -> i64 {
    now.saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX))
}
