//! Keys that are none, or none any more.

use std::time::Duration;

use serde_json::json;

use super::{ADMIN_KEY, KEYS, Key, body_of_error, make, on_both_databases, setup, showing};
use crate::support::{Gateway, PostgresDatabase, Provider, RawClient, Setup, in_parallel, run_to_exit, wait_for};

const MODELS: &str = "/v1/models";
/// How long a change may take to be seen everywhere.
const SOON: Duration = Duration::from_secs(5);

/// A key of the right form that nobody has: like another one but for its last random character.
fn near(key: &Key) -> String {
    let last = key.text.as_bytes()[43];
    let other = if last == b'a' { 'b' } else { 'a' };
    with_check(&format!("{}{other}", &key.text[..43]))
}

/// The key that begins like this, with the check that belongs to it.
fn with_check(body: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut check = [0; 6];
    for digit in check.iter_mut().rev() {
        *digit = DIGITS[rest % 62];
        rest /= 62;
    }
    format!("{body}{}", std::str::from_utf8(&check).unwrap())
}

#[test]
fn c1_what_is_no_bearer_key_is_refused_and_lower_case_is_taken() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let key = make(&gateway, json!({}));
    let with = |value: &str| gateway.anonymous().with_header("authorization", value).get(MODELS);
    for bad in ["Bearer", "Bearer  ", &key.text, &format!("Basic {}", key.text)] {
        let reply = with(bad);
        reply.error(401);
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{bad}");
    }
    gateway.anonymous().get(MODELS).error(401);
    let bearer = format!("Bearer {}", key.text);
    let twice = gateway.anonymous().with_header("authorization", &bearer);
    twice.with_header("authorization", &bearer).get(MODELS).error(401);
    for good in [&bearer, &format!("bearer {}", key.text)] {
        let reply = with(good);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("vary"), Some("authorization, x-api-key"));
    }
    let other_header = gateway.anonymous().with_header("x-api-key", &key.text);
    assert_eq!(other_header.get(MODELS).status, 200);
    gateway.finish();
}

#[test]
fn c2_garbage_in_the_place_of_a_key_is_refused_like_any_wrong_key() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let expected = body_of_error(showing(&gateway, "wrong").get(MODELS).text());
    for garbage in [
        "' OR '1'='1",
        "gwk_' OR '1'='1",
        "%00",
        "gwk_",
        "{{7*7}}",
        &"x".repeat(4_000),
    ] {
        let reply = showing(&gateway, garbage).get(MODELS);
        assert_eq!(
            (reply.status, body_of_error(reply.text())),
            (401, expected.clone()),
            "{garbage}"
        );
    }
    for bytes in [&b"\xff\xfe"[..], "🔑".as_bytes()] {
        let mut raw = RawClient::connect(gateway.address());
        raw.send(
            [
                b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ",
                bytes,
                b"\r\n\r\n",
            ]
            .concat(),
        );
        assert_eq!(raw.read_reply().status, 401);
    }
    gateway.finish();
}

#[test]
fn c3_a_key_that_was_revoked_has_expired_or_never_was_is_refused_alike() {
    on_both_databases(|setup, _| {
        let gateway = Gateway::start(setup);
        let (revoked, expired, known) = (
            make(&gateway, json!({})),
            make(&gateway, json!({ "expiresAt": "2020-01-01T00:00:00Z" })),
            make(&gateway, json!({})),
        );
        assert_eq!(revoked.client(&gateway).get(MODELS).status, 200);
        let reply = gateway.client().request("DELETE", &revoked.path());
        assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("revoked")));
        let keys = [revoked.text.clone(), expired.text.clone(), near(&known)];
        let replies = keys.map(|key| showing(&gateway, &key).get(MODELS));
        for reply in &replies {
            assert_eq!(reply.status, 401);
            assert_eq!(body_of_error(reply.text()), body_of_error(replies[0].text()));
        }
        let state = |key: &Key| gateway.client().get(&key.path()).json()["state"].clone();
        assert_eq!((state(&revoked), state(&expired)), (json!("revoked"), json!("expired")));
        // What is revoked stays so.
        let reply = gateway
            .client()
            .send_json("PATCH", &revoked.path(), &json!({ "expiresAt": null }));
        reply.error(400);
        // What has expired may be given more time.
        let more = json!({ "expiresAt": null });
        assert_eq!(gateway.client().send_json("PATCH", &expired.path(), &more).status, 200);
        assert_eq!(expired.client(&gateway).get(MODELS).status, 200);
        assert_eq!(known.client(&gateway).get(MODELS).status, 200);
        gateway.finish();
    });
}

#[test]
fn c3_three_replicas_know_a_new_key_at_once_and_refuse_a_revoked_one_within_five_seconds() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let setup = setup(&alpha).env("DATABASE_URL", &database.url());
    let replicas: Vec<Gateway> = (0..3).map(|_| Gateway::start(setup.clone())).collect();
    let key = make(&replicas[0], json!({}));
    for replica in &replicas {
        assert_eq!(key.client(replica).get(MODELS).status, 200);
    }
    assert_eq!(replicas[1].client().request("DELETE", &key.path()).status, 200);
    assert_eq!(key.client(&replicas[1]).get(MODELS).status, 401);
    wait_for("every replica to refuse the key", SOON, || {
        replicas
            .iter()
            .all(|replica| key.client(replica).get(MODELS).status == 401)
    });
    // Two processes make the secret that keys are hashed with at once, and agree.
    let secrets = database.texts("SELECT value FROM secrets");
    assert_eq!(secrets.len(), 1);
    // Replicas share their call records, so that none can tell its own by their number.
    for mut replica in replicas {
        replica.sigterm();
        assert_eq!(replica.wait_exit(Duration::from_secs(30)), 0);
        replica.retire();
    }
}

#[test]
fn c3_keys_made_by_all_replicas_at_once_are_all_good() {
    let (alpha, database) = (Provider::start("alpha"), PostgresDatabase::create());
    let setup = setup(&alpha).env("DATABASE_URL", &database.url());
    let replicas: Vec<Gateway> = (0..2).map(|_| Gateway::start(setup.clone())).collect();
    let keys = in_parallel(16, 8, |number| make(&replicas[number % 2], json!({})));
    for key in &keys {
        for replica in &replicas {
            assert_eq!(key.client(replica).get(MODELS).status, 200);
        }
    }
    for mut replica in replicas {
        replica.sigterm();
        assert_eq!(replica.wait_exit(Duration::from_secs(30)), 0);
        replica.retire();
    }
}

#[test]
fn c4_a_key_that_differs_in_its_last_characters_is_another_one() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let key = make(&gateway, json!({}));
    assert_eq!(key.client(&gateway).get(MODELS).status, 200);
    assert_eq!(with_check(&key.text[..44]), key.text);
    showing(&gateway, &near(&key)).get(MODELS).error(401);
    showing(&gateway, &key.text[..49]).get(MODELS).error(401);
    showing(&gateway, &format!("{}0", key.text)).get(MODELS).error(401);
    assert_eq!(key.client(&gateway).get(MODELS).status, 200);
    gateway.finish();
}

#[test]
fn c11_without_an_admin_key_only_a_loopback_address_is_served() {
    let alpha = Provider::start("alpha");
    let open = Setup::free_l0(&[&alpha]).env("API_HOST", "0.0.0.0");
    for setup in [open.clone(), open.toml("[auth]\nrequire_keys = true")] {
        let (code, said) = run_to_exit("serve", &setup);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains("GATEWAY_ADMIN_KEY"), "{said}");
    }
    let (code, said) = run_to_exit("serve", &Setup::free_l0(&[&alpha]).env("GATEWAY_ADMIN_KEY", "short"));
    assert_eq!(code, 78, "{said}");
}

#[test]
fn c12_live_and_ready_need_no_key_and_disclose_nothing_and_the_rest_is_the_operators() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    for path in ["/health/live", "/health/ready"] {
        let reply = gateway.anonymous().get(path);
        assert_eq!(reply.status, 200);
        assert!(!reply.text().contains("alpha"), "{}", reply.text());
    }
    let (user, operator) = (make(&gateway, json!({})), make(&gateway, json!({ "role": "operator" })));
    for path in ["/health", "/v1/server-stats"] {
        gateway.anonymous().get(path).error(401);
        assert_eq!(user.client(&gateway).get(path).error(403)["type"], "forbidden");
        assert!(operator.client(&gateway).get(path).text().contains("alpha"));
    }
    gateway.finish();
}

#[test]
fn c13_a_thousand_wrong_keys_are_held_up_and_good_ones_are_not() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha));
    let key = make(&gateway, json!({}));
    let replies = in_parallel(1_000, 8, |number| {
        showing(&gateway, &format!("wrong-{number}")).get(MODELS)
    });
    let count = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!(count(401) + count(429), 1_000);
    // Twenty a minute; the thousand may take more than one.
    assert!((20..=60).contains(&count(401)), "{} were looked at", count(401));
    let held_up = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(held_up.json()["error"]["code"], "rate_limited", "{}", held_up.text());
    let seconds: u64 = held_up.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(key.client(&gateway).get(MODELS).status, 200);
    assert_eq!(showing(&gateway, ADMIN_KEY).get(KEYS).status, 200);
    gateway.anonymous().get(MODELS).error(401);
    gateway.finish();
}
