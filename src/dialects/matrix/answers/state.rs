//! What only its maker can read: from the provider to the client and, with the client's next request, back.

use gateway_actors::protocol::{Dialect, Model};
use serde_json::{Value, json};

use super::row::Row;
use super::run;
use super::sample::{STATE, THOUGHT, sample};
use crate::dialects::matrix::sides::{CLIENTS, PROVIDERS};
use crate::dialects::neutral::Feature;

/// The client's next request: what it got, whatever its tools said, and another question.
fn next_request(client: Dialect, answer: &Value) -> Value {
    let results = |calls: Vec<&Value>, result: &dyn Fn(&Value) -> Value| -> Vec<Value> {
        calls.into_iter().map(result).collect()
    };
    let of_kind = |items: &'static str, kind: &'static str| -> Vec<&Value> {
        let items = answer[items].as_array().into_iter().flatten();
        items.filter(|item| item["type"] == kind).collect()
    };
    match client {
        Dialect::OpenaiResponses => {
            let said = answer["output"].as_array().unwrap().clone();
            let answered = results(
                of_kind("output", "function_call"),
                &|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "done"}),
            );
            let first = vec![json!({"role": "user", "content": "hi"})];
            let input = [first, said, answered, vec![json!({"role": "user", "content": "and?"})]].concat();
            json!({"model": "m", "input": input})
        }
        Dialect::AnthropicMessages => {
            let mut next = results(
                of_kind("content", "tool_use"),
                &|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "done"}),
            );
            next.push(json!({"type": "text", "text": "and?"}));
            json!({"model": "m", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": [
                {"role": "user", "content": "hi"}, {"role": "assistant", "content": answer["content"]},
                {"role": "user", "content": next}]})
        }
        _ => {
            let said = &answer["choices"][0]["message"];
            let calls = said["tool_calls"].as_array().into_iter().flatten().collect();
            let answered = results(
                calls,
                &|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "done"}),
            );
            let first = vec![json!({"role": "user", "content": "hi"}), said.clone()];
            let messages = [first, answered, vec![json!({"role": "user", "content": "and?"})]].concat();
            json!({"model": "m", "messages": messages})
        }
    }
}

/// Where a text stands in a value, as pointers.
fn places(value: &Value, at: &str, text: &str, found: &mut Vec<String>) {
    match value {
        Value::String(there) if there.contains(text) => found.push(at.to_owned()),
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| places(value, &format!("{at}/{name}"), text, found)),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .for_each(|(place, value)| places(value, &format!("{at}/{place}"), text, found)),
        _ => {}
    }
}

/// What the provider is to get back as it was: a pointer to the whole of it, and its value.
fn sent_back(maker: Dialect, row: Row) -> (&'static str, Value) {
    match (maker, row) {
        (Dialect::OpenaiChat, Row::State) => (
            "/messages/1/reasoning_details/0",
            json!({"type": "reasoning.text", "text": THOUGHT, "signature": STATE, "format": "anthropic-claude-v1",
                "index": 0}),
        ),
        (Dialect::OpenaiChat, _) => (
            "/messages/1/reasoning_details/0",
            json!({"type": "reasoning.encrypted", "data": STATE, "id": "rs_1", "format": "openai-responses-v1",
                "index": 0}),
        ),
        (Dialect::OpenaiResponses, Row::State) => (
            "/input/1",
            json!({"type": "reasoning", "id": "rs_9", "summary": [{"type": "summary_text", "text": THOUGHT}],
                "encrypted_content": STATE}),
        ),
        (Dialect::OpenaiResponses, _) => (
            "/input/1",
            json!({"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": STATE}),
        ),
        (Dialect::AnthropicMessages, Row::State) => (
            "/messages/1/content/0",
            json!({"type": "thinking", "thinking": THOUGHT, "signature": STATE}),
        ),
        (Dialect::AnthropicMessages, _) => (
            "/messages/1/content/0",
            json!({"type": "redacted_thinking", "data": STATE}),
        ),
        (_, Row::State) => (
            "/contents/1/parts/1",
            json!({"text": "Hello, Zürich.", "thoughtSignature": STATE}),
        ),
        (_, _) => (
            "/contents/1/parts/1",
            json!({"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Zürich"}},
                "thoughtSignature": STATE}),
        ),
    }
}

#[test]
fn what_only_its_maker_can_read_comes_back_to_it_as_it_was_and_to_no_other() {
    for (client, maker, row) in CLIENTS
        .into_iter()
        .flat_map(|client| PROVIDERS.map(|maker| (client, maker)))
        .filter(|(client, maker)| client != maker)
        .flat_map(|(client, maker)| [(client, maker, Row::State), (client, maker, Row::Withheld)])
    {
        let Some(sample) = sample(maker, row) else { continue };
        let got = run::run(client, maker, &sample).unwrap();
        for answer in [&got.whole, &got.reassembled] {
            let request = next_request(client, answer);
            let about = format!("{maker:?} {row:?} by a client of {client:?}: {request}");
            let own = run::model(maker);
            let body = sent(client, &request, &own).0;
            let (pointer, expected) = sent_back(maker, row);
            assert_eq!(body.pointer(pointer), Some(&expected), "{about}\n{body}");
            let mut found = Vec::new();
            places(&body, "", STATE, &mut found);
            assert_eq!(found.len(), 1, "{about}\n{body}");
            for other in others(&own) {
                let (body, dropped) = sent(client, &request, &other);
                for text in [STATE, "gw1."] {
                    let mut found = Vec::new();
                    places(&body, "", text, &mut found);
                    assert_eq!(found, Vec::<String>::new(), "{about} to {other:?}\n{body}");
                }
                let lost = Feature::Opaque.name_in(client);
                assert!(
                    dropped.iter().any(|name| name == lost),
                    "{about} to {other:?}: {dropped:?}"
                );
            }
        }
    }
}

fn sent(client: Dialect, request: &Value, model: &Model) -> (Value, Vec<String>) {
    let sent = run::send(client, &request.to_string(), model);
    let dropped = sent.dropped.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&sent.body.to_bytes()).unwrap(), dropped)
}

/// Models that did not make it: another of the same provider, one of the same name at another, and one of every dialect.
fn others(maker: &Model) -> Vec<Model> {
    let mut others = vec![
        Model {
            api_model: format!("{}-other", maker.api_model).into(),
            ..maker.clone()
        },
        Model {
            provider: format!("{}-other", maker.provider.as_str()).as_str().into(),
            ..maker.clone()
        },
    ];
    let of_dialects = PROVIDERS.into_iter().filter(|dialect| *dialect != maker.dialect);
    others.extend(of_dialects.map(run::model));
    others
}
