//! Offers over HTTP, over a pipeline that is told what to answer and offers in memory.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use actix_web::{Error, test};
use gateway_actors::protocol::{
    Answer, Completion, ErrorKind, EscalationState, Layer, Leave, PlanRequest, TurnAnswer, UsageReport,
};
use gateway_actors::testkit::MemoryNotes;
use serde_json::{Value, json};

use crate::escalation::Offers;
use crate::http::shared::EdgeParts;
use crate::http::testing::{ADMIN_KEY, Told, app, keyed_parts, need, parts, served_with, story};

/// What the pipeline was asked, in order: the plan, and the place of the answer that is to be replaced.
type Asked = Rc<RefCell<Vec<(PlanRequest, Option<i64>)>>>;

/// Answers whoever asks: without leave there is something to offer, with leave there is not.
fn pipeline() -> (Told, Asked) {
    let asked = Asked::default();
    let (whole, turns) = (Rc::clone(&asked), Rc::clone(&asked));
    let served = |plan: &PlanRequest| {
        let escalation = (plan.wish.leave == Leave::Standing).then(need);
        served_with(Some(story(escalation)))
    };
    let told = Told {
        complete: Box::new(move |call| {
            let served = served(&call.plan);
            whole.borrow_mut().push((call.plan, None));
            Ok(Answer {
                completion: Completion {
                    status: 200,
                    body: r#"{"choices":[{"message":{"role":"assistant","content":"42"}}]}"#.into(),
                    usage: UsageReport::Missing,
                },
                served,
            })
        }),
        turn: Box::new(move |call| {
            let served = served(&call.plan);
            turns
                .borrow_mut()
                .push((call.plan, call.amend.map(|place| place.user_seq)));
            Ok(TurnAnswer {
                text: "42".into(),
                served: Some(served),
                user_seq: Some(7),
                // Something was said in between.
                stored: call.amend.is_none(),
            })
        }),
        ..Told::default()
    };
    (told, asked)
}

fn with_offers(parts: EdgeParts, ttl: Duration) -> (EdgeParts, Arc<MemoryNotes>) {
    let notes = Arc::new(MemoryNotes::default());
    let parts = EdgeParts {
        offers: Offers::new(notes.clone(), ttl),
        ..parts
    };
    (parts, notes)
}

const LONG: Duration = Duration::from_secs(900);

/// Posts, and tells status and body.
async fn post<S>(app: &S, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> (StatusCode, Value)
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let mut request = TestRequest::post().uri(path).insert_header(("host", "localhost"));
    for header in headers {
        request = request.append_header(*header);
    }
    if let Some(body) = body {
        request = request.set_json(body);
    }
    let response = test::call_service(app, request.to_request()).await;
    let status = response.status();
    let body = to_bytes(response.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// The answer to a message, which comes with an offer.
async fn offered<S>(app: &S, path: &str, body: &Value, headers: &[(&str, &str)]) -> (Value, String)
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    let (status, answer) = post(app, path, Some(body.clone()), headers).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["escalation"]["token"].as_str().unwrap().to_owned();
    (answer, token)
}

fn approve_path(token: &str) -> String {
    format!("/v1/escalations/{token}/approve")
}

#[track_caller]
fn assert_refused((status, body): (StatusCode, Value), expected: u16, kind: ErrorKind) {
    assert_eq!(
        (status.as_u16(), &body["error"]["type"]),
        (expected, &json!(kind.as_str())),
        "{body}"
    );
}

#[actix_web::test]
async fn an_approval_asks_once_more_with_leave_and_never_again() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let body = json!({"message": "What is 6 x 9?", "qualityLevel": "high"});
    let (answer, token) = offered(&app, "/v1/route", &body, &[]).await;
    let escalation = &answer["escalation"];
    assert_eq!(escalation["required"], true);
    assert_eq!(
        (&escalation["currentLayer"], &escalation["suggestedLayer"]),
        (&json!("L0"), &json!("L2"))
    );
    assert_eq!(
        (&escalation["reason"], &escalation["estimatedCost"]),
        (&json!("disagreement"), &json!(0.0123))
    );
    assert!(
        escalation["optimizedPrompt"]
            .as_str()
            .unwrap()
            .contains("What is 6 x 9?")
    );
    assert_eq!(asked.borrow().len(), 1, "an offer asks nobody");

    let (status, better) = post(&app, &approve_path(&token), None, &[]).await;
    assert_eq!(status, 200, "{better}");
    assert_eq!(
        (&better["result"]["response"], better.get("escalation")),
        (&json!("42"), None)
    );
    assert_ne!(better["requestId"], answer["requestId"]);
    {
        let asked = asked.borrow();
        let (plan, _) = asked.last().unwrap();
        assert_eq!(
            (plan.wish.leave, plan.wish.floor),
            (Leave::UpTo(Layer::L2), Some(Layer::L2))
        );
        assert!(plan.wish.note.as_ref().unwrap().contains("What is 6 x 9?"));
        assert_eq!(plan.quality.as_str(), "high");
    }
    assert_eq!(notes.offers()[0].state, EscalationState::Approved);
    assert_eq!(
        &*notes.offers()[0].new.body,
        "",
        "texts stay no longer than they are wanted"
    );
    for what in ["approve", "reject"] {
        let again = post(&app, &format!("/v1/escalations/{token}/{what}"), None, &[]).await;
        assert_refused(again, 409, ErrorKind::EscalationUsed);
    }
    let mut with_token = body.clone();
    with_token["escalationToken"] = token.into();
    assert_refused(
        post(&app, "/v1/route", Some(with_token), &[]).await,
        409,
        ErrorKind::EscalationUsed,
    );
    assert_eq!(asked.borrow().len(), 2);
}

#[actix_web::test]
async fn two_approvals_at_once_lead_to_one_call() {
    let (parts, _) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    let path = approve_path(&token);
    let both = (0..8).map(|_| post(&app, &path, Some(json!({})), &[]));
    let told = futures_util::future::join_all(both).await;
    let count = |status: u16| told.iter().filter(|(told, _)| told.as_u16() == status).count();
    assert_eq!((count(200), count(409)), (1, 7), "{told:?}");
    assert_eq!(asked.borrow().len(), 2);
}

#[actix_web::test]
async fn a_rejected_offer_is_gone() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    let (status, rejected) = post(&app, &format!("/v1/escalations/{token}/reject"), None, &[]).await;
    assert_eq!(status, 200, "{rejected}");
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(rejected["id"], notes.offers()[0].new.id.to_string());
    assert_refused(
        post(&app, &approve_path(&token), None, &[]).await,
        409,
        ErrorKind::EscalationUsed,
    );
    assert_eq!(asked.borrow().len(), 1);
}

#[actix_web::test]
async fn a_token_with_any_byte_changed_is_refused_and_nobody_is_asked() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    let mut said = Vec::new();
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let (status, body) = post(&app, &approve_path(&changed), None, &[]).await;
        said.push((status, body["error"]["message"].clone()));
        let body = json!({"message": "hi", "escalationToken": changed});
        assert_refused(
            post(&app, "/v1/route", Some(body), &[]).await,
            403,
            ErrorKind::EscalationInvalid,
        );
    }
    assert!(said.iter().all(|one| *one == said[0] && one.0 == 403), "{said:?}");
    assert_eq!(asked.borrow().len(), 1);
    assert_eq!(notes.offers()[0].state, EscalationState::Pending);
    // It was good all the time.
    assert_eq!(post(&app, &approve_path(&token), None, &[]).await.0, 200);
}

#[actix_web::test]
async fn an_offer_is_good_for_its_request_alone() {
    let (parts, _) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let body = json!({"message": "hi", "maxLayer": "L2"});
    let (_, token) = offered(&app, "/v1/route", &body, &[]).await;
    for other in [
        json!({"message": "write me a novel", "maxLayer": "L2"}),
        json!({"message": "hi", "maxLayer": "L3"}),
        json!({"message": "hi", "maxLayer": "L2", "maxTokens": 1_000_000}),
        json!({"message": "hi", "maxLayer": "L2", "conversationId": "c"}),
    ] {
        let mut other = other;
        other["escalationToken"] = token.as_str().into();
        assert_refused(
            post(&app, "/v1/route", Some(other), &[]).await,
            403,
            ErrorKind::EscalationInvalid,
        );
    }
    let elsewhere = json!({"message": "hi", "maxLayer": "L2", "escalationToken": token});
    assert_refused(
        post(&app, "/v1/chat", Some(elsewhere.clone()), &[]).await,
        403,
        ErrorKind::EscalationInvalid,
    );
    assert_eq!(asked.borrow().len(), 1);

    let (status, better) = post(&app, "/v1/route", Some(elsewhere), &[]).await;
    assert_eq!(status, 200, "{better}");
    assert_eq!(asked.borrow()[1].0.wish.leave, Leave::UpTo(Layer::L2));
}

#[actix_web::test]
async fn an_offer_is_good_for_its_caller_alone() {
    let (parts, _) = with_offers(keyed_parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let admin = format!("Bearer {ADMIN_KEY}");
    let mut keys = vec![admin.clone()];
    for name in ["one", "other"] {
        let body = json!({"name": name, "projectId": "p"});
        let (status, made) = post(&app, "/v1/admin/keys", Some(body), &[("authorization", &admin)]).await;
        assert_eq!(status, 201, "{made}");
        keys.push(format!("Bearer {}", made["key"].as_str().unwrap()));
    }
    let body = json!({"message": "hi"});
    let (_, token) = offered(&app, "/v1/route", &body, &[("authorization", &keys[1])]).await;
    for other in [&keys[0], &keys[2]] {
        for what in ["approve", "reject"] {
            let path = format!("/v1/escalations/{token}/{what}");
            let told = post(&app, &path, None, &[("authorization", other)]).await;
            assert_refused(told, 403, ErrorKind::EscalationInvalid);
        }
        let body = json!({"message": "hi", "escalationToken": token});
        let told = post(&app, "/v1/route", Some(body), &[("authorization", other)]).await;
        assert_refused(told, 403, ErrorKind::EscalationInvalid);
    }
    assert_eq!(asked.borrow().len(), 1);
    let (status, _) = post(&app, &approve_path(&token), None, &[("authorization", &keys[1])]).await;
    assert_eq!((status.as_u16(), asked.borrow().len()), (200, 2));
}

#[actix_web::test]
async fn an_offer_that_has_ended_is_refused() {
    let (parts, _) = with_offers(parts(), Duration::ZERO);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    // The token knows whole seconds: it may be good for the rest of one.
    let path = format!("/v1/escalations/{token}/approve");
    let body = json!({"message": "something else", "escalationToken": token});
    let ended = async {
        loop {
            let (status, told) = post(&app, "/v1/route", Some(body.clone()), &[]).await;
            assert_eq!(status, 403, "another request's token is no token, ended or not: {told}");
            let (_, told) = post(&app, &path, Some(json!({"x": 1})), &[]).await;
            assert_eq!(told["error"]["param"], "x");
            let now = gateway_actors::runtime::unix_micros();
            if now / 1_000_000 > begun_at(&token) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    ended.await;
    for what in ["approve", "reject"] {
        let told = post(&app, &format!("/v1/escalations/{token}/{what}"), None, &[]).await;
        assert_refused(told, 410, ErrorKind::EscalationExpired);
    }
    assert_eq!(asked.borrow().len(), 1);
}

/// The second before the one at which a token ends, which stands in its last 8 bytes.
fn begun_at(token: &str) -> i64 {
    use base64::Engine;
    let said = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(said).unwrap();
    i64::from_be_bytes(bytes[49..].try_into().unwrap()) - 1
}

#[actix_web::test]
async fn in_a_conversation_the_better_answer_takes_the_place_of_the_first() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (answer, token) = offered(&app, "/v1/chat", &json!({"message": "hi"}), &[]).await;
    let conversation = answer["context"]["conversationId"].clone();
    assert_eq!(answer["context"].get("stored"), None);
    assert_eq!(notes.offers()[0].new.user_seq, Some(7));
    let (status, better) = post(&app, &approve_path(&token), None, &[]).await;
    assert_eq!(status, 200, "{better}");
    assert_eq!(
        better["context"],
        json!({"conversationId": conversation, "stored": false})
    );
    assert_eq!(asked.borrow()[1].1, Some(7));
    assert_eq!(asked.borrow()[0].1, None);

    // The same by the next request, which names no conversation as the first did not.
    let (answer, token) = offered(&app, "/v1/chat", &json!({"message": "again"}), &[]).await;
    let body = json!({"message": "again", "escalationToken": token});
    let (status, better) = post(&app, "/v1/chat", Some(body), &[]).await;
    assert_eq!(status, 200, "{better}");
    assert_eq!(better["context"]["conversationId"], answer["context"]["conversationId"]);
    assert_eq!(asked.borrow()[3].1, Some(7));
}

#[actix_web::test]
async fn an_approval_with_an_idempotency_key_is_answered_again_without_a_call() {
    let (parts, _) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    let (_, other) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    let key = [("idempotency-key", "k1")];
    let first = post(&app, &approve_path(&token), None, &key).await;
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(post(&app, &approve_path(&token), None, &key).await, first);
    assert_refused(
        post(&app, &approve_path(&other), None, &key).await,
        422,
        ErrorKind::IdempotencyMismatch,
    );
    assert_eq!(asked.borrow().len(), 3);
}

#[actix_web::test]
async fn without_the_database_the_answer_comes_without_a_token() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    notes.set_away(true);
    let (status, answer) = post(&app, "/v1/route", Some(json!({"message": "hi"})), &[]).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["response"], "42");
    assert_eq!(
        (&answer["escalation"]["token"], &answer["escalation"]["reason"]),
        (&Value::Null, &json!("disagreement"))
    );
    notes.set_away(false);
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    notes.set_away(true);
    let told = post(&app, &approve_path(&token), None, &[]).await;
    assert_refused(told, 503, ErrorKind::StoreUnavailable);
    assert_eq!(asked.borrow().len(), 2);
}

#[actix_web::test]
async fn what_is_no_answer_comes_back_with_the_offer_and_without_one_is_an_error() {
    for (said, error) in [
        (r#""refusal":"no""#, ErrorKind::UpstreamRejected),
        (r#""content":"""#, ErrorKind::UpstreamEmpty),
        (r#""content":" \n""#, ErrorKind::UpstreamEmpty),
        (r#""content":null"#, ErrorKind::UpstreamEmpty),
    ] {
        for is_offered in [true, false] {
            let told = Told {
                complete: Box::new(move |_| {
                    let body = format!(r#"{{"choices":[{{"message":{{"role":"assistant",{said}}}}}]}}"#);
                    Ok(Answer {
                        completion: Completion {
                            status: 200,
                            body: body.into(),
                            usage: UsageReport::Missing,
                        },
                        served: served_with(Some(story(is_offered.then(need)))),
                    })
                }),
                ..Told::default()
            };
            let (parts, _) = with_offers(parts(), LONG);
            let app = app(parts, told).await;
            let (status, answer) = post(&app, "/v1/route", Some(json!({"message": "hi"})), &[]).await;
            if is_offered {
                assert_eq!(
                    (status.as_u16(), &answer["result"]["response"]),
                    (200, &json!("")),
                    "{said}"
                );
            } else {
                assert_eq!(answer["error"]["type"], error.as_str(), "{said}");
            }
        }
    }
}

#[actix_web::test]
async fn a_dialects_answer_says_in_a_header_what_it_cannot_ask() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, _) = pipeline();
    let app = app(parts, told).await;
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "hi"}]});
    let request = TestRequest::post()
        .uri("/v1/chat/completions")
        .insert_header(("host", "localhost"))
        .set_json(body);
    let response = test::call_service(&app, request.to_request()).await;
    assert_eq!(response.status(), 200);
    let header = response.headers().get("x-gateway-escalation").unwrap();
    assert_eq!(header, "required; layer=L2; reason=disagreement");
    assert!(notes.offers().is_empty());
}

#[path = "escalations_refused_tests.rs"]
mod refused;
