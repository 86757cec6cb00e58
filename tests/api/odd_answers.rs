//! Section G of the faults: what a model says that does not fit where it has to go.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Client, Content, Gateway, Model, PostgresDatabase, Provider, Reply, Setup};

/// Arguments that a model has written badly.
const BROKEN: &str = r#"{"city": "Oslo", "#;
/// A letter that ends texts, one that turns their direction, and a command to a terminal.
const ODD: &str = "one\u{0}two\u{202e}three\u{1b}[31mfour";

fn tool(path: &str, stream: bool) -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let turn = json!([{ "role": "user", "content": "hello" }]);
    let mut body = match path {
        "/v1/responses" => json!({ "input": turn, "tools": [
            { "type": "function", "name": "weather", "parameters": schema, "strict": false }] }),
        "/v1/messages" => json!({ "messages": turn, "max_tokens": 1_000, "tools": [
            { "name": "weather", "input_schema": schema }] }),
        _ => json!({ "messages": turn, "tools": [
            { "type": "function", "function": { "name": "weather", "parameters": schema } }] }),
    };
    body["model"] = json!("auto");
    body["stream"] = json!(stream);
    body
}

/// The arguments of the tool call in an answer, in the pieces in which they came.
fn arguments(path: &str, reply: &Reply, stream: bool) -> Value {
    let place = match (path, stream) {
        ("/v1/responses", false) => "/output/0/arguments",
        ("/v1/messages", false) => "/content/0/input",
        (_, false) => "/choices/0/message/tool_calls/0/function/arguments",
        ("/v1/responses", true) => "/delta",
        ("/v1/messages", true) => "/delta/partial_json",
        (_, true) => "/choices/0/delta/tool_calls/0/function/arguments",
    };
    if !stream {
        let body = reply.json();
        return body.pointer(place).cloned().unwrap_or_else(|| panic!("{body}"));
    }
    let events = reply.events();
    let parsed = events
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let piece = |event: Value| event.pointer(place)?.as_str().map(str::to_owned);
    parsed.filter_map(piece).collect::<String>().into()
}

#[test]
fn g23_tool_arguments_that_are_no_json_reach_every_client_as_the_text_they_are() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(Setup::free_l0(&[&alpha]));
    alpha.say(Content::calls(&[("weather", BROKEN)]));
    for path in [COMPLETIONS, "/v1/responses", "/v1/messages"] {
        for stream in [false, true] {
            let reply = gateway.client().post(path, &tool(path, stream));
            assert_eq!((reply.status, reply.cut), (200, false), "{path}: {}", reply.text());
            // A whole message has nothing but objects for them, and marks them.
            let expected = match (path, stream) {
                ("/v1/messages", false) => json!({ "INVALID_JSON": BROKEN }),
                _ => json!(BROKEN),
            };
            assert_eq!(arguments(path, &reply, stream), expected, "{path}: {}", reply.text());
        }
    }
    alpha.say(Content::text());
    gateway.finish();
}

/// What goes back with the next request, to a provider that has nothing but objects for arguments.
#[test]
fn g23_tool_arguments_that_are_no_json_go_back_to_a_model_marked_as_such() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider_kind(&alpha, "anthropic", "")
        .model(&Model::free("alpha-small", &alpha));
    let gateway = Gateway::start(setup);
    let mut body = tool(COMPLETIONS, false);
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "weather", "arguments": BROKEN } });
    let turns = body["messages"].as_array_mut().unwrap();
    turns.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
    turns.push(json!({ "role": "tool", "tool_call_id": "c1", "content": "no such city" }));
    let reply = gateway.client().post(COMPLETIONS, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = alpha.last_request().json();
    assert_eq!(
        sent.pointer("/messages/1/content/0/input"),
        Some(&json!({ "INVALID_JSON": BROKEN })),
        "{sent}"
    );
    gateway.finish();
}

/// A turn of a conversation; what is answered, and what is stored of it.
#[track_caller]
fn turn(client: &Client) -> (String, String) {
    let reply = client.post("/v1/chat", &json!({ "message": "hello", "conversationId": "odd" }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = client.get("/v1/context/odd").json();
    let stored = &page["messages"].as_array().unwrap().last().unwrap()["content"];
    let told = &reply.json()["result"]["response"];
    [told, stored].map(|text| text.as_str().unwrap().to_owned()).into()
}

#[test]
fn g24_control_characters_of_an_answer_are_stored_without_nul_and_never_logged() {
    let database = PostgresDatabase::create();
    let setup = Setup::new().env("LOG_LEVEL", "debug");
    for setup in [setup.clone(), setup.env("DATABASE_URL", &database.url())] {
        let alpha = Provider::start("alpha");
        alpha.say(Content::saying(ODD));
        let setup = setup.env("CHAT_MODELS", "alpha-small").provider(&alpha);
        let gateway = Gateway::start(setup.model(&Model::free("alpha-small", &alpha)));
        let client = gateway.client();
        let plain = ODD.replace('\0', "");
        // What is stored goes to the model with the next turn.
        for _ in 0..2 {
            assert_eq!(turn(&client), (plain.clone(), plain.clone()));
        }
        let sent = alpha.last_request();
        assert!(sent.messages().contains(&plain), "{}", sent.text());
        // Clients that keep nothing here get what was said.
        for path in [COMPLETIONS, "/v1/responses", "/v1/messages"] {
            for stream in [false, true] {
                let reply = client.post(path, &tool(path, stream));
                assert_eq!((reply.status, reply.cut), (200, false), "{path}: {}", reply.text());
                let texts = said(&reply);
                assert!(texts.contains("three\u{1b}[31mfour"), "{path}: {}", reply.text());
            }
        }
        let log = gateway.log().join("");
        let odd: BTreeSet<char> = log
            .chars()
            .filter(|letter| letter.is_control() && *letter != '\t' || ('\u{202a}'..='\u{202e}').contains(letter))
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
        assert!(!log.contains("[31mfour"), "a model's words are logged");
        alpha.say(Content::text());
        gateway.finish();
    }
}

/// Every text in an answer, whole or streamed.
fn said(reply: &Reply) -> String {
    fn texts(value: &Value, all: &mut String) {
        match value {
            Value::String(text) => all.push_str(text),
            Value::Array(values) => values.iter().for_each(|value| texts(value, all)),
            Value::Object(members) => members.values().for_each(|value| texts(value, all)),
            _ => {}
        }
    }
    let mut all = String::new();
    if let Ok(body) = serde_json::from_slice(&reply.body) {
        texts(&body, &mut all);
    }
    for event in reply.events() {
        if let Ok(event) = serde_json::from_str(&event) {
            texts(&event, &mut all);
        }
    }
    all
}

#[test]
fn after_an_answer_with_nothing_in_it_the_next_model_of_the_layer_is_asked_where_words_are_wanted() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]));
    let client = gateway.client();
    for said in ["", " \n"] {
        alpha.say(Content::saying(said));
        beta.say(Content::saying("something"));
        for path in ["/v1/route", "/v1/chat"] {
            let answer = client.post(path, &json!({ "message": "hello" })).json();
            assert_eq!(answer["result"]["response"], "something", "{path} {said:?}: {answer}");
        }
        // To a dialect's own clients it is an answer.
        let body = json!({ "model": "auto", "messages": [{ "role": "user", "content": "hello" }] });
        let answer = client.post(COMPLETIONS, &body).json();
        assert_eq!(answer["choices"][0]["message"]["content"], said, "{answer}");
        // Where nobody else is left, there is none.
        beta.say(Content::saying(said));
        let reply = client.post("/v1/route", &json!({ "message": "hello" }));
        assert_eq!(reply.error(502)["type"], "upstream_empty", "{said:?}");
    }
    for provider in [&alpha, &beta] {
        provider.say(Content::text());
    }
    gateway.finish();
}
