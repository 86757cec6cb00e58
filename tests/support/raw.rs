//! A client that writes bytes: for requests that no library sends and for leaving at a chosen moment.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::client::Reply;
use super::refusals::assert_is_answer;

const NO_HANG: Duration = Duration::from_secs(60);

/// One connection to the gateway. Dropping it closes it in the ordinary way.
#[derive(Debug)]
pub(crate) struct RawClient {
    stream: TcpStream,
    /// Everything that has come so far.
    read: Vec<u8>,
}

impl RawClient {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// A client over this connection.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(NO_HANG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// The same connection, to send on while the first is read from.
    pub(crate) fn second(&self) -> Self {
        Self {
            stream: self.stream.try_clone().unwrap(),
            read: Vec::new(),
        }
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends these bytes to a gateway that may have closed; false when it has.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Posts JSON in an ordinary way.
    pub(crate) fn post(&mut self, path: &str, body: &Value) {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.send(head + &body);
    }

    /// Reads until this text has come; false when the gateway closed before.
    pub(crate) fn read_until(&mut self, text: &str) -> bool {
        let mut searched = 0;
        loop {
            let unsearched = &self.read[searched..];
            if unsearched.windows(text.len()).any(|window| window == text.as_bytes()) {
                return true;
            }
            searched = self.read.len().saturating_sub(text.len());
            if !self.read_more() {
                return false;
            }
        }
    }

    /// Reads what has come, waiting if nothing has; false when the gateway has closed.
    fn read_more(&mut self) -> bool {
        self.sip(65_536)
    }

    /// The same, and no more than this many bytes.
    pub(crate) fn sip(&mut self, most: usize) -> bool {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer[..most]) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("reading on after {:?}: {error}", self.text()),
        }
    }

    /// Reads this many bytes; fewer when the gateway closed before.
    pub(crate) fn read_bytes(&mut self, count: usize) {
        while self.read.len() < count && self.read_more() {}
    }

    /// Reads until the gateway closes.
    pub(crate) fn read_to_close(&mut self) -> String {
        while self.read_more() {}
        self.text()
    }

    /// Reads the next answer and takes it out of what was read. Interim answers (`100 Continue`) are left out.
    #[track_caller]
    pub(crate) fn read_reply(&mut self) -> Reply {
        let reply = self.read_any_reply();
        assert_is_answer(&reply);
        reply
    }

    /// The same, when it is the refusal of the HTTP parser, which has seen no request: a status and nothing else.
    #[track_caller]
    pub(crate) fn read_bare_refusal(&mut self) -> u16 {
        let reply = self.read_any_reply();
        assert!(
            reply.body.is_empty() && reply.header("x-request-id").is_none(),
            "{reply:?}"
        );
        reply.status
    }

    #[track_caller]
    fn read_any_reply(&mut self) -> Reply {
        loop {
            let head_end = self.read_through(0, b"\r\n\r\n");
            let (status, headers) = parse_head(&self.read[..head_end]);
            let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            let mut end = head_end;
            let mut body = Vec::new();
            if let Some(length) = field("content-length") {
                end += length.parse::<usize>().unwrap();
                self.read_bytes(end);
                end = end.min(self.read.len());
                body.extend_from_slice(&self.read[head_end..end]);
            } else if field("transfer-encoding").is_some() {
                end = self.read_chunks(head_end, &mut body);
            }
            self.read.drain(..end);
            if !(100..200).contains(&status) {
                let cut = field("content-length").is_some_and(|length| length != body.len().to_string());
                return Reply {
                    status,
                    headers,
                    body,
                    cut,
                };
            }
        }
    }

    /// Reads the next head and takes it out of what was read: the answer to a `HEAD`, or what stands before a body that
    /// ends with the connection.
    #[track_caller]
    pub(crate) fn read_head(&mut self) -> Reply {
        let end = self.read_through(0, b"\r\n\r\n");
        let (status, headers) = parse_head(&self.read[..end]);
        self.read.drain(..end);
        Reply {
            status,
            headers,
            body: Vec::new(),
            cut: false,
        }
    }

    /// Reads chunks that begin at this place into `body`, and says where they end.
    #[track_caller]
    fn read_chunks(&mut self, mut place: usize, body: &mut Vec<u8>) -> usize {
        loop {
            let data = self.read_through(place, b"\r\n");
            let size = std::str::from_utf8(&self.read[place..data - 2]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            place = data + size + 2;
            self.read_bytes(place);
            if size == 0 {
                return place;
            }
            body.extend_from_slice(&self.read[data..data + size]);
        }
    }

    /// Reads until this pattern has come at or after a place, and says where it ends.
    #[track_caller]
    fn read_through(&mut self, from: usize, pattern: &[u8]) -> usize {
        loop {
            let unread = self.read.get(from..).unwrap_or_default();
            if let Some(found) = unread.windows(pattern.len()).position(|window| window == pattern) {
                return from + found + pattern.len();
            }
            assert!(self.read_more(), "closed in the middle of {:?}", self.text());
        }
    }

    /// The status of the answer.
    pub(crate) fn read_status(&mut self) -> u16 {
        assert!(
            self.read_until("\r\n\r\n"),
            "closed without an answer: {:?}",
            self.text()
        );
        let text = self.text();
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
    }

    /// What has come so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Leaves with a reset, as a killed client does whose data nobody will read.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// Leaves politely.
    pub(crate) fn leave(self) {
        self.stream.shutdown(Shutdown::Both).ok();
    }
}

/// The status and the header fields of an answer's head.
fn parse_head(head: &[u8]) -> (u16, HeaderMap) {
    let text = std::str::from_utf8(head).unwrap();
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::try_from(value.trim()).unwrap(),
        );
    }
    (status.parse().unwrap(), headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Behaviour, Provider, streamed_chat, wait_for};

    #[test]
    fn it_reads_as_far_as_it_is_told_and_leaves_when_it_is_told() {
        let provider = Provider::start("alpha");
        provider.set_tokens(1_000);
        provider.set(Behaviour::Slow(Duration::from_millis(5)));
        for leave in [RawClient::reset, RawClient::leave] {
            let mut client = RawClient::connect(provider.address());
            client.post("/v1/chat/completions", &streamed_chat("hello"));
            assert_eq!(client.read_status(), 200);
            assert!(client.read_until("alpha-3 "));
            assert_eq!(provider.running(), 1);
            leave(client);
            wait_for("the provider to notice", NO_HANG, || provider.running() == 0);
        }
        assert!(
            provider
                .bill()
                .iter()
                .all(|charge| !charge.whole && charge.output_tokens >= 3)
        );
    }

    #[test]
    fn it_sees_that_the_other_side_closed() {
        let provider = Provider::start("alpha");
        provider.set(Behaviour::ResetAfterRequest);
        let mut client = RawClient::connect(provider.address());
        client.post("/v1/chat/completions", &streamed_chat("hello"));
        assert!(!client.read_until("HTTP/1.1"));
    }
}
