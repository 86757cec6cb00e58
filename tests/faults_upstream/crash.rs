//! Rows K9 and J17: `kill -9` at every stage of a request, and again and again under writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::assert_answered_by;
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(20);
/// `GATEWAY_KILL_ROUNDS` makes it more.
const KILL_ROUNDS: usize = 4;

fn priced(provider: &Provider) -> Gateway {
    let setup = Setup::new()
        .provider(provider)
        .model(&Model::free("alpha-small", provider).priced("1", "2"));
    Gateway::start(setup)
}

#[test]
fn k9_killed_at_any_stage_of_a_request_it_records_the_attempt_once_at_its_worst_case() {
    let whole = (chat("hello"), 0);
    let stream = (streamed_chat("hello"), 0);
    let stages: [(&str, Behaviour, (Value, usize)); 6] = [
        ("after the request was sent", Behaviour::StallBeforeHead, whole.clone()),
        ("the same for a stream", Behaviour::StallBeforeHead, stream.clone()),
        ("in the middle of an answer", Behaviour::StallMidStream, whole),
        ("after the head of a stream", Behaviour::StallBeforeFirstEvent, stream),
        (
            "after the first event",
            Behaviour::StallMidStream,
            (streamed_chat("hello"), 1),
        ),
        (
            "in the middle of a stream",
            Behaviour::Slow(Duration::from_millis(20)),
            (streamed_chat("hello"), 3),
        ),
    ];
    let alpha = Provider::start("alpha");
    alpha.set_tokens(1_000);
    let mut gateway = priced(&alpha);
    for (number, (stage, behaviour, (request, events))) in stages.into_iter().enumerate() {
        wait_for("the provider to see that it was left", SOON, || alpha.running() == 0);
        alpha.set(behaviour);
        let client = gateway.client();
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                if events == 0 {
                    assert!(client.try_post(COMPLETIONS, &request).is_err(), "{stage}");
                    return;
                }
                let mut stream = client.open_stream(COMPLETIONS, &request);
                for _ in 0..events {
                    stream.next_event().unwrap();
                }
                gateway.signal(rustix::process::Signal::KILL);
                let reply = stream.finish();
                assert!(!reply.is_done(), "{stage}");
            });
            // With an event to wait for, the client itself knows when to strike.
            if events == 0 {
                wait_for(stage, SOON, || alpha.running() == 1);
                gateway.signal(rustix::process::Signal::KILL);
            }
            asking.join().unwrap();
        });
        gateway.kill_9();
        gateway.restart();
        let calls = gateway.wait_for_calls(number + 1);
        assert_eq!(alpha.bill().len(), number + 1);
        let cut = calls.iter().max_by_key(|call| call.started_at).unwrap();
        assert_eq!(
            (cut.outcome.as_str(), cut.success, cut.ordinal),
            ("interrupted", false, 1),
            "{stage}"
        );
        assert!(cut.estimated && cut.cost_nano_usd >= 64_000 * 2_000, "{stage}: {cut:?}");
    }
    alpha.set(Behaviour::Answer);
    alpha.set_tokens(5);
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.kill_9();
    gateway.restart();
    let calls = gateway.wait_for_calls(7);
    assert_eq!(calls.iter().filter(|call| call.success && !call.estimated).count(), 1);
    assert_answered_by(&gateway.client().post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[test]
fn j17_killed_again_and_again_under_writes_the_database_stays_whole_and_keeps_what_was_acknowledged() {
    let rounds = std::env::var("GATEWAY_KILL_ROUNDS").map_or(KILL_ROUNDS, |rounds| rounds.parse().unwrap());
    let alpha = Provider::start("alpha");
    let mut gateway = priced(&alpha);
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..rounds {
        let client = gateway.client();
        let count = AtomicUsize::new(0);
        let done: Vec<String> = thread::scope(|scope| {
            let writers: Vec<_> = (0..6)
                .map(|writer| {
                    let (client, count) = (&client, &count);
                    scope.spawn(move || {
                        let mut done = Vec::new();
                        for turn in 0.. {
                            let id = format!("r{round}-w{writer}-t{turn}");
                            let body = json!({ "conversationId": id, "message": format!("this is {id}") });
                            let Ok(reply) = client.try_post("/v1/chat", &body) else {
                                break;
                            };
                            if reply.cut || reply.status != 200 {
                                break;
                            }
                            count.fetch_add(1, Ordering::Relaxed);
                            done.push(id);
                        }
                        done
                    })
                })
                .collect();
            wait_for("some writes", SOON, || count.load(Ordering::Relaxed) >= 30);
            gateway.signal(rustix::process::Signal::KILL);
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        acknowledged.extend(done);
        gateway.kill_9();
        let database = gateway.folder().join("gateway.db");
        let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
        let check: Vec<Check> = sql_query("PRAGMA integrity_check").load(&mut connection).unwrap();
        assert_eq!(check.len(), 1);
        assert_eq!(check[0].integrity_check, "ok", "after round {round}");
        drop(connection);
        gateway.restart();
    }
    let client = gateway.client();
    for id in &acknowledged {
        let page = client.get(&format!("/v1/context/{id}")).json();
        assert_eq!(page["messages"][0]["content"], format!("this is {id}"), "{page}");
        assert_eq!(page["messages"].as_array().unwrap().len(), 2, "{page}");
    }
    wait_for("every billed attempt to be recorded", SOON, || {
        gateway.calls().len() >= alpha.bill().len()
    });
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}
