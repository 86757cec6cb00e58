//! Rows B6 to B21: fields that are unknown, missing, of the wrong type or out of their range.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::Scene;
use crate::support::{Gateway, Model, Provider, Setup, chat};

const NATIVE: [&str; 2] = ["/v1/chat", "/v1/route"];

/// Refused by both native endpoints, which name the field.
#[track_caller]
fn native_refuses(scene: &Scene, field: &str, value: &str) {
    let rest = if field == "message" {
        ""
    } else {
        r#""message":"hello","#
    };
    for path in NATIVE {
        let error = scene.refuses(path, format!("{{{rest}\"{field}\":{value}}}"), 400, "invalid_request");
        assert_eq!(error["param"], field, "{value}");
    }
}

/// Refused by the OpenAI endpoint, which names the field.
#[track_caller]
fn openai_refuses(scene: &Scene, field: &str, value: &str) {
    let good = r#""model":"auto","messages":[{"role":"user","content":"hello"}]"#;
    let body = match field {
        "model" => format!("{{\"model\":{value},\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}"),
        "messages" => format!("{{\"model\":\"auto\",\"messages\":{value}}}"),
        field => format!("{{{good},\"{field}\":{value}}}"),
    };
    let error = scene.refuses(COMPLETIONS, body, 400, "invalid_request");
    let param = error["param"].as_str().unwrap();
    assert!(param.starts_with(field), "{param} for {field}: {value}");
}

#[test]
fn b6_fields_nobody_knows_are_refused_by_name_on_native_endpoints() {
    let scene = Scene::new();
    for field in [
        "api_base",
        "role",
        "budget",
        "mode",
        "task",
        "quality",
        "stream",
        "__proto__",
        "Message",
        "",
    ] {
        native_refuses(&scene, field, "1");
    }
    scene.finish();
}

#[test]
fn b6_fields_nobody_knows_reach_the_provider_as_they_came_on_the_openai_endpoint() {
    let scene = Scene::new();
    let extra = r#""x_vendor":{"deep":[1.50,-0,1e2]},"api_base":"http://evil.example""#;
    let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"hi"}}],{extra}}}"#);
    scene.expect_calls(1);
    assert_eq!(scene.client().post_bytes(COMPLETIONS, body).status, 200);
    assert!(scene.alpha.last_request().text().contains(extra));
    scene.finish();
}

#[test]
fn b7_values_of_the_wrong_type_are_refused_by_name() {
    let scene = Scene::new();
    for value in ["5", "[]", "{}", "null", "true", "1.5"] {
        native_refuses(&scene, "message", value);
    }
    for field in [
        "conversationId",
        "clientMessageId",
        "userId",
        "model",
        "layer",
        "qualityLevel",
        "taskType",
    ] {
        for value in ["5", "[]", "{}", "true"] {
            native_refuses(&scene, field, value);
        }
    }
    for value in ["5", "[]", "{}", "null", "true", "\"\""] {
        openai_refuses(&scene, "model", value);
    }
    for value in [
        "5",
        "{}",
        "null",
        "\"hi\"",
        "[]",
        "[5]",
        "[{}]",
        "[{\"role\":5}]",
        "[null]",
    ] {
        openai_refuses(&scene, "messages", value);
    }
    for (field, value) in [
        ("stream", "\"yes\""),
        ("stream", "1"),
        ("stream_options", "[]"),
        ("max_tokens", "\"9\""),
    ] {
        openai_refuses(&scene, field, value);
    }
    scene.finish();
}

#[test]
fn b8_required_fields_that_are_missing_are_named() {
    let scene = Scene::new();
    for path in NATIVE {
        for body in [
            "{}",
            r#"{"conversationId":"c"}"#,
            r#"{"message":null}"#,
            r#"{"model":"auto","layer":"L0","maxTokens":5}"#,
        ] {
            let error = scene.refuses(path, body, 400, "invalid_request");
            assert_eq!(error["param"], "message", "{body}");
            assert!(error["message"].as_str().unwrap().contains("`message`"), "{error}");
        }
    }
    for (body, param) in [
        ("{}", "model"),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#, "model"),
        (r#"{"model":"auto"}"#, "messages"),
        (r#"{"model":"auto","messages":[{"content":"x"}]}"#, "messages[0].role"),
    ] {
        let error = scene.refuses(COMPLETIONS, body, 400, "invalid_request");
        assert_eq!(error["param"], param, "{body}");
    }
    // Nothing else is required: without a conversation nothing is remembered.
    for path in NATIVE {
        scene.expect_calls(1);
        assert_eq!(scene.client().post(path, &json!({ "message": "hello" })).status, 200);
    }
    scene.finish();
}

#[test]
fn b9_messages_without_a_word_are_refused() {
    let scene = Scene::new();
    for message in ["", " ", "\t\r\n", "\u{a0}\u{2003}"] {
        native_refuses(&scene, "message", &json!(message).to_string());
    }
    scene.finish();
}

#[test]
fn b10_conversation_ids_are_letters_digits_dots_underscores_and_dashes() {
    let scene = Scene::new();
    let long = "x".repeat(129);
    for id in [
        "",
        &long,
        "a\u{1}b",
        "a/b",
        "../x",
        "a%00b",
        "\u{1f600}",
        "\u{202e}x",
        "conv:messages:x",
        "*",
        "a b",
        "a\r\nb",
    ] {
        native_refuses(&scene, "conversationId", &json!(id).to_string());
    }
    native_refuses(&scene, "conversationId", "0");
    let client = scene.client();
    for path in [
        "..%2fx",
        "a%00b",
        "a%0d%0ab",
        "a%ff",
        "a%zz",
        "*",
        "conv:messages:x",
        &long,
    ] {
        let reply = client.get(&format!("/v1/context/{path}"));
        let error = scene.assert_refused(&reply, 400, "invalid_request");
        assert!(error["param"].is_string(), "{error}");
    }
    // Dots are letters here, not steps: this is one conversation like any other.
    scene.expect_calls(1);
    let body = json!({ "message": "hello", "conversationId": "..a" });
    assert_eq!(client.post("/v1/chat", &body).status, 200);
    assert_eq!(client.get("/v1/context/..a").json()["messages"][0]["content"], "hello");
    scene.finish();
}

#[test]
fn b11_a_message_that_fits_no_window_is_refused_before_it_is_sent() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new()
        .provider(&alpha)
        .model(&Model::free("alpha-small", &alpha).window(1_000));
    let gateway = Gateway::start(setup);
    let message = "word ".repeat(400_000);
    for (path, body) in [
        ("/v1/chat", json!({ "message": message })),
        ("/v1/route", json!({ "message": message })),
        (COMPLETIONS, chat(&message)),
    ] {
        let reply = gateway.client().post(path, &body);
        let error = reply.error(422);
        assert!(error.to_string().contains("context_"), "{error}");
    }
    assert_eq!((alpha.requests(), gateway.calls().len()), (0, 0));
    gateway.finish();
}

#[test]
fn b12_words_outside_their_list_are_refused_with_the_list() {
    const LAYERS: [&str; 4] = ["L0", "L1", "L2", "L3"];
    let scene = Scene::new();
    let lists: [(&str, &[&str]); 4] = [
        ("qualityLevel", &["normal", "high", "critical"]),
        ("taskType", &["chat", "code", "analyze", "create-project", "general"]),
        ("layer", &LAYERS),
        ("maxLayer", &LAYERS),
    ];
    for (field, known) in lists {
        let upper = format!("\"{} \"", known[0]);
        for value in ["\"ultra\"", "\"exec\"", "\"\"", "\"l1\"", "7", "[\"L0\"]", &upper] {
            native_refuses(&scene, field, value);
        }
        for path in NATIVE {
            let body = format!(r#"{{"message":"x","{field}":"ultra"}}"#);
            let error = scene.refuses(path, body, 400, "invalid_request");
            for word in known {
                assert!(error["message"].as_str().unwrap().contains(word), "{word}: {error}");
            }
        }
    }
    // The words of other endpoints are no fields of these.
    for (field, value) in [("mode", "\"exec\""), ("quality", "7"), ("quality", "\"high\"")] {
        native_refuses(&scene, field, value);
    }
    scene.finish();
}

#[test]
fn b13_token_limits_out_of_their_range_are_refused() {
    let scene = Scene::new();
    for value in [
        "0",
        "-1",
        "1e9",
        "1.5",
        "\"100\"",
        "1000001",
        "1e400",
        "9007199254740993",
    ] {
        native_refuses(&scene, "maxTokens", value);
    }
    for value in ["0", "-1", "1.5", "\"100\"", "1e400"] {
        openai_refuses(&scene, "max_tokens", value);
        openai_refuses(&scene, "max_completion_tokens", value);
    }
    scene.refuses("/v1/chat", r#"{"message":"x","maxTokens":NaN}"#, 400, "malformed_json");
    scene.finish();
}

#[test]
fn b14_temperatures_out_of_their_range_are_refused_and_zero_is_sent_as_zero() {
    let scene = Scene::new();
    for value in ["-0.1", "2.1", "1e999", "\"hot\"", "[]"] {
        native_refuses(&scene, "temperature", value);
    }
    for (path, body) in [
        ("/v1/route", json!({ "message": "x", "temperature": 0 })),
        (COMPLETIONS, {
            let mut body = chat("x");
            body["temperature"] = json!(0);
            body
        }),
    ] {
        scene.expect_calls(1);
        assert_eq!(scene.client().post(path, &body).status, 200);
        assert_eq!(
            scene.alpha.last_request().json()["temperature"].as_f64(),
            Some(0.0),
            "{path}"
        );
    }
    scene.finish();
}

#[test]
fn b15_files_are_no_field_and_nothing_is_read() {
    let scene = Scene::new();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for value in [
        json!("x"),
        json!([]),
        json!(["../../etc/passwd"]),
        json!(["/proc/sys/kernel/hostname"]),
        json!(["file:///proc/sys/kernel/hostname"]),
        json!(vec!["x"; 10_000]),
        json!(["x".repeat(1024 * 1024)]),
    ] {
        native_refuses(&scene, "files", &value.to_string());
    }
    // A provider gets it as it came, and nothing of what such a name stands for.
    let mut body = chat("read it");
    body["files"] = json!(["/proc/sys/kernel/hostname", "../../etc/passwd"]);
    scene.expect_calls(1);
    assert_eq!(scene.client().post(COMPLETIONS, &body).status, 200);
    let sent = scene.alpha.last_request();
    assert_eq!(sent.json()["files"], body["files"]);
    assert!(!sent.text().contains(&format!("\"{}\"", host.trim())) && !sent.text().contains("root:"));
    scene.finish();
}

#[test]
fn b16_context_is_no_field_whatever_is_in_it() {
    let scene = Scene::new();
    for value in [
        json!({ "files": "x" }),
        json!({ "files": ["a"] }),
        json!({ "gitStatus": {} }),
        json!({ "gitStatus": "M a" }),
        json!({}),
        json!([]),
        json!("x"),
        json!(7),
        json!(null),
    ] {
        native_refuses(&scene, "context", &value.to_string());
    }
    scene.finish();
}

#[test]
fn b17_numbers_are_no_ids() {
    let scene = Scene::new();
    for field in ["conversationId", "clientMessageId", "userId", "projectId"] {
        for value in ["1e400", "-0", "9007199254740993", "NaN"] {
            let kind = if value == "NaN" {
                "malformed_json"
            } else {
                "invalid_request"
            };
            let body = format!(r#"{{"message":"x","{field}":{value}}}"#);
            scene.refuses("/v1/chat", body, 400, kind);
        }
    }
    scene.finish();
}

#[test]
fn b19_queries_out_of_their_range_are_refused() {
    let scene = Scene::new();
    for query in [
        "limit=abc",
        "limit=-1",
        "limit=0",
        "limit=1000000000",
        "limit=5001",
        "limit=9223372036854775808",
        "limit=1.5",
        "limit=%31%00",
        "limit=1&limit=1",
        "limit=1&%6cimit=2",
        "limit=",
        "limit",
        "before=0",
        "before=x",
        "before=-1",
        "startDate=yesterday",
        "userId=a",
    ] {
        let reply = scene.client().get(&format!("/v1/context/c?{query}"));
        let error = scene.assert_refused(&reply, 400, "invalid_request");
        let name = query.split('=').next().unwrap();
        assert_eq!(error["param"], name, "{query}");
    }
    scene.expect_calls(1);
    let turn = json!({ "message": "hello", "conversationId": "c" });
    assert_eq!(scene.client().post("/v1/chat", &turn).status, 200);
    for (query, messages) in [("limit=1", 1), ("limit=5000", 2), ("before=2&limit=9", 1), ("", 2)] {
        let page = scene.client().get(&format!("/v1/context/c?{query}")).json();
        assert_eq!(page["messages"].as_array().unwrap().len(), messages, "{query}: {page}");
    }
    // Statistics have no filters: none is taken for one that finds nothing.
    for query in [
        "startDate=yesterday",
        "startDate=2026-02-01&endDate=2026-01-01",
        "userId=a&userId=b",
        "limit=1",
        "=",
    ] {
        let reply = scene.client().get(&format!("/v1/server-stats?{query}"));
        let error = scene.assert_refused(&reply, 400, "invalid_request");
        assert_eq!(error["param"], query.split('=').next().unwrap(), "{query}");
    }
    assert_eq!(scene.client().get("/v1/server-stats?").status, 200);
    // Client libraries send queries along here, which change nothing.
    let models = scene.client().get("/v1/models");
    assert_eq!(
        scene.client().get("/v1/models?limit=abc&after_id=x").json(),
        models.json()
    );
    scene.finish();
}

#[test]
fn b20_groupings_are_refused_where_there_are_none() {
    let scene = Scene::new();
    for path in ["/v1/server-stats", "/v1/context/c"] {
        for grouping in [
            "__proto__",
            "constructor",
            "model",
            "model;drop",
            "model,model",
            "",
            "%27%20OR%201=1",
        ] {
            let reply = scene.client().get(&format!("{path}?groupBy={grouping}"));
            let error = scene.assert_refused(&reply, 400, "invalid_request");
            assert_eq!(error["param"], "groupBy", "{path} {grouping}");
        }
    }
    scene.finish();
}

#[test]
fn b21_templates_are_text() {
    let scene = Scene::new();
    let text = "{{7*7}} ${7*7} %n%s $(id) `id` <%= 7*7 %> {0} \\n ' OR 1=1 --";
    scene.expect_calls(2);
    let body = json!({ "message": text, "conversationId": "templates", "userId": "%n${7*7}" });
    assert_eq!(scene.client().post("/v1/chat", &body).status, 200);
    assert_eq!(scene.alpha.last_request().messages(), [text]);
    let stored = scene.client().get("/v1/context/templates").json();
    assert_eq!(stored["messages"][0]["content"], text);
    assert_eq!(scene.client().post(COMPLETIONS, &chat(text)).status, 200);
    assert_eq!(scene.alpha.last_request().messages(), [text]);
    let model = json!({ "model": "{{7*7}}", "messages": [{ "role": "user", "content": "x" }] });
    let error = scene.refuses(COMPLETIONS, model.to_string(), 404, "model_not_found");
    assert!(error["message"].as_str().unwrap().contains("{{7*7}}"), "{error}");
    scene.finish();
}
