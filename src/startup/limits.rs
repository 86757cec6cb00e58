//! The rate limits of a process, and the counts that it shares with other replicas.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::InstanceId;

use super::ServeError;
use crate::auth::KeyRing;
use crate::config::Settings;
use crate::limits::{Limits, SharedLimits, Span};
use crate::redis::RedisLimits;

/// How long the start waits for Redis; one that is away is looked for from then on.
const START_WAIT: Duration = Duration::from_millis(250);

/// Opens the limits. They are looked after as long as the answer lives.
///
/// # Errors
/// When the address of Redis cannot be used.
pub(super) async fn open(settings: &Settings, ring: &KeyRing, instance: InstanceId) -> Result<Arc<Limits>, ServeError> {
    let span = span();
    let redis = RedisLimits::open(&settings.redis, instance.to_string(), span)?.map(Arc::new);
    let shared = redis.clone().map(|redis| redis as Arc<dyn SharedLimits>);
    let limits = Arc::new(Limits::new(ring.limits(), span, shared));
    if let Some(redis) = redis {
        redis.spawn(Arc::clone(&limits).keep());
        redis.wait(START_WAIT).await;
    }
    Ok(limits)
}

/// How long a minute is.
#[cfg(not(feature = "fault-injection"))]
fn span() -> Span {
    Span::default()
}

/// How long a minute is: as `GATEWAY_TEST_MINUTE_MS` says, so that tests need not wait for one.
#[cfg(feature = "fault-injection")]
fn span() -> Span {
    let minute = std::env::var("GATEWAY_TEST_MINUTE_MS").ok();
    let minute = minute.and_then(|text| text.parse().ok()).map(Duration::from_millis);
    minute.map_or_else(Span::default, Span::of)
}
