use std::collections::HashMap;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::*;
use crate::protocol::testkit::learned;
use crate::protocol::{
    Alias, Capabilities, Capability, Dialect, Gate, HealthNote, ModelHealth, PicoUsdPerToken, Price, ProviderName,
    QualityLevel, RequestId, TaskType, Vendor, Wish,
};

fn too_hard_below(layer: Layer) -> Confirmation {
    Confirmation {
        layer,
        evidence: Evidence::TooHard,
    }
}

fn model(id: &str, provider: &str, layer: Layer, usd_per_mtok: Option<u64>) -> Model {
    let price = usd_per_mtok.map(|usd| {
        let pico = PicoUsdPerToken(usd * 1_000_000);
        Price::plain(pico, pico, pico)
    });
    Model {
        id: id.into(),
        provider: provider.into(),
        vendor: Vendor::Other,
        api_model: format!("api-{id}").into(),
        dialect: Dialect::OpenaiChat,
        layer,
        capabilities: [Capability::Chat, Capability::Tools].into_iter().collect(),
        context_window: 1_000,
        max_output_tokens: 100,
        price,
        media: crate::protocol::MediaTokens::default(),
    }
}

struct Bench {
    core: RouterCore,
    request: PlanRequest,
}

impl Bench {
    fn new(models: Vec<Model>) -> Self {
        let usable = models.iter().map(|model| model.provider.clone()).collect();
        Self::with(Catalogue::new(models, Vec::new(), HashMap::new()), usable)
    }

    fn with(catalogue: Catalogue, usable: std::collections::HashSet<ProviderName>) -> Self {
        let settings = RouterSettings {
            max_layer: Layer::L2,
            ..RouterSettings::default()
        };
        let sources = RouterSources {
            catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
            health: Arc::default(),
            usable: Arc::new(usable),
            key_variables: Arc::new(HashMap::from([("locked".into(), "LOCKED_KEY".into())])),
            learned: learned(),
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
        Self {
            core: RouterCore::new(settings, sources),
            request,
        }
    }

    fn ids(&self) -> Vec<String> {
        let plan = self.core.plan(&self.request, Instant::now()).unwrap();
        plan.candidates.iter().map(|one| one.model.id.to_string()).collect()
    }

    fn error(&self) -> RouteError {
        self.core.plan(&self.request, Instant::now()).unwrap_err()
    }
}

#[test]
fn the_cheapest_of_the_default_layer_comes_first_and_unknown_prices_last() {
    let bench = Bench::new(vec![
        model("unknown", "a", Layer::L0, None),
        model("dear", "a", Layer::L0, Some(3)),
        model("free", "b", Layer::L0, Some(0)),
    ]);
    assert_eq!(bench.ids(), ["free", "dear", "unknown"]);
}

#[test]
fn a_dearer_layer_is_entered_only_with_leave_but_its_free_models_are() {
    let models = vec![
        model("base", "a", Layer::L0, Some(0)),
        model("gift", "a", Layer::L1, Some(0)),
        model("paid", "a", Layer::L1, Some(1)),
        model("top", "a", Layer::L3, Some(9)),
    ];
    let mut bench = Bench::new(models);
    assert_eq!(bench.ids(), ["base", "gift"]);
    let plan = bench.core.plan(&bench.request, Instant::now()).unwrap();
    assert_eq!(plan.confirmation, Some(too_hard_below(Layer::L1)));
    bench.core.settings.auto_escalate = true;
    assert_eq!(
        bench.ids(),
        ["base", "gift", "paid"],
        "L3 is above the operator's highest layer"
    );
    bench.request.max_layer = Some(Layer::L0);
    assert_eq!(bench.ids(), ["base"]);
}

#[test]
fn an_explicit_layer_is_served_although_it_costs_and_refused_above_the_callers_limit() {
    let mut bench = Bench::new(vec![model("top", "a", Layer::L3, Some(9))]);
    bench.request.target = Target::Layer(Layer::L3);
    assert_eq!(bench.ids(), ["top"]);
    bench.request.max_layer = Some(Layer::L1);
    assert!(matches!(bench.error(), RouteError::LayerNotAllowed { .. }));
}

#[test]
fn an_empty_layer_says_which_setting_would_help() {
    let bench = Bench::new(vec![model("paid", "a", Layer::L1, Some(1))]);
    assert_eq!(
        bench.error().to_string(),
        "no model is available in L0; layer L1 has one: ask for it with `layer` or `model` set to L1, or set \
         DEFAULT_LAYER=L1, or ENABLE_AUTO_ESCALATE=true"
    );
}

#[path = "advice_tests.rs"]
mod advice;

#[test]
fn a_name_means_an_id_then_every_api_model_then_an_alias_and_nothing_else() {
    let mut twin = model("twin", "b", Layer::L1, Some(1));
    twin.api_model = "api-base".into();
    let models = vec![model("base", "a", Layer::L0, Some(5)), twin];
    let alias = Alias {
        pattern: "gpt-*".into(),
        target: "api-base".into(),
    };
    let usable = ["a".into(), "b".into()].into();
    let mut bench = Bench::with(Catalogue::new(models, vec![alias], HashMap::new()), usable);
    for (name, expected) in [
        ("base", vec!["base"]),
        ("api-base", vec!["base", "twin"]),
        ("gpt-9", vec!["base", "twin"]),
    ] {
        bench.request.target = Target::Named(name.into());
        assert_eq!(bench.ids(), expected, "{name}");
    }
    bench.request.target = Target::Named("base-2".into());
    assert!(matches!(bench.error(), RouteError::UnknownModel { .. }));
}

#[test]
fn a_task_list_goes_before_price_within_a_layer() {
    let models = vec![
        model("cheap", "a", Layer::L0, Some(1)),
        model("coder", "a", Layer::L0, Some(2)),
        model("writer", "a", Layer::L0, Some(3)),
    ];
    let lists = HashMap::from([(TaskType::Code, vec!["api-writer".into(), "coder".into()])]);
    let mut bench = Bench::with(Catalogue::new(models, Vec::new(), lists), ["a".into()].into());
    bench.request.task = TaskType::Code;
    assert_eq!(bench.ids(), ["writer", "coder", "cheap"]);
}

#[test]
fn what_a_model_cannot_do_keeps_it_out_and_is_said_when_nothing_is_left() {
    let mut small = model("small", "a", Layer::L0, Some(0));
    small.context_window = 10;
    let mut bench = Bench::new(vec![small, model("big", "a", Layer::L0, Some(1))]);
    bench.request.needs.input_estimate = 500;
    assert_eq!(bench.ids(), ["big"]);
    bench.request.needs.input_estimate = 5_000;
    assert!(matches!(
        bench.error(),
        RouteError::ContextTooLong { window: 1_000, .. }
    ));
    bench.request.needs.input_estimate = 5;
    bench.request.needs.capabilities = Capabilities::NONE.with(Capability::Vision);
    assert!(bench.error().to_string().contains("vision"));
}

/// A model that can do only this.
fn only(mut model: Model, capability: Capability) -> Model {
    model.capabilities = Capabilities::NONE.with(capability);
    model
}

#[test]
fn a_model_of_another_purpose_answers_no_message_and_is_no_model_of_its_layer() {
    let vectors = only(model("vectors", "a", Layer::L0, Some(0)), Capability::Embeddings);
    let texts = only(model("texts", "a", Layer::L1, Some(0)), Capability::Completions);
    let mut bench = Bench::new(vec![vectors, texts, model("paid", "a", Layer::L1, Some(1))]);
    // As if it were not there: not even as a reason.
    assert_eq!(
        bench.error().to_string(),
        "no model is available in L0; layer L1 has one: ask for it with `layer` or `model` set to L1, or set \
         DEFAULT_LAYER=L1, or ENABLE_AUTO_ESCALATE=true"
    );
    bench.core.settings.auto_escalate = true;
    assert_eq!(bench.ids(), ["paid"]);
    let plan = bench.core.plan(&bench.request, Instant::now()).unwrap();
    assert!(plan.rejected.is_empty(), "{:?}", plan.rejected);
    for name in ["vectors", "api-texts"] {
        bench.request.target = Target::Named(name.into());
        let error = bench.error();
        let missing = Capabilities::NONE.with(Capability::Chat);
        assert!(
            matches!(error, RouteError::Incapable { missing: found, .. } if found == missing),
            "{error}"
        );
    }
}

#[test]
fn embeddings_and_completions_are_asked_of_models_that_have_them() {
    let both = [Capability::Chat, Capability::Embeddings].into_iter().collect();
    let mut able = model("able", "a", Layer::L0, Some(3));
    able.capabilities = both;
    let mut bench = Bench::new(vec![
        model("talks", "a", Layer::L0, Some(0)),
        only(model("vectors", "a", Layer::L0, Some(1)), Capability::Embeddings),
        only(model("texts", "a", Layer::L0, Some(2)), Capability::Completions),
        able,
    ]);
    assert_eq!(bench.ids(), ["talks", "able"]);
    bench.request.needs.capabilities = Capabilities::NONE.with(Capability::Embeddings);
    assert_eq!(bench.ids(), ["vectors", "able"]);
    // A text can be gone on with as a message too.
    bench.request.needs.capabilities = Capabilities::NONE.with(Capability::Completions);
    assert_eq!(bench.ids(), ["talks", "texts", "able"]);
    bench.request.target = Target::Named("vectors".into());
    assert!(
        bench.error().to_string().contains("missing completions"),
        "{}",
        bench.error()
    );
}

#[test]
fn a_provider_without_its_key_is_named_as_the_reason() {
    let models = vec![model("base", "locked", Layer::L0, Some(0))];
    let bench = Bench::with(Catalogue::new(models, Vec::new(), HashMap::new()), [].into());
    assert_eq!(
        bench.error().to_string(),
        "no model is available in L0; provider `locked` has no key: set LOCKED_KEY"
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_gate_goes_last_and_comes_back_to_its_place_for_the_probe() {
    let bench = Bench::new(vec![
        model("first", "a", Layer::L0, Some(1)),
        model("second", "b", Layer::L0, Some(2)),
    ]);
    let mut health = HealthSnapshot::default();
    let gate = Gate::Open {
        until: Instant::now() + Duration::from_secs(5),
        probe: Arc::default(),
    };
    health
        .models
        .insert("first".into(), ModelHealth { gate, latency_ms: None });
    bench.core.sources.health.store(Arc::new(health));
    assert_eq!(bench.ids(), ["second", "first"]);
    tokio::time::advance(Duration::from_secs(6)).await;
    let plan = bench.core.plan(&bench.request, Instant::now()).unwrap();
    assert_eq!(plan.candidates[0].model.id.as_str(), "first");
    assert_eq!(plan.candidates[0].reason.health, HealthNote::Probing);
}

#[test]
fn at_one_price_the_quicker_model_goes_first_unless_the_difference_is_noise() {
    let bench = Bench::new(vec![
        model("slow", "a", Layer::L0, Some(1)),
        model("quick", "b", Layer::L0, Some(1)),
    ]);
    let publish = |slow_ms| {
        let latency = |ms| ModelHealth {
            gate: Gate::default(),
            latency_ms: Some(ms),
        };
        let models = [("slow".into(), latency(slow_ms)), ("quick".into(), latency(40))];
        let snapshot = HealthSnapshot {
            models: models.into_iter().collect(),
            ..HealthSnapshot::default()
        };
        bench.core.sources.health.store(Arc::new(snapshot));
    };
    publish(60);
    assert_eq!(bench.ids(), ["slow", "quick"]);
    publish(900);
    assert_eq!(bench.ids(), ["quick", "slow"]);
}
