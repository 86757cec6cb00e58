//! Connections to the server, and whether it is there.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::ManageConnection;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, Script};
use tokio::sync::watch;
use tokio::time::timeout;

/// The key whose value is the namespace that counts.
pub(super) const NAMESPACE_KEY: &str = "gateway:limits:namespace";
const NAMESPACE: &str = include_str!("namespace.lua");
/// How long a new connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// So long between two lines in the log that say the same.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Whether the server is there, by the namespace that counts.
#[derive(Debug, Clone, Default)]
struct State {
    namespace: Option<Arc<str>>,
    /// The last one that counted before the server went away.
    dead: Option<Arc<str>>,
}

impl State {
    fn there(namespace: &Arc<str>) -> Self {
        Self {
            namespace: Some(Arc::clone(namespace)),
            dead: None,
        }
    }
}

/// What all connections share.
pub(super) struct Presence {
    state: watch::Sender<State>,
    /// Connections of an earlier generation are not used any more.
    generation: AtomicU64,
    namespace: Script,
    started: tokio::time::Instant,
    /// When the log was last told that it is away, in milliseconds since the start; 0 for never.
    logged: AtomicU64,
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

impl Presence {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::default(),
            generation: AtomicU64::new(0),
            namespace: Script::new(NAMESPACE),
            started: tokio::time::Instant::now(),
            logged: AtomicU64::new(0),
        })
    }

    /// The namespace that counts; none while the server is away.
    pub(super) fn namespace(&self) -> Option<Arc<str>> {
        self.state.borrow().namespace.clone()
    }

    /// Waits until the server is there, or until it is away.
    pub(super) async fn until(&self, is_there: bool) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this does.
        let _ = state.wait_for(|state| state.namespace.is_some() == is_there).await;
    }

    /// Another namespace has begun, or the server is back with this one.
    pub(super) fn is_there(&self, namespace: &Arc<str>) {
        self.state.send_replace(State::there(namespace));
    }

    /// Another namespace has begun. Says nothing of a server that is away.
    pub(super) fn moved_on(&self, namespace: &Arc<str>) {
        self.state.send_if_modified(|state| {
            let is_there = state.namespace.is_some();
            if is_there {
                *state = State::there(namespace);
            }
            is_there
        });
    }

    /// The server does not do what it is asked: nobody asks it until it was found to be back.
    pub(super) fn is_away(&self, why: &dyn fmt::Display) {
        let went = self.state.send_if_modified(|state| {
            let Some(namespace) = state.namespace.take() else {
                return false;
            };
            self.generation.fetch_add(1, Ordering::AcqRel);
            state.dead = Some(namespace);
            true
        });
        if went {
            self.tell(why);
        }
    }

    /// Says in the log that it is away, once in a while.
    pub(super) fn tell(&self, why: &dyn fmt::Display) {
        let now = u64::try_from(self.started.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let last = self.logged.load(Ordering::Acquire);
        let is_due = last == 0 || now.saturating_sub(last) >= u64::try_from(LOG_EVERY.as_millis()).unwrap_or(0);
        if is_due
            && self
                .logged
                .compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            tracing::warn!(cause = %why, "Redis is away: each process limits rates by itself until it is back");
        }
    }

    /// The namespace that counts on the server, which begins one where it must.
    pub(super) async fn ask(&self, connection: &mut MultiplexedConnection) -> Result<Arc<str>, RedisError> {
        let dead = self.state.borrow().dead.clone().unwrap_or_default();
        let mut script = self.namespace.key(NAMESPACE_KEY);
        script.arg(&*dead);
        let namespace: String = script.invoke_async(connection).await?;
        Ok(namespace.into())
    }
}

/// A connection, and what is known of it.
pub(super) struct Connection {
    pub(super) inner: MultiplexedConnection,
    generation: u64,
    pub(super) is_broken: bool,
}

/// Makes connections. What a connection is worth is known without asking the server.
#[derive(Debug)]
pub(super) struct Manager {
    inner: RedisConnectionManager,
    presence: Arc<Presence>,
}

impl Manager {
    pub(super) fn new(inner: RedisConnectionManager, presence: Arc<Presence>) -> Self {
        Self { inner, presence }
    }

    fn is_of_today(&self, connection: &Connection) -> bool {
        !connection.is_broken && connection.generation == self.presence.generation.load(Ordering::Acquire)
    }
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = RedisError;

    /// Asks for the namespace at once: a server that was started anew is noticed before it is used.
    async fn connect(&self) -> Result<Connection, RedisError> {
        let generation = self.presence.generation.load(Ordering::Acquire);
        let connecting = async {
            let mut inner = self.inner.connect().await?;
            let namespace = self.presence.ask(&mut inner).await?;
            self.presence.moved_on(&namespace);
            Ok(Connection {
                inner,
                generation,
                is_broken: false,
            })
        };
        timeout(CONNECT_LIMIT, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err((ErrorKind::Io, "no connection in time").into()))
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        if self.is_of_today(connection) {
            Ok(())
        } else {
            Err((ErrorKind::Io, "an old connection").into())
        }
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        !self.is_of_today(connection)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_waits_hears_of_every_change() {
        let presence = Presence::new();
        let now = |is_there| presence.until(is_there).now_or_never().is_some();
        assert!(now(false) && !now(true));
        presence.moved_on(&"one".into());
        assert!(now(false), "nobody has found it yet");
        let mut waiting = Box::pin(presence.until(true));
        assert!((&mut waiting).now_or_never().is_none());
        presence.is_there(&"one".into());
        assert!(waiting.now_or_never().is_some());
        presence.moved_on(&"two".into());
        assert_eq!(presence.namespace().as_deref(), Some("two"));

        let before = presence.generation.load(Ordering::Acquire);
        for _ in 0..2 {
            presence.is_away(&"of a test");
        }
        assert!(now(false) && presence.namespace().is_none());
        assert_eq!(presence.state.borrow().dead.as_deref(), Some("two"));
        assert_eq!(presence.generation.load(Ordering::Acquire), before + 1);
    }
}
