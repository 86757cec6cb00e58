//! Rows H1 to H6, H11 and H12: what a provider's stream may do, and clients that read slowly.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::Scene;
use crate::support::{Behaviour, Gateway, Model, Provider, RawClient, Setup, chat, streamed_chat, wait_for};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn h1_an_error_in_the_place_of_the_first_event_is_failed_over_before_the_status() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    alpha.set(Behaviour::ErrorFrameFirst);
    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert_eq!((reply.status, reply.header("x-gateway-provider")), (200, Some("beta")));
    assert!(reply.is_done() && !reply.text().contains("alpha"), "{}", reply.text());
    assert_eq!((alpha.requests(), beta.requests()), (1, 1));
    gateway.finish();
}

/// Asks a provider that behaves so and has no stand-in: an error with a status, not a stream.
#[track_caller]
fn is_an_error_with_a_status(behaviour: Behaviour) {
    let scene = Scene::new();
    scene.alpha.set(behaviour);
    let reply = scene.client().post(COMPLETIONS, &streamed_chat("hello"));
    scene.alpha.set(Behaviour::Answer);
    scene.expect_calls(scene.alpha.requests());
    let kind = reply.json()["error"]["code"].as_str().unwrap().to_owned();
    assert!(kind.starts_with("upstream_"), "{kind}");
    scene.assert_refused(&reply, 502, &kind);
    scene.finish();
}

#[test]
fn h1_an_error_in_the_place_of_the_first_event_has_a_status_when_nobody_else_is_left() {
    is_an_error_with_a_status(Behaviour::ErrorFrameFirst);
}

#[test]
fn h2_streams_without_an_event_have_a_status_when_nobody_else_is_left() {
    is_an_error_with_a_status(Behaviour::EmptyStream);
    is_an_error_with_a_status(Behaviour::CommentsOnly);
}

#[test]
fn h2_empty_streams_are_failed_over_before_the_status() {
    for behaviour in [Behaviour::EmptyStream, Behaviour::CommentsOnly] {
        let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
        let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
        alpha.set(behaviour);
        let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
        assert_eq!((reply.status, reply.header("x-gateway-provider")), (200, Some("beta")));
        assert!(reply.is_done());
        gateway.finish();
    }
}

/// A stream that breaks after its first piece: told in the stream, booked, and given to no other model.
#[track_caller]
fn ends_with_an_error(behaviour: Behaviour) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    alpha.set(behaviour);
    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!reply.cut && !reply.is_done(), "{}", reply.text());
    assert!(reply.content().starts_with("alpha-1"), "{}", reply.content());
    let last: Value = serde_json::from_str(reply.events().last().unwrap()).unwrap();
    assert!(
        last["error"]["code"].as_str().unwrap().starts_with("upstream_"),
        "{last}"
    );
    assert_eq!((alpha.requests(), beta.requests()), (1, 0));
    let calls = gateway.wait_for_calls(1);
    assert!(!calls[0].success && calls[0].estimated, "{calls:?}");
    gateway.finish();
}

/// A stream in exactly these pieces, each a chunk of its own.
fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Behaviour {
    let mut raw = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in pieces {
        raw.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        raw.extend_from_slice(piece);
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"0\r\n\r\n");
    Behaviour::Raw(raw.leak())
}

const PIECE: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"alpha-1 \"}}]}\n\n";

#[test]
fn h3_an_error_after_content_is_told_in_the_stream_in_the_gateways_own_words() {
    let error = &b"data: {\"error\":{\"message\":\"secret-upstream-detail\",\"code\":500}}\n\n"[..];
    ends_with_an_error(in_pieces([PIECE, error, b"data: [DONE]\n\n"]));
}

#[test]
fn h4_a_stream_without_its_end_mark_ends_with_an_error() {
    ends_with_an_error(Behaviour::DieAfterEvents(2));
    ends_with_an_error(Behaviour::TruncatedBody);
    ends_with_an_error(in_pieces([PIECE]));
}

#[test]
fn h4_a_stream_that_told_its_usage_on_the_way_and_broke_is_booked_at_its_worst_case() {
    let alpha = Provider::start("alpha");
    let model = Model::free("alpha-small", &alpha).priced("1", "2");
    let gateway = Gateway::start(Setup::new().provider(&alpha).model(&model));
    let early = &b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":0}}\n\n"[..];
    alpha.set(in_pieces([early, PIECE, PIECE]));
    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert!(!reply.is_done(), "{}", reply.text());
    let call = gateway.wait_for_calls(1).remove(0);
    assert!(call.estimated && !call.success, "{call:?}");
    // Of its 64,000 tokens of output at 2 USD per million none may be left out.
    assert!(call.cost_nano_usd >= 64_000 * 2_000, "{call:?}");
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn h5_a_stream_in_slices_of_one_byte_arrives_byte_for_byte() {
    let events = "\u{feff}: a comment\r\n\r\n\
                  data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"na\u{ef}ve \u{1f600}\"}}]}\r\n\r\n\
                  event: message\nid: 7\ndata: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"\u{4f60}\"}}]}\n\n\
                  data:{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                  data: [DONE]\n\n";
    let scene = Scene::new();
    scene.alpha.set(in_pieces(events.as_bytes().chunks(1)));
    scene.expect_calls(1);
    let reply = scene.client().post(COMPLETIONS, &streamed_chat("hello"));
    let arrived = String::from_utf8(reply.body).unwrap();
    assert_eq!(
        arrived.trim_start_matches('\u{feff}'),
        events.trim_start_matches('\u{feff}')
    );
    scene.alpha.set(Behaviour::Answer);
    scene.finish();
}

#[test]
fn h5_what_the_provider_streams_arrives_byte_for_byte() {
    let scene = Scene::new();
    scene.alpha.set_tokens(500);
    scene.expect_calls(1);
    let reply = scene.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert_eq!(reply.body, scene.alpha.last_body());
    scene.finish();
}

/// A stream far larger than all buffers between the provider and a client that has stopped reading.
fn stopped_reader(scene: &Scene) -> RawClient {
    scene.alpha.set_tokens(60_000);
    scene.expect_calls(1);
    let mut client = scene.connect();
    client.post(COMPLETIONS, &streamed_chat("a very long answer"));
    assert_eq!(client.read_status(), 200);
    client
}

/// Tokens of the first answer that the provider has handed to the network.
fn sent(scene: &Scene) -> u64 {
    scene.alpha.bill()[0].output_tokens
}

#[test]
fn h6_a_client_that_stops_reading_holds_the_provider_back_and_then_goes_on() {
    let scene = Scene::new();
    let mut client = stopped_reader(&scene);
    let mut last = 0;
    wait_for("the provider to be held back", SOON, || {
        let before = std::mem::replace(&mut last, sent(&scene));
        before == last && before > 0
    });
    assert!(
        last < 50_000,
        "the gateway took {last} tokens for a client that reads nothing"
    );
    let resident = scene.gateway.stats()["memory"]["heapUsed"].as_u64().unwrap();
    assert!(resident < 500, "{resident} MiB");
    scene.alpha.set_tokens(5);
    assert!(client.read_until("data: [DONE]"), "the stream does not go on");
    assert_eq!(sent(&scene), 60_000);
    scene.finish();
}

#[test]
fn h6_a_client_that_takes_nothing_is_cut_and_its_place_is_free_again() {
    let scene = Scene::with("[http]\nwrite_timeout_ms = 500\nmax_in_flight = 1\nqueue = 0\n");
    let mut client = stopped_reader(&scene);
    scene.alpha.set_tokens(5);
    assert_eq!(
        scene.client().post(COMPLETIONS, &chat("hello")).error(503)["code"],
        "overloaded"
    );
    wait_for("the place to be free", SOON, || {
        scene.gateway.stats()["gateway"]["inFlight"] == 0
    });
    assert!(!client.read_until("data: [DONE]"), "the client got all of it");
    let calls = scene.gateway.wait_for_calls(1);
    assert!(!calls[0].success, "{calls:?}");
    scene.finish();
}

#[test]
fn h6_a_client_that_takes_nothing_of_a_whole_answer_is_cut_too() {
    let scene = Scene::with("[http]\nwrite_timeout_ms = 500\n");
    scene.alpha.set_tokens(900_000);
    scene.expect_calls(1);
    let mut client = scene.connect();
    client.post(COMPLETIONS, &chat("a very long answer"));
    assert_eq!(client.read_status(), 200);
    let before = scene.gateway.open_files();
    wait_for("the connection to be closed", SOON, || {
        scene.gateway.open_files() < before
    });
    let text = client.read_to_close();
    assert!(!text.ends_with('}'), "the client got all of it");
    scene.alpha.set_tokens(5);
    scene.finish();
}

#[test]
fn h11_endpoints_without_streaming_refuse_to_stream() {
    let scene = Scene::new();
    for path in ["/v1/chat", "/v1/route"] {
        let body = json!({ "message": "x", "stream": true }).to_string();
        assert_eq!(scene.refuses(path, body, 400, "invalid_request")["param"], "stream");
    }
    scene.finish();
}

#[test]
fn h12_a_stream_that_tells_no_usage_is_booked_as_an_estimate() {
    let alpha = Provider::start("alpha");
    let model = Model::free("alpha-small", &alpha).priced("1", "2");
    let gateway = Gateway::start(Setup::new().provider(&alpha).model(&model));
    alpha.set(Behaviour::UsageMissing);
    let reply = gateway.client().post(COMPLETIONS, &streamed_chat("hello"));
    assert!(reply.is_done(), "{}", reply.text());
    let calls = gateway.wait_for_calls(1);
    let charge = &alpha.bill()[0];
    assert!(calls[0].estimated && calls[0].success, "{calls:?}");
    assert!(
        calls[0].output_tokens >= i64::try_from(charge.output_tokens).unwrap(),
        "{calls:?}"
    );
    assert!(calls[0].cost_nano_usd > 0);
    gateway.finish();
}
