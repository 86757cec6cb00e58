//! Settings that are understood but whose feature this build does not have. This is the one place that says so: who
//! builds a feature removes its lines here.

use super::problem::Report;
use super::reader::Environment;
use super::settings::Settings;
use super::store::Database;

/// Reports settings that would have no effect.
pub(super) fn check(settings: &Settings, environment: &Environment, report: &mut Report) {
    let postgres = &settings.store.postgres;
    let is_sqlite = matches!(settings.store.database, Database::Sqlite(_));
    if is_sqlite && postgres.host.is_none() && (postgres.database.is_some() || postgres.password.is_some()) {
        report.warn(
            "POSTGRES_*",
            "not used without POSTGRES_HOST: set it, or DATABASE_URL=postgres://…",
        );
    }
    if settings.redis.url.is_none() && settings.redis.password.is_some() {
        report.warn("REDIS_PASSWORD", "not used without an address: set REDIS_URL");
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
    if !settings.cost.tracking {
        report.warn(
            "cost.tracking (ENABLE_COST_TRACKING)",
            "not used by this build: every call is recorded, so that no money goes unseen",
        );
    }
}
