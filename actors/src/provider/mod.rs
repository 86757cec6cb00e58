//! ProviderActor (one per provider in each cell) and the provider director (one per process).
//!
//! * **ProviderActor owns** the cell's tally of calls that went well since its last report. It hands out leases: a
//!   place among the provider's calls under way (a counter shared by all cells) and, where the published gate wants
//!   one, the permit to probe.
//! * **The director owns** the breakers: one per model, one per provider for what concerns it as a whole (it cannot be
//!   reached, refuses our key, limits our rate). It publishes the gates as a snapshot. A provider whose gate lets probes
//!   through, but that no traffic tries, it has asked through the prober port; that can only bring good news, and none
//!   of a model.
//! * **Talks to**: the pipeline asks a ProviderActor for a lease and tells it how the call went; the ProviderActor
//!   tells the director, failures at once and successes in bulk; a task of its own brings the director what the prober
//!   found. Nobody waits for the director.
//! * **On a restart** a ProviderActor loses at most a second of successes that were not reported yet; the director
//!   rebuilds its breakers from the gates it published last.

mod actor;
mod breaker;
mod core;
mod director;
mod director_core;
mod idle;
mod settings;

pub use actor::ProviderActor;
pub use director::ProviderDirector;
pub use settings::BreakerSettings;
