//! What the endpoints of all dialects tell in headers of a model that the gateway chose: which calls led to the answer, and
//! whether a better one would want leave.

use serde_json::{Value, json};

use crate::support::{Behaviour, Client, Gateway, Model, Provider, Reply, Setup};

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/responses", "/v1/messages"];
const ROUTING: &str = "x-gateway-routing";
const ESCALATION: &str = "x-gateway-escalation";
const EASY: &str = "Hello.";
/// A question that no model of the lowest layer is likely to answer.
const HARD: &str = "Let $P(x)$ be a polynomial with complex roots $a_1, \\ldots, a_7$ such that $\\prod_{k} (a_k^2 + 1) = 3$. \
    Find the number of distinct real matrices $M$ with $\\det(M - xI) = P(x)^2$ and $\\mathrm{tr}(M^{-1}) = \\frac{22}{7}$. \
    Put the final answer in \\boxed{}.";

/// Keeps the first model first, however often it fails.
const PATIENT: &str = "[breaker]\nconsecutive_failures = 1000\nfailure_percent = 100\nmin_calls = 100000\n";

/// Asks a model one thing in the dialect of a path.
#[track_caller]
fn ask(client: &Client, path: &str, model: &str, message: &str, stream: bool) -> Reply {
    let turn = json!([{ "role": "user", "content": message }]);
    let mut body = if path == "/v1/responses" {
        json!({ "input": turn })
    } else {
        json!({ "messages": turn, "max_tokens": 1_000 })
    };
    body["model"] = json!(model);
    body["stream"] = json!(stream);
    let reply = client.open_stream(path, &body).finish();
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply
}

/// Asks in every dialect, whole and streamed.
fn for_each_answer(client: &Client, model: &str, message: &str, look: impl Fn(&str, &Reply)) {
    for path in PATHS {
        for stream in [false, true] {
            let reply = ask(client, path, model, message, stream);
            look(&format!("{path}, {model}, streamed: {stream}"), &reply);
        }
    }
}

fn free_models() -> (Provider, Provider, Gateway) {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let gateway = Gateway::start(Setup::free_l0(&[&alpha, &beta]).toml(PATIENT));
    (alpha, beta, gateway)
}

#[test]
fn every_answer_whose_model_the_gateway_chose_says_which_calls_led_to_it_and_why() {
    let (alpha, _beta, gateway) = free_models();
    let client = gateway.client();
    let native = client.post("/v1/chat", &json!({ "message": EASY })).json();
    let summary = native["routing"]["summary"].as_str().unwrap();
    assert_eq!(summary, "L0 alpha-small (number 1 of the task list)");
    for model in ["auto", "L0"] {
        for_each_answer(&client, model, EASY, |what, reply| {
            assert_eq!(reply.header(ROUTING), Some(summary), "{what}");
        });
    }
    // What came before a stream began is told with it.
    alpha.set(Behaviour::BROKEN);
    for_each_answer(&client, "auto", EASY, |what, reply| {
        let told = reply.header(ROUTING).unwrap_or_default();
        let (first, last) = told.split_once(" -> ").unwrap_or_else(|| panic!("{what}: {told:?}"));
        assert!(
            first.starts_with("L0 alpha-small (number 1 of the task list"),
            "{what}: {told}"
        );
        assert!(first.ends_with("): refused"), "{what}: {told}");
        assert_eq!(last, "L0 beta-small (number 2 of the task list)", "{what}");
    });
    alpha.set(Behaviour::Answer);
    gateway.finish();
}

#[test]
fn nothing_is_told_of_the_routing_where_the_client_named_the_model() {
    let (_alpha, _beta, gateway) = free_models();
    for model in ["alpha-small", "alpha-small-api"] {
        for_each_answer(&gateway.client(), model, EASY, |what, reply| {
            assert_eq!(reply.header(ROUTING), None, "{what}");
            assert_eq!(reply.header("x-gateway-model"), Some("alpha-small"), "{what}");
        });
    }
    gateway.finish();
}

#[test]
fn a_model_whose_name_is_no_ascii_is_told_in_a_line_that_is() {
    let alpha = Provider::start("alpha");
    let setup = Setup::new().provider(&alpha).model(&Model::free("modèle", &alpha));
    let gateway = Gateway::start(setup);
    for_each_answer(&gateway.client(), "auto", EASY, |what, reply| {
        let told = reply.header(ROUTING).unwrap_or_default();
        assert!(told.starts_with("L0 mod?le ("), "{what}: {told:?}");
    });
    gateway.finish();
}

#[test]
fn every_dialect_says_in_a_header_that_a_hard_question_would_want_leave_whole_and_streamed() {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let setup = Setup::new()
        .provider(&free)
        .provider(&dear)
        .model(&Model::free("free-small", &free))
        .model(&Model::free("dear-large", &dear).layer("L2").priced("10", "20"));
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let native: Value = client.post("/v1/chat", &json!({ "message": HARD })).json();
    assert_eq!(native["escalation"]["reason"], "complexity", "{native}");
    let suggested = native["escalation"]["suggestedLayer"].as_str().unwrap();
    let expected = format!("required; layer={suggested}; reason=complexity");
    for_each_answer(&client, "auto", HARD, |what, reply| {
        assert_eq!(reply.header(ESCALATION), Some(expected.as_str()), "{what}");
        assert_eq!(reply.header("x-gateway-model"), Some("free-small"), "{what}");
    });
    for_each_answer(&client, "auto", EASY, |what, reply| {
        assert_eq!(reply.header(ESCALATION), None, "{what}");
    });
    assert_eq!(dear.requests(), 0, "paid without leave");
    gateway.finish();
}
