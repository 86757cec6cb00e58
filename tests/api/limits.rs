//! Rate limits of virtual keys, projects and users: of one process, and of two that share a Redis.

use std::thread;
use std::time::Duration;

use gateway_actors::protocol::{RateLimits, Scope};
use serde_json::json;

use crate::COMPLETIONS;
use crate::support::{
    Behaviour, Client, Gateway, KeyHolder, PostgresDatabase, Provider, RedisServer, Reply, Setup, chat, in_parallel,
    make_keys, redis_url, streamed_chat, wait_for,
};

const LIMIT: Duration = Duration::from_secs(30);
const ADMIN_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A database with keys, and gateways on it.
struct Scene {
    database: PostgresDatabase,
    alpha: Provider,
}

impl Scene {
    fn new() -> Self {
        Self {
            database: PostgresDatabase::create(),
            alpha: Provider::start("alpha"),
        }
    }

    /// Makes keys in the database as the gateway does, before it starts.
    fn keys<const N: usize>(&self, limits: [RateLimits; N], rules: &[(Scope, RateLimits)]) -> [String; N] {
        let holders = limits.map(|limits| KeyHolder {
            project: Some("p"),
            user: None,
            limits,
        });
        make_keys(&self.database.url(), holders, rules)
    }

    fn setup(&self) -> Setup {
        Setup::free_l0(&[&self.alpha])
            .env("DATABASE_URL", &self.database.url())
            .env("GATEWAY_ADMIN_KEY", ADMIN_KEY)
    }

    /// A gateway on this Redis, which it has found.
    fn with_redis(&self, url: &str) -> Gateway {
        // Patient: a test's machine may be busy, and a Redis that seems to be away is not asked.
        let gateway = Gateway::start(self.setup().env("REDIS_URL", url).toml("[redis]\ntimeout_ms = 5000"));
        wait_for_redis(&gateway, true);
        gateway
    }
}

fn wait_for_redis(gateway: &Gateway, is_there: bool) {
    wait_for("Redis to be found", LIMIT, || {
        gateway.client().get("/health").json()["redis"] == is_there
    });
}

fn with_key(gateway: &Gateway, key: &str) -> Client {
    gateway
        .anonymous()
        .with_header("authorization", &format!("Bearer {key}"))
}

fn rpm(rpm: u32) -> RateLimits {
    RateLimits {
        rpm: Some(rpm),
        ..RateLimits::default()
    }
}

#[track_caller]
fn number(reply: &Reply, header: &str) -> u64 {
    let value = reply
        .header(header)
        .unwrap_or_else(|| panic!("no {header} in {reply:?}"));
    value.parse().unwrap()
}

/// Asks so often at once; how many were answered. The others were refused for their rate.
fn ask_at_once(clients: &[Client], times: usize) -> usize {
    let answers = in_parallel(times, 20, |index| {
        let reply = clients[index % clients.len()].post(COMPLETIONS, &chat("one"));
        if reply.status != 200 {
            assert_eq!(reply.error(429)["code"], "rate_limited");
        }
        reply.status == 200
    });
    answers.into_iter().filter(|was_answered| *was_answered).count()
}

#[test]
fn answers_say_how_far_the_limits_are_used_in_the_way_of_each_dialect() {
    let scene = Scene::new();
    let limits = RateLimits {
        rpm: Some(3),
        tpm: Some(1_000_000),
        max_concurrent: None,
    };
    let [key, free] = scene.keys([limits, RateLimits::default()], &[]);
    let gateway = Gateway::start(scene.setup());
    let client = with_key(&gateway, &key);
    let first = client.post(COMPLETIONS, &chat("one"));
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(number(&first, "x-ratelimit-limit-requests"), 3);
    assert_eq!(number(&first, "x-ratelimit-remaining-requests"), 2);
    assert_eq!(number(&first, "x-ratelimit-limit-tokens"), 1_000_000);
    assert!(number(&first, "x-ratelimit-remaining-tokens") < 1_000_000);
    let reset = first.header("x-ratelimit-reset-requests").unwrap();
    assert!(reset.ends_with('s') && reset.starts_with(['5', '1']), "{reset}");
    let messages = json!({ "model": "auto", "max_tokens": 50, "messages": [{ "role": "user", "content": "one" }] });
    let second = client.post("/v1/messages", &messages);
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(number(&second, "anthropic-ratelimit-requests-remaining"), 1);
    assert!(
        second
            .header("anthropic-ratelimit-requests-reset")
            .unwrap()
            .ends_with('Z')
    );
    assert_eq!(second.header("x-ratelimit-limit-requests"), None);
    assert_eq!(client.post("/v1/route", &json!({ "message": "one" })).status, 200);

    // Refused in each dialect's shape; nobody is asked.
    let refused = client.post(COMPLETIONS, &chat("one"));
    assert_eq!(refused.error(429)["code"], "rate_limited");
    assert_eq!(number(&refused, "x-ratelimit-remaining-requests"), 0);
    assert!((1..=60).contains(&number(&refused, "retry-after")));
    let refused = client.post("/v1/messages", &messages);
    assert_eq!(refused.error(429)["type"], "rate_limit_error");
    assert_eq!(number(&refused, "anthropic-ratelimit-requests-remaining"), 0);
    let refused = client.post("/v1/route", &json!({ "message": "one" }));
    assert_eq!(refused.error(429)["type"], "rate_limited");
    assert_eq!(scene.alpha.requests(), 3);
    gateway.wait_for_calls(3);

    // To look costs nothing, and others have limits of their own.
    assert_eq!(client.get("/v1/models").status, 200);
    let other = with_key(&gateway, &free).post(COMPLETIONS, &chat("one"));
    assert_eq!((other.status, other.header("x-ratelimit-limit-requests")), (200, None));
    gateway.finish();
}

#[test]
fn after_the_time_that_was_told_the_next_is_answered() {
    let scene = Scene::new();
    let [key] = scene.keys([rpm(2)], &[]);
    let gateway = Gateway::start(scene.setup().env("GATEWAY_TEST_MINUTE_MS", "3000"));
    let client = with_key(&gateway, &key);
    for _ in 0..2 {
        assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
    }
    let mut refused = 0;
    wait_for("room for one more", LIMIT, || {
        let reply = client.post(COMPLETIONS, &chat("one"));
        refused += usize::from(reply.status == 429);
        reply.status == 200
    });
    assert!(refused > 0);
    gateway.finish();
}

#[test]
fn requests_at_once_are_limited_until_the_end_of_streams() {
    let scene = Scene::new();
    let limits = RateLimits {
        max_concurrent: Some(2),
        ..RateLimits::default()
    };
    let [key] = scene.keys([limits], &[]);
    let gateway = Gateway::start(scene.setup());
    let client = with_key(&gateway, &key);
    scene.alpha.set(Behaviour::StallMidStream);
    let mut streams: Vec<_> = (0..2)
        .map(|_| client.open_stream(COMPLETIONS, &streamed_chat("one")))
        .collect();
    for stream in &mut streams {
        assert!(stream.next_event().is_some());
    }
    scene.alpha.set(Behaviour::Answer);
    let refused = client.post(COMPLETIONS, &chat("one"));
    assert_eq!(refused.error(429)["code"], "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    drop(streams);
    wait_for("the places to be free", LIMIT, || {
        client.post(COMPLETIONS, &chat("one")).status == 200
    });
    gateway.finish();
}

#[test]
fn tokens_are_counted_by_what_was_used_and_the_rates_of_a_project_hold_for_all_its_keys() {
    let scene = Scene::new();
    let limits = RateLimits {
        tpm: Some(200),
        ..RateLimits::default()
    };
    let rules = [(Scope::Project("p".into()), limits)];
    let [one, other] = scene.keys([RateLimits::default(), RateLimits::default()], &rules);
    let gateway = Gateway::start(scene.setup());
    scene.alpha.set_tokens(150);
    let first = with_key(&gateway, &one).post(COMPLETIONS, &chat("one"));
    assert_eq!(first.status, 200, "{}", first.text());
    let used = first.json()["usage"]["total_tokens"].as_u64().unwrap();
    assert!((150..200).contains(&used), "{used}");
    let second = with_key(&gateway, &other).post(COMPLETIONS, &chat("two"));
    assert_eq!(second.status, 200, "{}", second.text());
    // The second went beyond the limit: the next ones wait.
    let third = with_key(&gateway, &one).post(COMPLETIONS, &chat("three"));
    assert!(
        third.error(429)["message"].as_str().unwrap().contains("this project"),
        "{}",
        third.text()
    );
    assert_eq!(number(&third, "x-ratelimit-remaining-tokens"), 0);
    gateway.finish();
}

#[test]
fn two_processes_on_one_redis_admit_no_more_than_one_and_all_of_it() {
    const RPM: u32 = 120;
    let scene = Scene::new();
    let [key] = scene.keys([rpm(RPM)], &[]);
    let gateways = [scene.with_redis(&redis_url()), scene.with_redis(&redis_url())];
    let clients = gateways.each_ref().map(|gateway| with_key(gateway, &key));
    let mut answered = ask_at_once(&clients, 200);
    assert!(answered <= RPM as usize, "{answered} of {RPM}");
    // What one took and did not use comes back to the other.
    wait_for("the whole limit to be used", LIMIT, || {
        answered += ask_at_once(&clients, 10);
        answered >= RPM as usize
    });
    assert_eq!(answered, RPM as usize);
    assert_eq!(scene.alpha.requests(), answered);
    // Each says that nothing is left, whoever used it.
    for client in &clients {
        let reply = client.post(COMPLETIONS, &chat("hello"));
        assert_eq!(reply.status, 429);
        assert_eq!(number(&reply, "x-ratelimit-remaining-requests"), 0);
        assert_ne!(reply.header("x-ratelimit-reset-requests"), Some("0ms"));
    }
    for gateway in gateways {
        gateway.finish();
    }
}

#[test]
fn two_processes_on_one_redis_share_the_requests_at_once() {
    let scene = Scene::new();
    let limits = RateLimits {
        max_concurrent: Some(2),
        ..RateLimits::default()
    };
    let [key] = scene.keys([limits], &[]);
    let gateways = [scene.with_redis(&redis_url()), scene.with_redis(&redis_url())];
    let [one, other] = gateways.each_ref().map(|gateway| with_key(gateway, &key));
    scene.alpha.set(Behaviour::Held);
    thread::scope(|scope| {
        let held = [
            scope.spawn(|| one.post(COMPLETIONS, &chat("one"))),
            scope.spawn(|| one.post(COMPLETIONS, &chat("one"))),
        ];
        wait_for("both to be asked", LIMIT, || scene.alpha.requests() == 2);
        assert_eq!(other.post(COMPLETIONS, &chat("two")).error(429)["code"], "rate_limited");
        scene.alpha.set(Behaviour::Answer);
        for held in held {
            assert_eq!(held.join().unwrap().status, 200);
        }
    });
    wait_for("the places to be given back", LIMIT, || {
        other.post(COMPLETIONS, &chat("two")).status == 200
    });
    for gateway in gateways {
        gateway.finish();
    }
}

#[test]
fn two_processes_on_one_redis_share_the_tokens_and_one_has_what_the_other_took_and_did_not_use() {
    const TPM: u64 = 3_000;
    /// More than the input of a request is estimated at, and more than a call uses.
    const CALL: u64 = 500;
    let scene = Scene::new();
    let limits = RateLimits {
        tpm: Some(TPM),
        ..RateLimits::default()
    };
    let [key] = scene.keys([limits], &[]);
    let gateways = [scene.with_redis(&redis_url()), scene.with_redis(&redis_url())];
    let [one, other] = gateways.each_ref().map(|gateway| with_key(gateway, &key));
    scene.alpha.set_tokens(100);
    let ask = |client: &Client| {
        let reply = client.post(COMPLETIONS, &chat(&"word ".repeat(50)));
        if reply.status != 200 {
            assert_eq!(reply.error(429)["code"], "rate_limited");
            return 0;
        }
        reply.json()["usage"]["total_tokens"].as_u64().unwrap()
    };
    let of_a_call = ask(&one);
    assert!((100..CALL).contains(&of_a_call), "{of_a_call}");
    // The first took more than it used; the other alone uses all the rest.
    let mut used = of_a_call;
    wait_for("the other to use the rest", LIMIT, || {
        used += ask(&other);
        used + CALL > TPM
    });
    wait_for("both to be refused", LIMIT, || {
        let more = [&one, &other].map(ask);
        used += more.iter().sum::<u64>();
        more == [0, 0]
    });
    // Each may have gone beyond it by the one call that used more than it was charged.
    assert!(used <= TPM + 2 * of_a_call, "{used} of {TPM}");
    let answered = u64::try_from(scene.alpha.requests()).unwrap();
    assert_eq!(used, answered * of_a_call);
    for gateway in gateways {
        gateway.finish();
    }
}

#[test]
fn rd1_without_redis_each_process_counts_by_itself() {
    const RPM: u32 = 20;
    let scene = Scene::new();
    let [key] = scene.keys([rpm(RPM)], &[]);
    let gateways = [Gateway::start(scene.setup()), Gateway::start(scene.setup())];
    for gateway in &gateways {
        assert_eq!(gateway.client().get("/health").json()["redis"], json!(null));
        assert_eq!(ask_at_once(&[with_key(gateway, &key)], 40), RPM as usize);
    }
    for gateway in gateways {
        assert!(!gateway.log().iter().any(|line| line.contains("Redis")));
        gateway.finish();
    }
}

#[test]
fn rd2_rd5_a_redis_that_dies_hangs_and_comes_back_fails_no_request_and_limits_go_on() {
    const RPM: u32 = 60;
    let scene = Scene::new();
    let [key, free] = scene.keys([rpm(RPM), RateLimits::default()], &[]);
    let mut redis = RedisServer::start();
    let gateway = Gateway::start(scene.setup().env("REDIS_URL", &redis.url()));
    wait_for_redis(&gateway, true);
    let client = with_key(&gateway, &key);
    let mut answered = 0;
    let mut ask = |times: usize| {
        for _ in 0..times {
            assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
            answered += 1;
        }
    };
    ask(10);
    redis.hang();
    ask(10);
    wait_for_redis(&gateway, false);
    assert_eq!(gateway.client().get("/health/ready").status, 200);
    redis.go_on();
    wait_for_redis(&gateway, true);
    ask(10);
    redis.stop();
    ask(10);
    wait_for_redis(&gateway, false);
    redis.start_again();
    wait_for_redis(&gateway, true);
    ask(10);
    // What was admitted meanwhile is known to the new counts.
    let more = ask_at_once(&[client], 30);
    assert!(answered + more <= RPM as usize, "{answered} and {more}");
    assert_eq!(with_key(&gateway, &free).post(COMPLETIONS, &chat("one")).status, 200);
    let told = gateway
        .log()
        .iter()
        .filter(|line| line.contains("Redis is away"))
        .count();
    assert_eq!(told, 1, "told more than once in a minute");
    gateway.finish();
}

#[test]
fn rd5_an_old_copy_with_which_a_redis_comes_back_is_not_believed() {
    const RPM: u32 = 60;
    let scene = Scene::new();
    let [key] = scene.keys([rpm(RPM)], &[]);
    let mut redis = RedisServer::start();
    let setup = scene.setup().env("REDIS_URL", &redis.url());
    // All of it is within one minute, however long it takes.
    let gateway = Gateway::start(setup.env("GATEWAY_TEST_MINUTE_MS", "600000"));
    wait_for_redis(&gateway, true);
    let client = with_key(&gateway, &key);
    let ask = |times: usize| {
        for _ in 0..times {
            assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
        }
    };
    ask(5);
    assert!(redis.command("SAVE").starts_with("Ok("));
    ask(45);
    redis.stop();
    ask(2);
    wait_for_redis(&gateway, false);
    redis.start_again();
    let loaded = redis.command("INFO persistence");
    assert!(loaded.contains("rdb_last_load_keys_loaded"), "{loaded}");
    assert!(
        !loaded.contains("rdb_last_load_keys_loaded:0"),
        "nothing was loaded: {loaded}"
    );
    wait_for_redis(&gateway, true);
    // By the old copy there were room for 55 more.
    let more = ask_at_once(&[client], 60);
    assert!(52 + more <= RPM as usize, "52 and {more}");
    gateway.finish();
}

#[test]
fn rd3_a_redis_that_refuses_is_away() {
    let scene = Scene::new();
    let [key] = scene.keys([rpm(3)], &[]);
    let redis = RedisServer::start();
    let wrong_password = redis.url().replace(":redis-of-a-test@", ":wrong@");
    let gateway = Gateway::start(scene.setup().env("REDIS_URL", &wrong_password));
    assert_eq!(ask_at_once(&[with_key(&gateway, &key)], 6), 3);
    assert_eq!(gateway.client().get("/health").json()["redis"], false);
    gateway.finish();

    let [key] = scene.keys([rpm(1_000)], &[]);
    let gateway = Gateway::start(scene.setup().env("REDIS_URL", &redis.url()));
    wait_for_redis(&gateway, true);
    let client = with_key(&gateway, &key);
    // It may no longer be written: `-READONLY`, and `-OOM`.
    for (refuse, accept) in [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
    ] {
        redis.command(refuse);
        wait_for("the refusal to be noticed", LIMIT, || {
            assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
            gateway.client().get("/health").json()["redis"] == false
        });
        redis.command(accept);
        wait_for_redis(&gateway, true);
    }
    // Values that are none of ours are as good as a refusal.
    redis.command("FLUSHALL");
    assert_eq!(client.post(COMPLETIONS, &chat("one")).status, 200);
    gateway.finish();
}

#[test]
fn g26_after_the_clock_of_redis_went_back_who_is_over_the_limit_waits_for_a_minute_and_no_longer() {
    const RPM: u32 = 5;
    /// Moves what was counted to an hour later. Its words are kept apart by tabs.
    const LATER: &str = "local\tnames=redis.call('KEYS','gateway:limits:*:requests:*')
for\t_,name\tin\tipairs(names)\tdo
local\tall=redis.call('HGETALL',name)
for\tplace=1,#all,2\tdo
redis.call('HDEL',name,all[place])
redis.call('HSET',name,all[place]+36000,all[place+1])
end
end
return\t#names";
    let scene = Scene::new();
    let [key] = scene.keys([rpm(RPM)], &[]);
    let redis = RedisServer::start();
    let gateways = [scene.with_redis(&redis.url()), scene.with_redis(&redis.url())];
    let [one, other] = gateways.each_ref().map(|gateway| with_key(gateway, &key));
    for _ in 0..RPM {
        assert_eq!(one.post(COMPLETIONS, &chat("one")).status, 200);
    }
    let moved = redis.command(&format!("EVAL {LATER} 0"));
    assert!(moved.contains('1'), "{moved}");
    let reply = other.post(COMPLETIONS, &chat("one"));
    assert_eq!(reply.error(429)["code"], "rate_limited");
    assert!(number(&reply, "retry-after") <= 60, "{reply:?}");
    for gateway in gateways {
        gateway.finish();
    }
}
