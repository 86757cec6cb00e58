//! Requests of every client, written for every dialect with a budget and without.

use bytes::Bytes;
use gateway_actors::protocol::{
    BoundRules, Capability, Dialect, ErrorKind, Model, Outgoing, OutgoingRequest, TokenBound, Vendor,
};
use serde_json::Value;

use super::samples::model;
use crate::dialects::ClientRequest;
use crate::dialects::anthropic_messages::MessagesRequest;
use crate::dialects::openai_chat::{ChatCompletionsRequest, ConversationRequest};
use crate::dialects::openai_completions::CompletionsRequest;
use crate::dialects::openai_embeddings::EmbeddingsRequest;
use crate::dialects::openai_responses::ResponsesRequest;

const PROVIDERS: [Dialect; 5] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::Ollama,
];

fn of(dialect: Dialect) -> Model {
    let mut model = model(Vendor::Other, "api-model");
    model.dialect = dialect;
    model.capabilities = model.capabilities.with(Capability::Chat).with(Capability::Embeddings);
    model
}

fn rules() -> BoundRules {
    BoundRules::default()
}

fn text(outgoing: &Outgoing) -> String {
    String::from_utf8(outgoing.body.to_bytes().to_vec()).unwrap()
}

fn requests(extra: &str) -> [Box<dyn ClientRequest>; 4] {
    let body = |rest: &str| Bytes::from(format!(r#"{{"model":"a"{extra},{rest}}}"#));
    let messages = r#""messages":[{"role":"user","content":"h\u00e9"}]"#;
    let capped = body(&format!(r#""max_tokens":5000,{messages}"#));
    [
        Box::new(ChatCompletionsRequest::scan(body(messages)).unwrap()),
        Box::new(ResponsesRequest::scan(body(r#""input":"hi""#)).unwrap()),
        Box::new(MessagesRequest::scan(capped).unwrap()),
        Box::new(CompletionsRequest::scan(body(r#""prompt":"hi""#)).unwrap()),
    ]
}

/// The cap that is in a body of this dialect.
fn cap(body: &Value) -> &Value {
    [
        "/max_tokens",
        "/max_completion_tokens",
        "/max_output_tokens",
        "/generationConfig/maxOutputTokens",
        "/options/num_predict",
    ]
    .iter()
    .find_map(|place| body.pointer(place))
    .unwrap_or(&Value::Null)
}

#[test]
fn where_a_budget_pays_every_body_is_capped_and_bounded_in_every_dialect() {
    for stream in ["", r#","stream":true"#] {
        for request in requests(stream) {
            for dialect in PROVIDERS {
                let outgoing = request.write_for(&of(dialect), Some(&rules())).unwrap();
                let body: Value = serde_json::from_str(&text(&outgoing)).unwrap();
                assert_eq!(cap(&body), 1_000, "{request:?} {dialect:?}: {body}");
                assert_eq!(outgoing.bound.output, 1_000, "{request:?} {dialect:?}");
                assert!(outgoing.bound.input > 512, "{:?}", outgoing.bound);
            }
        }
    }
}

#[test]
fn without_a_budget_nothing_is_capped_and_the_bound_is_what_the_needs_say() {
    for request in requests("") {
        for dialect in PROVIDERS {
            let model = of(dialect);
            let outgoing = request.write_for(&model, None).unwrap();
            let expected = TokenBound::estimate(&request.needs(), outgoing.body.len(), &model);
            assert_eq!(outgoing.bound, expected, "{request:?} {dialect:?}");
        }
    }
    let [chat, ..] = requests(r#","x_new":1"#);
    let model = of(Dialect::OpenaiChat);
    let sent = r#"{"model":"api-model","x_new":1,"messages":[{"role":"user","content":"h\u00e9"}]}"#;
    assert_eq!(text(&chat.write_for(&model, None).unwrap()), sent);
    let error = chat.write_for(&model, Some(&rules())).unwrap_err();
    assert_eq!(
        (error.kind, error.param.as_deref()),
        (ErrorKind::CostUnbounded, Some("x_new"))
    );
    let rules = BoundRules {
        pass_fields: [Box::from("x_new")].into(),
    };
    let passed = text(&chat.write_for(&model, Some(&rules)).unwrap());
    assert_eq!(
        passed,
        sent.replacen('{', r#"{"max_tokens":1000,"#, 1),
        "all else to the byte"
    );
}

#[test]
fn a_cap_goes_in_beside_what_else_is_exchanged() {
    let signed = r#"{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"gw1.s.0000000000000007.x"}]}"#;
    let body = format!(
        r#"{{"max_tokens":7000,"messages":[{{"role":"user","content":"b"}},{signed}],"stream":true,"model":"a","n":2}}"#
    );
    let request = ChatCompletionsRequest::scan(body.into()).unwrap();
    let outgoing = request.write_for(&of(Dialect::OpenaiChat), Some(&rules())).unwrap();
    let body: Value = serde_json::from_str(&text(&outgoing)).unwrap();
    assert_eq!(
        (cap(&body), &body["model"]),
        (&Value::from(1_000), &Value::from("api-model"))
    );
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert!(body["messages"][1].get("reasoning_details").is_none());
    assert_eq!(outgoing.bound.output, 2_000);
    assert!(!outgoing.dropped.is_empty());
}

#[test]
fn a_count_of_tokens_costs_nothing_and_embeddings_have_no_output() {
    let body = r#"{"model":"a","messages":[{"role":"user","content":"b"}],"x_new":1}"#;
    let count = MessagesRequest::scan_for_count(Bytes::from(body)).unwrap();
    for dialect in PROVIDERS {
        let outgoing = count.write_for(&of(dialect), Some(&rules())).unwrap();
        assert_eq!(outgoing.bound, TokenBound::default());
        assert!(!text(&outgoing).contains("max"));
    }
    let body = r#"{"model":"a","input":["b","c"]}"#;
    let embeddings = EmbeddingsRequest::scan(Bytes::from(body)).unwrap();
    for dialect in [
        Dialect::OpenaiChat,
        Dialect::OpenaiResponses,
        Dialect::Gemini,
        Dialect::Ollama,
    ] {
        let outgoing = embeddings.write_for(&of(dialect), Some(&rules())).unwrap();
        assert_eq!(outgoing.bound.output, 0);
        assert!(outgoing.bound.input > outgoing.body.len() as u64);
        assert_eq!(
            text(&outgoing),
            text(&embeddings.write_for(&of(dialect), None).unwrap())
        );
    }
    let odd = EmbeddingsRequest::scan(Bytes::from(r#"{"model":"a","input":"b","x_new":1}"#)).unwrap();
    let error = odd.write_for(&of(Dialect::OpenaiChat), Some(&rules())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::CostUnbounded);
}

#[test]
fn the_gateways_own_requests_are_capped_too() {
    let mut request = ConversationRequest {
        system: None,
        history: Vec::new(),
        message: "hi".into(),
        max_tokens: None,
        temperature: None,
    };
    for asked in [None, Some(70), Some(7_000)] {
        request.max_tokens = asked;
        for dialect in PROVIDERS {
            let outgoing = request.write_for(&of(dialect), Some(&rules())).unwrap();
            let body: Value = serde_json::from_str(&text(&outgoing)).unwrap();
            let expected = asked.map_or(1_000, |asked| asked.min(1_000));
            assert_eq!(
                (cap(&body), outgoing.bound.output),
                (&Value::from(expected), u64::from(expected))
            );
        }
    }
}

#[test]
fn what_a_translation_carries_and_nobody_can_count_is_refused_by_the_clients_name() {
    let body = r#"{"model":"a","max_tokens":90,"messages":[{"role":"user","content":[{"type":"image","source":
        {"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}"#;
    let request = MessagesRequest::scan(Bytes::from(body)).unwrap();
    for dialect in PROVIDERS {
        let mut model = of(dialect);
        assert!(request.write_for(&model, None).is_ok());
        let error = request.write_for(&model, Some(&rules())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::CostUnbounded, "{dialect:?}");
        let expected = if dialect == Dialect::AnthropicMessages {
            "messages[0].content[0].source"
        } else {
            "messages.image"
        };
        assert_eq!(error.param.as_deref(), Some(expected));
        model.media.image = Some(100);
        let bound = request.write_for(&model, Some(&rules())).unwrap().bound;
        assert!((600..2_000).contains(&bound.input), "{dialect:?} {bound:?}");
    }
}
