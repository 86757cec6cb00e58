//! What the router's rules come to before anybody asks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::core::RouterCore;
use super::settings::{RouterSettings, RouterSources};
use crate::protocol::{Catalogue, Needs, PlanRequest, QualityLevel, RequestId, RouteError, Target, TaskType, Wish};

/// Whether a plain request for `auto` would have a model of this catalogue, whatever the providers' health is.
///
/// # Errors
/// What such a request would be told, with the mend.
pub fn check_auto(
    settings: RouterSettings,
    sources: &RouterSources,
    catalogue: &Arc<Catalogue>,
) -> Result<(), RouteError> {
    let sources = RouterSources {
        catalogue: Arc::new(ArcSwap::new(Arc::clone(catalogue))),
        ..sources.clone()
    };
    let request = PlanRequest {
        request: RequestId::generate(),
        target: Target::Auto,
        max_layer: None,
        allowed: None,
        task: TaskType::General,
        quality: QualityLevel::Normal,
        needs: Needs::default(),
        question: None,
        wish: Wish::default(),
    };
    let plan = RouterCore::new(settings, sources).plan(&request, Instant::now());
    plan.map(|_| ())
}
