//! Bad input on the native endpoints: refused by name, before anything is stored, sent or charged.

use serde_json::{Value, json};

use crate::support::{Gateway, Model, Provider, Setup};

fn start(provider: &Provider) -> Gateway {
    Gateway::start(
        Setup::new()
            .provider(provider)
            .model(&Model::free("alpha-small", provider).window(1_000)),
    )
}

/// Posts each body to both endpoints; each must be refused so, and the gateway must be as good as new afterwards.
#[track_caller]
fn all_refused(status: u16, kind: &str, bodies: Vec<(Vec<u8>, Option<&str>)>) {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    for path in ["/v1/route", "/v1/chat"] {
        for (body, param) in &bodies {
            let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
            let reply = client.post_bytes(path, body.clone());
            assert_eq!(reply.status, status, "{path} {shown}: {}", reply.text());
            let error = reply.error(status);
            assert_eq!(error["type"], kind, "{path} {shown}: {error}");
            assert_eq!(error["requestId"], reply.request_id(), "{path} {shown}");
            assert!(error["message"].is_string());
            if let Some(param) = param {
                assert_eq!(error["param"], *param, "{path} {shown}: {error}");
            }
        }
    }
    assert_eq!(alpha.requests(), 0, "a refused request reached the provider");
    assert_eq!(client.post("/v1/chat", &json!({ "message": "hello" })).status, 200);
    assert_eq!(gateway.wait_for_calls(1).len(), 1);
    gateway.finish();
}

/// A good body with one field set to something else.
fn with(field: &str, value: &Value) -> Vec<u8> {
    let mut body = json!({ "message": "hello" });
    body[field] = value.clone();
    body.to_string().into_bytes()
}

/// A good body with one field spelled as given, for values that no JSON library prints.
fn with_raw(field: &str, value: &str) -> Vec<u8> {
    format!(r#"{{"conversationId":"c","{field}":{value}}}"#).into_bytes()
}

fn each<'a>(field: &'a str, values: &[Value]) -> Vec<(Vec<u8>, Option<&'a str>)> {
    values.iter().map(|value| (with(field, value), Some(field))).collect()
}

#[test]
fn what_is_not_json_is_refused_as_such() {
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bodies: Vec<Vec<u8>> = ["", "{", "nul", "{\"message\":\"a\"}x", "\u{feff}{\"message\":\"a\"}"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    bodies.push(utf16);
    bodies.push(b"{\"message\":\"\xff\xfe\"}".to_vec());
    bodies.push(b"{\"message\":\"a\nb\"}".to_vec());
    bodies.push(format!("{{\"metadata\":{}", "[".repeat(200_000)).into_bytes());
    all_refused(
        400,
        "malformed_json",
        bodies.into_iter().map(|body| (body, None)).collect(),
    );
}

#[test]
fn half_a_surrogate_pair_is_no_message() {
    let body = br#"{"message":"\ud800"}"#.to_vec();
    all_refused(400, "invalid_request", vec![(body, Some("message"))]);
}

#[test]
fn unknown_fields_are_refused_by_name() {
    let bodies = ["apiBase", "role", "budget", "api_base", "callback_url", "Message"]
        .into_iter()
        .map(|field| (with(field, &json!("x")), Some(field)))
        .collect();
    all_refused(400, "invalid_request", bodies);
}

#[test]
fn a_field_given_twice_is_refused() {
    let twice = br#"{"message":"a","message":"b"}"#.to_vec();
    all_refused(400, "invalid_request", vec![(twice, Some("message"))]);
}

#[test]
fn a_message_must_be_a_text_that_says_something() {
    let values = [
        json!(5),
        json!([]),
        json!({}),
        json!(null),
        json!(true),
        json!(""),
        json!(" \n\t"),
        json!("a\u{0}b"),
    ];
    let mut bodies = each("message", &values);
    bodies.push((b"{}".to_vec(), Some("message")));
    all_refused(400, "invalid_request", bodies);
}

#[test]
fn ids_must_keep_to_their_characters_and_length() {
    let bad: Vec<Value> = [
        "",
        "a/b",
        "..%00",
        "a b",
        "conv:messages:x",
        "*",
        "\u{1F600}",
        "a\u{0}",
        "a\nb",
    ]
    .iter()
    .map(|text| json!(text))
    .chain([json!("x".repeat(129)), json!(5), json!({})])
    .collect();
    all_refused(400, "invalid_request", each("conversationId", &bad));
}

#[test]
fn words_outside_their_list_are_refused() {
    let bodies = [
        ("qualityLevel", "ultra"),
        ("taskType", "exec"),
        ("layer", "L9"),
        ("layer", "l0"),
        ("maxLayer", "L4"),
    ]
    .into_iter()
    .map(|(field, value)| (with(field, &json!(value)), Some(field)))
    .collect();
    all_refused(400, "invalid_request", bodies);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let mut bodies = each(
        "maxTokens",
        &[json!(0), json!(-1), json!(1e9), json!(1.5), json!("100")],
    );
    bodies.extend(each("temperature", &[json!(-0.1), json!(2.1), json!("hot"), json!([])]));
    all_refused(400, "invalid_request", bodies);
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    for value in ["1e999", "NaN", "Infinity", "-"] {
        let reply = gateway.client().post_bytes("/v1/chat", with_raw("temperature", value));
        assert_eq!(reply.status, 400, "{value}: {}", reply.text());
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn an_input_that_fits_no_window_is_refused_before_it_is_sent() {
    let long = with("message", &json!("word ".repeat(20_000)));
    all_refused(422, "context_too_long", vec![(long, None)]);
}

#[test]
fn an_unknown_model_is_not_found() {
    all_refused(
        404,
        "model_not_found",
        vec![(with("model", &json!("nobody")), Some("model"))],
    );
}

#[test]
fn templates_and_quotes_are_only_text() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    for text in [
        "{{7*7}}",
        "${7*7}",
        "%n%s",
        "'; DROP TABLE messages; --",
        "\u{202e}reversed",
        "a\\u0041\"b",
    ] {
        let reply = client.post("/v1/chat", &json!({ "conversationId": "c", "message": text }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(alpha.last_request().messages().last().unwrap(), text);
        let page = client.get("/v1/context/c?limit=2").json();
        assert_eq!(page["messages"][0]["content"], text);
    }
    gateway.finish();
}

#[test]
fn a_page_must_be_asked_for_in_numbers() {
    let alpha = Provider::start("alpha");
    let gateway = start(&alpha);
    let client = gateway.client();
    assert_eq!(
        client
            .post("/v1/chat", &json!({ "conversationId": "c", "message": "hello" }))
            .status,
        200
    );
    for query in [
        "limit=abc",
        "limit=-1",
        "limit=0",
        "limit=1000000000",
        "before=abc",
        "limit=1&limit=2",
        "nope=1",
    ] {
        let reply = client.get(&format!("/v1/context/c?{query}"));
        assert_eq!(reply.error(400)["type"], "invalid_request", "{query}");
    }
    assert_eq!(client.get("/v1/context/..%2Fc").status, 400);
    gateway.finish();
}
