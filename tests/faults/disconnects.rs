//! A thousand clients that leave at random bytes of their request or of its answer.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, CallRow, Charge, Draw, Gateway, Model, Provider, RawClient, Setup, chat, in_parallel, streamed_chat,
    wait_for,
};

const SEEDS: usize = 1_000;
const AT_ONCE: usize = 32;
const TOKENS: usize = 12;
const SOON: Duration = Duration::from_secs(30);
/// No answer is longer.
const LONGEST_ANSWER: usize = 4_000;
const INPUT_NANO_USD: u64 = 1_000;
const OUTPUT_NANO_USD: u64 = 2_000;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Stream,
    Whole,
    Turn,
}

/// What one client does, all of it decided by its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    asks: Asks,
    chunked: bool,
    /// Leaves after so many bytes of its request; reads on if that is all of it.
    sends: usize,
    /// Leaves after so many bytes of the answer.
    reads: usize,
    resets: bool,
}

impl Plan {
    fn of(seed: usize) -> Self {
        let mut random = Draw::new(u64::try_from(seed).unwrap());
        let asks = match random.below(4) {
            0 | 1 => Asks::Stream,
            2 => Asks::Whole,
            _ => Asks::Turn,
        };
        let (chunked, resets) = (random.below(2) == 0, random.below(2) == 0);
        let leaves_early = random.below(3) == 0;
        let length = request(seed, asks, chunked).len();
        Self {
            asks,
            chunked,
            sends: if leaves_early { random.below(length) } else { length },
            reads: random.below(LONGEST_ANSWER),
            resets,
        }
    }
}

/// The plan with its seed, for the message of a test that fails.
struct Shown(usize);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}", self.0, Plan::of(self.0))
    }
}

/// The request of a seed. Its message has one word more than its seed, so that the tokens of a call tell whose it is.
fn request(seed: usize, asks: Asks, chunked: bool) -> Vec<u8> {
    let message = vec!["w"; seed + 1].join(" ");
    let (path, body) = match asks {
        Asks::Stream => (COMPLETIONS, streamed_chat(&message)),
        Asks::Whole => (COMPLETIONS, chat(&message)),
        Asks::Turn => (
            "/v1/chat",
            json!({ "message": message, "conversationId": format!("c{seed}") }),
        ),
    };
    let body = body.to_string();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let rest = if chunked {
        let (first, second) = body.split_at(body.len() / 2);
        format!(
            "transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        )
    } else {
        format!("content-length: {}\r\n\r\n{body}", body.len())
    };
    (head + &rest).into_bytes()
}

/// Does what the seed says.
fn visit(gateway: &Gateway, seed: usize) {
    let plan = Plan::of(seed);
    let request = request(seed, plan.asks, plan.chunked);
    let mut client = RawClient::connect(gateway.address());
    client.send(&request[..plan.sends]);
    if plan.sends == request.len() {
        client.read_bytes(plan.reads);
    }
    if plan.resets {
        client.reset();
    } else {
        client.leave();
    }
}

#[test]
fn a_thousand_clients_that_leave_at_random_bytes_leave_nothing_behind_and_every_call_is_booked() {
    let alpha = Provider::start("alpha");
    let model = Model::free("alpha-small", &alpha).priced("1", "2");
    let gateway = Gateway::start(Setup::new().provider(&alpha).model(&model));
    alpha.set_tokens(TOKENS);
    alpha.set(Behaviour::Slow(Duration::from_millis(1)));
    in_parallel(SEEDS, AT_ONCE, |seed| visit(&gateway, seed));
    wait_for("the provider to have done", SOON, || alpha.running() == 0);
    gateway.wait_until_settled();

    let (bill, calls) = (alpha.bill(), gateway.calls());
    println!(
        "seeds 0 to {}: {} calls, {} of them to the end",
        SEEDS - 1,
        bill.len(),
        whole(&bill)
    );
    assert!(
        bill.len() > SEEDS / 4 && bill.len() < SEEDS,
        "{} calls of {SEEDS} clients",
        bill.len()
    );
    assert!(calls.iter().any(|call| !call.estimated));
    assert_eq!(calls.len(), bill.len(), "call records and the provider's bill");
    assert_eq!(alpha.requests(), bill.len());
    assert_bill_is_booked(&bill, &calls);
    assert_nothing_is_open(&gateway);

    alpha.set(Behaviour::Answer);
    assert_eq!(
        gateway
            .client()
            .post(COMPLETIONS, &chat("the next good request"))
            .status,
        200
    );
    gateway.finish();
}

fn whole(bill: &[Charge]) -> usize {
    bill.iter().filter(|charge| charge.whole).count()
}

fn cost(charge: &Charge) -> i64 {
    i64::try_from(charge.input_tokens * INPUT_NANO_USD + charge.output_tokens * OUTPUT_NANO_USD).unwrap()
}

/// Calls whose usage the provider told are booked to the token, for the right request; all others for at least as much
/// as the provider charges.
fn assert_bill_is_booked(bill: &[Charge], calls: &[CallRow]) {
    let mut unmatched: Vec<&Charge> = bill.iter().collect();
    for call in calls.iter().filter(|call| !call.estimated) {
        let tokens = u64::try_from(call.input_tokens).unwrap();
        let place = unmatched.iter().position(|charge| charge.input_tokens == tokens);
        let place = place.unwrap_or_else(|| panic!("nothing on the bill is like {call:?}"));
        let charge = unmatched.swap_remove(place);
        let seed = usize::try_from(charge.input_tokens).unwrap() - 1;
        assert_eq!(
            (u64::try_from(call.output_tokens).unwrap(), call.cost_nano_usd),
            (charge.output_tokens, cost(charge)),
            "{}: {call:?}",
            Shown(seed)
        );
    }
    let estimated = calls.iter().filter(|call| call.estimated);
    let booked: i64 = estimated.map(|call| call.cost_nano_usd).sum();
    let charged: i64 = unmatched.iter().map(|charge| cost(charge)).sum();
    assert!(booked >= charged, "{booked} booked for {charged} charged");
}

fn assert_nothing_is_open(gateway: &Gateway) {
    let stats = gateway.stats();
    let gauges = Gateway::UNDER_WAY.into_iter();
    for gauge in gauges.chain(["inFlight", "unwrittenRecords"]) {
        assert_eq!(stats["gateway"][gauge], 0, "{gauge} in {stats}");
    }
}

#[test]
fn a_seed_always_means_the_same() {
    let plans: Vec<Plan> = (0..SEEDS).map(Plan::of).collect();
    assert!((0..SEEDS).all(|seed| Plan::of(seed) == plans[seed]));
    for holds in [
        |plan: &Plan| plan.asks == Asks::Stream && plan.resets,
        |plan: &Plan| plan.asks == Asks::Turn && !plan.resets,
        |plan: &Plan| plan.asks == Asks::Whole && plan.resets,
        |plan: &Plan| plan.chunked && plan.sends < 200,
        |plan: &Plan| plan.reads < 100,
    ] {
        assert!(plans.iter().filter(|plan| holds(plan)).count() > 10);
    }
}
