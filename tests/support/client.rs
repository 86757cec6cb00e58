//! An ordinary client of the gateway: sends JSON, reads whole answers or streams.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{HeaderMap, Request, Response};
use ureq::{Agent, Body, BodyReader};

use super::refusals::assert_is_answer;

/// No request of a test may take longer: a gateway that hangs fails the test.
const NO_HANG: Duration = Duration::from_secs(60);

/// A client of one gateway, with a connection pool. Clones share it. Whatever the test is about, it fails when an answer
/// is not what every answer must be: see `refusals`.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    /// Whether every answer must be what a gateway's answers are.
    is_checked: bool,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    /// A client of the gateway at this URL (`http://host:port`).
    pub(crate) fn new(base: &str) -> Self {
        Self {
            is_checked: true,
            ..Self::unchecked(base)
        }
    }

    /// A client of a provider, or of a gateway whose HTTP parser may answer by itself: nothing is expected of answers.
    pub(crate) fn unchecked(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(NO_HANG))
            .max_idle_connections(200)
            .max_idle_connections_per_host(200)
            .max_idle_age(Duration::from_secs(2))
            .build();
        Self {
            agent: config.new_agent(),
            base: base.to_owned(),
            is_checked: false,
            headers: Vec::new(),
        }
    }

    /// The same client, with one more header field in every request.
    pub(crate) fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.to_owned()));
        client
    }

    /// Sends a request and reads the answer to its end.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Vec::new()).unwrap()
    }

    /// Sends a request without a body by any method.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, path: &str) -> Reply {
        self.send(method, path, Vec::new()).unwrap()
    }

    /// Posts JSON and reads the answer to its end.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.try_post(path, body).unwrap()
    }

    /// Sends JSON by another method.
    #[track_caller]
    pub(crate) fn send_json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, body.to_string().into_bytes()).unwrap()
    }

    /// Posts JSON to a gateway that may be dying.
    #[track_caller]
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Result<Reply, ureq::Error> {
        self.send("POST", path, body.to_string().into_bytes())
    }

    /// Posts these bytes as `application/json`, whatever they are.
    #[track_caller]
    pub(crate) fn post_bytes(&self, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.send("POST", path, body.into()).unwrap()
    }

    /// Posts JSON and returns as soon as the head of the answer is there.
    #[track_caller]
    pub(crate) fn open_stream(&self, path: &str, body: &Value) -> StreamReply {
        let response = self.dispatch("POST", path, body.to_string().into_bytes()).unwrap();
        StreamReply::new(response, self.is_checked)
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Reply, ureq::Error> {
        let reply = self.dispatch(method, path, body).map(Reply::read)?;
        if self.is_checked && method != "HEAD" {
            assert_is_answer(&reply);
        }
        Ok(reply)
    }

    fn dispatch(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let has_type = self.headers.iter().any(|(name, _)| *name == "content-type");
        let has_body = matches!(method, "POST" | "PUT" | "PATCH");
        if has_body && !has_type {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if has_body {
            self.agent.run(request.body(body).unwrap())
        } else {
            self.agent.run(request.body(()).unwrap())
        }
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The header fields.
    pub(crate) headers: HeaderMap,
    /// The body, as far as it came.
    pub(crate) body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub(crate) cut: bool,
}

impl Reply {
    fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let mut bytes = Vec::new();
        let cut = body.into_reader().read_to_end(&mut bytes).is_err();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: bytes,
            cut,
        }
    }

    /// A header field's value, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The request id the gateway gave.
    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").expect("every answer carries x-request-id")
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "{} with a body that is not JSON ({error}): {}",
                self.status,
                self.text()
            ),
        }
    }

    /// The `error` object of the body, after checking the status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let error = self.json()["error"].clone();
        assert!(error.is_object(), "no error object in {}", self.text());
        error
    }

    /// The data of each event of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let data = |line: &str| line.strip_prefix("data:").map(|data| data.trim().to_owned());
        self.text().lines().filter_map(data).collect()
    }

    /// Whether the stream ended as a finished one does.
    pub(crate) fn is_done(&self) -> bool {
        self.events().last().is_some_and(|last| last == "[DONE]")
    }

    /// The text of an answer in OpenAI's shape, whole or streamed.
    pub(crate) fn content(&self) -> String {
        if self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
        {
            let chunks = self
                .events()
                .into_iter()
                .filter_map(|data| serde_json::from_str::<Value>(&data).ok());
            let piece = |chunk: Value| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
            return chunks.filter_map(piece).collect();
        }
        self.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// An answer that is still coming.
pub(crate) struct StreamReply {
    head: ureq::http::response::Parts,
    body: BufReader<BodyReader<'static>>,
    read: Vec<u8>,
    is_checked: bool,
}

impl StreamReply {
    fn new(response: Response<Body>, is_checked: bool) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body: BufReader::new(body.into_reader()),
            read: Vec::new(),
            is_checked,
        }
    }

    /// Reads up to the next event that carries data and returns that data; nothing at the end.
    pub(crate) fn next_event(&mut self) -> Option<String> {
        loop {
            let mut line = Vec::new();
            if self.body.read_until(b'\n', &mut line).unwrap() == 0 {
                return None;
            }
            self.read.extend_from_slice(&line);
            let line = String::from_utf8(line).unwrap();
            if let Some(data) = line.strip_prefix("data:") {
                return Some(data.trim().to_owned());
            }
        }
    }

    /// Reads the rest, and returns the whole answer from its beginning.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Reply {
        let cut = self.body.read_to_end(&mut self.read).is_err();
        let reply = Reply {
            status: self.head.status.as_u16(),
            headers: self.head.headers,
            body: self.read,
            cut,
        };
        if self.is_checked {
            assert_is_answer(&reply);
        }
        reply
    }
}

/// A chat completion request for the model of the gateway's choice.
pub(crate) fn chat(message: &str) -> Value {
    json!({ "model": "auto", "messages": [{ "role": "user", "content": message }] })
}

/// The same, answered as a stream that tells its usage.
pub(crate) fn streamed_chat(message: &str) -> Value {
    let mut body = chat(message);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    body
}
