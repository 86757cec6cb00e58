use gateway_actors::protocol::{Capability, Dialect};
use serde_json::{Value, json};

use super::super::super::samples::model_of;
use super::super::write_request;
use crate::dialects::neutral::{Losses, Request};
use crate::dialects::{anthropic_messages, openai_responses};

const PROVIDERS: [&str; 5] = ["openai", "openrouter", "mistral", "deepseek", "vllm"];

fn written(request: &Request<'_>, provider: &str) -> Value {
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat);
    let body = write_request(request, &model_of(provider, &[Capability::Reasoning]), &mut losses).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    body["messages"].clone()
}

/// What is written of the items of a client of Responses.
fn of_items(items: &Value, provider: &str) -> Value {
    let body = json!({"model": "m", "input": items}).to_string();
    let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiChat);
    written(&openai_responses::read_request(&body, &mut losses).unwrap(), provider)
}

/// What is written of the messages of a client of Messages.
fn of_messages(messages: &Value, provider: &str) -> Value {
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages}).to_string();
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat);
    written(&anthropic_messages::read_request(&body, &mut losses).unwrap(), provider)
}

#[test]
fn a_models_text_that_was_cut_at_citations_is_the_same_text_again() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let cited = json!({"type": "text", "text": "blue", "citations": [{"type": "char_location", "cited_text": "blue",
        "document_index": 0, "document_title": "d", "start_char_index": 0, "end_char_index": 4}]});
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [text("The sky is "), cited, text(" "), text("today.")]},
        {"role": "user", "content": "b"},
    ]);
    let items = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "output_text", "text": "The sky is "}, {"type": "output_text", "text": "blue today."}]},
        {"role": "user", "content": "b"},
    ]);
    for provider in PROVIDERS {
        for written in [of_messages(&messages, provider), of_items(&items, provider)] {
            let said = json!({"role": "assistant", "content": "The sky is blue today."});
            assert_eq!(written[1], said, "{provider}");
        }
    }
}

#[test]
fn what_a_model_said_before_and_behind_something_else_are_two_paragraphs() {
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me "}, {"type": "text", "text": "see."},
            {"type": "tool_use", "id": "call_0001", "name": "f", "input": {}}, {"type": "text", "text": "One moment."}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0001", "content": "b"}]},
    ]);
    for provider in PROVIDERS {
        let written = of_messages(&messages, provider);
        assert_eq!(written[1]["content"], "Let me see.\n\nOne moment.", "{provider}");
    }
}

#[test]
fn two_messages_of_a_models_are_no_one_text() {
    let items = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}, {"type": "output_text", "text": "c"}]},
        {"role": "assistant", "content": "d"},
        {"type": "function_call", "call_id": "call_0001", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0001", "output": "e"},
    ]);
    let openai = of_items(&items, "openai");
    assert_eq!(
        (&openai[1]["content"], &openai[2]["content"]),
        (&json!("bc"), &json!("d"))
    );
    assert_eq!(openai[2]["tool_calls"][0]["id"], "call_0001");
    // Where users and models have to take turns they are paragraphs.
    let vllm = of_items(&items, "vllm");
    assert_eq!(vllm[1]["content"], "bc\n\nd");
    assert_eq!(vllm[1]["tool_calls"][0]["id"], "call_0001");
    assert_eq!(vllm[2]["role"], "tool");
}

#[test]
fn of_a_refusal_in_several_parts_none_is_lost() {
    let items = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Well."},
            {"type": "refusal", "refusal": "I will "}, {"type": "refusal", "refusal": "not."}]},
    ]);
    let openai = of_items(&items, "openai");
    assert_eq!(
        openai[1],
        json!({"role": "assistant", "content": "Well.", "refusal": "I will not."})
    );
    assert_eq!(of_items(&items, "vllm")[1]["content"], "Well.\n\nI will not.");
}
