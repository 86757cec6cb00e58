//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long a condition may take to come true. Only a test that fails waits for so long.
const AT_MOST: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// Looks at a condition until it holds; meanwhile the other tasks of this thread run. The limit is one of the real clock,
/// whether or not tokio's stands still: other threads do not stand still with it.
///
/// # Panics
/// When the condition does not hold within a minute, with the name of what was waited for.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "the limit is one of the real clock")]
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < AT_MOST, "waited {AT_MOST:?} in vain for {what}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
