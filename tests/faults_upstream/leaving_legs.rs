//! Clients that leave while several calls are made for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Behaviour, Content, Gateway, Model, Provider, RawClient, Setup, look_until, wait_for};

/// How long each provider takes.
const PAUSE: Duration = Duration::from_millis(120);

/// Nano-USD per token of output of each model.
const NANO: [(&str, i64); 4] = [("ant", 1_000), ("bee", 2_000), ("cat", 3_000), ("eel", 200_000)];

const SUM: &str = "How many apples are 3 apples and 4 apples? End with `Answer: <number>`";
const DESCRIBE: &str = "Describe the sea.";
const REJECT: &str = r#"{"verdict":"reject","issues":[{"severity":"major","what":"no fish"}]}"#;

/// When the client leaves.
#[derive(Clone, Copy, Debug)]
struct Moment {
    asked: usize,
    done: usize,
}

/// At once, with every number of calls that can be under way, and between them.
const MOMENTS: [Moment; 9] = {
    const fn at(asked: usize, done: usize) -> Moment {
        Moment { asked, done }
    }
    [
        at(0, 0),
        at(1, 0),
        at(1, 1),
        at(2, 1),
        at(2, 2),
        at(3, 2),
        at(3, 3),
        at(4, 3),
        at(4, 4),
    ]
};

struct Scene {
    providers: [Provider; 4],
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        let providers = NANO.map(|(name, _)| Provider::start(name));
        let mut setup = Setup::new()
            .env("ENABLE_CROSS_CHECK", "true")
            .env("ENABLE_AUTO_ESCALATE", "true")
            .toml("[routing]\npanel = \"always\"");
        for (provider, price) in providers.iter().zip(["1", "2", "3", "200"]) {
            let model = Model::free(&format!("{}-model", provider.name()), provider).priced("0", price);
            let is_best = provider.name() == "eel";
            let model = if is_best { model.layer("L2") } else { model };
            setup = setup.provider(provider).model(&model);
        }
        let gateway = Gateway::start(setup);
        for provider in &providers {
            provider.set(Behaviour::Slow(PAUSE));
        }
        Self { providers, gateway }
    }

    /// Everybody says this, in the order of the models.
    fn say(&self, said: [&str; 4]) {
        for (provider, said) in self.providers.iter().zip(said) {
            provider.say(Content::saying(said));
        }
    }

    fn asked(&self) -> usize {
        self.providers.iter().map(Provider::requests).sum()
    }

    /// What the providers bill, in nano-USD.
    fn billed(&self) -> i64 {
        let bill = |(provider, (_, nano)): (&Provider, (&str, i64))| {
            provider.billed(|charge| i64::try_from(charge.output_tokens).unwrap() * nano)
        };
        self.providers.iter().zip(NANO).map(bill).sum()
    }

    /// Asks, leaves as soon as the providers have got so many requests more and are done with so many of them, and looks at
    /// what is left.
    fn ask_and_leave(&self, body: &Value, after: Moment) {
        let before = self.asked();
        let mut client = RawClient::connect(self.gateway.address());
        client.post("/v1/route", body);
        look_until(&format!("{after:?}"), Duration::from_secs(20), || {
            let asked = self.asked() - before;
            let running: usize = self.providers.iter().map(Provider::running).sum();
            asked >= after.asked && asked >= after.done + running
        });
        client.reset();
        // One that noticed late may have begun another call meanwhile: all of it is on record in the end.
        wait_for(
            &format!("every call on record after {after:?}"),
            Duration::from_secs(20),
            || {
                self.gateway.wait_until_settled();
                let calls = self.gateway.calls();
                let recorded: i64 = calls.iter().map(|call| call.cost_nano_usd).sum();
                let is_done = self.providers.iter().all(|provider| provider.running() == 0);
                is_done && calls.len() == self.asked() && recorded == self.billed()
            },
        );
        let calls = self.gateway.calls();
        let mut places: Vec<(&str, i32)> = calls
            .iter()
            .map(|call| (call.request_id.as_str(), call.ordinal))
            .collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), calls.len(), "two attempts have one place");
    }

    fn finish(self) {
        for provider in &self.providers {
            provider.set(Behaviour::Answer);
        }
        self.gateway.finish();
    }
}

#[test]
fn h7_a_client_that_leaves_a_panel_or_the_call_after_it_leaves_every_call_on_record() {
    let scene = Scene::new();
    // They disagree, so that the best is asked.
    scene.say(["Answer: 1", "Answer: 2", "Answer: 3", "Answer: 7"]);
    for moment in MOMENTS {
        scene.ask_and_leave(&json!({ "message": SUM }), moment);
    }
    scene.finish();
}

#[test]
fn h7_a_client_that_leaves_a_review_or_the_calls_around_it_leaves_every_call_on_record() {
    let scene = Scene::new();
    scene.say(["waves", REJECT, REJECT, "fish"]);
    // The first answers, the second rejects it, and the best answers instead.
    let body = json!({ "message": DESCRIBE, "qualityLevel": "high", "layer": "L0" });
    let is_reached = |moment: &Moment| moment.asked <= 3;
    for moment in MOMENTS.into_iter().filter(is_reached) {
        scene.ask_and_leave(&body, moment);
    }
    scene.finish();
}

#[test]
fn h7_somebody_who_stays_gets_the_answer_after_all_of_these() {
    let scene = Scene::new();
    scene.say(["Answer: 1", "Answer: 2", "Answer: 3", "Answer: 7"]);
    let reply = scene.gateway.client().post("/v1/route", &json!({ "message": SUM }));
    let answer = reply.json();
    assert_eq!(answer["result"]["layer"], "L2", "{answer}");
    assert_eq!(answer["routing"]["crossCheck"]["status"], "arbitrated", "{answer}");
    assert_eq!(answer["routing"]["attempts"].as_array().unwrap().len(), 4, "{answer}");
    scene.gateway.wait_until_settled();
    scene.finish();
}
