//! Redis: the counts of rate limits that replicas share.
//!
//! Nothing in it is the truth of anything: the server may vanish, lie or come back with an old copy of its data, and no
//! request fails for it. Every question has a time limit; after the first that is not answered well nobody asks any more,
//! until a task of its own has found the server to be back. The counts begin anew then, in another namespace.
//!
//! Its connections belong to a thread of its own.

mod connections;

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::{Pool, RunError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::{ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, Script, ScriptInvocation, Value};
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::connections::{Manager, NAMESPACE_KEY, Presence};
use crate::config::RedisSettings;
use crate::limits::{Ask, Granted, PART_TTL, Part, RUNNING_TTL, Settle, SharedLimits, Span, Told, Wanted};

const TAKE: &str = include_str!("take.lua");
const SETTLE: &str = include_str!("settle.lua");
/// Questions that may be under way at once: each takes a fraction of a millisecond.
const CONNECTIONS: u32 = 4;
/// The time between two looks at a server that is away: from, and up to.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisOpenError {
    /// It is no address of a Redis server.
    #[error("REDIS_URL cannot be used: write it as redis://HOST:PORT/NUMBER ({reason})")]
    Address {
        /// What is wrong with it; no part of it.
        reason: &'static str,
    },
    /// The thread cannot be started.
    #[error("cannot start the thread for Redis: raise the limit of threads and start again")]
    Thread {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// The shared counts on a Redis server.
#[derive(Debug)]
pub struct RedisLimits {
    parts: Arc<Parts>,
    /// Gone only while this is being dropped.
    runtime: Option<Runtime>,
}

struct Parts {
    pool: Pool<Manager>,
    presence: Arc<Presence>,
    take: Script,
    settle: Script,
    instance: String,
    span: Span,
    patience: Duration,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("presence", &self.presence)
            .finish_non_exhaustive()
    }
}

impl RedisLimits {
    /// Counts on the server of the settings, for this process; nothing when they name none. Connects in the background.
    ///
    /// # Errors
    /// When the address is none, or the thread cannot be started. A server that is away is no error.
    pub fn open(settings: &RedisSettings, instance: String, span: Span) -> Result<Option<Self>, RedisOpenError> {
        let Some(manager) = manager(settings)? else {
            return Ok(None);
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("redis")
            .enable_all()
            .build()
            .map_err(|source| RedisOpenError::Thread { source })?;
        let presence = Presence::new();
        let pool = {
            let _inside = runtime.enter();
            Pool::builder()
                .max_size(CONNECTIONS)
                .connection_timeout(settings.timeout)
                .retry_connection(false)
                .build_unchecked(Manager::new(manager, Arc::clone(&presence)))
        };
        let parts = Arc::new(Parts {
            pool,
            presence,
            take: Script::new(TAKE),
            settle: Script::new(SETTLE),
            instance,
            span,
            patience: settings.timeout,
        });
        runtime.spawn(look_for(Arc::clone(&parts)));
        Ok(Some(Self {
            parts,
            runtime: Some(runtime),
        }))
    }

    /// Runs this on the thread of its own, until it ends or this is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Waits until the server is there, but no longer than this.
    pub async fn wait(&self, at_most: Duration) {
        // A server that is away is waited for in the background.
        let _ = timeout(at_most, self.parts.presence.until(true)).await;
    }

    /// Does this on the thread of its own; nothing when the server does not answer well in time.
    fn run<T: Send + 'static>(
        &self,
        job: impl Future<Output = Result<T, RedisError>> + Send + 'static,
    ) -> Option<JoinHandle<Option<T>>> {
        let (runtime, parts) = (self.runtime.as_ref()?, Arc::clone(&self.parts));
        Some(runtime.spawn(async move {
            match timeout(parts.patience, job).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => parts.presence.is_away(&error.category()),
                Err(_elapsed) => parts.presence.is_away(&"no answer in time"),
            }
            None
        }))
    }
}

impl Drop for RedisLimits {
    fn drop(&mut self) {
        // A runtime that is dropped waits, which panics where the dropping thread runs a runtime of its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A manager of connections to the server of the settings.
fn manager(settings: &RedisSettings) -> Result<Option<RedisConnectionManager>, RedisOpenError> {
    let Some(url) = &settings.url else {
        return Ok(None);
    };
    let unusable = |reason| RedisOpenError::Address { reason };
    let told = |error: &RedisError| match error.kind() {
        ErrorKind::InvalidClientConfig => unusable("a part of it cannot be"),
        _ => unusable("it cannot be read"),
    };
    let mut info = url
        .expose_secret()
        .into_connection_info()
        .map_err(|error| told(&error))?;
    if let (None, Some(password)) = (info.redis_settings().password(), &settings.password) {
        let login = info.redis_settings().clone().set_password(password.expose_secret());
        info = info.set_redis_settings(login);
    }
    RedisConnectionManager::new(info)
        .map(Some)
        .map_err(|error| told(&error))
}

/// Finds out whether a server that is away is back, as long as this is awaited.
async fn look_for(parts: Arc<Parts>) {
    let mut pause = LOOK_AGAIN.0;
    loop {
        parts.presence.until(false).await;
        let look = async {
            let mut connection = parts.pool.get().await.map_err(no_connection)?;
            let asked = parts.presence.ask(&mut connection.inner).await;
            connection.is_broken = asked.is_err();
            asked
        };
        match timeout(LOOK_LIMIT, look).await {
            Ok(Ok(namespace)) => {
                tracing::info!("Redis is there: rates are limited over all replicas");
                parts.presence.is_there(&namespace);
                pause = LOOK_AGAIN.0;
            }
            Ok(Err(error)) => parts.presence.tell(&error.category()),
            Err(_elapsed) => parts.presence.tell(&"no answer in time"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN.1);
    }
}

fn no_connection(error: RunError<RedisError>) -> RedisError {
    match error {
        RunError::User(error) => error,
        RunError::TimedOut => (ErrorKind::Io, "no connection became free in time").into(),
    }
}

impl Parts {
    async fn ask<T: FromRedisValue>(&self, script: ScriptInvocation<'_>) -> Result<T, RedisError> {
        let mut connection = self.pool.get().await.map_err(no_connection)?;
        let answer = script.invoke_async(&mut connection.inner).await;
        connection.is_broken = answer.is_err();
        answer
    }

    /// The keys of a scope's counts in a namespace.
    fn keys<'a>(script: &'a Script, namespace: &str, scope: &str) -> ScriptInvocation<'a> {
        let mut script = script.key(NAMESPACE_KEY);
        for what in ["requests", "tokens", "running"] {
            script.key(format!("gateway:limits:{namespace}:{what}:{scope}"));
        }
        script
    }

    fn slots(&self) -> u64 {
        self.span.shared_slots_counted(PART_TTL)
    }

    fn slot_ms(&self) -> u64 {
        millis(self.span.shared_slot()).max(1)
    }

    /// Longer than anything counts.
    fn keep_ms(&self) -> u64 {
        (self.slots() + 1).saturating_mul(self.slot_ms())
    }

    async fn take(self: Arc<Self>, ask: Ask) -> Result<Told, RedisError> {
        let mut script = Self::keys(&self.take, &ask.namespace, &ask.scope);
        script
            .arg(&*ask.namespace)
            .arg(self.slot_ms())
            .arg(self.slots())
            .arg(self.keep_ms());
        for wanted in [&ask.requests, &ask.tokens] {
            match wanted {
                Some(Wanted {
                    limit,
                    need,
                    debt,
                    opening,
                }) => {
                    let opening: Vec<_> = opening
                        .iter()
                        .map(|(age, amount)| (self.span.shared_age(*age), *amount))
                        .collect();
                    script.arg(*limit).arg(*need).arg(*debt).arg(pairs(&opening));
                }
                None => {
                    script.arg(-1).arg(0).arg(0).arg("");
                }
            }
        }
        match ask.running {
            Some(running) => script.arg(running.limit).arg(running.need),
            None => script.arg(-1).arg(0),
        };
        script.arg(&self.instance).arg(millis(RUNNING_TTL));
        let told = told(&self.ask::<Value>(script).await?)?;
        if let Told::Namespace(namespace) = &told {
            // One that is not there is begun by whoever looks for it.
            let namespace = match namespace.is_empty() {
                true => self.begin_namespace().await?,
                false => Arc::clone(namespace),
            };
            self.presence.moved_on(&namespace);
        }
        Ok(told)
    }

    async fn begin_namespace(&self) -> Result<Arc<str>, RedisError> {
        let mut connection = self.pool.get().await.map_err(no_connection)?;
        self.presence.ask(&mut connection.inner).await
    }

    async fn settle(self: Arc<Self>, settle: Settle) -> Result<(), RedisError> {
        let mut script = Self::keys(&self.settle, &settle.namespace, &settle.scope);
        script.arg(&*settle.namespace).arg(self.slot_ms()).arg(self.keep_ms());
        script
            .arg(pairs(&settle.requests))
            .arg(pairs(&settle.tokens))
            .arg(settle.debt);
        match settle.running {
            Some(running) => script.arg(running),
            None => script.arg(-1),
        };
        script.arg(&self.instance).arg(millis(RUNNING_TTL));
        self.ask::<i64>(script).await.map(drop)
    }
}

impl SharedLimits for RedisLimits {
    fn namespace(&self) -> Option<Arc<str>> {
        self.parts.presence.namespace()
    }

    fn take(&self, ask: Ask) -> BoxFuture<'static, Option<Told>> {
        answered(self.run(Arc::clone(&self.parts).take(ask)))
    }

    fn settle(&self, settle: Settle) -> BoxFuture<'static, ()> {
        let settled = answered(self.run(Arc::clone(&self.parts).settle(settle)));
        settled.map(drop).boxed()
    }
}

fn answered<T: Send + 'static>(job: Option<JoinHandle<Option<T>>>) -> BoxFuture<'static, Option<T>> {
    async move { job?.await.ok().flatten() }.boxed()
}

/// What the script that takes parts says.
fn told(value: &Value) -> Result<Told, RedisError> {
    let wrong = || RedisError::from((ErrorKind::UnexpectedReturnType, "an answer that is none"));
    let Value::Array(items) = value else {
        return Err(wrong());
    };
    if let [Value::Int(0), namespace] = items.as_slice() {
        let namespace: String = redis::from_redis_value_ref(namespace).map_err(|_other| wrong())?;
        return Ok(Told::Namespace(namespace.into()));
    }
    let numbers: Option<Vec<i64>> = items
        .iter()
        .map(|item| {
            if let Value::Int(number) = item {
                Some(*number)
            } else {
                None
            }
        })
        .collect();
    let time_of = |number: i64| Duration::from_millis(u64::try_from(number).unwrap_or_default());
    let part = |amount: i64, left: i64, wait: i64, full: i64| {
        let amount = u64::try_from(amount).ok()?;
        Some(Part {
            amount,
            left: u64::try_from(left).unwrap_or_default(),
            wait: time_of(wait),
            full: time_of(full),
        })
    };
    match numbers.as_deref() {
        Some(
            [
                1,
                slot,
                requests,
                left,
                wait,
                full,
                tokens,
                tokens_left,
                tokens_wait,
                tokens_full,
                running,
            ],
        ) => Ok(Told::Granted(Granted {
            slot: u64::try_from(*slot).map_err(|_negative| wrong())?,
            requests: part(*requests, *left, *wait, *full),
            tokens: part(*tokens, *tokens_left, *tokens_wait, *tokens_full),
            running: u64::try_from(*running).ok(),
        })),
        _ => Err(wrong()),
    }
}

/// `A:B,…`
fn pairs(pairs: &[(u64, u64)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(one, other)| format!("{one}:{other}")).collect();
    pairs.join(",")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        let ints = |numbers: &[i64]| Value::Array(numbers.iter().map(|number| Value::Int(*number)).collect());
        for wrong in [
            Value::Nil,
            Value::Okay,
            Value::Int(1),
            ints(&[]),
            ints(&[1, 2, 3]),
            ints(&[1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ints(&[2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
            ints(&[1, -5, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
            ints(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
            Value::Array(vec![Value::Int(1), Value::Nil]),
        ] {
            assert!(told(&wrong).is_err(), "{wrong:?}");
        }
        let Ok(Told::Granted(granted)) = told(&ints(&[1, 7, 3, 4, 0, 60_500, -1, 0, 0, 0, -1])) else {
            panic!("refused");
        };
        let part = granted.requests.unwrap();
        assert_eq!((granted.slot, part.amount, part.left), (7, 3, 4));
        assert_eq!(part.full, Duration::from_millis(60_500));
        assert_eq!((granted.tokens, granted.running), (None, None));
        let other = Value::Array(vec![Value::Int(0), Value::BulkString(b"two".to_vec())]);
        assert_eq!(told(&other).unwrap(), Told::Namespace("two".into()));
    }
}
