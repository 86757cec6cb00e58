//! `mcp ready`.

use std::time::Duration;

use super::program::Program;
use super::support::{Behaviour, Gateway, Provider, Setup, streamed_chat, wait_for};

#[test]
fn a_gateway_that_takes_requests_is_ready_whoever_asks() {
    let key = "test-key-0123456789abcdef0123456789";
    let setup = Setup::new()
        .env("SIMULATOR_ENABLED", "true")
        .env("GATEWAY_ADMIN_KEY", key);
    let gateway = Gateway::start(setup);
    let run = Program::new(&["ready"]).to(&gateway).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, "ready\n"), "{run:?}");
    gateway.finish();
}

#[test]
fn what_is_no_gateway_is_not_ready() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let run = Program::new(&["ready", "--endpoint", &endpoint]).run();
    assert_eq!((run.code, run.stdout.as_str()), (69, ""), "{run:?}");
    assert!(run.stderr.contains("cannot reach a gateway at "), "{run:?}");
}

#[test]
fn a_gateway_that_shuts_down_is_not_ready_and_says_why() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    alpha.set(Behaviour::StallMidStream);
    let client = gateway.client();
    let mut stream = client.open_stream("/v1/chat/completions", &streamed_chat("hello"));
    stream.next_event();
    gateway.sigterm();
    wait_for("readiness to go", Duration::from_secs(10), || {
        client.get("/health/ready").status == 503
    });

    let run = Program::new(&["ready"]).to(&gateway).run();

    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(
        run.stderr.contains("is not ready: the gateway is shutting down"),
        "{run:?}"
    );
    gateway.kill_9();
    gateway.retire();
}
