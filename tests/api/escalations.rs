//! Offers to go on with a dearer layer: nothing is paid before they are approved, and each is good once, for whom and what
//! it was made for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Client, Content, Gateway, Model, Provider, Reply, Setup, chat, in_parallel, wait_for};

const ADMIN_KEY: &str = "admin-0123456789abcdef0123456789abcdef";
const QUESTION: &str = "Tell me about the sea.";

/// A free model that cuts its answers short, and a priced one of layer L2.
struct Scene {
    free: Provider,
    dear: Provider,
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        Self::with(|setup| setup)
    }

    fn with(more: impl FnOnce(Setup) -> Setup) -> Self {
        let (free, dear) = (Provider::start("free"), Provider::start("dear"));
        free.say(Content::cut_text());
        let setup = Setup::new()
            .provider(&free)
            .provider(&dear)
            .model(&Model::free("free-small", &free))
            .model(&Model::free("dear-large", &dear).layer("L2").priced("10", "20"));
        let gateway = Gateway::start(more(setup));
        Self { free, dear, gateway }
    }

    /// How many requests the free and the dear provider have had.
    fn requests(&self) -> (usize, usize) {
        (self.free.requests(), self.dear.requests())
    }

    /// The free model's answer is good from now on, so that the gateway's end can be looked at.
    fn finish(self) {
        self.free.say(Content::text());
        self.gateway.finish();
    }
}

/// Asks, and gets the answer so far with an offer.
#[track_caller]
fn offered(client: &Client, path: &str, body: &Value) -> (Value, String) {
    let reply = client.post(path, body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    let token = answer["escalation"]["token"].as_str();
    let token = token.unwrap_or_else(|| panic!("no offer in {answer}")).to_owned();
    (answer, token)
}

fn decide(client: &Client, token: &str, what: &str) -> Reply {
    client.post(&format!("/v1/escalations/{token}/{what}"), &json!({}))
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, word: &str) {
    assert_eq!(reply.error(status)["type"], word, "{}", reply.text());
}

#[test]
fn escalation_token_buys_one_better_answer_and_nothing_is_paid_before() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    for path in ["/v1/route", "/v1/chat"] {
        let (free_before, dear_before) = scene.requests();
        let (answer, token) = offered(&client, path, &json!({ "message": QUESTION }));
        assert!(
            answer["result"]["response"].as_str().unwrap().starts_with("free-1"),
            "{answer}"
        );
        assert_eq!(answer["performance"]["costNanoUsd"], 0);
        let escalation = &answer["escalation"];
        assert_eq!(escalation["required"], true);
        assert_eq!(
            (&escalation["currentLayer"], &escalation["suggestedLayer"]),
            (&json!("L0"), &json!("L2"))
        );
        assert_eq!(escalation["reason"], "truncated");
        assert!(escalation["estimatedCostNanoUsd"].as_i64().unwrap() > 0, "{escalation}");
        assert!(
            escalation["optimizedPrompt"].as_str().unwrap().contains(QUESTION),
            "{escalation}"
        );
        assert!(escalation["expiresAt"].as_str().unwrap().ends_with('Z'), "{escalation}");
        assert_eq!(
            scene.requests(),
            (free_before + 1, dear_before),
            "paid before anybody approved"
        );

        let reply = decide(&client, &token, "approve");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let better = reply.json();
        assert_eq!(
            (&better["result"]["model"], &better["result"]["layer"]),
            (&json!("dear-large"), &json!("L2"))
        );
        assert!(better["performance"]["costNanoUsd"].as_i64().unwrap() > 0);
        assert_eq!(better.get("escalation"), None);
        assert_eq!(scene.requests(), (free_before + 1, dear_before + 1));
        // The better model was told of the attempt before.
        let sent = scene.dear.last_request().json().to_string();
        assert!(sent.contains("free-small") && sent.contains("truncated"), "{sent}");

        // Replayed in every way: refused, and nobody is asked.
        assert_refused(&decide(&client, &token, "approve"), 409, "escalation_used");
        assert_refused(&decide(&client, &token, "reject"), 409, "escalation_used");
        let again = client.post(path, &json!({ "message": QUESTION, "escalationToken": token }));
        assert_refused(&again, 409, "escalation_used");
        assert_eq!(scene.requests(), (free_before + 1, dear_before + 1));
    }
    scene.finish();
}

#[test]
fn a_quality_that_wants_a_dearer_layer_is_offered_it_with_the_answer_of_a_free_one() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let cut = client.post("/v1/route", &json!({ "message": QUESTION })).json();
    assert_eq!(cut["result"]["finishReason"], "length", "{cut}");
    scene.free.say(Content::text());
    let usual = client.post("/v1/route", &json!({ "message": QUESTION })).json();
    assert_eq!(
        (usual.get("escalation"), &usual["result"]["finishReason"]),
        (None, &json!("stop"))
    );
    for (path, field, quality) in [
        ("/v1/route", "message", "qualityLevel"),
        ("/v1/code-agent", "task", "quality"),
    ] {
        let (answer, token) = offered(&client, path, &json!({ field: QUESTION, quality: "critical" }));
        assert_eq!(
            (&answer["result"]["layer"], &answer["escalation"]["reason"]),
            (&json!("L0"), &json!("quality"))
        );
        assert_eq!(scene.dear.requests(), 0, "paid before anybody approved");
        assert_eq!(decide(&client, &token, "reject").status, 200);
    }
    scene.finish();
}

#[test]
fn escalation_token_may_come_with_the_request_again() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let body = json!({ "message": QUESTION, "maxTokens": 400, "qualityLevel": "normal", "maxLayer": "L3" });
    // A client that caps the output expects it to be cut.
    let reply = client.post("/v1/route", &body);
    assert_eq!(reply.json().get("escalation"), None, "{}", reply.text());
    let body = json!({ "message": QUESTION, "maxLayer": "L3" });
    let (_, token) = offered(&client, "/v1/route", &body);
    let with = |mut body: Value| {
        body["escalationToken"] = token.as_str().into();
        client.post("/v1/route", &body)
    };
    for other in [
        json!({ "message": "Write me a novel.", "maxLayer": "L3" }),
        json!({ "message": QUESTION }),
        json!({ "message": QUESTION, "maxLayer": "L3", "layer": "L0" }),
        json!({ "message": QUESTION, "maxLayer": "L3", "maxTokens": 100_000 }),
        json!({ "message": QUESTION, "maxLayer": "L3", "userId": "somebody" }),
    ] {
        assert_refused(&with(other), 403, "escalation_invalid");
    }
    let elsewhere = client.post(
        "/v1/chat",
        &json!({ "message": QUESTION, "maxLayer": "L3", "escalationToken": token }),
    );
    assert_refused(&elsewhere, 403, "escalation_invalid");
    assert_eq!(scene.requests(), (2, 0));
    let better = with(body.clone());
    assert_eq!(better.json()["result"]["model"], "dear-large", "{}", better.text());
    assert_refused(&with(body), 409, "escalation_used");
    assert_eq!(scene.requests(), (2, 1));
    scene.finish();
}

#[test]
fn escalation_token_with_any_byte_changed_is_refused() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let (_, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_refused(&decide(&client, &changed, "approve"), 403, "escalation_invalid");
    }
    for changed in [&token[..token.len() - 1], "esc1.", "x", &format!("{token}A")] {
        assert_refused(&decide(&client, changed, "approve"), 403, "escalation_invalid");
        assert_refused(&decide(&client, changed, "reject"), 403, "escalation_invalid");
    }
    assert_eq!(scene.requests(), (1, 0));
    assert_eq!(
        decide(&client, &token, "approve").status,
        200,
        "it was good all the time"
    );
    scene.finish();
}

#[test]
fn escalation_token_of_another_caller_is_refused() {
    let scene = Scene::with(|setup| setup.env("GATEWAY_ADMIN_KEY", ADMIN_KEY));
    let admin = scene.gateway.client();
    let key = |name: &str| {
        let made = admin.post("/v1/admin/keys", &json!({ "name": name, "projectId": "p" }));
        assert_eq!(made.status, 201, "{}", made.text());
        let authorization = format!("Bearer {}", made.json()["key"].as_str().unwrap());
        scene.gateway.anonymous().with_header("authorization", &authorization)
    };
    let (one, other) = (key("one"), key("other"));
    let body = json!({ "message": QUESTION });
    let (_, token) = offered(&one, "/v1/route", &body);
    for stranger in [&other, &admin] {
        for what in ["approve", "reject"] {
            assert_refused(&decide(stranger, &token, what), 403, "escalation_invalid");
        }
        let with = json!({ "message": QUESTION, "escalationToken": token });
        assert_refused(&stranger.post("/v1/route", &with), 403, "escalation_invalid");
    }
    assert_eq!(decide(&scene.gateway.anonymous(), &token, "approve").status, 401);
    assert_eq!(scene.requests(), (1, 0));
    assert_eq!(decide(&one, &token, "approve").status, 200);
    assert_eq!(scene.requests(), (1, 1));
    scene.finish();
}

#[test]
fn escalation_token_ends() {
    let scene = Scene::with(|setup| setup.toml("[routing]\nescalation_ttl_s = 1"));
    let client = scene.gateway.client();
    let (answer, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
    let ends = answer["escalation"]["expiresAt"].as_str().unwrap().to_owned();
    wait_for("the offer to end", Duration::from_secs(20), || {
        // The moment that the answer told, by the clock of whoever reads it.
        let health = client.get("/health").json();
        health["timestamp"].as_str().unwrap() >= ends.as_str()
    });
    for what in ["approve", "reject"] {
        assert_refused(&decide(&client, &token, what), 410, "escalation_expired");
    }
    let with = json!({ "message": QUESTION, "escalationToken": token });
    assert_refused(&client.post("/v1/route", &with), 410, "escalation_expired");
    assert_eq!(scene.requests(), (1, 0));
    scene.finish();
}

#[test]
fn escalation_token_that_was_rejected_is_good_for_nothing() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let (_, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
    let reply = decide(&client, &token, "reject");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let rejected = reply.json();
    assert_eq!(rejected["status"], "rejected");
    assert!(rejected["id"].as_str().unwrap().starts_with("esc_"), "{rejected}");
    assert_refused(&decide(&client, &token, "approve"), 409, "escalation_used");
    assert_eq!(scene.requests(), (1, 0));
    scene.finish();
}

#[test]
fn escalation_token_approved_by_many_at_once_leads_to_one_call() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    for round in 1..=5 {
        let (_, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
        let statuses = in_parallel(8, 8, |_| decide(&client, &token, "approve").status);
        let count = |status: u16| statuses.iter().filter(|told| **told == status).count();
        assert_eq!((count(200), count(409)), (1, 7), "{statuses:?}");
        assert_eq!(scene.requests(), (round, round));
    }
    scene.finish();
}

#[test]
fn escalation_token_outlives_its_process() {
    let mut scene = Scene::new();
    let (_, token) = offered(&scene.gateway.client(), "/v1/route", &json!({ "message": QUESTION }));
    let (_, used) = offered(&scene.gateway.client(), "/v1/route", &json!({ "message": QUESTION }));
    assert_eq!(decide(&scene.gateway.client(), &used, "approve").status, 200);
    scene.gateway.kill_9();
    scene.gateway.restart();
    let client = scene.gateway.client();
    assert_refused(&decide(&client, &used, "approve"), 409, "escalation_used");
    assert_eq!(decide(&client, &token, "approve").status, 200);
    assert_eq!(scene.requests(), (2, 2));
    scene.finish();
}

#[test]
fn an_approved_answer_takes_the_place_of_the_first_in_its_conversation() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let body = json!({ "message": QUESTION, "conversationId": "sea" });
    let (_, token) = offered(&client, "/v1/chat", &body);
    let texts = || {
        let page = client.get("/v1/context/sea").json();
        let messages = page["messages"].as_array().unwrap().clone();
        let text = |message: &Value| message["content"].as_str().unwrap().to_owned();
        messages.iter().map(text).collect::<Vec<_>>()
    };
    assert!(texts()[1].starts_with("free-1"));
    let better = decide(&client, &token, "approve").json();
    assert_eq!(better["context"], json!({ "conversationId": "sea" }));
    let [question, answer] = &texts()[..] else {
        panic!("{:?}", texts())
    };
    assert_eq!(question, QUESTION);
    assert_eq!(answer, better["result"]["response"].as_str().unwrap());
    assert!(answer.starts_with("dear-1"), "{answer}");

    // When something was said in between, the better answer is given and what is stored stays.
    let (_, token) = offered(
        &client,
        "/v1/chat",
        &json!({ "message": "And the moon?", "conversationId": "sea" }),
    );
    let (_, _) = offered(
        &client,
        "/v1/chat",
        &json!({ "message": "And the sun?", "conversationId": "sea" }),
    );
    let before = texts();
    let better = decide(&client, &token, "approve").json();
    assert!(
        better["result"]["response"].as_str().unwrap().starts_with("dear-1"),
        "{better}"
    );
    assert_eq!(better["context"], json!({ "conversationId": "sea", "stored": false }));
    assert_eq!(texts(), before);
    scene.finish();
}

/// What is stored of the only answer of the conversation `sea`.
#[track_caller]
fn stored(client: &Client) -> String {
    let page = client.get("/v1/context/sea").json();
    page["messages"][1]["content"].as_str().unwrap().to_owned()
}

#[test]
fn when_the_better_model_fails_the_first_answer_stays() {
    for path in ["/v1/route", "/v1/chat"] {
        let scene = Scene::new();
        let client = scene.gateway.client();
        let body = json!({ "message": QUESTION, "conversationId": "sea" });
        let (_, token) = offered(&client, path, &body);
        let first = stored(&client);
        scene.free.say(Content::saying("something else"));
        scene.dear.set(crate::support::Behaviour::BROKEN);
        let failed = decide(&client, &token, "approve");
        assert!(matches!(failed.status, 502 | 503), "{}", failed.text());
        let (free, dear) = scene.requests();
        assert!(free == 1 && dear > 0, "asked {free} and {dear} times");
        assert_eq!(stored(&client), first);
        assert_refused(&decide(&client, &token, "approve"), 409, "escalation_used");
        scene.dear.set(crate::support::Behaviour::Answer);
        scene.finish();
    }
}

#[test]
fn an_approval_that_no_budget_pays_for_asks_nobody() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let body = json!({ "message": QUESTION, "conversationId": "sea" });
    let (_, token) = offered(&client, "/v1/chat", &body);
    let first = stored(&client);
    let nothing = json!({ "limitNanoUsd": 0, "window": "total" });
    let set = client.send_json("PUT", "/v1/admin/budgets/global", &nothing);
    assert_eq!(set.status, 200, "{}", set.text());
    scene.free.say(Content::saying("something else"));
    assert_refused(&decide(&client, &token, "approve"), 402, "budget_exceeded");
    assert_eq!((scene.requests(), stored(&client)), ((1, 0), first));
    scene.finish();
}

#[test]
fn an_approval_with_an_idempotency_key_is_paid_once() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let (_, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
    let keyed = client.with_header("idempotency-key", "approve-1");
    let first = decide(&keyed, &token, "approve");
    assert_eq!(first.status, 200, "{}", first.text());
    let again = decide(&keyed, &token, "approve");
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.header("idempotent-replay"), Some("true"));
    assert_eq!(scene.requests(), (1, 1));
    scene.finish();
}

#[test]
fn what_was_approved_is_told_again_to_nobody_else() {
    let scene = Scene::with(|setup| setup.env("GATEWAY_ADMIN_KEY", ADMIN_KEY));
    let admin = scene.gateway.client();
    let key = |body: Value| {
        let made = admin.post("/v1/admin/keys", &body).json();
        let authorization = format!("Bearer {}", made["key"].as_str().unwrap());
        scene.gateway.anonymous().with_header("authorization", &authorization)
    };
    let one = key(json!({ "name": "one", "projectId": "p" }));
    let other = key(json!({ "name": "other", "projectId": "p", "maxLayer": "L0" }));
    for (path, body) in [
        ("/v1/route", json!({ "message": QUESTION })),
        ("/v1/code-agent", json!({ "task": "Sort a list" })),
    ] {
        for is_by_path in [true, false] {
            let (_, token) = offered(&one, path, &body);
            let approve = format!("/v1/escalations/{token}/approve");
            let mut again = body.clone();
            again["escalationToken"] = json!(token);
            let (path, sent) = if is_by_path {
                (&*approve, json!({}))
            } else {
                (path, again)
            };
            let key = token.chars().rev().take(40).collect::<String>();
            let post = |client: &Client| client.with_header("idempotency-key", &key).post(path, &sent);
            let first = post(&one);
            assert_eq!(first.status, 200, "{}", first.text());
            let asked = scene.requests();
            assert_refused(&post(&other), 403, "escalation_invalid");
            assert_eq!(post(&one).body, first.body);
            assert_eq!(scene.requests(), asked);
        }
    }
    scene.finish();
}

#[test]
fn an_approval_lifts_no_limit_of_its_key() {
    let scene = Scene::with(|setup| setup.env("GATEWAY_ADMIN_KEY", ADMIN_KEY));
    let admin = scene.gateway.client();
    let made = admin.post("/v1/admin/keys", &json!({ "name": "k" })).json();
    let authorization = format!("Bearer {}", made["key"].as_str().unwrap());
    let client = scene.gateway.anonymous().with_header("authorization", &authorization);
    let (_, token) = offered(&client, "/v1/route", &json!({ "message": QUESTION }));
    let path = format!("/v1/admin/keys/{}", made["id"].as_str().unwrap());
    let changed = admin.send_json("PATCH", &path, &json!({ "maxLayer": "L0" }));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_refused(&decide(&client, &token, "approve"), 403, "layer_not_allowed");
    assert_eq!(scene.requests(), (1, 0), "the key may not use this layer any more");
    scene.finish();
}

#[test]
fn a_dialect_says_in_a_header_that_a_better_answer_would_want_leave() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    let reply = client.post(COMPLETIONS, &chat(QUESTION));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        reply.header("x-gateway-escalation"),
        Some("required; layer=L2; reason=truncated")
    );
    assert!(reply.content().starts_with("free-1"), "{}", reply.text());
    assert_eq!(scene.requests(), (1, 0));
    scene.free.say(Content::text());
    let reply = client.post(COMPLETIONS, &chat(QUESTION));
    assert_eq!(reply.header("x-gateway-escalation"), None);
    scene.finish();
}

#[test]
fn with_standing_leave_nobody_is_asked() {
    let scene = Scene::with(|setup| setup.env("ENABLE_AUTO_ESCALATE", "true"));
    let reply = scene
        .gateway
        .client()
        .post("/v1/route", &json!({ "message": QUESTION }));
    let answer = reply.json();
    assert_eq!(
        (&answer["result"]["model"], answer.get("escalation")),
        (&json!("dear-large"), None),
        "{answer}"
    );
    assert_eq!(scene.requests(), (1, 1));
    scene.finish();
}
