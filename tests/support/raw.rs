//! A client that writes bytes: for requests that no library sends and for leaving at a chosen moment.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

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
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(NO_HANG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
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
        loop {
            if self.read.windows(text.len()).any(|window| window == text.as_bytes()) {
                return true;
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return false,
                Err(error) => panic!("waiting for {text:?} after {:?}: {error}", self.text()),
            }
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
