//! What the process can tell of itself, whichever edge it is asked through: health, counts, memory.

mod health;
mod probe;
mod requests;
mod totals;
mod under_way;

use gateway_actors::protocol::ProviderName;

pub(crate) use health::Condition;
pub(crate) use probe::StoreProbe;
pub(crate) use requests::{RequestTotals, Requests};
pub(crate) use totals::{Llm, Memory, Uptime, held_by_all_cells, of_all_cells, usd_number};
pub(crate) use under_way::UnderWay;

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
