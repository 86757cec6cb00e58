//! Notes in requests of every dialect: where they stand, and that nothing else changes.

use std::rc::Rc;

use gateway_actors::protocol::{
    AnswerForm, Capabilities, Dialect, Layer, MediaTokens, Model, ModelId, OutgoingRequest, ProviderName, Vendor,
};
use serde_json::{Value, json};

use super::*;
use crate::dialects::anthropic_messages::MessagesRequest;
use crate::dialects::openai_chat::{ChatCompletionsRequest, ConversationRequest};
use crate::dialects::openai_completions::CompletionsRequest;
use crate::dialects::openai_responses::ResponsesRequest;
use crate::fuzz::{damage, fuzz};

const NOTE: &str = "Others tried:\n\"4\"";
/// The note in JSON, without its quotes.
const WRITTEN: &str = r#"Others tried:\n\"4\""#;

fn model(dialect: Dialect) -> Model {
    Model {
        id: ModelId::from("id"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: "m".into(),
        dialect,
        layer: Layer::L2,
        capabilities: Capabilities::NONE,
        context_window: 100_000,
        max_output_tokens: 1_000,
        price: None,
        media: MediaTokens::default(),
    }
}

fn read(dialect: Dialect, body: &str) -> Rc<dyn OutgoingRequest> {
    let body = Bytes::from(body.to_owned());
    match dialect {
        Dialect::OpenaiChat => Rc::new(ChatCompletionsRequest::scan(body).unwrap()),
        Dialect::OpenaiResponses => Rc::new(ResponsesRequest::scan(body).unwrap()),
        _ => Rc::new(MessagesRequest::scan(body).unwrap()),
    }
}

fn written(request: &dyn OutgoingRequest, dialect: Dialect) -> String {
    let outgoing = request.write_for(&model(dialect), None).unwrap();
    assert!(matches!(outgoing.answer, AnswerForm::AsSent { .. }) && outgoing.dropped.is_empty());
    String::from_utf8(outgoing.body.to_bytes().to_vec()).unwrap()
}

/// What a model of the same dialect gets of a body with a note.
fn noted(dialect: Dialect, body: &str) -> Option<String> {
    let request = read(dialect, body);
    // The request itself stays without.
    let before = written(&*request, dialect);
    let noted = request.with_note(NOTE)?;
    assert_eq!(written(&*request, dialect), before);
    Some(written(&*noted, dialect))
}

#[test]
fn a_note_is_put_behind_the_instructions_and_all_else_stays_to_the_byte() {
    use Dialect::{AnthropicMessages, OpenaiChat, OpenaiResponses};
    for (dialect, body) in [
        (
            OpenaiChat,
            r#"{"model":"m", "x_mine" : [1.50,"\u00e9"],"messages":[ {"role":"system","content":"be brief~"} , {"role":"user","content":"hi"}]}"#,
        ),
        (
            OpenaiChat,
            r#"{"messages":[{"role":"system","content":"a"},{"content":[{"type":"text","text":"b"}^],"role":"developer"},{"role":"user","content":"hi"}],"model":"m"}"#,
        ),
        (
            OpenaiChat,
            r#"{"messages":[{"role":"system","content":[^]},{"role":"user","content":"hi"}],"model":"m"}"#,
        ),
        (
            OpenaiResponses,
            r#"{"model":"m","instructions":"be brief","input":[{"type":"message","role":"developer","content":"b~"},{"role":"user","content":"hi"}],"x_mine":{}}"#,
        ),
        (
            OpenaiResponses,
            r#"{"model":"m","input":[{"role":"developer","content":[{"type":"input_text","text":"b"}^]},{"role":"user","content":"hi"}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system" : "be brief~" ,"messages":[{"role":"user","content":"hi"}],"x_mine":null}"#,
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}} ^],"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system":[^],"messages":[{"role":"user","content":"hi"}]}"#,
        ),
    ] {
        let kind = if dialect == OpenaiResponses {
            "input_text"
        } else {
            "text"
        };
        let comma = if body.contains("[^") { "" } else { "," };
        let part = format!(r#"{comma}{{"type":"{kind}","text":"{WRITTEN}"}}"#);
        let wanted = body.replace('~', &format!(r"\n\n{WRITTEN}")).replace('^', &part);
        let body = body.replace(['~', '^'], "");
        assert_eq!(noted(dialect, &body), Some(wanted), "{body}");
    }
}

#[test]
fn where_there_are_no_instructions_the_note_is_the_first() {
    use Dialect::{AnthropicMessages, OpenaiChat, OpenaiResponses};
    let message = format!(r#""role":"system","content":"{WRITTEN}"}}"#);
    for (dialect, body, wanted) in [
        (
            OpenaiChat,
            r#"{"model":"m","messages":[ {"role":"user","content":"hi"}]}"#,
            format!(r#"{{"model":"m","messages":[ {{{message},{{"role":"user","content":"hi"}}]}}"#),
        ),
        (
            OpenaiResponses,
            r#"{"model":"m","input":"h\"i"}"#,
            format!(
                r#"{{"model":"m","input":[{{"type":"message",{message},{{"type":"message","role":"user","content":[{{"type":"input_text","text":"h\"i"}}]}}]}}"#
            ),
        ),
        (
            OpenaiResponses,
            r#"{"model":"m","input":[{"type":"reasoning","summary":[]},{"role":"system","content":"late"}]}"#,
            format!(
                r#"{{"model":"m","input":[{{"type":"message",{message},{{"type":"reasoning","summary":[]}},{{"role":"system","content":"late"}}]}}"#
            ),
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
            format!(
                r#"{{"model":"m","system":"{WRITTEN}","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#
            ),
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system":null,"messages":[{"role":"user","content":"hi"}]}"#,
            format!(
                r#"{{"model":"m","max_tokens":9,"system":"{WRITTEN}","messages":[{{"role":"user","content":"hi"}}]}}"#
            ),
        ),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system":"","messages":[{"role":"user","content":"hi"}]}"#,
            format!(
                r#"{{"model":"m","max_tokens":9,"system":"{WRITTEN}","messages":[{{"role":"user","content":"hi"}}]}}"#
            ),
        ),
    ] {
        assert_eq!(noted(dialect, body), Some(wanted), "{body}");
    }
}

#[test]
fn a_note_arrives_in_every_other_dialect_too() {
    use Dialect::{AnthropicMessages, Gemini, Ollama, OpenaiChat, OpenaiResponses};
    let said = json!([{"role": "user", "content": "hi"}]);
    for (client, body) in [
        (OpenaiChat, json!({"model": "auto", "messages": said, "max_tokens": 99})),
        (
            OpenaiResponses,
            json!({"model": "auto", "input": said, "instructions": "be brief"}),
        ),
        (
            AnthropicMessages,
            json!({"model": "auto", "messages": said, "max_tokens": 99, "system": "be brief"}),
        ),
    ] {
        for provider in [OpenaiChat, OpenaiResponses, AnthropicMessages, Gemini, Ollama] {
            let request = read(client, &body.to_string()).with_note(NOTE).unwrap();
            let outgoing = request.write_for(&model(provider), None).unwrap();
            let body = String::from_utf8(outgoing.body.to_bytes().to_vec()).unwrap();
            assert!(body.contains(WRITTEN), "{client:?} to {provider:?}: {body}");
            assert!(outgoing.dropped.is_empty(), "{:?}", outgoing.dropped);
        }
    }
}

#[test]
fn where_there_is_no_place_for_it_there_is_no_note() {
    use Dialect::{AnthropicMessages, OpenaiChat, OpenaiResponses};
    for (dialect, body) in [
        (
            OpenaiChat,
            r#"{"model":"m","messages":[{"role":"system","content":7},{"role":"user","content":"hi"}]}"#,
        ),
        (OpenaiResponses, r#"{"model":"m","previous_response_id":"resp_1"}"#),
        (OpenaiResponses, r#"{"model":"m","input":[]}"#),
        (
            AnthropicMessages,
            r#"{"model":"m","max_tokens":9,"system":{},"messages":[{"role":"user","content":"hi"}]}"#,
        ),
    ] {
        assert_eq!(noted(dialect, body), None, "{body}");
    }
    let body = Bytes::from_static(br#"{"model":"m","prompt":"Once upon"}"#);
    assert!(CompletionsRequest::scan(body).unwrap().with_note(NOTE).is_none());
}

#[test]
fn betas_and_the_answer_gone_on_from_stay_with_a_request() {
    let body = Bytes::from_static(br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#);
    let request = MessagesRequest::scan(body).unwrap().with_betas(Some("beta-1".into()));
    let outgoing = request.with_note(NOTE).unwrap();
    let outgoing = outgoing.write_for(&model(Dialect::AnthropicMessages), None).unwrap();
    assert_eq!(outgoing.headers, [("anthropic-beta", "beta-1".into())]);

    let body = Bytes::from_static(br#"{"model":"m","previous_response_id":"resp_1","input":"and now?"}"#);
    let request = ResponsesRequest::scan(body).unwrap();
    let request = request
        .with_history(r#"[{"role":"user","content":"hi"}]"#, Vec::new())
        .unwrap();
    let noted = request.with_note(NOTE).unwrap();
    let answer = noted.write_for(&model(Dialect::OpenaiChat), None).unwrap().answer;
    let AnswerForm::Translated(answer) = answer else {
        panic!("not translated")
    };
    let whole = Bytes::from_static(br#"{"id":"x","choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#);
    let whole: Value = serde_json::from_slice(&answer.whole(&whole).unwrap()).unwrap();
    assert_eq!(whole["previous_response_id"], "resp_1");
    assert!(
        !whole.to_string().contains("Others tried"),
        "an answer repeats no note: {whole}"
    );
}

#[test]
fn a_request_of_the_gateways_own_kind_has_the_note_in_its_system_text() {
    let request = |system: Option<&str>| ConversationRequest {
        system: system.map(Into::into),
        history: Vec::new(),
        message: "hi".into(),
        max_tokens: None,
        temperature: None,
    };
    for (system, wanted) in [
        (Some("be brief"), format!("be brief\n\n{NOTE}")),
        (Some(""), NOTE.to_owned()),
        (None, NOTE.to_owned()),
    ] {
        let noted = request(system).with_note(NOTE).unwrap();
        let body: Value = serde_json::from_str(&written(&*noted, Dialect::OpenaiChat)).unwrap();
        assert_eq!(body["messages"][0], json!({"role": "system", "content": wanted}));
        assert_eq!(body["messages"][1]["content"], "hi");
    }
}

#[test]
fn what_a_note_makes_of_any_body_is_json_with_one_text_more() {
    const BODY: &str = r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"b"}],"input":[{"role":"system",
        "content":"x"},{"role":"user","content":"hi"}],"messages":[{"role":"system","content":""},{"role":"user","content":"hi"}]}"#;
    fuzz("note", |rng| {
        let mut body = BODY.as_bytes().to_vec();
        damage(
            rng,
            &mut body,
            &["null", "[", "]", "{}", "\"", "\\", ",", "\"role\":\"system\","],
        );
        let body = Bytes::from(body);
        let after_model = BODY.find(",\"max").unwrap();
        for noted in [
            in_chat(&body, NOTE),
            in_responses(&body, NOTE),
            // Where the model stands is only known of a body that was not damaged before it.
            in_messages(&body, NOTE, after_model).filter(|_| body.starts_with(&BODY.as_bytes()[..after_model])),
        ] {
            let Some(noted) = noted else { continue };
            let whole = std::str::from_utf8(&noted).unwrap();
            serde_json::from_str::<&RawValue>(whole).unwrap_or_else(|error| panic!("{error}: {whole}"));
            assert_eq!(whole.matches(WRITTEN).count(), 1, "{whole}");
        }
    });
}
