//! The provider is an instrument: it must do what it is told before it may judge anything.

mod anthropic;
mod embeddings;
mod faults;
mod gemini;
mod ollama;
mod openai_chat;
mod openai_responses;
mod openai_responses_grammar;
mod scene;
mod shape;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Behaviour, Provider};
use crate::support::{Client, Reply, chat, streamed_chat, wait_for};

const PATH: &str = "/v1/chat/completions";
const SOON: Duration = Duration::from_secs(10);

fn client(provider: &Provider) -> Client {
    Client::unchecked(provider.base_url().trim_end_matches("/v1"))
}

fn ask(provider: &Provider, body: &Value) -> Reply {
    client(provider).post(PATH, body)
}

#[test]
fn it_answers_with_its_own_tag_and_usage_and_charges_for_it() {
    let provider = Provider::start("alpha");
    let reply = ask(&provider, &chat("one two three"));
    assert_eq!(reply.content(), "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8 });
    assert_eq!(reply.json()["usage"], usage);
    assert_eq!(provider.last_body(), reply.body);
    let bill = provider.bill();
    assert_eq!(bill.len(), 1);
    assert_eq!(bill[0].id, reply.json()["id"].as_str().unwrap());
    assert_eq!(
        (bill[0].input_tokens, bill[0].output_tokens, bill[0].whole),
        (3, 5, true)
    );
    assert_eq!(provider.last_request().messages(), ["one two three"]);
    assert_eq!(provider.last_request().path, PATH);
}

#[test]
fn it_streams_when_asked_and_tells_usage_only_when_asked() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let with_usage = ask(&provider, &streamed_chat("hello"));
    assert!(with_usage.is_done() && !with_usage.cut);
    assert_eq!(with_usage.content(), "alpha-1 alpha-2");
    assert!(with_usage.text().contains("\"completion_tokens\":2"));
    assert_eq!(provider.last_body(), with_usage.body);

    let mut body = streamed_chat("hello");
    body.as_object_mut().unwrap().remove("stream_options");
    let without = ask(&provider, &body);
    assert!(without.is_done());
    assert!(!without.text().contains("usage"));
}

#[test]
fn it_keeps_to_the_output_cap_of_the_request() {
    let provider = Provider::start("alpha");
    let mut body = chat("hello");
    body["max_tokens"] = json!(1);
    assert_eq!(ask(&provider, &body).content(), "alpha-1");
}

#[test]
fn a_stream_can_be_cut_after_some_events() {
    let provider = Provider::start("alpha");
    provider.set(Behaviour::DieAfterEvents(2));
    let reply = ask(&provider, &streamed_chat("hello"));
    assert!(reply.cut && !reply.is_done());
    assert_eq!(reply.content(), "alpha-1 alpha-2 ");
    let bill = provider.bill();
    assert_eq!((bill[0].output_tokens, bill[0].whole), (2, false));
}

#[test]
fn answers_that_are_no_answers_are_not_charged() {
    let provider = Provider::start("alpha");
    for behaviour in [Behaviour::BROKEN, Behaviour::HTML, Behaviour::ErrorFrameFirst] {
        provider.set(behaviour);
        ask(&provider, &streamed_chat("hello"));
    }
    for behaviour in [Behaviour::EmptyStream, Behaviour::CommentsOnly] {
        provider.set(behaviour);
        let reply = ask(&provider, &streamed_chat("hello"));
        assert!(reply.events().is_empty() && !reply.cut);
    }
    assert_eq!(provider.requests(), 5);
    assert!(provider.bill().is_empty());
}

#[test]
fn a_short_body_and_a_reset_are_seen_as_broken_and_are_charged() {
    let provider = Provider::start("alpha");
    provider.set(Behaviour::TruncatedBody);
    assert!(ask(&provider, &chat("hello")).cut);
    provider.set(Behaviour::ResetAfterRequest);
    assert!(client(&provider).try_post(PATH, &chat("hello")).is_err());
    assert_eq!(provider.bill().iter().filter(|charge| !charge.whole).count(), 2);
}

#[test]
fn ways_are_drawn_by_the_seed_as_often_as_their_weights_say() {
    let statuses = |seed: u64| -> Vec<u16> {
        let provider = Provider::start("alpha");
        provider.only_count_requests();
        let ways = [(3, Behaviour::Answer), (1, Behaviour::BROKEN), (0, Behaviour::HTML)];
        provider.set(Behaviour::Drawn(seed, ways.into()));
        let asked = (0..200).map(|_| ask(&provider, &chat("hello")).status).collect();
        assert_eq!((provider.requests(), provider.received().len()), (200, 0));
        asked
    };
    let first = statuses(1);
    assert_eq!(first, statuses(1));
    assert_ne!(first, statuses(2));
    let broken = first.iter().filter(|status| **status == 500).count();
    assert!((25..75).contains(&broken), "{broken} of 200");
}

#[test]
fn a_stall_lasts_until_the_caller_leaves() {
    let provider = Provider::start("alpha");
    for behaviour in [Behaviour::StallBeforeFirstEvent, Behaviour::StallMidStream] {
        provider.set(behaviour);
        let stream = client(&provider).open_stream(PATH, &streamed_chat("hello"));
        assert_eq!(provider.running(), 1);
        drop(stream);
        wait_for("the stall to end", SOON, || provider.running() == 0);
    }
}

#[test]
fn killed_it_refuses_connections_and_revived_it_answers_on_the_same_port() {
    let provider = Provider::start("alpha");
    assert_eq!(ask(&provider, &chat("before")).status, 200);
    provider.set(Behaviour::Slow(Duration::from_secs(60)));
    let mut stream = client(&provider).open_stream(PATH, &streamed_chat("during"));
    stream.next_event();
    provider.kill();
    assert!(stream.finish().cut);
    assert!(client(&provider).try_post(PATH, &chat("while dead")).is_err());
    assert_eq!(provider.running(), 0);
    provider.set(Behaviour::Answer);
    provider.revive();
    assert_eq!(ask(&provider, &chat("after")).status, 200);
}

#[test]
fn the_bill_is_in_the_file_before_the_answer_is_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bill.jsonl");
    let provider = Provider::start_with_bill("alpha", &path);
    provider.set(Behaviour::ResetAfterRequest);
    assert!(client(&provider).try_post(PATH, &chat("hello")).is_err());
    let lines = std::fs::read_to_string(&path).unwrap();
    let position: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(position["message"], "hello");
    assert_eq!(position["id"], provider.bill()[0].id);
}
