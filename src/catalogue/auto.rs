//! Tells the operator when `auto` leads to no model.

use std::sync::Arc;

use gateway_actors::protocol::{Catalogue, Layer};
use gateway_actors::router::{RouterSettings, RouterSources, check_auto};
use tokio::sync::watch;

/// Looks at each configured catalogue, and logs what differs from what was told last.
#[derive(Debug)]
pub(crate) struct AutoCheck {
    rules: RouterSettings,
    sources: RouterSources,
    /// Whether a provider's free models make up layer L0 while it has none of its own.
    has_stand_in: bool,
    told: watch::Sender<Option<String>>,
}

impl AutoCheck {
    pub(crate) fn new(rules: RouterSettings, sources: RouterSources, has_stand_in: bool) -> Self {
        Self {
            rules,
            sources,
            has_stand_in,
            told: watch::Sender::default(),
        }
    }

    /// What is to be said of this catalogue; nothing when `auto` has a model, or will have a free one.
    fn trouble(&self, configured: &Arc<Catalogue>) -> Option<String> {
        let layer = self.rules.default_layer;
        if self.has_stand_in && layer == Layer::L0 {
            return None;
        }
        let error = check_auto(self.rules, &self.sources, configured).err()?;
        Some(format!(
            "requests that name neither a model nor a layer are refused: {error}, or configure a model of layer {layer}"
        ))
    }

    /// Logs what has changed.
    pub(super) fn tell(&self, configured: &Arc<Catalogue>) {
        let trouble = self.trouble(configured);
        let is_news = self.told.send_if_modified(|told| {
            let is_news = *told != trouble;
            told.clone_from(&trouble);
            is_news
        });
        match trouble {
            _ if !is_news => {}
            Some(trouble) => tracing::warn!(setting = "DEFAULT_LAYER", "{trouble}"),
            None => tracing::info!("requests that name neither a model nor a layer are served again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use gateway_actors::protocol::{
        Capabilities, Capability, Dialect, MediaTokens, Model, Price, ProviderName, Vendor,
    };

    use super::*;

    fn model(provider: &str, layer: Layer, price: Option<Price>) -> Model {
        Model {
            id: format!("{provider}-{layer}").as_str().into(),
            provider: provider.into(),
            vendor: Vendor::Other,
            api_model: "it".into(),
            dialect: Dialect::OpenaiChat,
            layer,
            capabilities: Capabilities::NONE.with(Capability::Chat),
            context_window: 1_000,
            max_output_tokens: 100,
            price,
            media: MediaTokens::default(),
        }
    }

    /// What is said of these models where `auto` starts at this layer and only `open` can be called.
    fn said(default_layer: Layer, auto_escalate: bool, has_stand_in: bool, models: Vec<Model>) -> Option<String> {
        let rules = RouterSettings {
            default_layer,
            auto_escalate,
            ..RouterSettings::default()
        };
        let sources = RouterSources {
            catalogue: Arc::default(),
            health: Arc::default(),
            usable: Arc::new([ProviderName::from("open")].into()),
            key_variables: Arc::new(HashMap::from([("locked".into(), "LOCKED_KEY".into())])),
            learned: gateway_actors::testkit::samples::learned(),
        };
        let catalogue = Arc::new(Catalogue::new(models, Vec::new(), HashMap::new()));
        AutoCheck::new(rules, sources, has_stand_in).trouble(&catalogue)
    }

    #[test]
    fn a_default_layer_without_a_usable_model_is_told_with_the_mend() {
        let paid = || vec![model("open", Layer::L1, None)];
        let text = said(Layer::L0, false, false, paid()).unwrap();
        for mend in [
            "DEFAULT_LAYER=L1",
            "ENABLE_AUTO_ESCALATE=true",
            "configure a model of layer L0",
        ] {
            assert!(text.contains(mend), "{text}");
        }
        let locked = vec![model("locked", Layer::L0, Some(Price::FREE))];
        let text = said(Layer::L0, false, false, locked).unwrap();
        assert!(
            text.contains("set LOCKED_KEY") && !text.contains("DEFAULT_LAYER"),
            "{text}"
        );
        assert!(said(Layer::L0, false, false, Vec::new()).is_some());
        assert!(
            said(Layer::L2, false, true, paid()).is_some(),
            "free models are of layer L0"
        );
    }

    #[test]
    fn nothing_is_told_when_auto_has_a_model_or_will_have_a_free_one() {
        let paid = || vec![model("open", Layer::L1, None)];
        assert_eq!(said(Layer::L1, false, false, paid()), None);
        assert_eq!(said(Layer::L0, true, false, paid()), None, "it may escalate");
        assert_eq!(said(Layer::L0, false, true, paid()), None, "free models stand in");
        let free_above = vec![model("open", Layer::L2, Some(Price::FREE))];
        assert_eq!(
            said(Layer::L0, false, false, free_above),
            None,
            "it needs nobody's leave"
        );
    }
}
