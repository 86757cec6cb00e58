use std::collections::HashMap;

use super::*;
use crate::protocol::{
    Complexity, ConversationMark, Decision, ExperimentId, ExperimentStatus, GuardRails, LoopKey, NanoUsd, Strategy,
    Target, TaskType,
};
use crate::router::bench::{Bench, EASY, HARD, ladder, model};

fn arm(name: &str, spec: ArmSpec) -> Arm {
    Arm {
        name: name.into(),
        weight: 1,
        spec,
    }
}

fn experiment(sticky: Sticky, arms: Vec<Arm>) -> Experiment {
    Experiment {
        id: ExperimentId::from_bytes([7; 16]),
        name: "mine".into(),
        status: ExperimentStatus::Running,
        task: None,
        sticky,
        arms,
        guard: GuardRails::default(),
        stopped_reason: None,
        created_at: 1,
        updated_at: 1,
    }
}

/// A bench in which this experiment runs.
fn bench(experiment: Experiment) -> Bench {
    let mut bench = Bench::new(ladder());
    bench.learn(|learned| learned.experiments = vec![Arc::new(experiment)]);
    bench.ask(EASY);
    bench
}

/// An experiment of one way only, whatever the unit is.
fn only(spec: ArmSpec) -> Bench {
    bench(experiment(
        Sticky::Request,
        vec![arm("a", spec.clone()), arm("b", spec)],
    ))
}

fn arm_name(bench: &Bench) -> String {
    bench.decision().arm.unwrap().arm.to_string()
}

#[test]
fn an_arm_says_who_answers_or_where_it_starts_or_by_what_it_is_chosen() {
    let bench = only(ArmSpec::Model("claude-mid".into()));
    assert_eq!(bench.ids()[0], "claude-mid");
    let decision = bench.decision();
    assert_eq!(
        (decision.start, decision.arm.unwrap().experiment.starts_with("exp_")),
        (Layer::L2, true)
    );
    assert_eq!(only(ArmSpec::Layer(Layer::L2)).ids()[0], "claude-mid");
    let bench = only(ArmSpec::Strategy(Strategy::Heuristic));
    assert_eq!(bench.decision().strategy, Strategy::Heuristic);
}

#[test]
fn a_request_for_which_an_arm_may_not_be_used_is_out_of_the_experiment() {
    for spec in [ArmSpec::Model("gpt-top".into()), ArmSpec::Layer(Layer::L3)] {
        let mut bench = only(spec);
        let is_out = |bench: &Bench| {
            let Decision { arm, skipped, .. } = bench.decision();
            assert_eq!(bench.ids()[0], "gemma-free");
            arm.is_none() && skipped == [(Layer::L3, NOT_ALLOWED)]
        };
        bench.request.max_layer = Some(Layer::L2);
        assert!(is_out(&bench));
        bench.request.max_layer = None;
        bench.core.settings.auto_escalate = false;
        assert!(is_out(&bench), "an experiment never spends without leave");
        bench.core.settings.auto_escalate = true;
        bench.request.needs.input_estimate = 1_000;
        bench.request.wish.left = Some(NanoUsd(1));
        assert!(is_out(&bench));
        bench.request.wish.left = None;
        assert!(bench.decision().arm.is_some());
    }
}

#[test]
fn a_request_whose_arm_cannot_be_called_stays_in_the_experiment_and_says_so() {
    for spec in [ArmSpec::Model("gpt-top".into()), ArmSpec::Layer(Layer::L3)] {
        let mut bench = only(spec);
        bench.shut(&["gpt-top"]);
        assert_eq!(bench.ids().last().unwrap(), "gpt-top", "it is the last that is asked");
        assert!(bench.decision().arm.unwrap().is_shut);
        bench.shut(&["gemma-free"]);
        assert!(!bench.decision().arm.unwrap().is_shut, "it is the arm's own that count");
        bench.shut(&[]);
        assert!(!bench.decision().arm.unwrap().is_shut);
        bench.request.max_layer = Some(Layer::L2);
        assert!(bench.decision().arm.is_none(), "whoever may not use it is out of it");
    }
    let mut moved = only(ArmSpec::Model("gemma-free".into()));
    moved.shut(&["gemma-free"]);
    moved.request.wish.floor = Some(Layer::L1);
    assert!(!moved.decision().arm.unwrap().is_shut, "it would not be asked");
}

#[test]
fn a_request_is_in_an_experiment_only_if_every_arm_could_be_used_for_it() {
    // Else the arm of the dear layer would be judged by those alone who may use it.
    let arms = vec![
        arm("cheap", ArmSpec::Layer(Layer::L0)),
        arm("dear", ArmSpec::Model("gpt-top".into())),
    ];
    let mut bench = bench(experiment(Sticky::Conversation, arms));
    let mut arms_of = |max_layer| {
        bench.request.max_layer = max_layer;
        let arms = (0..40).map(|number| {
            bench.request.wish.unit_conversation = Some(format!("c{number}").into());
            bench.decision().arm.map(|arm| arm.arm.to_string())
        });
        arms.collect::<std::collections::HashSet<_>>()
    };
    assert_eq!(arms_of(Some(Layer::L2)), [None].into());
    assert_eq!(arms_of(None), [Some("cheap".into()), Some("dear".into())].into());
}

#[test]
fn a_conversation_that_has_moved_up_stays_in_its_arm_and_does_not_fall() {
    for spec in [ArmSpec::Model("gemma-free".into()), ArmSpec::Layer(Layer::L0)] {
        let mut bench = only(spec);
        bench.request.wish.floor = Some(Layer::L1);
        assert!(bench.decision().arm.is_some());
        assert_eq!(bench.ids()[0], "qwen-cheap");
    }
    let mut bench = only(ArmSpec::Layer(Layer::L2));
    bench.request.wish.floor = Some(Layer::L1);
    assert_eq!(bench.ids()[0], "claude-mid");
}

#[test]
fn a_conversation_without_an_id_meets_the_same_arm_in_all_its_turns() {
    let mut bench = pair(Sticky::Conversation);
    let mut seen = std::collections::HashSet::new();
    for number in 0..40 {
        let mut arms = std::collections::HashSet::new();
        for turn in 0..4 {
            bench.number(u32::from(4 * number + turn));
            bench.request.wish.unit_user = Some(format!("u{turn}").into());
            bench.with(|question| {
                question.loop_key = Some(LoopKey {
                    conversation: ConversationMark {
                        beginning: [number; 16],
                        answered: (turn > 0).then_some([number + 100; 16]),
                        is_young: turn < 2,
                    },
                    turn: [turn; 16],
                });
            });
            arms.insert(arm_name(&bench));
        }
        assert_eq!(arms.len(), 1, "{number}");
        seen.extend(arms);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn an_experiment_takes_no_request_that_names_a_model_or_a_layer_or_stays_in_its_loop() {
    let mut bench = only(ArmSpec::Model("claude-mid".into()));
    bench.request.target = Target::Layer(Layer::L1);
    assert!(bench.decision().arm.is_none());
    bench.request.target = Target::Named("gpt-top".into());
    assert_eq!(bench.ids(), ["gpt-top"]);
    bench.request.target = Target::Auto;
    bench.request.wish.stay = Some("qwen-cheap".into());
    assert!(bench.decision().arm.is_none());
    assert_eq!(bench.ids()[0], "qwen-cheap");
}

#[test]
fn the_oldest_experiment_for_the_task_applies_and_no_other() {
    let (mut code, all) = (
        experiment(Sticky::Request, vec![arm("code", ArmSpec::Layer(Layer::L1))]),
        experiment(Sticky::Request, vec![arm("all", ArmSpec::Layer(Layer::L2))]),
    );
    code.task = Some(TaskType::Code);
    let mut bench = Bench::new(ladder());
    bench.learn(|learned| learned.experiments = vec![Arc::new(code), Arc::new(all)]);
    bench.ask(EASY);
    assert_eq!(arm_name(&bench), "all");
    bench.ask("Write a Python function that reverses a list and add unit tests.");
    assert_eq!(arm_name(&bench), "code");
}

/// Two arms of equal weight.
fn pair(sticky: Sticky) -> Bench {
    let strategy = |name, strategy| arm(name, ArmSpec::Strategy(strategy));
    let arms = vec![strategy("a", Strategy::Layers), strategy("b", Strategy::Value)];
    bench(experiment(sticky, arms))
}

#[test]
fn a_conversation_meets_the_same_arm_whoever_asks_and_a_user_in_every_conversation() {
    let mut bench = pair(Sticky::Conversation);
    let mut seen = HashMap::new();
    for number in 0..40 {
        bench.request.wish.unit_conversation = Some(format!("c{number}").into());
        for (place, user) in (0..).zip(["u", "v"]) {
            bench.request.wish.unit_user = Some(user.into());
            bench.number(2 * number + place);
            let arm = arm_name(&bench);
            assert_eq!(*seen.entry(number).or_insert_with(|| arm.clone()), arm);
        }
    }
    let arms: std::collections::HashSet<&String> = seen.values().collect();
    assert_eq!(arms.len(), 2, "40 conversations meet both");
    // Without a conversation the user counts, without either the request.
    bench.request.wish.unit_conversation = None;
    let of_user = arm_name(&bench);
    for number in 0..20 {
        bench.number(number);
        assert_eq!(arm_name(&bench), of_user);
    }
    bench.request.wish.unit_user = None;
    let mut of_requests = std::collections::HashSet::new();
    for number in 0..40 {
        bench.number(number);
        of_requests.insert(arm_name(&bench));
    }
    assert_eq!(of_requests.len(), 2);
}

/// Two models of L0 at one price.
fn twins() -> Bench {
    let mut bench = Bench::new(vec![
        model("gemma-a", Layer::L0, 1),
        model("qwen-b", Layer::L0, 1),
        model("gpt-dear", Layer::L1, 40),
    ]);
    bench.core.settings.adaptive = true;
    bench.core.settings.adaptive_floor_percent = 0;
    bench.request.needs.input_estimate = 100;
    bench.ask(EASY);
    bench
}

fn firsts(bench: &mut Bench, requests: u32) -> HashMap<String, u32> {
    let mut firsts = HashMap::new();
    for number in 0..requests {
        bench.number(number);
        *firsts.entry(bench.ids()[0].clone()).or_default() += 1;
    }
    firsts
}

fn teach(bench: &Bench, outcomes: &[(&str, u32, u32)]) {
    let class = bench.decision();
    let known = outcomes.iter().map(|(model, successes, failures)| LearnedModel {
        model: (*model).into(),
        answers: 0,
        successes: *successes,
        failures: *failures,
    });
    let known: Vec<LearnedModel> = known.collect();
    bench.learn(|learned| {
        learned.table.insert((class.task, class.complexity), known);
    });
}

#[test]
fn without_outcomes_equals_are_tried_about_equally_often() {
    let firsts = firsts(&mut twins(), 4_000);
    // Of 4,000, about 1,430 each, and the rest to the dearer one.
    let is_fair = |model: &str| (1_300..1_560).contains(&firsts[model]);
    assert!(is_fair("gemma-a") && is_fair("qwen-b"), "{firsts:?}");
}

#[test]
fn what_did_well_is_tried_more_often_but_only_for_such_requests() {
    let mut bench = twins();
    teach(&bench, &[("gemma-a", 10, 400), ("qwen-b", 400, 10)]);
    assert_eq!(firsts(&mut bench, 200).get("qwen-b"), Some(&200));
    let class = bench.ask(HARD).decision();
    assert_eq!(class.complexity, Complexity::Complex);
    bench.core.settings.skip_below_percent = [0; 3];
    assert!(!firsts(&mut bench, 50).contains_key("qwen-b"), "it starts higher");
}

#[test]
fn a_little_exploration_goes_to_what_costs_no_more() {
    let mut bench = twins();
    teach(&bench, &[("gemma-a", 0, 900), ("qwen-b", 900, 0)]);
    bench.core.settings.adaptive_floor_percent = 50;
    let firsts = firsts(&mut bench, 400);
    // Half of the draws are among both.
    assert!((50..150).contains(&firsts["gemma-a"]), "{firsts:?}");
    assert!(!firsts.contains_key("gpt-dear"), "{firsts:?}");
}

#[test]
fn the_adaptive_choice_keeps_to_what_is_allowed_and_above_the_start() {
    let mut bench = twins();
    bench.core.settings.auto_escalate = false;
    teach(
        &bench,
        &[("gpt-dear", 10_000, 0), ("gemma-a", 0, 900), ("qwen-b", 0, 900)],
    );
    bench.core.settings.lambda = Some(0.0);
    assert!(!firsts(&mut bench, 50).contains_key("gpt-dear"));
    bench.core.settings.auto_escalate = true;
    assert!(firsts(&mut bench, 50).contains_key("gpt-dear"));
    bench.request.wish.floor = Some(Layer::L1);
    assert_eq!(firsts(&mut bench, 50)["gpt-dear"], 50);
    bench.shut(&["gpt-dear"]);
    assert!(!firsts(&mut bench, 50).contains_key("gpt-dear"));
}

#[test]
fn the_choice_of_a_request_can_be_made_again_from_its_id() {
    let mut bench = twins();
    for number in 0..20 {
        bench.number(number);
        assert_eq!(bench.ids(), bench.ids());
    }
}
