//! As much of HTTP/1.1 as the provider needs, by hand, so that it can break it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::bill::Received;

/// One connection of the gateway.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).ok();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Reads the next request; nothing when the other side closed before a whole one had come.
    pub(super) async fn read_request(&mut self) -> io::Result<Option<Received>> {
        let head_end = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.unread.drain(..head_end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let path = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .unwrap_or_default()
            .to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut received = Received {
            path,
            headers,
            body: Vec::new(),
        };
        let complete = match received.header("content-length") {
            Some(length) => self.read_body(length.parse().unwrap(), &mut received.body).await?,
            None if received.header("transfer-encoding") == Some("chunked") => {
                self.read_chunks(&mut received.body).await?
            }
            None => true,
        };
        Ok(complete.then_some(received))
    }

    async fn read_body(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<bool> {
        while self.unread.len() < length {
            if !self.read_more().await? {
                return Ok(false);
            }
        }
        body.extend(self.unread.drain(..length));
        Ok(true)
    }

    async fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let Some(line_end) = find(&self.unread, b"\r\n") else {
                if !self.read_more().await? {
                    return Ok(false);
                }
                continue;
            };
            let line: Vec<u8> = self.unread.drain(..line_end + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            if !self.read_body(size, body).await? || !self.read_body(2, &mut Vec::new()).await? {
                return Ok(false);
            }
            if size == 0 {
                return Ok(true);
            }
        }
    }

    /// Sends a whole answer with its length.
    pub(super) async fn send(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        self.send_claiming(body.len(), status, headers, body).await
    }

    /// Sends an answer that claims a length of its own.
    pub(super) async fn send_claiming(
        &mut self,
        length: usize,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut message = head(status, headers);
        message.push_str(&format!("content-length: {length}\r\n\r\n"));
        let mut message = message.into_bytes();
        message.extend_from_slice(body);
        self.stream.write_all(&message).await
    }

    /// Sends these bytes and nothing else.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends the head of a stream of this type; [`Self::send_chunk`] and [`Self::end_chunks`] follow.
    pub(super) async fn begin_stream(&mut self, content_type: &str) -> io::Result<()> {
        let mut message = head(200, &[("content-type", content_type)]);
        message.push_str("transfer-encoding: chunked\r\n\r\n");
        self.stream.write_all(message.as_bytes()).await
    }

    pub(super) async fn send_chunk(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(&chunk(text.as_bytes())).await
    }

    /// Sends these bytes one at a time, with this time between two of them.
    pub(super) async fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        for byte in bytes {
            self.stream.write_all(&[*byte]).await?;
            sleep(pause).await;
        }
        Ok(())
    }

    pub(super) async fn end_chunks(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n").await
    }

    /// Says nothing more until the other side closes.
    pub(super) async fn stall(&mut self) -> io::Result<()> {
        while self.read_more().await? {}
        Ok(())
    }

    /// Closes with a reset instead of a farewell.
    pub(super) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).ok();
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }
}

/// These bytes as one chunk of a body.
pub(super) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
