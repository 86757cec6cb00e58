//! `Idempotency-Key`: the same request is done once, whoever asks for its answer how often.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, Client, Gateway, KeyHolder, Model, PostgresDatabase, Provider, RawClient, Reply, Setup, chat, make_keys,
    streamed_chat, wait_for,
};

const LIMIT: Duration = Duration::from_secs(30);

/// Runs a test on each database.
fn on_each_database(test: impl Fn(Setup)) {
    test(Setup::new());
    let database = PostgresDatabase::create();
    test(Setup::new().env("DATABASE_URL", &database.url()));
}

/// A gateway with one paid model.
fn gateway(setup: Setup, alpha: &Provider) -> Gateway {
    let model = Model::free("alpha-small", alpha).priced("0.15", "0.60");
    Gateway::start(setup.env("CHAT_MODELS", "alpha-small").provider(alpha).model(&model))
}

fn with_key(client: &Client, key: &str) -> Client {
    client.with_header("idempotency-key", key)
}

#[track_caller]
fn assert_is_replay_of(again: &Reply, first: &Reply) {
    assert_eq!(again.header("idempotent-replay"), Some("true"), "{again:?}");
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    for name in ["content-type", "x-gateway-model", "x-gateway-error", "retry-after"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[test]
fn f1_the_same_key_and_body_have_the_same_answer_and_cost_nothing_again() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        let client = gateway.client();
        let messages = json!({ "model": "auto", "max_tokens": 50, "messages": [{ "role": "user", "content": "one" }] });
        let streamed_messages = {
            let mut body = messages.clone();
            body["stream"] = json!(true);
            body
        };
        let cases: [(&str, Value); 9] = [
            (COMPLETIONS, chat("one")),
            (COMPLETIONS, streamed_chat("one")),
            ("/v1/responses", json!({ "model": "auto", "input": "one" })),
            (
                "/v1/responses",
                json!({ "model": "auto", "input": "one", "stream": true }),
            ),
            ("/v1/messages", messages),
            ("/v1/messages", streamed_messages),
            ("/v1/route", json!({ "message": "one" })),
            ("/v1/chat", json!({ "conversationId": "conv-1", "message": "one" })),
            ("/v1/completions", json!({ "model": "auto", "prompt": "one" })),
        ];
        let count = cases.len();
        for (number, (path, body)) in cases.into_iter().enumerate() {
            let client = with_key(&client, &format!("f1-{number}"));
            let first = client.post(path, &body);
            assert_eq!(first.status, 200, "{path}: {}", first.text());
            assert_eq!(first.header("idempotent-replay"), None);
            for _ in 0..2 {
                assert_is_replay_of(&client.post(path, &body), &first);
            }
            assert_eq!(alpha.requests(), number + 1, "{path}");
        }
        assert_eq!(gateway.wait_for_calls(count).len(), count);
        let page = client.get("/v1/context/conv-1").json();
        assert_eq!(page["messages"].as_array().unwrap().len(), 2);
        gateway.finish();
    });
}

#[test]
fn f2_of_fifty_at_once_one_runs_and_all_have_its_answer_in_the_end() {
    const CLIENTS: usize = 50;
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        let client = with_key(&gateway.client(), "f2");
        alpha.set(Behaviour::Held);
        let refused = AtomicUsize::new(0);
        let answers: Vec<Reply> = thread::scope(|scope| {
            let asked: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut last = None;
                        wait_for("an answer", LIMIT, || {
                            let reply = client.post(COMPLETIONS, &chat("one"));
                            if reply.status == 409 {
                                assert_eq!(reply.error(409)["code"], "idempotency_in_progress");
                                assert_eq!(reply.header("retry-after"), Some("1"));
                                refused.fetch_add(1, Ordering::Relaxed);
                                return false;
                            }
                            last = Some(reply);
                            true
                        });
                        last.unwrap()
                    })
                })
                .collect();
            // All but the one that runs have been refused once.
            wait_for("the others to be refused", LIMIT, || {
                refused.load(Ordering::Relaxed) >= CLIENTS - 1
            });
            alpha.set(Behaviour::Answer);
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        assert_eq!(alpha.requests(), 1);
        let ran = answers
            .iter()
            .filter(|reply| reply.header("idempotent-replay").is_none());
        assert_eq!(ran.count(), 1);
        for reply in &answers {
            assert_eq!((reply.status, reply.text()), (200, answers[0].text()));
        }
        gateway.wait_for_calls(1);
        gateway.finish();
    });
}

#[test]
fn f3_the_same_key_with_another_body_is_refused() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        let client = with_key(&gateway.client(), "f3");
        assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
        let refused = client.post(COMPLETIONS, &chat("two"));
        assert_eq!(refused.error(422)["code"], "idempotency_mismatch");
        assert_eq!(refused.error(422)["param"], "Idempotency-Key");
        // Also while the first is still being answered.
        let (held, other) = (
            with_key(&gateway.client(), "f3-held"),
            with_key(&gateway.client(), "f3-held"),
        );
        alpha.set(Behaviour::Held);
        thread::scope(|scope| {
            let first = scope.spawn(|| held.post(COMPLETIONS, &chat("one")));
            wait_for("the first to be asked", LIMIT, || alpha.requests() == 2);
            assert_eq!(
                other.post(COMPLETIONS, &chat("two")).error(422)["code"],
                "idempotency_mismatch"
            );
            alpha.set(Behaviour::Answer);
            assert_eq!(first.join().unwrap().status, 200);
        });
        assert_eq!(alpha.requests(), 2);
        // At another route it is another key.
        let elsewhere = client.post("/v1/route", &json!({ "message": "two" }));
        assert_eq!((elsewhere.status, elsewhere.header("idempotent-replay")), (200, None));
        gateway.finish();
    });
}

#[test]
fn f4_the_key_of_another_virtual_key_is_another_key_also_within_one_tenant() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let holder = |user| KeyHolder {
        user: Some(user),
        ..KeyHolder::default()
    };
    let keys = make_keys(&database.url(), [holder("ann"), holder("bob"), holder("bob")], &[]);
    let setup = Setup::new()
        .env("DATABASE_URL", &database.url())
        .env("GATEWAY_ADMIN_KEY", "0123456789abcdef0123456789abcdef");
    let gateway = gateway(setup, &alpha);
    let clients = keys.map(|key| {
        let client = gateway
            .anonymous()
            .with_header("authorization", &format!("Bearer {key}"));
        with_key(&client, "f4")
    });
    let [ann, bob, also_bob] = &clients;
    let first = ann.post(COMPLETIONS, &chat("one"));
    let second = bob.post(COMPLETIONS, &chat("another"));
    let third = also_bob.post(COMPLETIONS, &chat("one more"));
    for reply in [&first, &second, &third] {
        assert_eq!(
            (reply.status, reply.header("idempotent-replay")),
            (200, None),
            "{}",
            reply.text()
        );
    }
    assert_is_replay_of(&ann.post(COMPLETIONS, &chat("one")), &first);
    assert_is_replay_of(&bob.post(COMPLETIONS, &chat("another")), &second);
    assert_is_replay_of(&also_bob.post(COMPLETIONS, &chat("one more")), &third);
    // So have those without a virtual key.
    let admin = with_key(&gateway.client(), "f4").post(COMPLETIONS, &chat("another"));
    assert_eq!((admin.status, admin.header("idempotent-replay")), (200, None));
    assert_eq!(alpha.requests(), 4);
    gateway.finish();
}

#[test]
fn f5_what_is_no_key_is_refused_and_nothing_is_asked() {
    let alpha = Provider::start("alpha");
    let gateway = gateway(Setup::new(), &alpha);
    for key in [String::new(), "x".repeat(256), "a b".to_owned(), "a\tb".to_owned()] {
        for (path, body) in [(COMPLETIONS, chat("one")), ("/v1/route", json!({ "message": "one" }))] {
            let refused = with_key(&gateway.client(), &key).post(path, &body);
            assert_eq!(refused.error(400)["param"], "Idempotency-Key", "{key:?}");
        }
    }
    assert_eq!(alpha.requests(), 0);
    let longest = with_key(&gateway.client(), &"x".repeat(255));
    assert_eq!(longest.post(COMPLETIONS, &chat("one")).status, 200);
    gateway.finish();
}

#[test]
fn f6_a_failure_after_a_provider_was_asked_is_kept_and_one_before_is_not() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        let client = with_key(&gateway.client(), "f6");
        // Nothing was asked: the key is still free, for any body.
        let unknown = json!({ "model": "nonsense", "messages": [{ "role": "user", "content": "one" }] });
        assert_eq!(client.post(COMPLETIONS, &unknown).status, 404);
        assert_eq!(client.post(COMPLETIONS, &json!({ "model": "auto" })).status, 400);
        alpha.set(Behaviour::BROKEN);
        let failed = client.post(COMPLETIONS, &chat("one"));
        assert_eq!(failed.status, 502, "{}", failed.text());
        let asked = alpha.requests();
        alpha.set(Behaviour::Answer);
        assert_is_replay_of(&client.post(COMPLETIONS, &chat("one")), &failed);
        assert_eq!(alpha.requests(), asked);

        alpha.set(Behaviour::DieAfterEvents(2));
        let client = with_key(&gateway.client(), "f6-stream");
        let broken = client.post(COMPLETIONS, &streamed_chat("one"));
        assert!(broken.text().contains("\"error\""), "{}", broken.text());
        alpha.set(Behaviour::Answer);
        assert_is_replay_of(&client.post(COMPLETIONS, &streamed_chat("one")), &broken);
        gateway.finish();
    });
}

#[test]
fn f7_i12_after_kill_9_the_request_runs_again_and_the_conversation_has_one_answer() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let mut gateway = gateway(setup, &alpha);
        let body = json!({ "conversationId": "conv-1", "message": "one" });
        alpha.set(Behaviour::Held);
        let client = with_key(&gateway.client(), "f7");
        thread::scope(|scope| {
            let cut = scope.spawn(|| client.try_post("/v1/chat", &body));
            wait_for("the provider to be asked", LIMIT, || alpha.requests() == 1);
            gateway.kill_9();
            assert!(cut.join().unwrap().is_err());
        });
        alpha.set(Behaviour::Answer);
        gateway.restart();
        let client = with_key(&gateway.client(), "f7");
        let mut again = None;
        wait_for("the request to run again", LIMIT, || {
            let reply = client.post("/v1/chat", &body);
            let is_there = reply.status == 200;
            again = Some(reply);
            is_there
        });
        let again = again.unwrap();
        assert_eq!(again.header("idempotent-replay"), None);
        assert_is_replay_of(&client.post("/v1/chat", &body), &again);
        assert_eq!(alpha.requests(), 2);
        let page = gateway.client().get("/v1/context/conv-1").json();
        let answers = page["messages"].as_array().unwrap().iter();
        let answers = answers.filter(|message| message["role"] == "assistant" && message["status"] == "done");
        assert_eq!(answers.count(), 1, "{page}");
        gateway.finish();
    });
}

#[test]
fn a_client_that_leaves_finds_its_answer_when_it_comes_back() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        for (number, body) in [chat("one"), streamed_chat("one")].into_iter().enumerate() {
            let client = with_key(&gateway.client(), &format!("left-{number}"));
            alpha.set(Behaviour::Slow(Duration::from_millis(20)));
            if number == 0 {
                let mut leaves = RawClient::connect(gateway.address());
                let text = body.to_string();
                leaves.send(format!(
                    "POST {COMPLETIONS} HTTP/1.1\r\nhost: localhost\r\nidempotency-key: left-0\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                ));
                wait_for("the provider to be asked", LIMIT, || alpha.requests() == number + 1);
                leaves.leave();
            } else {
                let mut stream = client.open_stream(COMPLETIONS, &body);
                assert!(stream.next_event().is_some());
                drop(stream);
            }
            let mut answer = None;
            wait_for("the answer", LIMIT, || {
                let reply = client.post(COMPLETIONS, &body);
                let is_there = reply.status == 200;
                answer = Some(reply);
                is_there
            });
            let answer = answer.unwrap();
            assert_eq!(answer.header("idempotent-replay"), Some("true"));
            assert!(number == 0 || answer.is_done(), "{}", answer.text());
            assert_eq!(alpha.requests(), number + 1);
        }
        gateway.finish();
    });
}

/// A claim that is still being written when its client goes has somebody who does its work.
#[test]
fn a_client_that_leaves_at_once_never_finds_its_key_taken_by_nobody() {
    on_each_database(|setup| {
        let alpha = Provider::start("alpha");
        let gateway = gateway(setup, &alpha);
        let body = chat("one");
        let text = body.to_string();
        let mut asked = 0;
        for number in 0..24 {
            let key = format!("at-once-{number}");
            let mut leaves = RawClient::connect(gateway.address());
            leaves.send(format!(
                "POST {COMPLETIONS} HTTP/1.1\r\nhost: localhost\r\nidempotency-key: {key}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
                text.len()
            ));
            // It is at another place of its way each time.
            for _ in 0..number % 4 {
                assert_eq!(gateway.client().get("/health").status, 200);
            }
            leaves.reset();
            let client = with_key(&gateway.client(), &key);
            wait_for("the answer", Duration::from_secs(10), || {
                let reply = client.post(COMPLETIONS, &body);
                assert!(matches!(reply.status, 200 | 409), "{}", reply.text());
                reply.status == 200
            });
            asked += 1;
            // Whether the first was read or not, the work was done once.
            assert_eq!(alpha.requests(), asked);
        }
        gateway.finish();
    });
}

#[test]
fn an_answer_that_is_too_large_to_be_kept_is_neither_given_nor_paid_again() {
    let alpha = Provider::start("alpha");
    let gateway = gateway(Setup::new().toml("[idempotency]\nmax_body_bytes = 1024"), &alpha);
    alpha.set_tokens(500);
    for (number, body) in [chat("one"), streamed_chat("one")].into_iter().enumerate() {
        let client = with_key(&gateway.client(), &format!("large-{number}"));
        let first = client.post(COMPLETIONS, &body);
        assert_eq!(first.status, 200);
        assert!(first.body.len() > 1_024, "the answer is small");
        let refused = client.post(COMPLETIONS, &body);
        assert_eq!(refused.error(422)["code"], "idempotency_not_kept");
        assert_eq!(alpha.requests(), number + 1);
    }
    gateway.finish();
}

#[test]
fn what_has_expired_is_done_again_and_removed() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let mut gateway = gateway(Setup::new().env("DATABASE_URL", &database.url()), &alpha);
    let client = with_key(&gateway.client(), "old");
    assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
    let kept = "SELECT ((expires_at - created_at) / 3600000000)::text FROM idempotency WHERE status = 200";
    assert_eq!(database.texts(kept), ["24"]);
    database.execute("UPDATE idempotency SET expires_at = created_at");
    let again = client.post(COMPLETIONS, &chat("two"));
    assert_eq!((again.status, again.header("idempotent-replay")), (200, None));
    // What another process left under way, and never came back for.
    database.execute("UPDATE idempotency SET status = NULL, headers = NULL, body = NULL, instance_id = 'gone'");
    assert_eq!(client.post(COMPLETIONS, &chat("two")).status, 409);
    database.execute("UPDATE idempotency SET expires_at = created_at");
    assert_eq!(client.post(COMPLETIONS, &chat("three")).status, 200);
    assert_eq!(alpha.requests(), 3);

    database.execute("UPDATE idempotency SET expires_at = created_at");
    gateway.wait_until_settled();
    gateway.kill_9();
    gateway.restart();
    wait_for("the expired answer to be gone", LIMIT, || {
        database.texts("SELECT count(*)::text FROM idempotency") == ["0"]
    });
    gateway.finish();
}

#[test]
fn a_panel_whose_members_all_fail_is_paid_once() {
    let members = ["ann", "bob", "cid"].map(Provider::start);
    let mut setup = Setup::new()
        .env("ENABLE_CROSS_CHECK", "true")
        .toml("[routing]\npanel = \"always\"");
    for member in &members {
        member.set(Behaviour::DieAfterEvents(1));
        let model = Model::free(member.name(), member).priced("0.15", "0.60");
        setup = setup.provider(member).model(&model);
    }
    let gateway = Gateway::start(setup);
    let client = with_key(&gateway.client(), "panel");
    let sum = json!({ "message": "How many apples are 3 apples and 4 apples? End with `Answer: <number>`" });
    let first = client.post("/v1/route", &sum);
    assert_eq!(first.status, 502, "{}", first.text());
    let requests = || members.iter().map(Provider::requests).sum::<usize>();
    let asked = requests();
    assert!(asked >= 3, "all three were asked: {asked}");
    assert_is_replay_of(&client.post("/v1/route", &sum), &first);
    assert_eq!(requests(), asked, "nobody is asked again");
    for member in &members {
        member.set(Behaviour::Answer);
    }
    gateway.finish();
}
