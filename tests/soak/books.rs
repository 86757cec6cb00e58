//! The gateway's call records against the providers' own bills.

use std::collections::{BTreeMap, HashMap};

use crate::requests::COUNT;
use crate::scene::{COUNTERS, FRAIL, MUTE, NANO_USD, Scene};
use crate::support::{CallRow, Charge, Provider};

/// Every request that a provider had is one call record; calls whose usage was told are booked to the token, all others
/// for at least as much as the provider charges.
#[track_caller]
pub(crate) fn assert_bills_are_booked(scene: &Scene, calls: &[CallRow]) {
    for provider in &scene.providers {
        let of_it = calls.iter().filter(|call| call.provider == provider.name());
        let (counts, calls): (Vec<&CallRow>, Vec<&CallRow>) = of_it.partition(|call| is_counted_here(provider, call));
        assert!(counts.iter().all(|call| call.cost_nano_usd == 0), "{counts:#?}");
        assert_each_request_is_a_record(provider, &calls);
        assert_bill_is_booked(provider.name(), &provider.bill(), &calls);
    }
}

/// Whether the gateway estimated how many tokens there are, since the provider cannot be asked.
fn is_counted_here(provider: &Provider, call: &CallRow) -> bool {
    call.endpoint == COUNT && !COUNTERS.contains(&provider.name())
}

#[track_caller]
fn assert_each_request_is_a_record(provider: &Provider, calls: &[&CallRow]) {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        *outcomes.entry(&call.outcome).or_default() += 1;
    }
    println!("{}: {} requests, {outcomes:?}", provider.name(), provider.requests());
    let with = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
    let (sent, received) = (calls.len() - with("connect_failed"), provider.requests());
    if provider.name() == FRAIL {
        // Of what came while it died it knows nothing.
        let most = received + with("broken");
        assert!((received..=most).contains(&sent), "{sent} sent, {received} received");
    } else {
        assert_eq!((sent, with("connect_failed")), (received, 0), "{}", provider.name());
    }
}

#[track_caller]
fn assert_bill_is_booked(provider: &str, bill: &[Charge], calls: &[&CallRow]) {
    let mut unmatched: HashMap<(u64, u64), usize> = HashMap::new();
    for charge in bill {
        *unmatched.entry(tokens_of_charge(charge)).or_default() += 1;
    }
    let mut exact = 0;
    let told = |call: &&&CallRow| !call.estimated && call.input_tokens > 0;
    for call in calls.iter().filter(told) {
        let tokens = tokens_of(call);
        let left = unmatched.get_mut(&tokens).filter(|left| **left > 0);
        let left = left.unwrap_or_else(|| panic!("nothing on the bill of {provider} is like {call:?}"));
        *left -= 1;
        exact += 1;
        assert_eq!(call.cost_nano_usd, i64::try_from(cost(tokens)).unwrap(), "{call:?}");
    }
    let estimated: Vec<&&CallRow> = calls.iter().filter(|call| call.estimated).collect();
    let booked: i64 = estimated.iter().map(|call| call.cost_nano_usd).sum();
    let charged: u64 = unmatched
        .iter()
        .map(|(tokens, left)| cost(*tokens) * *left as u64)
        .sum();
    println!(
        "{provider}: {} on the bill, {exact} booked to the token, {} estimated at {booked} nano-USD for {charged}",
        bill.len(),
        estimated.len()
    );
    assert!(
        booked >= i64::try_from(charged).unwrap(),
        "{booked} booked for {charged} charged by {provider}"
    );
    let guessed = estimated.iter().find(|call| call.outcome == "completed");
    assert!(
        provider == MUTE || guessed.is_none(),
        "estimated although the usage was told: {guessed:?}"
    );
    assert!(exact > 0 || provider == MUTE, "{provider} answered nothing to its end");
}

fn tokens_of(call: &CallRow) -> (u64, u64) {
    let tokens = |count: i64| u64::try_from(count).unwrap();
    (tokens(call.input_tokens), tokens(call.output_tokens))
}

fn tokens_of_charge(charge: &Charge) -> (u64, u64) {
    (charge.input_tokens, charge.output_tokens)
}

fn cost((input, output): (u64, u64)) -> u64 {
    input * NANO_USD.0 + output * NANO_USD.1
}
