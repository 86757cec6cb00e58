//! Clients: what each does, one thing after another, until it is told to stop.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::requests::{RESPONSES, Request, bad};
use crate::scene::{MODELS, Scene};
use crate::support::{Client, Draw, Gateway, RawClient, Reply, wait_for};
use crate::tally::Tallies;

/// Conversations that all clients share.
const SHARED_CONVERSATIONS: usize = 40;
/// The beginning of the names of conversations for whose calls a budget pays: they are another caller's.
pub(crate) const BUDGETED: &str = "budgeted-";
/// Responses that go on from one another.
const LONGEST_CHAIN: usize = 6;
/// No slow reader takes longer.
const SLOWEST: Duration = Duration::from_secs(50);
/// Bytes that a slow reader takes at once.
const SIP: usize = 150;

/// What all clients share.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) tallies: Tallies,
    /// Every conversation that anybody had.
    pub(crate) conversations: watch::Sender<BTreeSet<String>>,
    pub(crate) is_over: AtomicBool,
}

/// One client. A budget pays for what every second one asks.
pub(crate) struct Visitor<'a> {
    number: u64,
    draw: Draw,
    client: Client,
    anonymous: Client,
    address: SocketAddr,
    authorization: String,
    /// The beginning of the names of its conversations.
    prefix: &'static str,
    common: &'a Common,
    /// The last response, and how many went before it.
    chain: Option<(String, usize)>,
    own_conversations: usize,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(scene: &Scene, seed: u64, number: u64, common: &'a Common) -> Self {
        let gateway: &Gateway = &scene.gateway;
        let (client, authorization, prefix) = match number % 2 {
            0 => (scene.budgeted(), scene.key.clone(), BUDGETED),
            _ => (gateway.client(), gateway.authorization().unwrap(), ""),
        };
        Self {
            number,
            draw: Draw::new(Draw::new(seed ^ number << 32).next()),
            client,
            anonymous: gateway.anonymous(),
            address: gateway.address(),
            authorization,
            prefix,
            common,
            chain: None,
            own_conversations: 0,
        }
    }

    /// Asks and leaves and asks again until the time is over.
    pub(crate) fn stay(mut self) {
        while !self.common.is_over.load(Ordering::Relaxed) {
            match self.draw.below(100) {
                0..44 => {
                    let request = Request::draw(&mut self.draw);
                    self.ask(&request);
                }
                44..48 => self.ask_in_a_hurry(),
                48..60 => self.turn(),
                60..70 => self.go_on(),
                70..86 => self.leave(),
                86..90 => self.read_slowly(),
                90..96 => self.ask_badly(),
                _ => self.look(),
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Reply {
        self.common.tallies.asked.add(request.name);
        let reply = self.client.post(request.path, &request.body);
        assert_of_one_provider(&reply);
        self.note(&reply);
        reply
    }

    /// Has no more than this little time.
    fn ask_in_a_hurry(&mut self) {
        let request = Request::draw(&mut self.draw);
        self.common.tallies.asked.add("in a hurry");
        let milliseconds = 200 + self.draw.below(400);
        let client = self
            .client
            .with_header("x-request-timeout-ms", &milliseconds.to_string());
        let reply = client.post(request.path, &request.body);
        assert_of_one_provider(&reply);
        self.note(&reply);
    }

    fn turn(&mut self) {
        let conversation = self.conversation();
        let request = Request::turn(&mut self.draw, &conversation);
        self.ask(&request);
    }

    fn conversation(&mut self) -> String {
        let conversation = if self.draw.below(5) == 0 {
            self.own_conversations += 1;
            format!("{}own-{}-{}", self.prefix, self.number, self.own_conversations)
        } else {
            format!("{}shared-{}", self.prefix, self.draw.below(SHARED_CONVERSATIONS))
        };
        self.common.conversations.send_modify(|all| {
            all.insert(conversation.clone());
        });
        conversation
    }

    /// Goes on from the last response, or begins with one, reads one again, or deletes it.
    fn go_on(&mut self) {
        let chain = self.chain.take();
        if let Some((last, _)) = &chain
            && self.draw.below(5) == 0
        {
            let method = *self.draw.of(&["GET", "DELETE"]);
            self.common.tallies.asked.add("stored response");
            let reply = self.client.request(method, &format!("{RESPONSES}/{last}"));
            self.note(&reply);
            return;
        }
        let previous = chain.as_ref().map(|(last, _)| last.as_str());
        let request = Request::response(&mut self.draw, previous);
        let reply = self.ask(&request);
        let length = chain.map_or(0, |(_, length)| length) + 1;
        if length < LONGEST_CHAIN {
            self.chain = response_id(&reply).map(|id| (id, length));
        }
    }

    /// Leaves in the middle of something.
    fn leave(&mut self) {
        let request = if self.draw.below(5) == 0 {
            let conversation = self.conversation();
            Request::turn(&mut self.draw, &conversation)
        } else {
            Request::draw(&mut self.draw)
        };
        self.common.tallies.asked.add(request.name);
        let bytes = self.bytes(&request);
        let mut raw = RawClient::connect(self.address);
        let how = match self.draw.below(4) {
            0 => {
                raw.try_send(&bytes[..self.draw.below(bytes.len())]);
                "in the request"
            }
            1 => {
                raw.try_send(&bytes);
                "before the answer"
            }
            _ => {
                raw.try_send(&bytes);
                raw.read_bytes(1 + self.draw.below(4_000));
                "in the answer"
            }
        };
        self.common.tallies.left.add(how);
        if self.draw.below(2) == 0 {
            raw.reset();
        } else {
            raw.leave();
        }
    }

    fn read_slowly(&mut self) {
        let request = Request::long_stream(&mut self.draw);
        self.common.tallies.asked.add("read slowly");
        let mut raw = RawClient::connect(self.address);
        raw.send(self.bytes(&request));
        wait_for("the end of what is read slowly", SLOWEST, || !raw.sip(SIP));
        let status = raw.read_status();
        self.common.tallies.ended.add(&format!("{status} read slowly"));
    }

    fn ask_badly(&mut self) {
        self.common.tallies.asked.add("bad request");
        let (reply, expected) = match self.draw.below(8) {
            0 => (self.client.get("/v1/nothing"), 404),
            1 => (self.client.request("PUT", "/v1/chat"), 405),
            2 => {
                let client = self.client.with_header("content-type", "text/plain");
                (client.post_bytes("/v1/messages", "hello"), 415)
            }
            3 => (self.anonymous.post("/v1/chat", &json!({ "message": "hello" })), 401),
            _ => {
                let (path, body, status) = bad(&mut self.draw);
                (self.client.post_bytes(path, body), status)
            }
        };
        assert!(
            reply.status == expected || reply.status == 503,
            "{} and not {expected}: {}",
            reply.status,
            reply.text()
        );
        self.note(&reply);
    }

    /// Asks for what no provider is needed for.
    fn look(&mut self) {
        self.common.tallies.asked.add("look");
        let path = match self.draw.below(4) {
            0 => "/v1/models".to_owned(),
            1 => "/health".to_owned(),
            2 => format!("/v1/models/{}", MODELS[1..][self.draw.below(MODELS.len() - 1)]),
            _ => format!(
                "/v1/context/{}shared-{}",
                self.prefix,
                self.draw.below(SHARED_CONVERSATIONS)
            ),
        };
        let reply = self.client.get(&path);
        self.note(&reply);
    }

    /// The request as bytes, for a connection of its own.
    fn bytes(&self, request: &Request) -> Vec<u8> {
        let body = request.body.to_string();
        format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            request.path,
            self.authorization,
            body.len()
        )
        .into_bytes()
    }

    /// Counts how a request ended. Whatever providers do, the gateway has no fault of its own.
    fn note(&self, reply: &Reply) {
        assert!(!reply.cut, "{reply:?}");
        let text = reply.text();
        let how = match reply.status {
            200 if is_stream(reply) && is_broken(text) => "200 broken stream".to_owned(),
            200 if is_stream(reply) => "200 stream".to_owned(),
            200 => "200".to_owned(),
            400 | 401 | 404 | 405 | 409 | 415 | 422 | 429 | 502 | 503 | 504 => {
                let error = &reply.json()["error"];
                let word = error["code"].as_str().or(error["type"].as_str()).unwrap_or_default();
                format!("{} {word}", reply.status)
            }
            _ => panic!("{}: {text}", reply.status),
        };
        self.common.tallies.ended.add(&how);
    }
}

/// An answer is not put together from those of two providers.
#[track_caller]
fn assert_of_one_provider(reply: &Reply) {
    let text = reply.text();
    let speakers = MODELS.iter().filter(|name| text.contains(&format!("{name}-1 ")));
    assert!(speakers.count() <= 1, "spliced: {text}");
}

fn is_stream(reply: &Reply) -> bool {
    let kind = reply.header("content-type").unwrap_or_default();
    kind.starts_with("text/event-stream")
}

fn is_broken(stream: &str) -> bool {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    events.any(|event| event["error"].is_object() || event["type"] == "error" || event["type"] == "response.failed")
}

/// The id of a response that is whole, by which another can go on from it.
fn response_id(reply: &Reply) -> Option<String> {
    if reply.status != 200 || is_stream(reply) && is_broken(reply.text()) {
        return None;
    }
    let body = if is_stream(reply) {
        let last = serde_json::from_str::<Value>(reply.events().last()?).ok()?;
        last["response"].clone()
    } else {
        reply.json()
    };
    body["id"].as_str().map(str::to_owned)
}
