//! Section D: OpenRouter's free models, which stand in for an empty layer L0.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::scene::{assert_answered_by, assert_lives, assert_refused, for_model, resident_bytes};
use crate::support::{Behaviour, Client, Gateway, Model, ModelList, Provider, Setup, chat, in_parallel, wait_for};

const SOON: Duration = Duration::from_secs(30);
const KEY: &str = "sk-secret-of-openrouter";
/// Asks again every second, whatever came.
const OFTEN: &str = "free_models_ttl_s = 1\nfree_models_retry_s = 1";
/// The list keeps its order of this many models, and the gateway takes the first five.
const WINDOWS: [u64; 7] = [900_000, 800_000, 700_000, 600_000, 500_000, 400_000, 300_000];

/// A gateway whose only provider is this one, as OpenRouter, with no model but these lines'.
fn setup(router: &Provider, openrouter: &str, more: &str) -> Setup {
    let base_url = router.base_url();
    Setup::new()
        .toml("models = []")
        .toml(&format!("[openrouter]\n{openrouter}"))
        .toml(&provider_toml(&base_url, more))
        .env("ROUTER_KEY", KEY)
}

fn provider_toml(base_url: &str, more: &str) -> String {
    format!(
        "[[providers]]\nname = \"router\"\nkind = \"openrouter\"\nbase_url = \"{base_url}\"\napi_key_env = \
         \"ROUTER_KEY\"\n{more}"
    )
}

/// The same gateway with a configured model.
fn setup_with(router: &Provider, model: &Model) -> Setup {
    Setup::new()
        .toml(&format!("[openrouter]\n{OFTEN}"))
        .toml(&provider_toml(&router.base_url(), ""))
        .env("ROUTER_KEY", KEY)
        .model(model)
}

fn free(id: &str, window: u64) -> Value {
    json!({
        "id": id,
        "name": id,
        "context_length": window,
        "architecture": { "input_modalities": ["text", "image"], "output_modalities": ["text"] },
        "pricing": { "prompt": "0", "completion": "0", "request": "0" },
        "top_provider": { "context_length": window, "max_completion_tokens": 4096 },
        "supported_parameters": ["tools", "response_format"],
    })
}

/// A list of seven free models, best first, with dearer ones and nonsense among them.
fn list(name: &str) -> ModelList {
    let mut entries: Vec<Value> = (1..)
        .zip(WINDOWS)
        .map(|(place, window)| free(&format!("{name}/{place}:free"), window))
        .collect();
    let mut dear = free("vendor/dear", 2_000_000);
    dear["pricing"]["completion"] = json!("0.000015");
    entries.insert(2, dear);
    entries.insert(0, json!({ "id": 7 }));
    entries.swap(3, 6);
    json_list(&entries)
}

fn json_list(entries: &[Value]) -> ModelList {
    ModelList::Json(json!({ "data": entries }).to_string().into())
}

fn five(name: &str) -> Vec<String> {
    (1..=5).map(|place| format!("{name}/{place}:free")).collect()
}

fn models(client: &Client) -> Vec<Value> {
    client.get("/v1/models").json()["data"].as_array().unwrap().clone()
}

fn ids(client: &Client) -> Vec<String> {
    let models = models(client);
    models
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn wait_for_models(client: &Client, expected: &[String]) {
    wait_for("the models", SOON, || ids(client) == expected);
}

/// How many lines of the log hold this.
fn told(gateway: &Gateway, text: &str) -> usize {
    gateway.log().iter().filter(|line| line.contains(text)).count()
}

#[track_caller]
fn finish(gateway: Gateway) {
    assert_tells_no_key(&gateway);
    gateway.finish();
}

#[track_caller]
fn assert_tells_no_key(gateway: &Gateway) {
    assert_lives(gateway);
    assert_eq!(told(gateway, KEY), 0, "the key is in the log");
}

#[test]
fn d6_the_five_best_free_models_of_the_list_are_served_while_layer_0_is_empty() {
    let router = Provider::start("router");
    router.set_models(list("best"));
    let gateway = Gateway::start(setup(&router, "", ""));
    let client = gateway.client();
    wait_for_models(&client, &five("best"));

    let best = &models(&client)[0];
    assert_eq!(best["owned_by"], "router");
    let details = &best["gateway"];
    assert_eq!(
        (&details["layer"], &details["apiModel"]),
        (&json!("L0"), &json!("best/1:free"))
    );
    assert_eq!(details["contextWindow"], 900_000);
    assert_eq!(details["maxOutputTokens"], 4_096);
    assert_eq!(
        details["capabilities"],
        json!(["chat", "code", "tools", "json", "vision"])
    );
    assert_eq!(details["prices"]["outputUsdPerMtok"], 0);

    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
    assert_eq!(router.last_request().json()["model"], "best/1:free");
    assert_answered_by(&client.post(COMPLETIONS, &for_model("best/3:free")), "router");
    assert_eq!(router.last_request().json()["model"], "best/3:free");
    client.post(COMPLETIONS, &for_model("best/6:free")).error(404);
    client.post(COMPLETIONS, &for_model("vendor/dear")).error(404);
    let calls = gateway.wait_for_calls(2);
    assert!(calls.iter().all(|call| call.cost_nano_usd == 0));

    let questions = router.probes();
    assert_eq!(questions.len(), 1, "a list is good for an hour");
    assert_eq!(questions[0].path, "/v1/models");
    assert_eq!(
        questions[0].header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(told(&gateway, "best/1:free, best/2:free"), 1);
    finish(gateway);
}

#[test]
fn d6_requests_before_the_list_are_refused_at_once_and_one_question_is_asked_for_all() {
    let router = Provider::start("router");
    router.set_models(ModelList::Stall);
    let gateway = Gateway::start(setup(&router, OFTEN, ""));
    let client = gateway.client();
    wait_for("the question", SOON, || router.probes().len() == 1);
    let replies = in_parallel(100, 8, |_| client.post(COMPLETIONS, &chat("hello")));
    for reply in &replies {
        assert_refused(reply, 503, "no_provider_available");
    }
    assert_eq!(router.probes().len(), 1);

    router.set_models(list("late"));
    router.kill();
    router.revive();
    wait_for_models(&client, &five("late"));
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
    finish(gateway);
}

#[test]
fn d6_whatever_the_list_does_the_old_models_are_served_and_memory_is_bounded() {
    let (router, elsewhere) = (Provider::start("router"), Provider::start("elsewhere"));
    router.set_models(list("old"));
    let limits = "timeouts = { first_byte_ms = 300, idle_ms = 300 }";
    let gateway = Gateway::start(setup(&router, OFTEN, limits));
    let client = gateway.client();
    wait_for_models(&client, &five("old"));
    let resident = resident_bytes(&gateway);

    let location: &'static str = Box::leak(format!("{}/models", elsewhere.base_url()).into_boxed_str());
    let location: &'static [(&str, &str)] = Box::leak(Box::new([("location", location)]));
    let million = format!("{{\"data\":[{{}}{}]}}", ",{}".repeat(999_999));
    let huge = format!("{{\"data\":[],\"more\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
    let faults = [
        (ModelList::Status(503, &[], "secret-upstream-detail"), "status 503"),
        (
            ModelList::Status(200, &[("content-type", "text/html")], "<html>Sign in</html>"),
            "not a list",
        ),
        (ModelList::Status(302, location, ""), "status 302"),
        (ModelList::Stall, "no answer came in time"),
        (ModelList::StallInBody, "stalled"),
        (ModelList::Json(million.into()), "more than 10000 models"),
        (ModelList::Json(huge.into()), "larger than 8388608 bytes"),
        (ModelList::Status(401, &[], "{}"), "status 401"),
        (ModelList::Endless, "larger than 8388608 bytes"),
    ];
    for (fault, why) in faults {
        let before = told(&gateway, why);
        router.set_models(fault.clone());
        wait_for(why, SOON, || told(&gateway, why) > before);
        // The next question has been asked, and so the same fault met at least twice.
        let asked = router.probes().len();
        wait_for("two more questions", SOON, || router.probes().len() >= asked + 2);
        assert_eq!(ids(&client), five("old"), "{why}");
        assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
        assert_eq!(told(&gateway, why), before + 1, "{why}: told once for each change");
    }
    let grown = resident_bytes(&gateway).saturating_sub(resident);
    assert!(grown < 96 * 1024 * 1024, "grew by {grown} bytes");
    assert!(
        elsewhere.probes().is_empty() && elsewhere.requests() == 0,
        "a redirect was followed"
    );

    router.set_models(list("new"));
    wait_for_models(&client, &five("new"));
    router.set_models(json_list(&[]));
    wait_for_models(&client, &[]);
    assert_refused(&client.post(COMPLETIONS, &chat("hello")), 503, "no_provider_available");
    router.set_models(list("last"));
    finish(gateway);
}

#[test]
fn d6_after_a_failure_nobody_is_asked_for_a_minute_however_many_requests_come() {
    let router = Provider::start("router");
    router.set_models(ModelList::Status(500, &[], "no"));
    let gateway = Gateway::start(setup(&router, "", ""));
    let client = gateway.client();
    wait_for("the failure", SOON, || told(&gateway, "status 500") == 1);
    router.set_models(list("best"));
    let replies = in_parallel(200, 8, |_| client.post(COMPLETIONS, &chat("hello")));
    for reply in &replies {
        assert_refused(reply, 503, "no_provider_available");
    }
    assert_eq!(router.probes().len(), 1);
    assert_tells_no_key(&gateway);
    gateway.finish_without_a_model();
}

#[test]
fn d6_free_models_come_and_go_as_the_reloaded_settings_want_them() {
    let router = Provider::start("router");
    router.set_models(list("best"));
    let own = Model::free("own-small", &router);
    let dear = own.clone().layer("L1").priced("1", "2");
    let mut gateway = Gateway::start(setup_with(&router, &own));
    let client = gateway.client();
    for _ in 0..20 {
        assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
    }
    assert_eq!(ids(&client), ["own-small"]);
    assert!(router.probes().is_empty(), "nobody wanted free models");

    let with_five = || [vec!["own-small".to_owned()], five("best")].concat();
    gateway.change_file(setup_with(&router, &dear));
    gateway.sighup();
    wait_for_models(&client, &with_five());
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
    assert_eq!(router.last_request().json()["model"], "best/1:free");

    gateway.change_file(setup_with(&router, &dear.priced("3", "4")));
    gateway.sighup();
    wait_for("the new price", SOON, || {
        models(&client)[0]["gateway"]["prices"]["inputUsdPerMtok"] == 3
    });
    assert_eq!(ids(&client), with_five());

    gateway.change_file(setup(&router, OFTEN, ""));
    gateway.sighup();
    wait_for_models(&client, &five("best"));

    gateway.change_file(setup_with(&router, &own));
    gateway.sighup();
    wait_for_models(&client, &["own-small".to_owned()]);
    finish(gateway);
}

#[test]
fn d6_switched_off_nobody_is_asked() {
    let router = Provider::start("router");
    router.set_models(list("best"));
    let gateway = Gateway::start(setup(&router, "free_models = false", ""));
    let client = gateway.client();
    for _ in 0..20 {
        assert_refused(&client.post(COMPLETIONS, &chat("hello")), 503, "no_provider_available");
    }
    assert!(router.probes().is_empty());
    assert_tells_no_key(&gateway);
    gateway.finish_without_a_model();
}

#[test]
fn d6_a_provider_that_is_not_there_at_the_start_is_asked_again_until_it_is() {
    let router = Provider::start("router");
    router.set_models(list("best"));
    router.kill();
    let gateway = Gateway::start(setup(&router, OFTEN, ""));
    let client = gateway.client();
    wait_for("the failure", SOON, || told(&gateway, "model list cannot be used") == 1);
    assert_refused(&client.post(COMPLETIONS, &chat("hello")), 503, "no_provider_available");
    router.revive();
    wait_for_models(&client, &five("best"));
    // A breaker may have opened meanwhile.
    router.set(Behaviour::Answer);
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "router");
    finish(gateway);
}
