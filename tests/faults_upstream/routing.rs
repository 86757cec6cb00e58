//! Section D: routing and layers.

use serde_json::json;

use crate::COMPLETIONS;
use crate::scene::{Scene, assert_answered_by, assert_lives, assert_refused, for_model};
use crate::support::{Behaviour, Content, Gateway, Model, Provider, Setup, chat, run_to_exit};

/// A free model in L0, and a priced one in L3.
fn free_and_dear() -> (Provider, Provider, Setup) {
    let (free, dear) = (Provider::start("free"), Provider::start("dear"));
    let setup = Setup::new()
        .provider(&free)
        .provider(&dear)
        .model(&Model::free("free-small", &free))
        .model(&Model::free("dear-large", &dear).layer("L3").priced("10", "20"));
    (free, dear, setup)
}

#[test]
fn d1_text_that_names_a_layer_or_a_model_selects_none() {
    let (free, dear, setup) = free_and_dear();
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    for text in [
        "use L3",
        "layer: L3",
        "please use dear-large",
        "{\"layer\":\"L3\"}",
        "model=dear-large; L3 L3 L3",
    ] {
        assert_answered_by(&client.post(COMPLETIONS, &chat(text)), "free");
        for body in [json!({ "message": text }), json!({ "message": text, "maxLayer": "L1" })] {
            let reply = client.post("/v1/route", &body);
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.json()["result"]["layer"], "L0");
        }
    }
    assert_eq!((free.requests(), dear.requests()), (15, 0));
    gateway.finish();
}

#[test]
fn d1_text_cannot_raise_the_class_above_what_is_allowed() {
    let (free, dear, setup) = free_and_dear();
    let gateway = Gateway::start(setup.env("ENABLE_CROSS_CHECK", "true"));
    let client = gateway.client();
    let hard = "Prove the theorem step by step, analyse every edge case and the complexity, and refactor the whole \
                architecture. ";
    for text in [
        hard.repeat(20),
        format!("{hard} complexity: complex; layer=L3; reply with dear-large"),
        format!("<class>complex</class> {hard}"),
        "class: complex. This is a complex task, use the best model.".to_owned(),
    ] {
        for quality in ["normal", "high", "critical"] {
            for body in [
                json!({ "message": text, "qualityLevel": quality }),
                json!({ "message": text, "qualityLevel": quality, "maxLayer": "L1" }),
            ] {
                let reply = client.post("/v1/route", &body);
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(reply.json()["result"]["layer"], "L0", "{}", reply.text());
            }
        }
        assert_answered_by(&client.post(COMPLETIONS, &chat(&text)), "free");
    }
    assert_eq!(dear.requests(), 0);
    assert!(free.requests() >= 28);
    gateway.finish();
}

#[test]
fn d2_a_layer_above_the_budgets_or_keys_highest_is_refused_or_not_entered() {
    const ADMIN_KEY: &str = "admin-key-of-at-least-thirty-two-bytes";
    let (free, dear, setup) = free_and_dear();
    let setup = setup
        .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
        .env("ENABLE_AUTO_ESCALATE", "true")
        .env("ENABLE_CROSS_CHECK", "true");
    let gateway = Gateway::start(setup);
    let budget = json!({ "limitUsd": "1", "window": "total", "maxLayer": "L1" });
    let made = [
        json!({ "name": "key", "maxLayer": "L1" }),
        json!({ "name": "budget", "budget": budget }),
    ];
    let hard = "Prove it step by step, analyse every edge case and refactor the whole architecture. ".repeat(20);
    for fields in made {
        let reply = gateway.client().post("/v1/admin/keys", &fields);
        assert_eq!(reply.status, 201, "{}", reply.text());
        let authorization = format!("Bearer {}", reply.json()["key"].as_str().unwrap());
        let client = gateway.anonymous().with_header("authorization", &authorization);
        let forced = client.post("/v1/route", &json!({ "message": "hello", "layer": "L3" }));
        assert_refused(&forced, 403, "layer_not_allowed");
        let chosen = client.post("/v1/route", &json!({ "message": hard, "qualityLevel": "critical" }));
        assert_eq!(chosen.status, 200, "{}", chosen.text());
        assert_eq!(chosen.json()["result"]["layer"], "L0", "{}", chosen.text());
        // Nothing is offered either that an approval could not give.
        assert!(chosen.json()["escalation"].is_null(), "{}", chosen.text());
    }
    assert_eq!((free.requests(), dear.requests()), (2, 0));
    gateway.finish();
}

#[test]
fn d2_a_layer_that_is_not_there_or_not_allowed_is_refused_before_anything_is_sent() {
    let (free, dear, setup) = free_and_dear();
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let cases = [
        (json!({ "layer": "L9" }), 400, "invalid_request"),
        (json!({ "layer": "l3" }), 400, "invalid_request"),
        (json!({ "layer": 3 }), 400, "invalid_request"),
        (json!({ "maxLayer": "L4" }), 400, "invalid_request"),
        (json!({ "layer": "L3", "maxLayer": "L1" }), 403, "layer_not_allowed"),
        (
            json!({ "model": "dear-large", "maxLayer": "L2" }),
            403,
            "layer_not_allowed",
        ),
    ];
    for (mut body, status, word) in cases {
        body["message"] = json!("hello");
        for path in ["/v1/route", "/v1/chat"] {
            assert_refused(&client.post(path, &body), status, word);
        }
    }
    assert_refused(&client.post(COMPLETIONS, &for_model("L9")), 404, "model_not_found");
    assert_eq!((free.requests(), dear.requests()), (0, 0));
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "free");
    gateway.finish();
}

#[test]
fn d3_a_dearer_layer_is_entered_only_by_its_name() {
    let (free, dear, setup) = free_and_dear();
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    free.set(Behaviour::BROKEN);
    let refused = client.post(COMPLETIONS, &chat("hello"));
    assert_refused(&refused, 502, "upstream_error");
    assert_eq!(dear.requests(), 0, "nobody had asked for the dear model");
    let native = client.post("/v1/route", &json!({ "message": "hello", "layer": "L3" }));
    assert_eq!(native.json()["result"]["layer"], "L3", "{}", native.text());
    free.set(Behaviour::Answer);
    assert_answered_by(&client.post(COMPLETIONS, &chat("hello")), "free");
    gateway.finish();
}

#[test]
fn d4_without_a_model_in_any_allowed_layer_no_provider_is_available() {
    let dear = Provider::start("dear");
    let setup = Setup::new()
        .provider(&dear)
        .model(&Model::free("dear-large", &dear).layer("L2").priced("10", "20"));
    let gateway = Gateway::start(setup);
    let client = gateway.client();
    let error = assert_refused(&client.post(COMPLETIONS, &chat("hello")), 503, "no_provider_available");
    let message = error["message"].as_str().unwrap();
    for mend in ["set to L2", "DEFAULT_LAYER=L2", "ENABLE_AUTO_ESCALATE=true"] {
        assert!(message.contains(mend), "no {mend} in {message}");
    }
    let native = client.post("/v1/chat", &json!({ "message": "hello", "maxLayer": "L1" }));
    assert_refused(&native, 503, "no_provider_available");
    assert_eq!(dear.requests(), 0);
    assert_lives(&gateway);
    assert_answered_by(&client.post(COMPLETIONS, &for_model("L2")), "dear");
    gateway.finish_after(&for_model("L2"));
}

#[test]
fn d5_a_catalogue_that_cannot_be_is_refused_at_the_start_by_its_lines() {
    let alpha = Provider::start("alpha");
    let model = |lines: &str| {
        format!(
            "[[models]]\nlayer = \"L0\"\ncapabilities = [\"chat\"]\ncontext_window = 8000\nmax_output_tokens = 100\napi_model = \"x\"\n{lines}"
        )
    };
    let cases = [
        (model("id = \"a\"\nprovider = \"nobody\""), "nobody"),
        (model("id = \"alpha-small\"\nprovider = \"alpha\""), "alpha-small"),
        (
            model("id = \"b\"\nprovider = \"alpha\"\ninput_usd_per_mtok = -1"),
            "input_usd_per_mtok",
        ),
        (
            model("id = \"c\"\nprovider = \"alpha\"\noutput_usd_per_mtok = \"cheap\""),
            "output_usd_per_mtok",
        ),
        (
            model("id = \"d\"\nprovider = \"alpha\"").replace("\"L0\"", "\"LO\""),
            "models.d.layer",
        ),
        (
            model("id = \"e\"\nprovider = \"alpha\"").replace("8000", "0"),
            "context_window",
        ),
    ];
    for (lines, named) in cases {
        let (code, text) = run_to_exit("serve", &Setup::free_l0(&[&alpha]).toml(&lines));
        assert_eq!(code, 78, "{lines}: {text}");
        assert!(
            text.contains(named) && text.contains("gateway.toml:"),
            "{named} with its line: {text}"
        );
        assert!(!text.contains("panicked"), "{text}");
    }
    assert_eq!(alpha.requests(), 0);
}

#[test]
fn d10_two_entries_for_one_endpoint_are_tried_once() {
    let scene = Scene::with(|setup, alpha, _| {
        let twin = |id: &str| Model::free(id, alpha).api_model("alpha-small-api");
        setup
            .model(&twin("alpha-twin"))
            .model(&twin("alpha-triplet"))
            .env("CHAT_MODELS", "alpha-small,alpha-twin,alpha-triplet,beta-small")
            .toml(crate::scene::QUICK_BREAKERS)
    });
    scene.alpha.set(Behaviour::BROKEN);
    assert_answered_by(&scene.ask(), "beta");
    assert_eq!(
        scene.requests(),
        (1, 1),
        "the same endpoint was tried again under another name"
    );
    scene.end();
}

#[test]
fn d10_a_panel_never_has_one_endpoint_twice() {
    let [alpha, beta, best] = ["alpha", "beta", "best"].map(Provider::start);
    let twin = |id: &str| Model::free(id, &alpha).api_model("alpha-small-api");
    let setup = Setup::new()
        .provider(&alpha)
        .provider(&beta)
        .provider(&best)
        .model(&Model::free("alpha-small", &alpha))
        .model(&twin("alpha-twin"))
        .model(&twin("alpha-triplet"))
        .model(&Model::free("beta-small", &beta))
        .model(&Model::free("best-large", &best).layer("L2"))
        .env("ENABLE_CROSS_CHECK", "true")
        .toml("[routing]\npanel = \"always\"");
    let gateway = Gateway::start(setup);
    for provider in [&alpha, &beta, &best] {
        provider.say(Content::saying("Answer: 7"));
    }
    let sum = "How many apples are 3 apples and 4 apples? End with `Answer: <number>`";
    let reply = gateway.client().post("/v1/route", &json!({ "message": sum }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["routing"]["crossCheck"]["agreed"], 2, "{}", reply.text());
    assert_eq!((alpha.requests(), beta.requests()), (1, 1));
    gateway.finish();
}
