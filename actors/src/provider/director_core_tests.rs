//! What opens and closes gates, and when a provider is asked whether it is there again.

use super::*;
use crate::protocol::Passage;

fn core() -> DirectorCore {
    DirectorCore::from_snapshot(
        BreakerSettings::default(),
        &HealthSnapshot::default(),
        1,
        Instant::now(),
    )
}

fn told(core: &mut DirectorCore, model: &str, failure: Option<FailureKind>, probe: bool) {
    core.report(&OutcomeReport {
        provider: "alpha".into(),
        model: model.into(),
        successes: u32::from(failure.is_none()),
        failure: failure.map(|kind| (kind, Some(Duration::from_secs(2)))),
        latency_ms: None,
        probe,
        now: Instant::now(),
    });
}

fn is_free(core: &DirectorCore, model: &str) -> bool {
    let passage = core.snapshot().passage(&"alpha".into(), &model.into(), Instant::now());
    matches!(passage, Passage::Free { .. })
}

#[tokio::test(start_paused = true)]
async fn server_errors_open_one_model_and_connect_failures_the_provider() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::ServerError), false);
    }
    assert!(!is_free(&core, "a"));
    assert!(is_free(&core, "b"));
    for _ in 0..5 {
        told(&mut core, "b", Some(FailureKind::Connect), false);
    }
    assert!(!is_free(&core, "c"));
}

#[tokio::test(start_paused = true)]
async fn requests_refused_for_what_they_say_never_open_anything() {
    let mut core = core();
    for kind in [
        FailureKind::Rejected,
        FailureKind::ContextTooLong,
        FailureKind::Unusable,
        FailureKind::Deadline,
    ] {
        for _ in 0..100 {
            told(&mut core, "a", Some(kind), false);
        }
    }
    assert!(is_free(&core, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_closes_the_provider_until_one_probe_works() {
    let mut core = core();
    told(&mut core, "a", Some(FailureKind::Auth), false);
    assert!(!is_free(&core, "b"));
    tokio::time::advance(Duration::from_secs(301)).await;
    told(&mut core, "b", None, true);
    assert!(is_free(&core, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_out_for_as_long_as_the_provider_says() {
    let mut core = core();
    told(&mut core, "a", Some(FailureKind::RateLimited), false);
    let passage = core.snapshot().passage(&"alpha".into(), &"b".into(), Instant::now());
    assert!(matches!(passage, Passage::Shut { retry_after } if retry_after == Duration::from_secs(2)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_for_the_provider_leaves_the_model_probeable() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::ServerError), false);
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let probe = |core: &DirectorCore| match core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now()) {
        Passage::Probe { permits } => permits.iter().all(|permit| permit.try_take()),
        _ => false,
    };
    assert!(probe(&core));
    assert!(!probe(&core), "one probe at a time");
    told(&mut core, "a", Some(FailureKind::Connect), true);
    assert!(probe(&core));
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_director_keeps_the_gates_it_published() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::ServerError), false);
    }
    let published = core.snapshot();
    let rebuilt = DirectorCore::from_snapshot(BreakerSettings::default(), &published, 2, Instant::now());
    assert!(!is_free(&rebuilt, "a"));
}

/// Lets this much time pass, and answers with this status if alpha is asked.
async fn asked_after(core: &mut DirectorCore, seconds: u64, status: Option<u16>) -> bool {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    let asked = core.take_due(Instant::now());
    for provider in asked.clone() {
        core.answered(&ProbeAnswer { provider, status }, Instant::now());
    }
    !asked.is_empty()
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_provider_without_traffic_is_asked_until_three_answers_close_its_gate() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::Connect), false);
    }
    assert!(
        !asked_after(&mut core, 13, Some(200)).await,
        "its gate has not been open to probes for long"
    );
    assert!(asked_after(&mut core, 3, None).await);
    assert!(!asked_after(&mut core, 9, Some(200)).await, "it was asked just now");
    for status in [200, 404, 401] {
        assert!(!is_free(&core, "a"));
        assert!(asked_after(&mut core, 10, Some(status)).await);
    }
    assert!(is_free(&core, "a"));
    assert!(core.snapshot().providers["alpha"].trouble.is_none());
    assert!(!asked_after(&mut core, 1_000, Some(200)).await, "its gate is closed");
}

#[tokio::test(start_paused = true)]
async fn traffic_is_probe_enough_and_overtakes_an_answer_under_way() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::Connect), false);
    }
    for _ in 0..10 {
        assert!(!asked_after(&mut core, 8, Some(200)).await);
        told(&mut core, "a", Some(FailureKind::Reset), false);
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let provider = core.take_due(Instant::now()).remove(0);
    assert!(
        core.take_due(Instant::now() + Duration::from_secs(20)).is_empty(),
        "one question at a time"
    );
    told(&mut core, "a", Some(FailureKind::Connect), true);
    core.answered(
        &ProbeAnswer {
            provider,
            status: Some(200),
        },
        Instant::now(),
    );
    assert_eq!(core.snapshot().providers["alpha"].gate.as_str(), "open");
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_nothing_of_a_model_whose_calls_fail() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::ServerError), false);
    }
    assert!(!asked_after(&mut core, 1_000, Some(200)).await);
    told(&mut core, "b", Some(FailureKind::RateLimited), false);
    assert!(asked_after(&mut core, 16, Some(200)).await);
    assert!(is_free(&core, "b") && !is_free(&core, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_limited_rate_stays_so_while_the_answer_says_so() {
    let mut core = core();
    told(&mut core, "a", Some(FailureKind::RateLimited), false);
    for _ in 0..3 {
        assert!(asked_after(&mut core, 16, Some(429)).await);
        assert!(!asked_after(&mut core, 4, Some(200)).await, "429 is no good news");
        tokio::time::advance(Duration::from_secs(12)).await;
    }
    assert!(asked_after(&mut core, 0, Some(200)).await);
    assert!(is_free(&core, "a"));
}

fn trouble(core: &DirectorCore) -> Option<ProviderTrouble> {
    core.snapshot().providers["alpha"].trouble
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_cleared_by_a_call_and_by_no_list_of_models() {
    let mut core = core();
    told(&mut core, "a", Some(FailureKind::Auth), false);
    for _ in 0..50 {
        assert!(!asked_after(&mut core, 311, Some(200)).await, "the list proves no key");
        assert_eq!(trouble(&core), Some(ProviderTrouble::Misconfigured));
        assert!(!is_free(&core, "a"));
    }
    // Even an answer that was asked for is none of the key.
    let state = core.providers.get_mut("alpha").unwrap();
    let gate = state.breaker.gate();
    assert!(state.idle.ask_now(&gate, Duration::ZERO, Instant::now()));
    let answer = ProbeAnswer {
        provider: "alpha".into(),
        status: Some(200),
    };
    core.answered(&answer, Instant::now());
    assert_eq!(trouble(&core), Some(ProviderTrouble::Misconfigured));

    let passage = core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now());
    assert!(matches!(passage, Passage::Probe { .. }), "a call may try the key");
    told(&mut core, "a", Some(FailureKind::Auth), true);
    let passage = core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now());
    assert!(matches!(passage, Passage::Shut { retry_after } if retry_after == Duration::from_secs(300)));
    tokio::time::advance(Duration::from_secs(301)).await;
    told(&mut core, "a", None, true);
    assert_eq!(trouble(&core), None);
    assert!(is_free(&core, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_stays_refused_when_calls_that_began_earlier_fail_otherwise() {
    for kind in [FailureKind::Connect, FailureKind::RateLimited] {
        let mut core = core();
        told(&mut core, "a", Some(FailureKind::Auth), false);
        told(&mut core, "a", Some(kind), false);
        assert_eq!(trouble(&core), Some(ProviderTrouble::Misconfigured), "{kind:?}");
        assert!(!asked_after(&mut core, 299, Some(200)).await, "{kind:?}");
        let passage = core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now());
        assert!(matches!(passage, Passage::Shut { .. }), "{kind:?}");
    }
    let mut core = core();
    told(&mut core, "a", Some(FailureKind::Auth), false);
    tokio::time::advance(Duration::from_secs(301)).await;
    told(&mut core, "a", Some(FailureKind::Connect), true);
    assert!(!asked_after(&mut core, 311, Some(200)).await);
    assert_eq!(trouble(&core), Some(ProviderTrouble::Misconfigured));
}

#[tokio::test(start_paused = true)]
async fn a_rebuilt_director_lets_a_probe_through_although_the_verdict_of_the_last_one_was_lost() {
    let mut core = core();
    for _ in 0..5 {
        told(&mut core, "a", Some(FailureKind::ServerError), false);
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let probe = |core: &DirectorCore| match core.snapshot().passage(&"alpha".into(), &"a".into(), Instant::now()) {
        Passage::Probe { permits } => permits.iter().all(|permit| permit.try_take()),
        _ => false,
    };
    assert!(probe(&core));
    // The probe's verdict is the message on which the director panics.
    let rebuilt = DirectorCore::from_snapshot(BreakerSettings::default(), &core.snapshot(), 2, Instant::now());
    assert!(probe(&rebuilt));
    assert!(!probe(&rebuilt), "one probe at a time");
}

#[test]
fn throws_stay_within_their_range_and_differ() {
    let mut noise = Noise(7);
    let throws: Vec<f64> = (0..1_000).map(|_| noise.next()).collect();
    assert!(throws.iter().all(|throw| (-1.0..=1.0).contains(throw)));
    assert!(throws.iter().any(|&throw| throw > 0.5) && throws.iter().any(|&throw| throw < -0.5));
}
