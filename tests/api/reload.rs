//! Models and prices change while the gateway serves: by SIGHUP, and when the file changes. Nothing else does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::COMPLETIONS;
use crate::support::{Behaviour, Client, Gateway, Model, Provider, Setup, chat, in_parallel, streamed_chat, wait_for};

/// Longer than the gateway takes to see that a file has changed and rests, several times over.
const SOON: Duration = Duration::from_secs(20);

const REQUESTS: usize = 400;
const AT_ONCE: usize = 8;

fn input_price(client: &Client, model: &str) -> Option<Value> {
    let list = client.get("/v1/models").json();
    let models = list["data"].as_array().unwrap();
    let entry = models.iter().find(|entry| entry["id"] == model)?;
    Some(entry["gateway"]["prices"]["inputUsdPerMtok"].clone())
}

fn priced(provider: &Provider, input: &'static str) -> Setup {
    let model = Model::free("alpha-small", provider).priced(input, "1");
    Setup::new().provider(provider).model(&model)
}

fn asking_for(model: &str) -> Value {
    let mut request = chat("hello");
    request["model"] = json!(model);
    request
}

#[track_caller]
fn wait_for_log(gateway: &Gateway, text: &str) {
    wait_for(text, SOON, || gateway.log().iter().any(|line| line.contains(text)));
}

#[test]
fn sighup_brings_a_new_price_at_which_calls_are_booked() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(priced(&alpha, "1"));
    let client = gateway.client();
    assert_eq!(input_price(&client, "alpha-small"), Some(json!(1)));
    assert_eq!(client.post(COMPLETIONS, &asking_for("alpha-small")).status, 200);

    // The watch for changes of the file cannot tell the new one from the old one: only the signal can have brought it.
    gateway.change_file_unseen(priced(&alpha, "9"));
    gateway.sighup();
    wait_for("the new price", SOON, || {
        input_price(&client, "alpha-small") == Some(json!(9))
    });

    assert_eq!(client.post(COMPLETIONS, &asking_for("alpha-small")).status, 200);
    let calls = gateway.wait_for_calls(2);
    let (before, after) = (&calls[0], &calls[1]);
    assert_eq!(before.input_tokens, after.input_tokens);
    assert_eq!(after.cost_nano_usd - before.cost_nano_usd, 8_000 * after.input_tokens);
    gateway.finish();
}

#[test]
fn a_changed_file_brings_new_models_without_a_signal_and_takes_old_ones_away() {
    let alpha = Provider::start("alpha");
    let setup = |model: &str| Setup::new().provider(&alpha).model(&Model::free(model, &alpha));
    let mut gateway = Gateway::start(setup("alpha-old"));
    let client = gateway.client();
    assert_eq!(client.post(COMPLETIONS, &asking_for("alpha-old")).status, 200);

    gateway.change_file(setup("alpha-new").toml("[aliases]\n\"gpt-*\" = \"alpha-new\""));
    wait_for("the new model", SOON, || input_price(&client, "alpha-new").is_some());

    assert_eq!(input_price(&client, "alpha-old"), None);
    client.post(COMPLETIONS, &asking_for("alpha-old")).error(404);
    for name in ["alpha-new", "gpt-anything"] {
        assert_eq!(client.post(COMPLETIONS, &asking_for(name)).status, 200, "{name}");
    }
    gateway.finish();
}

#[test]
fn a_bad_file_keeps_the_old_models_and_every_problem_is_logged() {
    let alpha = Provider::start("alpha");
    let mut gateway = Gateway::start(priced(&alpha, "1"));
    let client = gateway.client();

    let bad = priced(&alpha, "-2").model(&Model::free("no-layer", &alpha).layer("L7"));
    gateway.change_file(bad);
    gateway.sighup();
    wait_for_log(&gateway, "the models stay as they were");
    for problem in ["models.alpha-small.input_usd_per_mtok", "models.no-layer.layer"] {
        let told = gateway
            .log()
            .iter()
            .any(|line| line.contains("WARN") && line.contains(problem));
        assert!(told, "{problem} is not in the log");
    }
    assert_eq!(input_price(&client, "alpha-small"), Some(json!(1)));
    assert_eq!(client.post(COMPLETIONS, &asking_for("alpha-small")).status, 200);

    gateway.change_file(priced(&alpha, "3"));
    wait_for("the mended file", SOON, || {
        input_price(&client, "alpha-small") == Some(json!(3))
    });
    gateway.finish();
}

#[test]
fn a_new_provider_waits_for_a_restart_and_so_do_its_models() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let mut gateway = Gateway::start(priced(&alpha, "1"));
    let client = gateway.client();

    let both = priced(&alpha, "2")
        .provider(&beta)
        .model(&Model::free("beta-small", &beta));
    gateway.change_file(both);
    gateway.sighup();
    wait_for("the new price", SOON, || {
        input_price(&client, "alpha-small") == Some(json!(2))
    });
    assert_eq!(input_price(&client, "beta-small"), None);
    client.post(COMPLETIONS, &asking_for("beta-small")).error(404);
    wait_for_log(&gateway, "they take effect after a restart");
    wait_for_log(&gateway, "this process has no such provider");

    gateway.kill_9();
    gateway.restart();
    let reply = gateway.client().post(COMPLETIONS, &asking_for("beta-small"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    gateway.finish();
}

#[test]
fn a_stream_under_way_ends_as_it_began_although_its_model_has_gone() {
    let (alpha, beta) = (Provider::start("alpha"), Provider::start("beta"));
    let providers = || Setup::new().provider(&alpha).provider(&beta);
    let paid = Model::free("alpha-small", &alpha).priced("1", "2");
    let mut gateway = Gateway::start(providers().model(&paid));
    let client = gateway.client();
    alpha.set_tokens(60);
    alpha.set(Behaviour::Slow(Duration::from_millis(100)));
    let mut request = streamed_chat("hello");
    request["model"] = json!("alpha-small");
    let mut stream = client.open_stream(COMPLETIONS, &request);
    stream.next_event();

    gateway.change_file(providers().model(&Model::free("beta-small", &beta)));
    gateway.sighup();
    wait_for("the new model", SOON, || input_price(&client, "beta-small").is_some());
    assert_eq!(alpha.running(), 1, "the stream was over before the models changed");

    let reply = stream.finish();
    assert!(reply.is_done() && !reply.cut, "the stream was cut: {}", reply.text());
    assert_eq!(reply.content().split(' ').count(), 60);
    let call = gateway.wait_for_calls(1).remove(0);
    assert_eq!((call.outcome.as_str(), call.output_tokens), ("completed", 60));
    assert_eq!(
        call.cost_nano_usd,
        1_000 * call.input_tokens + 2_000 * call.output_tokens
    );
    gateway.finish();
}

#[test]
fn no_request_fails_while_the_models_are_loaded_again_and_again() {
    let alpha = Provider::start("alpha");
    let gateway = Gateway::start(priced(&alpha, "1"));
    let client = gateway.client();
    let replies = in_parallel(REQUESTS, AT_ONCE, |index| {
        if index % 20 == 0 {
            gateway.sighup();
        }
        client.post(COMPLETIONS, &asking_for("alpha-small"))
    });
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(gateway.wait_for_calls(REQUESTS).len(), REQUESTS);
    wait_for_log(&gateway, "the models were loaded again");
    gateway.finish();
}

#[test]
fn a_default_layer_without_a_usable_model_is_told_once_at_the_start_and_after_a_reload_that_changes_it() {
    let alpha = Provider::start("alpha");
    let dear = || Model::free("alpha-large", &alpha).layer("L1").priced("1", "2");
    let paid = || Setup::new().provider(&alpha).model(&dear());
    let mut gateway = Gateway::start(paid());
    let told = |gateway: &Gateway, text: &str| {
        let log = gateway.log();
        let lines = log.iter().filter(|line| line.contains("WARN") && line.contains(text));
        lines.count()
    };
    wait_for_log(&gateway, "DEFAULT_LAYER=L1");

    gateway.sighup();
    wait_for_log(&gateway, "the models were loaded again");
    assert_eq!(told(&gateway, "DEFAULT_LAYER=L1"), 1, "it was told before");

    gateway.change_file(paid().model(&Model::free("alpha-small", &alpha)));
    gateway.sighup();
    wait_for_log(&gateway, "are served again");
    assert_eq!(gateway.client().post(COMPLETIONS, &chat("hello")).status, 200);

    gateway.change_file(Setup::new().provider(&alpha).model(&dear().layer("L3")));
    gateway.sighup();
    wait_for_log(&gateway, "DEFAULT_LAYER=L3");
    assert_eq!(told(&gateway, "DEFAULT_LAYER="), 2);
    gateway.finish_after(&asking_for("L3"));
}

#[test]
fn nothing_is_told_of_a_default_layer_that_has_a_model_or_may_be_left() {
    let alpha = Provider::start("alpha");
    let paid = || {
        let model = Model::free("alpha-large", &alpha).layer("L1").priced("1", "2");
        Setup::new().provider(&alpha).model(&model)
    };
    for setup in [
        Setup::free_l0(&[&alpha]),
        paid().env("DEFAULT_LAYER", "L1"),
        paid().env("ENABLE_AUTO_ESCALATE", "true"),
    ] {
        let gateway = Gateway::start(setup);
        assert_eq!(gateway.client().post(COMPLETIONS, &chat("hello")).status, 200);
        let log = gateway.log().join("\n");
        assert!(!log.contains("requests that name neither"), "{log}");
        gateway.finish();
    }
}
