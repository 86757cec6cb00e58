//! The HTTP edge: takes requests in, hands them to the pipeline of the worker's cell, and sends the answers out.
//!
//! Every route is one line of the table in `routes`, with a rule that says who may use it and whether it counts as
//! work; `middleware::Guard` carries the rule out. `error` holds the only table of statuses.

mod connection;
mod error;
mod extract;
mod idempotency;
mod keep;
mod middleware;
mod pipeline;
mod rates;
mod respond;
mod routes;
mod server;
#[cfg(test)]
mod server_tests;
mod shared;
mod sse;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use idempotency::Idempotency;
pub use pipeline::RequestPipeline;
pub use server::{bind, configure};
#[cfg(feature = "fault-injection")]
pub use shared::FaultSwitch;
pub use shared::{Edge, EdgeParts, Lifecycle, Shared};
