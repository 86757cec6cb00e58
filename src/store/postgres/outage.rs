//! Times in which no connection can be made, as the log tells of them: when one begins and why, and when it is over. Not
//! at every try, of which there are several a second.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The most reasons that are told of in one outage.
const MOST_REASONS: usize = 8;

/// Whether connections can be made. Usable from any thread.
#[derive(Debug, Default)]
pub(super) struct Outage {
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the first try failed, while there is an outage.
    since: Option<Instant>,
    /// The reasons that were told in it.
    told: Vec<String>,
    /// When a connection was made last.
    connected_at: Option<Instant>,
}

impl Outage {
    /// A try that began then has failed; true when the log is to tell of it.
    pub(super) fn failed(&self, began: Instant, reason: &str) -> bool {
        let mut is_news = false;
        self.state.send_modify(|state| is_news = state.failed(began, reason));
        is_news
    }

    /// A connection was made; how long none could be, if the log is to tell that this is over.
    pub(super) fn connected(&self, now: Instant) -> Option<Duration> {
        let mut outage = None;
        self.state.send_modify(|state| outage = state.connected(now));
        outage
    }
}

impl State {
    fn failed(&mut self, began: Instant, reason: &str) -> bool {
        // Tries overlap: one that took longer tells nothing new.
        if self.connected_at.is_some_and(|connected| began <= connected) {
            return false;
        }
        self.since.get_or_insert(began);
        let is_news = self.told.len() < MOST_REASONS && !self.told.iter().any(|told| told == reason);
        if is_news {
            self.told.push(reason.to_owned());
        }
        is_news
    }

    fn connected(&mut self, now: Instant) -> Option<Duration> {
        self.connected_at = Some(now);
        self.told.clear();
        self.since.take().map(|since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const TRY: Duration = Duration::from_millis(200);

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once_for_each_reason_and_once_when_it_is_over() {
        let outage = Outage::default();
        assert_eq!(outage.connected(Instant::now()), None, "there was none");
        for _ in 0..2 {
            let mut told = Vec::new();
            for number in 0..300 {
                advance(TRY).await;
                // Reasons may alternate.
                let reason = ["shutting down", "refused", "starting"][(number / 100 + number % 2).min(2)];
                if outage.failed(Instant::now(), reason) {
                    told.push(reason);
                }
            }
            assert_eq!(told, ["shutting down", "refused", "starting"]);
            advance(TRY).await;
            assert_eq!(outage.connected(Instant::now()), Some(TRY * 300));
            advance(TRY).await;
            assert_eq!(outage.connected(Instant::now()), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_began_before_a_connection_was_made_begins_no_outage() {
        let outage = Outage::default();
        let began = Instant::now();
        advance(TRY).await;
        assert_eq!(outage.connected(Instant::now()), None);
        assert!(!outage.failed(began, "refused"));
        advance(TRY).await;
        assert_eq!(outage.connected(Instant::now()), None, "nothing is over");
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_without_end_are_not_told_without_end() {
        let outage = Outage::default();
        let told = (0..100).filter(|number| outage.failed(Instant::now(), &format!("port {number}")));
        assert_eq!(told.count(), MOST_REASONS);
    }
}
