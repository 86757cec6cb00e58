//! Logs: to stderr, in text or JSON. Never bodies, prompts or keys.

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// The gateway's own modules.
const OWN: [&str; 3] = ["ai_mcp_gateway", "gateway_actors", "mcp"];

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// Whether a line can be trusted to hold nothing of what people write, and no key, and not to be a stranger's to fill
/// the log with. The gateway's own can; libraries are
/// free to print whatever passes through them below `info` (a database driver its parameters, for one), and rmcp prints
/// whole messages from `info` on. No setting brings these lines back.
fn is_clean(line: &Metadata<'_>) -> bool {
    let is_from = |name: &str| {
        let below = line.target().strip_prefix(name);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    // An error there is a client that sends no HTTP, which any client may do as often as it likes.
    if is_from("actix_http::h1::dispatcher") {
        return false;
    }
    let finest = if OWN.into_iter().any(is_from) {
        Level::TRACE
    } else if is_from("rmcp") {
        Level::WARN
    } else {
        Level::INFO
    };
    *line.level() <= finest
}

/// Sends logs to stderr from now on, and panics to the log. Called once.
pub fn init(settings: &LogSettings) {
    // `RUST_LOG` narrows or widens single modules for whoever looks for a fault.
    let filter = EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::from_level(level(settings.level)).into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::registry().with(filter).with(filter_fn(is_clean));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let set = match settings.format {
        LogFormat::Text => subscriber.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => subscriber.with(lines.json()).try_init(),
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
