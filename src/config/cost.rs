//! `[cost]`: what is said about money spent.

use gateway_actors::protocol::NanoUsd;

use super::reader::{Reader, key};
use super::value::{switch, usd};

/// What is said about money spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostSettings {
    /// Whether costs are tracked (`tracking`, `ENABLE_COST_TRACKING`). Default yes; call records are always kept.
    pub tracking: bool,
    /// The cost of a day's calls (UTC) at which operators are told of it (`alert_threshold_usd`, `COST_ALERT_THRESHOLD`).
    pub alert_threshold: Option<NanoUsd>,
}

impl Default for CostSettings {
    fn default() -> Self {
        Self {
            tracking: true,
            alert_threshold: None,
        }
    }
}

impl CostSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        let tracking = key("tracking").or_variable("ENABLE_COST_TRACKING");
        reader.set(tracking, &mut self.tracking, switch);
        let threshold = key("alert_threshold_usd").or_variable("COST_ALERT_THRESHOLD");
        reader.set_some(threshold, &mut self.alert_threshold, usd);
    }
}
