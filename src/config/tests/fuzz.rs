//! Settings at random: read, or refused with reasons; always the same way, and never with a secret in the reasons.

use super::{CONTRACT, Settings, Sources};
use crate::fuzz::{Rng, any_bytes, damage, fuzz, pick};

const SECRET: &str = "sk-canary-0123456789";
const SHIPPED: &[&str] = &[
    include_str!("../../../config/gateway.toml"),
    include_str!("../../../config/models.toml"),
    CONTRACT,
    "",
];
const WORDS: &[&str] = &[
    "[[models]]\n",
    "[[providers]]\n",
    "[http]\n",
    "\n[",
    "]",
    "=",
    "\"",
    "'''",
    "\"\"\"",
    "{ }",
    "[]",
    "0",
    "-1",
    "1e400",
    "nan",
    "true",
    "\"L9\"",
    "99999999999999999999",
    "port = 0\n",
    "id = \"a\"\n",
    "\\u0000",
    "#",
    "\0",
    "1979-05-27",
    "id = \"alpha-small\"\n",
    "base_url = \"http://\"\n",
    "[aliases]\n\"*\" = \"*\"\n",
    "timeouts = { idle_ms = 1 }\n",
    "headers = { x-a = \"b\" }\n",
    "headers = { \"\" = \"b\", host = 1 }\n",
    "api_version = \"v1\"\n",
    "anthropic_version = 2023-06-01\n",
    "api = \"responses\"\n",
];
const NAMES: &[&str] = &[
    "API_PORT",
    "API_HOST",
    "DATABASE_URL",
    "DEFAULT_LAYER",
    "CHAT_MODELS",
    "LOG_LEVEL",
    "GATEWAY_WORKERS",
    "OSS_MODEL_ENABLED",
    "OSS_MODEL_ENDPOINT",
    "OSS_MODEL_NAME",
    "REDIS_URL",
    "COST_ALERT_THRESHOLD",
    "ENABLE_AUTO_ESCALATE",
    "OPENROUTER_BASE_URL",
    "OPENROUTER_FALLBACK_MODELS",
    "OPENROUTER_REPLACE_CLAUDE",
    "ANTHROPIC_BASE_URL",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_VERSION",
];
const VALUES: &[&str] = &[
    "",
    "0",
    "-1",
    "true",
    "maybe",
    "L0",
    "L9",
    "http://127.0.0.1:9/v1",
    "http://user:pw@x/",
    "sqlite:x.db",
    "postgres://u@h/d",
    "a,b,,c",
    "\n",
    "é",
    "1e9",
    "99999999999999999999",
    "::1",
    "127.0.0.1",
    "redis://x",
    "0.000000001",
    "alpha-small,nobody",
    "2024-10-21",
    "https://mine.openai.azure.com/openai",
];
const TABLES: &[&str] = &[
    "http",
    "routing",
    "breaker",
    "store",
    "models",
    "providers",
    "aliases",
    "x",
    "log",
    "drain",
];
const KEYS: &[&str] = &[
    "id",
    "name",
    "port",
    "layer",
    "kind",
    "provider",
    "api_model",
    "base_url",
    "context_window",
    "level",
    "headers",
    "api",
    "api_version",
];
const THINGS: &[&str] = &[
    "1",
    "-1",
    "1.5",
    "\"L0\"",
    "\"x\"",
    "[]",
    "[1]",
    "{}",
    "{ a = 1 }",
    "true",
    "\"openai\"",
    "\"azure-openai\"",
    "\"anthropic\"",
    "\"responses\"",
    "inf",
    "0x10",
];

/// Any TOML, line by line.
fn any_toml(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(..12) {
        let line = match rng.u8(..4) {
            0 => format!("[{}]\n", pick(rng, TABLES)),
            1 => format!("[[{}]]\n", pick(rng, TABLES)),
            _ => format!("{} = {}\n", pick(rng, KEYS), pick(rng, THINGS)),
        };
        text.push_str(&line);
    }
    text
}

fn any_sources(rng: &mut Rng) -> Sources {
    let mut text = match rng.u8(..3) {
        0 => any_toml(rng),
        _ => pick(rng, SHIPPED).to_owned(),
    }
    .into_bytes();
    match rng.u8(..4) {
        0 | 1 => damage(rng, &mut text, WORDS),
        2 if rng.u8(..4) == 0 => text = any_bytes(rng, 80),
        _ => {}
    }
    // A file that is no UTF-8 is refused before it comes to this.
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut sources = Sources {
        config_file: Some(("gw.toml".into(), text)),
        ..Sources::default()
    };
    for _ in 0..rng.usize(..3) {
        let (name, value) = (pick(rng, NAMES), pick(rng, VALUES));
        sources.env.insert(name.to_owned(), value.to_owned());
    }
    for name in [
        "OPENROUTER_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "ALPHA_KEY",
    ] {
        let odd = pick(rng, &["", "", "", "\n", " ", "é"]);
        sources.env.insert(name.to_owned(), format!("{SECRET}{odd}"));
    }
    sources
}

/// The warnings, or the problems.
fn told(sources: &Sources) -> Result<Vec<String>, String> {
    match Settings::load(sources) {
        Ok(loaded) => Ok(loaded.warnings.iter().map(ToString::to_string).collect()),
        Err(problems) => {
            assert!(!problems.as_slice().is_empty(), "refused without a reason");
            Err(problems.to_string())
        }
    }
}

#[test]
fn settings_at_random_are_read_or_refused_with_reasons() {
    fuzz("settings", |rng| {
        let sources = any_sources(rng);
        let first = told(&sources);
        assert_eq!(first, told(&sources), "the same sources, read twice");
        assert!(!format!("{first:?}").contains(SECRET), "{first:?}");
        let text = sources.config_file.map_or_else(String::new, |(_, text)| text);
        let is_toml = toml::from_str::<toml::Table>(&text).is_ok();
        assert!(is_toml || first.is_err(), "no TOML, and accepted: {text}");
    });
}
