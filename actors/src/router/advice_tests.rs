//! What is said when no model may answer: only what helps now.

use super::*;

/// A bench over these models, where nobody has the key of `locked` or `nameless`.
fn bench(models: Vec<Model>) -> Bench {
    let usable = ["a".into(), "b".into()].into();
    Bench::with(Catalogue::new(models, Vec::new(), HashMap::new()), usable)
}

fn message(bench: &Bench) -> String {
    bench.error().to_string()
}

fn seeing(mut model: Model) -> Model {
    model.capabilities = model.capabilities.with(Capability::Vision);
    model
}

fn with_image(bench: &mut Bench) {
    bench.request.needs.capabilities = Capabilities::NONE.with(Capability::Vision);
}

#[test]
fn no_layer_is_named_whose_provider_has_no_key() {
    let mut bench = bench(vec![
        model("zero", "locked", Layer::L0, Some(0)),
        model("one", "locked", Layer::L1, Some(1)),
        model("two", "locked", Layer::L2, Some(2)),
    ]);
    let layers = [Layer::L0, Layer::L1, Layer::L2].map(Target::Layer);
    for target in [Target::Auto, Target::Named("one".into())].into_iter().chain(layers) {
        bench.request.target = target;
        let message = message(&bench);
        let mend = "; provider `locked` has no key: set LOCKED_KEY";
        assert!(message.ends_with(mend), "{message}");
    }
    bench.request.target = Target::Layer(Layer::L3);
    assert_eq!(
        message(&bench),
        "no model is available in L3; provider `locked` has no key: set LOCKED_KEY"
    );
}

#[test]
fn a_missing_key_comes_before_the_layer_that_has_a_usable_model() {
    let mut bench = bench(vec![
        model("zero", "locked", Layer::L0, Some(0)),
        model("more", "nameless", Layer::L0, Some(0)),
        model("again", "locked", Layer::L0, Some(0)),
        model("one", "locked", Layer::L1, Some(1)),
        model("two", "a", Layer::L2, Some(2)),
    ]);
    assert_eq!(
        message(&bench),
        "no model is available in L0; provider `locked` has no key: set LOCKED_KEY; provider `nameless` has no key: \
         set it; layer L2 has one: ask for it with `layer` or `model` set to L2, or set DEFAULT_LAYER=L2, or \
         ENABLE_AUTO_ESCALATE=true"
    );
    bench.request.max_layer = Some(Layer::L1);
    let message = message(&bench);
    assert!(!message.contains("L2"), "above what the caller allows: {message}");
}

#[test]
fn a_plan_tells_of_a_dearer_layer_only_if_it_could_answer() {
    let mut bench = bench(vec![
        seeing(model("zero", "a", Layer::L0, Some(0))),
        seeing(model("one", "locked", Layer::L1, Some(1))),
        model("two", "a", Layer::L2, Some(2)),
        seeing(model("three", "a", Layer::L3, Some(3))),
    ]);
    bench.core.settings.max_layer = Layer::L3;
    let asked = |bench: &Bench| bench.core.plan(&bench.request, Instant::now()).unwrap().confirmation;
    assert_eq!(asked(&bench), Some(too_hard_below(Layer::L2)));
    with_image(&mut bench);
    assert_eq!(asked(&bench), Some(too_hard_below(Layer::L3)));
}

#[test]
fn the_layer_that_can_do_it_is_named_when_those_that_may_be_used_cannot() {
    let mut bench = bench(vec![
        model("zero", "a", Layer::L0, Some(0)),
        model("one", "a", Layer::L1, Some(1)),
        seeing(model("two", "b", Layer::L2, Some(2))),
    ]);
    with_image(&mut bench);
    let mend = "layer L2 has one: ask for it with `layer` or `model` set to L2";
    assert_eq!(
        message(&bench),
        format!("no model that may be used here can do this: missing vision; {mend}, or set ENABLE_AUTO_ESCALATE=true")
    );
    // A named model is not replaced by another.
    bench.request.target = Target::Named("zero".into());
    assert!(message(&bench).ends_with("missing vision"), "{}", message(&bench));
    bench.request.target = Target::Layer(Layer::L2);
    assert_eq!(bench.ids(), ["two"]);
}

#[test]
fn a_key_that_would_let_a_model_see_is_named() {
    let mut bench = bench(vec![
        model("zero", "a", Layer::L0, Some(0)),
        seeing(model("eye", "locked", Layer::L0, Some(0))),
        model("blind", "nameless", Layer::L0, Some(0)),
    ]);
    with_image(&mut bench);
    assert_eq!(
        message(&bench),
        "no model that may be used here can do this: missing vision; provider `locked` has no key: set LOCKED_KEY"
    );
}

#[test]
fn a_layer_with_a_larger_window_is_named() {
    let mut large = model("large", "a", Layer::L1, Some(1));
    large.context_window = 10_000;
    let mut bench = bench(vec![model("zero", "a", Layer::L0, Some(0)), large]);
    bench.request.needs.input_estimate = 5_000;
    assert!(
        message(&bench).contains("is 1000; layer L1 has one: ask"),
        "{}",
        message(&bench)
    );
    bench.request.needs.input_estimate = 50_000;
    assert!(message(&bench).ends_with("is 1000"), "{}", message(&bench));
}

#[test]
fn an_offer_whose_layers_have_lost_their_models_is_told_as_such() {
    let approved = |models: Vec<Model>| {
        let mut bench = bench(models);
        let wish = &mut bench.request.wish;
        (wish.above, wish.leave, wish.floor) = (Some(Layer::L0), Leave::UpTo(Layer::L2), Some(Layer::L2));
        message(&bench)
    };
    let zero = || model("zero", "a", Layer::L0, Some(0));
    let gone = "what was offered is gone: no model is available in L1, L2 now";
    let stays = "; the answer before stays, and the same request without the offer is answered by what there is";
    assert_eq!(approved(vec![zero()]), format!("{gone}{stays}"));
    let without_key = vec![zero(), model("two", "locked", Layer::L2, Some(2))];
    let mend = "; provider `locked` has no key: set LOCKED_KEY";
    assert_eq!(approved(without_key), format!("{gone}{mend}{stays}"));
    let dearer = approved(vec![zero(), model("three", "a", Layer::L3, Some(3))]);
    assert!(
        dearer.starts_with(&format!("{gone}; layer L3 has one: ask for it")),
        "{dearer}"
    );
}

#[test]
fn settings_are_named_only_where_they_lead_to_the_layer() {
    let cases = [
        // From the default layer, up to the highest, with leave: where the model is, and what is to be set.
        (
            Layer::L0,
            Layer::L2,
            false,
            Layer::L3,
            "DEFAULT_LAYER=L3 and MAX_ESCALATION_LAYER=L3, or ENABLE_AUTO_ESCALATE=true and MAX_ESCALATION_LAYER=L3",
        ),
        (
            Layer::L0,
            Layer::L2,
            true,
            Layer::L3,
            "DEFAULT_LAYER=L3 and MAX_ESCALATION_LAYER=L3, or MAX_ESCALATION_LAYER=L3",
        ),
        (
            Layer::L1,
            Layer::L2,
            false,
            Layer::L2,
            "DEFAULT_LAYER=L2, or ENABLE_AUTO_ESCALATE=true",
        ),
        (Layer::L1, Layer::L2, false, Layer::L0, "DEFAULT_LAYER=L0"),
    ];
    for (default_layer, max_layer, auto_escalate, there, set) in cases {
        let mut bench = bench(vec![model("it", "a", there, Some(1))]);
        bench.core.settings = RouterSettings {
            default_layer,
            max_layer,
            auto_escalate,
            ..RouterSettings::default()
        };
        let expected = format!(
            "no model is available in {default_layer}; layer {there} has one: ask for it with `layer` or `model` set \
             to {there}, or set {set}"
        );
        assert_eq!(message(&bench), expected);
    }
    let mut asked = bench(vec![model("it", "a", Layer::L0, Some(1))]);
    asked.request.target = Target::Layer(Layer::L2);
    let message = message(&asked);
    assert!(message.ends_with("`model` set to L0"), "{message}");
}

#[test]
fn without_any_model_one_is_to_be_added() {
    assert_eq!(
        message(&bench(Vec::new())),
        "no model is available in L0; add a model to the catalogue, or set a provider's key"
    );
}
