//! The keys that are good, in memory: asked by every request, without I/O.
//!
//! Whoever uses the database tells the others nothing. They look every two seconds for what changed, and once more when
//! a key comes that they do not know, since it may have been made a moment ago. While they cannot look, what they know
//! holds for a while and no longer.
//!
//! A key is made after its budgets. So that it never spends without them, a process that hears of a new key hears of the
//! budgets before it takes the key ([`ReadFirst`]).

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use gateway_actors::protocol::{
    IdMap, KeyCursor, KeyHash, KeyId, KeyIdentity, KeyStore, LimitRules, StoreError, StoreFuture, StoredKey,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::text::{Hasher, KeyText};

/// The time between two looks. A key that was revoked elsewhere is refused after this and the time of one look at the
/// latest.
const EVERY: Duration = Duration::from_secs(2);
/// The least time between looks for the sake of keys that are not known.
const FOR_UNKNOWN: Duration = Duration::from_millis(250);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often everything is read anew, whatever the order of its changes says: a database may be put back.
const ALL_EVERY: Duration = Duration::from_secs(300);

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such key, or it has expired or was revoked.
    Unknown,
    /// Whether it is good cannot be told: the database does not answer.
    Unavailable,
}

/// What must have been read before a key is taken that was not known before.
pub struct ReadFirst(Box<dyn Fn() -> StoreFuture<()> + Send + Sync>);

impl ReadFirst {
    /// This is read.
    #[must_use]
    pub fn new(read: impl Fn() -> StoreFuture<()> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }
}

impl fmt::Debug for ReadFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadFirst(…)")
    }
}

/// The keys of one database. Any number of threads may ask.
#[derive(Debug)]
pub struct KeyRing {
    store: Arc<dyn KeyStore>,
    read_first: OnceLock<ReadFirst>,
    max_age: Duration,
    published: ArcSwap<Published>,
    limits: Arc<ArcSwap<LimitRules>>,
    known: Mutex<Known>,
}

/// What requests see.
#[derive(Debug, Default)]
struct Published {
    hasher: Option<Hasher>,
    keys: Arc<IdMap<KeyHash, Good>>,
    look: Option<Look>,
}

/// A text that is taken.
#[derive(Debug)]
struct Good {
    identity: Arc<KeyIdentity>,
    /// Until when, if the key has another text by now.
    until: Option<i64>,
}

/// When the database was seen last.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// By this machine's clock.
    at: Instant,
    /// By the database's, in microseconds since 1970.
    now_us: i64,
}

/// What the looks have brought.
#[derive(Debug, Default)]
struct Known {
    keys: HashMap<KeyId, StoredKey>,
    limits: LimitRules,
    hasher: Option<Hasher>,
    /// When the last look began, and whether it saw the database.
    last: Option<(Instant, bool)>,
    /// What to ask from the next time.
    since: Option<KeyCursor>,
    all_at: Option<Instant>,
}

impl KeyRing {
    /// The keys of this database, none of them known yet. What is known holds for `max_age` without the database.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, max_age: Duration) -> Self {
        Self {
            store,
            read_first: OnceLock::new(),
            max_age,
            published: ArcSwap::default(),
            limits: Arc::default(),
            known: Mutex::default(),
        }
    }

    /// From now on this is read before a new key is taken, and now for the sake of the keys that are known already.
    ///
    /// # Errors
    /// When it could not be read now.
    pub async fn read_first(&self, what: ReadFirst) -> Result<(), StoreError> {
        let read = self.read_first.get_or_init(|| what);
        (read.0)().await
    }

    /// The rates of projects and users, as they are now.
    #[must_use]
    pub fn limits(&self) -> Arc<ArcSwap<LimitRules>> {
        Arc::clone(&self.limits)
    }

    /// Whether there is a key that is not revoked.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.published.load().keys.is_empty()
    }

    /// Who has this key.
    ///
    /// # Errors
    /// When it is none, or the database would have to say so and cannot.
    pub async fn verify(&self, key: &KeyText) -> Result<Arc<KeyIdentity>, Refusal> {
        let now = Instant::now();
        if let Some(found) = self.find(key, now) {
            return found;
        }
        if !self.look_after(now).await {
            return Err(Refusal::Unavailable);
        }
        self.find(key, Instant::now()).unwrap_or(Err(Refusal::Unknown))
    }

    /// Looks for what this process has just changed.
    ///
    /// # Errors
    /// When the database does not answer; the next look finds it.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let mut known = self.known.lock().await;
        self.look(&mut known).await
    }

    /// Looks for changes again and again.
    pub async fn keep_fresh(&self) -> Infallible {
        let mut was_away = false;
        loop {
            sleep(EVERY).await;
            match self.catch_up().await {
                Ok(()) if was_away => {
                    tracing::info!("virtual keys are read again");
                    was_away = false;
                }
                Ok(()) => {}
                Err(error) => {
                    if !was_away {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, "virtual keys cannot be read; those that are known hold for a while");
                    }
                    was_away = true;
                }
            }
        }
    }

    /// What is known of a key; nothing if there is none, or none any more.
    fn find(&self, key: &KeyText, now: Instant) -> Option<Result<Arc<KeyIdentity>, Refusal>> {
        let published = self.published.load();
        let good = published.keys.get(&published.hasher.as_ref()?.hash(key))?;
        let look = published.look?;
        let age = now.saturating_duration_since(look.at);
        if age > self.max_age {
            return Some(Err(Refusal::Unavailable));
        }
        let now_us = look.now_us.saturating_add(micros(age));
        let is_over = |end: Option<i64>| end.is_some_and(|end| end <= now_us);
        let is_good = !is_over(good.until) && !is_over(good.identity.expires_at);
        is_good.then(|| Ok(Arc::clone(&good.identity)))
    }

    /// Whether the database was seen, and all that was in it at this moment is known. All who wait share one look.
    async fn look_after(&self, moment: Instant) -> bool {
        let mut known = self.known.lock().await;
        if let Some((began, was_seen)) = known.last {
            if began > moment {
                return was_seen;
            }
            sleep_until(began + FOR_UNKNOWN).await;
        }
        self.look(&mut known).await.is_ok()
    }

    async fn look(&self, known: &mut Known) -> Result<(), StoreError> {
        let began = Instant::now();
        known.last = Some((began, false));
        let looked = timeout(PATIENCE, self.read(known, began)).await;
        looked.unwrap_or(Err(StoreError::Unavailable { source: None }))?;
        known.last = Some((began, true));
        Ok(())
    }

    async fn read(&self, known: &mut Known, began: Instant) -> Result<(), StoreError> {
        let is_stale = known.all_at.is_none_or(|at| began.duration_since(at) >= ALL_EVERY);
        let since = known.since.filter(|_| !is_stale);
        let changes = self.store.changes(since).await?;
        if known.hasher.is_none() && !changes.keys.is_empty() {
            known.hasher = Some(Hasher::new(&self.store.hash_secret().await?));
        }
        if let Some(read_first) = self.read_first.get()
            && changes.keys.iter().any(|key| known.is_new(key))
        {
            (read_first.0)().await?;
        }
        let mut is_changed = false;
        if since.is_none() {
            known.all_at = Some(began);
            is_changed = !known.keys.is_empty();
            known.keys.clear();
            known.limits = LimitRules::default();
        }
        known.since = Some(changes.next);
        for key in changes.keys {
            is_changed |= known.take_over(key);
        }
        if !changes.limits.is_empty() || since.is_none() {
            for (scope, rates) in changes.limits {
                known.limits.set(scope, rates);
            }
            self.limits.store(Arc::new(known.limits.clone()));
        }
        let keys = match is_changed {
            true => Arc::new(known.good()),
            false => Arc::clone(&self.published.load().keys),
        };
        self.published.store(Arc::new(Published {
            hasher: known.hasher.clone(),
            keys,
            look: Some(Look {
                at: began,
                now_us: changes.now,
            }),
        }));
        Ok(())
    }
}

impl Known {
    /// Whether it is good, and was not known before under any text.
    fn is_new(&self, key: &StoredKey) -> bool {
        key.revoked_at.is_none() && !self.keys.contains_key(&key.identity.id)
    }

    /// Whether that is news.
    fn take_over(&mut self, key: StoredKey) -> bool {
        if key.revoked_at.is_some() {
            return self.keys.remove(&key.identity.id).is_some();
        }
        if self.keys.get(&key.identity.id) == Some(&key) {
            return false;
        }
        self.keys.insert(key.identity.id.clone(), key);
        true
    }

    fn good(&self) -> IdMap<KeyHash, Good> {
        let mut good = IdMap::with_capacity_and_hasher(self.keys.len(), Default::default());
        for key in self.keys.values() {
            let with = |until| Good {
                identity: Arc::clone(&key.identity),
                until,
            };
            if let Some(previous) = key.previous {
                good.insert(previous.hash, with(Some(previous.until)));
            }
            good.insert(key.hash, with(None));
        }
        good
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
pub(super) mod tests;
