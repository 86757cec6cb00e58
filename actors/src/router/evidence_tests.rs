//! What failed tests and failing tools change about a plan.

use super::*;
use crate::protocol::{Leave, TestResults};
use crate::router::bench::{Bench, EASY, HARD, ladder};

const FREE: &str = "gemma-free";
const CHEAP: &str = "qwen-cheap";
const MID: &str = "claude-mid";
const TOP: &str = "gpt-top";

/// Of medium complexity.
const MEDIUM: &str = "zzzz";

fn start(bench: &Bench) -> Layer {
    bench.decision().start
}

#[test]
fn failed_tests_and_tools_let_it_start_a_layer_higher() {
    let mut bench = Bench::new(ladder());
    assert_eq!(start(bench.ask(EASY)), Layer::L0);
    assert_eq!(bench.decision().raised_by, None);
    bench.request.wish.tests = Some(TestResults {
        passed: 0,
        failed: 1,
        output: None,
    });
    assert_eq!(start(&bench), Layer::L1);
    assert_eq!(bench.decision().raised_by, Some(Evidence::FailedTests));
    bench.core.settings.strategy = Strategy::Value;
    assert!(start(&bench) >= Layer::L1);
    bench.core.settings.strategy = Strategy::Layers;
    bench.request.wish.tests = None;
    assert_eq!(start(bench.with(|question| question.tool_errors = 2)), Layer::L1);
    bench.request.quality = QualityLevel::Critical;
    assert_eq!(
        start(bench.ask(HARD).with(|question| question.tool_errors = 2)),
        Layer::L3
    );
}

#[test]
fn without_leave_failed_tests_and_tools_are_told_with_the_layer_that_they_call_for() {
    let mut bench = Bench::new(ladder());
    bench.core.settings.auto_escalate = false;
    let asked = |bench: &Bench| {
        assert_eq!(bench.ids(), [FREE]);
        assert_eq!(bench.decision().raised_by, None, "it starts where it would anyway");
        bench.plan().confirmation.map(|asked| (asked.layer, asked.evidence))
    };
    assert_eq!(asked(bench.ask(MEDIUM)), None);
    bench.with(|question| question.tool_errors = 2);
    assert_eq!(asked(&bench), Some((Layer::L1, Evidence::ToolErrors)));
    bench.request.wish.tests = Some(TestResults {
        passed: 4,
        failed: 3,
        output: None,
    });
    assert_eq!(asked(&bench), Some((Layer::L1, Evidence::FailedTests)));
    bench.request.target = Target::Layer(Layer::L0);
    assert_eq!(asked(bench.ask(MEDIUM)), Some((Layer::L1, Evidence::FailedTests)));
    bench.request.target = Target::Auto;
    bench.request.quality = QualityLevel::High;
    assert_eq!(asked(&bench), Some((Layer::L2, Evidence::FailedTests)));
    // What is there without asking is not asked for, and what was approved is enough.
    bench.request.quality = QualityLevel::Normal;
    bench.request.wish.leave = Leave::UpTo(Layer::L1);
    bench.request.wish.floor = Some(Layer::L1);
    assert_eq!(bench.ids(), [CHEAP, FREE]);
    assert_eq!(bench.decision().raised_by, None, "the approval let it start there");
    assert_eq!(bench.plan().confirmation, None);
    bench.core.settings.max_layer = Layer::L0;
    assert_eq!(asked(&bench), None, "nothing above the highest layer is offered");
}

#[test]
fn a_layer_that_was_asked_for_is_left_upwards_where_tests_failed() {
    let mut bench = Bench::new(ladder());
    bench.request.target = Target::Layer(Layer::L1);
    bench.request.wish.tests = Some(TestResults {
        passed: 0,
        failed: 1,
        output: None,
    });
    assert_eq!(bench.ask(EASY).ids(), [MID, TOP, CHEAP]);
}

#[test]
fn a_loop_whose_tools_fail_again_and_again_goes_up_from_its_model_as_far_as_it_may() {
    let mut bench = Bench::new(ladder());
    bench.ask(EASY).with(|question| {
        question.in_loop = true;
        question.tool_errors = 1;
    });
    bench.request.wish.stay = Some(CHEAP.into());
    bench.request.wish.floor = Some(Layer::L1);
    assert_eq!(bench.ids()[0], CHEAP);
    bench.with(|question| question.tool_errors = 2);
    assert_eq!(bench.ids(), [MID, TOP, CHEAP, FREE]);
    assert_eq!(bench.plan().confirmation, None);
    bench.core.settings.auto_escalate = false;
    bench.request.wish.leave = Leave::UpTo(Layer::L1);
    let plan = bench.plan();
    assert_eq!(plan.candidates[0].model.id.as_str(), CHEAP);
    let asked = plan.confirmation.unwrap();
    assert_eq!((asked.layer, asked.evidence), (Layer::L2, Evidence::ToolErrors));
}
