//! A crowd that spends: who asks for what and leaves when is decided by a seed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::COMPLETIONS;
use crate::scene::{ADMIN_KEY, paid, paid_stream};
use crate::support::{Behaviour, Client, Draw, RawClient, Reply};

/// The most tokens that a request allows.
const MOST_TOKENS: usize = 8;

/// The clients of one or more gateways, and what they saw.
#[derive(Default)]
pub(crate) struct Till {
    /// The model that they ask; `dear` if it is nothing.
    pub(crate) model: Option<&'static str>,
    /// Requests that were sent.
    pub(crate) asked: AtomicUsize,
    /// Answers of each sort.
    pub(crate) answered: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    pub(crate) unavailable: AtomicUsize,
    /// Nobody goes on.
    pub(crate) is_over: AtomicBool,
    /// Of each answer that came whole: the request's id and the answer's.
    pub(crate) whole: watch::Sender<Vec<(String, String)>>,
}

/// Whoever asks, at any of these places, until he has heard so often that there is nothing left.
pub(crate) fn spend(till: &Till, seed: u64, places: &watch::Sender<Vec<SocketAddr>>, patience: usize) {
    let mut draw = Draw::new(seed);
    let mut refused = 0;
    while refused < patience && !till.is_over.load(Ordering::Relaxed) {
        let address = {
            let places = places.borrow();
            *draw.of(&places)
        };
        let tokens = i64::try_from(1 + draw.below(MOST_TOKENS)).unwrap();
        let mut body = match draw.below(2) {
            0 => paid(tokens),
            _ => paid_stream(tokens),
        };
        body["model"] = Value::from(till.model.unwrap_or("dear"));
        till.asked.fetch_add(1, Ordering::Relaxed);
        if draw.below(10) == 0 {
            leave(address, &body, draw.below(3));
            continue;
        }
        let authorization = format!("Bearer {ADMIN_KEY}");
        let client = Client::unchecked(&format!("http://{address}")).with_header("authorization", &authorization);
        // A gateway that was killed answers nobody.
        let Ok(reply) = client.try_post(COMPLETIONS, &body) else {
            continue;
        };
        refused += usize::from(note(till, &reply));
    }
}

/// Whether there was nothing left.
fn note(till: &Till, reply: &Reply) -> bool {
    match reply.status {
        200 => {
            till.answered.fetch_add(1, Ordering::Relaxed);
            let is_stream = reply
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/event-stream"));
            if !reply.cut && (!is_stream || reply.is_done()) {
                let first = if is_stream {
                    reply.events()[0].clone()
                } else {
                    reply.text().to_owned()
                };
                let first: Value = serde_json::from_str(&first).unwrap();
                let answer = first["id"].as_str().unwrap().to_owned();
                let request = reply.request_id().to_owned();
                till.whole.send_modify(|whole| whole.push((request, answer)));
            }
        }
        402 => {
            till.refused.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        503 => {
            till.unavailable.fetch_add(1, Ordering::Relaxed);
        }
        502 | 504 => {}
        status => panic!("{status}: {}", reply.text()),
    }
    false
}

/// Asks, and leaves: at once, when the head is there, or with the first piece.
fn leave(address: SocketAddr, body: &Value, when: usize) {
    let Ok(stream) = std::net::TcpStream::connect(address) else {
        return;
    };
    let mut raw = RawClient::over(stream);
    let body = body.to_string();
    let sent = raw.try_send(format!(
        "POST {COMPLETIONS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    if sent && when > 0 {
        raw.read_until(["", "\r\n\r\n", "data:"][when]);
    }
}

/// How providers behave in a crowd: two of three well.
pub(crate) fn ways(seed: u64) -> Behaviour {
    let ways = [
        (40, Behaviour::Answer),
        (10, Behaviour::Slow(Duration::from_millis(3))),
        (5, Behaviour::BROKEN),
        (2, Behaviour::UsageMissing),
        (2, Behaviour::DieAfterEvents(2)),
        (2, Behaviour::ErrorAfterEvents(2)),
        (2, Behaviour::TruncatedBody),
        (2, Behaviour::ResetAfterRequest),
        (2, Behaviour::EmptyStream),
        (1, Behaviour::StallBeforeHead),
        (1, Behaviour::StallMidStream),
    ];
    Behaviour::Drawn(seed, ways.into())
}

/// The seed of this run, and says so.
pub(crate) fn seed() -> u64 {
    let seed = number("GATEWAY_MONEY_SEED");
    println!("GATEWAY_MONEY_SEED={seed}");
    seed
}

/// How often a crowd is to spend a dollar while processes are killed, each time by the next seed.
pub(crate) fn rounds() -> u64 {
    number("GATEWAY_MONEY_ROUNDS")
}

/// The number in this variable of the environment; 1 if it is not there.
fn number(name: &str) -> u64 {
    std::env::var(name).map_or(1, |number| number.parse().unwrap())
}
