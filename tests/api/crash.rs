//! `kill -9` under load: nothing that was acknowledged is lost, and every attempt on the provider's bill is recorded.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::conversations::assert_contiguous;
use crate::support::{
    CallRow, Charge, Client, Gateway, Model, PostgresDatabase, Provider, Setup, streamed_chat, wait_for,
};

const CONVERSATIONS: usize = 12;
const STREAMS: usize = 4;
/// Acknowledged turns before the kill.
const TURNS: usize = 150;
const LOAD_LIMIT: Duration = Duration::from_secs(60);

/// One turn whose answer the client had in whole.
struct Acknowledged {
    message: String,
    response: String,
    request_id: String,
}

/// What the clients know when the gateway dies.
#[derive(Default)]
struct Witness {
    /// The acknowledged turns of each conversation, in order.
    turns: HashMap<String, Vec<Acknowledged>>,
    /// Of each stream that ended with its end mark: the request's id and the answer's id.
    streams: Vec<(String, String)>,
}

#[test]
fn k9_j17_after_kill_9_every_acknowledged_message_and_every_billed_attempt_is_in_sqlite_once() {
    everything_survives(Setup::new());
}

#[test]
fn k9_j17_after_kill_9_every_acknowledged_message_and_every_billed_attempt_is_in_postgres_once() {
    let database = PostgresDatabase::create();
    everything_survives(Setup::new().env("DATABASE_URL", &database.url()));
}

fn everything_survives(setup: Setup) {
    let folder = tempfile::tempdir().unwrap();
    let alpha = Provider::start_with_bill("alpha", &folder.path().join("bill.jsonl"));
    let setup = setup
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha).priced("0.15", "0.60"));
    let mut gateway = Gateway::start(setup);

    let witness = load_until_killed(&mut gateway);
    gateway.restart();

    let client = gateway.client();
    for (conversation, turns) in &witness.turns {
        assert_conversation(&client, conversation, turns);
    }
    let bill = alpha.bill();
    assert_eq!(lines_of(&folder.path().join("bill.jsonl")), bill.len());
    wait_for("the journals to be replayed", LOAD_LIMIT, || {
        gateway.calls().len() >= bill.len()
    });
    assert_every_charge_is_recorded(&gateway.calls(), &bill, &witness);

    for conversation in witness.turns.keys() {
        let body = json!({ "conversationId": conversation, "message": "after the restart" });
        wait_for("the conversation to go on", LOAD_LIMIT, || {
            client.post("/v1/chat", &body).status == 200
        });
        assert_contiguous(&messages(&client, conversation));
    }
    gateway.finish();
}

/// Runs conversations and streams side by side, kills the gateway in the middle, returns what clients had by then.
fn load_until_killed(gateway: &mut Gateway) -> Witness {
    let dead = AtomicBool::new(false);
    let acknowledged = AtomicUsize::new(0);
    let client = gateway.client();
    let mut witness = Witness::default();
    thread::scope(|scope| {
        let (dead, acknowledged, client) = (&dead, &acknowledged, &client);
        let talkers: Vec<_> = (0..CONVERSATIONS)
            .map(|number| {
                let conversation = format!("conversation-{number}");
                scope.spawn(move || {
                    let turns = talk(client, &conversation, acknowledged);
                    (conversation, turns)
                })
            })
            .collect();
        let streamers: Vec<_> = (0..STREAMS)
            .map(|_| scope.spawn(move || stream(client, dead)))
            .collect();

        wait_for("enough acknowledged turns", LOAD_LIMIT, || {
            acknowledged.load(Ordering::Relaxed) >= TURNS
        });
        gateway.kill_9();
        dead.store(true, Ordering::Relaxed);
        witness
            .turns
            .extend(talkers.into_iter().map(|talker| talker.join().unwrap()));
        witness
            .streams
            .extend(streamers.into_iter().flat_map(|streamer| streamer.join().unwrap()));
    });
    witness
}

/// Goes on with one conversation until the gateway is dead.
fn talk(client: &Client, conversation: &str, acknowledged: &AtomicUsize) -> Vec<Acknowledged> {
    let mut turns = Vec::new();
    for number in 1.. {
        let message = format!("{conversation} turn {number}");
        let body = json!({
            "conversationId": conversation,
            "clientMessageId": format!("{conversation}-{number}"),
            "message": message,
        });
        let Ok(reply) = client.try_post("/v1/chat", &body) else {
            break;
        };
        if reply.cut {
            break;
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.json();
        turns.push(Acknowledged {
            message,
            response: answer["result"]["response"].as_str().unwrap().to_owned(),
            request_id: answer["requestId"].as_str().unwrap().to_owned(),
        });
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    turns
}

/// Streams one answer after the other until the gateway is dead.
fn stream(client: &Client, dead: &AtomicBool) -> Vec<(String, String)> {
    let mut finished = Vec::new();
    while !dead.load(Ordering::Relaxed) {
        let Ok(reply) = client.try_post(COMPLETIONS, &streamed_chat("a stream")) else {
            break;
        };
        if reply.is_done() {
            let first: Value = serde_json::from_str(&reply.events()[0]).unwrap();
            finished.push((reply.request_id().to_owned(), first["id"].as_str().unwrap().to_owned()));
        }
    }
    finished
}

fn lines_of(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

fn messages(client: &Client, conversation: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/context/{conversation}?limit=5000")).json();
    page["messages"]
        .as_array()
        .unwrap_or_else(|| panic!("no messages in {page}"))
        .clone()
}

/// Every acknowledged turn once, in order, its answer right behind it.
#[track_caller]
fn assert_conversation(client: &Client, conversation: &str, turns: &[Acknowledged]) {
    let messages = messages(client, conversation);
    assert_contiguous(&messages);
    let mut last_place = 0;
    for turn in turns {
        let places: Vec<usize> = (0..messages.len())
            .filter(|place| messages[*place]["content"] == turn.message.as_str())
            .collect();
        assert_eq!(places.len(), 1, "{:?} is stored {} times", turn.message, places.len());
        let place = places[0];
        assert!(place >= last_place, "{:?} is out of order", turn.message);
        assert_eq!(messages[place]["role"], "user");
        assert_eq!(messages[place]["status"], "done");
        assert_eq!(messages[place + 1]["content"], turn.response.as_str());
        last_place = place + 2;
    }
}

/// Every position of the bill has its call record and no record stands twice; an attempt beyond the bill is one that
/// the gateway had announced in its journal and died before the provider had it whole.
#[track_caller]
fn assert_every_charge_is_recorded(calls: &[CallRow], bill: &[Charge], witness: &Witness) {
    let ids: HashSet<&str> = calls.iter().map(|call| call.attempt_id.as_str()).collect();
    assert_eq!(ids.len(), calls.len(), "an attempt is recorded twice");

    for conversation in witness.turns.keys() {
        let tag = format!("{conversation} ");
        let charged = bill.iter().filter(|charge| charge.message.starts_with(&tag)).count();
        let recorded = calls
            .iter()
            .filter(|call| call.conversation_id.as_ref() == Some(conversation))
            .count();
        assert!(
            (charged..=charged + 1).contains(&recorded),
            "{conversation}: {charged} charged, {recorded} recorded"
        );
    }
    let charged = bill.iter().filter(|charge| charge.message == "a stream").count();
    let recorded = calls.iter().filter(|call| call.conversation_id.is_none()).count();
    assert!(
        (charged..=charged + STREAMS).contains(&recorded),
        "{charged} streams charged, {recorded} recorded"
    );

    let turns = witness.turns.values().flatten().map(|turn| turn.request_id.as_str());
    let streams = witness.streams.iter().map(|(request, _)| request.as_str());
    for request in turns.chain(streams) {
        let of_it: Vec<&CallRow> = calls.iter().filter(|call| call.request_id == request).collect();
        assert_eq!(of_it.len(), 1, "{request}: {of_it:#?}");
        assert!(of_it[0].success && of_it[0].outcome == "completed", "{:?}", of_it[0]);
    }
    for (request, answer) in &witness.streams {
        let charge = bill
            .iter()
            .find(|charge| &charge.id == answer)
            .expect("an answer that is on no bill");
        let call = calls.iter().find(|call| &call.request_id == request).unwrap();
        assert_eq!((call.input_tokens, call.output_tokens), tokens(charge));
    }
    for call in calls.iter().filter(|call| !call.success) {
        assert_eq!(call.outcome, "interrupted", "{call:?}");
        assert!(call.estimated && call.cost_nano_usd > 0, "{call:?}");
    }
}

fn tokens(charge: &Charge) -> (i64, i64) {
    (
        charge.input_tokens.try_into().unwrap(),
        charge.output_tokens.try_into().unwrap(),
    )
}
