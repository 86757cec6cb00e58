//! Lines of all kinds, drawn from a seed: the process lives, answers the next good request, and keeps stdout clean.

use serde_json::{Value, json};

use crate::process::{Process, initialize};
use crate::support::Setup;

/// Sets another seed than those that always run.
const SEED_VARIABLE: &str = "GATEWAY_TEST_SEED";
const LINES: usize = 2_000;

/// SplitMix64: the same seed gives the same lines everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let count = self.below(most);
        let byte = |draw: &mut Self| u8::try_from(draw.next() & 0xff).unwrap();
        (0..count).map(|_| byte(self)).filter(|byte| *byte != b'\n').collect()
    }

    /// A JSON value, at times of odd depth.
    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.next().is_multiple_of(2)),
            2 => json!(self.next()),
            3 => json!(-1.5e300),
            4 => json!(String::from_utf8_lossy(&self.bytes(40))),
            5 => json!("code_agent"),
            6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
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
                for _ in 0..self.below(5) {
                    object.insert((*self.of(&names)).to_owned(), self.value(depth - 1));
                }
                Value::Object(object)
            }
        }
    }

    fn line(&mut self) -> Vec<u8> {
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
        let method = *self.of(&methods);
        match self.below(12) {
            0 => self.bytes(300),
            1 => [b"\xff\xfe", &*self.bytes(20)].concat(),
            2 => Vec::new(),
            3 => {
                let depth = self.below(3_000);
                let open = format!(r#"{{"jsonrpc":"2.0","id":{depth},"method":"{method}","params":"#);
                format!("{open}{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
            }
            4 => json!([{"jsonrpc": "2.0", "id": 1, "method": method}, self.value(2)])
                .to_string()
                .into_bytes(),
            5 => json!({"jsonrpc": self.value(0), "id": 1, "method": method})
                .to_string()
                .into_bytes(),
            6 => json!({"jsonrpc": "2.0", "id": self.value(1), "method": method, "params": self.value(3)})
                .to_string()
                .into_bytes(),
            7 => json!({"jsonrpc": "2.0", "method": method, "params": self.value(3)})
                .to_string()
                .into_bytes(),
            8 => json!({"jsonrpc": "2.0", "id": "same", "method": "tools/call", "params": call(json!({"task": "x"}))})
                .to_string()
                .into_bytes(),
            9 => {
                json!({"jsonrpc": "2.0", "id": self.next() >> 2, "method": "tools/call", "params": call(self.value(3))})
                    .to_string()
                    .into_bytes()
            }
            10 => {
                let whole = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": self.value(2)}).to_string();
                whole.as_bytes()[..self.below(whole.len())].to_vec()
            }
            _ => {
                let mut line = json!({"jsonrpc": "2.0", "id": 6, "method": method, "params": self.value(2)})
                    .to_string()
                    .into_bytes();
                let place = self.below(line.len());
                line[place] = u8::try_from(self.next() & 0xff).unwrap().max(b' ');
                line
            }
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
        let mut draw = Draw(seed);
        let mut process = Process::start(&Setup::new().env("SIMULATOR_ENABLED", "true"));
        if seed.is_multiple_of(2) {
            process.begin();
        }
        for line in 0..LINES {
            process.send_bytes(&draw.line());
            process.send_bytes(b"\n");
            if line % 200 == 199 {
                // Handshakes are answered at any time.
                let id = json!(format!("good-{line}"));
                process.send(
                    &json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": initialize("2025-11-25")}),
                );
                assert!(process.answer(&id)["result"].is_object(), "{SEED_VARIABLE}={seed}");
            }
        }
        let id = json!("the last");
        let call = json!({"name": "code_agent", "arguments": {"task": "still there?"}});
        process.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call}));
        assert_eq!(
            process.answer(&id)["result"]["isError"],
            false,
            "{SEED_VARIABLE}={seed}"
        );
        process.close_input();
        assert_eq!(process.wait_exit(crate::process::LIMIT), 0);
        process.messages();
        assert!(!process.log().contains("panicked"), "{}", process.log());
    }
}
