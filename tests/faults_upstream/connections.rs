//! Rows G1 to G4: providers that cannot be reached, say nothing, or break the connection.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::COMPLETIONS;
use crate::scene::{QUICK_BREAKERS, Scene, assert_answered_by, assert_refused, for_model};
use crate::support::{Behaviour, Gateway, Model, Provider, Setup, chat, in_parallel, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(20);

/// A TLS server whose certificate nobody has signed. It answers whoever trusts it all the same.
fn server_that_nobody_vouches_for() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let _refused = stream.read(&mut [0; 4096]);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    format!("https://localhost:{port}/v1")
}

#[test]
fn g1_a_provider_that_cannot_be_reached_costs_nothing_and_the_next_is_asked() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = [
        "http://no-such-host.invalid/v1".to_owned(),
        format!("http://{closed}/v1"),
        "http://255.255.255.255:9/v1".to_owned(),
        server_that_nobody_vouches_for(),
        "https://127.0.0.1:1/v1".to_owned(),
    ];
    for address in addresses {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let lost = format!(
            "[[providers]]\nname = \"lost\"\nkind = \"openai-compatible\"\nbase_url = \"{address}\"\n\
             timeouts = {{ connect_ms = 1000 }}\n[[models]]\nid = \"lost-small\"\nprovider = \"lost\"\n\
             api_model = \"x\"\nlayer = \"L0\"\ncapabilities = [\"chat\"]\ncontext_window = 128000\n\
             max_output_tokens = 4096\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2"
        );
        let setup = Setup::free_l0(&[&alpha, &beta])
            .toml(&lost)
            .toml(QUICK_BREAKERS)
            .env("CHAT_MODELS", "lost-small,alpha-small");
        let gateway = Gateway::start(setup);
        let client = gateway.client();

        let named = client.post(COMPLETIONS, &for_model("lost-small"));
        assert_refused(&named, 502, "upstream_error");
        for request in [chat("hello"), streamed_chat("hello")] {
            assert_answered_by(&client.post(COMPLETIONS, &request), "alpha");
        }
        gateway.wait_until_settled();
        let calls = gateway.calls();
        let failed: Vec<_> = calls.iter().filter(|call| call.provider == "lost").collect();
        assert!(!failed.is_empty(), "{address}");
        for call in failed {
            assert_eq!(
                (call.outcome.as_str(), call.cost_nano_usd),
                ("connect_failed", 0),
                "{address}"
            );
        }
        let health = client.get("/health").json();
        assert_eq!(health["database"], true, "{health}");
        gateway.finish();
    }
}

#[test]
fn g2_a_provider_that_says_nothing_is_given_up_at_its_first_byte_limit_and_booked_in_full() {
    let scene = Scene::with_alpha("timeouts = { first_byte_ms = 300 }", |model| model.priced("1", "2"));
    scene.alpha.set(Behaviour::StallBeforeHead);
    assert_refused(&scene.ask_alpha(), 504, "upstream_timeout");
    assert_eq!(scene.requests(), (1, 0), "a call that may be billed was made twice");
    assert_answered_by(&scene.ask(), "beta");
    let calls = scene.gateway.wait_for_calls(3);
    let silent: Vec<_> = calls.iter().filter(|call| call.provider == "alpha").collect();
    assert_eq!(silent.len(), 2);
    for call in silent {
        assert_eq!(call.outcome, "timed_out");
        assert!(call.estimated && call.cost_nano_usd > 0, "{call:?}");
    }
    scene.end();
}

#[test]
fn g3_a_connection_that_was_closed_while_nobody_used_it_costs_no_attempt() {
    let scene = Scene::new();
    for _ in 0..10 {
        // Several connections, all of which are then closed.
        for reply in in_parallel(4, 4, |_| scene.ask()) {
            assert_answered_by(&reply, "alpha");
        }
        scene.alpha.kill();
        scene.alpha.revive();
    }
    assert_eq!(scene.requests(), (40, 0));
    let calls = scene.gateway.wait_for_calls(40);
    assert!(calls.iter().all(|call| call.success && call.ordinal == 1));
    scene.end();
}

/// Connections of the gateway to this port whose far end is closed and whose own is not.
fn half_closed(gateway: &Gateway, port: u16) -> usize {
    const CLOSE_WAIT: &str = "08";
    let path = format!("/proc/{}/net/tcp", gateway.pid().as_raw_nonzero());
    let far_end = format!(":{port:04X}");
    let connections = std::fs::read_to_string(path).unwrap();
    let half_closed = connections.lines().filter(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|far| far.ends_with(&far_end)) && fields.next() == Some(CLOSE_WAIT)
    });
    half_closed.count()
}

#[test]
fn g3_connections_that_a_dead_provider_has_closed_are_closed_here_too() {
    let scene = Scene::new();
    let port: u16 = scene
        .alpha
        .base_url()
        .rsplit([':', '/'])
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    scene.alpha.set(Behaviour::Slow(Duration::from_millis(50)));
    for reply in in_parallel(8, 8, |_| scene.ask()) {
        assert_answered_by(&reply, "alpha");
    }
    scene.alpha.kill();
    wait_for("the provider's end to be closed", SOON, || {
        half_closed(&scene.gateway, port) > 0
    });
    wait_for("the gateway's end to be closed", SOON, || {
        half_closed(&scene.gateway, port) == 0
    });
    scene.alpha.revive();
    scene.alpha.set(Behaviour::Answer);
    assert_answered_by(&scene.ask_alpha(), "alpha");
    scene.end();
}

#[test]
fn g3_a_reset_on_a_used_connection_is_made_good_within_the_request() {
    let scene = Scene::new();
    assert_answered_by(&scene.ask(), "alpha");
    scene.alpha.set(Behaviour::ResetAfterRequest);
    assert_answered_by(&scene.ask(), "beta");
    let reply = scene.ask_alpha();
    assert_refused(&reply, 502, "upstream_error");
    let calls = scene.gateway.wait_for_calls(5);
    let of_the_last = calls.iter().filter(|call| call.request_id == reply.request_id());
    assert_eq!(
        of_the_last.count(),
        2,
        "a free call is made once more on a new connection"
    );
    scene.end();
}

#[test]
fn g4_a_reset_after_the_request_was_sent_is_booked_in_full_and_not_paid_for_twice() {
    for (ambiguous, answered) in [("free", false), ("any", true)] {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let setup = Setup::new()
            .provider(&alpha)
            .provider(&beta)
            .model(&Model::free("alpha-small", &alpha).priced("1", "2"))
            .model(&Model::free("beta-small", &beta).priced("1", "2"))
            .env("CHAT_MODELS", "alpha-small,beta-small")
            .toml(&format!("[failover]\nambiguous = \"{ambiguous}\""))
            .toml(QUICK_BREAKERS);
        let scene = Scene {
            gateway: Gateway::start(setup),
            alpha,
            beta,
        };
        scene.alpha.set(Behaviour::ResetAfterRequest);
        let reply = scene.ask();
        if answered {
            assert_answered_by(&reply, "beta");
        } else {
            assert_refused(&reply, 502, "upstream_error");
        }
        assert_eq!(scene.requests(), (1, usize::from(answered)));
        let calls = scene.gateway.wait_for_calls(1 + usize::from(answered));
        let lost = calls.iter().find(|call| call.provider == "alpha").unwrap();
        assert_eq!(lost.outcome, "broken");
        // 64,000 tokens of output at most, at 2 USD per million.
        assert!(lost.estimated && lost.cost_nano_usd >= 64_000 * 2_000, "{lost:?}");
        scene.end();
    }
}

#[test]
fn g4_the_answer_comes_in_time_although_the_first_provider_is_silent() {
    let scene = Scene::with_alpha("timeouts = { first_byte_ms = 200 }", |model| model);
    scene.alpha.set(Behaviour::StallBeforeHead);
    let client = scene.client().with_header("x-request-timeout-ms", "100");
    let reply = client.post(COMPLETIONS, &for_model("alpha-small"));
    assert_refused(&reply, 504, "deadline_exceeded");
    assert_eq!(scene.beta.requests(), 0);
    let patient = scene
        .client()
        .with_header("x-request-timeout-ms", &Duration::from_secs(20).as_millis().to_string());
    assert_answered_by(&patient.post(COMPLETIONS, &chat("hello")), "beta");
    scene.end();
}
