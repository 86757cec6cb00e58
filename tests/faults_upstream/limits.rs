//! Rows K5, K10, K13 and K14: floods, exhausted limits of the operating system, many conversations, long runs.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, assert_answered_by, assert_lives, assert_refused, open_files, resident_bytes};
use crate::support::{Behaviour, Gateway, Provider, RawClient, Setup, chat, in_parallel, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(30);
/// How much memory may grow where it must not grow with the load: what allocators and pools keep.
const SLACK: u64 = 48 * 1024 * 1024;

#[test]
fn k5_a_flood_is_shed_and_memory_stays() {
    let alpha = Provider::start("alpha");
    alpha.set(Behaviour::Slow(Duration::from_millis(20)));
    let setup = Setup::free_l0(&[&alpha]).toml("[http]\nmax_in_flight = 8\nqueue = 8\nqueue_wait_ms = 10");
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let before = resident_bytes(&gateway);
    let replies = in_parallel(3_000, 100, |_| client.post(COMPLETIONS, &chat("hello")));
    let mut served = 0;
    for reply in &replies {
        if reply.status == 200 {
            assert_answered_by(reply, "alpha");
            served += 1;
        } else {
            assert_refused(reply, 503, "overloaded");
            assert!(reply.header("retry-after").is_some());
        }
    }
    assert!(
        served > 0 && served < replies.len(),
        "{served} of {} were served",
        replies.len()
    );
    assert_eq!(alpha.requests(), served, "a request that was shed reached the provider");
    let grown = resident_bytes(&gateway).saturating_sub(before);
    assert!(grown < SLACK, "{grown} bytes more");
    alpha.set(Behaviour::Answer);
    assert_lives(&gateway);
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    gateway.finish();
}

#[test]
fn k10_without_file_descriptors_connections_wait_and_nothing_dies() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]).toml(QUICK_BREAKERS));
    let client = gateway.client();
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "alpha");
    let usual = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(u64::try_from(open_files(&gateway)).unwrap() + 3),
        maximum: usual.maximum,
    };
    prlimit(Some(gateway.pid()), Resource::Nofile, few).unwrap();
    let mut waiting: Vec<RawClient> = (0..40).map(|_| RawClient::connect(gateway.address())).collect();
    for raw in &mut waiting {
        raw.send("GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    }
    // Those that found a descriptor are answered, and make room for others; the provider may be out of reach meanwhile.
    assert_eq!(waiting[0].read_status(), 200);
    alpha.kill();
    alpha.revive();
    prlimit(Some(gateway.pid()), Resource::Nofile, usual).unwrap();
    for raw in &mut waiting {
        assert_eq!(raw.read_status(), 200);
    }
    assert_lives(&gateway);
    wait_for("the provider to be reached again", SOON, || {
        client.post(COMPLETIONS, &chat("hello")).status == 200
    });
    gateway.finish();
}

/// Address space of the process, in bytes.
fn address_space(gateway: &Gateway) -> u64 {
    let path = format!("/proc/{}/statm", gateway.pid().as_raw_nonzero());
    let statm = std::fs::read_to_string(path).unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn k10_without_room_for_another_thread_or_more_memory_requests_are_served_or_shed() {
    let alpha = Provider::start("alpha");
    let setup = Setup::free_l0(&[&alpha])
        .toml(QUICK_BREAKERS)
        .toml("[http]\nheld_body_bytes = 1048576\nmax_in_flight = 16\nqueue = 0");
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let long = chat(&"x".repeat(100 * 1024));
    let mixed = |number: usize| match number % 4 {
        0 => client.post(COMPLETIONS, &chat("hello")),
        1 => client.post(COMPLETIONS, &streamed_chat("hello")),
        2 => client.post(COMPLETIONS, &long),
        _ => client.post(
            "/v1/chat",
            &json!({ "conversationId": format!("c-{number}"), "message": "hello" }),
        ),
    };
    // An allocation that fails ends any process, so it must have had more at once than it will need.
    for reply in in_parallel(480, 16, mixed) {
        assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
    }
    gateway.wait_until_settled();

    // Less than the stack of a thread.
    let usual = getrlimit(Resource::As);
    let tight = Rlimit {
        current: Some(address_space(&gateway) + 1024 * 1024),
        maximum: usual.maximum,
    };
    prlimit(Some(gateway.pid()), Resource::As, tight).unwrap();
    for reply in in_parallel(200, 6, mixed) {
        if reply.status != 200 {
            assert!(reply.error(503)["type"].is_string(), "{}", reply.text());
        }
    }
    prlimit(Some(gateway.pid()), Resource::As, usual).unwrap();
    assert_lives(&gateway);
    for number in [0, 1, 3] {
        wait_for("all to be served again", SOON, || mixed(number).status == 200);
    }
    gateway.finish();
}

#[test]
fn k13_conversations_that_are_over_take_no_memory() {
    let alpha = Provider::start("alpha");
    alpha.set_tokens(1);
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let client = gateway.client();
    let talk = |from: usize, count: usize| {
        in_parallel(count, 8, |number| {
            let body = json!({ "conversationId": format!("c-{}", from + number), "message": "hello" });
            assert_eq!(client.post("/v1/chat", &body).status, 200);
        });
        gateway.wait_until_settled();
        resident_bytes(&gateway)
    };
    let warm = talk(0, 500);
    let after = talk(500, 1_500);
    assert!(after.saturating_sub(warm) < SLACK / 2, "{warm} bytes, then {after}");
    let stats = gateway.stats();
    assert_eq!(stats["gateway"]["openTurns"], 0, "{stats}");
    gateway.finish();
}

#[test]
fn k14_a_long_mixed_run_leaks_no_memory_files_or_leases() {
    let alpha = Provider::start("alpha");
    let beta = Provider::start("beta");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]).toml(QUICK_BREAKERS));
    let client = gateway.client();
    let faults = [
        Behaviour::Answer,
        Behaviour::BROKEN,
        Behaviour::Answer,
        Behaviour::DieAfterEvents(2),
        Behaviour::ErrorFrameFirst,
        Behaviour::ResetAfterRequest,
        Behaviour::Answer,
        Behaviour::HTML,
    ];
    let mut marks = Vec::new();
    for _ in 0..4 {
        for fault in &faults {
            alpha.set(fault.clone());
            in_parallel(60, 6, |number| match number % 4 {
                0 => assert!(client.post(COMPLETIONS, &chat("hello")).status < 504),
                1 => assert!(client.post(COMPLETIONS, &streamed_chat("hello")).status < 504),
                2 => {
                    let body = json!({ "conversationId": format!("c-{number}"), "message": "hello" });
                    assert!(client.post("/v1/chat", &body).status < 504);
                }
                _ => {
                    let mut raw = RawClient::connect(gateway.address());
                    raw.post(COMPLETIONS, &streamed_chat("hello"));
                    if number % 8 == 3 { raw.reset() } else { raw.leave() }
                }
            });
        }
        gateway.wait_until_settled();
        marks.push((resident_bytes(&gateway), open_files(&gateway)));
    }
    let [(_, _), (early_bytes, early_files), .., (late_bytes, late_files)] = marks[..] else {
        panic!("too few rounds")
    };
    assert!(late_bytes.saturating_sub(early_bytes) < SLACK / 2, "{marks:?}");
    assert!(late_files <= early_files + 40, "{marks:?}");
    alpha.set(Behaviour::Answer);
    assert_lives(&gateway);
    gateway.finish();
}
