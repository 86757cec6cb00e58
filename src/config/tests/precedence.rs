//! Which source wins.

use std::time::Duration;

use gateway_actors::protocol::{Layer, TaskType};

use super::super::{LogFormat, LogLevel, Overrides, Settings, Sources};
use super::{CONTRACT, settings, sources};

#[test]
fn command_line_over_environment_over_dotenv_over_file_over_default() {
    let all = Sources {
        overrides: Overrides {
            port: Some("5001".to_owned()),
            ..Overrides::default()
        },
        dotenv: Some("API_PORT=5003\n".to_owned()),
        ..sources("[http]\nport = 5004\n", &[("API_PORT", "5002")])
    };
    let port = |sources: &Sources| Settings::load(sources).unwrap().settings.http.port;
    let mut sources = all;
    assert_eq!(port(&sources), 5001);
    sources.overrides = Overrides::default();
    assert_eq!(port(&sources), 5002);
    sources.env.clear();
    assert_eq!(port(&sources), 5003);
    sources.dotenv = None;
    assert_eq!(port(&sources), 5004);
    sources.config_file = None;
    assert_eq!(port(&sources), 3000);
}

#[test]
fn a_variable_set_to_nothing_hides_the_dotenv_file_and_counts_as_not_set() {
    let sources = Sources {
        dotenv: Some("OPENAI_API_KEY=sk-from-file\nLOG_LEVEL=debug\n".to_owned()),
        ..sources("", &[("OPENAI_API_KEY", ""), ("REDIS_PASSWORD", "")])
    };
    let settings = Settings::load(&sources).unwrap().settings;
    assert!(settings.providers.is_empty());
    assert!(settings.redis.password.is_none());
    assert_eq!(settings.log.level, LogLevel::Debug);
}

#[test]
fn every_flag_reaches_its_setting() {
    let sources = Sources {
        overrides: Overrides {
            host: Some("localhost".to_owned()),
            port: Some("0".to_owned()),
            workers: Some("3".to_owned()),
            data_dir: Some("/srv/x".to_owned()),
            log_level: Some("TRACE".to_owned()),
            log_format: Some("json".to_owned()),
            simulator: true,
        },
        ..Sources::default()
    };
    let settings = Settings::load(&sources).unwrap().settings;
    assert!(settings.http.is_loopback());
    assert_eq!((settings.http.port, settings.http.workers), (0, 3));
    assert_eq!(settings.store.data_dir.to_str(), Some("/srv/x"));
    assert_eq!(
        (settings.log.level, settings.log.format),
        (LogLevel::Trace, LogFormat::Json)
    );
    assert_eq!(settings.providers.len(), 1);
}

#[test]
fn every_name_of_the_environment_reaches_its_setting() {
    let env = [
        ("DEFAULT_LAYER", "L1"),
        ("MAX_ESCALATION_LAYER", "L2"),
        ("ENABLE_AUTO_ESCALATE", "true"),
        ("ENABLE_CROSS_CHECK", "yes"),
        ("ENABLE_COST_TRACKING", "0"),
        ("COST_ALERT_THRESHOLD", "1.00"),
        ("CHAT_MODELS", "alpha-small, gpt-4o-mini"),
        ("CODE_MODELS", "alpha-small"),
        ("ANALYZE_MODELS", "gpt-4o-mini"),
        ("CREATE_PROJECT_MODELS", "alpha-small"),
        ("POSTGRES_DB", "ai_mcp_gateway"),
        ("POSTGRES_USER", "postgres"),
        ("POSTGRES_PASSWORD", "p w"),
        ("REDIS_URL", "redis://localhost:6379"),
        ("REDIS_PASSWORD", "secret"),
        ("LOG_LEVEL", "warn"),
        ("GATEWAY_API_KEY", "gw-key"),
        ("GATEWAY_ADMIN_KEY", "0123456789abcdef0123456789abcdef"),
        ("API_HOST", "0.0.0.0"),
        ("API_PORT", "0"),
    ];
    let settings = settings(CONTRACT, &env);
    let routing = &settings.routing;
    assert_eq!(
        (routing.default_layer, routing.max_escalation_layer),
        (Layer::L1, Layer::L2)
    );
    assert!(routing.auto_escalate && routing.cross_check);
    assert_eq!(routing.task_lists[&TaskType::Chat], ["alpha-small", "gpt-4o-mini"]);
    for (task, first) in [
        (TaskType::Code, "alpha-small"),
        (TaskType::Analyze, "gpt-4o-mini"),
        (TaskType::CreateProject, "alpha-small"),
    ] {
        assert_eq!(&*settings.catalogue.task_list(task)[0], first);
    }
    assert!(!settings.cost.tracking);
    assert_eq!(settings.cost.alert_threshold.unwrap().0, 1_000_000_000);
    assert_eq!(settings.store.postgres.database.as_deref(), Some("ai_mcp_gateway"));
    assert_eq!(settings.store.postgres.user.as_deref(), Some("postgres"));
    assert!(settings.store.postgres.password.is_some());
    assert!(settings.redis.url.is_some() && settings.redis.password.is_some());
    assert_eq!(settings.log.level, LogLevel::Warn);
    assert!(settings.auth.api_key.is_some() && settings.auth.admin_key.is_some());
    assert!(settings.http.host.is_unspecified());
    assert_eq!(settings.http.port, 0);
    assert_eq!(settings.drain.readiness, Duration::from_secs(5));
}

#[test]
fn addresses_from_the_environment_move_the_providers_of_that_name() {
    let env = [
        ("OPENAI_API_KEY", "sk-a"),
        ("OPENROUTER_API_KEY", "sk-b"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/"),
        ("OPENROUTER_BASE_URL", "https://proxy.example/api"),
    ];
    let settings = settings("", &env);
    let urls: Vec<&str> = settings
        .providers
        .iter()
        .map(|provider| provider.base_url.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(urls, ["http://127.0.0.1:9/v1", "https://proxy.example/api"]);
}

#[test]
fn a_listed_provider_replaces_the_builtin_one_of_its_name() {
    let config = "[[providers]]\nname = \"openai\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"";
    let settings = settings(config, &[("OPENAI_API_KEY", "sk-a")]);
    assert_eq!(settings.providers.len(), 1);
    // The key of the real one does not go to an address that did not ask for it.
    assert!(settings.providers[0].api_key.is_none());
    assert!(settings.models.iter().any(|model| model.id.as_str() == "gpt-4o-mini"));
}

#[test]
fn timeouts_and_limits_of_a_provider_are_set_one_by_one() {
    let config = r#"
[[providers]]
name = "alpha"
kind = "ollama"
max_in_flight = 4
timeouts = { connect_ms = 250, total_ms = 60000 }
limits = { body_bytes = 4096 }
"#;
    let provider = settings(config, &[]).providers.remove(0);
    assert_eq!(provider.base_url.unwrap().as_str(), "http://127.0.0.1:11434/");
    assert_eq!(provider.max_in_flight, 4);
    assert_eq!(provider.timeouts.connect, Duration::from_millis(250));
    assert_eq!(provider.timeouts.total, Duration::from_secs(60));
    assert_eq!(provider.timeouts.idle, Duration::from_secs(120));
    assert_eq!(
        (provider.limits.body_bytes, provider.limits.event_bytes),
        (4096, 1024 * 1024)
    );
}
