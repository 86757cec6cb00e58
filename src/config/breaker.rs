//! `[breaker]`: when a failing model is left alone, for how long, and how it comes back.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{integer, millis};

/// When a breaker opens, for how long, and how it closes. One breaker per provider and model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it, 1 to 1,000. Default 5.
    pub consecutive_failures: u32,
    /// Failures in percent of a window's calls that open it, 1 to 100. Default 50.
    pub failure_percent: u8,
    /// Calls that a window must have before the percentage counts, 1 to 100,000. Default 20.
    pub min_calls: u32,
    /// The window, 1 s to 10 min. Default 30 s.
    pub window: Duration,
    /// How long it stays open the first time, 10 ms to 10 min; doubles each time it opens again. Default 5 s.
    pub open_base: Duration,
    /// The longest it stays open, at least `open_base` and at most 1 h. Default 300 s.
    pub open_cap: Duration,
    /// How much the time is varied either way, in percent, 0 to 50. Default 20.
    pub jitter_percent: u8,
    /// Probes in a row that must succeed to close it, 1 to 100. Default 3.
    pub successes_to_close: u32,
    /// The longest cool-down after a 429, whatever the provider asks for, 1 s to 1 h. Default 60 s.
    pub cool_down_cap: Duration,
    /// How long no traffic must have tried a provider that may be probed before its list of models is asked for, to see
    /// whether it is back, 100 ms to 1 h. Default 10 s.
    pub idle_probe: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_percent: 50,
            min_calls: 20,
            window: Duration::from_secs(30),
            open_base: Duration::from_secs(5),
            open_cap: Duration::from_secs(300),
            jitter_percent: 20,
            successes_to_close: 3,
            cool_down_cap: Duration::from_secs(60),
            idle_probe: Duration::from_secs(10),
        }
    }
}

impl BreakerSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let consecutive = integer(1..=1_000);
        reader.set(key("consecutive_failures"), &mut self.consecutive_failures, consecutive);
        reader.set(key("failure_percent"), &mut self.failure_percent, integer(1..=100));
        reader.set(key("min_calls"), &mut self.min_calls, integer(1..=100_000));
        reader.set(key("window_ms"), &mut self.window, millis(1_000..=600_000));
        reader.set(key("open_base_ms"), &mut self.open_base, millis(10..=600_000));
        reader.set(key("open_cap_ms"), &mut self.open_cap, millis(10..=3_600_000));
        reader.set(key("jitter_percent"), &mut self.jitter_percent, integer(0..=50));
        reader.set(
            key("successes_to_close"),
            &mut self.successes_to_close,
            integer(1..=100),
        );
        reader.set(
            key("cool_down_cap_ms"),
            &mut self.cool_down_cap,
            millis(1_000..=3_600_000),
        );
        reader.set(key("idle_probe_ms"), &mut self.idle_probe, millis(100..=3_600_000));
    }
}
