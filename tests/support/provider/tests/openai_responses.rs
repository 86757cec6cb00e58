//! OpenAI Responses against their grammar.

use serde_json::{Value, json};

use super::client;
use super::openai_responses_grammar::{assert_response, ended};
use super::scene::Spoken;
use crate::support::{Content, Provider, SseEvent, UsageScript};

#[test]
fn responses_have_the_whole_grammar_of_a_text() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let events = Spoken::Responses.stream(&provider, "one two three");
    let kinds: Vec<&str> = events.iter().map(SseEvent::kind).collect();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds, expected);
    let response = ended(&events);
    let usage = json!({
        "input_tokens": 3,
        "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": 2,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": 5,
    });
    assert_eq!(response["usage"], usage);
    let whole = Spoken::Responses.whole(&provider, "one two three");
    assert_response(&whole, "completed");
    assert_eq!(whole["output"][0]["content"][0]["text"], "alpha-1 alpha-2");
    assert_eq!(whole["usage"], usage);
}

#[test]
fn responses_think_call_refuse_and_are_cut_off() {
    let provider = Provider::start("alpha");
    provider.set_tokens(2);
    let calls = Content::calls(&[("look", r#"{"at":"this"}"#), ("ask", "{}")]);
    for (content, items, status) in [
        (Content::text().thinking(), vec!["reasoning", "message"], "completed"),
        (calls.clone(), vec!["function_call", "function_call"], "completed"),
        (
            calls.thinking().after_text(),
            vec!["reasoning", "message", "function_call", "function_call"],
            "completed",
        ),
        (Content::refusal(), vec!["message"], "completed"),
        (Content::cut_text(), vec!["message"], "incomplete"),
    ] {
        provider.say(content);
        let whole = Spoken::Responses.whole(&provider, "hello");
        assert_response(&whole, status);
        let streamed = ended(&Spoken::Responses.stream(&provider, "hello"));
        assert_eq!(streamed["status"], status);
        for body in [&whole, &streamed] {
            let output = body["output"].as_array().unwrap();
            let kinds: Vec<&str> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
            assert_eq!(kinds, items);
            for item in output {
                match item["type"].as_str().unwrap() {
                    "reasoning" => {
                        assert_eq!(item["summary"][0]["text"], "alpha-thought-1 alpha-thought-2");
                        assert_eq!(item["encrypted_content"], provider.sealed());
                    }
                    "function_call" if item["name"] == "look" => assert_eq!(item["arguments"], r#"{"at":"this"}"#),
                    "message" => assert_eq!(item["status"], status),
                    _ => {}
                }
            }
        }
        let has_refusal = whole["output"][0]["content"][0]["refusal"] == "alpha-refusal-1 alpha-refusal-2";
        assert_eq!(has_refusal, whole.to_string().contains("refusal"));
    }
}

#[test]
fn responses_repeat_the_request_read_every_input_and_count_it() {
    let provider = Provider::start("alpha");
    provider.say(Content::calls(&[("look", "{}")]));
    provider.set_usage(UsageScript {
        cached: 100,
        cache_write: 20,
        cache_write_1h: 1,
        reasoning: 9,
        ..UsageScript::default()
    });
    let tool = json!({ "type": "function", "name": "look", "parameters": {}, "strict": true });
    let body = json!({
        "model": "m-1",
        "instructions": "be brief",
        "tools": [tool],
        "store": false,
        "input": [
            { "role": "user", "content": "one two" },
            { "role": "user", "content": [
                { "type": "input_text", "text": "three" },
                { "type": "input_image", "image_url": "data:," },
                { "type": "input_text", "text": "four" },
            ] },
            { "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_1", "output": "five six" },
        ],
    });
    let answer = client(&provider).post("/v1/responses", &body).json();
    let expected = ["be brief", "one two", "three\nfour", "", "five six"];
    assert_eq!(provider.last_request().messages(), expected);
    // The results of tools are there: the answer is text.
    assert_eq!(
        answer["output"][0]["content"][0]["text"],
        "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5"
    );
    assert_eq!(
        (&answer["instructions"], &answer["tools"][0]["name"], &answer["store"]),
        (&json!("be brief"), &json!("look"), &json!(false))
    );
    let usage = json!({
        "input_tokens": 8 + 121,
        "input_tokens_details": { "cached_tokens": 100, "cache_write_tokens": 21 },
        "output_tokens": 14,
        "output_tokens_details": { "reasoning_tokens": 9 },
        "total_tokens": 8 + 121 + 14,
    });
    assert_eq!(answer["usage"], usage);
    let count = client(&provider).post("/v1/responses/input_tokens", &body).json();
    assert_eq!(count, json!({ "object": "response.input_tokens", "input_tokens": 129 }));
    assert_eq!((provider.bill().len(), provider.requests()), (1, 2));
}
