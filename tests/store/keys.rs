//! The port `KeyStore`: what both databases promise.

use std::sync::Arc;
use std::time::Duration;

use ai_mcp_gateway::auth::{Hasher, KeyText};
use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    AccessRole, KeyChange, KeyHash, KeyId, KeyIdentity, Layer, NewKey, RateLimits, Rotation, Scope, StoredKey,
};

use crate::database::{TestStore, on_each_database};

on_each_database! {
    the_secret_is_made_once_however_many_ask_for_it_at_once,
    a_key_comes_back_as_it_was_stored_and_is_stored_once,
    keys_are_listed_in_the_order_of_their_making_a_page_at_a_time,
    a_change_touches_only_what_it_names_and_nothing_of_a_revoked_key,
    a_key_that_is_rotated_is_known_by_both_texts_for_its_grace_and_a_repeated_rotation_changes_nothing,
    a_key_is_revoked_once_and_for_ever,
    changes_are_told_once_and_in_their_order_whatever_the_clock_says,
    rates_are_set_over_what_was_there_and_told_of_when_they_are_deleted,
}

fn new_key(store: &Store) -> NewKey {
    let text = KeyText::generate().unwrap();
    NewKey {
        identity: KeyIdentity {
            id: KeyId::generate(),
            project: Some("a project".into()),
            user: Some("Zoë".into()),
            role: AccessRole::Operator,
            max_layer: Some(Layer::L2),
            models: Some(Arc::from([Arc::from("gpt-*"), Arc::from("\"odd\"")])),
            expires_at: Some(4_000_000_000_000_000),
            limits: RateLimits {
                rpm: Some(u32::MAX),
                tpm: Some(i64::MAX.unsigned_abs()),
                max_concurrent: Some(0),
            },
        },
        name: "ci".into(),
        prefix: text.shown().into(),
        hash: hash(store, &text),
    }
}

fn hash(store: &Store, text: &KeyText) -> KeyHash {
    Hasher::new(&store.block_on(store.keys().hash_secret()).unwrap()).hash(text)
}

#[track_caller]
fn create(store: &Store) -> StoredKey {
    store.block_on(store.keys().create(new_key(store))).unwrap()
}

fn the_secret_is_made_once_however_many_ask_for_it_at_once(test: &TestStore) {
    let store = &test.store;
    let asked: Vec<_> = (0..16).map(|_| store.keys().hash_secret()).collect();
    let secrets: Vec<_> = asked
        .into_iter()
        .map(|secret| store.block_on(secret).unwrap())
        .collect();
    assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    let other = test.neighbour();
    assert_eq!(other.block_on(other.keys().hash_secret()).unwrap(), secrets[0]);
    other.shutdown(Duration::from_secs(5));
}

fn a_key_comes_back_as_it_was_stored_and_is_stored_once(test: &TestStore) {
    let store = &test.store;
    let key = new_key(store);
    let stored = store.block_on(store.keys().create(key.clone())).unwrap();
    assert_eq!((&*stored.identity, stored.hash), (&key.identity, key.hash));
    assert_eq!((&stored.name, &stored.prefix), (&key.name, &key.prefix));
    assert_eq!(
        (stored.previous, stored.revoked_at, stored.created_at),
        (None, None, stored.updated_at)
    );
    assert_eq!(store.block_on(store.keys().create(key)).unwrap(), stored);
    let id = &stored.identity.id;
    assert_eq!(store.block_on(store.keys().get(id)).unwrap(), Some(stored.clone()));
    assert_eq!(store.block_on(store.keys().get(&KeyId::generate())).unwrap(), None);
    assert_eq!(store.block_on(store.keys().list(None, 9)).unwrap(), [stored]);
}

fn keys_are_listed_in_the_order_of_their_making_a_page_at_a_time(test: &TestStore) {
    let store = &test.store;
    let mut made: Vec<StoredKey> = (0..5).map(|_| create(store)).collect();
    // Made in one millisecond they may have any order, and keep it.
    made.sort_by(|one, other| one.identity.id.cmp(&other.identity.id));
    let page = |after: Option<&StoredKey>| {
        let after = after.map(|key| key.identity.id.clone());
        store.block_on(store.keys().list(after, 2)).unwrap()
    };
    assert_eq!(page(None), made[..2]);
    assert_eq!(page(Some(&made[1])), made[2..4]);
    assert_eq!(page(Some(&made[3])), made[4..]);
    assert_eq!(page(Some(&made[4])), []);
}

fn a_change_touches_only_what_it_names_and_nothing_of_a_revoked_key(test: &TestStore) {
    let store = &test.store;
    let before = create(store);
    let id = &before.identity.id;
    let change = KeyChange {
        name: Some("deploy".into()),
        models: Some(None),
        rpm: Some(Some(5)),
        ..KeyChange::default()
    };
    let after = store
        .block_on(store.keys().update(id, change.clone()))
        .unwrap()
        .unwrap();
    let mut expected = KeyIdentity::clone(&before.identity);
    (expected.models, expected.limits.rpm) = (None, Some(5));
    assert_eq!((&*after.identity, &*after.name), (&expected, "deploy"));
    assert!(after.updated_at >= before.updated_at && after.created_at == before.created_at);
    store.block_on(store.keys().revoke(id)).unwrap();
    assert_eq!(store.block_on(store.keys().update(id, change.clone())).unwrap(), None);
    assert_eq!(
        store.block_on(store.keys().update(&KeyId::generate(), change)).unwrap(),
        None
    );
}

fn a_key_that_is_rotated_is_known_by_both_texts_for_its_grace_and_a_repeated_rotation_changes_nothing(
    test: &TestStore,
) {
    let store = &test.store;
    let first = create(store);
    let id = &first.identity.id;
    let text = KeyText::generate().unwrap();
    let rotation = Rotation {
        hash: hash(store, &text),
        prefix: text.shown().into(),
        grace: Duration::from_secs(60),
    };
    let second = store
        .block_on(store.keys().rotate(id, rotation.clone()))
        .unwrap()
        .unwrap();
    assert_eq!((second.hash, &second.prefix), (rotation.hash, &rotation.prefix));
    let previous = second.previous.unwrap();
    assert_eq!(previous.hash, first.hash);
    assert_eq!(previous.until - second.updated_at, 60_000_000);
    let again = store.block_on(store.keys().rotate(id, rotation)).unwrap();
    assert_eq!(again, Some(second));
    let text = KeyText::generate().unwrap();
    let at_once = Rotation {
        hash: hash(store, &text),
        prefix: text.shown().into(),
        grace: Duration::ZERO,
    };
    let third = store
        .block_on(store.keys().rotate(id, at_once.clone()))
        .unwrap()
        .unwrap();
    assert_eq!((third.hash, third.previous), (at_once.hash, None));
    store.block_on(store.keys().revoke(id)).unwrap();
    assert_eq!(store.block_on(store.keys().rotate(id, at_once)).unwrap(), None);
}

fn a_key_is_revoked_once_and_for_ever(test: &TestStore) {
    let store = &test.store;
    let id = create(store).identity.id.clone();
    let first = store.block_on(store.keys().revoke(&id)).unwrap().unwrap();
    assert_eq!(first.revoked_at, Some(first.updated_at));
    assert_eq!(store.block_on(store.keys().revoke(&id)).unwrap(), Some(first));
    assert_eq!(store.block_on(store.keys().revoke(&KeyId::generate())).unwrap(), None);
}

fn changes_are_told_once_and_in_their_order_whatever_the_clock_says(test: &TestStore) {
    let store = &test.store;
    let changes = |since| store.block_on(store.keys().changes(since)).unwrap();
    let (revoked, kept) = (create(store), create(store));
    store.block_on(store.keys().revoke(&revoked.identity.id)).unwrap();
    let all = changes(None);
    assert_eq!(all.keys, std::slice::from_ref(&kept));
    // Of what was there before only the revocation is behind the last key that holds.
    let since = changes(Some(all.next));
    let ids: Vec<_> = since.keys.iter().map(|key| &key.identity.id).collect();
    assert_eq!(ids, [&revoked.identity.id]);
    assert_eq!(changes(Some(since.next)).keys, []);
    // Written when the clock was an hour ahead.
    test.execute("UPDATE api_keys SET updated_at = updated_at + 3600000000");
    let ahead = changes(Some(since.next));
    assert_eq!(ahead.keys.len(), 2);
    store.block_on(store.keys().revoke(&kept.identity.id)).unwrap();
    let made = create(store);
    let later = changes(Some(ahead.next));
    let ids: Vec<_> = later.keys.iter().map(|key| key.identity.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&kept.identity.id) && ids.contains(&made.identity.id));
    assert_eq!(changes(Some(later.next)).keys, []);
}

fn rates_are_set_over_what_was_there_and_told_of_when_they_are_deleted(test: &TestStore) {
    let store = &test.store;
    let scope: Scope = "project:shop".parse().unwrap();
    let rates = |rpm| RateLimits {
        rpm,
        tpm: Some(7),
        max_concurrent: None,
    };
    let get = || store.block_on(store.keys().limits(scope.clone())).unwrap();
    assert_eq!(get(), None);
    for rpm in [Some(1), None] {
        store
            .block_on(store.keys().set_limits(scope.clone(), rates(rpm)))
            .unwrap();
        assert_eq!(get(), Some(rates(rpm)));
    }
    let changes = store.block_on(store.keys().changes(None)).unwrap();
    assert_eq!(changes.limits, [(scope.clone(), Some(rates(None)))]);
    assert!(store.block_on(store.keys().delete_limits(scope.clone())).unwrap());
    assert!(!store.block_on(store.keys().delete_limits(scope.clone())).unwrap());
    assert_eq!(get(), None);
    let later = store.block_on(store.keys().changes(Some(changes.next))).unwrap();
    assert_eq!(later.limits, [(scope.clone(), None)]);
    store
        .block_on(store.keys().set_limits(scope.clone(), rates(Some(2))))
        .unwrap();
    assert_eq!(get(), Some(rates(Some(2))));
}
