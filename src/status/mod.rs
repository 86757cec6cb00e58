//! What the process can tell of itself, whichever edge it is asked through: health, counts, memory.

mod health;
mod probe;
mod requests;
mod totals;

use gateway_actors::protocol::ProviderName;

pub(crate) use health::{ActorEntry, LayerEntry, ProviderEntry, actors, all_well, layers, providers};
pub(crate) use probe::StoreProbe;
pub(crate) use requests::RequestTotals;
pub(crate) use totals::{Llm, Memory, Uptime, usd_number};

/// A configured provider, as the health and the statistics tell of it.
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    /// Its name.
    pub name: ProviderName,
    /// How it is spoken to, for example `openai-compatible`.
    pub kind: &'static str,
    /// Whether it can be called: it wants no key, or has it.
    pub has_key: bool,
}
