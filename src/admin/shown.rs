//! How keys, budgets and rates are told of, as JSON and as lines for people.

use std::sync::Arc;

use gateway_actors::protocol::{AccessRole, BudgetStatus, Layer, OnExhausted, RateLimits, Scope, StoredKey, Window};
use serde::Serialize;

use crate::moment::micros_text;

/// A key, without its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownKey {
    id: String,
    /// The key itself, in the one answer that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    name: Arc<str>,
    prefix: Arc<str>,
    state: &'static str,
    role: AccessRole,
    project_id: Option<Arc<str>>,
    user_id: Option<Arc<str>>,
    max_layer: Option<Layer>,
    models: Option<Arc<[Arc<str>]>>,
    rpm: Option<u32>,
    tpm: Option<u64>,
    max_concurrent: Option<u32>,
    created_at: String,
    updated_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    /// Until when the key before the last rotation is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<ShownBudget>,
}

impl ShownKey {
    /// A key as it is at this moment, in microseconds since 1970.
    pub(crate) fn new(stored: &StoredKey, now_us: i64) -> Self {
        let identity = &stored.identity;
        let is_over = identity.expires_at.is_some_and(|end| end <= now_us);
        let previous = stored.previous.filter(|previous| previous.until > now_us);
        Self {
            id: identity.id.to_string(),
            key: None,
            name: Arc::clone(&stored.name),
            prefix: Arc::clone(&stored.prefix),
            state: match stored.revoked_at {
                Some(_) => "revoked",
                None if is_over => "expired",
                None => "active",
            },
            role: identity.role,
            project_id: identity.project.clone(),
            user_id: identity.user.clone(),
            max_layer: identity.max_layer,
            models: identity.models.clone(),
            rpm: identity.limits.rpm,
            tpm: identity.limits.tpm,
            max_concurrent: identity.limits.max_concurrent,
            created_at: micros_text(stored.created_at),
            updated_at: micros_text(stored.updated_at),
            expires_at: identity.expires_at.map(micros_text),
            revoked_at: stored.revoked_at.map(micros_text),
            previous_until: previous.map(|previous| micros_text(previous.until)),
            budget: None,
        }
    }

    /// The same with the key itself.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The same with its budget.
    pub(crate) fn with_budget(mut self, budget: Option<ShownBudget>) -> Self {
        self.budget = budget;
        self
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What more there is to say of it to people, a line each.
    pub(crate) fn details(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = |what: &str, value: Option<String>| {
            if let Some(value) = value {
                lines.push(format!("  {what}: {value}"));
            }
        };
        line("key", self.key.clone());
        line("highest layer", self.max_layer.map(|layer| layer.to_string()));
        line("models", self.models.as_deref().map(|models| models.join(", ")));
        line("requests a minute", self.rpm.map(|rpm| rpm.to_string()));
        line("tokens a minute", self.tpm.map(|tpm| tpm.to_string()));
        line("requests at once", self.max_concurrent.map(|most| most.to_string()));
        line("expires", self.expires_at.clone());
        line("revoked", self.revoked_at.clone());
        line("the key before is taken until", self.previous_until.clone());
        line("budget", self.budget.as_ref().map(ShownBudget::line));
        lines
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "{}  {}…  {:<8}  {:<8}  {}",
            self.id, self.prefix, self.role, self.state, self.name
        );
        for (what, value) in [("project", &self.project_id), ("user", &self.user_id)] {
            if let Some(value) = value {
                line.push_str(&format!("  {what} {value}"));
            }
        }
        line
    }
}

/// A budget, and how it stands in the period that is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownBudget {
    scope: Scope,
    limit_nano_usd: i64,
    spent_nano_usd: i64,
    held_nano_usd: i64,
    window: Window,
    window_ends_at: Option<String>,
    period: Arc<str>,
    on_exhausted: OnExhausted,
    max_layer: Option<Layer>,
    alert_percents: Vec<u8>,
}

impl ShownBudget {
    /// The budget of this scope.
    pub(crate) fn new(scope: Scope, status: BudgetStatus) -> Self {
        Self {
            scope,
            limit_nano_usd: status.rule.limit.0,
            spent_nano_usd: status.posted.0,
            held_nano_usd: status.held.0,
            window: status.rule.window,
            window_ends_at: status.period.ends_at.map(micros_text),
            period: status.period.id,
            on_exhausted: status.rule.on_exhausted,
            max_layer: status.rule.max_layer,
            alert_percents: status.rule.alert_percents,
        }
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        let usd = |nano| gateway_actors::protocol::NanoUsd(nano).to_usd_string();
        format!(
            "{}  {} of {} USD spent, {} held  {} ({})  {}",
            self.scope,
            usd(self.spent_nano_usd),
            usd(self.limit_nano_usd),
            usd(self.held_nano_usd),
            self.window,
            self.period,
            self.on_exhausted,
        )
    }
}

/// Rates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownLimits {
    scope: Scope,
    rpm: Option<u32>,
    tpm: Option<u64>,
    max_concurrent: Option<u32>,
}

impl ShownLimits {
    /// The rates of this scope.
    pub(crate) fn new(scope: Scope, limits: RateLimits) -> Self {
        Self {
            scope,
            rpm: limits.rpm,
            tpm: limits.tpm,
            max_concurrent: limits.max_concurrent,
        }
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        format!(
            "{}  rpm {}  tpm {}  at once {}",
            self.scope,
            number(self.rpm.map(u64::from)),
            number(self.tpm),
            number(self.max_concurrent.map(u64::from)),
        )
    }
}
