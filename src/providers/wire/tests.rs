use std::cell::RefCell;
use std::future::pending;
use std::time::Duration;

use awc::http::Uri;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::client::{Clients, ConnectionKind};
use super::*;

/// The connection that each request came on, from 0, and the length of its body.
type Seen = Rc<RefCell<Vec<(usize, usize)>>>;

/// A server that gives these answers, one for each request, and the way of requests to it.
async fn server(answers: &'static [&'static str]) -> (Wire, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/chat", listener.local_addr().unwrap());
    let seen = Seen::default();
    let told = Rc::clone(&seen);
    actix_rt::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            actix_rt::spawn(answer(stream, connection, answers, Rc::clone(&told)));
        }
    });
    let kind = ConnectionKind {
        timeout: Duration::from_secs(20),
        tls: false,
    };
    let client = Clients::default().with(kind).unwrap();
    let request = client.post(address).freeze().unwrap();
    (client.wire(&request), seen)
}

async fn answer(mut stream: TcpStream, connection: usize, answers: &[&str], seen: Seen) {
    let mut came = Vec::new();
    while stream.read_buf(&mut came).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8(came.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.unwrap().parse::<usize>().unwrap() {
            continue;
        }
        let place = seen.borrow().len();
        seen.borrow_mut().push((connection, body.len()));
        stream.write_all(answers[place].as_bytes()).await.unwrap();
        came.clear();
    }
}

async fn whole(mut answer: Answer) -> String {
    let mut body = answer.take_payload();
    let mut text = Vec::new();
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn nothing() -> OutgoingBody {
    OutgoingBody::default()
}

fn connections(seen: &Seen) -> Vec<usize> {
    seen.borrow().iter().map(|(connection, _)| *connection).collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const NOTHING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
const STRAY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more";

#[actix_rt::test]
async fn exchanges_follow_one_another_on_a_connection() {
    let (wire, seen) = server(&[OK, NOTHING, OK]).await;
    for expected in ["ok", "", "ok"] {
        let answer = wire
            .send(None, &OutgoingBody::from(Bytes::from_static(b"ask")))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(whole(answer).await, expected);
    }
    assert_eq!(*seen.borrow(), [(0, 3), (0, 3), (0, 3)]);
}

#[actix_rt::test]
async fn nothing_follows_an_answer_that_says_so_or_has_bytes_behind_it() {
    let (wire, seen) = server(&[LAST, STRAY, OK]).await;
    for _ in 0..3 {
        assert_eq!(whole(wire.send(None, &nothing()).await.unwrap()).await, "ok");
    }
    assert_eq!(connections(&seen), [0, 1, 2]);
}

#[actix_rt::test]
async fn nothing_follows_an_answer_that_was_not_read() {
    let (wire, seen) = server(&[OK, OK]).await;
    drop(wire.send(None, &nothing()).await.unwrap());
    whole(wire.send(None, &nothing()).await.unwrap()).await;
    assert_eq!(connections(&seen), [0, 1]);
}

#[actix_rt::test]
async fn requests_under_way_have_connections_of_their_own_and_leave_them_to_the_next() {
    let (wire, seen) = server(&[OK; 4]).await;
    for _ in 0..2 {
        let body = nothing();
        let (one, other) = tokio::join!(wire.send(None, &body), wire.send(None, &body));
        whole(one.unwrap()).await;
        whole(other.unwrap()).await;
    }
    let mut connections = connections(&seen);
    connections.sort_unstable();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[actix_rt::test]
async fn a_body_arrives_whole_whatever_its_length() {
    let (wire, seen) = server(&[OK; 3]).await;
    for pieces in [
        &[COPIED][..],
        &[COPIED + 1],
        &[1, 1_000_000, 2, 3, COPIED + 1, COPIED, COPIED],
    ] {
        let body = OutgoingBody::from_pieces(pieces.iter().map(|&length| Bytes::from(vec![b'x'; length])));
        whole(wire.send(None, &body).await.unwrap()).await;
        assert_eq!(seen.borrow().last(), Some(&(0, pieces.iter().sum())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    let address = Uri::from_static("http://nowhere.test/");
    let never: Open = Rc::new(|_| Box::pin(pending()));
    let second = Duration::from_secs(1);
    let lines = Lines::new(address, never, second * 3, second, second);
    let begun = tokio::time::Instant::now();
    assert!(matches!(lines.take().await, Err(ConnectError::Timeout)));
    assert_eq!(begun.elapsed(), second * 3);
}
