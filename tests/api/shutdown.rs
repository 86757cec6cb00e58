//! SIGTERM loses nothing: what runs is finished, recorded and acknowledged before the process ends with 0.

use std::time::Duration;

use crate::COMPLETIONS;
use crate::support::{Behaviour, Gateway, Provider, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(10);
const EXIT_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn k7_a_stream_under_way_is_finished_before_the_process_ends() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let client = gateway.client();
    alpha.set_tokens(30);
    alpha.set(Behaviour::Slow(Duration::from_millis(100)));
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();

    gateway.sigterm();

    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    assert_eq!(client.get("/health/live").status, 200, "still alive while it drains");
    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "the stream was cut: {}", reply.text());
    assert_eq!(gateway.wait_exit(EXIT_LIMIT), 0);
    let calls = gateway.calls();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!((calls[0].outcome.as_str(), calls[0].output_tokens), ("completed", 30));
    gateway.restart();
    gateway.finish();
}

#[test]
fn k7_a_second_sigterm_cuts_what_runs_and_records_it() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    let client = gateway.client();
    alpha.set(Behaviour::StallMidStream);
    let mut stream = client.open_stream(COMPLETIONS, &streamed_chat("hello"));
    stream.next_event();
    gateway.sigterm();
    wait_for("readiness to go", SOON, || client.get("/health/ready").status == 503);
    gateway.sigterm();
    gateway.wait_exit(SOON);
    assert!(!stream.finish().is_done());
    assert_eq!(gateway.calls().len(), 1);
    alpha.set(Behaviour::Answer);
    gateway.restart();
    gateway.finish();
}

#[test]
fn k7_an_idle_gateway_ends_soon_and_keeps_its_records() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    assert_eq!(gateway.client().post(COMPLETIONS, &chat("hello")).status, 200);
    gateway.sigterm();
    assert_eq!(gateway.wait_exit(EXIT_LIMIT), 0);
    assert_eq!(gateway.calls().len(), 1);
    gateway.restart();
    gateway.finish();
}
