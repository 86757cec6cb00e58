use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gateway_actors::protocol::{AccessRole, HashSecret, KeyChange, NewKey, RateLimits, Rotation, Scope};
use gateway_actors::testkit::MemoryKeys;
use tokio::time::advance;

use super::*;

const MAX_AGE: Duration = Duration::from_secs(60);

fn ring() -> (KeyRing, Arc<MemoryKeys>) {
    let store = Arc::new(MemoryKeys::default());
    (KeyRing::new(store.clone(), MAX_AGE), store)
}

/// Makes a key behind the ring's back, as another process would.
pub(in super::super) async fn made(store: &MemoryKeys, expires_at: Option<i64>) -> (KeyText, StoredKey) {
    let text = KeyText::generate().unwrap();
    let key = NewKey {
        identity: KeyIdentity {
            id: KeyId::generate(),
            project: None,
            user: Some("ann".into()),
            role: AccessRole::User,
            max_layer: None,
            models: None,
            expires_at,
            limits: RateLimits::default(),
        },
        name: "test".into(),
        prefix: text.shown().into(),
        hash: hash(&text),
    };
    let stored = store.create(key).await.unwrap();
    (text, stored)
}

fn hash(text: &KeyText) -> KeyHash {
    Hasher::new(&HashSecret::new([7; 32])).hash(text)
}

#[tokio::test(start_paused = true)]
async fn a_key_made_elsewhere_is_known_at_its_first_use() {
    let (ring, store) = ring();
    ring.catch_up().await.unwrap();
    let (text, stored) = made(&store, None).await;
    assert_eq!(ring.verify(&text).await, Ok(stored.identity));
    let asked = store.asked();
    assert!(ring.verify(&text).await.is_ok());
    assert_eq!(store.asked(), asked, "a known key was looked up in the database");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_not_taken_before_what_is_to_be_read_first_was_read() {
    let (ring, store) = ring();
    let (old, _) = made(&store, None).await;
    ring.catch_up().await.unwrap();
    let (reads, is_away) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, away) = (Arc::clone(&reads), Arc::clone(&is_away));
    let read = ReadFirst::new(move || {
        counted.fetch_add(1, Ordering::AcqRel);
        let result = match away.load(Ordering::Acquire) {
            true => Err(StoreError::Unavailable { source: None }),
            false => Ok(()),
        };
        Box::pin(std::future::ready(result))
    });
    ring.read_first(read).await.unwrap();
    assert_eq!(reads.load(Ordering::Acquire), 1);
    is_away.store(true, Ordering::Release);
    let (new, stored) = made(&store, None).await;
    assert_eq!(ring.verify(&new).await, Err(Refusal::Unavailable));
    assert!(ring.verify(&old).await.is_ok());
    is_away.store(false, Ordering::Release);
    assert_eq!(ring.verify(&new).await, Ok(stored.identity));
    assert_eq!(reads.load(Ordering::Acquire), 3);
    ring.catch_up().await.unwrap();
    assert_eq!(reads.load(Ordering::Acquire), 3, "no key is new");
}

#[tokio::test(start_paused = true)]
async fn a_key_revoked_elsewhere_is_refused_after_the_next_look() {
    let (ring, store) = ring();
    let (text, stored) = made(&store, None).await;
    assert!(ring.verify(&text).await.is_ok());
    store.revoke(&stored.identity.id).await.unwrap();
    let fresh = ring.keep_fresh();
    let _ = timeout(EVERY + Duration::from_millis(1), fresh).await;
    assert_eq!(ring.verify(&text).await, Err(Refusal::Unknown));
    assert!(!ring.has_keys());
}

#[tokio::test(start_paused = true)]
async fn many_unknown_keys_share_their_looks() {
    let (ring, store) = ring();
    ring.catch_up().await.unwrap();
    let before = store.asked();
    let start = Instant::now();
    let unknown: Vec<KeyText> = (0..50).map(|_| KeyText::generate().unwrap()).collect();
    let answers = futures_util::future::join_all(unknown.iter().map(|key| ring.verify(key))).await;
    assert!(answers.iter().all(|answer| *answer == Err(Refusal::Unknown)));
    assert_eq!(store.asked() - before, 1);
    assert_eq!(start.elapsed(), FOR_UNKNOWN);
    for _ in 0..4 {
        let _ = ring.verify(&unknown[0]).await;
    }
    assert_eq!(start.elapsed(), FOR_UNKNOWN * 5);
}

#[tokio::test(start_paused = true)]
async fn without_the_database_known_keys_hold_for_a_while_and_unknown_ones_cannot_be_told() {
    let (ring, store) = ring();
    let (text, _) = made(&store, None).await;
    assert!(ring.verify(&text).await.is_ok());
    store.set_away(true);
    let unknown = KeyText::generate().unwrap();
    assert_eq!(ring.verify(&unknown).await, Err(Refusal::Unavailable));
    advance(MAX_AGE - Duration::from_secs(1)).await;
    assert!(ring.verify(&text).await.is_ok());
    advance(Duration::from_secs(2)).await;
    assert_eq!(ring.verify(&text).await, Err(Refusal::Unavailable));
    store.set_away(false);
    ring.catch_up().await.unwrap();
    assert!(ring.verify(&text).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_expires_by_the_databases_clock() {
    let (ring, store) = ring();
    store.advance(Duration::from_secs(3_600));
    ring.catch_up().await.unwrap();
    let now = store.changes(None).await.unwrap().now;
    let (text, stored) = made(&store, Some(now + 10_000_000)).await;
    assert!(ring.verify(&text).await.is_ok());
    store.advance(Duration::from_secs(11));
    advance(Duration::from_secs(11)).await;
    assert_eq!(ring.verify(&text).await, Err(Refusal::Unknown));
    let later = KeyChange {
        expires_at: Some(None),
        ..KeyChange::default()
    };
    store.update(&stored.identity.id, later).await.unwrap();
    assert!(ring.verify(&text).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_old_text_of_a_rotated_key_is_taken_until_its_grace_is_over() {
    let (ring, store) = ring();
    let (old, stored) = made(&store, None).await;
    let new = KeyText::generate().unwrap();
    let rotation = Rotation {
        hash: hash(&new),
        prefix: new.shown().into(),
        grace: Duration::from_secs(10),
    };
    store.rotate(&stored.identity.id, rotation).await.unwrap();
    assert!(ring.verify(&old).await.is_ok() && ring.verify(&new).await.is_ok());
    store.advance(Duration::from_secs(11));
    advance(Duration::from_secs(11)).await;
    assert_eq!(ring.verify(&old).await, Err(Refusal::Unknown));
    assert_eq!(ring.verify(&new).await.unwrap().id, stored.identity.id);
}

#[tokio::test(start_paused = true)]
async fn keys_that_share_all_but_their_last_characters_have_nothing_in_common() {
    let (ring, store) = ring();
    let (text, _) = made(&store, None).await;
    assert!(ring.verify(&text).await.is_ok());
    for last in 0..62_u8 {
        let mut near = text.expose().as_bytes()[..43].to_vec();
        near.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[usize::from(last)]);
        let near = super::super::text::with_check(&near);
        if near.expose() != text.expose() {
            assert_eq!(ring.verify(&near).await, Err(Refusal::Unknown));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rates_of_projects_and_users_are_published_and_taken_back() {
    let (ring, store) = ring();
    let published = ring.limits();
    let scope: Scope = "user:ann".parse().unwrap();
    let rates = RateLimits {
        rpm: Some(5),
        ..RateLimits::default()
    };
    store.set_limits(scope.clone(), rates).await.unwrap();
    ring.catch_up().await.unwrap();
    assert_eq!(published.load().of(&scope), Some(rates));
    assert!(store.delete_limits(scope.clone()).await.unwrap());
    ring.catch_up().await.unwrap();
    assert!(published.load().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_changes_after_the_clock_went_back_is_seen_by_the_next_look() {
    let (ring, store) = ring();
    let (text, stored) = made(&store, None).await;
    let scope: Scope = "user:ann".parse().unwrap();
    store.set_limits(scope.clone(), RateLimits::default()).await.unwrap();
    assert!(ring.verify(&text).await.is_ok());
    store.set_back(Duration::from_secs(3_600));
    store.revoke(&stored.identity.id).await.unwrap();
    store.delete_limits(scope.clone()).await.unwrap();
    let (new, _) = made(&store, None).await;
    ring.catch_up().await.unwrap();
    assert_eq!(ring.verify(&text).await, Err(Refusal::Unknown));
    assert!(ring.verify(&new).await.is_ok());
    assert!(ring.limits().load().is_empty());
}
