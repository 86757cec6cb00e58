//! The limits of a process, with paused time, by itself and with shared counts that are a script.

use std::sync::atomic::AtomicU64;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{AccessRole, KeyId, KeyIdentity};

use super::*;

fn key(limits: RateLimits) -> Caller {
    Caller::Key(Arc::new(KeyIdentity {
        id: KeyId::generate(),
        project: Some("p".into()),
        user: Some("u".into()),
        role: AccessRole::User,
        max_layer: None,
        models: None,
        expires_at: None,
        limits,
    }))
}

fn rpm(rpm: u32) -> RateLimits {
    RateLimits {
        rpm: Some(rpm),
        ..RateLimits::default()
    }
}

fn limits(rules: LimitRules, shared: Option<Arc<dyn SharedLimits>>) -> Limits {
    Limits::new(Arc::new(ArcSwap::from_pointee(rules)), Span::default(), shared)
}

#[tokio::test(start_paused = true)]
async fn who_has_no_limits_is_not_counted() {
    let limits = limits(LimitRules::default(), None);
    for caller in [Caller::Local, Caller::Admin, key(RateLimits::default())] {
        assert!(limits.enter(&caller, 400).await.unwrap().is_none());
    }
    assert_eq!(limits.table.len().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_minute_after_the_last_there_is_room_again_and_not_earlier() {
    let limits = limits(LimitRules::default(), None);
    let caller = key(rpm(3));
    for left in [2, 1, 0] {
        let entered = limits.enter(&caller, 0).await.unwrap().unwrap();
        let level = entered.standing().requests.unwrap();
        assert_eq!((level.limit, level.remaining), (3, left));
    }
    let over = limits.enter(&caller, 0).await.unwrap_err();
    assert_eq!(over.error.kind, ErrorKind::RateLimited);
    let after = over.error.retry_after.unwrap();
    assert_eq!(
        after,
        Duration::from_secs(60),
        "a client that is told of more does not wait for it"
    );
    tokio::time::advance(after - Duration::from_millis(1)).await;
    assert!(limits.enter(&caller, 0).await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(limits.enter(&caller, 0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn all_scopes_of_a_caller_have_room_or_none_is_charged() {
    let mut rules = LimitRules::default();
    rules.set(Scope::Project("p".into()), Some(rpm(2)));
    rules.set(Scope::User("u".into()), Some(rpm(1)));
    let limits = limits(rules, None);
    let (one, other) = (key(rpm(5)), key(RateLimits::default()));
    let first = limits.enter(&one, 0).await.unwrap().unwrap();
    assert_eq!(
        first.standing().requests.map(|level| (level.limit, level.remaining)),
        Some((1, 0))
    );
    for caller in [&one, &other] {
        let over = limits.enter(caller, 0).await.unwrap_err();
        assert!(over.error.message.contains("this user"), "{}", over.error.message);
    }
    let now = limits.started.elapsed();
    let project = limits.table.of(&Scope::Project("p".into()), now).await;
    let (_, levels) = project.admit(rpm(2), 0, now, None).await.unwrap();
    assert_eq!(
        levels.0.map(|level| level.remaining),
        Some(0),
        "the refused ones were charged to the project"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_under_way_until_nobody_holds_it() {
    let limits = limits(LimitRules::default(), None);
    let caller = key(RateLimits {
        max_concurrent: Some(1),
        ..RateLimits::default()
    });
    let entered = limits.enter(&caller, 0).await.unwrap().unwrap();
    let also = Arc::clone(&entered);
    drop(entered);
    assert_eq!(
        limits.enter(&caller, 0).await.unwrap_err().error.retry_after,
        Some(Duration::from_secs(1))
    );
    drop(also);
    assert!(limits.enter(&caller, 0).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tokens_are_charged_by_the_size_of_the_input_and_made_good_by_the_usage() {
    let limits = limits(LimitRules::default(), None);
    let caller = key(RateLimits {
        tpm: Some(1_000),
        ..RateLimits::default()
    });
    let remaining = async || {
        let entered = limits.enter(&caller, 0).await.unwrap().unwrap();
        // Nobody was asked: its own token is given back.
        entered.standing().tokens.unwrap().remaining + 1
    };
    let entered = limits.enter(&caller, 400).await.unwrap().unwrap();
    assert_eq!(entered.standing().tokens.unwrap().remaining, 900);
    entered.used(Some(30));
    entered.used(Some(50));
    drop(entered);
    assert_eq!(remaining().await, 920);
    let unknown = limits.enter(&caller, 400).await.unwrap().unwrap();
    unknown.used(None);
    drop(unknown);
    assert_eq!(remaining().await, 820);
    drop(limits.enter(&caller, 400).await.unwrap());
    assert_eq!(remaining().await, 820);
    let beyond = limits.enter(&caller, 400).await.unwrap().unwrap();
    beyond.used(Some(5_000));
    assert!(limits.enter(&caller, 0).await.is_err());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(remaining().await, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_nothing_tells_nobody_to_wait() {
    let limits = limits(LimitRules::default(), None);
    let over = limits.enter(&key(rpm(0)), 0).await.unwrap_err();
    assert_eq!(
        (over.error.kind, over.error.retry_after),
        (ErrorKind::RateLimited, None)
    );
    assert!(
        over.error.message.contains("0 requests in a minute"),
        "{}",
        over.error.message
    );
    let level = over.standing.requests.unwrap();
    assert_eq!((level.limit, level.remaining, level.reset), (0, 0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn whoever_the_shared_counts_would_keep_longer_than_a_minute_hears_of_it_later() {
    let counts = Counts::of(0);
    counts.wait_ms.store(60_600, Ordering::Release);
    let limits = limits(LimitRules::default(), Some(Arc::clone(&counts) as Arc<_>));
    let before = Instant::now();
    let over = limits.enter(&key(rpm(1)), 0).await.unwrap_err();
    assert_eq!(over.error.retry_after, Some(Duration::from_secs(60)));
    assert_eq!(before.elapsed(), Duration::from_millis(600));
}

/// Shared counts of requests with one budget for all, which count how often they are asked, and can go away.
#[derive(Debug)]
struct Counts {
    left: AtomicU64,
    asked: AtomicU64,
    wait_ms: AtomicU64,
    is_away: AtomicBool,
}

impl Counts {
    fn of(left: u64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(left),
            asked: AtomicU64::new(0),
            wait_ms: AtomicU64::new(5_000),
            is_away: AtomicBool::new(false),
        })
    }
}

impl SharedLimits for Counts {
    fn namespace(&self) -> Option<Arc<str>> {
        (!self.is_away.load(Ordering::Acquire)).then(|| "one".into())
    }

    fn take(&self, ask: Ask) -> BoxFuture<'static, Option<Told>> {
        self.asked.fetch_add(1, Ordering::AcqRel);
        let wanted = ask.requests.unwrap();
        let left = self.left.load(Ordering::Acquire);
        let amount = left.min((wanted.limit / 10).max(wanted.need));
        self.left.store(left - amount, Ordering::Release);
        let part = Part {
            amount,
            left: left - amount,
            wait: Duration::from_millis(self.wait_ms.load(Ordering::Acquire)),
            full: Duration::from_secs(30),
        };
        let told = Told::Granted(Granted {
            requests: Some(part),
            ..Granted::default()
        });
        std::future::ready(Some(told)).boxed()
    }

    fn settle(&self, settle: Settle) -> BoxFuture<'static, ()> {
        let returned: u64 = settle.requests.iter().map(|(_, amount)| amount).sum();
        self.left.fetch_add(returned, Ordering::AcqRel);
        std::future::ready(()).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn of_shared_counts_parts_are_taken_and_the_rest_comes_back() {
    let counts = Counts::of(1_000);
    let limits = Arc::new(limits(LimitRules::default(), Some(Arc::clone(&counts) as Arc<_>)));
    let keeping = tokio::spawn(Arc::clone(&limits).keep());
    let caller = key(rpm(1_000));
    for _ in 0..250 {
        limits.enter(&caller, 0).await.unwrap();
    }
    assert_eq!(counts.asked.load(Ordering::Acquire), 3);
    assert_eq!(counts.left.load(Ordering::Acquire), 700);
    tokio::time::sleep(PART_TTL * 2).await;
    assert_eq!(counts.left.load(Ordering::Acquire), 750);
    keeping.abort();
}

#[tokio::test(start_paused = true)]
async fn while_the_shared_counts_are_away_a_process_counts_by_itself_with_what_it_admitted_before() {
    let counts = Counts::of(5);
    let limits = limits(LimitRules::default(), Some(Arc::clone(&counts) as Arc<_>));
    let caller = key(rpm(10));
    for _ in 0..5 {
        limits.enter(&caller, 0).await.unwrap();
    }
    let over = limits.enter(&caller, 0).await.unwrap_err();
    assert_eq!(over.error.retry_after, Some(Duration::from_secs(5)));
    counts.is_away.store(true, Ordering::Release);
    for _ in 0..5 {
        limits.enter(&caller, 0).await.unwrap();
    }
    assert!(limits.enter(&caller, 0).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_by_the_shared_counts_is_told_that_nothing_is_left() {
    let counts = Counts::of(0);
    let limits = limits(LimitRules::default(), Some(Arc::clone(&counts) as Arc<_>));
    let over = limits.enter(&key(rpm(10)), 0).await.unwrap_err();
    let level = over.standing.requests.unwrap();
    assert_eq!((level.limit, level.remaining), (10, 0));
    assert_eq!(level.reset, Duration::from_secs(30));
}
