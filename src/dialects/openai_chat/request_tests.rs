use gateway_actors::protocol::{AnswerForm, Dialect, ErrorKind, Layer, ModelId, ProviderName, Vendor};

use super::*;

fn model(api_model: &str) -> Model {
    Model {
        id: ModelId::from("the-id"),
        provider: ProviderName::from("alpha"),
        vendor: Vendor::Other,
        api_model: api_model.into(),
        dialect: Dialect::OpenaiChat,
        layer: Layer::L0,
        capabilities: Capabilities::NONE,
        context_window: 1000,
        max_output_tokens: 100,
        price: None,
        media: gateway_actors::protocol::MediaTokens::default(),
    }
}

fn read(body: &str) -> ChatCompletionsRequest {
    ChatCompletionsRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> GatewayError {
    ChatCompletionsRequest::scan(Bytes::copy_from_slice(body.as_ref())).unwrap_err()
}

fn forwards_usage(request: &ChatCompletionsRequest) -> bool {
    let outgoing = request.write_for(&model("m"), None).unwrap();
    matches!(outgoing.answer, AnswerForm::AsSent { usage_events: true })
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

const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn only_the_model_is_replaced_and_everything_else_is_kept_to_the_byte() {
    let body =
        format!("\n{{ \"x\" : 1.50e+3,\"model\":\t\"auto\" , {MESSAGES}, \"seed\":9007199254740993,\"x\":null}} ");
    let expected = body.replace("\"auto\"", "\"gpt-4o-mini\"");
    assert_eq!(written(&body, "gpt-4o-mini"), expected);
}

#[test]
fn a_model_name_is_escaped_in_both_directions() {
    let body = format!(r#"{{"model":"a\"b\u00e9",{MESSAGES}}}"#);
    assert_eq!(&**read(&body).model(), "a\"bé");
    assert!(written(&body, "x\"\\y\n").starts_with(r#"{"model":"x\"\\y\n","#));
}

#[test]
fn a_key_written_with_escapes_is_the_same_key() {
    let body = format!(r#"{{"mod\u0065l":"m",{MESSAGES}}}"#);
    assert_eq!(written(&body, "n"), format!(r#"{{"mod\u0065l":"n",{MESSAGES}}}"#));
    assert_eq!(
        refused(format!(r#"{{"mod\u0065l":"m","model":"m",{MESSAGES}}}"#))
            .param
            .unwrap(),
        "model"
    );
}

#[test]
fn a_stream_always_asks_for_usage_and_keeps_the_other_options() {
    let cases = [
        (String::new(), r#","stream_options":{"include_usage":true}"#, ""),
        (
            r#","stream_options":null"#.into(),
            "",
            r#","stream_options":{"include_usage":true}"#,
        ),
        (
            r#","stream_options":{ }"#.into(),
            "",
            r#","stream_options":{"include_usage":true }"#,
        ),
        (
            r#","stream_options":{"a":[1]}"#.into(),
            "",
            r#","stream_options":{"include_usage":true,"a":[1]}"#,
        ),
        (
            r#","stream_options":{"a":1, "include_usage": false ,"b":2}"#.into(),
            "",
            r#","stream_options":{"a":1, "include_usage": true ,"b":2}"#,
        ),
        (
            r#","stream_options":{"include_usage":null}"#.into(),
            "",
            r#","stream_options":{"include_usage":true}"#,
        ),
    ];
    for (options, after_model, rewritten) in cases {
        let body = format!(r#"{{"stream":true,"model":"m",{MESSAGES}{options}}}"#);
        let expected = format!(r#"{{"stream":true,"model":"p"{after_model},{MESSAGES}{rewritten}}}"#);
        assert_eq!(written(&body, "p"), expected);
        assert!(!forwards_usage(&read(&body)));
    }
}

#[test]
fn stream_options_before_the_model_are_rewritten_too() {
    let body = format!(r#"{{"stream_options":{{}},"stream":true,"model":"m",{MESSAGES}}}"#);
    let expected = format!(r#"{{"stream_options":{{"include_usage":true}},"stream":true,"model":"p",{MESSAGES}}}"#);
    assert_eq!(written(&body, "p"), expected);
}

#[test]
fn options_that_ask_for_usage_or_belong_to_no_stream_are_left_alone() {
    let asks = format!(r#"{{"model":"m","stream":true,{MESSAGES},"stream_options":{{"include_usage":true}}}}"#);
    assert!(forwards_usage(&read(&asks)));
    assert_eq!(written(&asks, "m"), asks);
    for whole in [r#""stream":false"#, r#""stream":null"#, r#""stream_options":{"a":1}"#] {
        let body = format!(r#"{{"model":"m",{whole},{MESSAGES}}}"#);
        assert!(!read(&body).is_stream());
        assert_eq!(written(&body, "m"), body);
    }
}

#[test]
fn what_is_not_json_is_malformed() {
    let bodies: [&[u8]; 14] = [
        b"",
        b" \n",
        b"{",
        b"nul",
        b"{}x",
        b"{\"model\":\"m\"}{}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"{\"model\":\"\xff\"}",
        b"{\"model\":\"\\ud800\"}",
        b"{\"model\":\"a\nb\"}",
        b"{\"model\":\"m\",}",
        b"{'model':'m'}",
        b"{\"x\":NaN}",
    ];
    for body in bodies {
        assert_eq!(refused(body).kind, ErrorKind::MalformedJson, "{}", body.escape_ascii());
    }
    let deep = format!(
        r#"{{"model":"m",{MESSAGES},"x":{}{}}}"#,
        "[".repeat(128),
        "]".repeat(128)
    );
    assert_eq!(refused(deep).kind, ErrorKind::MalformedJson);
    assert_eq!(refused("[".repeat(200_000)).kind, ErrorKind::MalformedJson);
}

#[test]
fn a_wrong_or_missing_field_is_named() {
    let cases = [
        (format!("{{{MESSAGES}}}"), "model"),
        (format!(r#"{{"model":5,{MESSAGES}}}"#), "model"),
        (format!(r#"{{"model":"",{MESSAGES}}}"#), "model"),
        (format!(r#"{{"model":null,{MESSAGES}}}"#), "model"),
        (format!(r#"{{"model":"a","model":"b",{MESSAGES}}}"#), "model"),
        (r#"{"model":"m"}"#.into(), "messages"),
        (r#"{"model":"m","messages":[]}"#.into(), "messages"),
        (r#"{"model":"m","messages":"hi"}"#.into(), "messages"),
        (r#"{"model":"m","messages":null}"#.into(), "messages"),
        (format!(r#"{{"model":"m",{MESSAGES},{MESSAGES}}}"#), "messages"),
        (r#"{"model":"m","messages":["hi"]}"#.into(), "messages[0]"),
        (r#"{"model":"m","messages":[{"role":"user"},7]}"#.into(), "messages[1]"),
        (
            r#"{"model":"m","messages":[{"content":"hi"}]}"#.into(),
            "messages[0].role",
        ),
        (r#"{"model":"m","messages":[{"role":1}]}"#.into(), "messages[0].role"),
        (
            r#"{"model":"m","messages":[{"role":"user","role":[]}]}"#.into(),
            "messages[0].role",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","role":"system"}]}"#.into(),
            "messages[0].role",
        ),
        (format!(r#"{{"model":"m","stream":"yes",{MESSAGES}}}"#), "stream"),
        (
            format!(r#"{{"model":"m","stream_options":[],{MESSAGES}}}"#),
            "stream_options",
        ),
        (
            format!(r#"{{"model":"m","stream_options":{{"include_usage":1}},{MESSAGES}}}"#),
            "stream_options.include_usage",
        ),
        (
            format!(r#"{{"model":"m","stream_options":{{"include_usage":true,"include_usage":true}},{MESSAGES}}}"#),
            "stream_options.include_usage",
        ),
        (format!(r#"{{"model":"m","max_tokens":0,{MESSAGES}}}"#), "max_tokens"),
        (format!(r#"{{"model":"m","max_tokens":1.5,{MESSAGES}}}"#), "max_tokens"),
        (format!(r#"{{"model":"m","max_tokens":"9",{MESSAGES}}}"#), "max_tokens"),
        (
            format!(r#"{{"model":"m","max_completion_tokens":-1,{MESSAGES}}}"#),
            "max_completion_tokens",
        ),
    ];
    for (body, param) in cases {
        let error = refused(&body);
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
    assert_eq!(refused("[]").kind, ErrorKind::InvalidRequest);
}

#[test]
fn needs_follow_from_what_the_request_uses() {
    let needs = |extra: &str| read(&format!(r#"{{"model":"m",{MESSAGES}{extra}}}"#)).needs();
    assert!(needs("").capabilities.is_empty());
    assert!(
        needs(r#","tools":[],"functions":null,"response_format":{"type":"text"}"#)
            .capabilities
            .is_empty()
    );
    assert!(
        needs(r#","tools":[{"type":"function"}]"#)
            .capabilities
            .has(Capability::Tools)
    );
    assert!(needs(r#","functions":[{}]"#).capabilities.has(Capability::Tools));
    for format in ["json_object", "json_schema"] {
        let needs = needs(&format!(r#","response_format":{{"type":"{format}"}}"#));
        assert!(needs.capabilities.has(Capability::Json), "{format}");
    }
    assert_eq!(needs(r#","max_tokens":7"#).max_output, Some(7));
    assert_eq!(
        needs(r#","max_tokens":7,"max_completion_tokens":9"#).max_output,
        Some(9)
    );
    assert_eq!(
        needs(r#","max_tokens":9,"max_completion_tokens":7"#).max_output,
        Some(9),
        "the provider may go by either"
    );
    assert_eq!(needs(r#","max_tokens":null"#).max_output, None);
}

#[test]
fn several_answers_multiply_the_bound_of_the_output() {
    let needs = |extra: &str| read(&format!(r#"{{"model":"m",{MESSAGES}{extra}}}"#)).needs();
    for (extra, answers) in [
        ("", 1),
        (r#","n":null"#, 1),
        (r#","n":1"#, 1),
        (r#","n":128"#, 128),
        (r#","n":3,"best_of":2"#, 3),
        (r#","n":3,"best_of":7"#, 7),
        (r#","best_of":2.5"#, 3),
        (r#","best_of":1.28e2"#, 128),
        (r#","best_of":-9"#, 1),
        (r#","best_of":"7""#, 1),
        (r#","best_of":null"#, 1),
    ] {
        assert_eq!(needs(extra).answers, answers, "{extra}");
    }
    assert_eq!(needs(r#","max_tokens":10,"n":3"#).output_bound(99), 30);
    assert_eq!(needs(r#","n":3"#).output_bound(99), 297);
    let much = needs(r#","max_tokens":4294967295,"best_of":128"#);
    assert_eq!(much.output_bound(99), 128 * 99, "no more than the model gives");
}

#[test]
fn a_number_of_answers_that_cannot_be_is_refused_by_its_name() {
    for n in [
        "0",
        "129",
        "-1",
        "1.5",
        "1e2",
        "\"2\"",
        "[]",
        "true",
        "99999999999999999999",
    ] {
        let error = refused(format!(r#"{{"model":"m",{MESSAGES},"n":{n}}}"#));
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, Some("n")),
            "{n}"
        );
    }
    for best_of in ["129", "128.5", "1e300", "1e99999"] {
        let error = refused(format!(r#"{{"model":"m",{MESSAGES},"best_of":{best_of}}}"#));
        assert_eq!(error.param.as_deref(), Some("best_of"), "{best_of}");
    }
    for field in ["n", "best_of"] {
        let error = refused(format!(r#"{{"model":"m",{MESSAGES},"{field}":1,"{field}":1}}"#));
        assert_eq!(error.param.as_deref(), Some(field));
    }
}

#[test]
fn how_many_answers_are_asked_for_reaches_the_provider_as_it_was_written() {
    let body = format!(r#"{{"model":"m",{MESSAGES},"n": 2,"best_of": 7.0}}"#);
    assert_eq!(written(&body, "m"), body);
}

#[test]
fn input_is_bounded_from_above_by_bytes_and_from_below_by_text() {
    let text = "word ".repeat(100);
    let picture = "A".repeat(10_000);
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"system","content":"{text}"}},{{"role":"user","content":[
            {{"type":"text","text":"{text}"}},{{"type":"image_url","image_url":{{"url":"data:{picture}"}}}}]}}]}}"#
    );
    let needs = read(&body).needs();
    assert_eq!(needs.input_bound, body.len() as u64 + 32);
    assert_eq!(needs.input_estimate, 1000 / 8);
    assert!(needs.capabilities.has(Capability::Vision));
}

#[test]
fn escapes_do_not_raise_the_lower_estimate() {
    let plain = read(&format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "é".repeat(800)
    ));
    let escaped = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "\\u00e9".repeat(800)
    );
    assert_eq!(plain.needs().input_estimate, 200);
    assert!(read(&escaped).needs().input_estimate <= 200);
}

#[test]
fn debug_output_says_nothing_of_the_messages() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a-private-word"}]}"#;
    assert!(!format!("{:?}", read(body)).contains("a-private-word"));
}

#[test]
fn reasoning_of_another_dialects_model_is_left_out_and_told() {
    let thought = r#""reasoning_details":[{"type":"reasoning.encrypted","data":"gw1.t.0000000000000007.x"}]"#;
    let body = |thought: &str| {
        format!(r#"{{"messages":[{{"role":"assistant","content":"b"{thought}}}],"model":"auto","stream":true}}"#)
    };
    let request = read(&body(&format!(",{thought},\"reasoning_content\":\"a\"")));
    let outgoing = request.write_for(&model("m"), None).unwrap();
    let expected = body("").replace("\"auto\"", "\"m\",\"stream_options\":{\"include_usage\":true}");
    assert_eq!(outgoing.body.to_bytes(), expected);
    assert_eq!(
        outgoing.dropped,
        ["messages.reasoning_details", "messages.reasoning_content"]
    );

    // Its words go where the provider has a place for them.
    let deepseek = Model {
        vendor: Vendor::Deepseek,
        ..model("m")
    };
    let outgoing = request.write_for(&deepseek, None).unwrap();
    let words = body(",\"reasoning_content\":\"a\"");
    let expected = words.replace("\"auto\"", "\"m\",\"stream_options\":{\"include_usage\":true}");
    assert_eq!(outgoing.body.to_bytes(), expected);
    assert_eq!(outgoing.dropped, ["messages.reasoning_details"]);
}

#[test]
fn mistral_is_not_asked_for_what_it_refuses_and_tells_unasked() {
    let request = read(r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#);
    let mistral = Model {
        vendor: Vendor::Mistral,
        ..model("large")
    };
    let sent =
        |model: &Model| String::from_utf8(request.write_for(model, None).unwrap().body.to_bytes().to_vec()).unwrap();
    assert!(!sent(&mistral).contains("stream_options"));
    assert!(sent(&model("large")).contains("stream_options"));
    let options = r#""stream_options" : {"include_usage":true,"x":","}"#;
    for (body, expected) in [
        (
            format!(r#"{{"model":"m",{MESSAGES} , {options} , "stream":true}}"#),
            format!(r#"{{"model":"large",{MESSAGES}  , "stream":true}}"#),
        ),
        (
            format!(r#"{{ {options} ,"model":"m",{MESSAGES}}}"#),
            format!(r#"{{ "model":"large",{MESSAGES}}}"#),
        ),
        (
            format!(r#"{{"model":"m",{MESSAGES},"stream_options":null}}"#),
            format!(r#"{{"model":"large",{MESSAGES}}}"#),
        ),
        (
            format!(r#"{{"stream\u005foptions":{{}},{MESSAGES},"model":"m"}}"#),
            format!(r#"{{{MESSAGES},"model":"large"}}"#),
        ),
    ] {
        let outgoing = read(&body).write_for(&mistral, None).unwrap();
        assert_eq!(outgoing.body.to_bytes(), expected);
    }
}

#[test]
fn sealed_reasoning_goes_out_as_it_came_and_can_be_left_out() {
    let sealed = r#","reasoning_details":[{"type":"reasoning.encrypted","data":"gAAA"}]"#;
    let body = |sealed: &str| {
        format!(r#"{{"messages":[{{"role":"assistant","content":"b","reasoning":"a"{sealed}}}],"model":"m"}}"#)
    };
    let request = read(&body(sealed));
    let outgoing = request.write_for(&model("m"), None).unwrap();
    assert_eq!(
        (outgoing.body.to_bytes(), outgoing.dropped),
        (body(sealed).into(), vec![])
    );
    let bare = request.without_state(None).unwrap();
    let outgoing = bare.write_for(&model("m"), None).unwrap();
    assert_eq!(outgoing.body.to_bytes(), body(""));
    assert_eq!(outgoing.dropped, ["messages.reasoning_details"]);
    assert!(bare.without_state(None).is_none());
}
