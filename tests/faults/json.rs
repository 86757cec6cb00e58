//! Rows B1 to B5 and B18: bodies that are not the JSON they claim to be.

use serde_json::json;

use crate::scene::{Scene, request};
use crate::support::chat;
use crate::{COMPLETIONS, WITH_BODY};

/// A good body of each endpoint.
fn good(path: &str) -> String {
    if path == COMPLETIONS {
        chat("hello").to_string()
    } else {
        json!({ "message": "hello" }).to_string()
    }
}

#[test]
fn b1_what_is_not_json_is_refused_as_such() {
    let scene = Scene::new();
    for path in WITH_BODY {
        let good = good(path);
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16_with_mark = [b"\xff\xfe".to_vec(), utf16.clone()].concat();
        for body in [
            b"".to_vec(),
            b" \r\n".to_vec(),
            b"{".to_vec(),
            b"nul".to_vec(),
            b"{\"message\":}".to_vec(),
            b"{'message':'x'}".to_vec(),
            good.as_bytes()[..good.len() - 1].to_vec(),
            format!("{good}x").into_bytes(),
            format!("{good}{good}").into_bytes(),
            format!("\u{feff}{good}").into_bytes(),
            utf16,
            utf16_with_mark,
        ] {
            scene.refuses(path, body, 400, "malformed_json");
        }
        for body in ["[]", "\"message\"", "7", "null", "true"] {
            scene.refuses(path, body, 400, "invalid_request");
        }
    }
    scene.finish();
}

#[test]
fn b2_text_that_is_not_unicode_is_refused() {
    let scene = Scene::new();
    for path in WITH_BODY {
        let good = good(path);
        let with = |text: &[u8]| {
            let (before, after) = good.split_once("hello").unwrap();
            [before.as_bytes(), text, after.as_bytes()].concat()
        };
        for bad in [
            &b"\xff\xfe"[..],
            b"\xc3\x28",
            b"\xed\xa0\x80",
            b"\xf5\x80\x80\x80",
            b"a\nb",
            b"a\0b",
            b"\\x41",
        ] {
            scene.refuses(path, with(bad), 400, "malformed_json");
        }
        let kind = if path == COMPLETIONS {
            "malformed_json"
        } else {
            "invalid_request"
        };
        for half in ["\\ud800", "\\ud83dx", "\\ude00"] {
            scene.refuses(path, with(half.as_bytes()), 400, kind);
        }
    }
    scene.finish();
}

#[test]
fn b3_the_character_zero_is_refused_where_it_would_be_stored() {
    let scene = Scene::new();
    for path in ["/v1/chat", "/v1/route"] {
        for field in [
            "message",
            "conversationId",
            "clientMessageId",
            "userId",
            "projectId",
            "model",
        ] {
            let mut body = json!({ "message": "hello" });
            body[field] = json!("a\0b");
            let error = scene.refuses(path, body.to_string(), 400, "invalid_request");
            assert_eq!(error["param"], field);
        }
    }
    scene.finish();
}

#[test]
fn b3_the_character_zero_goes_through_the_openai_endpoint_as_it_came() {
    let scene = Scene::new();
    scene.expect_calls(1);
    let body = chat("a\0b").to_string();
    assert_eq!(scene.client().post_bytes(COMPLETIONS, body).status, 200);
    assert!(scene.alpha.last_request().text().contains("a\\u0000b"));
    scene.finish();
}

#[test]
fn b4_nesting_without_end_is_refused() {
    let scene = Scene::new();
    let lists = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let with = |path: &str, value: &str| {
        if path == COMPLETIONS {
            format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"x"}}],"x":{value}}}"#)
        } else {
            format!(r#"{{"message":{value}}}"#)
        }
    };
    for path in WITH_BODY {
        // The OpenAI endpoint looks at the whole body first, the others at one field after the other.
        let kind = if path == COMPLETIONS {
            "malformed_json"
        } else {
            "invalid_request"
        };
        for (endless, first_sight) in [("[", kind), ("{\"a\":", "malformed_json")] {
            let endless = endless.repeat(200_000);
            scene.refuses(path, endless.clone(), 400, first_sight);
            scene.refuses(path, with(path, &endless), 400, "malformed_json");
        }
        // With the object around it, one level more than is read.
        for levels in [128, 129, 200, 200_000] {
            for value in [lists(levels), objects(levels)] {
                scene.refuses(path, with(path, &value), 400, kind);
            }
        }
    }
    // Deeper than anything that clients send, and carried through.
    for value in [lists(100), objects(100)] {
        scene.expect_calls(1);
        let reply = scene.client().post_bytes(COMPLETIONS, with(COMPLETIONS, &value));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(scene.alpha.last_request().text().contains(&value));
    }
    scene.finish();
}

#[test]
fn b5_a_field_given_twice_is_refused_by_name() {
    let scene = Scene::new();
    for (path, body, param) in [
        ("/v1/chat", r#"{"message":"a","message":"b"}"#, "message"),
        ("/v1/route", r#"{"message":"a","layer":"L0","layer":"L1"}"#, "layer"),
        ("/v1/chat", "{\"message\":\"a\",\"m\\u0065ssage\":\"b\"}", "message"),
        (
            COMPLETIONS,
            r#"{"model":"auto","model":"x","messages":[{"role":"user","content":"a"}]}"#,
            "model",
        ),
        (
            COMPLETIONS,
            r#"{"model":"auto","messages":[{"role":"user","content":"a"}],"messages":[]}"#,
            "messages",
        ),
        (
            COMPLETIONS,
            r#"{"model":"auto","stream":false,"stream":true,"messages":[{"role":"user"}]}"#,
            "stream",
        ),
        (
            COMPLETIONS,
            r#"{"model":"auto","max_tokens":1,"max_tokens":2,"messages":[{"role":"user","content":"a"}]}"#,
            "max_tokens",
        ),
        (
            COMPLETIONS,
            r#"{"model":"auto","messages":[{"role":"user","role":"system"}]}"#,
            "messages[0].role",
        ),
    ] {
        let error = scene.refuses(path, body, 400, "invalid_request");
        assert_eq!(error["param"], param, "{body}");
    }
    scene.finish();
}

#[test]
fn b18_only_json_in_utf8_is_read() {
    let scene = Scene::new();
    for path in WITH_BODY {
        let good = good(path);
        let length = format!("content-length: {}", good.len());
        for kind in [
            "x-no: type",
            "content-type:",
            "content-type: text/plain",
            "content-type: application/jsonx",
            "content-type: application/json; charset=utf-16",
            "content-type: multipart/form-data; boundary=x",
            "content-type: application/x-www-form-urlencoded",
        ] {
            let headers = ["host: localhost", "connection: close", &length, kind];
            let bytes = request(&format!("POST {path}"), &headers, &good);
            scene.refuses_raw(bytes, 415, "unsupported_media_type");
        }
        for kind in [
            "application/json",
            "Application/JSON; charset=\"UTF-8\"",
            "application/json;x=y",
        ] {
            scene.expect_calls(1);
            let client = scene.client().with_header("content-type", kind);
            assert_eq!(client.post_bytes(path, good.clone()).status, 200, "{kind}");
        }
    }
    scene.finish();
}
