//! A secret is never shown: not in debug output, not in problems, not in warnings.

use super::super::{Settings, Sources};
use super::{load, sources};

const CANARY: &str = "canary-5f1e";

#[test]
fn debug_output_of_settings_shows_no_secret() {
    let env = [
        ("OPENAI_API_KEY", "canary-5f1e-a"),
        ("OPENROUTER_API_KEY", "canary-5f1e-b"),
        ("ANTHROPIC_API_KEY", "canary-5f1e-c"),
        ("ALPHA_KEY", "canary-5f1e-d"),
        ("GATEWAY_ADMIN_KEY", "canary-5f1e-eeeeeeeeeeeeeeeeeeeeeeeeeeeee"),
        ("GATEWAY_API_KEY", "canary-5f1e-f"),
        ("POSTGRES_PASSWORD", "canary-5f1e-g"),
        ("REDIS_PASSWORD", "canary-5f1e-h"),
        ("REDIS_URL", "redis://:canary-5f1e@localhost"),
    ];
    let loaded = load(super::CONTRACT, &env).unwrap();
    let shown = format!("{loaded:?}");
    assert!(shown.contains("alpha"));
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn problems_show_no_secret_wherever_one_was_put() {
    let secret = "canary-5f1e";
    let configs = [
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key = \"{secret}\""),
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\napi_key_env = \"sk-{secret}\""),
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"https://me:{secret}@host/v1\""),
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\nbase_url = \"https://host/v1?key={secret}\""),
        format!("[[providers]]\nname = \"a\"\nkind = \"{secret}\""),
        format!("[auth]\nadmin_key = \"{secret}\""),
        format!("[http]\nhost = \"{secret}\""),
        format!("[store]\nurl = \"mysql://me:{secret}@host/db\""),
        format!("[store]\nurl = \"postgres://me:{secret}@host:port/db\""),
        format!("[redis]\nurl = \"http://me:{secret}@host\""),
        format!("[redis]\npassword = \"{secret}\""),
        format!("[redis]\npassword = \"{secret}"),
        format!("api_key = {secret}"),
    ];
    for config in configs {
        let problems = load(&config, &[]).expect_err(&config);
        assert!(!format!("{problems} {problems:?}").contains(CANARY), "{problems}");
    }
    for (name, value) in [
        ("OPENAI_API_KEY", "canary-5f1e with space"),
        ("OPENROUTER_API_KEY", "canary-5f1e\n"),
        ("GATEWAY_ADMIN_KEY", "canary-5f1e"),
        ("GATEWAY_API_KEY", "canary-5f1e\u{e9}"),
        ("DATABASE_URL", "postgres://me:canary-5f1e@host:port/db"),
        ("DATABASE_URL", "canary-5f1e"),
        ("REDIS_URL", "canary-5f1e"),
        ("REDIS_PASSWORD", "canary-5f1e\u{7}"),
        ("OPENAI_BASE_URL", "https://user:canary-5f1e@host/v1"),
        ("API_PORT", "canary-5f1e"),
    ] {
        let problems = load("", &[(name, value)]).expect_err(name);
        assert!(!format!("{problems} {problems:?}").contains(CANARY), "{problems}");
        assert!(problems.to_string().contains(name), "{problems}");
    }
}

#[test]
fn a_line_of_the_dotenv_file_that_cannot_be_read_is_named_by_its_number_only() {
    let sources = Sources {
        dotenv: Some("LOG_LEVEL=debug\n\nOPENAI_API_KEY canary-5f1e\nAPI_PORT=x\n".to_owned()),
        ..sources("", &[])
    };
    let problems = Settings::load(&sources).unwrap_err().to_string();
    assert!(!problems.contains(CANARY), "{problems}");
    assert!(problems.contains(".env:3: must be NAME=value"), "{problems}");
    assert!(
        problems.contains(".env API_PORT: must be a whole number from 0 to 65535"),
        "{problems}"
    );
}
