//! Row E8: several calls for one request, and a budget that pays for some of them.

use std::sync::atomic::AtomicBool;
use std::thread;

use serde_json::{Value, json};

use crate::observer::{End, observe};
use crate::scene::{COST, On, SOON, Scene, TOKENS, bill, on_each_database};
use crate::support::{Behaviour, Client, Content, Model, Provider, Reply, Setup, in_parallel, wait_for};

const MEMBERS: [&str; 3] = ["ann", "bob", "cid"];
/// Those that a key may use: the best one wants leave that nobody has given.
const ALL: [&str; 4] = ["ann", "bob", "cid", "dot"];
const SUM: &str = "How many apples are 3 apples and 4 apples? End with `Answer: <number>`";

on_each_database![
    e8_a_plan_of_three_with_money_for_two_ends_with_what_is_paid,
    e8_fifty_plans_at_once_never_spend_more_than_there_is,
    k9_killed_while_three_answer_side_by_side_it_leaves_each_call_on_record_once,
];

/// Three models of three makers that cost the same, whose answers are compared.
struct Panel {
    members: [Provider; 3],
    best: Provider,
    scene: Scene,
}

impl Panel {
    fn new(on: On) -> Self {
        let (members, best) = (MEMBERS.map(Provider::start), Provider::start("dot"));
        let scene = Scene::with(on, |setup, _| {
            let mut setup: Setup = setup
                .env("ENABLE_CROSS_CHECK", "true")
                .toml("[routing]\npanel = \"always\"");
            // They disagree, so that what each says counts: two who agree would not wait for the third.
            for (number, member) in members.iter().enumerate() {
                let model = Model::free(member.name(), member).priced("0", crate::scene::OUTPUT_PRICE);
                setup = setup.provider_with(member, "max_in_flight = 400").model(&model);
                member.say(Content::saying(&format!("Answer: {}", 7 + number)));
            }
            let model = Model::free("dot", &best).layer("L2").priced("0", "20");
            setup.provider(&best).model(&model)
        });
        Self { members, best, scene }
    }

    /// A key for these models alone, that may spend so much.
    fn key(&self, nano_usd: i64) -> Client {
        let budget = json!({ "limitNanoUsd": nano_usd, "window": "total" });
        let (_, client) = self
            .scene
            .key(&json!({ "name": format!("with {nano_usd}"), "models": ALL, "budget": budget }));
        client
    }

    fn requests(&self) -> usize {
        self.members.iter().map(Provider::requests).sum()
    }

    fn bill(&self) -> i64 {
        self.members.iter().map(bill).sum()
    }

    fn finish(self) {
        for member in &self.members {
            member.set(Behaviour::Answer);
        }
        assert_eq!(self.best.requests(), 0, "nobody gave leave");
        self.scene.assert_audited();
        self.scene.finish();
    }
}

fn ask(client: &Client) -> Reply {
    client.post("/v1/route", &json!({ "message": SUM, "maxTokens": TOKENS }))
}

#[track_caller]
fn check_of(reply: &Reply) -> (Value, Value) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    let check = &answer["routing"]["crossCheck"];
    (check["status"].clone(), check["reason"].clone())
}

fn e8_a_plan_of_three_with_money_for_two_ends_with_what_is_paid(on: On) {
    let panel = Panel::new(on);
    let reply = ask(&panel.key(3 * COST));
    assert_eq!(check_of(&reply).0, "disagreed", "{}", reply.text());
    assert_eq!(panel.requests(), 3);
    for paid in [2, 1] {
        let before = panel.requests();
        let reply = ask(&panel.key(paid * COST + COST / 2));
        assert_eq!(
            check_of(&reply),
            (json!("unavailable"), json!("budget")),
            "{}",
            reply.text()
        );
        let said = reply.json()["result"]["response"].as_str().unwrap().to_owned();
        assert!(said.starts_with("Answer: "), "{said}");
        assert_eq!(panel.requests() - before, usize::try_from(paid).unwrap());
    }
    let before = panel.requests();
    let refused = ask(&panel.key(COST - 1));
    assert_eq!(refused.status, 402, "{}", refused.text());
    assert_eq!(panel.requests(), before, "what nobody pays for reaches nobody");
    panel.scene.gateway.wait_until_settled();
    assert_eq!(panel.bill(), 6 * COST);
    assert_eq!(panel.scene.books().recorded(), 6 * COST);
    panel.finish();
}

fn e8_fifty_plans_at_once_never_spend_more_than_there_is(on: On) {
    const LIMIT: i64 = 20 * COST + COST / 2;
    let panel = Panel::new(on);
    let (_, client) = panel.scene.key(&json!({ "name": "all", "models": ALL }));
    panel.scene.limit("global", LIMIT);
    let (books, is_over) = (panel.scene.books(), AtomicBool::new(false));
    let statuses = thread::scope(|scope| {
        let all_is_over = End(&is_over);
        let observer = scope.spawn(|| observe(&books, || panel.bill(), LIMIT, &is_over));
        let statuses = in_parallel(50, 50, |_| ask(&client).status);
        drop(all_is_over);
        println!("{} looks at the books", observer.join().unwrap());
        statuses
    });
    assert!(
        statuses.iter().all(|status| matches!(status, 200 | 402)),
        "{statuses:?}"
    );
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!(
        (7..=20).contains(&answered),
        "{answered} answered of money for twenty calls"
    );
    assert_eq!(panel.requests(), 20);
    assert_eq!(panel.scene.spent_at_rest("global"), 20 * COST);
    assert_eq!((panel.bill(), panel.scene.books().recorded()), (20 * COST, 20 * COST));
    panel.finish();
}

fn k9_killed_while_three_answer_side_by_side_it_leaves_each_call_on_record_once(on: On) {
    let mut panel = Panel::new(on);
    panel.scene.limit("global", 100 * COST);
    let (_, client) = panel.scene.key(&json!({ "name": "all", "models": ALL }));
    for member in &panel.members {
        member.set(Behaviour::Held);
    }
    thread::scope(|scope| {
        let asking = scope.spawn(|| client.try_post("/v1/route", &json!({ "message": SUM, "maxTokens": TOKENS })));
        wait_for("three calls", SOON, || {
            panel.members.iter().all(|member| member.running() == 1)
        });
        panel.scene.gateway.kill_9();
        assert!(asking.join().unwrap().is_err(), "a dead process has answered");
    });
    for member in &panel.members {
        member.set(Behaviour::Answer);
    }
    panel.scene.gateway.restart();
    let calls = panel.scene.gateway.wait_for_calls(3);
    let mut places: Vec<(i32, &str, i64)> = calls
        .iter()
        .map(|call| (call.ordinal, call.outcome.as_str(), call.cost_nano_usd))
        .collect();
    places.sort_unstable();
    let expected: Vec<(i32, &str, i64)> = (1..=3).map(|place| (place, "interrupted", COST)).collect();
    assert_eq!(places, expected);
    assert_eq!(panel.scene.spent_at_rest("global"), 3 * COST);
    panel.finish();
}
