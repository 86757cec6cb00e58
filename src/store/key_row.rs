//! Rows of virtual keys and of rates, turned into the protocol's types and back.

use std::sync::Arc;

use diesel::prelude::*;
use gateway_actors::protocol::{
    KeyChange, KeyHash, KeyIdentity, Layer, NewKey, PreviousHash, RateLimits, Scope, StoredKey,
};

use super::error::Fault;
use super::schema::{api_keys, rate_limits};
use super::transfer::KeyRow;

/// A column holds what nobody wrote there.
fn broken<E>(_error: E) -> Fault {
    Fault::failed("a virtual key's row cannot be read")
}

fn number<T: TryFrom<i64>>(value: Option<i64>) -> Result<Option<T>, Fault> {
    let narrowed = value.map(T::try_from).transpose();
    narrowed.map_err(|_out_of_range| Fault::failed("a rate in the database is out of its range"))
}

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn limits(rpm: Option<i64>, tpm: Option<i64>, max_concurrent: Option<i64>) -> Result<RateLimits, Fault> {
    Ok(RateLimits {
        rpm: number(rpm)?,
        tpm: number(tpm)?,
        max_concurrent: number(max_concurrent)?,
    })
}

impl TryFrom<KeyRow> for StoredKey {
    type Error = Fault;

    fn try_from(row: KeyRow) -> Result<Self, Fault> {
        let models: Option<Vec<Arc<str>>> = match row.models {
            Some(text) => Some(serde_json::from_str(&text).map_err(broken)?),
            None => None,
        };
        let previous = match (row.previous_hash, row.previous_until) {
            (Some(hash), Some(until)) => Some(PreviousHash {
                hash: hash.parse().map_err(broken)?,
                until,
            }),
            _ => None,
        };
        Ok(Self {
            identity: Arc::new(KeyIdentity {
                id: row.id.parse().map_err(broken)?,
                project: row.project_id.map(Arc::from),
                user: row.user_id.map(Arc::from),
                role: row.role.parse().map_err(broken)?,
                max_layer: row.max_layer.as_deref().map(str::parse).transpose().map_err(broken)?,
                models: models.map(Arc::from),
                expires_at: row.expires_at,
                limits: limits(row.rpm, row.tpm, row.max_concurrent)?,
            }),
            name: row.name.into(),
            prefix: row.prefix.into(),
            hash: row.hash.parse().map_err(broken)?,
            previous,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revoked_at: row.revoked_at,
        })
    }
}

fn models_text(models: &[Arc<str>]) -> Result<String, Fault> {
    serde_json::to_string(models).map_err(|_error| Fault::failed("a virtual key's models cannot be written"))
}

/// A key as it is stored first.
#[derive(Debug, Insertable)]
#[diesel(table_name = api_keys)]
pub(super) struct NewKeyRow<'a> {
    id: &'a str,
    hash: String,
    prefix: &'a str,
    name: &'a str,
    project_id: Option<&'a str>,
    user_id: Option<&'a str>,
    role: &'static str,
    max_layer: Option<&'static str>,
    models: Option<String>,
    rpm: Option<i64>,
    tpm: Option<i64>,
    max_concurrent: Option<i64>,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
}

impl<'a> NewKeyRow<'a> {
    /// A key that is made now, with the stamp of that change.
    pub(super) fn new(key: &'a NewKey, now: i64, stamp: i64) -> Result<Self, Fault> {
        let identity = &key.identity;
        Ok(Self {
            id: identity.id.as_str(),
            hash: KeyHash::to_hex(&key.hash),
            prefix: &key.prefix,
            name: &key.name,
            project_id: identity.project.as_deref(),
            user_id: identity.user.as_deref(),
            role: identity.role.as_str(),
            max_layer: identity.max_layer.map(Layer::as_str),
            models: identity.models.as_deref().map(models_text).transpose()?,
            rpm: identity.limits.rpm.map(i64::from),
            tpm: identity.limits.tpm.map(column),
            max_concurrent: identity.limits.max_concurrent.map(i64::from),
            created_at: now,
            updated_at: stamp,
            expires_at: identity.expires_at,
        })
    }
}

/// What is changed of a key.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = api_keys)]
pub(super) struct KeyChangeset<'a> {
    name: Option<&'a str>,
    max_layer: Option<Option<&'static str>>,
    models: Option<Option<String>>,
    rpm: Option<Option<i64>>,
    tpm: Option<Option<i64>>,
    max_concurrent: Option<Option<i64>>,
    expires_at: Option<Option<i64>>,
    updated_at: i64,
}

impl<'a> KeyChangeset<'a> {
    pub(super) fn new(change: &'a KeyChange, stamp: i64) -> Result<Self, Fault> {
        let models = match &change.models {
            Some(Some(models)) => Some(Some(models_text(models)?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(Self {
            name: change.name.as_deref(),
            max_layer: change.max_layer.map(|layer| layer.map(Layer::as_str)),
            models,
            rpm: change.rpm.map(|rpm| rpm.map(i64::from)),
            tpm: change.tpm.map(|tpm| tpm.map(column)),
            max_concurrent: change.max_concurrent.map(|most| most.map(i64::from)),
            expires_at: change.expires_at,
            updated_at: stamp,
        })
    }
}

/// A whole row of `rate_limits`, in the order of its columns.
#[derive(Debug, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = rate_limits, treat_none_as_null = true)]
pub(super) struct LimitsRow {
    scope: String,
    rpm: Option<i64>,
    tpm: Option<i64>,
    max_concurrent: Option<i64>,
    updated_at: i64,
    deleted_at: Option<i64>,
}

impl LimitsRow {
    pub(super) fn new(scope: &Scope, limits: RateLimits, stamp: i64) -> Self {
        Self {
            scope: scope.to_string(),
            rpm: limits.rpm.map(i64::from),
            tpm: limits.tpm.map(column),
            max_concurrent: limits.max_concurrent.map(i64::from),
            updated_at: stamp,
            deleted_at: None,
        }
    }

    /// The place of its last change among those of rates.
    pub(super) fn stamp(&self) -> i64 {
        self.updated_at
    }

    /// The scope, and its rates unless they were deleted.
    pub(super) fn change(self) -> Result<(Scope, Option<RateLimits>), Fault> {
        let scope = self.scope.parse().map_err(broken)?;
        let rates = limits(self.rpm, self.tpm, self.max_concurrent)?;
        Ok((scope, self.deleted_at.is_none().then_some(rates)))
    }
}
