//! What single vendors refuse, though the dialect has it.

use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use super::super::samples::model_of;
use super::*;
use crate::dialects::anthropic_messages;
use crate::dialects::openai_responses;

/// What is written for a provider of a request in Messages with these members, and what was left out.
fn messages(members: &Value, provider: &str) -> Result<(Value, Vec<String>), GatewayError> {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let body = body.to_string();
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat);
    let request = anthropic_messages::read_request(&body, &mut losses)?;
    written(&request, provider, losses)
}

fn written(request: &Request<'_>, provider: &str, mut losses: Losses) -> Result<(Value, Vec<String>), GatewayError> {
    let body = write_request(request, &model_of(provider, &[]), &mut losses)?;
    let dropped = losses.into_dropped().into_iter().map(|name| name.into_owned());
    Ok((serde_json::from_slice(&body).unwrap(), dropped.collect()))
}

fn refused(members: &Value, provider: &str) -> String {
    messages(members, provider).unwrap_err().param.unwrap().into_owned()
}

/// As Claude Code names its users.
const LONG_USER: &str = concat!(
    "user_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef_account_00000000-0000-4000-8000-000000000000",
    "_session_00000000-0000-4000-8000-000000000000"
);

#[test]
fn an_end_users_name_that_is_too_long_goes_as_its_digest_and_is_the_same_each_time() {
    for provider in ["openai", "openrouter", "groq", "deepseek", "vllm"] {
        let of = |user: &str| messages(&json!({"metadata": {"user_id": user}}), provider).unwrap();
        let (body, dropped) = of(LONG_USER);
        let user = body["user"].as_str().unwrap();
        assert_eq!(user.len(), 64, "{provider}");
        assert!(dropped.is_empty(), "{provider} {dropped:?}");
        assert_eq!(of(LONG_USER).0["user"], user);
        assert_ne!(of(&LONG_USER.replace('1', "2")).0["user"], user);
        assert_eq!(of(&LONG_USER[..64]).0["user"], LONG_USER[..64]);
    }
}

#[test]
fn keys_of_clients_of_responses_fit_too() {
    let body = json!({"model": "m", "input": "hi", "prompt_cache_key": LONG_USER, "safety_identifier": LONG_USER});
    let body = body.to_string();
    let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiChat);
    let request = openai_responses::read_request(&body, &mut losses).unwrap();
    let (body, dropped) = written(&request, "openai", losses).unwrap();
    assert_eq!(body["prompt_cache_key"].as_str().map(str::len), Some(64));
    assert_eq!(body["user"], body["prompt_cache_key"]);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_schema_that_a_vendor_does_not_keep_to_for_certain_goes_without_that_and_it_is_told() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false});
    let mut open = closed.clone();
    open["required"] = json!([]);
    let asked = |schema: &Value| {
        json!({"output_config": {"format": {"type": "json_schema", "schema": schema}},
            "tools": [{"name": "look", "strict": true, "input_schema": schema}]})
    };
    let strict = |schema: &Value, provider: &str| {
        let (body, dropped) = messages(&asked(schema), provider).unwrap();
        assert_eq!(body["response_format"]["json_schema"]["schema"], *schema);
        assert_eq!(body["tools"][0]["function"]["parameters"], *schema);
        let of_format = body["response_format"]["json_schema"]["strict"].as_bool();
        (of_format, body["tools"][0]["function"]["strict"].as_bool(), dropped)
    };
    let (yes, no) = (Some(true), Some(false));
    for provider in ["openai", "openrouter", "groq", "xai"] {
        assert_eq!(strict(&closed, provider), (yes, yes, vec![]), "{provider}");
        let told = vec!["tools.strict".to_owned(), "output_config.format".to_owned()];
        assert_eq!(strict(&open, provider), (no, no, told), "{provider}");
    }
    assert_eq!(strict(&open, "vllm"), (yes, yes, vec![]));
}

#[test]
fn a_strict_function_of_no_arguments_has_a_schema_that_may_be_strict() {
    let body = json!({"model": "m", "input": "hi", "tools": [{"type": "function", "name": "clock", "strict": true}]});
    let body = body.to_string();
    let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiChat);
    let request = openai_responses::read_request(&body, &mut losses).unwrap();
    let (body, _) = written(&request, "openai", losses).unwrap();
    let function = &body["tools"][0]["function"];
    assert_eq!(function["strict"], true);
    assert_eq!(function["parameters"]["additionalProperties"], false);
}

#[test]
fn who_has_no_schemas_for_answers_refuses_them() {
    let asked = json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}});
    assert_eq!(refused(&asked, "deepseek"), "output_config.format");
    assert!(messages(&asked, "mistral").is_ok());
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}}"#;
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::OpenaiChat);
    let request = super::super::read_request::read_request(body, &mut losses).unwrap();
    let (body, _) = written(&request, "deepseek", losses).unwrap();
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
}

#[test]
fn a_document_goes_in_the_vendors_form_or_is_refused_where_there_is_none() {
    let with = |source: Value| {
        json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What?"}, {"type": "document", "title": "a.pdf", "source": source}]}]})
    };
    let pdf = with(json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"}));
    let elsewhere = with(json!({"type": "url", "url": "https://example.com/a.pdf"}));
    let bytes = "data:application/pdf;base64,JVBE";
    for provider in ["openai", "openrouter", "vllm"] {
        let (body, _) = messages(&pdf, provider).unwrap();
        let part = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": bytes}});
        assert_eq!(body["messages"][0]["content"][1], part, "{provider}");
    }
    for (asked, address) in [(&pdf, bytes), (&elsewhere, "https://example.com/a.pdf")] {
        let (body, _) = messages(asked, "mistral").unwrap();
        let part = json!({"type": "document_url", "document_url": address, "document_name": "a.pdf"});
        assert_eq!(body["messages"][0]["content"][1], part);
    }
    for provider in ["deepseek", "groq", "cerebras", "cohere", "xai"] {
        assert_eq!(refused(&pdf, provider), "messages.document", "{provider}");
    }
    assert_eq!(refused(&elsewhere, "openai"), "messages.document");
}

#[test]
fn a_document_that_is_text_is_told_as_text_in_results_of_tools_too() {
    let text = json!({"type": "base64", "media_type": "text/markdown", "data": "SGVsbG8="});
    let document = json!({"type": "document", "source": text});
    let asked = json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": "What?"}, document]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0001", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0001", "content": [
            {"type": "text", "text": "See:"}, document]}]}]});
    for provider in ["openai", "mistral", "deepseek", "groq"] {
        let (body, dropped) = messages(&asked, provider).unwrap();
        let said = &body["messages"][0]["content"];
        let is_told = said == "What?\n\nHello" || said[1] == json!({"type": "text", "text": "Hello"});
        assert!(is_told, "{provider} {said}");
        assert_eq!(body["messages"][2]["content"], "See:\n\nHello", "{provider}");
        assert_eq!(body["messages"].as_array().unwrap().len(), 3, "{provider}");
        assert!(dropped.is_empty(), "{provider} {dropped:?}");
    }
}

#[test]
fn what_mistral_is_to_go_on_with_is_marked() {
    let asked = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Once"}]});
    let (body, _) = messages(&asked, "mistral").unwrap();
    let last = json!({"role": "assistant", "content": "Once", "prefix": true});
    assert_eq!(body["messages"][1], last);
    assert_eq!(
        messages(&asked, "openai").unwrap().0["messages"][1]["prefix"],
        Value::Null
    );
    let goes_on = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Once"},
        {"role": "user", "content": "And?"}]});
    let (body, _) = messages(&goes_on, "mistral").unwrap();
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "Once"}));
}

#[test]
fn between_a_tool_and_a_user_the_model_has_a_word_where_mistral_wants_one() {
    let asked = json!({"messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0001", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0001", "content": "b"},
            {"type": "text", "text": "So?"}]}]});
    let roles = |provider: &str| {
        let (body, _) = messages(&asked, provider).unwrap();
        let roles = body["messages"].as_array().unwrap().iter();
        roles
            .map(|message| message["role"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(roles("mistral"), ["user", "assistant", "tool", "assistant", "user"]);
    assert_eq!(roles("openai"), ["user", "assistant", "tool", "user"]);
}
