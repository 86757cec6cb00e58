//! Logs: to stderr, in text or JSON. Never bodies, prompts or keys.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogLevel, LogSettings};

fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}

/// Sends logs to stderr from now on, and panics to the log. Called once.
pub fn init(settings: &LogSettings) {
    // `RUST_LOG` narrows or widens single modules for whoever looks for a fault.
    let filter = EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::from_level(level(settings.level)).into())
        .from_env_lossy();
    // rmcp logs whole messages, prompts included, from `info` on.
    let filter = match "rmcp=warn".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let set = match settings.format {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    if set.is_err() {
        tracing::warn!("logs were set up already");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let what = panic.payload_as_str().unwrap_or("a panic without a text");
        tracing::error!(place, what, "panicked");
    }));
}
