//! RouterActor: which models may answer a request, in which order, and why.
//!
//! * **Owns** nothing that must survive: it reads the catalogue, the health of the providers and what was learned from
//!   published snapshots, and its settings from the start. One per cell.
//! * **Talks to** nobody. The cell's pipeline asks it for a [`Plan`](crate::protocol::Plan).
//! * **On a restart** the core is built again from the same snapshots; the request whose plan was being made asks
//!   once more.

mod actor;
mod advice;
mod arms;
mod check;
mod class;
mod core;
mod cost;
mod decide;
mod known;
mod order;
mod panel;
mod roster;
mod settings;
mod words;

pub use actor::RouterActor;
pub use check::check_auto;
pub use settings::{RouterSettings, RouterSources};

#[cfg(test)]
mod bench;
