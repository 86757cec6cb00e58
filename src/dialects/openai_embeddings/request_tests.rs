use serde_json::{Value, json};

use super::*;
use crate::dialects::openai_chat::samples::model_of;

fn model(dialect: Dialect) -> Model {
    Model {
        dialect,
        ..model_of("alpha", &[Capability::Embeddings])
    }
}

fn read(body: &str) -> EmbeddingsRequest {
    EmbeddingsRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: &str) -> String {
    let error = EmbeddingsRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
    error.param.unwrap_or_default().into_owned()
}

fn answered(outgoing: &Outgoing, body: &'static str) -> Value {
    let AnswerForm::Translated(translation) = &outgoing.answer else {
        panic!()
    };
    let out = translation.whole(&Bytes::from_static(body.as_bytes())).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_provider_of_openais_gets_what_the_client_sent_to_the_byte() {
    for input in [r#""a""#, r#"["a","b"]"#, "[1, 2]", "[[1],[2]]"] {
        let body = format!("{{\"input\" : {input} , \"x\":1.50,\"model\":\"auto\",\"encoding_format\":\"base64\"}} ");
        let request = read(&body);
        let outgoing = request.write_for(&model(Dialect::OpenaiChat), None).unwrap();
        assert_eq!(outgoing.body.to_bytes(), body.replace("\"auto\"", "\"the-model\""));
        assert!(outgoing.dropped.is_empty());
        let answer = answered(&outgoing, r#"{"data":[{"embedding":[1]}]}"#);
        assert_eq!(
            answer["data"][0]["embedding"], "AACAPw==",
            "a provider that does not know the encoding"
        );
    }
    assert_eq!(read(r#"{"model":"m","input":"a"}"#).encoding(), Encoding::Float);
}

#[test]
fn gemini_is_asked_for_no_more_texts_than_it_takes_at_once() {
    let asked = |texts: usize| read(&json!({"model": "m", "input": vec!["a"; texts]}).to_string());
    assert!(asked(100).write_for(&model(Dialect::Gemini), None).is_ok());
    let refused = asked(101).write_for(&model(Dialect::Gemini), None).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("input"));
    for dialect in [Dialect::Ollama, Dialect::OpenaiChat] {
        assert!(asked(101).write_for(&model(dialect), None).is_ok());
    }
}

#[test]
fn gemini_and_ollama_are_asked_in_their_own_ways() {
    let request = read(r#"{"model":"m","input":["a","b"],"dimensions":2,"user":"u","x_mine":1}"#);
    let gemini = request.write_for(&model(Dialect::Gemini), None).unwrap();
    let body: Value = serde_json::from_slice(&gemini.body.to_bytes()).unwrap();
    assert_eq!(body["requests"][1]["content"]["parts"][0]["text"], "b");
    assert_eq!(gemini.dropped, ["user", "x_mine"]);
    let answer = answered(&gemini, r#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#);
    assert_eq!(
        (&answer["data"][1]["embedding"], &answer["model"]),
        (&json!([2]), &json!("the-model"))
    );
    let ollama = request.write_for(&model(Dialect::Ollama), None).unwrap();
    let body: Value = serde_json::from_slice(&ollama.body.to_bytes()).unwrap();
    assert_eq!((&body["input"], &body["dimensions"]), (&json!(["a", "b"]), &json!(2)));
    let answer = answered(
        &ollama,
        r#"{"model":"m:1","embeddings":[[1],[2]],"prompt_eval_count":3}"#,
    );
    assert_eq!(
        (&answer["usage"]["total_tokens"], &answer["model"]),
        (&json!(3), &json!("m:1"))
    );
    let AnswerForm::Translated(translation) = &ollama.answer else {
        panic!()
    };
    assert!(translation.stream().end().is_err());
}

#[test]
fn tokens_go_to_providers_of_openais_alone() {
    for input in ["[1,2]", "[[1],[2]]", r#"["a",[1]]"#] {
        let request = read(&format!(r#"{{"model":"m","input":{input}}}"#));
        assert!(request.write_for(&model(Dialect::OpenaiResponses), None).is_ok());
        let error = request.write_for(&model(Dialect::Ollama), None).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("input"));
        let error = request.write_for(&model(Dialect::AnthropicMessages), None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotSupported);
    }
}

#[test]
fn what_is_needed_is_a_model_that_embeds_and_room_for_the_longest_text() {
    let needs = read(r#"{"model":"m","input":["0123456789abcdef","b"]}"#).needs();
    assert_eq!(needs.capabilities, Capabilities::NONE.with(Capability::Embeddings));
    assert_eq!((needs.input_estimate, needs.max_output, needs.answers), (2, Some(0), 1));
    assert_eq!(needs.output_bound(4096), 0);
    assert!(needs.input_bound > 16);
    let request = read(r#"{"model":"m","input":"a"}"#);
    assert_eq!((request.operation(), request.is_stream()), (Operation::Embed, false));
}

#[test]
fn what_is_wrong_is_named() {
    let many = format!("[{}]", vec!["\"a\""; MOST_TEXTS + 1].join(","));
    for (body, param) in [
        (r#"{"input":"a"}"#.to_owned(), "model"),
        (r#"{"model":"","input":"a"}"#.to_owned(), "model"),
        (r#"{"model":5,"input":"a"}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "input"),
        (r#"{"model":"m","input":null}"#.to_owned(), "input"),
        (r#"{"model":"m","input":[]}"#.to_owned(), "input"),
        (r#"{"model":"m","input":["a",1]}"#.to_owned(), "input"),
        (r#"{"model":"m","input":7}"#.to_owned(), "input"),
        (format!(r#"{{"model":"m","input":{many}}}"#), "input"),
        (
            r#"{"model":"m","input":"a","encoding_format":"int8"}"#.to_owned(),
            "encoding_format",
        ),
        (
            r#"{"model":"m","input":"a","dimensions":"many"}"#.to_owned(),
            "dimensions",
        ),
        (r#"{"model":"m","input":"a","input":"b"}"#.to_owned(), "input"),
        ("[]".to_owned(), ""),
    ] {
        assert_eq!(refused(&body), param, "{body}");
    }
}
