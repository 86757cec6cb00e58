//! Virtual keys, the secret that they are hashed with, and the rates of projects and users.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    HashSecret, KeyChange, KeyChanges, KeyCursor, KeyId, NewKey, RateLimits, Rotation, Scope, StoredKey,
};

use super::{Connection, stamps};
use crate::store::error::{Fault, QueryError};
use crate::store::key_row::{KeyChangeset, LimitsRow, NewKeyRow};
use crate::store::schema::{api_keys, rate_limits, secrets};
use crate::store::stamped::Stamped;
use crate::store::transfer::KeyRow;

/// The name of what keys are hashed with.
pub(in super::super) const KEY_HASH: &str = "key_hash";
/// The name of what tokens of offers are signed with.
pub(in super::super) const ESCALATION: &str = "escalation";

/// The secret of this name, which is `fresh` if there was none. Inside the running transaction.
pub(in super::super) async fn secret(
    connection: &mut Connection,
    name: &str,
    fresh: &HashSecret,
) -> Result<HashSecret, QueryError> {
    // Whoever comes second waits for the first, and finds its secret.
    diesel::insert_into(secrets::table)
        .values((secrets::name.eq(name), secrets::value.eq(fresh.to_hex())))
        .on_conflict(secrets::name)
        .do_nothing()
        .execute(connection)
        .await?;
    let value: String = secrets::table
        .find(name)
        .select(secrets::value)
        .first(connection)
        .await?;
    let secret = value.parse();
    Ok(secret.map_err(|_invalid| Fault::failed("a secret in the database is none"))?)
}

/// Stores a key, unless that was done before.
pub(in super::super) async fn create_key(
    connection: &mut Connection,
    key: &NewKey,
    now: i64,
) -> Result<StoredKey, QueryError> {
    let stamp = stamps::next(connection, Stamped::Keys, now).await?;
    diesel::insert_into(api_keys::table)
        .values(NewKeyRow::new(key, now, stamp)?)
        .on_conflict(api_keys::id)
        .do_nothing()
        .execute(connection)
        .await?;
    let stored = find_key(connection, &key.identity.id).await?;
    Ok(stored.ok_or_else(|| Fault::failed("a key that is there is not there"))?)
}

/// The key of this id.
pub(in super::super) async fn find_key(
    connection: &mut Connection,
    id: &KeyId,
) -> Result<Option<StoredKey>, QueryError> {
    let row: Option<KeyRow> = api_keys::table.find(id.as_str()).first(connection).await.optional()?;
    Ok(row.map(StoredKey::try_from).transpose()?)
}

/// Keys in the order of their ids, which is that of their making.
pub(in super::super) async fn list_keys(
    connection: &mut Connection,
    after: Option<&KeyId>,
    most: u32,
) -> Result<Vec<StoredKey>, QueryError> {
    let mut query = api_keys::table.into_boxed();
    if let Some(after) = after {
        query = query.filter(api_keys::id.gt(after.as_str().to_owned()));
    }
    let rows: Vec<KeyRow> = query.order(api_keys::id).limit(most.into()).load(connection).await?;
    Ok(rows.into_iter().map(StoredKey::try_from).collect::<Result<_, _>>()?)
}

/// Changes a key that is not revoked.
pub(in super::super) async fn update_key(
    connection: &mut Connection,
    id: &KeyId,
    change: &KeyChange,
    now: i64,
) -> Result<Option<StoredKey>, QueryError> {
    let stamp = stamps::next(connection, Stamped::Keys, now).await?;
    let this = api_keys::table.find(id.as_str()).filter(api_keys::revoked_at.is_null());
    let changed = diesel::update(this)
        .set(KeyChangeset::new(change, stamp)?)
        .execute(connection)
        .await?;
    match changed {
        0 => Ok(None),
        _ => find_key(connection, id).await,
    }
}

/// Revokes a key, unless that was done before.
pub(in super::super) async fn revoke_key(
    connection: &mut Connection,
    id: &KeyId,
    now: i64,
) -> Result<Option<StoredKey>, QueryError> {
    let stamp = stamps::next(connection, Stamped::Keys, now).await?;
    let this = api_keys::table.find(id.as_str()).filter(api_keys::revoked_at.is_null());
    diesel::update(this)
        .set((api_keys::revoked_at.eq(now), api_keys::updated_at.eq(stamp)))
        .execute(connection)
        .await?;
    find_key(connection, id).await
}

/// Gives a key that is not revoked another text, unless that was done before.
pub(in super::super) async fn rotate_key(
    connection: &mut Connection,
    id: &KeyId,
    rotation: &Rotation,
    now: i64,
) -> Result<Option<StoredKey>, QueryError> {
    let grace = i64::try_from(rotation.grace.as_micros()).unwrap_or(i64::MAX);
    let previous_until = (grace > 0).then(|| now.saturating_add(grace));
    let hash = rotation.hash.to_hex();
    let stamp = stamps::next(connection, Stamped::Keys, now).await?;
    let this = api_keys::table
        .find(id.as_str())
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::hash.ne(&hash));
    let changes = (
        api_keys::hash.eq(&hash),
        api_keys::prefix.eq(&*rotation.prefix),
        api_keys::previous_until.eq(previous_until),
        api_keys::updated_at.eq(stamp),
    );
    // What a column is set to may be another's value before the change.
    match previous_until {
        Some(_) => {
            let old = (api_keys::previous_hash.eq(api_keys::hash.nullable()), changes);
            diesel::update(this).set(old).execute(connection).await?
        }
        None => {
            let none = (api_keys::previous_hash.eq(None::<String>), changes);
            diesel::update(this).set(none).execute(connection).await?
        }
    };
    let stored = find_key(connection, id).await?;
    Ok(stored.filter(|key| key.revoked_at.is_none() && key.hash == rotation.hash))
}

/// What changed behind these places, or all that holds.
pub(in super::super) async fn key_changes(
    connection: &mut Connection,
    since: Option<KeyCursor>,
    now: i64,
) -> Result<KeyChanges, QueryError> {
    let rows: Vec<KeyRow> = match since {
        Some(since) => {
            let changed = api_keys::table.filter(api_keys::updated_at.gt(since.keys));
            changed.load(connection).await?
        }
        None => {
            let live = api_keys::table.filter(api_keys::revoked_at.is_null());
            live.load(connection).await?
        }
    };
    let limits: Vec<LimitsRow> = match since {
        Some(since) => {
            let changed = rate_limits::table.filter(rate_limits::updated_at.gt(since.limits));
            changed.load(connection).await?
        }
        None => {
            let live = rate_limits::table.filter(rate_limits::deleted_at.is_null());
            live.load(connection).await?
        }
    };
    let from = since.unwrap_or_default();
    let keys: Vec<StoredKey> = rows.into_iter().map(StoredKey::try_from).collect::<Result<_, _>>()?;
    let next = KeyCursor {
        keys: keys.iter().map(|key| key.updated_at).fold(from.keys, i64::max),
        limits: limits.iter().map(LimitsRow::stamp).fold(from.limits, i64::max),
    };
    Ok(KeyChanges {
        keys,
        limits: limits.into_iter().map(LimitsRow::change).collect::<Result<_, _>>()?,
        next,
        now,
    })
}

/// Sets the rates of a scope.
pub(in super::super) async fn set_limits(
    connection: &mut Connection,
    scope: &Scope,
    limits: RateLimits,
    now: i64,
) -> Result<(), QueryError> {
    let stamp = stamps::next(connection, Stamped::Limits, now).await?;
    let row = LimitsRow::new(scope, limits, stamp);
    diesel::insert_into(rate_limits::table)
        .values(&row)
        .on_conflict(rate_limits::scope)
        .do_update()
        .set(&row)
        .execute(connection)
        .await?;
    Ok(())
}

/// The rates of a scope.
pub(in super::super) async fn find_limits(
    connection: &mut Connection,
    scope: &Scope,
) -> Result<Option<RateLimits>, QueryError> {
    let row: Option<LimitsRow> = rate_limits::table
        .find(scope.to_string())
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(LimitsRow::change).transpose()?.and_then(|(_, limits)| limits))
}

/// Deletes the rates of a scope. The row stays, so that every process hears of it.
pub(in super::super) async fn delete_limits(
    connection: &mut Connection,
    scope: &Scope,
    now: i64,
) -> Result<bool, QueryError> {
    let stamp = stamps::next(connection, Stamped::Limits, now).await?;
    let this = rate_limits::table
        .find(scope.to_string())
        .filter(rate_limits::deleted_at.is_null());
    let deleted = diesel::update(this)
        .set((rate_limits::deleted_at.eq(now), rate_limits::updated_at.eq(stamp)))
        .execute(connection)
        .await?;
    Ok(deleted > 0)
}
