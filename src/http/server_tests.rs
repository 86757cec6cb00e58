//! The server over real sockets: what depends on connections rather than on requests.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use bytes::Bytes;
use gateway_actors::protocol::AnswerStream;

use super::server::{accept, bind};
use super::shared::{EdgeParts, Shared};
use super::testing::{Told, model, parts};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server on a thread of its own; stopped when dropped.
struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start<F>(mut parts: EdgeParts, pipelines: F) -> Self
    where
        F: Fn() -> Told + Send + Clone + 'static,
    {
        parts.settings.port = 0;
        parts.settings.workers = 1;
        let (started, waiting) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let (server, address) = bind(&Shared::new(parts), Duration::from_secs(1), pipelines).unwrap();
                started.send((server.handle(), address)).unwrap();
                server.await.unwrap();
            });
        });
        let (handle, address) = waiting.recv_timeout(PATIENCE).unwrap();
        let thread = Some(thread);
        Self {
            address,
            handle,
            thread,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and reads until the server closes the connection.
    fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The stop is under way once it is asked for; its future only waits.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[test]
fn only_a_loopback_address_is_bound_without_a_key() {
    let mut parts = parts();
    parts.settings.host = IpAddr::from([0, 0, 0, 0]);
    let refused = bind(&Shared::new(parts), Duration::ZERO, Told::default).map(|(_, address)| address);
    assert!(refused.unwrap_err().to_string().contains("GATEWAY_ADMIN_KEY"));
}

#[actix_web::test]
async fn connections_of_clients_have_tcp_nodelay() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (connection, peer) = accept(stream, &parts().settings);
    assert!(connection.stream().nodelay().unwrap());
    assert_eq!(peer, Some(client.local_addr().unwrap()));
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_stream_is_noticed_at_once() {
    let (left, waiting) = mpsc::channel();
    let server = Running::start(parts(), move || {
        let left = left.clone();
        Told {
            stream: Box::new(move |_| {
                let (sender, events) = tokio::sync::mpsc::channel(4);
                let left = left.clone();
                actix_rt::spawn(async move {
                    sender
                        .send(Ok(Bytes::from_static(b"data: {\"first\":1}\n\n")))
                        .await
                        .unwrap();
                    sender.closed().await;
                    left.send(()).unwrap();
                });
                let model = Arc::new(model("small", "alpha"));
                Ok(AnswerStream {
                    model,
                    dropped: Vec::new(),
                    routing: None,
                    events,
                })
            }),
            ..Told::default()
        }
    });
    let body = r#"{"model":"small","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut client = server.connect();
    write!(
        client,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("\"first\"") {
        let read = client.read(&mut buffer).unwrap();
        assert!(read > 0, "the stream ended early: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    assert!(
        seen.starts_with("HTTP/1.1 200 OK\r\n") && !seen.contains("[DONE]"),
        "{seen}"
    );
    drop(client);
    waiting.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn broken_framing_is_refused_and_nothing_behind_it_is_run() {
    let server = Running::start(parts(), Told::default);
    let smuggled = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for head in [
        "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Host: localhost\r\nContent-Length: +5\r\n",
        "Host: localhost\r\nContent-Length: -1\r\n",
        "Host: localhost\r\nContent-Length: 99999999999999999999\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
        "",
    ] {
        let answer = server.exchange(&format!("POST /v1/chat HTTP/1.1\r\n{head}\r\n{smuggled}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head:?}: {answer}");
    }
}

#[test]
fn methods_that_nobody_offers_are_refused_by_name() {
    let server = Running::start(parts(), Told::default);
    for method in ["TRACE", "OPTIONS", "PATCH", "BREW"] {
        let request = format!("{method} /v1/chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = server.exchange(&request);
        assert!(
            answer.starts_with("HTTP/1.1 405") && answer.contains("allow: POST\r\n"),
            "{method}: {answer}"
        );
    }
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let server = Running::start(parts(), Told::default);
    let answer = server.exchange(
        "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 10737418240\r\n\r\n{",
    );
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"),
        "{answer}"
    );
}

#[test]
fn a_head_and_a_body_that_do_not_come_are_given_up() {
    let mut parts = parts();
    parts.settings.head_timeout = Duration::from_secs(1);
    parts.settings.body_grace = Duration::from_millis(200);
    parts.settings.body_timeout = Duration::from_millis(300);
    let server = Running::start(parts, Told::default);
    let answer = server.exchange("GET /health HT");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = server.exchange(
        "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"),
        "{answer}"
    );
}
