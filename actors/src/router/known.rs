//! Which models of the catalogue the calibration knows: names are compared once for each catalogue, not for each request.

use std::ptr;
use std::sync::Arc;

use gateway_routing::KnownModel;

use crate::protocol::{Calibration, Catalogue, IdMap, Model, ModelId};

/// The known models of one catalogue.
#[derive(Debug, Default)]
pub(super) struct KnownModels {
    of: Option<(Arc<Catalogue>, Calibration)>,
    models: IdMap<ModelId, KnownModel>,
}

impl KnownModels {
    /// Makes them those of this catalogue and this calibration, if they are others.
    pub(super) fn renew(&mut self, catalogue: &Arc<Catalogue>, calibration: &Calibration) {
        let is_same = self.of.as_ref().is_some_and(|(of, model)| {
            // Both are kept alive here, so that no other can stand in their place.
            Arc::ptr_eq(of, catalogue) && ptr::eq(&raw const **model, &raw const **calibration)
        });
        if is_same {
            return;
        }
        let known = |model: &Arc<Model>| {
            let known = calibration.known(&model.api_model);
            let known = known.or_else(|| calibration.known(model.id.as_str()));
            known.map(|known| (model.id.clone(), known))
        };
        self.models = catalogue.models().iter().filter_map(known).collect();
        self.of = Some((Arc::clone(catalogue), calibration.clone()));
    }

    /// What the calibration calls this model, if it knows it.
    pub(super) fn get(&self, model: &Model) -> Option<KnownModel> {
        self.models.get(&model.id).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::protocol::testkit::learned;
    use crate::router::bench::model_called;

    #[test]
    fn a_model_is_known_by_its_providers_name_for_it_and_a_new_catalogue_is_looked_at_anew() {
        let calibration = learned().load().model.clone();
        let catalogue = |name| {
            let models = vec![model_called("own-name", name), model_called("other", "who-knows")];
            Arc::new(Catalogue::new(models, Vec::new(), HashMap::new()))
        };
        let (first, second) = (catalogue("openai/gpt-4o-mini"), catalogue("nothing"));
        let mut known = KnownModels::default();
        known.renew(&first, &calibration);
        let found = |known: &KnownModels, of: &Catalogue| known.get(of.by_id("own-name").unwrap());
        assert_eq!(found(&known, &first), calibration.known("gpt-4o-mini"));
        assert_eq!(known.get(first.by_id("other").unwrap()), None);
        known.renew(&second, &calibration);
        assert_eq!(found(&known, &second), None);
    }
}
