//! Every kind of problem, its place and its mend; and that one never hides another.

use super::super::{Overrides, Settings, Sources};
use super::{CONTRACT, load, problems, settings, sources, warnings};

/// The contract's file with one line's end replaced.
pub(super) fn with(key: &str, value: &str) -> String {
    CONTRACT
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((name, _)) if name == key => format!("{key} = {value}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

/// The contract's file without one line.
fn without(key: &str) -> String {
    CONTRACT
        .lines()
        .filter(|line| !line.starts_with(&format!("{key} = ")))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_value_of_a_model_that_cannot_be_is_refused_at_its_line() {
    for (key, value, line, message) in [
        ("id", "\"auto\"", 8, "must be another name"),
        ("id", "\"L2\"", 8, "must be another name"),
        ("id", "\"\"", 8, "must be 1 to 200 characters"),
        ("id", "\"a b\"", 8, "must be 1 to 200 characters"),
        ("id", "7", 8, "must be a string"),
        ("api_model", "\"\"", 10, "must be a string that is not empty"),
        ("layer", "\"L5\"", 11, "must be one of L0, L1, L2, L3"),
        ("layer", "\"l0\"", 11, "must be one of L0, L1, L2, L3"),
        ("layer", "0", 11, "must be a string"),
        (
            "capabilities",
            "[\"chat\", \"fly\"]",
            12,
            "must be a list of at least one of chat, code",
        ),
        ("capabilities", "[]", 12, "must be a list of at least one of chat, code"),
        (
            "capabilities",
            "\"chat\"",
            12,
            "must be a list of at least one of chat, code",
        ),
        ("context_window", "0", 13, "must be a whole number from 1 to"),
        ("context_window", "-1", 13, "must be a whole number from 1 to"),
        ("context_window", "1e5", 13, "must be a whole number from 1 to"),
        ("context_window", "4294967296", 13, "must be a whole number from 1 to"),
        ("max_output_tokens", "0", 14, "must be a whole number from 1 to"),
        (
            "max_output_tokens",
            "128001",
            14,
            "must be at most context_window, which is 128000",
        ),
        ("input_usd_per_mtok", "-0.15", 15, "must not be negative"),
        (
            "input_usd_per_mtok",
            "1e-7",
            15,
            "must have at most 6 digits after the point",
        ),
        ("input_usd_per_mtok", "inf", 15, "must be a decimal number"),
        ("input_usd_per_mtok", "nan", 15, "must be a decimal number"),
        ("input_usd_per_mtok", "1e30", 15, "must be a smaller number"),
        ("input_usd_per_mtok", "\"free\"", 15, "must be a decimal number"),
        ("input_usd_per_mtok", "true", 15, "must be a decimal number"),
        ("output_usd_per_mtok", "0x10", 16, "must be a decimal number"),
    ] {
        let said = problems(&with(key, value), &[]);
        let place = format!("gw.toml:{line} ");
        assert!(said.starts_with(&place), "{key} = {value}: {said}");
        assert!(said.contains(&format!(".{key}: {message}")), "{key} = {value}: {said}");
        assert_eq!(said.lines().count(), 1, "{key} = {value}: {said}");
    }
}

#[test]
fn every_value_of_a_provider_that_cannot_be_is_refused_at_its_line() {
    for (key, value, line, message) in [
        ("name", "\"al/pha\"", 3, "must be 1 to 64 characters out of"),
        ("name", "\"al pha\"", 3, "must be 1 to 64 characters out of"),
        ("name", "\"\"", 3, "must be 1 to 64 characters out of"),
        ("kind", "\"openia\"", 4, "must be one of openai-compatible, openai"),
        ("base_url", "\"127.0.0.1:9100\"", 5, "must be a URL such as"),
        (
            "base_url",
            "\"ftp://host/v1\"",
            5,
            "must begin with http:// or https://",
        ),
        ("base_url", "\"https://me@host/v1\"", 5, "must have no user or password"),
        ("base_url", "\"https://host/v1?x=1\"", 5, "must have no ? or # part"),
        ("base_url", "\"https://host/v1#x\"", 5, "must have no ? or # part"),
        ("base_url", "\"http://169.254.169.254/v1\"", 5, "must name a host"),
        (
            "base_url",
            "\"http://[::ffff:169.254.169.254]/v1\"",
            5,
            "must name a host",
        ),
        ("base_url", "\"http://0.0.0.0:9/v1\"", 5, "must name a host"),
        ("base_url", "[]", 5, "must be a string"),
        (
            "api_key_env",
            "\"sk-123\"",
            6,
            "must be the name of an environment variable",
        ),
        ("api_key_env", "\"\"", 6, "must be the name of an environment variable"),
    ] {
        let said = problems(&with(key, value), &[]);
        let found = said.lines().find(|line| line.contains(&format!(".{key}: {message}")));
        let found = found.unwrap_or_else(|| panic!("{key} = {value}: {said}"));
        assert!(
            found.starts_with(&format!("gw.toml:{line} providers")),
            "{key} = {value}: {said}"
        );
        // A model of a provider whose listing is broken has nothing wrong with it; of one without a usable name, it
        // cannot be known.
        let n_expected = if key == "name" { 2 } else { 1 };
        assert_eq!(said.lines().count(), n_expected, "{key} = {value}: {said}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (key, path) in [
        ("name", "providers[1]"),
        ("kind", "providers.alpha"),
        ("base_url", "providers.alpha"),
        ("id", "models[1]"),
        ("provider", "models.alpha-small"),
        ("layer", "models.alpha-small"),
        ("capabilities", "models.alpha-small"),
        ("context_window", "models.alpha-small"),
        ("max_output_tokens", "models.alpha-small"),
    ] {
        let said = problems(&without(key), &[]);
        assert!(said.contains(&format!("{path}: `{key}` is missing")), "{key}: {said}");
    }
    // What may be left out.
    assert!(settings(&without("api_key_env"), &[]).providers[0].is_usable());
    assert_eq!(
        &*settings(&without("api_model"), &[]).models[0].api_model,
        "alpha-small"
    );
}

#[test]
fn how_often_free_models_are_asked_for_has_its_limits() {
    for (key, value, message) in [
        ("free_models", "\"sometimes\"", "must be true or false"),
        (
            "free_models_ttl_s",
            "0",
            "must be a whole number from 1 to 86400 (seconds)",
        ),
        (
            "free_models_ttl_s",
            "86401",
            "must be a whole number from 1 to 86400 (seconds)",
        ),
        (
            "free_models_retry_s",
            "0",
            "must be a whole number from 1 to 3600 (seconds)",
        ),
        (
            "free_models_retry_s",
            "1.5",
            "must be a whole number from 1 to 3600 (seconds)",
        ),
    ] {
        let said = problems(&format!("[openrouter]\n{key} = {value}\n"), &[]);
        assert_eq!(said, format!("gw.toml:2 openrouter.{key}: {message}\n"));
    }
}

#[test]
fn how_long_responses_are_kept_has_its_limits() {
    for (key, value, message) in [
        ("store", "\"sometimes\"", "must be true or false"),
        ("ttl_days", "0", "must be a whole number from 1 to 3650 (days)"),
        ("ttl_days", "3651", "must be a whole number from 1 to 3650 (days)"),
        ("ttl_days", "-1", "must be a whole number from 1 to 3650 (days)"),
        ("ttl_days", "0.5", "must be a whole number from 1 to 3650 (days)"),
        ("ttl_days", "\"30\"", "must be a whole number from 1 to 3650 (days)"),
    ] {
        let said = problems(&format!("[responses]\n{key} = {value}\n"), &[]);
        assert_eq!(said, format!("gw.toml:2 responses.{key}: {message}\n"));
    }
    for days in [1, 3_650] {
        let kept = settings(&format!("[responses]\nstore = false\nttl_days = {days}\n"), &[]).responses;
        assert_eq!((kept.store, kept.ttl.as_secs()), (false, days * 86_400));
    }
}

#[test]
fn what_is_kept_under_idempotency_keys_has_its_limits() {
    let hours = "must be a whole number from 1 to 720 (hours)";
    let bytes = "must be a whole number from 1024 to 16777216";
    for (key, value, message) in [
        ("ttl_hours", "0", hours),
        ("ttl_hours", "721", hours),
        ("max_body_bytes", "1023", bytes),
        ("max_body_bytes", "16777217", bytes),
    ] {
        let said = problems(&format!("[idempotency]\n{key} = {value}\n"), &[]);
        assert_eq!(said, format!("gw.toml:2 idempotency.{key}: {message}\n"));
    }
}

#[test]
fn half_a_price_is_refused() {
    for config in [
        without("input_usd_per_mtok"),
        without("output_usd_per_mtok"),
        format!(
            "{}cached_input_usd_per_mtok = 1\n",
            without("input_usd_per_mtok").replace("output_usd_per_mtok = 0.60", "")
        ),
    ] {
        let said = problems(&config, &[]);
        assert!(
            said.contains("a price needs both input_usd_per_mtok and output_usd_per_mtok"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn names_that_lead_nowhere_or_are_taken_are_refused() {
    let said = problems(&with("provider", "\"beta\""), &[]);
    assert!(
        said.contains("no provider is called `beta`; list it under [[providers]]"),
        "{said}"
    );
    let said = problems(
        &CONTRACT.replacen("[[models]]", &format!("{CONTRACT}\n[[models]]"), 1),
        &[],
    );
    assert!(
        said.contains("the name `alpha` is taken by gw.toml:3 providers.alpha"),
        "{said}"
    );
    assert!(said.contains("the id `alpha-small` is taken by gw.toml:"), "{said}");
}

#[test]
fn unknown_keys_are_refused_everywhere_and_none_hides_another() {
    let config = format!(
        "{CONTRACT}colour = 1\n[http]\nprot = 1\nport = 70000\n[nonsense]\na = 1\n[breaker]\nwindow = 3\n\
         [[providers]]\nname = \"b\"\nkind = \"ollama\"\nbaseurl = \"x\"\n[providers.timeouts]\nconnect = 1\n"
    );
    let said = problems(&config, &[("LOG_LEVEL", "loud")]);
    for expected in [
        "gw.toml:17 models.alpha-small.colour: is not a setting; known here: api, api_model,",
        "gw.toml:19 http.prot: is not a setting; known here: body_grace_ms,",
        "gw.toml:20 http.port: must be a whole number from 0 to 65535",
        "gw.toml:21 nonsense: is not a setting; known here: alerts, aliases, auth, breaker,",
        "gw.toml:24 breaker.window: is not a setting",
        "gw.toml:28 providers.b.baseurl: is not a setting",
        "gw.toml:30 providers.b.timeouts.connect: is not a setting",
        "environment variable LOG_LEVEL: must be one of error, warn, info, debug, trace",
    ] {
        assert!(said.contains(expected), "missing {expected:?} in:\n{said}");
    }
    assert_eq!(said.lines().count(), 8, "{said}");
}

#[test]
fn several_problems_of_one_model_are_all_told() {
    let config = with("layer", "\"L9\"").replace("128000", "0").replace("0.15 ", "-1 ");
    assert_eq!(problems(&config, &[]).lines().count(), 3);
}

#[test]
fn secrets_in_a_file_are_told_where_they_belong() {
    let config = "[auth]\nadmin_key = \"x\"\n[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"x\"\n";
    let said = problems(config, &[]);
    let mend = "is not a setting: secrets are read from the environment only";
    assert!(said.contains(&format!("gw.toml:2 auth.admin_key: {mend}")), "{said}");
    assert!(
        said.contains(&format!("gw.toml:6 providers.a.api_key: {mend}")),
        "{said}"
    );
}

#[test]
fn tables_of_the_wrong_shape_are_refused() {
    for (config, message) in [
        ("http = 3", "gw.toml:1 http: must be a table: write [http]"),
        (
            "[models]\nid = \"x\"",
            "gw.toml:1 models: must be a list of tables: write [[models]] before each",
        ),
        ("providers = [1]", "gw.toml:1 providers: must be a list of tables"),
        ("aliases = []", "gw.toml:1 aliases: must be a table"),
        ("[aliases]\na = 1", "gw.toml:2 aliases.a: must be a string"),
        ("[aliases]\n\"a b\" = \"x\"", "the alias must be 1 to 200 characters"),
        (
            "[aliases]\nauto = \"x\"",
            "gw.toml:2 aliases.auto: the alias must be another name: auto and L0 to L3 ask for a layer",
        ),
        (
            "[aliases]\nL1 = \"x\"",
            "gw.toml:2 aliases.L1: the alias must be another name",
        ),
    ] {
        let said = problems(config, &[]);
        assert!(said.contains(message), "{config}: {said}");
    }
}

#[test]
fn every_syntax_error_of_a_file_is_told_with_its_line() {
    let said = problems(
        "[http]\nport = \n\n[log]\nlevel = \"info\nformat = 'text'\n[http]\n",
        &[],
    );
    assert!(said.contains("gw.toml:2: not valid TOML:"), "{said}");
    assert!(said.contains("gw.toml:5: not valid TOML:"), "{said}");
}

#[test]
fn every_value_of_the_environment_that_cannot_be_is_refused_by_its_name() {
    for (name, value, message) in [
        ("API_PORT", "70000", "must be a whole number from 0 to 65535"),
        ("API_PORT", "-1", "must be a whole number from 0 to 65535"),
        (
            "API_HOST",
            "example.org",
            "must be an IP address such as 127.0.0.1, or localhost",
        ),
        ("DEFAULT_LAYER", "L4", "must be one of L0, L1, L2, L3"),
        ("MAX_ESCALATION_LAYER", "two", "must be one of L0, L1, L2, L3"),
        ("ENABLE_AUTO_ESCALATE", "maybe", "must be true or false"),
        ("COST_ALERT_THRESHOLD", "$1", "must be a decimal number"),
        ("COST_ALERT_THRESHOLD", "-1", "must not be negative"),
        ("OPENAI_BASE_URL", "api.openai.com", "must be a URL such as"),
        ("ANTHROPIC_API_KEY", "sk ant", "must hold only visible ASCII characters"),
        ("GOOGLE_API_KEY", "sk\tg", "must hold only visible ASCII characters"),
        ("OSS_MODEL_ENDPOINT", "ollama", "must be a URL such as"),
        ("OPENROUTER_REPLACE_OPENAI", "a b", "must be 1 to 200 characters"),
        ("CHAT_MODELS", "a b,c", "must be a list of names"),
        ("LOG_LEVEL", "loud", "must be one of error"),
        ("LOG_FORMAT", "xml", "must be text or json"),
        ("DATABASE_URL", "mysql://x", "must be sqlite:PATH"),
        (
            "DATABASE_URL",
            "sqlite:",
            "must be sqlite:PATH, with the path of a file",
        ),
        (
            "DATABASE_URL",
            "sqlite:/folder/",
            "must be sqlite:PATH, with the path of a file",
        ),
        ("DATABASE_URL", "sqlite::memory:", "a file on disk"),
        ("DATABASE_URL", "sqlite:x.db?mode=ro", "no options"),
        ("REDIS_URL", "http://x", "must begin with redis://"),
        ("POSTGRES_PORT", "0", "must be a whole number from 1 to 65535"),
        ("GATEWAY_ADMIN_KEY", "short", "must have at least 32 bytes"),
        ("OPENAI_API_KEY", "sk 1", "must hold only visible ASCII characters"),
        (
            "OPENROUTER_API_KEY",
            "sk-1\n",
            "must hold only visible ASCII characters",
        ),
        ("GATEWAY_DATA_DIR", "/srv/\u{fffd}", "must be valid UTF-8"),
    ] {
        let said = problems("", &[(name, value)]);
        let expected = format!("environment variable {name}: ");
        assert!(
            said.starts_with(&expected) && said.contains(message),
            "{name}={value:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{name}={value:?}: {said}");
    }
}

#[test]
fn flags_are_refused_by_their_names() {
    let sources = Sources {
        overrides: Overrides {
            port: Some("70000".to_owned()),
            log_level: Some("loud".to_owned()),
            ..Overrides::default()
        },
        ..sources("", &[])
    };
    let said = Settings::load(&sources).unwrap_err().to_string();
    assert!(said.starts_with("2 problems in the settings:\n"), "{said}");
    assert!(
        said.contains("flag --port: must be a whole number from 0 to 65535"),
        "{said}"
    );
    assert!(said.contains("flag --log-level: must be one of"), "{said}");
}

#[test]
fn a_key_of_a_listed_provider_that_cannot_travel_in_a_header_is_refused() {
    let said = problems(CONTRACT, &[("ALPHA_KEY", "sk-1\nx: y")]);
    assert!(
        said.starts_with("environment variable ALPHA_KEY: must hold only visible ASCII"),
        "{said}"
    );
}

#[test]
fn a_provider_at_the_gateways_own_address_is_refused() {
    for url in [
        "http://127.0.0.1:3000/v1",
        "http://localhost:3000/v1",
        "http://[::ffff:127.0.0.1]:3000/v1",
    ] {
        let said = problems("", &[("OPENAI_API_KEY", "sk-a"), ("OPENAI_BASE_URL", url)]);
        assert!(said.contains("it would call itself without end"), "{url}: {said}");
    }
    settings(
        "",
        &[
            ("OPENAI_API_KEY", "sk-a"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:3001/v1"),
        ],
    );
}

#[test]
fn what_this_build_does_not_have_is_told() {
    for (name, value) in [
        ("REDIS_PASSWORD", "p"),
        ("POSTGRES_DB", "gateway"),
        ("ENABLE_COST_TRACKING", "false"),
        ("MODE", "mcp"),
    ] {
        let said = warnings("", &[(name, value), ("HOME", "/home/me")]);
        let is_told = |line: &str| line.contains("not used") && (line.contains(name) || name.starts_with("POSTGRES_"));
        assert!(said.lines().any(is_told), "{name}: {said}");
    }
    let elsewhere = ("DATABASE_URL", "postgres://gateway:p@db/gateway");
    let said = warnings("", &[elsewhere, ("POSTGRES_PASSWORD", "p"), ("HOME", "/home/me")]);
    assert!(!said.contains("POSTGRES_"), "{said}");
}

#[test]
fn providers_that_will_probably_not_work_are_warned_of() {
    let config = "[[providers]]\nname = \"or\"\nkind = \"openrouter\"\n";
    assert!(warnings(config, &[]).contains("called without a key"));
    let config = with("base_url", "\"http://models.example/v1\"");
    assert!(warnings(&config, &[("ALPHA_KEY", "sk-a")]).contains("unencrypted"));
    assert!(!warnings(CONTRACT, &[("ALPHA_KEY", "sk-a")]).contains("unencrypted"));
}

#[test]
fn the_number_of_problems_leads_their_list() {
    let shown = load("[http]\nport = -1\n", &[]).unwrap_err().to_string();
    assert_eq!(
        shown,
        "1 problem in the settings:\n  gw.toml:2 http.port: must be a whole number from 0 to 65535"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let said = Sources::from_process(Some(&missing), Overrides::default())
        .unwrap_err()
        .to_string();
    assert!(said.contains("missing.toml: cannot be read"), "{said}");

    let present = folder.path().join("gw.toml");
    std::fs::write(&present, CONTRACT).unwrap();
    let sources = Sources::from_process(Some(&present), Overrides::default()).unwrap();
    assert_eq!(sources.config_file, Some((present, CONTRACT.to_owned())));
}
