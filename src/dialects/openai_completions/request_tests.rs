use std::borrow::Cow;

use gateway_actors::protocol::AnswerForm;

use super::*;
use crate::dialects::openai_chat::samples::model_of;

const COMPLETES: &[Capability] = &[Capability::Completions];

fn read(body: &str) -> CompletionsRequest {
    CompletionsRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: &str) -> Option<Cow<'static, str>> {
    let error = CompletionsRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
    error.param
}

fn with(members: &str) -> String {
    format!(r#"{{"model":"auto",{members}}}"#)
}

#[test]
fn a_model_that_completes_texts_gets_what_the_client_sent_to_the_byte() {
    let body = "{\"prompt\" : [1,2] ,\"model\":\"auto\",\"suffix\":\"x\",\"temperature\":0.70,\"x\":null}";
    let model = model_of("alpha", COMPLETES);
    let request = read(body);
    let outgoing = request.write_for(&model, None).unwrap();
    assert_eq!(outgoing.body.to_bytes(), body.replace("\"auto\"", "\"the-model\""));
    assert_eq!(request.operation_for(&model), Operation::CompleteText);
    let streamed = read(&with(r#""prompt":"a","stream":true"#))
        .write_for(&model, None)
        .unwrap();
    let sent = String::from_utf8(streamed.body.to_bytes().to_vec()).unwrap();
    assert!(sent.contains(r#""stream_options":{"include_usage":true}"#));
    assert!(matches!(streamed.answer, AnswerForm::AsSent { usage_events: false }));
    let mut elsewhere = model;
    elsewhere.dialect = Dialect::Gemini;
    assert_eq!(
        request.operation_for(&elsewhere),
        Operation::Generate,
        "it has no such endpoint"
    );
}

#[test]
fn any_other_model_is_asked_as_in_a_conversation() {
    let request = read(&with(r#""prompt":"Once upon","max_tokens":9,"x_mine":1,"stream":true"#));
    let model = model_of("alpha", &[]);
    let outgoing = request.write_for(&model, None).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&outgoing.body.to_bytes()).unwrap();
    assert_eq!(
        body["messages"],
        serde_json::json!([{"role": "user", "content": "Once upon"}])
    );
    assert_eq!(
        (&body["max_tokens"], &body["model"]),
        (&serde_json::json!(9), &serde_json::json!("the-model"))
    );
    assert_eq!(outgoing.dropped, ["x_mine"]);
    assert_eq!(request.operation_for(&model), Operation::Generate);
    let AnswerForm::Translated(translation) = outgoing.answer else {
        panic!()
    };
    let answer = br#"{"id":"a","model":"m","choices":[{"message":{"content":" a time"},"finish_reason":"stop"}]}"#;
    let whole = translation.whole(&Bytes::from_static(answer)).unwrap();
    assert!(
        String::from_utf8(whole.to_vec())
            .unwrap()
            .contains(r#""choices":[{"text":" a time","index":0"#)
    );
    let mut stream = translation.stream();
    let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let told = stream.events(&Bytes::from(format!("{chunk}{chunk}"))).unwrap();
    assert_eq!(
        String::from_utf8(told.to_vec())
            .unwrap()
            .matches("\"text\":\"a\"")
            .count(),
        2
    );
    assert!(stream.end().is_err(), "it is not finished");
    stream.events(&Bytes::from(stop)).unwrap();
    assert_eq!(stream.end().unwrap(), "data: [DONE]\n\n");
    let suffix = read(&with(r#""prompt":"a","suffix":"b""#));
    assert_eq!(
        suffix.write_for(&model, None).unwrap_err().param.as_deref(),
        Some("suffix")
    );
}

#[test]
fn needs_are_those_of_every_text_and_every_answer() {
    let needs = |members: &str| read(&with(members)).needs();
    let one = needs(r#""prompt":"0123456789abcdef","max_tokens":7"#);
    assert_eq!((one.answers, one.max_output, one.input_estimate), (1, Some(7), 2));
    assert!(one.input_bound > 16 + TOKENS_PER_MESSAGE);
    let several = needs(r#""prompt":["a","b",[1,2]],"n":2,"best_of":4"#);
    assert_eq!((several.answers, several.max_output), (12, None));
    assert_eq!(needs(r#""prompt":[1,2,3]"#).answers, 1, "tokens of one text");
    assert_eq!(one.capabilities, Capabilities::NONE.with(Capability::Completions));
}

#[test]
fn an_answer_of_no_tokens_weighs_a_prompt_where_texts_are_completed_and_is_refused_elsewhere() {
    let request = read(&with(r#""prompt":"a","max_tokens":0,"echo":true,"logprobs":1"#));
    assert_eq!(request.needs().max_output, Some(0));
    let sent = request.write_for(&model_of("alpha", COMPLETES), None).unwrap();
    let sent = String::from_utf8(sent.body.to_bytes().to_vec()).unwrap();
    assert!(sent.contains(r#""max_tokens":0,"#), "{sent}");
    let plain = read(&with(r#""prompt":"a","max_tokens":0"#));
    let refused = plain.write_for(&model_of("alpha", &[]), None).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("max_tokens"));
}

#[test]
fn what_is_wrong_is_named() {
    let many = format!(r#""prompt":[{}]"#, vec!["\"a\""; MOST_PROMPTS + 1].join(","));
    for (members, param) in [
        (r#""n":1"#, "prompt"),
        (r#""prompt":null"#, "prompt"),
        (r#""prompt":5"#, "prompt"),
        (r#""prompt":[]"#, "prompt"),
        (r#""prompt":["a",1]"#, "prompt"),
        (&many, "prompt"),
        (r#""prompt":"a","prompt":"b""#, "prompt"),
        (r#""prompt":"a","n":0"#, "n"),
        (r#""prompt":"a","best_of":1000"#, "best_of"),
        (r#""prompt":"a","max_tokens":-1"#, "max_tokens"),
        (r#""prompt":"a","stream":1"#, "stream"),
    ] {
        assert_eq!(refused(&with(members)).as_deref(), Some(param), "{members}");
    }
    assert_eq!(refused(r#"{"prompt":"a"}"#).as_deref(), Some("model"));
    assert_eq!(refused("[]"), None);
}
