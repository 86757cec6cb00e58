//! The numbers of breakers.

use std::time::Duration;

/// When a gate opens, for how long, and when it closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open the gate. Default 5.
    pub consecutive_failures: u32,
    /// Or so large a part of the calls in the window, 0 to 1. Default 0.5.
    pub failure_ratio: f64,
    /// The least number of calls in the window for the ratio to count. Default 20.
    pub ratio_min_calls: u32,
    /// The window. Default 30 s.
    pub window: Duration,
    /// How long the gate stays open the first time; twice as long each time after. Default 5 s.
    pub open_base: Duration,
    /// How long it stays open at most. Default 300 s.
    pub open_cap: Duration,
    /// By how much the time is stretched or shrunk at random, 0 to 1. Default 0.2.
    pub jitter: f64,
    /// Probes that must go well for the gate to close. Default 3.
    pub probes_to_close: u32,
    /// How long a provider is left alone after 429 without a time of its own. Default 5 s.
    pub cool_down: Duration,
    /// How long a provider is left alone after 429 at most. Default 60 s.
    pub cool_down_cap: Duration,
    /// How long between two probes of a provider that refuses our key, or of a model it does not have. Default 300 s.
    pub misconfigured_probe: Duration,
    /// How long no traffic must have tried a provider that may be probed before it is asked without. Default 10 s.
    pub idle_probe: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_ratio: 0.5,
            ratio_min_calls: 20,
            window: Duration::from_secs(30),
            open_base: Duration::from_secs(5),
            open_cap: Duration::from_secs(300),
            jitter: 0.2,
            probes_to_close: 3,
            cool_down: Duration::from_secs(5),
            cool_down_cap: Duration::from_secs(60),
            misconfigured_probe: Duration::from_secs(300),
            idle_probe: Duration::from_secs(10),
        }
    }
}
