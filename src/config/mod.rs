//! Settings: typed, from all their sources, with every problem reported at once.
//!
//! A setting comes from, in order of precedence: the command line, the environment, the `.env` file of the working
//! directory, the TOML file of `--config`, the files in `config/` that are part of the binary, the built-in default.
//! [`Sources`] gathers these, [`Settings::load`] turns them into settings and touches nothing else.
//!
//! Each table of settings has its own file here, which names each of its settings once: key, variable, flag, range and
//! place. Secrets come from the environment only and are never shown, not in problems either.

mod alerts;
mod auth;
mod breaker;
mod budget;
mod builtin;
mod catalogue;
mod cost;
pub(crate) mod decimal;
mod difference;
mod document;
mod drain;
mod headers;
mod hosts;
mod http;
mod idempotency;
mod kind;
mod log;
mod models;
mod openrouter;
mod postgres;
mod price;
mod problem;
mod provider;
mod providers;
mod reader;
mod responses;
mod routing;
mod settings;
mod sources;
mod store;
mod unsupported;
mod value;
mod vendors;

#[cfg(test)]
mod tests;

pub use alerts::AlertSettings;
pub use auth::AuthSettings;
pub use breaker::BreakerSettings;
pub use budget::{BudgetSettings, ExhaustedStatus};
pub use cost::CostSettings;
pub use drain::DrainSettings;
pub use headers::ExtraHeaders;
pub use http::HttpSettings;
pub use idempotency::IdempotencySettings;
pub use kind::{KeyPlacement, ProviderKind};
pub use log::{LogFormat, LogLevel, LogSettings};
pub use models::is_model_id;
pub use openrouter::OpenRouterSettings;
pub use postgres::{PostgresAddress, TlsMode};
pub use problem::{Problem, Problems};
pub use provider::{AzureApi, ProviderSettings, UpstreamLimits, UpstreamTimeouts};
pub use responses::ResponsesSettings;
pub use routing::{AmbiguousRetry, FailoverSettings, RoutingSettings};
pub use settings::{Loaded, Settings};
pub use sources::{Overrides, Sources};
pub use store::{Database, PostgresLimits, PostgresSettings, RedisSettings, StoreSettings};
