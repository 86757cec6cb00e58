//! Whole rows of the tables of keys, budgets, the books and of answers under idempotency keys.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use super::rows::{Key, Moved, PAGE, PAGE_BYTES, join, moved};
use crate::store::schema::{
    api_keys, budget_leases, budget_ledger, budget_periods, budget_slices, budgets, events, idempotency, rate_limits,
    secrets,
};

/// Bytes that are no text.
type Blob = Vec<u8>;

moved! {
    /// A row of `secrets`.
    Secret, secrets, key (name) {
        name: String,
        value: String,
    }
}

moved! {
    /// A row of `api_keys`.
    ApiKey, api_keys, key (id) {
        id: String,
        hash: String,
        prefix: String,
        name: String,
        project_id: Option<String>,
        user_id: Option<String>,
        role: String,
        max_layer: Option<String>,
        models: Option<String>,
        rpm: Option<i64>,
        tpm: Option<i64>,
        max_concurrent: Option<i64>,
        previous_hash: Option<String>,
        previous_until: Option<i64>,
        created_at: i64,
        updated_at: i64,
        expires_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

moved! {
    /// A row of `rate_limits`.
    RateLimit, rate_limits, key (scope) {
        scope: String,
        rpm: Option<i64>,
        tpm: Option<i64>,
        max_concurrent: Option<i64>,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}

moved! {
    /// A row of `budgets`.
    Budget, budgets, key (scope) {
        scope: String,
        limit_nano_usd: i64,
        period_kind: String,
        on_exhausted: String,
        max_layer: Option<String>,
        alert_percents: String,
        created_at: i64,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}

moved! {
    /// A row of `budget_periods`.
    BudgetPeriod, budget_periods, key (scope / period) {
        scope: String,
        period: String,
        posted: i64,
        held: i64,
        recall: i64,
        created_at: i64,
    }
}

moved! {
    /// A row of `budget_leases`.
    BudgetLease, budget_leases, key (instance_id, epoch) {
        instance_id: String,
        epoch: i64,
        opened_at: i64,
        expires_at: i64,
        state: String,
    }
}

moved! {
    /// A row of `budget_slices`.
    BudgetSlice, budget_slices, key (scope / period / instance_id, epoch) {
        scope: String,
        period: String,
        instance_id: String,
        epoch: i64,
        granted: i64,
        returned: i64,
        posted: i64,
        held: i64,
        expired: i64,
        seq: i64,
        seq_amount: i64,
        seq_recall: Option<i64>,
        recall: i64,
    }
}

moved! {
    /// A row of `budget_ledger`.
    BudgetEntry, budget_ledger, key (id) {
        id: String,
        scope: String,
        period: String,
        kind: String,
        posted_delta: i64,
        held_delta: i64,
        instance_id: Option<String>,
        epoch: Option<i64>,
        calls: i64,
        created_at: i64,
    }
}

moved! {
    /// A row of `events`.
    Event, events, key (id) {
        id: String,
        once: String,
        kind: String,
        detail: String,
        created_at: i64,
        delivered_at: Option<i64>,
        attempts: i32,
        next_attempt_at: Option<i64>,
    }
}

moved! {
    /// A row of `idempotency`.
    Answer, idempotency, key (owner / idempotency_key) {
        owner: String,
        idempotency_key: String,
        body_hash: String,
        request_id: String,
        instance_id: String,
        status: Option<i32>,
        headers: Option<String>,
        body: Option<Blob>,
        created_at: i64,
        expires_at: i64,
    }
}
