//! Row F12: conversations of very many messages.

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};

use crate::scene::resident_bytes;
use crate::support::{Client, Gateway, PostgresDatabase, Provider, Setup};

const MESSAGES: u64 = 1_000_000;
/// How much memory may grow: what allocators, pools and the database's own cache keep.
const SLACK: u64 = 48 * 1024 * 1024;
/// All messages after the first two, of a conversation that has these already.
const MANY: &str = "WITH RECURSIVE numbers (n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)
    INSERT INTO messages (conversation_id, seq, role, content, status, created_at)
    SELECT 'long', n, CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'message ' || n, 'done', 1 FROM numbers;
    UPDATE conversations SET next_seq = 1000001 WHERE id = 'long';";

fn turn(client: &Client, message: &str, id: &str) -> Value {
    let turn = json!({ "conversationId": "long", "message": message, "clientMessageId": id });
    // Ten seconds are more than a request of a short history needs, and a hundredth of what all messages would.
    let reply = client
        .with_header("x-request-timeout-ms", "10000")
        .post("/v1/chat", &turn);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// The places of the messages on a page, and where the one before begins.
fn page(client: &Client, query: &str) -> (Vec<u64>, Option<u64>) {
    let page = client.get(&format!("/v1/context/long{query}")).json();
    let messages = page["messages"].as_array().unwrap();
    let places = messages.iter().map(|message| message["seq"].as_u64().unwrap());
    (places.collect(), page["nextBefore"].as_u64())
}

fn a_million_messages(setup: Setup, alpha: &Provider, insert: impl FnOnce(&Gateway)) {
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let first = turn(&client, "the very first", "first");
    let before = resident_bytes(&gateway);
    insert(&gateway);

    let next = turn(&client, "and now", "next");
    assert_eq!(next["routing"]["fromCache"], false);
    let sent = alpha.last_request().messages();
    assert_eq!(sent.last().unwrap(), "and now");
    assert!(sent.contains(&format!("message {MESSAGES}")), "{sent:?}");
    assert!(
        sent.len() <= 52 && !sent.contains(&"the very first".to_owned()),
        "{sent:?}"
    );
    // What was said at the beginning is still known.
    let again = turn(&client, "the very first", "first");
    assert_eq!(again["routing"]["fromCache"], true);
    assert_eq!(again["result"]["response"], first["result"]["response"]);

    let newest: Vec<u64> = (MESSAGES - 47..=MESSAGES + 2).collect();
    assert_eq!(page(&client, ""), (newest, Some(MESSAGES - 47)));
    let middle: Vec<u64> = (495_001..=500_000).collect();
    assert_eq!(page(&client, "?limit=5000&before=500001"), (middle, Some(495_001)));
    assert_eq!(page(&client, "?before=4"), (vec![1, 2, 3], None));

    let grown = resident_bytes(&gateway).saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes more");
    gateway.finish();
}

#[test]
fn f12_a_turn_after_a_million_messages_is_answered_and_pages_stay_small_in_sqlite() {
    let alpha = Provider::start("alpha");
    a_million_messages(Setup::free_l0(&[&alpha]), &alpha, |gateway| {
        let file = gateway.folder().join("gateway.db");
        let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        connection
            .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
            .unwrap();
        connection.batch_execute(MANY).unwrap();
        connection.batch_execute("COMMIT").unwrap();
    });
}

#[test]
fn f12_a_turn_after_a_million_messages_is_answered_and_pages_stay_small_in_postgres() {
    let alpha = Provider::start("alpha");
    let database = PostgresDatabase::create();
    let setup = Setup::free_l0(&[&alpha]).env("DATABASE_URL", &database.url());
    a_million_messages(setup, &alpha, |_| database.execute(MANY));
}
