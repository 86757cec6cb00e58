//! Loading as a whole: what each source may say, what wins, what is refused and how it is told.

mod across;
mod aliases;
mod budget;
mod catalogue;
mod defaults;
mod difference;
mod fuzz;
mod precedence;
mod prices;
mod problems;
mod providers;
mod secrets;

use super::{Loaded, Problems, Settings, Sources};

/// The TOML that outside programs rely on.
const CONTRACT: &str = r#"
[[providers]]
name = "alpha"                     # any number of them
kind = "openai-compatible"         # openai-compatible | openrouter | openai | anthropic | ollama | simulator | …
base_url = "http://127.0.0.1:9100/v1"
api_key_env = "ALPHA_KEY"          # name of the variable that holds the key; leave out for none
[[models]]
id = "alpha-small"                 # the gateway's name for it
provider = "alpha"
api_model = "gpt-4o-mini"          # the provider's name for it
layer = "L0"
capabilities = ["chat", "code", "reasoning", "tools", "json", "vision"]
context_window = 128000
max_output_tokens = 4096
input_usd_per_mtok = 0.15          # 0 must be written to mean free; absent means unknown
output_usd_per_mtok = 0.60
"#;

/// Sources with this configuration file and these variables.
fn sources(config: &str, env: &[(&str, &str)]) -> Sources {
    Sources {
        config_file: (!config.is_empty()).then(|| ("gw.toml".into(), config.to_owned())),
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    }
}

fn load(config: &str, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Settings::load(&sources(config, env))
}

fn settings(config: &str, env: &[(&str, &str)]) -> Settings {
    match load(config, env) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{problems}"),
    }
}

/// The warnings, one a line.
fn warnings(config: &str, env: &[(&str, &str)]) -> String {
    let loaded = load(config, env).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.warnings.iter().map(|warning| format!("{warning}\n")).collect()
}

/// The problems, one a line.
fn problems(config: &str, env: &[(&str, &str)]) -> String {
    match load(config, env) {
        Ok(_) => panic!("nothing was refused in:\n{config}\n{env:?}"),
        Err(problems) => problems
            .as_slice()
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect(),
    }
}
