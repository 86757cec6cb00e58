//! `POST /v1/code-agent` over real providers: what is offered, for how much, and what failed tests lead to.

use serde_json::{Value, json};

use crate::support::{Behaviour, Client, Content, Gateway, Model, Provider, Reply, Setup};

/// A free model, and a priced one of layer L2.
struct Scene {
    free: Provider,
    dear: Provider,
    gateway: Gateway,
}

impl Scene {
    /// In which it takes leave to spend.
    fn new() -> Self {
        Self::with("false")
    }

    fn with(auto_escalate: &str) -> Self {
        let (free, dear) = (Provider::start("free"), Provider::start("dear"));
        let setup = Setup::new()
            .env("ENABLE_AUTO_ESCALATE", auto_escalate)
            .provider(&free)
            .provider(&dear)
            .model(&Model::free("free-small", &free))
            .model(&Model::free("dear-large", &dear).layer("L2").priced("10", "20"));
        let gateway = Gateway::start(setup);
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

#[track_caller]
fn works(client: &Client, path: &str, body: &Value) -> Value {
    let reply = client.post(path, body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[track_caller]
fn token(answer: &Value) -> &str {
    let token = answer["escalation"]["token"].as_str();
    token.unwrap_or_else(|| panic!("no offer in {answer}"))
}

fn approve(client: &Client, token: &str) -> Reply {
    client.post(&format!("/v1/escalations/{token}/approve"), &json!({}))
}

#[test]
fn where_there_is_no_answer_to_a_task_the_offer_is_told_with_an_empty_one() {
    let scene = Scene::new();
    scene.free.say(Content::refusal());
    let client = scene.gateway.client();
    let answer = works(&client, "/v1/code-agent", &json!({ "task": "Sort a list" }));
    assert_eq!(answer["result"]["response"], "", "{answer}");
    assert_eq!(answer["escalation"]["reason"], "refusal", "{answer}");
    assert_eq!(scene.requests(), (1, 0));
    let better = approve(&client, token(&answer)).json();
    assert_eq!(better["result"]["model"], "dear-large", "{better}");
    // A conversation keeps no such answer.
    let failed = client.post(
        "/v1/code-agent",
        &json!({ "task": "Sort a list", "conversationId": "c" }),
    );
    assert_eq!(failed.error(422)["type"], "upstream_rejected");
    scene.finish();
}

#[test]
fn when_the_better_model_fails_the_tasks_first_answer_stays() {
    let scene = Scene::new();
    scene.free.say(Content::cut_text());
    let client = scene.gateway.client();
    let answer = works(
        &client,
        "/v1/code-agent",
        &json!({ "task": "Sort a list", "conversationId": "c" }),
    );
    let (asked, _) = scene.requests();
    scene.free.say(Content::saying("something else"));
    scene.dear.set(Behaviour::BROKEN);
    let failed = approve(&client, token(&answer));
    assert!(matches!(failed.status, 502 | 503), "{}", failed.text());
    assert_eq!(scene.free.requests(), asked, "the free model was asked once more");
    assert!(scene.dear.requests() > 0);
    let page = client.get("/v1/context/c").json();
    assert_eq!(page["messages"][1]["content"], answer["result"]["response"], "{page}");
    scene.dear.set(Behaviour::Answer);
    scene.finish();
}

#[test]
fn an_offer_is_priced_for_the_plan_and_every_step() {
    let scene = Scene::new();
    scene.free.say(Content::cut_text());
    let client = scene.gateway.client();
    let price = |body: &Value| {
        let answer = works(&client, "/v1/code-agent", body);
        answer["escalation"]["estimatedCostNanoUsd"].as_i64().unwrap()
    };
    let small = price(&json!({ "task": "Sort a list" }));
    let requirements = json!({ "requirements": ["a", "b", "c"] });
    let large = price(&json!({ "task": "Sort a list", "context": requirements }));
    assert!(
        small > 0 && large >= 7 * small,
        "{large} for the whole, {small} for one call"
    );
    scene.finish();
}

#[test]
fn an_approval_is_explained_if_its_header_or_that_of_the_first_request_says_so() {
    let scene = Scene::new();
    scene.free.say(Content::cut_text());
    let plain = scene.gateway.client();
    let explaining = plain.with_header("x-gateway-explain", "true");
    for (first, then, is_explained) in [
        (&plain, &plain, false),
        (&explaining, &plain, true),
        (&plain, &explaining, true),
    ] {
        for (path, body) in [
            ("/v1/code-agent", json!({ "task": "Sort a list" })),
            (
                "/v1/route",
                json!({ "message": "Tell me about the sea.", "explain": false }),
            ),
        ] {
            let answer = works(first, path, &body);
            let better = approve(then, token(&answer)).json();
            assert_eq!(better["result"]["model"], "dear-large", "{better}");
            let trace = &better["routing"]["trace"];
            assert_eq!(trace.is_object(), is_explained, "{path}: {better}");
            if is_explained {
                let told = trace["handOffs"].as_array().unwrap();
                assert_eq!(told.len(), 1, "{path}: {better}");
                assert_eq!(told[0]["text"], answer["escalation"]["optimizedPrompt"], "{path}");
            }
        }
    }
    // A header that says neither is refused before anything is decided.
    let answer = works(&plain, "/v1/code-agent", &json!({ "task": "Sort a list" }));
    let token = token(&answer);
    let refused = approve(&plain.with_header("x-gateway-explain", "yes"), token);
    assert_eq!(refused.error(400)["type"], "invalid_header");
    assert_eq!(approve(&plain, token).status, 200);
    scene.finish();
}

/// The same request after tests of which one failed, to both kinds of endpoints.
fn after_failed_tests() -> [(&'static str, Value); 2] {
    let tests = json!({ "passed": 3, "failed": 1, "output": "expected 4, got 5" });
    [
        ("/v1/code-agent", json!({ "task": "Sort a list", "testResults": tests })),
        ("/v1/route", json!({ "message": "Add 2 and 2.", "testResults": tests })),
    ]
}

#[test]
fn after_failed_tests_whoever_has_leave_starts_at_a_higher_layer() {
    let scene = Scene::with("true");
    let client = scene.gateway.client();
    for (number, (path, failed)) in after_failed_tests().into_iter().enumerate() {
        let mut passed = failed.clone();
        passed["testResults"] = json!({ "passed": 4, "failed": 0 });
        let answer = works(&client, path, &passed);
        assert_eq!(answer["result"]["model"], "free-small", "{answer}");
        let answer = works(&client, path, &failed);
        assert_eq!(answer["result"]["model"], "dear-large", "{answer}");
        assert_eq!(scene.requests(), (number + 1, number + 1));
    }
    // The task's message tells of them, or a hand-off does: once.
    for request in scene.dear.received() {
        let told = request.json().to_string();
        for what in ["3 passed, 1 failed", "expected 4, got 5"] {
            assert_eq!(told.matches(what).count(), 1, "{told}");
        }
    }
    scene.finish();
}

#[test]
fn what_a_better_model_is_told_of_failed_tests_is_in_the_trace() {
    let scene = Scene::with("true");
    let client = scene.gateway.client().with_header("x-gateway-explain", "true");
    for (path, failed) in after_failed_tests() {
        let answer = works(&client, path, &failed);
        let told = &answer["routing"]["trace"]["handOffs"];
        if path == "/v1/code-agent" {
            assert_eq!(told, &json!([]), "{answer}");
            continue;
        }
        let issue = "the client's tests: 3 passed, 1 failed; they printed:\nexpected 4, got 5";
        assert_eq!(told[0]["knownIssues"], json!([issue]), "{answer}");
        assert_eq!(told[0]["request"], "Add 2 and 2.");
        assert_eq!(told[0]["attempts"], json!([]));
    }
    scene.finish();
}

#[test]
fn after_failed_tests_whoever_has_no_leave_is_offered_a_higher_layer() {
    let scene = Scene::new();
    let client = scene.gateway.client();
    for (number, (path, failed)) in after_failed_tests().into_iter().enumerate() {
        let answer = works(&client, path, &failed);
        assert_eq!(answer["result"]["model"], "free-small", "{answer}");
        assert_eq!(
            (&answer["escalation"]["reason"], &answer["escalation"]["suggestedLayer"]),
            (&json!("failed_tests"), &json!("L2")),
            "{answer}"
        );
        assert_eq!(scene.requests(), (number + 1, 0));
    }
    scene.finish();
}
