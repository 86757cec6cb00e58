use gateway_actors::protocol::AnswerForm;

use super::super::testing::model;
use super::*;

fn read(body: &str) -> MessagesRequest {
    MessagesRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> GatewayError {
    MessagesRequest::scan(Bytes::copy_from_slice(body.as_ref())).unwrap_err()
}

fn written(body: &str, api_model: &str) -> String {
    String::from_utf8(
        read(body)
            .write_for(&model(api_model), None)
            .unwrap()
            .body
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

const REST: &str = r#""max_tokens":9,"messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn only_the_model_is_replaced_and_everything_else_is_kept_to_the_byte() {
    let body = format!("\n{{ \"x\" : 1.50e+3,\"model\":\t\"auto\" , {REST}, \"seed\":9007199254740993,\"x\":null}} ");
    assert_eq!(
        written(&body, "claude-opus-4-8"),
        body.replace("\"auto\"", "\"claude-opus-4-8\"")
    );
    let escaped = format!(r#"{{"mod\u0065l":"a\"b\u00e9",{REST}}}"#);
    assert_eq!(&**read(&escaped).model(), "a\"bé");
    assert_eq!(
        written(&escaped, "x\"\\y\n"),
        format!(r#"{{"mod\u0065l":"x\"\\y\n",{REST}}}"#)
    );
    let outgoing = read(&body).write_for(&model("m"), None).unwrap();
    assert!(matches!(outgoing.answer, AnswerForm::AsSent { usage_events: true }));
    assert!(outgoing.dropped.is_empty());
}

#[test]
fn what_the_request_needs_is_read_off_it() {
    let body = r#"{"model":"m","max_tokens":7,"stream":true,"system":[{"type":"text","text":"12345678"}],
        "tools":[{"name":"t"}],"output_config":{"format":{"type":"json_schema"}},
        "messages":[{"role":"user","content":[{"type":"text","text":"12345678"},
            {"type":"tool_result","tool_use_id":"1","content":[{"type":"text","text":"12345678"},
            {"type":"image","source":{"type":"base64"}}]}]},{"role":"assistant","content":"12345678"}]}"#;
    let request = read(body);
    let needs = request.needs();
    for capability in [Capability::Tools, Capability::Json, Capability::Vision] {
        assert!(needs.capabilities.has(capability), "{capability:?}");
    }
    assert!(request.is_stream());
    assert_eq!(
        (needs.max_output, needs.answers, needs.input_estimate),
        (Some(7), 1, 32 / 8)
    );
    assert_eq!(needs.input_bound, body.len() as u64 + 2 * 16 + 5_000);

    let plain = format!(r#"{{"model":"m",{REST},"tools":[],"output_config":{{"effort":"low"}},"stream":false}}"#);
    let request = read(&plain);
    assert_eq!(request.needs().capabilities, Capabilities::NONE);
    assert!(!request.is_stream());
    let beta = format!(r#"{{"model":"m",{REST},"output_format":{{"type":"json_schema"}}}}"#);
    assert!(read(&beta).needs().capabilities.has(Capability::Json));
    let prewarm = REST.replace('9', "0");
    assert_eq!(
        read(&format!(r#"{{"model":"m",{prewarm}}}"#)).needs().max_output,
        Some(0)
    );
}

#[test]
fn what_is_missing_doubled_or_of_the_wrong_type_is_named() {
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    for (body, param) in [
        (format!("{{{REST}}}"), Some("model")),
        (format!(r#"{{"model":"",{REST}}}"#), Some("model")),
        (format!(r#"{{"model":5,{REST}}}"#), Some("model")),
        (format!(r#"{{"model":"m",{messages}}}"#), Some("max_tokens")),
        (
            format!(r#"{{"model":"m","max_tokens":null,{messages}}}"#),
            Some("max_tokens"),
        ),
        (
            format!(r#"{{"model":"m","max_tokens":-1,{messages}}}"#),
            Some("max_tokens"),
        ),
        (
            format!(r#"{{"model":"m","max_tokens":1.5,{messages}}}"#),
            Some("max_tokens"),
        ),
        (r#"{"model":"m","max_tokens":1}"#.to_owned(), Some("messages")),
        (
            r#"{"model":"m","max_tokens":1,"messages":[]}"#.to_owned(),
            Some("messages"),
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":"hi"}"#.to_owned(),
            Some("messages"),
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[5]}"#.to_owned(),
            Some("messages[0]"),
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{}]}"#.to_owned(),
            Some("messages[0].role"),
        ),
        (format!(r#"{{"model":"m","model":"m",{REST}}}"#), Some("model")),
        (format!(r#"{{"model":"m",{REST},{messages}}}"#), Some("messages")),
        (
            format!(r#"{{"model":"m",{REST},"stream":true,"str\u0065am":true}}"#),
            Some("stream"),
        ),
        (format!(r#"{{"model":"m",{REST},"stream":1}}"#), Some("stream")),
        ("[]".to_owned(), None),
    ] {
        let error = refused(&body);
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, param),
            "{body}"
        );
    }
    for body in ["", " ", "{", "{}x", "{\"model\":\"\\ud800\"}", "{\"a\":\"\u{0}\"}"] {
        assert_eq!(refused(body).kind, ErrorKind::MalformedJson, "{body:?}");
    }
    assert_eq!(refused(b"{\"model\":\"\xff\"}").kind, ErrorKind::MalformedJson);
    assert_eq!(refused("[".repeat(200)).kind, ErrorKind::MalformedJson);
}

#[test]
fn a_count_needs_no_limit_and_has_no_stream() {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = MessagesRequest::scan_for_count(Bytes::from(body)).unwrap();
    assert_eq!(request.operation(), Operation::CountTokens);
    assert!(!request.is_stream() && request.needs().max_output.is_none());
    assert_eq!(
        read(&body.replace("\"stream\":true", "\"max_tokens\":1")).operation(),
        Operation::Generate
    );
}

#[test]
fn reasoning_of_other_dialects_is_cut_out_and_told() {
    let marked = r#"{"type":"thinking","thinking":"a","signature":"gw1.t.0000000000000007.x"}"#;
    let unsigned = r#"{"type":"thinking","thinking":"b","signature":""}"#;
    let said = r#"{"type":"text","text":"so"}"#;
    let body = |blocks: &str| {
        format!(
            r#"{{"messages":[{{"role":"assistant","content":[{blocks}]}},{{"role":"user","content":"\"gw1."}}],"model":"m","max_tokens":5}}"#
        )
    };
    let bare = marked.replace("gw1.t.0000000000000007.x", "");
    let with_words = format!("{bare},{said}");
    let (signature, words) = ("messages.thinking.signature", "messages.thinking");
    for (blocks, api_model, left, told) in [
        (
            format!("{marked},{said}"),
            "claude-opus-4-8",
            Some(said),
            &[signature, words][..],
        ),
        (format!("{marked},{said}"), "kimi-k3", Some(&*with_words), &[signature]),
        (format!("{unsigned}, {said}"), "claude-opus-4-8", Some(said), &[words]),
        (format!("{unsigned}, {said}"), "kimi-k3", None, &[]),
        (said.to_owned(), "claude-opus-4-8", None, &[]),
    ] {
        let body = body(&blocks);
        let expected = left.map_or_else(|| body.clone(), |left| body.replace(&blocks, left));
        let expected = expected.replace("\"model\":\"m\"", &format!("\"model\":\"{api_model}\""));
        assert_eq!(written(&body, api_model), expected);
        let request = read(&body);
        assert_eq!(request.must_be_rewritten(&model(api_model)), left.is_some());
        let dropped = request.write_for(&model(api_model), None).unwrap().dropped;
        assert_eq!(dropped, told);
    }
}

#[test]
fn what_is_shown_of_a_request_holds_nothing_of_its_text() {
    let shown = format!("{:?}", read(&format!(r#"{{"model":"m","x":"secret",{REST}}}"#)));
    assert!(!shown.contains("secret") && !shown.contains("hi"), "{shown}");
}

#[test]
fn signed_reasoning_goes_out_as_it_came_and_can_be_left_out() {
    let signed = r#"{"type":"thinking","thinking":"a","signature":"Eq=="}"#;
    let said = r#"{"type":"text","text":"so"}"#;
    let body = |blocks: &str| {
        format!(
            r#"{{"messages":[{{"role":"assistant","content":[{blocks}]}},{{"role":"user","content":"x"}}],"model":"m","max_tokens":5}}"#
        )
    };
    let request = read(&body(&format!("{signed} , {said}"))).with_betas(Some("beta-1".into()));
    let outgoing = request.write_for(&model("m"), None).unwrap();
    assert_eq!(
        (outgoing.body.to_bytes(), outgoing.dropped),
        (body(&format!("{signed} , {said}")).into(), vec![])
    );
    let bare = request.without_state(None).unwrap();
    let outgoing = bare.write_for(&model("m"), None).unwrap();
    assert_eq!(outgoing.body.to_bytes(), body(said));
    assert_eq!(outgoing.dropped, ["messages.thinking.signature"]);
    assert_eq!(outgoing.headers.len(), 1);
    assert!(bare.without_state(None).is_none());
}

#[test]
fn the_version_that_the_client_names_goes_to_its_own_dialect_if_it_is_one() {
    let body = format!(r#"{{"model":"m",{REST}}}"#);
    let chat = Model {
        dialect: Dialect::OpenaiChat,
        ..model("m")
    };
    for (version, sent, dropped, dropped_elsewhere) in [
        (None, None, &[][..], &[][..]),
        (Some("2023-06-01"), Some("2023-06-01"), &[], &[]),
        (Some("2026-01-31"), Some("2026-01-31"), &[], &["anthropic-version"]),
        (Some("new"), None, &["anthropic-version"], &["anthropic-version"]),
        (Some("2023-06-0x"), None, &["anthropic-version"], &["anthropic-version"]),
        (Some(""), None, &["anthropic-version"], &["anthropic-version"]),
    ] {
        let request = read(&body).with_version(version.map(Into::into));
        let outgoing = request.write_for(&model("m"), None).unwrap();
        let header = outgoing.headers.first().map(|(name, value)| (*name, &**value));
        assert_eq!(header, sent.map(|sent| ("anthropic-version", sent)), "{version:?}");
        assert_eq!(outgoing.dropped, dropped, "{version:?}");
        let outgoing = request.write_for(&chat, None).unwrap();
        assert_eq!(
            (outgoing.headers.len(), outgoing.dropped.len()),
            (0, dropped_elsewhere.len()),
            "{version:?}"
        );
    }
}
