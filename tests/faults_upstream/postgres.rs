//! Section J, as far as it is about a PostgreSQL server that is there and does not do as it should. Rows J1 to J3, J8 and
//! J16 are in `tests/api/postgres.rs`.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, assert_answered_by, assert_lives, assert_refused};
use crate::support::{
    Client, Gateway, Model, PostgresDatabase, Provider, RawClient, Reply, Setup, chat, streamed_chat, wait_for,
};
use crate::wire::{Acknowledgement, Wire};

const LIMIT: Duration = Duration::from_secs(60);
/// Shorter than the server's own patience with a session that leaves its transaction open (15 s).
const BEFORE_THE_SERVER_DOES: Duration = Duration::from_secs(8);

/// A gateway on the database at this URL, with one model that has a price, and further settings.
fn start(alpha: &Provider, url: &str, more: &str) -> Gateway {
    let setup = Setup::new()
        .env("DATABASE_URL", url)
        .provider(alpha)
        .model(&Model::free("alpha-small", alpha).priced("1", "2"))
        .toml(QUICK_BREAKERS)
        .toml(more);
    Gateway::start(setup)
}

/// A message to a conversation, whose id is its text too.
fn turn(conversation: &str, id: &str) -> Value {
    json!({ "conversationId": conversation, "clientMessageId": id, "message": format!("message {id}") })
}

#[track_caller]
fn assert_turn_answered(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json()["result"]["response"].clone();
    assert!(answer.as_str().unwrap().starts_with("alpha-1"), "{answer}");
}

/// A turn is refused for the while, and says nothing of the database.
#[track_caller]
fn assert_turn_refused(reply: &Reply) {
    let error = assert_refused(reply, 503, "ledger_unavailable");
    assert!(reply.header("retry-after").is_some(), "{error}");
    let told = error.to_string().to_lowercase();
    for secret in ["postgres", "127.0.0.1", "lost", "deadlock", "select ", "insert "] {
        assert!(!told.contains(secret), "{error}");
    }
}

/// Sends a turn until it is served.
#[track_caller]
fn say(client: &Client, conversation: &str, id: &str) {
    wait_for("the turn to be served", LIMIT, || {
        let reply = client.post("/v1/chat", &turn(conversation, id));
        assert!(matches!(reply.status, 200 | 409 | 503), "{}", reply.text());
        reply.status == 200
    });
}

/// Chat completions are none of the database's business.
#[track_caller]
fn assert_completions_served(client: &Client) {
    for request in [chat("hello"), streamed_chat("hello")] {
        assert_answered_by(&client.post(COMPLETIONS, &request), "alpha");
    }
}

/// These turns of a conversation are stored, each once, in this order, with their answers, and nothing else.
#[track_caller]
fn assert_stored(client: &Client, conversation: &str, ids: &[&str]) {
    let page = client.get(&format!("/v1/context/{conversation}")).json();
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2 * ids.len(), "{page}");
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(
            (&message["seq"], &message["status"]),
            (&json!(place + 1), &json!("done")),
            "{page}"
        );
    }
    for (turn, id) in messages.chunks(2).zip(ids) {
        assert_eq!(
            (&turn[0]["role"], &turn[1]["role"]),
            (&json!("user"), &json!("assistant"))
        );
        assert_eq!(turn[0]["content"], format!("message {id}"), "{page}");
        assert!(turn[1]["content"].as_str().unwrap().starts_with("alpha-1"), "{page}");
    }
}

/// How many of the gateway's sessions are like this.
fn sessions(database: &PostgresDatabase, like: &str) -> usize {
    let query = "SELECT pid::text FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'ai-mcp-gateway' AND ";
    database.texts(&format!("{query}{like}")).len()
}

const WAITING: &str = "wait_event_type = 'Lock'";

#[test]
fn j4_while_no_connection_is_free_turns_are_refused_in_time_and_the_rest_goes_on() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    // Nothing but the other program's end frees a connection.
    let few = "[store]\nmax_connections = 2\nlock_timeout_ms = 60000\nstatement_timeout_ms = 60000";
    let gateway = start(&alpha, &database.url(), few);
    let client = &gateway.client();
    for conversation in ["conv-1", "conv-2"] {
        assert_turn_answered(&client.post("/v1/chat", &turn(conversation, "first")));
    }
    thread::scope(|scope| {
        let blocker = database.begin("SELECT * FROM conversations FOR UPDATE");
        let waiting = ["conv-1", "conv-2"]
            .map(|conversation| scope.spawn(|| client.post("/v1/chat", &turn(conversation, "second"))));
        wait_for("both connections to be taken", LIMIT, || {
            sessions(&database, WAITING) == 2
        });

        let asked = alpha.requests();
        assert_turn_refused(&client.post("/v1/chat", &turn("conv-3", "first")));
        let page = client.get("/v1/context/conv-1");
        assert_refused(&page, 503, "ledger_unavailable");
        assert_eq!(alpha.requests(), asked, "a turn that could not be stored was sent");
        wait_for("readiness to go", LIMIT, || client.get("/health/ready").status == 503);
        assert_eq!(client.get("/health/live").status, 200);
        assert_completions_served(client);
        assert_eq!(sessions(&database, WAITING), 2, "a connection was free");

        blocker.roll_back();
        for turn in waiting {
            assert_turn_answered(&turn.join().unwrap());
        }
    });
    assert_turn_answered(&client.post("/v1/chat", &turn("conv-3", "first")));
    assert_stored(client, "conv-1", &["first", "second"]);
    assert_stored(client, "conv-2", &["first", "second"]);
    assert_stored(client, "conv-3", &["first"]);
    assert_lives(&gateway);
    gateway.wait_for_calls(7);
    gateway.finish();
}

#[test]
fn j5_while_the_database_is_read_only_turns_are_refused_and_all_is_well_again_afterwards() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, &database.url(), "");
    let client = gateway.client();
    assert_turn_answered(&client.post("/v1/chat", &turn("conv-1", "first")));
    gateway.wait_until_settled();

    // As when the address leads to a standby from now on.
    let url = database.url();
    let (_server, name) = url.rsplit_once('/').unwrap();
    database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'ai-mcp-gateway'",
    );
    let asked = alpha.requests();
    for conversation in ["conv-1", "conv-2"] {
        for _ in 0..2 {
            assert_turn_refused(&client.post("/v1/chat", &turn(conversation, "second")));
        }
    }
    assert_eq!(alpha.requests(), asked, "a turn that could not be stored was sent");
    wait_for("readiness to go", LIMIT, || client.get("/health/ready").status == 503);
    assert_eq!(client.get("/health").json()["database"], false);
    // What is there can still be read, and what needs no database goes on.
    assert_stored(&client, "conv-1", &["first"]);
    assert_eq!(client.get("/v1/context/conv-2").status, 404);
    assert_completions_served(&client);

    // The sessions that were opened meanwhile stay as they are: the gateway has to leave them.
    database.execute(&format!(
        "SET TRANSACTION READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only"
    ));
    say(&client, "conv-1", "second");
    say(&client, "conv-2", "second");
    assert_stored(&client, "conv-1", &["first", "second"]);
    assert_stored(&client, "conv-2", &["second"]);
    assert_lives(&gateway);
    gateway.wait_for_calls(5);
    gateway.finish();
}

const AT_THE_STATEMENT: &str = "TRIGGER lose AFTER INSERT ON messages FOR EACH STATEMENT";
const AT_THE_COMMIT: &str =
    "CONSTRAINT TRIGGER lose AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW";

/// Makes those of the inserts of messages fail, by their numbers, as when another transaction has won. A sequence counts
/// them, since that is not taken back with the transaction.
fn lose_inserts(database: &PostgresDatabase, numbers: &str, state: &str, when: &str) {
    database.execute(&format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('tries') IN ({numbers}) THEN RAISE 'deadlock detected' USING ERRCODE = '{state}'; END IF;
            RETURN NULL; END $$;
         CREATE {when} EXECUTE FUNCTION lose()"
    ));
}

#[test]
fn j6_a_turn_that_loses_against_other_transactions_is_stored_once_all_the_same() {
    for (state, when) in [
        ("40001", AT_THE_STATEMENT),
        ("40001", AT_THE_COMMIT),
        ("40P01", AT_THE_STATEMENT),
        ("40P01", AT_THE_COMMIT),
    ] {
        let database = PostgresDatabase::create();
        let alpha = Provider::start("alpha");
        let gateway = start(&alpha, &database.url(), "");
        let client = gateway.client();
        // Twice before the question is stored, twice before its answer is.
        lose_inserts(&database, "1, 2, 4, 5", state, when);
        let reply = client.post("/v1/chat", &turn("conv-1", "first"));
        assert_turn_answered(&reply);
        assert_stored(&client, "conv-1", &["first"]);
        assert_eq!(
            database.texts("SELECT last_value::text FROM tries"),
            ["6"],
            "{state} {when}"
        );
        let repeated = client.post("/v1/chat", &turn("conv-1", "first"));
        assert_eq!(
            repeated.json()["result"]["response"],
            reply.json()["result"]["response"]
        );
        assert_eq!(alpha.requests(), 1, "the question was asked twice");
        gateway.wait_for_calls(1);
        assert_lives(&gateway);
        gateway.finish();
    }
}

#[test]
fn j6_a_turn_that_always_loses_is_refused_and_nothing_of_it_is_left() {
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha, &database.url(), "");
    let client = gateway.client();
    lose_inserts(&database, "1, 2, 3, 4", "40001", AT_THE_STATEMENT);
    assert_turn_refused(&client.post("/v1/chat", &turn("conv-1", "first")));
    assert_eq!(alpha.requests(), 0, "a turn that could not be stored was sent");
    assert_eq!(client.get("/v1/context/conv-1").status, 404);
    assert_turn_answered(&client.post("/v1/chat", &turn("conv-1", "first")));
    assert_stored(&client, "conv-1", &["first"]);
    gateway.finish();
}

/// The acknowledgement of the commit that says this to the server is lost.
#[track_caller]
fn is_done_once(text: &str, how: Acknowledgement) {
    let database = PostgresDatabase::create();
    let (wire, url) = Wire::to(&database);
    let alpha = Provider::start("alpha");
    // A hold on a conversation that nobody gives back lasts for the deadline and ten seconds.
    let hasty = "[store]\nstatement_timeout_ms = 500\n[http]\ndefault_deadline_ms = 5000";
    let gateway = start(&alpha, &url, hasty);
    let client = gateway.client();
    wire.lose_commit_of(text, how);
    let reply = client.post("/v1/chat", &turn("conv-1", "first"));
    if reply.status == 200 {
        assert_turn_answered(&reply);
    } else {
        assert_turn_refused(&reply);
        assert_eq!(alpha.requests(), 0, "{text}: it was sent, and its answer refused");
    }
    wait_for("the acknowledgement to be lost", LIMIT, || wire.lost() == 1);
    say(&client, "conv-1", "first");
    assert_stored(&client, "conv-1", &["first"]);
    assert_eq!(alpha.requests(), 1, "{text}: the question was asked twice");
    let calls = gateway.wait_for_calls(1);
    assert!(calls[0].success, "{calls:?}");
    say(&client, "conv-1", "second");
    assert_stored(&client, "conv-1", &["first", "second"]);
    gateway.wait_for_calls(2);
    assert_eq!(wire.lost(), 1);
    assert_lives(&gateway);
    gateway.finish();
}

/// What only the question's, the answer's and the call record's transaction say.
const TRANSACTIONS: [&str; 3] = ["message first", "alpha-1 alpha-2", "alpha-small-api"];

#[test]
fn j9_a_commit_whose_connection_breaks_before_its_acknowledgement_is_done_once() {
    for text in TRANSACTIONS {
        is_done_once(text, Acknowledgement::Cut);
    }
}

#[test]
fn j9_a_commit_whose_acknowledgement_comes_too_late_is_done_once() {
    for text in TRANSACTIONS {
        is_done_once(text, Acknowledgement::Late);
    }
}

#[test]
fn j15_clients_that_leave_while_their_turns_wait_in_a_transaction_leave_none_open() {
    const CONVERSATIONS: usize = 6;
    let database = PostgresDatabase::create();
    let alpha = Provider::start("alpha");
    let gateway = start(
        &alpha,
        &database.url(),
        "[store]\nlock_timeout_ms = 10000\nstatement_timeout_ms = 20000",
    );
    let client = gateway.client();
    let conversations: Vec<String> = (0..CONVERSATIONS).map(|number| format!("conv-{number}")).collect();
    for conversation in &conversations {
        assert_turn_answered(&client.post("/v1/chat", &turn(conversation, "first")));
    }
    // Once the lock is given back while they wait, and once they wait for as long as they may.
    for given_back in [true, false] {
        let blocker = database.begin("SELECT * FROM conversations FOR UPDATE");
        let mut clients: Vec<RawClient> = Vec::new();
        for conversation in &conversations {
            let mut raw = RawClient::connect(gateway.address());
            let abandoned = json!({ "conversationId": conversation, "message": "abandoned" });
            raw.post("/v1/chat", &abandoned);
            clients.push(raw);
        }
        wait_for("every turn to wait", LIMIT, || {
            sessions(&database, WAITING) == CONVERSATIONS
        });
        for (number, raw) in clients.into_iter().enumerate() {
            if number % 2 == 0 { raw.leave() } else { raw.reset() }
        }
        wait_for("the gateway to notice", LIMIT, || {
            gateway.stats()["gateway"]["inFlight"].as_u64().unwrap() <= 1
        });
        if given_back {
            blocker.roll_back();
        } else {
            wait_for("the waits to end", LIMIT, || sessions(&database, WAITING) == 0);
            wait_for("every transaction to end", BEFORE_THE_SERVER_DOES, || {
                sessions(&database, "state LIKE 'idle in transaction%'") == 0
            });
            blocker.roll_back();
        }
        gateway.wait_until_settled();
        wait_for("every transaction to end", BEFORE_THE_SERVER_DOES, || {
            sessions(&database, "state <> 'idle'") == 0
        });
        for conversation in &conversations {
            assert_turn_answered(&client.post("/v1/chat", &turn(conversation, &format!("after {given_back}"))));
        }
    }
    for conversation in &conversations {
        let page = client.get(&format!("/v1/context/{conversation}")).json();
        let messages = page["messages"].as_array().unwrap();
        for (place, message) in messages.iter().enumerate() {
            let role = if place % 2 == 0 { "user" } else { "assistant" };
            assert_eq!(
                (&message["seq"], &message["role"]),
                (&json!(place + 1), &json!(role)),
                "{page}"
            );
        }
        let after = |id: bool| json!(format!("message after {id}"));
        assert_eq!(
            messages
                .iter()
                .filter(|message| message["content"] == after(true))
                .count(),
            1
        );
        assert_eq!(messages[messages.len() - 2]["content"], after(false), "{page}");
    }
    assert_lives(&gateway);
    gateway.finish();
}
