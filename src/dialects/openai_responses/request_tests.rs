use gateway_actors::protocol::{Capabilities, Capability};
use serde_json::{Value, json};

use super::*;
use crate::dialects::openai_responses::samples::{CODEX, model};

fn read(body: &str) -> ResponsesRequest {
    ResponsesRequest::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> GatewayError {
    ResponsesRequest::scan(Bytes::copy_from_slice(body.as_ref())).unwrap_err()
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

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn only_the_model_is_replaced_and_everything_else_is_kept_to_the_byte() {
    let body = "\n{ \"x\" : 1.50e+3,\"model\":\t\"auto\" , \"input\":\"hi\", \"seed\":9007199254740993,\"x\":null} ";
    assert_eq!(written(body, "gpt-\"6"), body.replace("\"auto\"", "\"gpt-\\\"6\""));
    assert_eq!(written(CODEX, "m"), CODEX.replace("\"gpt-5.5\"", "\"m\""));
}

#[test]
fn a_key_written_with_escapes_is_the_same_key() {
    let body = r#"{"mod\u0065l":"a\"b","input":[]}"#;
    assert_eq!(&**read(body).model(), "a\"b");
    assert_eq!(written(body, "n"), r#"{"mod\u0065l":"n","input":[]}"#);
    let twice = refused(r#"{"mod\u0065l":"m","model":"m","input":[]}"#);
    assert_eq!(twice.param.as_deref(), Some("model"));
}

#[test]
fn fields_of_the_wrong_type_are_named() {
    for (body, param) in [
        (r#"{"input":"x"}"#, "model"),
        (r#"{"model":"","input":"x"}"#, "model"),
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":null}"#, "input"),
        (r#"{"model":"m","input":5}"#, "input"),
        (r#"{"model":"m","input":{}}"#, "input"),
        (r#"{"model":"m","input":["x"]}"#, "input[0]"),
        (r#"{"model":"m","input":[{},[]]}"#, "input[1]"),
        (r#"{"model":"m","input":"x","input":"y"}"#, "input"),
        (r#"{"model":"m","input":"x","stream":"yes"}"#, "stream"),
        (r#"{"model":"m","input":"x","store":0}"#, "store"),
        (
            r#"{"model":"m","input":"x","max_output_tokens":0}"#,
            "max_output_tokens",
        ),
        (
            r#"{"model":"m","input":"x","max_output_tokens":1.5}"#,
            "max_output_tokens",
        ),
        (
            r#"{"model":"m","input":"x","previous_response_id":7}"#,
            "previous_response_id",
        ),
        (r#"{"model":"m","input":"x","background":true}"#, "background"),
        (r#"{"model":"m","input":"x","conversation":"conv_1"}"#, "conversation"),
        (r#"{"model":"m","input":"x","prompt":{"id":"pmpt_1"}}"#, "prompt"),
    ] {
        let error = refused(body);
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        assert!(
            error
                .message
                .contains(&format!("`{}`", param.split('[').next().unwrap())),
            "{error}"
        );
    }
    for body in [
        r#"{"model":"m","input":"x","background":false,"conversation":null,"prompt":null}"#,
        r#"{"model":"m","input":"x","background":null,"store":null,"stream":null,"max_output_tokens":null}"#,
        r#"{"model":"m","input":[]}"#,
        r#"{"model":"m","previous_response_id":"resp_1"}"#,
    ] {
        read(body);
    }
}

#[test]
fn what_is_no_json_is_told_as_that() {
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"model\":\"m\",}",
        b"\xff\xfe",
        b"{\"a\":\"\\ud800\"}",
    ] {
        assert_eq!(refused(body).kind, ErrorKind::MalformedJson, "{body:?}");
    }
    assert_eq!(refused("[]").kind, ErrorKind::InvalidRequest);
    assert_eq!(
        refused(format!("{}{}", "[".repeat(200), "]".repeat(200))).kind,
        ErrorKind::MalformedJson
    );
}

#[test]
fn needs_are_read_off_the_request() {
    let needs = read(CODEX).needs();
    assert_eq!(needs.capabilities, Capabilities::NONE.with(Capability::Tools));
    assert_eq!(needs.input_bound, CODEX.len() as u64 + (12 + 1) * 16);
    assert_eq!((needs.max_output, needs.answers), (None, 1));
    let text = read(r#"{"model":"m","instructions":"12345678","input":"12345678","max_output_tokens":20}"#).needs();
    assert_eq!(
        (text.capabilities, text.input_estimate, text.max_output),
        (Capabilities::NONE, 2, Some(20))
    );
    for (body, capability) in [
        (
            r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema"}}}"#,
            Capability::Json,
        ),
        (
            r#"{"model":"m","input":"x","text":{"format":{"type":"json_object"}}}"#,
            Capability::Json,
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"http://x/y"}]}]}"#,
            Capability::Vision,
        ),
        (
            r#"{"model":"m","input":[{"type":"function_call_output","output":[{"type":"input_image"}]}]}"#,
            Capability::Vision,
        ),
        (
            r#"{"model":"m","input":[{"type":"additional_tools","tools":[{"type":"function"}]}]}"#,
            Capability::Tools,
        ),
    ] {
        assert_eq!(
            read(body).needs().capabilities,
            Capabilities::NONE.with(capability),
            "{body}"
        );
    }
    for body in [
        r#"{"model":"m","input":"x","text":{"format":{"type":"text"}},"tools":[]}"#,
        r#"{"model":"m","input":"x","text":7}"#,
    ] {
        assert_eq!(read(body).needs().capabilities, Capabilities::NONE, "{body}");
    }
}

#[test]
fn answers_are_stored_unless_the_client_says_no() {
    assert!(read(r#"{"model":"m","input":"x"}"#).stores());
    assert!(read(r#"{"model":"m","input":"x","store":true}"#).stores());
    assert!(!read(r#"{"model":"m","input":"x","store":false}"#).stores());
}

#[test]
fn the_items_of_a_request_are_its_own_input() {
    assert_eq!(
        read(r#"{"model":"m","input":"a\"\u00e9"}"#).input_items(),
        r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"a\"\u00e9"}]}]"#
    );
    assert_eq!(
        read(r#"{"model":"m","input":[ {"a":1} ]}"#).input_items(),
        r#"[ {"a":1} ]"#
    );
    assert_eq!(
        read(r#"{"model":"m","previous_response_id":"resp_1"}"#).input_items(),
        "[]"
    );
}

#[test]
fn history_comes_before_the_input_and_nothing_else_changes() {
    let body = "{\"previous_response_id\" : \"resp_1\",\"x\":[1, 2.50],\"input\": [ {\"b\":2} ],\"model\":\"m\"} ";
    let request = read(body);
    assert_eq!(request.previous_response(), Some("resp_1"));
    let whole = request.with_history(" [{\"a\":1}, {}] ", Vec::new()).unwrap();
    assert_eq!(
        whole.body(),
        "{\"previous_response_id\" : null,\"x\":[1, 2.50],\"input\": [{\"a\":1}, {},{\"b\":2}],\"model\":\"m\"} "
    );
    assert_eq!((whole.previous_response(), &**whole.model()), (None, "m"));
    let after = whole.write_for(&model("n"), None).unwrap().body.to_bytes();
    assert!(after.ends_with(b"\"model\":\"n\"} "));
}

#[test]
fn a_text_becomes_an_item_behind_history_and_no_input_is_all_history() {
    let with = |body: &str, items: &str| value(read(body).with_history(items, Vec::new()).unwrap().body());
    let text = with(
        r#"{"model":"m","input":"hi","previous_response_id":"resp_1"}"#,
        r#"[{"a":1}]"#,
    );
    let item = json!({"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]});
    assert_eq!(text["input"], json!([{"a": 1}, item]));
    for body in [
        r#"{"model":"m","previous_response_id":"resp_1"}"#,
        r#"{"model":"m","previous_response_id":"resp_1","input":null}"#,
        r#"{"model":"m","previous_response_id":"resp_1","input":[]}"#,
    ] {
        assert_eq!(with(body, r#"[{"a":1}]"#)["input"], json!([{"a": 1}]), "{body}");
    }
    assert_eq!(
        with(r#"{"model":"m","input":[{"b":2}]}"#, "[]")["input"],
        json!([{"b": 2}])
    );
}

#[test]
fn history_that_is_no_array_is_a_defect_and_not_the_clients() {
    for items in ["", "{}", "[", "[1,]", "null"] {
        let error = read(r#"{"model":"m","input":"x"}"#)
            .with_history(items, Vec::new())
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal, "{items:?}");
    }
}

#[test]
fn state_that_came_through_another_dialect_makes_the_body_be_written_anew() {
    assert!(!read(CODEX).must_be_rewritten());
    let marked = CODEX.replace("gAAA=", "gw1.s.0000000000000001.abc");
    assert!(read(&marked).must_be_rewritten());
}

#[test]
fn the_text_of_a_request_is_not_in_its_debug_form() {
    let shown = format!("{:?}", read(r#"{"model":"m","input":"secret"}"#));
    assert!(shown.contains("\"m\"") && !shown.contains("secret"));
}

#[test]
fn an_answer_that_nobody_keeps_was_asked_for_with_store_false() {
    let written = |body: &str| {
        let request = ResponsesRequest::scan(Bytes::from(body.to_owned()))
            .unwrap()
            .not_kept()
            .unwrap();
        assert!(!request.stores());
        request.body().to_owned()
    };
    let none = r#"{ "input":"a\u0041" ,"model": "m" ,"x":1.50}"#;
    assert_eq!(written(none), none.replace("\"m\"", "\"m\",\"store\":false"));
    for value in ["true", "null", "false"] {
        let body = format!(r#"{{"store": {value} ,"model":"m","input":"store"}}"#);
        assert_eq!(written(&body), body.replace(value, "false"));
    }
}

const SEALED: &str = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
const SAID: &str = r#"{"role":"user","content":"caf\u00e9"}"#;
const LOST: &str = "input.reasoning.encrypted_content";

fn of_provider(provider: &str) -> Model {
    Model {
        provider: provider.into(),
        ..model("m")
    }
}

fn sent(request: &dyn OutgoingRequest, provider: &str) -> (String, Vec<String>) {
    let outgoing = request.write_for(&of_provider(provider), None).unwrap();
    let body = String::from_utf8(outgoing.body.to_bytes().to_vec()).unwrap();
    let dropped = outgoing.dropped.into_iter().map(String::from).collect();
    (body, dropped)
}

#[test]
fn what_is_sealed_goes_out_as_it_came_and_can_be_left_out() {
    let body = |items: &str| format!(r#"{{"model":"m","x":1.0,"input":[{items}]}}"#);
    let request = read(&body(&format!("{SEALED} , {SAID}")));
    assert_eq!(sent(&request, "alpha"), (body(&format!("{SEALED} , {SAID}")), vec![]));
    let bare = request.without_state(Some(&of_provider("alpha"))).unwrap();
    assert_eq!(sent(&*bare, "alpha"), (body(SAID), vec![LOST.to_owned()]));
    assert!(bare.without_state(None).is_none());
    let noted = bare.with_note("be brief").unwrap();
    assert_eq!(sent(&*noted, "alpha").1, [LOST]);
    assert!(read(&body(SAID)).without_state(None).is_none());
}

#[test]
fn sealed_items_of_history_are_given_to_their_makers_alone() {
    let other = SEALED.replace("gAAA", "gBBB");
    let own = SEALED.replace("gAAA", "gCCC");
    let body = |items: &[&str]| format!(r#"{{"model":"m","input":[{}]}}"#, items.join(","));
    let makers = vec![Some("alpha".into()), Some("beta".into())];
    let request = read(&body(&[&own, SAID]));
    let request = request.with_history(&format!("[{SEALED},{other}]"), makers).unwrap();
    let lost = vec![LOST.to_owned()];
    assert_eq!(sent(&request, "alpha"), (body(&[SEALED, &own, SAID]), lost.clone()));
    assert_eq!(sent(&request, "beta"), (body(&[&other, &own, SAID]), lost.clone()));
    assert_eq!(sent(&request, "gamma"), (body(&[&own, SAID]), lost.clone()));
    // What is not known to be its own is left out as well.
    let bare = request.without_state(Some(&of_provider("beta"))).unwrap();
    assert_eq!(sent(&*bare, "beta"), (body(&[&other, SAID]), lost.clone()));
    assert_eq!(sent(&*bare, "alpha"), (body(&[SAID]), lost.clone()));
    let bare = request.without_state(None).unwrap();
    assert_eq!(sent(&*bare, "alpha"), (body(&[SAID]), lost.clone()));
    let noted = request.with_note("be brief").unwrap();
    let (noted, dropped) = sent(&*noted, "beta");
    assert!(noted.contains("gBBB") && !noted.contains("gAAA"), "{noted}");
    assert_eq!(dropped, lost);
}
