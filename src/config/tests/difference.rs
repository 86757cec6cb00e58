//! Which changes need a restart.

use super::{CONTRACT, settings};

const KEY: (&str, &str) = ("ALPHA_KEY", "sk-one");

#[track_caller]
fn assert_differs(config: &str, env: &[(&str, &str)], tables: &[&str]) {
    let (one, other) = (settings(CONTRACT, &[KEY]), settings(config, env));
    assert_eq!(one.fixed_differences(&other), tables, "{config}\n{env:?}");
    assert_eq!(other.fixed_differences(&one), tables, "the other way around");
}

#[test]
fn models_prices_aliases_and_task_lists_need_no_restart() {
    let cheaper = CONTRACT.replace("0.60", "0.55").replace("alpha-small", "alpha-other");
    let more = format!("{cheaper}[aliases]\n\"gpt-*\" = \"alpha-other\"\n");
    assert_differs(&more, &[KEY, ("CHAT_MODELS", "alpha-other")], &[]);
}

#[test]
fn every_other_table_is_named() {
    assert_differs(CONTRACT, &[KEY, ("API_PORT", "3999")], &["http"]);
    assert_differs(CONTRACT, &[KEY, ("DEFAULT_LAYER", "L1")], &["routing"]);
    assert_differs(CONTRACT, &[KEY, ("DATABASE_URL", "sqlite:other.db")], &["store"]);
    let tables = format!(
        "[breaker]\nmin_calls = 9\n[failover]\nmax_extra_attempts = 1\n[drain]\nin_flight_ms = 7\n[log]\nlevel = \
         \"warn\"\n[openrouter]\nfree_models = false\n[responses]\nttl_days = 7\n[budget]\nlease_ms = 9000\n[idempotency]\nttl_hours = 1\n{CONTRACT}"
    );
    assert_differs(
        &tables,
        &[KEY],
        &[
            "breaker",
            "failover",
            "drain",
            "responses",
            "budget",
            "idempotency",
            "log",
            "openrouter",
        ],
    );
}

#[test]
fn a_provider_or_a_key_that_changed_is_noticed() {
    let added = format!("{CONTRACT}[[providers]]\nname = \"beta\"\nkind = \"openai\"\n");
    assert_differs(&added, &[KEY], &["providers"]);
    assert_differs(&CONTRACT.replace("9100", "9200"), &[KEY], &["providers"]);
    assert_differs(CONTRACT, &[("ALPHA_KEY", "sk-two")], &["providers"]);
    let headers = CONTRACT.replace("[[models]]", "headers = { x-a = \"1\" }\n[[models]]");
    assert_differs(&headers, &[KEY], &["providers"]);
    let admin_key = ("GATEWAY_ADMIN_KEY", "admin-key-of-at-least-thirty-two-bytes");
    assert_differs(CONTRACT, &[KEY, admin_key], &["auth"]);
}

#[test]
fn a_version_of_a_providers_api_that_changed_is_noticed() {
    for (kind, one, other) in [
        ("azure-openai", "api_version = \"v1\"", "api_version = 2024-10-21"),
        (
            "anthropic",
            "anthropic_version = 2023-06-01",
            "anthropic_version = 2023-01-01",
        ),
    ] {
        let with = |line: &str| {
            let config = CONTRACT.replace("\"openai-compatible\"", &format!("\"{kind}\""));
            let config = config.replace(":9100/v1", ":9100/x");
            settings(&config.replace("[[models]]", &format!("{line}\n[[models]]")), &[KEY])
        };
        assert_eq!(with(one).fixed_differences(&with(other)), ["providers"]);
        assert!(with(one).fixed_differences(&with(one)).is_empty());
    }
}

#[test]
fn the_order_of_providers_means_nothing() {
    let beta = "[[providers]]\nname = \"beta\"\nkind = \"openai\"\n";
    let (first, last) = (format!("{beta}{CONTRACT}"), format!("{CONTRACT}{beta}"));
    let (first, last) = (settings(&first, &[KEY]), settings(&last, &[KEY]));
    assert!(first.fixed_differences(&last).is_empty());
}
