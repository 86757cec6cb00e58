//! Rate limits of the virtual key that a process acts as: those that hold over HTTP.

use std::time::Duration;

use gateway_actors::protocol::{RateLimits, Scope};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::process::{LIMIT, Process, tool_error};
use crate::support::{
    Behaviour, Gateway, KeyHolder, PostgresDatabase, Provider, Setup, chat, make_keys, redis_url, wait_for,
};

/// A database with one key, which belongs to the project `p`.
struct Scene {
    database: PostgresDatabase,
    alpha: Provider,
    key: String,
}

impl Scene {
    fn new(limits: RateLimits, rules: &[(Scope, RateLimits)]) -> Self {
        let database = PostgresDatabase::create();
        let holder = KeyHolder {
            project: Some("p"),
            user: None,
            limits,
        };
        let [key] = make_keys(&database.url(), [holder], rules);
        Self {
            database,
            alpha: Provider::start("alpha"),
            key,
        }
    }

    fn setup(&self) -> Setup {
        Setup::free_l0(&[&self.alpha]).env("DATABASE_URL", &self.database.url())
    }

    /// A process that acts as the key.
    fn process(&self, more: impl FnOnce(Setup) -> Setup) -> Process {
        Process::begun(&more(self.setup().env("GATEWAY_API_KEY", &self.key)))
    }
}

fn task(text: &str) -> Value {
    json!({ "task": text })
}

fn rpm(rpm: u32) -> RateLimits {
    RateLimits {
        rpm: Some(rpm),
        ..RateLimits::default()
    }
}

/// The call was refused for its rate, and says when to try again.
#[track_caller]
fn assert_limited(error: &Value, most_ms: u64) -> Duration {
    assert_eq!(error["type"], "rate_limited", "{error}");
    let after = error["retryAfterMs"].as_u64().expect("a time to try again");
    assert!((1..=most_ms).contains(&after), "{error}");
    let seconds = format!("try again in {} s", after.div_ceil(1_000));
    assert!(error["message"].as_str().unwrap().ends_with(&seconds), "{error}");
    Duration::from_millis(after)
}

#[test]
fn a_call_beyond_the_requests_of_a_minute_is_refused_until_the_time_that_is_told() {
    let scene = Scene::new(rpm(2), &[]);
    let mut process = scene.process(|setup| setup.env("GATEWAY_TEST_MINUTE_MS", "4000"));
    // What could never be asked, and to look, costs nothing.
    assert_eq!(process.fails("code_agent", &json!({}))["type"], "invalid_args");
    process.works("gateway_status", &json!({}));
    let mut answered = 0;
    let error = loop {
        let result = process.call("code_agent", &task("one"));
        if result["isError"] == true {
            break tool_error(&result);
        }
        answered += 1;
        assert!(answered < 100, "there is no limit");
    };
    let told = Instant::now();
    let after = assert_limited(&error, 5_000);
    assert!(
        error["message"].as_str().unwrap().contains("requests in a minute"),
        "{error}"
    );
    assert!(
        answered >= 2 && scene.alpha.requests() == answered,
        "{answered} answered"
    );
    process.works("gateway_status", &json!({}));
    wait_for("the time that was told", LIMIT, || told.elapsed() >= after);
    process.works("code_agent", &task("again"));
    assert_eq!(scene.alpha.requests(), answered + 1);
    process.finish();
}

#[test]
fn calls_at_once_are_limited_as_long_as_a_provider_is_busy_with_them() {
    let limits = RateLimits {
        max_concurrent: Some(1),
        ..RateLimits::default()
    };
    let scene = Scene::new(limits, &[]);
    let mut process = scene.process(|setup| setup);
    scene.alpha.set(Behaviour::Held);
    let first = process.ask_tool("code_agent", &task("held"));
    wait_for("the call to be under way", LIMIT, || scene.alpha.running() == 1);
    assert_limited(&process.fails("code_agent", &task("a second")), 1_000);
    // Nobody waits for it any more, but it will be billed.
    process.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": first}}));
    assert_limited(&process.fails("code_agent", &task("a third")), 1_000);
    assert_eq!(scene.alpha.requests(), 1);
    scene.alpha.set(Behaviour::Answer);
    let mut last = Value::Null;
    wait_for("the place to be free", LIMIT, || {
        last = process.call("code_agent", &task("the next"));
        last["isError"] == false || assert_limited(&tool_error(&last), 1_000).is_zero()
    });
    process.finish();
}

#[test]
fn tokens_are_counted_by_what_was_used_and_the_rates_of_a_project_hold() {
    let limits = RateLimits {
        tpm: Some(1_000),
        ..RateLimits::default()
    };
    let scene = Scene::new(RateLimits::default(), &[(Scope::Project("p".into()), limits)]);
    scene.alpha.set_tokens(400);
    let mut process = scene.process(|setup| setup);
    for _ in 0..2 {
        // Before it is answered a call is charged for its input alone: the second goes beyond the limit.
        process.works("code_agent", &task("one"));
    }
    let error = process.fails("code_agent", &task("three"));
    assert_limited(&error, 60_000);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("this project has reached its limit of tokens"),
        "{error}"
    );
    assert_eq!(scene.alpha.requests(), 2);
    process.finish();
}

#[test]
fn a_process_and_a_server_on_one_redis_admit_no_more_than_one_of_them_would() {
    const RPM: u32 = 6;
    // Also where the other process took what is to become free.
    const MOST_MS: u64 = 60_000;
    let scene = Scene::new(rpm(RPM), &[]);
    // Patient: a test's machine may be busy, and a Redis that seems to be away is not asked.
    let on_redis = |setup: Setup| setup.env("REDIS_URL", &redis_url()).toml("[redis]\ntimeout_ms = 5000");
    let gateway = Gateway::start(on_redis(scene.setup()));
    let mut process = scene.process(on_redis);
    wait_for("Redis to be found", LIMIT, || {
        gateway.client().get("/health").json()["redis"] == true
            && process.works("gateway_status", &json!({}))["redis"] == true
    });
    let client = gateway.anonymous();
    let client = client.with_header("authorization", &format!("Bearer {}", scene.key));
    let mut admitted = 0;
    // What one took and did not use comes back to the other.
    wait_for("the whole limit to be used", LIMIT, || {
        let result = process.call("code_agent", &task("one"));
        match &result["isError"] {
            Value::Bool(false) => admitted += 1,
            _ => drop(assert_limited(&tool_error(&result), MOST_MS)),
        }
        let reply = client.post("/v1/chat/completions", &chat("one"));
        match reply.status {
            200 => admitted += 1,
            _ => assert_eq!(reply.error(429)["code"], "rate_limited"),
        }
        admitted >= RPM as usize
    });
    for _ in 0..3 {
        assert_limited(&process.fails("code_agent", &task("one too many")), MOST_MS);
        assert_eq!(client.post("/v1/chat/completions", &chat("one")).status, 429);
    }
    assert_eq!((admitted, scene.alpha.requests()), (RPM as usize, RPM as usize));
    process.finish();
    gateway.finish();
}

#[test]
fn without_a_key_there_are_no_limits() {
    let alpha = Provider::start("alpha");
    let mut process = Process::begun(&Setup::free_l0(&[&alpha]));
    assert_eq!(process.works("gateway_status", &json!({}))["redis"], Value::Null);
    for _ in 0..5 {
        process.works("code_agent", &task("one"));
    }
    process.finish();
}
