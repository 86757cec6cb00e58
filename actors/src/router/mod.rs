//! RouterActor: which models may answer a request, in which order, and why.
//!
//! * **Owns** nothing that must survive: it reads the catalogue and the health of the providers from published
//!   snapshots, and its settings from the start. One per cell.
//! * **Talks to** nobody. The cell's pipeline asks it for a [`Plan`](crate::protocol::Plan).
//! * **On a restart** the core is built again from the same snapshots; the request whose plan was being made asks
//!   once more.

mod actor;
mod advice;
mod check;
mod core;
mod order;
mod settings;

pub use actor::RouterActor;
pub use check::check_auto;
pub use settings::{RouterSettings, RouterSources};
