//! What a request that budgets pay for costs the database: a wire between the gateway and PostgreSQL counts statements.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use tokio::time::Instant;

use crate::COMPLETIONS;
use crate::scene::{COST, On, Scene, TOKENS, paid};
use crate::support::in_parallel;

const REQUESTS: usize = 5_000;
const AT_ONCE: usize = 16;
/// What the gateway may ask in a second, however many requests there are: each of two workers stores rows and posts what
/// they cost five times, slices are filled about ten times, and there are looks for keys, budgets, recalls and leases;
/// each of these is up to five statements, its transaction's among them.
const EACH_SECOND: u64 = 200;
/// Messages that ask for a statement: `Query` and `Execute`.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const STATEMENTS: [u8; 2] = [b'Q', b'E'];

#[test]
fn requests_that_two_budgets_pay_for_cost_the_database_statements_by_the_second_and_not_by_the_request() {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let scene = Scene::with(On::Postgres, move |setup, _| {
        let url = setup.variable("DATABASE_URL").expect("PostgreSQL's address").to_owned();
        let server = url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0;
        let wire = listen(server.parse().unwrap(), counter);
        setup.env("DATABASE_URL", &url.replace(server, &wire.to_string()))
    });
    let budget = json!({ "limitUsd": "1000", "window": "total" });
    scene.set("global", &budget);
    let limits = json!({ "name": "k", "budget": budget, "rpm": 1_000_000, "tpm": 1_000_000_000 });
    let (_, client) = scene.key(&limits);
    // The first slices are there, and the key is known.
    in_parallel(AT_ONCE, AT_ONCE, |_| {
        assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200)
    });

    let (before, begun) = (count.load(Ordering::Acquire), Instant::now());
    in_parallel(REQUESTS, AT_ONCE, |_| {
        assert_eq!(client.post(COMPLETIONS, &paid(TOKENS)).status, 200)
    });
    let (statements, took) = (count.load(Ordering::Acquire) - before, begun.elapsed());

    let per_thousand = statements * 1_000 / REQUESTS as u64;
    println!("{statements} statements for {REQUESTS} requests in {took:?}: {per_thousand} for 1,000");
    let spent = scene.spent_at_rest("global");
    assert_eq!(spent, i64::try_from(REQUESTS + AT_ONCE).unwrap() * COST);
    assert!(statements > 0, "the wire counts nothing");
    let most = (took.as_secs() + 1) * EACH_SECOND;
    assert!(
        statements <= most,
        "{statements} statements in {took:?}, and not at most {most}"
    );
    scene.finish();
}

/// A wire to the server, which counts what clients ask for.
fn listen(server: SocketAddr, count: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            // Either side may end a connection at any time.
            thread::spawn(move || pass(&client, server, &count).ok());
        }
    });
    address
}

fn pass(client: &TcpStream, server: SocketAddr, count: &AtomicU64) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        io::copy(&mut answers, &mut to_client).ok();
        to_client.shutdown(Shutdown::Both).ok();
    });
    let mut messages = io::BufReader::new(client);
    let done = pass_messages(&mut messages, &server, count);
    server.shutdown(Shutdown::Both)?;
    done
}

/// Asks whether there is TLS; comes before everything else, and is as long as no other message without a kind.
const ASKS_FOR_TLS: u32 = 8;

/// Passes messages on as they are: a kind, a length and what it counts, save that those at the start have no kind.
fn pass_messages(messages: &mut impl Read, mut server: &TcpStream, count: &AtomicU64) -> io::Result<()> {
    let mut is_first = true;
    loop {
        let mut message = vec![0; if is_first { 4 } else { 5 }];
        messages.read_exact(&mut message)?;
        let (kind, length) = message.split_at(message.len() - 4);
        let length = u32::from_be_bytes(length.try_into().unwrap());
        if !is_first && STATEMENTS.contains(&kind[0]) {
            count.fetch_add(1, Ordering::AcqRel);
        }
        let head = message.len();
        message.resize(head + usize::try_from(length).unwrap() - 4, 0);
        messages.read_exact(&mut message[head..])?;
        server.write_all(&message)?;
        is_first &= length == ASKS_FOR_TLS;
    }
}
