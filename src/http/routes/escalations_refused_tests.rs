//! What decides about no offer: bodies that say something, and offers of another edge.

use gateway_actors::protocol::{Caller, RequestId};

use super::*;
use crate::escalation::{Draft, RequestDigest};

#[actix_web::test]
async fn an_offer_is_decided_by_a_request_that_says_nothing_else() {
    let (parts, notes) = with_offers(parts(), LONG);
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let (_, token) = offered(&app, "/v1/route", &json!({"message": "hi"}), &[]).await;
    for what in ["approve", "reject"] {
        for body in ["null", "[]", "true", "{\"x\":1}"] {
            for kind in [None, Some("application/json")] {
                let mut request = TestRequest::post()
                    .uri(&format!("/v1/escalations/{token}/{what}"))
                    .insert_header(("host", "localhost"))
                    .set_payload(body);
                if let Some(kind) = kind {
                    request = request.insert_header(("content-type", kind));
                }
                let response = test::call_service(&app, request.to_request()).await;
                assert_eq!(response.status(), 400, "{what} {body} {kind:?}");
            }
        }
    }
    assert_eq!(asked.borrow().len(), 1);
    assert_eq!(notes.offers()[0].state, EscalationState::Pending);
    let approval = TestRequest::post()
        .uri(&approve_path(&token))
        .insert_header(("host", "localhost"))
        .set_payload("{}");
    assert_eq!(test::call_service(&app, approval.to_request()).await.status(), 200);
}

#[actix_web::test]
async fn an_offer_of_another_edge_is_none_here_and_stays() {
    let (parts, notes) = with_offers(parts(), LONG);
    let offers = parts.offers.clone();
    let (told, asked) = pipeline();
    let app = app(parts, told).await;
    let draft = Draft {
        caller: &Caller::Local,
        endpoint: &Arc::from("mcp/code_agent"),
        request: RequestId::generate(),
        conversation: None,
        user_seq: None,
        body: "{}".into(),
        digest: RequestDigest([0; 16]),
        answer: None,
    };
    let until = tokio::time::Instant::now() + LONG;
    let token = offers.offer(&need(), draft, until).await.unwrap().token.unwrap();
    for what in ["approve", "reject"] {
        let told = post(&app, &format!("/v1/escalations/{token}/{what}"), None, &[]).await;
        assert_refused(told, 403, ErrorKind::EscalationInvalid);
    }
    assert!(asked.borrow().is_empty());
    assert_eq!(notes.offers()[0].state, EscalationState::Pending);
}
