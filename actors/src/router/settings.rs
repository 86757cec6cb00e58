//! What the router is told at the start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::{Catalogue, HealthSnapshot, Layer, Learned, PanelUse, ProviderName, Strategy};

/// The operator's rules of routing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouterSettings {
    /// Where `auto` starts.
    pub default_layer: Layer,
    /// The dearest layer that may be entered without being asked for by name.
    pub max_layer: Layer,
    /// Whether failover may enter a dearer layer without the caller's leave.
    pub auto_escalate: bool,
    /// Whether answers may be checked by other models.
    pub cross_check: bool,
    /// When several cheap models answer side by side.
    pub panel: PanelUse,
    /// How the first model is chosen.
    pub strategy: Strategy,
    /// Below this chance of a right answer, in percent, a layer is passed over for a complex request; by the quality asked
    /// for, from normal to critical.
    pub skip_below_percent: [u8; 3],
    /// Whether the first model is chosen by what was learned, with some exploration.
    pub adaptive: bool,
    /// How often an adaptive choice is made among what costs no more, in percent.
    pub adaptive_floor_percent: u8,
    /// How many outcomes the calibration counts for beside those that were learned.
    pub adaptive_prior: u32,
    /// Whether reviewers may be asked; a replay of recorded answers has none of theirs.
    pub reviews: bool,
    /// What a call of the best model must add to the chance of a right answer to be worth its price, in the place of the
    /// quality's: for measurements.
    pub lambda: Option<f64>,
}

impl Default for RouterSettings {
    fn default() -> Self {
        Self {
            default_layer: Layer::L0,
            max_layer: Layer::L3,
            auto_escalate: false,
            cross_check: false,
            panel: PanelUse::Needed,
            strategy: Strategy::Layers,
            skip_below_percent: [25, 55, 75],
            adaptive: false,
            adaptive_floor_percent: 5,
            adaptive_prior: 50,
            reviews: true,
            lambda: None,
        }
    }
}

/// The published snapshots that the router reads.
#[derive(Debug, Clone)]
pub struct RouterSources {
    /// The models.
    pub catalogue: Arc<ArcSwap<Catalogue>>,
    /// The health of the providers.
    pub health: Arc<ArcSwap<HealthSnapshot>>,
    /// Providers that can be called: those that want no key, or have it.
    pub usable: Arc<HashSet<ProviderName>>,
    /// The environment variables that hold the providers' keys, as far as they want one. For messages.
    pub key_variables: Arc<HashMap<ProviderName, Arc<str>>>,
    /// The calibration, and what was learned.
    pub learned: Arc<ArcSwap<Learned>>,
}
