//! Virtual keys in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::protocol::{
    HashSecret, KeyChange, KeyChanges, KeyCursor, KeyId, KeyIdentity, KeyStore, NewKey, PreviousHash, RateLimits,
    Rotation, Scope, StoreError, StoreFuture, StoredKey,
};

#[expect(clippy::disallowed_types, reason = "a fake for tests, which no request waits for")]
type Mutex<T> = std::sync::Mutex<T>;

/// Keys and rates in memory, by the machine's clock and what was added to it.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    state: Mutex<State>,
    asked: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<KeyId, StoredKey>,
    limits: HashMap<Scope, (Option<RateLimits>, i64)>,
    ahead: Duration,
    behind: Duration,
    away: bool,
}

impl State {
    fn now(&self) -> i64 {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = (since_1970.unwrap_or_default() + self.ahead).saturating_sub(self.behind);
        i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
    }

    /// Where the newest changes of keys and of rates are.
    fn newest(&self) -> KeyCursor {
        KeyCursor {
            keys: self.keys.values().map(|key| key.updated_at).max().unwrap_or_default(),
            limits: self.limits.values().map(|(_, at)| *at).max().unwrap_or_default(),
        }
    }

    /// The place of the next change, behind all others whatever the clock says.
    fn next_stamp(&self) -> i64 {
        let newest = self.newest();
        self.now().max(newest.keys.max(newest.limits).saturating_add(1))
    }

    fn change(&mut self, id: &KeyId, change: impl FnOnce(&mut StoredKey, i64)) -> Option<StoredKey> {
        let (now, stamp) = (self.now(), self.next_stamp());
        let key = self.keys.get_mut(id)?;
        if key.revoked_at.is_none() {
            change(key, now);
            key.updated_at = stamp;
        }
        Some(key.clone())
    }
}

impl MemoryKeys {
    /// How often the database was asked for something.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    /// Makes the store unreachable, or reachable again.
    pub fn set_away(&self, away: bool) {
        self.lock().away = away;
    }

    /// Puts its clock forward.
    pub fn advance(&self, by: Duration) {
        self.lock().ahead += by;
    }

    /// Puts its clock back.
    pub fn set_back(&self, by: Duration) {
        self.lock().behind += by;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Send + 'static>(&self, work: impl FnOnce(&mut State) -> T) -> StoreFuture<T> {
        self.asked.fetch_add(1, Ordering::AcqRel);
        let mut state = self.lock();
        let result = if state.away {
            Err(StoreError::Unavailable { source: None })
        } else {
            Ok(work(&mut state))
        };
        Box::pin(std::future::ready(result))
    }
}

fn set<T>(value: &mut T, change: Option<T>) {
    if let Some(change) = change {
        *value = change;
    }
}

impl KeyStore for MemoryKeys {
    fn hash_secret(&self) -> StoreFuture<HashSecret> {
        self.answer(|_| HashSecret::new([7; 32]))
    }

    fn create(&self, key: NewKey) -> StoreFuture<StoredKey> {
        self.answer(|state| {
            let (now, stamp) = (state.now(), state.next_stamp());
            let id = key.identity.id.clone();
            let stored = StoredKey {
                identity: Arc::new(key.identity),
                name: key.name,
                prefix: key.prefix,
                hash: key.hash,
                previous: None,
                created_at: now,
                updated_at: stamp,
                revoked_at: None,
            };
            state.keys.entry(id).or_insert(stored).clone()
        })
    }

    fn list(&self, after: Option<KeyId>, most: u32) -> StoreFuture<Vec<StoredKey>> {
        self.answer(|state| {
            let keys = state.keys.values();
            let behind = keys.filter(|key| after.as_ref().is_none_or(|after| key.identity.id > *after));
            behind
                .take(usize::try_from(most).unwrap_or(usize::MAX))
                .cloned()
                .collect()
        })
    }

    fn get(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        self.answer(|state| state.keys.get(id).cloned())
    }

    fn update(&self, id: &KeyId, change: KeyChange) -> StoreFuture<Option<StoredKey>> {
        self.answer(|state| {
            let changed = state.change(id, |key, _| {
                let mut identity = KeyIdentity::clone(&key.identity);
                set(&mut key.name, change.name);
                set(&mut identity.max_layer, change.max_layer);
                set(&mut identity.models, change.models);
                set(&mut identity.expires_at, change.expires_at);
                set(&mut identity.limits.rpm, change.rpm);
                set(&mut identity.limits.tpm, change.tpm);
                set(&mut identity.limits.max_concurrent, change.max_concurrent);
                key.identity = Arc::new(identity);
            });
            changed.filter(|key| key.revoked_at.is_none())
        })
    }

    fn revoke(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>> {
        self.answer(|state| state.change(id, |key, now| key.revoked_at = Some(now)))
    }

    fn rotate(&self, id: &KeyId, rotation: Rotation) -> StoreFuture<Option<StoredKey>> {
        self.answer(|state| {
            let rotated = state.change(id, |key, now| {
                let grace = i64::try_from(rotation.grace.as_micros()).unwrap_or(i64::MAX);
                key.previous = (grace > 0).then(|| PreviousHash {
                    hash: key.hash,
                    until: now.saturating_add(grace),
                });
                key.hash = rotation.hash;
                key.prefix = rotation.prefix;
            });
            rotated.filter(|key| key.revoked_at.is_none())
        })
    }

    fn changes(&self, since: Option<KeyCursor>) -> StoreFuture<KeyChanges> {
        self.answer(|state| {
            let keys = state.keys.values().filter(|key| match since {
                Some(since) => key.updated_at > since.keys,
                None => key.revoked_at.is_none(),
            });
            let limits = state.limits.iter().filter(|(_, (limits, changed))| match since {
                Some(since) => *changed > since.limits,
                None => limits.is_some(),
            });
            KeyChanges {
                keys: keys.cloned().collect(),
                limits: limits.map(|(scope, (limits, _))| (scope.clone(), *limits)).collect(),
                next: state.newest(),
                now: state.now(),
            }
        })
    }

    fn set_limits(&self, scope: Scope, limits: RateLimits) -> StoreFuture<()> {
        self.answer(|state| {
            let stamp = state.next_stamp();
            state.limits.insert(scope, (Some(limits), stamp));
        })
    }

    fn limits(&self, scope: Scope) -> StoreFuture<Option<RateLimits>> {
        self.answer(|state| state.limits.get(&scope).and_then(|(limits, _)| *limits))
    }

    fn delete_limits(&self, scope: Scope) -> StoreFuture<bool> {
        self.answer(|state| {
            let stamp = state.next_stamp();
            let was_there = matches!(state.limits.get(&scope), Some((Some(_), _)));
            if was_there {
                state.limits.insert(scope, (None, stamp));
            }
            was_there
        })
    }
}
