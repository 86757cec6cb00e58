//! Ollama's chat against its `docs/openapi.yaml`.

use serde_json::{Value, json};

use super::client;
use super::scene::Spoken;
use super::shape::assert_shape;
use crate::support::{Content, Provider, SseEvent, UsageScript};

fn event(done: bool) -> Value {
    let call = json!({ "function": { "name": "text", "arguments": "object" } });
    let message = json!({ "role": "=assistant", "content": "text", "thinking?": "text", "tool_calls?": [call] });
    let mut template = json!({ "model": "text", "created_at": "text", "message": message, "done": "bool" });
    if done {
        template["done_reason"] = json!("=stop|=length");
        for count in [
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "prompt_eval_duration",
            "eval_count",
            "eval_duration",
        ] {
            template[count] = json!("count");
        }
    }
    template
}

/// The messages of a stream and its last line, after checking its grammar.
#[track_caller]
fn messages(events: &[SseEvent]) -> (Vec<Value>, Value) {
    let (last, before) = events.split_last().unwrap();
    let mut messages = Vec::new();
    for line in before {
        assert_shape(&line.data, &event(false));
        assert_eq!(line.data["done"], false);
        messages.push(line.data["message"].clone());
    }
    assert_shape(&last.data, &event(true));
    assert_eq!(
        (&last.data["done"], &last.data["message"]["content"]),
        (&json!(true), &json!(""))
    );
    (messages, last.data.clone())
}

#[test]
fn ollama_streams_by_default_and_answers_whole_when_told() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let whole = Spoken::Ollama.whole(&provider, "one two three");
    assert_shape(&whole, &event(true));
    assert_eq!(
        (&whole["done"], &whole["message"]["content"]),
        (&json!(true), &json!("alpha-1 alpha-2"))
    );
    assert_eq!(
        (&whole["prompt_eval_count"], &whole["eval_count"]),
        (&json!(3), &json!(2))
    );
    let (seen, last) = messages(&Spoken::Ollama.stream(&provider, "one two three"));
    let message = |text: &str| json!({ "role": "assistant", "content": text });
    assert_eq!(seen, [message("alpha-1 "), message("alpha-2")]);
    assert_eq!(
        (&last["prompt_eval_count"], &last["eval_count"], &last["done_reason"]),
        (&json!(3), &json!(2), &json!("stop"))
    );
    let mut asked = Spoken::Ollama.request("hello", true);
    asked["stream"] = json!(true);
    let reply = client(&provider).post("/api/chat", &asked);
    assert_eq!(messages(&Spoken::Ollama.events(&reply)).0.len(), 2);
}

#[test]
fn ollama_thinks_calls_whole_functions_and_knows_no_refusal() {
    let provider = Provider::start("alpha");
    provider.set_tokens(1);
    provider.say(Content::text().thinking());
    let whole = Spoken::Ollama.whole(&provider, "hello");
    assert_shape(&whole, &event(true));
    let thought = "alpha-thought-1 alpha-thought-2";
    assert_eq!(
        whole["message"],
        json!({ "role": "assistant", "content": "alpha-1", "thinking": thought })
    );
    let (seen, _) = messages(&Spoken::Ollama.stream(&provider, "hello"));
    assert_eq!(
        (&seen[0]["thinking"], &seen[1]["thinking"], &seen[2]["content"]),
        (&json!("alpha-thought-1 "), &json!("alpha-thought-2"), &json!("alpha-1"))
    );

    provider.say(Content::calls(&[("look", r#"{"at":"this"}"#), ("ask", "{}")]));
    let calls = json!([
        { "function": { "name": "look", "arguments": { "at": "this" } } },
        { "function": { "name": "ask", "arguments": {} } },
    ]);
    let whole = Spoken::Ollama.whole(&provider, "hello");
    assert_shape(&whole, &event(true));
    assert_eq!(
        (&whole["message"]["tool_calls"], &whole["done_reason"]),
        (&calls, &json!("stop"))
    );
    let (seen, last) = messages(&Spoken::Ollama.stream(&provider, "hello"));
    assert_eq!(json!([seen[0]["tool_calls"][0], seen[1]["tool_calls"][0]]), calls);
    assert_eq!((seen.len(), &last["eval_count"]), (2, &json!(5)));

    provider.say(Content::refusal());
    assert_eq!(
        Spoken::Ollama.whole(&provider, "hello")["message"]["content"],
        "alpha-1"
    );
    provider.say(Content::cut_text());
    assert_eq!(Spoken::Ollama.whole(&provider, "hello")["done_reason"], "length");
    assert_eq!(
        messages(&Spoken::Ollama.stream(&provider, "hello")).1["done_reason"],
        "length"
    );
}

#[test]
fn ollama_tells_everything_inside_its_two_counts() {
    let provider = Provider::start("alpha");
    provider.set_usage(UsageScript {
        cached: 1000,
        cache_write: 200,
        reasoning: 7,
        ..UsageScript::default()
    });
    let body = json!({
        "model": "m-1",
        "stream": false,
        "messages": [{ "role": "system", "content": "be brief" }, { "role": "user", "content": "hello" }],
    });
    let whole = client(&provider).post("/api/chat", &body).json();
    assert_eq!(
        (&whole["prompt_eval_count"], &whole["eval_count"]),
        (&json!(1203), &json!(12))
    );
    assert_eq!(provider.last_request().messages(), ["be brief", "hello"]);

    provider.say(Content::calls(&[("look", "{}")]));
    let mut looped = body;
    let result = json!({ "role": "tool", "tool_name": "look", "content": "seen" });
    looped["messages"].as_array_mut().unwrap().push(result);
    let answer = client(&provider).post("/api/chat", &looped).json();
    assert!(answer["message"]["tool_calls"].is_null() && answer["message"]["content"] != "");
}
