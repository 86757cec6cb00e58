//! Rows G19 to G22: breakers that are open, half-open, and open again.

use std::thread;
use std::time::{Duration, Instant};

use crate::scene::{Scene, assert_answered_by, assert_refused};
use crate::support::{Behaviour, in_parallel, look_for, wait_for};

const SOON: Duration = Duration::from_secs(30);

/// A scene whose breakers open with the first failure, for so many milliseconds at first, and at most.
fn scene(base: u32, cap: u32) -> Scene {
    let breaker = format!(
        "[breaker]\nconsecutive_failures = 1\nmin_calls = 100000\nopen_base_ms = {base}\nopen_cap_ms = {cap}\n\
         jitter_percent = 0\nsuccesses_to_close = 3"
    );
    Scene::with(|setup, _, _| setup.toml(&breaker))
}

/// How alpha's model stands.
fn alpha_state(scene: &Scene) -> String {
    let health = scene.client().get("/health").json();
    let state = &health["providers"]["alpha"]["models"]["alpha-small"]["state"];
    state.as_str().unwrap().to_owned()
}

/// Asks until alpha has had one request more, which is beta's to answer in the end or alpha's own.
#[track_caller]
fn until_alpha_is_asked(scene: &Scene) {
    let before = scene.alpha.requests();
    wait_for("alpha to be asked", SOON, || {
        assert_eq!(scene.ask().status, 200);
        scene.alpha.requests() > before
    });
    assert_eq!(scene.alpha.requests(), before + 1);
}

#[test]
fn g19_with_every_breaker_open_one_call_a_second_passes_and_the_others_are_told_how_long_to_wait() {
    let scene = scene(50_000, 50_000);
    for provider in [&scene.alpha, &scene.beta] {
        provider.set(Behaviour::BROKEN);
    }
    // Alpha's failure and beta's.
    assert_refused(&scene.ask(), 502, "upstream_error");
    assert_eq!(scene.requests(), (1, 1));
    let total = || scene.alpha.requests() + scene.beta.requests();
    let (mut turned_away, mut passed, mut seconds) = (0, 0, 0);
    look_for(Duration::from_secs(4), |gone| {
        let reply = scene.ask();
        if reply.status == 502 {
            assert_refused(&reply, 502, "upstream_error");
            passed += 1;
        } else {
            let error = assert_refused(&reply, 503, "no_provider_available");
            let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((20..=50).contains(&wait), "{wait} s: {error}");
            turned_away += 1;
        }
        seconds = gone.as_secs();
    });
    assert_eq!(total(), 2 + passed, "a request that was turned away was sent");
    let most = usize::try_from(seconds).unwrap() + 2;
    assert!((2..=most).contains(&passed), "{passed} calls in {seconds} s");
    assert!(turned_away > 2 * passed, "{turned_away} of {passed}");

    // Whoever passes finds out that a provider is well again, and nobody waits for the whole time.
    for provider in [&scene.alpha, &scene.beta] {
        provider.set(Behaviour::Answer);
    }
    wait_for("a request to be answered", SOON, || scene.ask().status == 200);
    scene.end();
}

#[test]
fn g20_of_a_thousand_that_find_a_breaker_half_open_one_probes_and_the_others_go_elsewhere() {
    let scene = scene(200, 200);
    scene.alpha.set(Behaviour::BROKEN);
    assert_answered_by(&scene.ask(), "beta");
    assert_eq!(scene.requests(), (1, 1));
    // Three good probes close it, each of which has a crowd beside it.
    for probe in 1..=3 {
        scene.alpha.set(Behaviour::Held);
        thread::scope(|scope| {
            let probing = scope.spawn(|| {
                // Who comes before the time is over is answered by beta.
                while !scene.ask().content().starts_with("alpha") {}
            });
            wait_for("the probe", SOON, || scene.alpha.running() == 1);
            for reply in in_parallel(1_000, 40, |_| scene.ask()) {
                assert_answered_by(&reply, "beta");
            }
            assert_eq!(scene.alpha.requests(), 1 + probe, "more than one probe at a time");
            scene.alpha.set(Behaviour::Answer);
            probing.join().unwrap();
        });
        let state = if probe == 3 { "closed" } else { "half-open" };
        wait_for("the probe to be judged", SOON, || alpha_state(&scene) == state);
    }
    scene.end();
}

/// Alpha's breaker has been open since the failure at that moment: it lets a good probe pass, and then a bad one. Returns
/// how long the good one had to wait, and the moment of the bad one.
fn flap(scene: &Scene, opened: Instant) -> (Duration, Instant) {
    scene.alpha.set(Behaviour::Answer);
    until_alpha_is_asked(scene);
    let waited = opened.elapsed();
    wait_for("the good probe to be judged", SOON, || {
        alpha_state(scene) == "half-open"
    });
    (waited, fail(scene))
}

/// Alpha's next request fails, and its breaker opens. Returns a moment just before.
fn fail(scene: &Scene) -> Instant {
    scene.alpha.set(Behaviour::BROKEN);
    let moment = now();
    until_alpha_is_asked(scene);
    wait_for("the failure to be judged", SOON, || alpha_state(scene) == "open");
    moment
}

#[test]
fn g21_a_probe_that_fails_after_one_that_succeeded_opens_it_again_for_longer() {
    let scene = scene(400, 600_000);
    let (first, opened) = flap(&scene, fail(&scene));
    assert!(first >= Duration::from_millis(400), "{first:?}");
    let (second, opened) = flap(&scene, opened);
    assert!(second >= Duration::from_millis(800), "{second:?}");
    // 1.6 s now, of which much is left.
    let before = scene.alpha.requests();
    look_for(Duration::from_secs(1).saturating_sub(opened.elapsed()), |_| {
        assert_answered_by(&scene.ask(), "beta");
    });
    assert_eq!(scene.alpha.requests(), before);
    scene.end();
}

#[test]
fn g22_one_that_flaps_is_left_alone_for_longer_each_time_up_to_a_cap() {
    let scene = scene(20, 640);
    let mut opened = fail(&scene);
    // Without the cap the twelfth wait would be longer than anybody waits here.
    for number in 0..12 {
        let (waited, again) = flap(&scene, opened);
        let at_least = Duration::from_millis((20 << number).min(640));
        assert!(waited >= at_least, "opening {number}: {waited:?}");
        opened = again;
    }
    scene.end();
}

/// The moment by the clock that measures time.
#[expect(
    clippy::disallowed_methods,
    reason = "how long something took at least, by the real clock"
)]
fn now() -> Instant {
    Instant::now()
}
