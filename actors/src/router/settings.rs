//! What the router is told at the start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::{Catalogue, HealthSnapshot, Layer, ProviderName};

/// The operator's rules of routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterSettings {
    /// Where `auto` starts.
    pub default_layer: Layer,
    /// The dearest layer that may be entered without being asked for by name.
    pub max_layer: Layer,
    /// Whether failover may enter a dearer layer without the caller's leave.
    pub auto_escalate: bool,
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
}
