//! Asking a provider that gets no calls whether it is there.

use std::fmt;

use actix::Message;
use futures_core::future::LocalBoxFuture;

use super::ids::ProviderName;

/// Asks providers for something small and free. Its futures stay on the thread of whoever asks.
pub trait Prober: fmt::Debug {
    /// The status of whatever the provider answers over HTTP; nothing when it does not answer within a few seconds.
    fn ask(&self, provider: &ProviderName) -> LocalBoxFuture<'static, Option<u16>>;
}

/// Tells the provider director what a [`Prober`] found (one way).
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ProbeAnswer {
    /// The provider that was asked.
    pub provider: ProviderName,
    /// The status, if it answered.
    pub status: Option<u16>,
}
