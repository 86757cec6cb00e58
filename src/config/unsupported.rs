//! Settings that are understood but whose feature this build does not have. This is the one place that says so: who
//! builds a feature removes its lines here.

use super::models::WrittenModel;
use super::problem::Report;
use super::providers::Providers;
use super::reader::Environment;
use super::settings::Settings;
use super::store::Database;

/// Provider kinds of a later version.
pub(super) const KINDS: &[&str] = &["anthropic"];

/// Built-in providers of a later version.
pub(super) const PROVIDERS: &[&str] = &["anthropic"];

const NO_ANTHROPIC: &str = "this build does not speak the anthropic kind yet; use Claude through OpenRouter (kind \
                            openrouter) instead";

/// A model names a listed provider whose kind is of a later version.
pub(super) fn kind_in_use(place: &str, model: &WrittenModel, report: &mut Report) {
    report.problem(place, format!("{NO_ANTHROPIC} (used at {})", model.place));
}

/// A model names a built-in provider of a later version.
pub(super) fn provider_in_use(model: &WrittenModel, report: &mut Report) {
    report.problem(model.place.as_str(), NO_ANTHROPIC);
}

/// Reports settings that would have no effect, and refuses those whose promise cannot be kept.
pub(super) fn check(settings: &Settings, providers: &Providers, environment: &Environment, report: &mut Report) {
    let postgres = &settings.store.postgres;
    let is_sqlite = matches!(settings.store.database, Database::Sqlite(_));
    if is_sqlite && postgres.host.is_none() && (postgres.database.is_some() || postgres.password.is_some()) {
        report.warn(
            "POSTGRES_*",
            "not used without POSTGRES_HOST: set it, or DATABASE_URL=postgres://…",
        );
    }
    if settings.redis.url.is_some() || settings.redis.password.is_some() {
        report.warn(
            "redis (REDIS_URL, REDIS_PASSWORD)",
            "not used by this build: Redis is not yet supported",
        );
    }
    for name in ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"] {
        if environment.text(name).is_some() {
            report.warn(environment.place(name), format!("not used: {NO_ANTHROPIC}"));
        }
    }
    for (_, place) in providers.later() {
        report.warn(place, format!("not used: {NO_ANTHROPIC}"));
    }
    if environment.text("MODE").is_some_and(|mode| mode.trim() == "mcp") {
        report.warn(
            environment.place("MODE"),
            "not used: the command chooses the mode (`ai-mcp-gateway serve` or `ai-mcp-gateway mcp`)",
        );
    }
    check_features(settings, report);
}

fn check_features(settings: &Settings, report: &mut Report) {
    if settings.routing.cross_check {
        report.warn(
            "routing.cross_check (ENABLE_CROSS_CHECK)",
            "not used by this build: no second model checks answers yet",
        );
    }
    if settings.cost.alert_threshold.is_some() {
        report.warn(
            "cost.alert_threshold_usd (COST_ALERT_THRESHOLD)",
            "not used by this build: no alerts are sent yet",
        );
    }
    if !settings.cost.tracking {
        report.warn(
            "cost.tracking (ENABLE_COST_TRACKING)",
            "not used by this build: every call is recorded, so that no money goes unseen",
        );
    }
}
