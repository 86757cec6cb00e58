//! Whole rows of the tables of offers, outcomes, experiments, notes, calibrations and edits of models.

use diesel::connection::DefaultLoadingMode;
use diesel::dsl::{count_star, exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::AsyncPgConnection;

use super::rows::{Key, Moved, PAGE, PAGE_BYTES, moved};
use crate::store::schema::{calibrations, escalations, experiments, improvements, model_edits, outcomes};

moved! {
    /// A row of `escalations`.
    Escalation, escalations, key (id) {
        id: String,
        caller: String,
        endpoint: String,
        request_id: String,
        conversation_id: Option<String>,
        user_seq: Option<i64>,
        body: String,
        request_hash: String,
        from_layer: String,
        to_layer: String,
        reason: String,
        estimated_nano_usd: i64,
        note: String,
        answer: Option<String>,
        state: String,
        created_at: i64,
        expires_at: i64,
        decided_at: Option<i64>,
    }
}

moved! {
    /// A row of `outcomes`.
    Outcome, outcomes, key (request_id) {
        request_id: String,
        key_id: Option<String>,
        user_id: Option<String>,
        project_id: Option<String>,
        conversation_id: Option<String>,
        endpoint: String,
        task: String,
        complexity: Option<String>,
        quality: String,
        difficulty_milli: Option<i64>,
        start_layer: Option<String>,
        layer: String,
        model_id: String,
        strategy: Option<String>,
        cross_check: String,
        votes: Option<i32>,
        confidence_milli: Option<i32>,
        evidence: Option<String>,
        escalated: bool,
        replaced_model_id: Option<String>,
        ended: String,
        accepted: Option<bool>,
        rating: Option<i32>,
        tests_passed: Option<i64>,
        tests_failed: Option<i64>,
        comment: Option<String>,
        experiment_id: Option<String>,
        arm: Option<String>,
        cost_nano_usd: i64,
        created_at: i64,
        updated_at: i64,
        arm_failed: bool,
    }
}

moved! {
    /// A row of `experiments`.
    Experiment, experiments, key (id) {
        id: String,
        name: String,
        status: String,
        task: Option<String>,
        sticky: String,
        arms: String,
        guard: String,
        stopped_reason: Option<String>,
        created_at: i64,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}

moved! {
    /// A row of `improvements`.
    Improvement, improvements, key (id) {
        id: String,
        kind: String,
        title: String,
        data: String,
        enabled: bool,
        created_at: i64,
        updated_at: i64,
        deleted_at: Option<i64>,
    }
}

moved! {
    /// A row of `calibrations`.
    Calibration, calibrations, key (id) {
        id: String,
        data: String,
        summary: String,
        superseded_at: Option<i64>,
        created_at: i64,
    }
}

moved! {
    /// A row of `model_edits`.
    ModelEdit, model_edits, key (model_id) {
        model_id: String,
        since: Option<i64>,
        trials: String,
        created_at: i64,
        updated_at: i64,
    }
}
