//! The edge as a client sees it, over small fakes of everything behind it.

use std::sync::Arc;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::TestRequest;
use actix_web::{Error, test};
use bytes::Bytes;
use gateway_actors::protocol::{
    Answer, AnswerStream, Completion, ErrorKind, GatewayError, NanoUsd, Served, TokenUsage, TurnAnswer, UsageReport,
    UsageSource,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::middleware::Access;
use super::routes::TABLE;
use super::shared::Lifecycle;
use super::testing::{ADMIN_KEY, Told, app, keyed_parts, model, parts};

const CHAT: &str = "/v1/chat/completions";

fn completion_request(body: &'static str) -> TestRequest {
    TestRequest::post()
        .uri(CHAT)
        .insert_header((header::HOST, "localhost:3000"))
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body)
}

fn local(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(method)
        .insert_header((header::HOST, "127.0.0.1"))
}

async fn send<S>(app: &S, request: TestRequest) -> ServiceResponse<BoxBody>
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    test::call_service(app, request.to_request()).await
}

async fn json_of(response: ServiceResponse<BoxBody>) -> Value {
    let body = to_bytes(response.into_body()).await.unwrap();
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"))
}

fn served() -> Served {
    Served {
        model: Arc::new(model("small", "alpha")),
        attempts: Vec::new(),
        usage: TokenUsage::default(),
        usage_source: UsageSource::Reported,
        cost: NanoUsd(2_000_000),
        dropped: Vec::new(),
        routing: None,
        end: None,
    }
}

fn completion(body: &'static str) -> Completion {
    Completion {
        status: 200,
        body: Bytes::from_static(body.as_bytes()),
        usage: UsageReport::Missing,
    }
}

#[actix_web::test]
async fn an_answer_goes_out_as_the_bytes_that_came_with_the_model_in_its_headers() {
    const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"}}],  "vendor": 1 }"#;
    let pipeline = Told {
        complete: Box::new(|_| {
            Ok(Answer {
                completion: completion(ANSWER),
                served: served(),
            })
        }),
        ..Told::default()
    };
    let app = app(parts(), pipeline).await;
    let request = completion_request(r#"{"model":"small","messages":[{"role":"user","content":"hi"}]}"#);
    let response = send(&app, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("vary"), "authorization, x-api-key");
    assert_eq!(header("x-gateway-model"), "small");
    assert_eq!(header("x-gateway-provider"), "alpha");
    assert_eq!(header("x-gateway-layer"), "L0");
    assert!(header("x-request-id").starts_with("req_"));
    assert_eq!(to_bytes(response.into_body()).await.unwrap(), ANSWER);
}

#[actix_web::test]
async fn a_stream_keeps_its_place_until_its_last_byte() {
    let (sender, events) = mpsc::channel(4);
    let events = std::cell::RefCell::new(Some(events));
    let pipeline = Told {
        stream: Box::new(move |_| {
            Ok(AnswerStream {
                model: Arc::new(model("small", "alpha")),
                dropped: Vec::new(),
                routing: None,
                events: events.take().unwrap(),
            })
        }),
        ..Told::default()
    };
    let app = app(parts(), pipeline).await;
    let body = r#"{"model":"auto","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let response = send(&app, completion_request(body)).await;
    assert_eq!(
        response.headers().get("content-type").unwrap(),
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(response.headers().get("x-accel-buffering").unwrap(), "no");
    let in_flight = async || json_of(send(&app, local(Method::GET, "/v1/server-stats")).await).await;
    let during = in_flight().await;
    assert_eq!(
        (&during["gateway"]["inFlight"], &during["requests"]["total"]),
        (&json!(1), &json!(0))
    );
    sender.send(Ok(Bytes::from_static(b"data: {}\n\n"))).await.unwrap();
    sender.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await.unwrap();
    sender.send(Ok(Bytes::new())).await.unwrap();
    drop(sender);
    assert_eq!(
        to_bytes(response.into_body()).await.unwrap(),
        "data: {}\n\ndata: [DONE]\n\n"
    );
    let after = in_flight().await;
    assert_eq!(
        (&after["gateway"]["inFlight"], &after["requests"]["total"]),
        (&json!(0), &json!(1))
    );
}

#[actix_web::test]
async fn an_error_of_the_pipeline_has_the_shape_of_its_route() {
    let busy = || {
        let after = std::time::Duration::from_millis(1_200);
        GatewayError::new(ErrorKind::NoProviderAvailable, "no model can be asked").with_retry_after(after)
    };
    let pipeline = Told {
        complete: Box::new(move |_| Err(busy())),
        turn: Box::new(move |_| Err(busy())),
        ..Told::default()
    };
    let app = app(parts(), pipeline).await;
    let response = send(
        &app,
        completion_request(r#"{"model":"a","messages":[{"role":"user","content":"x"}]}"#),
    )
    .await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get("retry-after").unwrap(), "2");
    assert_eq!(json_of(response).await["error"]["code"], "no_provider_available");

    let response = send(&app, completion_request(r#"{"message":"hi"}"#).uri("/v1/chat")).await;
    let id = response
        .headers()
        .get("x-request-id")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let body = json_of(response).await;
    assert_eq!(
        body["error"],
        json!({
            "type": "no_provider_available",
            "message": "no model can be asked",
            "requestId": id,
            "retryAfterMs": 1_200
        })
    );
}

#[actix_web::test]
async fn a_message_is_a_turn_of_its_conversation_and_a_lone_question_is_not() {
    let pipeline = Told {
        complete: Box::new(|_| {
            Ok(Answer {
                completion: completion(r#"{"choices":[{"message":{"role":"assistant","content":"alone"}}]}"#),
                served: served(),
            })
        }),
        turn: Box::new(|call| {
            assert_eq!(&*call.message, "hi");
            Ok(TurnAnswer {
                text: format!("in {}", call.conversation).into(),
                served: Some(served()),
                user_seq: Some(1),
                stored: true,
            })
        }),
        ..Told::default()
    };
    let app = app(parts(), pipeline).await;
    let ask = async |path, body| json_of(send(&app, completion_request(body).uri(path)).await).await;

    let alone = ask("/v1/route", r#"{"message":"hi"}"#).await;
    assert_eq!(alone["result"]["response"], "alone");
    assert!(
        alone["context"]["conversationId"]
            .as_str()
            .unwrap()
            .starts_with("conv-")
    );
    assert_eq!(alone["performance"]["costNanoUsd"], 2_000_000);

    let turn = ask("/v1/route", r#"{"message":"hi","conversationId":"c-1"}"#).await;
    assert_eq!(turn["result"]["response"], "in c-1");
    let chat = ask("/v1/chat", r#"{"message":"hi"}"#).await;
    let id = chat["context"]["conversationId"].as_str().unwrap();
    assert_eq!(chat["result"]["response"], format!("in {id}"));
}

#[actix_web::test]
async fn k1_a_panic_is_a_json_answer_and_the_next_request_is_served() {
    let app = app(parts(), Told::default()).await;
    let body = r#"{"model":"small","messages":[{"role":"user","content":"hi"}]}"#;
    let response = send(&app, completion_request(body)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(json_of(response).await["error"]["code"], "internal");
    let stats = json_of(send(&app, local(Method::GET, "/v1/server-stats")).await).await;
    assert_eq!(stats["gateway"]["inFlight"], 0);
}

#[actix_web::test]
async fn every_route_but_live_and_ready_wants_the_key() {
    let app = app(keyed_parts(), Told::default()).await;
    let open: Vec<&str> = TABLE
        .iter()
        .filter(|rule| rule.access == Access::Open)
        .map(|rule| rule.path)
        .collect();
    assert_eq!(open, ["/health/live", "/health/ready"]);
    for rule in TABLE {
        let path = rule.path.replace("{id}", "conv-1").replace("{actor}", "router");
        for method in [
            Method::GET,
            Method::POST,
            Method::HEAD,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let response = send(&app, local(method.clone(), &path)).await;
            let is_refused = response.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(
                is_refused,
                rule.access != Access::Open,
                "{method} {path}: {}",
                response.status()
            );
            if is_refused {
                assert_eq!(response.headers().get("www-authenticate").unwrap(), "Bearer");
            }
        }
    }
    let with_key = local(Method::GET, "/v1/models").insert_header(("x-api-key", ADMIN_KEY));
    assert_eq!(send(&app, with_key).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn without_a_key_only_local_hosts_are_served() {
    let app = app(parts(), Told::default()).await;
    for rule in TABLE {
        let path = rule.path.replace("{id}", "conv-1").replace("{actor}", "nobody");
        let rebound = local(Method::GET, &path).insert_header((header::HOST, "rebound.example"));
        let is_refused = send(&app, rebound).await.status() == StatusCode::FORBIDDEN;
        assert_eq!(is_refused, rule.access != Access::Open, "{path}");
    }
    assert_eq!(
        send(&app, local(Method::GET, "/v1/models")).await.status(),
        StatusCode::OK
    );
}

#[actix_web::test]
async fn unknown_paths_and_methods_get_json() {
    let app = app(parts(), Told::default()).await;
    for path in [
        "/nowhere",
        "//v1/chat",
        "/v1/./chat",
        "/v1/%2e%2e/health",
        "/V1/Chat",
        "/v1/chat/",
        "/v1",
    ] {
        let response = send(&app, local(Method::POST, path)).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let body = json_of(response).await;
        assert_eq!(body["error"]["type"], "not_found", "{path}");
        assert!(body["error"]["requestId"].is_string(), "{path}");
    }
    for (path, allow) in [
        (CHAT, "POST"),
        ("/v1/chat", "POST"),
        ("/health", "GET, HEAD"),
        ("/", "GET, HEAD"),
    ] {
        let response = send(&app, local(Method::DELETE, path)).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers().get("allow").unwrap(), allow, "{path}");
    }
    assert_eq!(send(&app, local(Method::HEAD, "/")).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn bad_bodies_are_refused_before_anything_else_happens() {
    let mut parts = parts();
    parts.settings.native_body_bytes = 64;
    let app = app(parts, Told::default()).await;
    let ask = |body: &'static str| completion_request(body).uri("/v1/chat");
    let cases = [
        (ask("{"), 400, "malformed_json"),
        (ask(r#"{"message":"hi","budget":1}"#), 400, "invalid_request"),
        (
            ask(r#"{"message":"hi"}"#).insert_header(("content-type", "text/plain")),
            415,
            "unsupported_media_type",
        ),
        (
            ask(r#"{"message":"hi"}"#).insert_header(("content-encoding", "gzip")),
            415,
            "unsupported_media_type",
        ),
        (
            ask(r#"{"message":"hi"}"#).insert_header(("content-length", "65")),
            413,
            "payload_too_large",
        ),
        (
            ask(r#"{"message":"hi"}"#).insert_header(("x-request-timeout-ms", "0")),
            400,
            "invalid_header",
        ),
        (local(Method::GET, "/v1/context/a%2Fb"), 400, "invalid_request"),
        (
            local(Method::GET, "/v1/context/conv-1?limit=5001"),
            400,
            "invalid_request",
        ),
        (local(Method::GET, "/v1/context/conv-2"), 404, "not_found"),
    ];
    for (request, status, kind) in cases {
        let response = send(&app, request).await;
        assert_eq!(response.status().as_u16(), status, "{kind}");
        assert_eq!(json_of(response).await["error"]["type"], kind);
    }
    let long = completion_request(r#"{"message":"hi","userId":"01234567890123456789012345678901234567890123456789"}"#);
    assert_eq!(
        send(&app, long.uri("/v1/chat")).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[actix_web::test]
async fn a_process_that_drains_refuses_work_but_tells_how_it_is() {
    let (lifecycle, watcher) = watch::channel(Lifecycle::Serving);
    let mut parts = parts();
    parts.lifecycle = watcher;
    let app = app(parts, Told::default()).await;
    let ready = async || send(&app, local(Method::GET, "/health/ready")).await.status();
    assert_eq!(ready().await, StatusCode::OK);
    lifecycle.send(Lifecycle::Draining).unwrap();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let response = send(&app, completion_request("{}")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.response().head().keep_alive());
    assert_eq!(json_of(response).await["error"]["code"], "draining");
    let health = json_of(send(&app, local(Method::GET, "/health")).await).await;
    assert_eq!(health["status"], "draining");
    assert_eq!(
        send(&app, local(Method::GET, "/health/live")).await.status(),
        StatusCode::OK
    );
}

#[actix_web::test]
async fn health_and_stats_have_the_shape_that_clients_know() {
    let app = app(parts(), Told::default()).await;
    let health = json_of(send(&app, local(Method::GET, "/health")).await).await;
    assert_eq!(
        (&health["status"], &health["redis"], &health["database"]),
        (&json!("ok"), &Value::Null, &json!(true))
    );
    assert_eq!(health["layers"]["L0"], json!({"models": 1, "available": 1}));
    assert_eq!(health["providers"]["alpha"]["models"]["small"]["state"], "closed");

    let stats = json_of(send(&app, local(Method::GET, "/v1/server-stats")).await).await;
    assert_eq!(
        stats["llm"]["cost"],
        json!({"total": 0, "totalNanoUsd": 0, "currency": "USD"})
    );
    assert_eq!(stats["llm"]["tokens"], json!({"input": 0, "output": 0, "total": 0}));
    assert_eq!(stats["providers"], json!({"alpha": true}));
    assert_eq!(stats["memory"]["unit"], "MB");
    assert!(stats["uptime"]["formatted"].is_string() && stats["requests"]["averageDuration"].is_number());

    let models = json_of(send(&app, local(Method::GET, "/v1/models")).await).await;
    assert_eq!(
        (&models["object"], &models["data"][0]["id"]),
        (&json!("list"), &json!("small"))
    );
    assert_eq!(models["data"][0]["gateway"]["prices"]["inputUsdPerMtok"], 0);

    let page = json_of(send(&app, local(Method::GET, "/v1/context/conv-1")).await).await;
    let empty = json!({"conversationId": "conv-1", "summary": null, "messages": [], "todos": [], "nextBefore": null});
    assert_eq!(page, empty);
}

#[cfg(feature = "fault-injection")]
#[actix_web::test]
async fn a_fault_is_injected_into_an_actor_that_exists() {
    let app = app(parts(), Told::default()).await;
    let status = async |path| send(&app, local(Method::POST, path)).await.status();
    assert_eq!(status("/v1/faults/router").await, StatusCode::ACCEPTED);
    assert_eq!(status("/v1/faults/nobody").await, StatusCode::NOT_FOUND);
}
