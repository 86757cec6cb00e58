//! Rows A1 and A14: slow heads and crowds of idle connections.

use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::COMPLETIONS;
use crate::scene::{Scene, request};
use crate::support::{RawClient, chat, wait_for};

const HOST: &str = "host: localhost";
const SOON: Duration = Duration::from_secs(15);
const CROWD: usize = 10_000;

#[test]
fn a1_a_head_that_does_not_come_is_given_up_and_takes_nobody_elses_place() {
    let scene = Scene::with("[http]\nhead_timeout_ms = 1000\nmax_in_flight = 1\nqueue = 0\n");
    for bytes in [
        "GET /ok HT",
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx: y\r\n",
        "\r\n\r\n",
    ] {
        scene.parser_refuses(bytes, 408);
    }
    let slow: Vec<RawClient> = (0..50).map(|_| scene.send("POST /v1/chat HTTP/1.1\r\nhost")).collect();
    scene.assert_well();
    for mut client in slow {
        assert_eq!(client.read_bare_refusal(), 408);
        assert_eq!(client.read_to_close(), "");
    }
    scene.finish();
}

#[test]
fn a1_a_head_that_drips_is_given_up_however_steadily_it_comes() {
    let scene = Scene::with("[http]\nhead_timeout_ms = 1000\n");
    let mut client = scene.send("GET /health HTTP/1.1\r\n");
    wait_for("the gateway to close", SOON, || !client.try_send("x"));
    scene.finish();
}

#[test]
fn a1_the_head_of_a_second_request_has_no_more_time_than_that_of_the_first() {
    let scene = Scene::with("[http]\nhead_timeout_ms = 1000\nkeep_alive_ms = 60_000\n");
    let mut stopped = scene.send(request("GET /health/live", &[HOST], ""));
    assert_eq!(stopped.read_reply().status, 200);
    stopped.send("GET /health HT");
    assert_eq!(stopped.read_to_close(), "");
    let mut dripping = scene.send(request("GET /health/live", &[HOST], "GET /health HTTP/1.1\r\n"));
    assert_eq!(dripping.read_reply().status, 200);
    wait_for("the gateway to close", SOON, || !dripping.try_send("x"));
    scene.finish();
}

#[test]
fn a1_a_connection_may_be_idle_between_requests_for_longer_than_a_head_may_take() {
    let scene = Scene::with("[http]\nhead_timeout_ms = 1000\nkeep_alive_ms = 60_000\n");
    let mut idle = scene.send(request("GET /health/live", &[HOST], ""));
    assert_eq!(idle.read_reply().status, 200);
    let mut late = scene.send("GET /h");
    assert_eq!(late.read_bare_refusal(), 408, "time for a head has passed");
    idle.send(request("GET /health/live", &[HOST], ""));
    assert_eq!(idle.read_reply().status, 200);
    scene.finish();
}

#[test]
fn a1_a_client_that_takes_its_answer_slowly_is_not_taken_for_one_whose_next_request_is_late() {
    const TOKENS: usize = 1_500_000;
    let scene = Scene::with("[http]\nhead_timeout_ms = 1000\nkeep_alive_ms = 3000\n");
    scene.alpha.set_tokens(TOKENS);
    scene.expect_calls(1);
    let mut client = scene.connect();
    client.post(COMPLETIONS, &chat("hello"));
    assert_eq!(client.read_status(), 200);
    for _ in 0..5 {
        let mut clock = scene.send("GET /h");
        assert_eq!(clock.read_bare_refusal(), 408, "a second has passed");
        client.read_bytes(1);
    }
    let answer = client.read_reply();
    // At once: parsing such an answer takes a while, and idle connections are closed.
    client.send(request("GET /health/live", &[HOST], ""));
    assert_eq!(client.read_reply().status, 200);
    assert_eq!(answer.json()["usage"]["completion_tokens"], TOKENS);
    scene.finish();
}

#[test]
fn a14_a_crowd_of_idle_connections_keeps_nobody_out_and_is_sent_away() {
    allow_many_files();
    let scene = Scene::with("[http]\nhead_timeout_ms = 4000\nkeep_alive_ms = 1000\n");
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| TcpStream::connect(scene.gateway.address()).unwrap())
        .collect();
    scene.assert_well();
    let mut idle = scene.send(request("GET /health/live", &[HOST], ""));
    assert_eq!(idle.read_reply().status, 200);
    assert_eq!(idle.read_to_close(), "", "closed at keep-alive");
    wait_for("the crowd to be sent away", SOON, || scene.gateway.open_files() < 100);
    drop(crowd);
    scene.finish();
}

/// Each side of the crowd needs a file for each of its connections.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    assert!(
        limit.maximum.is_none_or(|most| most >= 11_000),
        "this test needs 11,000 open files: raise the hard limit (ulimit -Hn)"
    );
    setrlimit(Resource::Nofile, limit).unwrap();
}
