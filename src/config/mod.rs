//! Settings.

mod provider;

pub use provider::{ProviderKind, ProviderSettings, UpstreamLimits, UpstreamTimeouts};
