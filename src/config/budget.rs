//! `[budget]`: how budgets are kept.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{millis, names};

/// How budgets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSettings {
    /// How long the process's claim on what it holds of budgets lasts when it cannot be renewed (`lease_ms`), 2 s to 1 h.
    /// After that it counts as spent until the process's journal is read. Default 60 s.
    pub lease: Duration,
    /// Fields of requests that are passed on although the gateway does not know what they do to the price of a call
    /// that a budget pays for (`pass_fields`).
    pub pass_fields: Vec<String>,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            pass_fields: Vec::new(),
        }
    }
}

impl BudgetSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("lease_ms"), &mut self.lease, millis(2_000..=3_600_000));
        reader.set(key("pass_fields"), &mut self.pass_fields, names);
    }
}
