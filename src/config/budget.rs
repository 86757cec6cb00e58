//! `[budget]`: how budgets are kept.

use std::time::Duration;

use super::reader::{Reader, key};
use super::value::{Written, integer, millis, names};

/// The HTTP status of a call that a budget has not enough left for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExhaustedStatus {
    /// 402 Payment Required: clients do not try again.
    #[default]
    PaymentRequired,
    /// 429 Too Many Requests, for clients that know no other word for it.
    TooManyRequests,
}

/// How budgets are kept, and what is said of one that is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSettings {
    /// How long the process's claim on what it holds of budgets lasts when it cannot be renewed (`lease_ms`), 2 s to 1 h.
    /// After that it counts as spent until the process's journal is read. Default 60 s.
    pub lease: Duration,
    /// Fields of requests that are passed on although the gateway does not know what they do to the price of a call
    /// that a budget pays for (`pass_fields`).
    pub pass_fields: Vec<String>,
    /// What a call that a budget has not enough left for is answered with (`exhausted_status`). Default 402.
    pub exhausted_status: ExhaustedStatus,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            pass_fields: Vec::new(),
            exhausted_status: ExhaustedStatus::default(),
        }
    }
}

impl BudgetSettings {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) {
        reader.set(key("lease_ms"), &mut self.lease, millis(2_000..=3_600_000));
        reader.set(key("pass_fields"), &mut self.pass_fields, names);
        reader.set(key("exhausted_status"), &mut self.exhausted_status, exhausted_status);
    }
}

fn exhausted_status(written: Written<'_>) -> Result<ExhaustedStatus, String> {
    match integer::<u16>(402..=429)(written) {
        Ok(402) => Ok(ExhaustedStatus::PaymentRequired),
        Ok(429) => Ok(ExhaustedStatus::TooManyRequests),
        _ => Err("be 402 or 429".to_owned()),
    }
}
