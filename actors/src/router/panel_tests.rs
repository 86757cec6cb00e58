use super::*;
use crate::protocol::{Leave, Model, ModelId, Question, RouteError, Strategy, Target};
use crate::router::bench::{Bench, EASY, HARD, HARD_PROSE, fitted as fitted_models, ladder, model};

/// A code question whose answer can be compared and that is not complex by itself.
const LITERAL: &str = "What is 3 + 4? Put the final answer in \\boxed{}.";

/// Checks are on, and the answer matters.
fn bench(models: Vec<Model>) -> Bench {
    let mut bench = Bench::new(models);
    bench.core.settings.cross_check = true;
    bench.request.quality = QualityLevel::High;
    bench.request.needs.input_estimate = 100;
    bench.ask(HARD);
    bench
}

fn panel_of(bench: &Bench) -> PanelPlan {
    match bench.decision().check {
        CheckPlan::Panel(panel) => panel,
        other => panic!("no panel: {other:?}"),
    }
}

fn ids(candidates: &[Candidate]) -> Vec<&str> {
    candidates.iter().map(|one| one.model.id.as_str()).collect()
}

fn reviewers_of(bench: &Bench) -> Vec<ModelId> {
    match bench.decision().check {
        CheckPlan::Review { reviewers } => reviewers.iter().map(|one| one.model.id.clone()).collect(),
        other => panic!("no review: {other:?}"),
    }
}

fn is_off(bench: &Bench) -> bool {
    matches!(bench.decision().check, CheckPlan::Off)
}

#[test]
fn the_calibrations_own_models_are_a_fitted_panel_with_those_between_and_the_strongest() {
    let bench = bench(fitted_models());
    let panel = panel_of(&bench);
    assert_eq!(panel.policy, PanelPolicy::Fitted);
    let mut members = ids(&panel.members);
    members.sort_unstable();
    assert_eq!(
        members,
        ["Meta-Llama-3.1-8B-Instruct", "gemma-2-9b-it", "gpt-4o-mini-2024-07-18"]
    );
    let mut between = ids(&panel.between);
    between.sort_unstable();
    assert_eq!(between, ["claude-3-5-haiku-20241022", "gpt-4o-2024-08-06"]);
    assert_eq!(panel.top.unwrap().model.id.as_str(), "o1-mini-2024-09-12");
    assert_eq!(panel.costs.len(), 6);
    let fit = bench.core.sources.learned.load().model.unit_nano_usd();
    assert_eq!(panel.unit.0.unsigned_abs(), fit, "what its strongest costs on average");
    assert!(panel.wanting_leave.is_none());
}

#[test]
fn without_one_of_its_models_or_with_a_better_one_the_panel_is_any_three_cheap_ones() {
    let full = fitted_models();
    for left_out in ["gemma-2-9b-it", "o1-mini-2024-09-12"] {
        let models = full.iter().filter(|model| model.id.as_str() != left_out).cloned();
        assert_eq!(
            panel_of(&bench(models.collect())).policy,
            PanelPolicy::Table,
            "{left_out}"
        );
    }
    let mut with_better: Vec<Model> = full.clone();
    for model in &mut with_better {
        model.layer = if model.layer == Layer::L3 {
            Layer::L2
        } else {
            model.layer
        };
    }
    with_better.push(model("mistral-best", Layer::L3, 50));
    let panel = panel_of(&bench(with_better));
    assert_eq!(panel.policy, PanelPolicy::Table);
    assert_eq!(panel.top.unwrap().model.id.as_str(), "mistral-best");
    let shut = bench(full);
    shut.shut(&["gemma-2-9b-it"]);
    assert_eq!(panel_of(&shut).policy, PanelPolicy::Table);
}

#[test]
fn the_members_are_the_cheapest_below_the_best_and_of_different_makers() {
    let panel = panel_of(&bench(vec![
        model("gemma-a", Layer::L0, 1),
        model("gemma-b", Layer::L0, 2),
        model("qwen-a", Layer::L0, 3),
        model("llama-a", Layer::L1, 4),
        model("mistral-a", Layer::L1, 5),
        model("gpt-top", Layer::L3, 9),
    ]));
    assert_eq!(ids(&panel.members), ["gemma-a", "qwen-a", "llama-a"]);
    assert_eq!(panel.top.unwrap().model.id.as_str(), "gpt-top");
    assert!(panel.between.is_empty());
}

#[test]
fn two_members_make_a_panel_and_one_does_not() {
    let two = vec![
        model("gemma-a", Layer::L0, 1),
        model("qwen-a", Layer::L0, 2),
        model("gpt-top", Layer::L3, 9),
    ];
    assert_eq!(ids(&panel_of(&bench(two)).members), ["gemma-a", "qwen-a"]);
    let of_one_maker = vec![
        model("gemma-a", Layer::L0, 1),
        model("gemma-b", Layer::L0, 2),
        model("gpt-top", Layer::L3, 9),
    ];
    // The start is at the top: the others may judge it.
    assert_eq!(reviewers_of(&bench(of_one_maker)), ["gemma-a".into(), "gemma-b".into()]);
}

#[test]
fn two_of_one_layer_with_nobody_above_are_no_panel_and_one_judges_the_other() {
    let two = vec![model("gemma-a", Layer::L0, 0), model("qwen-a", Layer::L0, 0)];
    assert_eq!(reviewers_of(&bench(two.clone())), ["qwen-a".into()]);
    // With one above them, whether or not it may be asked, they are one.
    let mut with_top = bench([two, vec![model("gpt-top", Layer::L3, 9)]].concat());
    assert_eq!(panel_of(&with_top).members.len(), 2);
    with_top.core.settings.auto_escalate = false;
    assert_eq!(panel_of(&with_top).members.len(), 2);
}

#[test]
fn a_best_model_that_wants_leave_is_none_of_the_plan() {
    let mut bench = bench(vec![
        model("gemma-a", Layer::L0, 1),
        model("qwen-a", Layer::L0, 2),
        model("llama-a", Layer::L0, 3),
        model("gpt-top", Layer::L3, 9),
    ]);
    assert!(panel_of(&bench).top.is_some());
    let unit = panel_of(&bench).unit;
    bench.core.settings.auto_escalate = false;
    let panel = panel_of(&bench);
    assert!(panel.top.is_none() && !panel.straight_to_top);
    assert_eq!(panel.wanting_leave.unwrap().model.id.as_str(), "gpt-top");
    assert_eq!((panel.members.len(), panel.costs.len(), panel.unit), (3, 4, unit));
    // The calibration's own as well.
    let mut own = self::bench(fitted_models());
    own.core.settings.auto_escalate = false;
    own.core.settings.default_layer = Layer::L1;
    own.core.settings.max_layer = Layer::L3;
    // The small ones are below the default layer.
    assert_eq!(panel_of(&own).policy, PanelPolicy::Table);
    own.core.settings.default_layer = Layer::L0;
    own.request.wish.leave = crate::protocol::Leave::UpTo(Layer::L1);
    let panel = panel_of(&own);
    assert_eq!((panel.policy, panel.top.is_none()), (PanelPolicy::Fitted, true));
    assert_eq!(panel.wanting_leave.unwrap().model.id.as_str(), "o1-mini-2024-09-12");
}

#[test]
fn a_panel_never_holds_what_cannot_be_called_or_paid_or_would_be_a_step_back() {
    let mut bench = bench(vec![
        model("gemma-a", Layer::L0, 1),
        model("qwen-a", Layer::L0, 2),
        model("llama-a", Layer::L1, 3),
        model("mistral-a", Layer::L1, 4),
        model("gpt-top", Layer::L3, 9),
    ]);
    bench.shut(&["gemma-a"]);
    assert_eq!(ids(&panel_of(&bench).members), ["qwen-a", "llama-a", "mistral-a"]);
    bench.request.wish.floor = Some(Layer::L1);
    assert_eq!(ids(&panel_of(&bench).members), ["llama-a", "mistral-a"]);
    bench.request.wish.left = Some(crate::protocol::NanoUsd(350_000));
    bench.shut(&[]);
    bench.request.wish.floor = None;
    let panel = panel_of(&bench);
    // The best cannot be paid, nor can one below it: the best that can takes its place.
    assert_eq!(ids(&panel.members), ["gemma-a", "qwen-a"]);
    assert_eq!(panel.top.unwrap().model.id.as_str(), "llama-a");
}

#[test]
fn answers_are_checked_where_quality_or_complexity_calls_for_it_and_checks_are_on() {
    let mut bench = bench(fitted_models());
    panel_of(&bench);
    bench.request.quality = QualityLevel::Normal;
    // Complex enough by itself.
    panel_of(&bench);
    assert!(is_off(bench.ask(EASY)));
    bench.request.quality = QualityLevel::Critical;
    panel_of(bench.ask(LITERAL));
    bench.core.settings.cross_check = false;
    assert!(is_off(&bench));
}

#[test]
fn always_means_wherever_answers_may_be_compared() {
    let mut bench = bench(fitted_models());
    bench.request.quality = QualityLevel::Normal;
    bench.core.settings.panel = PanelUse::Always;
    panel_of(bench.ask("Josh buys 3 houses for $80,000 each. How much does he pay?"));
    assert!(
        is_off(bench.ask(EASY)),
        "and what cannot is reviewed only where that is needed"
    );
    bench.request.quality = QualityLevel::High;
    reviewers_of(bench.ask(EASY));
}

#[test]
fn no_other_model_judges_streams_tools_media_forms_several_answers_or_a_loop() {
    let changes: [fn(&mut Question); 6] = [
        |question| question.stream = true,
        |question| question.has_tools = true,
        |question| question.has_media = true,
        |question| question.shape = AnswerShape::Json,
        |question| question.answers = 2,
        |question| question.in_loop = true,
    ];
    for text in [HARD, HARD_PROSE] {
        for (place, change) in changes.iter().enumerate() {
            let mut bench = bench(fitted_models());
            bench.ask(text);
            assert!(!is_off(&bench));
            assert!(is_off(bench.with(change)), "{place}");
        }
    }
}

#[test]
fn free_text_is_judged_by_models_of_other_makers_from_its_layer_upwards_first() {
    let mut bench = bench(vec![
        model("gemma-a", Layer::L0, 1),
        model("qwen-a", Layer::L1, 2),
        model("claude-a", Layer::L2, 3),
        model("claude-b", Layer::L2, 4),
        model("llama-a", Layer::L2, 5),
        model("gpt-top", Layer::L3, 9),
    ]);
    bench.core.settings.skip_below_percent = [0; 3];
    assert_eq!(bench.ask(HARD_PROSE).ids()[0], "claude-a");
    let expected: Vec<ModelId> = ["llama-a", "gpt-top", "qwen-a", "gemma-a"].map(Into::into).to_vec();
    assert_eq!(reviewers_of(&bench), expected);
    bench.core.settings.reviews = false;
    assert!(is_off(&bench));
}

#[test]
fn a_check_without_anybody_to_make_it_is_planned_and_names_nobody() {
    let bench = bench(vec![model("gemma-a", Layer::L0, 1), model("gemma-b", Layer::L0, 1)]);
    assert!(reviewers_of(&bench).is_empty());
}

#[test]
fn an_arm_that_names_who_answers_has_no_panel() {
    use crate::protocol::{Arm, Experiment, ExperimentId, ExperimentStatus, GuardRails, Sticky};
    let bench = bench(fitted_models());
    let check_of = |spec: ArmSpec| {
        let experiment = Experiment {
            id: ExperimentId::from_bytes([7; 16]),
            name: "mine".into(),
            status: ExperimentStatus::Running,
            task: None,
            sticky: Sticky::Request,
            arms: vec![Arm {
                name: "a".into(),
                weight: 1,
                spec,
            }],
            guard: GuardRails::default(),
            stopped_reason: None,
            created_at: 1,
            updated_at: 1,
        };
        bench.learn(|learned| learned.experiments = vec![experiment.into()]);
        let decision = bench.decision();
        assert!(decision.arm.is_some());
        decision.check
    };
    assert!(matches!(
        check_of(ArmSpec::Strategy(Strategy::Value)),
        CheckPlan::Panel(_)
    ));
    assert!(matches!(check_of(ArmSpec::Layer(Layer::L2)), CheckPlan::Review { .. }));
}

#[test]
fn a_layer_that_was_asked_for_is_not_answered_by_a_panel_from_below_it() {
    let mut bench = bench(ladder());
    bench.request.target = Target::Layer(Layer::L2);
    assert_eq!(reviewers_of(&bench), ["gpt-top".into()]);
}

#[test]
fn the_best_model_is_asked_at_once_where_cheap_answers_would_only_be_paid_in_vain() {
    let mut bench = bench(fitted_models());
    // Price does not matter, and the best model's chance is above the panel's.
    bench.core.settings.lambda = Some(50.0);
    assert!(!panel_of(&bench).straight_to_top);
    let panel = panel_of(&bench);
    assert_eq!(panel.lambda, 50.0);
}

#[test]
fn a_best_model_that_is_asked_at_once_says_so_wherever_it_is_told_of() {
    let dear = [
        ("gemma-a", Layer::L0),
        ("qwen-a", Layer::L1),
        ("llama-a", Layer::L2),
        ("gpt-top", Layer::L3),
    ];
    let mut bench = bench(dear.map(|(id, layer)| model(id, layer, 9)).to_vec());
    bench.core.settings.lambda = Some(0.5);
    let plan = bench.core.plan(&bench.request, tokio::time::Instant::now()).unwrap();
    let check = &plan.decision.as_ref().unwrap().check;
    let best = check.at_once().unwrap();
    assert_eq!(best.model.id.as_str(), "gpt-top");
    let told = plan
        .candidates
        .iter()
        .filter(|one| one.reason.selection == Selection::AtOnce);
    assert_eq!(told.map(|one| &one.model.id).collect::<Vec<_>>(), [&best.model.id]);
    assert_eq!(
        best.reason.to_string(),
        "at once: worth more than cheaper answers first"
    );
    bench.core.settings.lambda = Some(0.0);
    assert!(bench.decision().check.at_once().is_none());
}

#[test]
fn after_an_approval_whoever_could_have_answered_before_may_only_judge() {
    let mut bench = bench(ladder());
    bench.core.settings.auto_escalate = false;
    let wish = &mut bench.request.wish;
    wish.leave = Leave::UpTo(Layer::L2);
    wish.floor = Some(Layer::L2);
    wish.above = Some(Layer::L1);
    for text in [EASY, HARD_PROSE, HARD] {
        assert_eq!(bench.ask(text).ids(), ["claude-mid"], "{text}");
    }
    assert_eq!(
        reviewers_of(bench.ask(HARD_PROSE)),
        ["qwen-cheap", "gemma-free"].map(ModelId::from)
    );
    bench.request.max_layer = Some(Layer::L1);
    let refused = bench.core.plan(&bench.request, tokio::time::Instant::now());
    let (layer, max) = (Layer::L2, Layer::L1);
    assert_eq!(refused.unwrap_err(), RouteError::LayerNotAllowed { layer, max });
    // What is planned without a question is no different.
    bench.request.max_layer = None;
    bench.request.question = None;
    assert_eq!(bench.ids(), ["claude-mid"]);
}
