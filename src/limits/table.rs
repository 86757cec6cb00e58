//! The meters of all scopes that were asked for lately.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{IdHasher, IdMap, Scope};
use tokio::sync::Mutex;

use super::meter::Meter;
use super::window::Span;

/// Parts that are locked apart.
const SHARDS: usize = 16;
/// Scopes in a part. Keys, projects and users that are active in one minute: beyond this the idle ones are forgotten.
const MOST: usize = 4_096;

/// A scope's meter by its scope.
#[derive(Debug)]
pub(super) struct Table {
    span: Span,
    shards: Vec<Mutex<IdMap<Scope, Arc<Meter>>>>,
    hasher: IdHasher,
    most: usize,
}

impl Table {
    pub(super) fn new(span: Span) -> Self {
        Self::with_room(span, MOST)
    }

    fn with_room(span: Span, most: usize) -> Self {
        Self {
            span,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: IdHasher::default(),
            most,
        }
    }

    /// The meter of a scope, made if there is none.
    pub(super) async fn of(&self, scope: &Scope, now: Duration) -> Arc<Meter> {
        let new = || Arc::new(Meter::new(scope.to_string().into(), self.span));
        let place = self.hasher.hash_one(scope) % u64::try_from(SHARDS).unwrap_or(1);
        let Some(shard) = self.shards.get(usize::try_from(place).unwrap_or_default()) else {
            return new();
        };
        let mut shard = shard.lock().await;
        if let Some(meter) = shard.get(scope) {
            return Arc::clone(meter);
        }
        if shard.len() >= self.most {
            shard.retain(|_, meter| Arc::strong_count(meter) > 1 || !meter.is_idle(now));
        }
        let meter = new();
        shard.insert(scope.clone(), Arc::clone(&meter));
        meter
    }

    #[cfg(test)]
    pub(super) async fn len(&self) -> usize {
        let mut sum = 0;
        for shard in &self.shards {
            sum += shard.lock().await.len();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::RateLimits;

    use super::*;

    #[tokio::test]
    async fn idle_scopes_are_forgotten_when_there_is_no_room_and_busy_ones_are_not() {
        let table = Table::with_room(Span::default(), 2);
        let limits = RateLimits {
            rpm: Some(1),
            ..RateLimits::default()
        };
        let busy = Scope::User("busy".into());
        let meter = table.of(&busy, Duration::ZERO).await;
        let (_, now) = (
            meter.admit(limits, 0, Duration::ZERO, None).await,
            Duration::from_secs(30),
        );
        for number in 0..200 {
            table.of(&Scope::User(format!("idle-{number}").into()), now).await;
        }
        assert!(table.len().await <= 2 * SHARDS + 1, "{}", table.len().await);
        let again = table.of(&busy, now).await;
        assert!(
            again.admit(limits, 0, now, None).await.is_err(),
            "its request was forgotten"
        );
    }
}
