//! How a budget stands, as JSON: money both in whole nano-USD and in USD.

use gateway_actors::protocol::{AccessRole, BudgetStatus, Layer, NanoUsd, OnExhausted, Scope, Window};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::error::Failure;
use crate::http::respond::micros_text;
use crate::http::routes::report::share;
use crate::status::usd_number;

/// A budget in the period that is now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quota {
    scope: String,
    limit: Box<RawValue>,
    limit_nano_usd: i64,
    spent: Box<RawValue>,
    spent_nano_usd: i64,
    held: Box<RawValue>,
    held_nano_usd: i64,
    /// What is neither spent nor held.
    left: Box<RawValue>,
    left_nano_usd: i64,
    /// The part of the limit that is spent; null of a limit of nothing.
    percent_spent: Option<Box<RawValue>>,
    window: Window,
    period: String,
    window_starts_at: Option<String>,
    window_ends_at: Option<String>,
    on_exhausted: OnExhausted,
    max_layer: Option<Layer>,
    alert_percents: Vec<u8>,
}

impl Quota {
    /// Whoever sets budgets is told the scope as it is stored, under which it can be set again; a user the name that it
    /// gave its conversation.
    pub(super) fn new(scope: &Scope, status: &BudgetStatus, role: AccessRole) -> Result<Self, Failure> {
        let usd = |amount: NanoUsd| usd_number(amount).map_err(|_never| Failure::internal());
        let rule = &status.rule;
        let left = (rule.limit - status.posted - status.held).max(NanoUsd::ZERO);
        let nano = |amount: NanoUsd| u128::try_from(amount.0).unwrap_or_default();
        let percent = (rule.limit > NanoUsd::ZERO).then(|| share(nano(status.posted) * 100, nano(rule.limit)));
        let period = &status.period;
        Ok(Self {
            scope: match (scope, role) {
                (Scope::Conversation(id), AccessRole::User) => format!("conversation:{}", id.client_text()),
                (scope, _) => scope.to_string(),
            },
            limit: usd(rule.limit)?,
            limit_nano_usd: rule.limit.0,
            spent: usd(status.posted)?,
            spent_nano_usd: status.posted.0,
            held: usd(status.held)?,
            held_nano_usd: status.held.0,
            left: usd(left)?,
            left_nano_usd: left.0,
            percent_spent: percent.transpose()?,
            window: rule.window,
            period: period.id.to_string(),
            window_starts_at: period.ends_at.map(|_| micros_text(period.starts_at)),
            window_ends_at: period.ends_at.map(micros_text),
            on_exhausted: rule.on_exhausted,
            max_layer: rule.max_layer,
            alert_percents: rule.alert_percents.clone(),
        })
    }
}
