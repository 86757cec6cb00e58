//! The whole program on PostgreSQL: alone, as replicas, and while the server is away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::conversations::assert_contiguous;
use crate::support::{
    Behaviour, Client, Gateway, Model, PostgresDatabase, PostgresServer, Provider, Setup, chat, in_parallel,
    run_to_exit, streamed_chat, wait_for,
};

const LIMIT: Duration = Duration::from_secs(90);
const CONVERSATIONS: usize = 6;
/// Turns that are acknowledged before, and again after, what happens in a test.
const TURNS: usize = 30;

fn setup(provider: &Provider, url: &str) -> Setup {
    Setup::new()
        .env("DATABASE_URL", url)
        // A turn whose end cannot be stored holds its conversation until its deadline and ten seconds have passed.
        .toml("[http]\ndefault_deadline_ms = 5000")
        .provider(provider)
        .model(&Model::free("alpha-small", provider).priced("0.15", "0.60"))
}

fn turn(conversation: &str, id: &str) -> Value {
    json!({ "conversationId": conversation, "clientMessageId": id, "message": format!("message {id}") })
}

fn messages(client: &Client, conversation: &str) -> Vec<Value> {
    let reply = client.get(&format!("/v1/context/{conversation}?limit=5000"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["messages"].as_array().unwrap().clone()
}

#[test]
fn a_turn_its_page_and_its_costs_are_in_postgres() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, &database.url()));
    let client = gateway.client();
    let answer = client.post("/v1/chat", &turn("conv-1", "m-1"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client.post("/v1/chat", &turn("conv-1", "m-1")).status, 200);
    let stored = messages(&client, "conv-1");
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0]["content"], "message m-1");
    assert_eq!(stored[1]["content"], answer.json()["result"]["response"]);

    let nul = client.post_bytes("/v1/chat", r#"{"conversationId":"conv-1","message":"a\u0000b"}"#);
    assert_eq!(nul.status, 400, "{}", nul.text());
    assert_eq!(alpha.requests(), 1);
    assert_eq!(client.get("/health").json()["database"], true);
    assert_eq!(client.get("/health/ready").status, 200);
    let calls = gateway.wait_for_calls(1);
    assert_eq!(calls[0].conversation_id.as_deref(), Some("conv-1"));
    assert_eq!(gateway.stats()["llm"]["totalCalls"], 1);
    gateway.finish();
}

#[test]
fn responses_that_have_expired_are_removed_when_the_gateway_starts_and_not_by_migrate() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let setup = setup(&alpha, &database.url());
    let migrate = || {
        let (code, said) = run_to_exit("migrate", &setup);
        assert_eq!(code, 0, "{said}");
    };
    migrate();
    database.execute(
        "INSERT INTO responses (id, request_id, model, input, body, created_at, expires_at)
         SELECT 'resp_' || n, 'req_0', 'm', '[]', '{}', 1, 2 FROM generate_series(1, 120) n;
         INSERT INTO responses (id, request_id, model, input, body, created_at, expires_at)
         VALUES ('resp_new', 'req_0', 'm', '[]', '{}', 1, 9000000000000000)",
    );
    migrate();
    let ids = || database.texts("SELECT id FROM responses");
    assert_eq!(ids().len(), 121);
    let gateway = Gateway::start(setup.clone());
    wait_for("the expired responses to be gone", LIMIT, || ids() == ["resp_new"]);
    gateway.finish();
}

#[test]
fn j16_migrate_makes_the_tables_and_a_newer_schema_is_refused() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let setup = setup(&alpha, &database.url());
    let (code, said) = run_to_exit("migrate", &setup);
    assert_eq!(code, 0, "{said}");
    assert_eq!(database.texts("SELECT count(*)::text FROM llm_calls"), ["0"]);
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    for command in ["migrate", "serve"] {
        let (code, said) = run_to_exit(command, &setup);
        assert_eq!(code, 69, "{said}");
        assert!(said.contains("upgraded by a newer version of the gateway"), "{said}");
    }
}

#[test]
fn j1_without_its_server_the_gateway_ends_and_tells_no_password() {
    let alpha = Provider::start("alpha");
    let away = setup(&alpha, "postgres://me:canary-5f1e@127.0.0.1:1/db").toml("[store]\nstart_wait_ms = 500");
    let (code, said) = run_to_exit("serve", &away);
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("cannot reach PostgreSQL at 127.0.0.1:1/db"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}

/// Tells the threads of a test to end.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One turn of one conversation, sent again until it is acknowledged. Refusals say that they are for a while.
fn say(client: &Client, conversation: &str, id: &str, refused: &AtomicUsize) {
    wait_for("the turn to be acknowledged", LIMIT, || {
        let reply = client.post("/v1/chat", &turn(conversation, id));
        match reply.status {
            200 => return true,
            503 => {
                assert_eq!(reply.json()["error"]["type"], "ledger_unavailable", "{}", reply.text());
                assert!(reply.header("retry-after").is_some());
                refused.fetch_add(1, Ordering::Relaxed);
            }
            409 => assert_eq!(reply.json()["error"]["type"], "conversation_busy", "{}", reply.text()),
            other => panic!("{other}: {}", reply.text()),
        }
        false
    });
}

#[test]
fn j2_j8_while_postgres_is_away_turns_are_refused_completions_served_and_nothing_acknowledged_is_lost() {
    let mut server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, &database.url()));
    let client = &gateway.client();
    let (done, acknowledged, refused, served) = (
        &AtomicBool::new(false),
        &AtomicUsize::new(0),
        &AtomicUsize::new(0),
        &AtomicUsize::new(0),
    );
    let turns: BTreeMap<String, usize> = thread::scope(|scope| {
        // However this ends, the others must end too.
        let _end = EndOnDrop(done);
        let talkers: Vec<_> = (0..CONVERSATIONS)
            .map(|number| {
                scope.spawn(move || {
                    let conversation = format!("conversation-{number}");
                    let mut turns = 0;
                    while !done.load(Ordering::Relaxed) {
                        say(client, &conversation, &format!("{conversation}.{turns}"), refused);
                        turns += 1;
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    (conversation, turns)
                })
            })
            .collect();
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let whole = client.post(COMPLETIONS, &chat("stateless"));
                assert_eq!(whole.status, 200, "{}", whole.text());
                assert!(
                    client
                        .try_post(COMPLETIONS, &streamed_chat("a stream"))
                        .unwrap()
                        .is_done()
                );
                served.fetch_add(2, Ordering::Relaxed);
            }
        });

        wait_for("acknowledged turns", LIMIT, || {
            acknowledged.load(Ordering::Relaxed) >= TURNS
        });
        server.stop();
        let served_before = served.load(Ordering::Relaxed);
        wait_for("refused turns", LIMIT, || {
            refused.load(Ordering::Relaxed) >= CONVERSATIONS
        });
        wait_for("served completions", LIMIT, || {
            served.load(Ordering::Relaxed) >= served_before + 20
        });
        wait_for("readiness to say no", LIMIT, || {
            client.get("/health/ready").status == 503
        });
        assert_eq!(client.get("/health/live").status, 200);
        assert_eq!(client.get("/v1/context/conversation-0").status, 503);

        server.start_again();
        wait_for("readiness to say yes", LIMIT, || {
            client.get("/health/ready").status == 200
        });
        let before = acknowledged.load(Ordering::Relaxed);
        wait_for("turns after the outage", LIMIT, || {
            acknowledged.load(Ordering::Relaxed) >= before + TURNS
        });
        done.store(true, Ordering::Relaxed);
        talkers.into_iter().map(|talker| talker.join().unwrap()).collect()
    });

    for (conversation, turns) in turns {
        let stored = messages(client, &conversation);
        assert_contiguous(&stored);
        let done: Vec<&Value> = stored.iter().filter(|message| message["status"] == "done").collect();
        let sent: Vec<&str> = done
            .iter()
            .step_by(2)
            .map(|message| message["content"].as_str().unwrap())
            .collect();
        let expected: Vec<String> = (0..turns)
            .map(|turn| format!("message {conversation}.{turn}"))
            .collect();
        assert_eq!(sent, expected);
    }
    let billed = alpha.bill().len();
    assert_eq!(gateway.wait_for_calls(billed).len(), billed);
    gateway.finish();
}

#[test]
fn j8_records_of_an_outage_survive_kill_9() {
    let mut server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(setup(&alpha, &database.url()));
    server.stop();
    for reply in in_parallel(20, 4, |_| gateway.client().post(COMPLETIONS, &chat("stateless"))) {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    gateway.kill_9();
    server.start_again();
    gateway.restart();
    let calls = gateway.wait_for_calls(20);
    assert!(calls.iter().all(|call| call.success), "{calls:#?}");
    gateway.finish();
}

/// The lines of a gateway's log with this in them.
fn told(gateway: &Gateway, what: &str) -> Vec<String> {
    let mut log = gateway.log();
    log.retain(|line| line.contains(what));
    log
}

#[test]
fn j2_an_outage_is_told_once_for_each_reason_and_once_when_it_is_over() {
    let mut server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, &database.url()));
    let client = &gateway.client();
    for round in 1..=2 {
        // Work of the last turn that is still under way may find the server going before it has gone.
        let before = told(&gateway, "cannot connect").len();
        server.stop();
        // Each waits for a connection, which is tried for all the while.
        for reply in in_parallel(16, 8, |number| {
            client.post("/v1/chat", &turn(&format!("conv-{number}"), "refused"))
        }) {
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
        server.start_again();
        say(client, "conv-1", &format!("m-{round}"), &AtomicUsize::new(0));
        wait_for("the end of the outage to be told", LIMIT, || {
            told(&gateway, "the database takes connections again").len() == round
        });
        let lines = told(&gateway, "cannot connect").split_off(before);
        let reasons: BTreeSet<&str> = lines.iter().map(|line| line.split_once("reason=").unwrap().1).collect();
        assert!(!lines.is_empty() && lines.len() == reasons.len(), "{lines:#?}");
    }
    gateway.finish();
}

#[test]
fn j8_a_process_that_ends_during_an_outage_says_what_it_leaves_and_the_next_stores_it() {
    let mut server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(setup(&alpha, &database.url()));
    server.stop();
    assert_eq!(gateway.client().post(COMPLETIONS, &chat("stateless")).status, 200);
    gateway.sigterm();
    assert_eq!(gateway.wait_exit(LIMIT), 0);
    let left = told(
        &gateway,
        "what this process left in its journal is stored at the next start",
    );
    assert!(
        left.len() == 1 && left[0].contains("error=the database cannot be reached"),
        "{left:#?}"
    );
    assert_eq!(told(&gateway, "an earlier process"), [""; 0]);
    server.start_again();
    gateway.restart();
    gateway.wait_for_calls(1);
    gateway.finish();
}

#[test]
fn j3_while_postgres_hangs_turns_are_refused_in_time() {
    let server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&alpha, &database.url()).toml("[store]\nstatement_timeout_ms = 500"));
    let client = gateway.client();
    assert_eq!(client.post("/v1/chat", &turn("conv-1", "m-1")).status, 200);
    server.hang();
    let refused = client.post("/v1/chat", &turn("conv-2", "m-1"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(client.post(COMPLETIONS, &chat("stateless")).status, 200);
    server.go_on();
    say(&client, "conv-2", "m-1", &AtomicUsize::new(0));
    gateway.finish();
}

#[test]
fn replicas_share_conversations_without_gaps() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let replicas = [0, 1].map(|_| Gateway::start(setup(&alpha, &database.url())));
    let clients = replicas.each_ref().map(Gateway::client);
    let refused = AtomicUsize::new(0);
    in_parallel(60, 6, |number| {
        let conversation = format!("conv-{}", number % 3);
        say(
            &clients[number % 2],
            &conversation,
            &format!("{conversation}.{number}"),
            &refused,
        );
    });
    assert_eq!(refused.load(Ordering::Relaxed), 0);
    for conversation in 0..3 {
        let stored = messages(&clients[0], &format!("conv-{conversation}"));
        assert_contiguous(&stored);
        assert_eq!(stored.len(), 40);
        assert_eq!(stored, messages(&clients[1], &format!("conv-{conversation}")));
    }
    wait_for("every call record", LIMIT, || replicas[0].calls().len() == 60);
    for replica in replicas {
        replica.finish();
    }
}

#[test]
fn a_turn_of_a_replica_that_died_is_taken_over_when_its_lease_has_run_out() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let short = || setup(&alpha, &database.url());
    let (mut dying, living) = (Gateway::start(short()), Gateway::start(short()));
    alpha.set(Behaviour::StallBeforeHead);
    let client = dying.client();
    thread::scope(|scope| {
        let lost = scope.spawn(|| client.try_post("/v1/chat", &turn("conv-1", "lost")));
        wait_for("the turn to be under way", LIMIT, || alpha.running() == 1);
        dying.kill_9();
        assert!(lost.join().unwrap().is_err());
    });
    alpha.set(Behaviour::Answer);
    let busy = living.client().post("/v1/chat", &turn("conv-1", "next"));
    assert_eq!(busy.status, 409, "{}", busy.text());
    say(&living.client(), "conv-1", "next", &AtomicUsize::new(0));
    let stored = messages(&living.client(), "conv-1");
    assert_contiguous(&stored);
    let statuses: Vec<&str> = stored
        .iter()
        .map(|message| message["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["failed", "failed", "done", "done"]);
    dying.retire();
    living.finish();
}
