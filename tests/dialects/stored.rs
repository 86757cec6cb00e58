//! Answers that are kept: `previous_response_id`, and what is read of them and deleted.

use serde_json::{Value, json};

use crate::scene::{Kind, setup, start};
use crate::support::{Client, Gateway, Provider, Reply};
use crate::tongue::{Tongue, list};

const RESPONSES: &str = "/v1/responses";

fn ask(client: &Client, model: &str, input: &str, previous: Option<&str>, stream: bool) -> Reply {
    let mut body = json!({ "model": model, "input": input, "stream": stream });
    if let Some(previous) = previous {
        body["previous_response_id"] = json!(previous);
    }
    client.post(RESPONSES, &body)
}

/// The id of an answer, whole or streamed.
#[track_caller]
fn id(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    Tongue::Responses.heard(reply);
    let stream = reply.header("content-type").unwrap().starts_with("text/event-stream");
    let body = if stream {
        reply.sse().pop().unwrap().data["response"].clone()
    } else {
        reply.json()
    };
    body["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_unknown(client: &Client, previous: &str) {
    let reply = ask(client, "one", "go on", Some(previous), false);
    let error = reply.error(400);
    assert_eq!(error["code"], "previous_response_not_found", "{error}");
    assert_eq!(error["param"], "previous_response_id", "{error}");
}

#[test]
fn a_conversation_goes_on_at_another_provider_whole_and_streamed() {
    for (first, second) in [
        (Kind::Gemini, Kind::Chat),
        (Kind::Responses, Kind::Anthropic),
        (Kind::Ollama, Kind::Responses),
    ] {
        for stream in [false, true] {
            println!("{first:?} and then {second:?}, stream: {stream}");
            let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
            let gateway = start(&[(&alpha, first), (&beta, second)]);
            let client = gateway.client();
            let one = id(&ask(&client, "one", "first words", None, stream));
            let two = id(&ask(&client, "two", "second words", Some(&one), stream));
            assert_ne!(one, two);
            let said = beta.last_request().messages();
            let expected = ["first words", "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5", "second words"];
            assert_eq!(said, expected);
            let sent = beta.last_request().json();
            assert_eq!(sent.get("previous_response_id").filter(|id| !id.is_null()), None);

            id(&ask(&client, "one", "third words", Some(&two), stream));
            let said = alpha.last_request().messages();
            assert_eq!(said.len(), 5, "{said:?}");
            assert_eq!(said[3], "beta-1 beta-2 beta-3 beta-4 beta-5");
            // An answer may be gone on from more than once.
            id(&ask(&client, "one", "other words", Some(&one), stream));
            assert_eq!(alpha.last_request().messages()[1..], [expected[1], "other words"]);
            gateway.finish();
        }
    }
}

#[test]
fn an_answer_names_the_one_that_it_goes_on_from_whoever_gave_it() {
    for kind in [Kind::Responses, Kind::Anthropic] {
        for stream in [false, true] {
            println!("{kind:?}, stream: {stream}");
            let alpha = Provider::start("alpha");
            let gateway = start(&[(&alpha, kind)]);
            let client = gateway.client();
            let one = id(&ask(&client, "one", "first words", None, stream));
            let reply = ask(&client, "one", "second words", Some(&one), stream);
            let two = id(&reply);
            let told: Vec<Value> = if stream {
                let responses = reply.sse().into_iter().map(|event| event.data["response"].clone());
                responses.filter(Value::is_object).collect()
            } else {
                vec![reply.json()]
            };
            assert!(told.len() > usize::from(stream), "{told:?}");
            let kept = client.get(&format!("{RESPONSES}/{two}")).json();
            for response in told.iter().chain([&kept]) {
                assert_eq!(response["previous_response_id"], one.as_str(), "{response}");
            }
            gateway.finish();
        }
    }
}

#[test]
fn an_answer_can_be_read_again_with_its_input_until_it_is_deleted() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Anthropic)]);
    let client = gateway.client();
    let first = ask(&client, "one", "first words", None, false);
    let one = id(&first);
    let two = id(&ask(&client, "one", "second words", Some(&one), true));

    let path = format!("{RESPONSES}/{one}");
    let again = client.get(&path);
    assert_eq!((again.status, again.text()), (200, first.text()));
    // Its events are not kept.
    assert_eq!(client.get(&format!("{path}?stream=true")).error(400)["param"], "stream");
    let again = client.get(&format!("{path}?stream=false&include=x"));
    assert_eq!((again.status, again.text()), (200, first.text()));

    let items = client.get(&format!("{RESPONSES}/{two}/input_items")).json();
    assert_eq!((&items["object"], &items["has_more"]), (&json!("list"), &json!(false)));
    assert_eq!(texts(&items), ["second words"]);
    assert_eq!(
        (&items["first_id"], &items["last_id"]),
        (&items["data"][0]["id"], &items["data"][0]["id"])
    );

    let deleted = client.request("DELETE", &path);
    assert_eq!(
        deleted.json(),
        json!({ "id": one, "object": "response", "deleted": true })
    );
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("GET", format!("{path}/input_items")),
    ] {
        let error = client.request(method, &path).error(404);
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
    }
    assert_unknown(&client, &one);
    // What went on from it has lost its beginning.
    assert_unknown(&client, &two);
    gateway.finish();
}

/// The texts of items of input.
fn texts(items: &Value) -> Vec<&str> {
    let items = list(&items["data"]).iter();
    items.map(|item| item["content"][0]["text"].as_str().unwrap()).collect()
}

#[test]
fn input_items_come_in_pages_either_way() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Chat)]);
    let client = gateway.client();
    let turn = |text: &str| json!({ "role": "user", "content": [{ "type": "input_text", "text": text }] });
    let body = json!({ "model": "one", "input": [turn("a"), turn("b"), turn("c")] });
    let path = format!("{RESPONSES}/{}/input_items", id(&client.post(RESPONSES, &body)));
    let page = |query: &str| client.get(&format!("{path}{query}")).json();
    assert_eq!(texts(&page("")), ["c", "b", "a"]);
    let first = page("?order=asc&limit=2");
    assert_eq!((texts(&first), &first["has_more"]), (vec!["a", "b"], &json!(true)));
    let after = first["last_id"].as_str().unwrap();
    let rest = page(&format!("?order=asc&after={after}"));
    assert_eq!((texts(&rest), &rest["has_more"]), (vec!["c"], &json!(false)));
    for query in ["?order=up", "?limit=0", "?after=nobody"] {
        client.get(&format!("{path}{query}")).error(400);
    }
    gateway.finish();
}

#[test]
fn what_is_not_to_be_kept_is_not_and_an_unknown_answer_is_named_as_such() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Gemini)]);
    let client = gateway.client();
    for stream in [false, true] {
        let body = json!({ "model": "one", "input": "secret words", "store": false, "stream": stream });
        let reply = client.post(RESPONSES, &body);
        let id = id(&reply);
        client.get(&format!("{RESPONSES}/{id}")).error(404);
        assert_unknown(&client, &id);
    }
    let asked = alpha.requests();
    assert_unknown(&client, "resp_unknown");
    assert_eq!(alpha.requests(), asked);
    gateway.finish();
}

#[test]
fn a_gateway_that_keeps_no_answers_says_so() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&[(&alpha, Kind::Chat)]).toml("[responses]\nstore = false"));
    let client = gateway.client();
    let reply = ask(&client, "one", "words", None, false);
    assert_eq!(reply.json()["store"], false);
    let error = ask(&client, "one", "go on", Some(&id(&reply)), false).error(400);
    assert_eq!(error["param"], "previous_response_id", "{error}");
    gateway.finish();
}

#[test]
fn kept_answers_outlive_the_process() {
    let alpha = Provider::start("alpha");
    let mut gateway = start(&[(&alpha, Kind::Gemini)]);
    let first = ask(&gateway.client(), "one", "first words", None, true);
    let one = id(&first);
    let kept = gateway.client().get(&format!("{RESPONSES}/{one}"));
    gateway.kill_9();
    gateway.restart();
    let client = gateway.client();
    assert_eq!(client.get(&format!("{RESPONSES}/{one}")).text(), kept.text());
    id(&ask(&client, "one", "second words", Some(&one), false));
    let said = alpha.last_request().messages();
    assert_eq!(
        said,
        ["first words", "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5", "second words"]
    );
    gateway.finish();
}
