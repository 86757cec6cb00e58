//! Offers from their making to their end, over offers in memory.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{
    AccessRole, Caller, ErrorKind, EscalationDecision, EscalationNeed, EscalationState, Evidence, GatewayError,
    HandOff, KeyId, KeyIdentity, Layer, NanoUsd, RateLimits, RequestId, TaskType,
};
use gateway_actors::testkit::MemoryNotes;
use serde_json::Value;
use tokio::time::Instant;

use super::*;

fn need() -> EscalationNeed {
    EscalationNeed {
        current: Layer::L0,
        suggested: Layer::L2,
        evidence: Evidence::Disagreement,
        estimated_cost: Some(NanoUsd(12_300_000)),
        package: Arc::new(HandOff {
            summary: "a chat".into(),
            task: TaskType::Chat,
            attempts: Vec::new(),
            known_issues: Vec::new(),
            open_questions: Vec::new(),
            request: "What is 6 x 9?".into(),
            tokens: 10,
        }),
    }
}

fn key() -> Caller {
    Caller::Key(Arc::new(KeyIdentity {
        id: KeyId::generate(),
        project: Some("p".into()),
        user: None,
        role: AccessRole::User,
        max_layer: None,
        models: None,
        expires_at: None,
        limits: RateLimits::default(),
    }))
}

fn digest(message: &str) -> RequestDigest {
    Meaning::of("/v1/route").text(Some(message)).digest()
}

fn notes_and_offers(ttl: Duration) -> (Arc<MemoryNotes>, Offers) {
    let notes = Arc::new(MemoryNotes::default());
    let offers = Offers::new(notes.clone(), ttl);
    (notes, offers)
}

async fn made(offers: &Offers, caller: &Caller) -> Offered {
    made_of(offers, &need(), caller).await
}

async fn made_of(offers: &Offers, need: &EscalationNeed, caller: &Caller) -> Offered {
    let endpoint: Arc<str> = "/v1/route".into();
    let draft = Draft {
        caller,
        endpoint: &endpoint,
        request: RequestId::generate(),
        conversation: None,
        user_seq: None,
        body: r#"{"message":"hi"}"#.into(),
        digest: digest("hi"),
        answer: Some("54".into()),
    };
    let until = Instant::now() + Duration::from_secs(5);
    offers.offer(need, draft, until).await.unwrap()
}

const LONG: Duration = Duration::from_secs(900);

#[actix_rt::test]
async fn a_price_that_is_not_known_is_told_as_such() {
    let (_, offers) = notes_and_offers(LONG);
    let priced = made(&offers, &key()).await;
    assert_eq!(priced.price(), "for about 0.0123 USD");
    let unpriced = EscalationNeed {
        estimated_cost: None,
        ..need()
    };
    let offered = made_of(&offers, &unpriced, &key()).await;
    let shown: Value = serde_json::to_value(&offered).unwrap();
    assert!(
        shown["estimatedCost"].is_null() && shown["estimatedCostNanoUsd"].is_null(),
        "{shown}"
    );
    assert!(shown["token"].is_string());
    assert_eq!(offered.price(), "at a price that is not known");
}

#[actix_rt::test]
async fn an_offer_is_told_in_full_and_redeemed_once() {
    let (notes, offers) = notes_and_offers(LONG);
    let caller = key();
    let offered = made(&offers, &caller).await;
    let shown: Value = serde_json::to_value(&offered).unwrap();
    assert_eq!(shown["required"], true);
    assert_eq!(
        (&shown["currentLayer"], &shown["suggestedLayer"]),
        (&"L0".into(), &"L2".into())
    );
    assert_eq!(shown["reason"], "disagreement");
    assert_eq!(shown["estimatedCost"].to_string(), "0.0123");
    assert_eq!(shown["estimatedCostNanoUsd"], 12_300_000);
    assert!(shown["optimizedPrompt"].as_str().unwrap().contains("What is 6 x 9?"));
    assert!(shown["expiresAt"].as_str().unwrap().ends_with('Z'));

    let printed = format!("{offered:?} {offers:?}");
    let token = offered.token.unwrap();
    assert!(
        !printed.contains(&token[5..20]) && !printed.contains("6 x 9"),
        "{printed}"
    );
    let ticket = offers.admit(&token, &caller, Some(&digest("hi"))).await.unwrap();
    assert_eq!(ticket.layer, Layer::L2);
    let offer = offers.decide(&ticket, EscalationDecision::Approve).await.unwrap();
    assert_eq!(
        (&*offer.body, offer.answer.as_deref()),
        (r#"{"message":"hi"}"#, Some("54"))
    );
    assert!(offer.note.contains("What is 6 x 9?"));
    assert_eq!(notes.offers()[0].state, EscalationState::Approved);

    // Again: the token is still its caller's, and has been used.
    let ticket = offers.admit(&token, &caller, Some(&digest("hi"))).await.unwrap();
    for decision in [EscalationDecision::Approve, EscalationDecision::Reject] {
        let refusal = offers.decide(&ticket, decision).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Used), "{refusal:?}");
    }
}

#[actix_rt::test]
async fn after_a_no_there_is_no_yes() {
    let (_, offers) = notes_and_offers(LONG);
    let token = made(&offers, &Caller::Admin).await.token.unwrap();
    let ticket = offers.admit(&token, &Caller::Admin, None).await.unwrap();
    offers.decide(&ticket, EscalationDecision::Reject).await.unwrap();
    let refusal = offers.decide(&ticket, EscalationDecision::Approve).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Used), "{refusal:?}");
}

#[actix_rt::test]
async fn whatever_is_wrong_with_a_token_is_told_in_the_same_words() {
    let (_, offers) = notes_and_offers(LONG);
    let caller = key();
    let token = made(&offers, &caller).await.token.unwrap();
    let mut told: Vec<GatewayError> = Vec::new();
    for (token, caller, request) in [
        (token.as_str(), key(), Some(digest("hi"))),
        (&token, Caller::Local, Some(digest("hi"))),
        (&token, Caller::Admin, None),
        (&token, caller.clone(), Some(digest("something else"))),
        ("esc1.x.y", caller.clone(), None),
        ("", caller.clone(), None),
    ] {
        let refusal = offers.admit(token, &caller, request.as_ref()).await.unwrap_err();
        told.push(refusal.into());
    }
    for error in &told {
        assert_eq!(
            (error.kind, &error.message),
            (ErrorKind::EscalationInvalid, &told[0].message)
        );
        assert_eq!(error.param, None);
    }
    // A token of another database.
    let (_, elsewhere) = notes_and_offers(LONG);
    let ticket = elsewhere.admit(&token, &caller, None).await.unwrap();
    let refusal = elsewhere
        .decide(&ticket, EscalationDecision::Approve)
        .await
        .unwrap_err();
    assert_eq!(GatewayError::from(refusal).message, told[0].message);
}

#[actix_rt::test]
async fn an_offer_ends() {
    let (_, offers) = notes_and_offers(Duration::ZERO);
    let token = made(&offers, &Caller::Local).await.token.unwrap();
    // Within its last second the token's clock may not have come that far; the database's says the same.
    let refusal = loop {
        match offers.admit(&token, &Caller::Local, None).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(GatewayError::from(refusal).kind, ErrorKind::EscalationExpired);
}

#[actix_rt::test]
async fn without_the_database_an_offer_has_no_token_and_is_told_all_the_same() {
    let (notes, offers) = notes_and_offers(LONG);
    notes.set_away(true);
    let offered = serde_json::to_value(made(&offers, &Caller::Local).await).unwrap();
    assert_eq!((&offered["token"], &offered["expiresAt"]), (&Value::Null, &Value::Null));
    assert_eq!(offered["reason"], "disagreement");
    notes.set_away(false);
    let token = made(&offers, &Caller::Local).await.token.unwrap();
    let ticket = offers.admit(&token, &Caller::Local, None).await.unwrap();
    notes.set_away(true);
    let refusal = offers.decide(&ticket, EscalationDecision::Approve).await.unwrap_err();
    assert_eq!(GatewayError::from(refusal).kind, ErrorKind::StoreUnavailable);
    notes.set_away(false);
    offers.decide(&ticket, EscalationDecision::Approve).await.unwrap();
}
