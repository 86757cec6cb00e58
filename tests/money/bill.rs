//! The provider's bill, the call records and the limit, when two hundred clients spend a dollar to its end.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::thread;

use serde_json::Value;
use tokio::sync::watch;

use crate::COMPLETIONS;
use crate::observer::{End, observe};
use crate::scene::{On, Scene, assert_exhausted, on_each_database, paid};
use crate::support::{Behaviour, Charge, Model};
use crate::till::{Till, seed, spend, ways};

const CLIENTS: u64 = 200;
/// One dollar.
pub(crate) const LIMIT: i64 = 1_000_000_000;
/// USD per million tokens of output, and nano-USD per token: some twelve hundred calls are a dollar.
pub(crate) const PRICE: &str = "200";
pub(crate) const NANO: i64 = 200_000;
/// USD per million tokens of its input, and nano-USD per token: what is held for it is many times what it costs.
pub(crate) const INPUT_PRICE: &str = "2";
const INPUT_NANO: i64 = 2_000;
/// More than is held for a call of one token: its input is bounded by its bytes and some 500 tokens besides.
pub(crate) const LEAST: i64 = NANO + 800 * INPUT_NANO;
/// The same of a model of which so many calls are a dollar that it lasts while processes die and come back.
pub(crate) const CHEAP_PRICE: &str = "5";
pub(crate) const CHEAP_NANO: i64 = 5_000;
/// Whoever waits for a provider gives up soon.
pub(crate) const TIMEOUTS: &str =
    "timeouts = { first_byte_ms = 700, idle_ms = 500, total_ms = 2000 }\nmax_in_flight = 400";

on_each_database![a_crowd_spends_a_dollar_and_what_is_billed_is_recorded_and_within_the_limit,];

fn a_crowd_spends_a_dollar_and_what_is_billed_is_recorded_and_within_the_limit(on: On) {
    let seed = seed();
    let crowd = crate::support::Provider::start("crowd");
    let scene = Scene::with(on, |setup, _| {
        setup
            .provider_with(&crowd, TIMEOUTS)
            .model(&Model::free("dear", &crowd).priced(INPUT_PRICE, PRICE))
    });
    crowd.only_count_requests();
    crowd.set(ways(seed));
    scene.limit("global", LIMIT);
    let till = Till::default();
    let places = watch::Sender::new(vec![scene.gateway.address()]);
    let (books, is_over) = (scene.books(), AtomicBool::new(false));
    thread::scope(|scope| {
        let all_is_over = End(&is_over);
        let observer = scope.spawn(|| observe(&books, || crowd.billed(charged), LIMIT, &is_over));
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (till, places) = (&till, &places);
                scope.spawn(move || spend(till, seed * 1_000 + client, places, 2));
            }
        });
        drop(all_is_over);
        println!("{} looks at the books", observer.join().unwrap());
    });
    println!("{} asked, {} answered", load(&till.asked), load(&till.answered));
    assert_eq!(load(&till.unavailable), 0);

    crowd.set(Behaviour::Answer);
    let spent = scene.spent_at_rest("global");
    assert_within(&scene, &crowd.bill(), &till, spent);

    let spent = spend_the_rest(&scene, &[("dear", 1)], LEAST);
    assert_within(&scene, &crowd.bill(), &till, spent);
    scene.assert_audited();
    scene.finish();
}

/// What is left can be spent, to the last call that fits: of each of these models and numbers of tokens as often as it is
/// answered. What is spent then; less than `least` is left.
#[track_caller]
pub(crate) fn spend_the_rest(scene: &Scene, calls: &[(&str, i64)], least: i64) -> i64 {
    for (model, tokens) in calls {
        let mut asked = 0;
        loop {
            let mut body = paid(*tokens);
            body["model"] = Value::from(*model);
            let reply = scene.admin().post(COMPLETIONS, &body);
            if reply.status == 402 {
                assert_exhausted(&reply);
                break;
            }
            assert_eq!(reply.status, 200, "{}", reply.text());
            asked += 1;
            assert!(asked < 6_000, "nothing is ever refused");
        }
    }
    let spent = scene.spent_at_rest("global");
    assert!(LIMIT - spent < least, "refused with {} left", LIMIT - spent);
    spent
}

/// What the provider charges for this, in nano-USD.
pub(crate) fn charged(charge: &Charge) -> i64 {
    let (input, output) = match charge.model.as_str() {
        "dear-api" => (INPUT_NANO, NANO),
        "cheap-api" => (0, CHEAP_NANO),
        other => panic!("nobody asks for {other}"),
    };
    let [input_tokens, output_tokens] =
        [charge.input_tokens, charge.output_tokens].map(|tokens| i64::try_from(tokens).unwrap());
    input_tokens * input + output_tokens * output
}

/// Billed <= recorded = posted <= limit, and what was answered is booked to the nano-dollar.
#[track_caller]
pub(crate) fn assert_within(scene: &Scene, bill: &[Charge], till: &Till, spent: i64) {
    let billed: i64 = bill.iter().map(charged).sum();
    let recorded = scene.books().recorded();
    println!(
        "billed {billed}, recorded {recorded}, of it estimated {}",
        scene.books().estimated()
    );
    assert!(
        billed <= recorded && recorded <= LIMIT,
        "{billed} billed, {recorded} recorded"
    );
    assert_eq!(spent, recorded);
    let by_answer: HashMap<&str, &Charge> = bill.iter().map(|charge| (charge.id.as_str(), charge)).collect();
    let calls = scene.gateway.calls();
    let by_request: HashMap<&str, _> = calls.iter().map(|call| (call.request_id.as_str(), call)).collect();
    let whole = till.whole.borrow();
    assert!(whole.len() > 100, "{} whole answers", whole.len());
    for (request, answer) in whole.iter() {
        let (call, charge) = (by_request[request.as_str()], by_answer[answer.as_str()]);
        if !call.estimated {
            assert_eq!(call.cost_nano_usd, charged(charge), "{call:?}");
        }
        assert!(call.cost_nano_usd >= charged(charge), "{call:?}");
    }
    let exact = whole
        .iter()
        .filter(|(request, _)| !by_request[request.as_str()].estimated);
    assert!(exact.count() * 10 > whole.len() * 8, "most answers are estimated");
}

pub(crate) fn load(count: &std::sync::atomic::AtomicUsize) -> usize {
    count.load(std::sync::atomic::Ordering::Relaxed)
}
