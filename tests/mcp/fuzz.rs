//! Lines of all kinds, drawn from a seed: the process lives, answers the next good request, and keeps stdout clean.

use serde_json::{Value, json};

use crate::process::{Process, initialize};
use crate::support::{Behaviour, Draw, Provider, Setup, wait_for};

/// Sets another seed than those that always run.
const SEED_VARIABLE: &str = "GATEWAY_TEST_SEED";
const LINES: usize = 2_000;
/// The id of a call that is under way while the lines come.
const HELD: &str = "held";

fn bytes(draw: &mut Draw, most: usize) -> Vec<u8> {
    let count = draw.below(most);
    let byte = |draw: &mut Draw| u8::try_from(draw.next() & 0xff).unwrap();
    (0..count).map(|_| byte(draw)).filter(|byte| *byte != b'\n').collect()
}

/// A JSON value, at times of odd depth.
fn value(draw: &mut Draw, depth: usize) -> Value {
    match draw.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => json!(draw.next().is_multiple_of(2)),
        2 => json!(draw.next()),
        3 => json!(-1.5e300),
        4 => json!(String::from_utf8_lossy(&bytes(draw, 40))),
        5 => json!("code_agent"),
        6 => (0..draw.below(4)).map(|_| value(draw, depth - 1)).collect(),
        _ => {
            let names = [
                "task",
                "name",
                "arguments",
                "_meta",
                "progressToken",
                "context",
                "requestId",
                "jsonrpc",
            ];
            let mut object = serde_json::Map::new();
            for _ in 0..draw.below(5) {
                object.insert((*draw.of(&names)).to_owned(), value(draw, depth - 1));
            }
            Value::Object(object)
        }
    }
}

fn line(draw: &mut Draw) -> Vec<u8> {
    let methods = [
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "tools/call",
        "no/such",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "subscriptions/listen",
        "",
    ];
    let call = |arguments: Value| json!({"name": "code_agent", "arguments": arguments});
    let method = *draw.of(&methods);
    match draw.below(13) {
        0 => bytes(draw, 300),
        1 => [b"\xff\xfe", &*bytes(draw, 20)].concat(),
        2 => Vec::new(),
        3 => {
            let depth = draw.below(3_000);
            let open = format!(r#"{{"jsonrpc":"2.0","id":{depth},"method":"{method}","params":"#);
            format!("{open}{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
        }
        4 => json!([{"jsonrpc": "2.0", "id": 1, "method": method}, value(draw, 2)])
            .to_string()
            .into_bytes(),
        5 => json!({"jsonrpc": value(draw, 0), "id": 1, "method": method})
            .to_string()
            .into_bytes(),
        6 => json!({"jsonrpc": "2.0", "id": value(draw, 1), "method": method, "params": value(draw, 3)})
            .to_string()
            .into_bytes(),
        7 => json!({"jsonrpc": "2.0", "method": method, "params": value(draw, 3)})
            .to_string()
            .into_bytes(),
        8 => json!({"jsonrpc": "2.0", "id": "same", "method": "tools/call", "params": call(json!({"task": "x"}))})
            .to_string()
            .into_bytes(),
        9 => json!({"jsonrpc": "2.0", "id": draw.next() >> 2, "method": "tools/call", "params": call(value(draw, 3))})
            .to_string()
            .into_bytes(),
        10 => json!({"jsonrpc": draw.of(&["2.0", "1.0"]), "id": HELD, "method": method, "params": value(draw, 2)})
            .to_string()
            .into_bytes(),
        11 => {
            let whole = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": value(draw, 2)}).to_string();
            whole.as_bytes()[..draw.below(whole.len())].to_vec()
        }
        _ => {
            let mut line = json!({"jsonrpc": "2.0", "id": 6, "method": method, "params": value(draw, 2)})
                .to_string()
                .into_bytes();
            let place = draw.below(line.len());
            line[place] = u8::try_from(draw.next() & 0xff).unwrap().max(b' ');
            line
        }
    }
}

fn seeds() -> Vec<u64> {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=4).collect(),
    }
}

#[test]
fn whatever_lines_come_the_process_lives_and_answers_the_next_good_request() {
    for seed in seeds() {
        println!("{SEED_VARIABLE}={seed}");
        let mut draw = Draw::new(seed);
        let alpha = Provider::start("alpha");
        let setup = Setup::free_l0(&[&alpha]).toml("[drain]\nstdio_ms = 300");
        let mut process = Process::start(&setup);
        let call = |task: &str| json!({"name": "code_agent", "arguments": {"task": task}});
        let has_session = seed.is_multiple_of(2);
        if has_session {
            process.begin();
            alpha.set(Behaviour::StallBeforeHead);
            process.send(&json!({"jsonrpc": "2.0", "id": HELD, "method": "tools/call", "params": call("wait")}));
            wait_for("the call to be under way", crate::process::LIMIT, || {
                alpha.running() == 1
            });
            alpha.set(Behaviour::Answer);
        }
        for number in 0..LINES {
            process.send_bytes(&line(&mut draw));
            process.send_bytes(b"\n");
            if number % 200 == 199 {
                // Handshakes are answered at any time.
                let id = json!(format!("good-{number}"));
                process.send(
                    &json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": initialize("2025-11-25")}),
                );
                assert!(process.answer(&id)["result"].is_object(), "{SEED_VARIABLE}={seed}");
            }
        }
        let id = json!("the last");
        process.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call("still there?")}));
        assert_eq!(
            process.answer(&id)["result"]["isError"],
            false,
            "{SEED_VARIABLE}={seed}"
        );
        process.close_input();
        assert_eq!(process.wait_exit(crate::process::LIMIT), 0);
        let held = process
            .messages()
            .into_iter()
            .filter(|message| message.get("id") == Some(&json!(HELD)));
        let held: Vec<Value> = held.collect();
        if has_session {
            assert!(
                held.len() == 1 && held[0]["result"].is_object(),
                "{SEED_VARIABLE}={seed}: {held:#?}"
            );
        }
        assert!(!process.log().contains("panicked"), "{}", process.log());
    }
}
