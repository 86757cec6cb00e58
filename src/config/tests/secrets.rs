//! A secret is never shown: not in debug output, not in problems, not in warnings.

use super::super::{Settings, Sources};
use super::{load, problems, settings, sources};

const CANARY: &str = "canary-5f1e";

#[test]
fn debug_output_of_settings_shows_no_secret() {
    let env = [
        ("OPENAI_API_KEY", "canary-5f1e-a"),
        ("OPENROUTER_API_KEY", "canary-5f1e-b"),
        ("ANTHROPIC_API_KEY", "canary-5f1e-c"),
        ("GEMINI_API_KEY", "canary-5f1e-i"),
        ("AZURE_OPENAI_API_KEY", "canary-5f1e-j"),
        ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com"),
        ("MISTRAL_API_KEY", "canary-5f1e-k"),
        ("GROQ_API_KEY", "canary-5f1e-l"),
        ("DEEPSEEK_API_KEY", "canary-5f1e-m"),
        ("XAI_API_KEY", "canary-5f1e-n"),
        ("COHERE_API_KEY", "canary-5f1e-o"),
        ("TOGETHER_API_KEY", "canary-5f1e-p"),
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
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\nheaders = {{ authorization = \"{secret}\" }}"),
        format!("[[providers]]\nname = \"a\"\nkind = \"openai\"\nheaders = {{ x-a = \"{secret}\\nb\" }}"),
        format!("[[providers]]\nname = \"a\"\nkind = \"azure-openai\"\napi_version = \"{secret}\""),
        format!("[auth]\nadmin_key = \"{secret}\""),
        format!("[http]\nhost = \"{secret}\""),
        format!("[store]\nurl = \"mysql://me:{secret}@host/db\""),
        format!("[store]\nurl = \"postgres://me:{secret}@host:port/db\""),
        format!("[store]\nurl = \"postgres://me:{secret}@host/db\""),
        format!("[store]\nurl = \"postgres://me@host/db?password={secret}\""),
        format!("[redis]\nurl = \"http://me:{secret}@host\""),
        format!("[redis]\nurl = \"redis://:{secret}@host\""),
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
        ("MISTRAL_API_KEY", "canary-5f1e\u{e9}"),
        ("AZURE_OPENAI_ENDPOINT", "https://user:canary-5f1e@host"),
        ("AZURE_OPENAI_API_VERSION", "canary-5f1e"),
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

#[test]
fn an_address_in_a_file_is_taken_without_a_password_and_refused_with_one() {
    for (bad, place, mend) in [
        (
            "[store]\nurl = \"postgres://me:canary-5f1e@host/db\"",
            "store.url",
            "DATABASE_URL",
        ),
        (
            "[store]\nurl = \"postgresql://host/db?user=me&password=canary-5f1e\"",
            "store.url",
            "DATABASE_URL",
        ),
        (
            "[redis]\nurl = \"redis://me:canary-5f1e@host\"",
            "redis.url",
            "REDIS_URL",
        ),
    ] {
        let said = problems(bad, &[]);
        assert!(
            said.contains(&format!("gw.toml:2 {place}: must have no password in a file")),
            "{said}"
        );
        assert!(said.contains(mend), "{said}");
    }
    settings(
        "[store]\nurl = \"postgres://me@host/db\"\n[redis]\nurl = \"redis://host\"",
        &[("HOME", "/home/me")],
    );
    let env = [
        ("DATABASE_URL", "postgres://me:pw@host/db"),
        ("REDIS_URL", "redis://:pw@host"),
        ("HOME", "/home/me"),
    ];
    settings("", &env);
}
