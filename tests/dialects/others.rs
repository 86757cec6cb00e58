//! Everything besides answers: counts of tokens, vectors, completions of texts, models, keys, errors.

use serde_json::{Value, json};

use crate::scene::{KEY, Kind, setup, start, text_model};
use crate::support::{Gateway, Model, Provider, Reply, Setup};
use crate::tongue::{Tongue, list};

const COUNT: &str = "/v1/messages/count_tokens";

#[test]
fn tokens_are_counted_by_the_provider_that_can_and_estimated_for_others() {
    for kind in Kind::ALL {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        let client = gateway.client().with_header("anthropic-beta", "x-1");
        let body = json!({ "model": "one", "messages": [{ "role": "user", "content": "one two three" }] });
        let reply = client.post(COUNT, &body);
        assert_eq!(reply.status, 200, "{kind:?}: {}", reply.text());
        let tokens = reply.json()["input_tokens"].as_u64().unwrap();
        match kind {
            Kind::Anthropic => {
                assert_eq!(tokens, 3);
                let sent = alpha.last_request();
                assert_eq!(sent.path, COUNT);
                assert_eq!(
                    (sent.header("x-api-key"), sent.header("anthropic-beta")),
                    (Some(KEY), Some("x-1"))
                );
                assert_eq!(sent.text(), body.to_string().replace("\"one\"", "\"one-api\""));
                assert_eq!(reply.body, alpha.last_body());
            }
            Kind::Gemini => {
                assert_eq!(tokens, 3);
                assert_eq!(alpha.last_request().path, "/v1beta/models/one-api:countTokens");
            }
            _ => {
                assert!((3..60).contains(&tokens), "{kind:?}: {tokens}");
                let picture = json!({ "type": "base64", "media_type": "image/png", "data": "A".repeat(1_000_000) });
                let pictures = json!([{ "type": "tool_result", "tool_use_id": "t", "content": [
                    { "type": "image", "source": picture }, { "type": "text", "text": "and one more" }] },
                    { "type": "image", "source": picture }]);
                let call = json!([{ "type": "tool_use", "id": "t", "name": "look", "input": {} }]);
                let body = json!({ "model": "one", "messages": [{ "role": "user", "content": "look" },
                    { "role": "assistant", "content": call }, { "role": "user", "content": pictures }] });
                let tokens = client.post(COUNT, &body).json()["input_tokens"].as_u64().unwrap();
                assert!(
                    (3_136..3_400).contains(&tokens),
                    "{kind:?}: two pictures are {tokens} tokens"
                );
                assert_eq!(alpha.requests(), 0, "{kind:?} was asked");
            }
        }
        assert_eq!(alpha.bill(), []);
        gateway.finish();
    }
}

/// A gateway whose model `vectors` makes vectors, beside `one` that answers.
fn with_vectors(provider: &Provider, kind: Kind) -> Setup {
    let vectors = "capabilities = [\"embeddings\"]";
    setup(&[(provider, kind)]).toml(&format!(
        "[[models]]\nid = \"vectors\"\nprovider = \"{}\"\napi_model = \"vectors-api\"\nlayer = \"L0\"\n\
         context_window = 8000\nmax_output_tokens = 1\n{vectors}\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 0\n",
        provider.name()
    ))
}

#[test]
fn texts_become_the_same_vectors_at_every_kind_of_provider() {
    let mut all: Vec<(Value, Value)> = Vec::new();
    for kind in [Kind::Chat, Kind::Gemini, Kind::Ollama] {
        let alpha = Provider::start("alpha");
        let gateway = Gateway::start(with_vectors(&alpha, kind));
        let ask = |format: &str| {
            let body = json!({ "model": "vectors", "input": ["one two", "three"], "encoding_format": format });
            let reply = gateway.client().post("/v1/embeddings", &body);
            assert_eq!(reply.status, 200, "{kind:?}: {}", reply.text());
            let answer = reply.json();
            assert_eq!(answer["object"], "list");
            for (index, item) in list(&answer["data"]).iter().enumerate() {
                assert_eq!((&item["object"], &item["index"]), (&json!("embedding"), &json!(index)));
            }
            // Gemini's provider and Ollama's tell it too.
            assert_eq!(
                answer["usage"],
                json!({ "prompt_tokens": 3, "total_tokens": 3 }),
                "{kind:?}"
            );
            answer["data"].clone()
        };
        let (floats, base64) = (ask("float"), ask("base64"));
        assert_eq!(list(&floats).len(), 2);
        for (item, text) in list(&floats).iter().zip(list(&base64)) {
            let numbers: Vec<f32> = list(&item["embedding"])
                .iter()
                .map(|number| number.to_string().parse().unwrap())
                .collect();
            assert_eq!(decoded(text["embedding"].as_str().unwrap()), numbers, "{kind:?}");
        }
        let path = match kind {
            Kind::Gemini => "/v1beta/models/vectors-api:batchEmbedContents",
            Kind::Ollama => "/api/embed",
            _ => "/v1/embeddings",
        };
        let sent = alpha.last_request();
        let (name, value) = kind.auth();
        assert_eq!((sent.path.as_str(), sent.header(name)), (path, Some(value.as_str())));
        for call in gateway.wait_for_calls(2) {
            assert_eq!(
                (call.input_tokens, call.output_tokens, call.cost_nano_usd),
                (3, 0, 3_000)
            );
        }
        all.push((floats, base64));
        gateway.finish();
    }
    let numbers = |floats: &Value| -> Vec<Vec<Option<f64>>> {
        let vectors = list(floats).iter().map(|item| list(&item["embedding"]));
        vectors
            .map(|vector| vector.iter().map(Value::as_f64).collect())
            .collect()
    };
    for (floats, base64) in &all[1..] {
        assert_eq!((numbers(floats), base64), (numbers(&all[0].0), &all[0].1));
    }
}

/// The numbers in base64: four bytes each, the lowest first.
fn decoded(text: &str) -> Vec<f32> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = text.trim_end_matches('=').chars().flat_map(|letter| {
        let value = letters.find(letter).unwrap();
        (0..6).rev().map(move |place| u8::from(value >> place & 1 == 1))
    });
    let bits: Vec<u8> = bits.collect();
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit))
        .collect();
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[test]
fn a_model_that_makes_no_vectors_is_not_asked_for_any_and_the_other_for_no_answer() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(with_vectors(&alpha, Kind::Chat));
    let client = gateway.client();
    let refused = [
        client.post("/v1/embeddings", &json!({ "model": "one", "input": "x" })),
        client.post(Tongue::Chat.path(), &Tongue::Chat.ask("vectors", "x", false)),
    ];
    for reply in &refused {
        assert_eq!(
            reply.error(reply.status)["type"],
            "invalid_request_error",
            "{}",
            reply.text()
        );
        assert!((400..500).contains(&reply.status));
    }
    for body in [
        json!({ "model": "vectors" }),
        json!({ "model": "vectors", "input": "x", "encoding_format": "hex" }),
    ] {
        assert!(client.post("/v1/embeddings", &body).error(400)["param"].is_string());
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}

#[test]
fn a_text_is_gone_on_with_by_models_that_hold_conversations() {
    for kind in Kind::ALL {
        let alpha = Provider::start("alpha");
        let gateway = start(&[(&alpha, kind)]);
        for stream in [false, true] {
            let body = json!({ "model": "one", "prompt": "once upon", "max_tokens": 50, "stream": stream });
            let reply = gateway.client().post("/v1/completions", &body);
            assert_eq!(
                completed(&reply, stream),
                "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5",
                "{kind:?}"
            );
            let sent = alpha.last_request();
            assert_eq!(sent.path, kind.path("one-api", stream));
            assert_eq!(sent.messages().last().unwrap(), "once upon");
        }
        gateway.finish();
    }
}

#[test]
fn a_text_is_gone_on_with_as_it_is_by_models_made_for_that() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(setup(&[(&alpha, Kind::Chat)]).toml(&text_model("texts", &alpha)));
    for stream in [false, true] {
        let odd = format!(
            r#"{{ "model" : "texts", "prompt":"caf\u00e9" ,"temperature":0.70, "stream": {stream},
            "stream_options":{},"x_unknown":1.50 }}"#,
            if stream { r#"{"include_usage":true}"# } else { "null" }
        );
        let reply = gateway.client().post_bytes("/v1/completions", odd.as_bytes());
        assert_eq!(completed(&reply, stream), "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
        let sent = alpha.last_request();
        assert_eq!(sent.path, "/v1/completions");
        assert_eq!(sent.text(), odd.replace("\"texts\"", "\"texts-api\""));
        assert_eq!(reply.body, alpha.last_body());
    }
    gateway.finish();
}

/// The text that a completion adds.
#[track_caller]
fn completed(reply: &Reply, stream: bool) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let bodies: Vec<Value> = if stream {
        let mut events = reply.sse();
        assert!(events.pop().unwrap().is_done());
        events.into_iter().map(|event| event.data).collect()
    } else {
        vec![reply.json()]
    };
    let texts = bodies.iter().map(|body| {
        assert_eq!(body["object"], "text_completion");
        body["choices"][0]["text"].as_str().unwrap_or_default()
    });
    texts.collect()
}

#[test]
fn models_are_listed_and_shown_in_the_shape_that_the_client_knows() {
    let alpha = Provider::start("alpha");
    let slashed = "maker/model:free";
    let gateway = Gateway::start(setup(&[(&alpha, Kind::Anthropic)]).model(&Model::free(slashed, &alpha)));
    let openai = gateway.client();
    let anthropic = gateway.client().with_header("anthropic-version", "2023-06-01");
    let ids = |page: &Value| -> Vec<String> {
        let models = list(&page["data"]).iter();
        models.map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    };

    let all = openai.get("/v1/models").json();
    assert_eq!(all["object"], "list");
    let all = ids(&all);
    assert!(
        all.iter().any(|id| id == "one") && all.iter().any(|id| id == slashed),
        "{all:?}"
    );
    let (mut paged, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let page = anthropic.get(&format!("/v1/models{query}")).json();
        paged.extend(ids(&page));
        if page["has_more"] != true {
            break;
        }
        query = format!("?limit=1&after_id={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(paged, all);

    for id in ["one", slashed, "maker%2Fmodel:free"] {
        let named = id.replace("%2F", "/");
        println!("{id}");
        let model = openai.get(&format!("/v1/models/{id}")).json();
        assert_eq!((&model["id"], &model["object"]), (&json!(named), &json!("model")));
        let model = anthropic.get(&format!("/v1/models/{id}")).json();
        assert_eq!((&model["id"], &model["type"]), (&json!(named), &json!("model")));
    }
    for id in ["nobody", "maker/nobody", "one%00"] {
        let reply = openai.get(&format!("/v1/models/{id}"));
        assert_eq!(reply.error(404)["code"], "model_not_found");
        let reply = anthropic.get(&format!("/v1/models/{id}"));
        assert_eq!(reply.error(404)["type"], "not_found_error");
        assert_eq!(
            (&reply.json()["type"], reply.json()["request_id"].as_str()),
            (&json!("error"), Some(reply.request_id()))
        );
    }
    let head = openai.request("HEAD", "/");
    assert_eq!((head.status, head.body.len()), (200, 0));
    gateway.finish();
}

#[test]
fn either_vendors_header_brings_the_gateways_key_to_every_endpoint() {
    let alpha = Provider::start("alpha");
    let gateway =
        Gateway::start(setup(&[(&alpha, Kind::Gemini)]).env("GATEWAY_ADMIN_KEY", "gateway-key-0123456789-0123456789"));
    let anyone = gateway.anonymous();
    for tongue in Tongue::ALL {
        let body = tongue.ask("one", "hello", false);
        for (name, value) in [
            ("x-api-key", "gateway-key-0123456789-0123456789"),
            ("authorization", "Bearer gateway-key-0123456789-0123456789"),
        ] {
            let reply = anyone.with_header(name, value).post(tongue.path(), &body);
            assert_eq!(tongue.heard(&reply).text, "alpha-1 alpha-2 alpha-3 alpha-4 alpha-5");
            let sent = alpha.last_request();
            assert!(!format!("{:?}", sent.headers).contains("gateway-key"));
        }
        let asked = alpha.requests();
        for client in [
            anyone.clone(),
            anyone.with_header("x-api-key", "wrong"),
            anyone.with_header("authorization", "wrong"),
        ] {
            let reply = client.post(tongue.path(), &body);
            let error = reply.error(401);
            if tongue == Tongue::Messages {
                assert_eq!(
                    (&reply.json()["type"], &error["type"]),
                    (&json!("error"), &json!("authentication_error"))
                );
            } else {
                assert!(error["code"].is_string(), "{error}");
            }
        }
        assert_eq!(alpha.requests(), asked);
    }
    gateway.finish();
}

#[test]
fn bad_requests_are_refused_in_the_dialects_own_shape() {
    let alpha = Provider::start("alpha");
    let gateway = start(&[(&alpha, Kind::Chat)]);
    let client = gateway.client();
    for tongue in Tongue::ALL {
        let good = tongue.ask("one", "hello", false);
        let input = if tongue == Tongue::Responses {
            "input"
        } else {
            "messages"
        };
        let without = |field: &str| {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            body.to_string()
        };
        let mut unknown = good.clone();
        unknown["model"] = json!("nobody");
        let mut cases = vec![
            ("{".to_owned(), 400, ""),
            (String::new(), 400, ""),
            ("[]".to_owned(), 400, ""),
            (without("model"), 400, "model"),
            (without(input), 400, input),
            (unknown.to_string(), 404, "nobody"),
        ];
        if tongue == Tongue::Messages {
            cases.push((without("max_tokens"), 400, "max_tokens"));
        }
        for (body, status, named) in cases {
            let reply = client.post_bytes(tongue.path(), body.as_bytes());
            let error = reply.error(status);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(named), "{message} does not name {named}");
            let kind = if status == 404 {
                "not_found_error"
            } else {
                "invalid_request_error"
            };
            if tongue == Tongue::Messages {
                let body = reply.json();
                assert_eq!(
                    body,
                    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": reply.request_id() })
                );
            } else {
                let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["code", "message", "param", "type"], "{error}");
            }
        }
        let reply = client.get(tongue.path());
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    }
    assert_eq!(alpha.requests(), 0);
    gateway.finish();
}
