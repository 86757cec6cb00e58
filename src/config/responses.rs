//! `[responses]`: answers in OpenAI's Responses API that later requests may go on from.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{days, switch};

/// Whether such answers are stored, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponsesSettings {
    /// Whether they are stored (`store`): where not, every answer says `store: false`, and a request with a
    /// `previous_response_id` is refused. Default true.
    pub store: bool,
    /// How long one is kept after it was made (`ttl_days`), 1 day to 10 years. Default 30 days.
    pub ttl: Duration,
}

impl Default for ResponsesSettings {
    fn default() -> Self {
        Self {
            store: true,
            ttl: Duration::from_secs(30 * 86_400),
        }
    }
}

impl ResponsesSettings {
    /// When a response that is made then expires; both in microseconds since 1970 (UTC).
    #[must_use]
    pub fn expires_at(&self, created_at: i64) -> i64 {
        let ttl = i64::try_from(self.ttl.as_micros()).unwrap_or(i64::MAX);
        created_at.saturating_add(ttl)
    }

    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("store"), &mut self.store, switch);
        reader.set(key("ttl_days"), &mut self.ttl, days(1..=3_650));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_expires_its_time_after_it_was_made() {
        let settings = ResponsesSettings::default();
        assert_eq!(settings.expires_at(7), 30 * 86_400 * 1_000_000 + 7);
        assert_eq!(settings.expires_at(i64::MAX), i64::MAX);
    }
}
