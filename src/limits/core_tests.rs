use super::*;

const LIMITS: RateLimits = RateLimits {
    rpm: Some(10),
    tpm: Some(1_000),
    max_concurrent: Some(3),
};
const NEED: Need = Need {
    tokens: 100,
    running: 0,
};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn core() -> ScopeCore {
    ScopeCore::new(Span::default())
}

fn granted(requests: u64, tokens: u64, running: u64) -> Granted {
    let part = |amount| Part {
        amount,
        left: 5,
        wait: at(7_000),
        full: at(60_000),
    };
    Granted {
        slot: 900,
        requests: Some(part(requests)),
        tokens: Some(part(tokens)),
        running: Some(running),
    }
}

#[test]
fn each_limit_refuses_by_itself_and_says_when_there_is_room() {
    let mut core = core();
    for number in 0..10 {
        assert_eq!(core.check(LIMITS, NEED, at(number * 100)), Ok(()), "{number}");
        core.admit(LIMITS, NEED, at(number * 100));
    }
    let refused = core.check(LIMITS, NEED, at(1_500)).unwrap_err();
    // All ten were let in within one slot, the last of them at 0.9 s.
    assert_eq!((refused.kind, refused.retry_after), (Kind::Requests, Some(at(59_400))));
    let only_tokens = RateLimits { rpm: None, ..LIMITS };
    let refused = core.check(only_tokens, NEED, at(1_500)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Tokens, Some(at(59_400))));
    let refused = core.check(LIMITS, Need { running: 3, ..NEED }, at(1_500)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Running, Some(at(1_000))));
    assert!(core.check(LIMITS, NEED, at(60_899)).is_err());
    assert_eq!(core.check(LIMITS, NEED, at(60_900)), Ok(()));
}

#[test]
fn a_limit_of_nothing_lets_nobody_in_and_a_huge_input_takes_the_whole_minute() {
    let mut core = core();
    let none = RateLimits {
        rpm: Some(0),
        ..RateLimits::default()
    };
    let refused = core.check(none, NEED, at(0)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Requests, None));
    let none = RateLimits {
        tpm: Some(0),
        ..RateLimits::default()
    };
    let refused = core.check(none, NEED, at(0)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Tokens, None));
    let none = RateLimits {
        max_concurrent: Some(0),
        ..RateLimits::default()
    };
    let refused = core.check(none, NEED, at(0)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Running, None));
    let huge = Need {
        tokens: 1_000_000,
        running: 0,
    };
    assert_eq!(core.check(LIMITS, huge, at(0)), Ok(()));
    core.admit(LIMITS, huge, at(0));
    let (requests, tokens) = core.levels(LIMITS, at(0));
    assert_eq!(requests.map(|level| level.remaining), Some(9));
    assert_eq!(
        tokens.map(|level| (level.remaining, level.reset)),
        Some((0, at(60_000)))
    );
    assert_eq!(core.check(LIMITS, NEED, at(1)).unwrap_err().kind, Kind::Tokens);
}

#[test]
fn what_a_request_used_is_made_good_and_may_go_beyond_the_limit() {
    let mut core = core();
    let place = core.admit(LIMITS, NEED, at(0));
    core.correct(place, -60, at(10));
    assert_eq!(core.levels(LIMITS, at(10)).1.map(|level| level.remaining), Some(960));
    core.correct(place, 3_000, at(2_000));
    assert_eq!(core.levels(LIMITS, at(2_000)).1.map(|level| level.remaining), Some(0));
    let refused = core.check(LIMITS, NEED, at(2_000)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Tokens, Some(at(60_000))));
    assert!(!core.is_idle(at(61_999)));
    assert!(core.is_idle(at(62_000)));
}

#[test]
fn what_another_scope_refused_is_taken_back() {
    let mut core = core();
    let place = core.admit(LIMITS, NEED, at(0));
    core.take_back(place, at(1));
    assert!(core.is_idle(at(1)));
}

#[test]
fn a_part_is_used_without_asking_until_it_is_empty_or_old() {
    let mut core = core();
    let namespace: Arc<str> = "one".into();
    let ask = core.ask(LIMITS, NEED, &namespace, at(0)).unwrap().unwrap();
    assert_eq!(ask.requests.map(|it| (it.limit, it.need)), Some((10, 1)));
    assert_eq!(ask.tokens.map(|it| (it.limit, it.need)), Some((1_000, 100)));
    assert_eq!(ask.running, Some(WantedRunning { limit: 3, need: 1 }));
    assert_eq!(core.granted(&granted(2, 200, 3), NEED, at(0)), Ok(()));
    for _ in 0..2 {
        assert_eq!(core.ask(LIMITS, NEED, &namespace, at(1)), Ok(None));
        core.admit(LIMITS, NEED, at(1));
    }
    let ask = core.ask(LIMITS, NEED, &namespace, at(2)).unwrap().unwrap();
    assert!(
        ask.requests.is_some() && ask.tokens.is_some() && ask.running.is_none(),
        "{ask:?}"
    );
    core.granted(&granted(2, 200, 3), NEED, at(2)).unwrap();
    core.check(LIMITS, NEED, at(502)).unwrap();
    let ask = core.ask(LIMITS, NEED, &namespace, at(502)).unwrap();
    assert!(ask.is_some(), "an old part was used");
    let settle = core.settle(0, at(502)).unwrap();
    assert_eq!((settle.requests, settle.tokens), (vec![(900, 2)], vec![(900, 200)]));
    assert_eq!(settle.running, Some(0));
    assert!(core.is_settled());
}

#[test]
fn a_refusal_of_the_shared_counts_holds_for_a_moment() {
    let mut core = core();
    let namespace: Arc<str> = "one".into();
    core.ask(LIMITS, NEED, &namespace, at(0)).unwrap();
    let refused = core.granted(&granted(0, 200, 1), NEED, at(0)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Requests, Some(at(7_000))));
    let refused = core.ask(LIMITS, NEED, &namespace, at(50)).unwrap_err();
    assert_eq!((refused.kind, refused.retry_after), (Kind::Requests, Some(at(6_950))));
    assert!(core.ask(LIMITS, NEED, &namespace, at(100)).unwrap().is_some());
    let refused = core.granted(&granted(1, 200, 0), NEED, at(100)).unwrap_err();
    assert_eq!(refused.kind, Kind::Running);
}

#[test]
fn tokens_beyond_the_part_are_a_debt_and_those_not_used_are_given_back_where_they_count() {
    let mut core = core();
    let namespace: Arc<str> = "one".into();
    core.ask(LIMITS, NEED, &namespace, at(0)).unwrap();
    core.granted(&granted(2, 150, 1), NEED, at(0)).unwrap();
    let place = core.admit(LIMITS, NEED, at(0));
    core.correct(place, 80, at(10));
    let settle = core.settle(1, at(10)).unwrap();
    assert_eq!((settle.debt, settle.tokens, settle.running), (30, vec![], None));
    core.correct(place, -40, at(3_000));
    let settle = core.settle(1, at(5_000)).unwrap();
    assert_eq!((settle.tokens, settle.requests), (vec![(900, 40)], vec![(900, 1)]));
    assert_eq!(settle.running, Some(1), "what is under way is told again in time");
}

#[test]
fn a_new_namespace_is_told_what_was_admitted_before_it_and_gets_nothing_back() {
    let mut core = core();
    let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
    core.ask(LIMITS, NEED, &one, at(0)).unwrap();
    core.granted(&granted(5, 500, 1), NEED, at(0)).unwrap();
    let place = core.admit(LIMITS, NEED, at(0));
    core.admit(LIMITS, NEED, at(1_200));
    let ask = core.ask(LIMITS, NEED, &two, at(3_000)).unwrap().unwrap();
    assert_eq!(ask.requests.unwrap().opening, [(3, 1), (2, 1)]);
    assert_eq!(ask.tokens.unwrap().opening, [(3, 100), (2, 100)]);
    core.granted(&granted(2, 200, 1), NEED, at(3_000)).unwrap();
    core.correct(place, -100, at(3_000));
    let settle = core.settle(1, at(4_000)).unwrap();
    assert_eq!((settle.tokens, &*settle.namespace), (vec![(900, 200)], "two"));
    let ask = core.ask(LIMITS, NEED, &two, at(4_000)).unwrap().unwrap();
    assert!(ask.requests.unwrap().opening.is_empty());
}

#[test]
fn what_others_used_of_the_shared_counts_is_told_admitted_or_not() {
    let mut core = core();
    let namespace: Arc<str> = "one".into();
    let told = |core: &ScopeCore, now| {
        let (requests, tokens) = core.levels(LIMITS, now);
        [requests, tokens].map(|level| level.map(|level| (level.remaining, level.reset)).unwrap())
    };
    assert_eq!(told(&core, at(0)), [(10, at(0)), (1_000, at(0))]);
    core.ask(LIMITS, NEED, &namespace, at(0)).unwrap();
    // Of the requests nothing is left to anybody, of the tokens less than one needs.
    let mut nothing = granted(0, 0, 1);
    nothing.requests = nothing.requests.map(|part| Part { left: 0, ..part });
    core.granted(&nothing, NEED, at(0)).unwrap_err();
    assert_eq!(told(&core, at(50)), [(0, at(59_950)), (5, at(59_950))]);
    // What was said half a second ago is not known any more.
    assert_eq!(told(&core, at(500)), [(10, at(0)), (1_000, at(0))]);
    core.ask(LIMITS, NEED, &namespace, at(600)).unwrap();
    core.granted(&granted(2, 200, 1), NEED, at(600)).unwrap();
    core.admit(LIMITS, NEED, at(600));
    assert_eq!(told(&core, at(600)), [(6, at(60_000)), (105, at(60_000))]);
}
