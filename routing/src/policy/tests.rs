use super::*;
use crate::question::Question;

#[path = "more_tests.rs"]
mod more;

const SHEEP: &str =
    "A farmer has 17 sheep and buys 25% more than twice as many at $40 each. How much does he pay for them?";

fn model() -> &'static RoutingModel {
    RoutingModel::shipped().unwrap()
}

fn candidate(name: &'static str, maker: &'static str, layer: Layer, cost: u64) -> Candidate<'static> {
    Candidate {
        name,
        maker,
        layer,
        cost,
        allowed: true,
    }
}

/// Models that the fit does not know, of three makers and a strongest.
fn unknown() -> Vec<Candidate<'static>> {
    vec![
        candidate("strong", "a", Layer::L3, 10_000_000),
        candidate("small-1", "a", Layer::L0, 10_000),
        candidate("small-2", "a", Layer::L0, 20_000),
        candidate("small-3", "b", Layer::L1, 30_000),
        candidate("small-4", "c", Layer::L1, 40_000),
    ]
}

/// The fit's own, at its own prices.
fn known(question: &Question<'_>) -> Vec<Candidate<'static>> {
    let tables = model().models.iter();
    tables
        .map(|table| {
            candidate(
                &table.name,
                "",
                table.layer,
                question.fitted_cost(model().known(&table.name).unwrap()),
            )
        })
        .collect()
}

fn terms(lambda: f64) -> Terms {
    Terms {
        lambda,
        unit: None,
        compare: Compare::Answers,
    }
}

fn says(text: &str) -> AnswerText<'_> {
    AnswerText {
        text,
        output_tokens: 60,
        cut: false,
    }
}

#[test]
fn the_panel_is_of_three_makers_and_the_cheapest() {
    let question = model().question(SHEEP);
    let plan = plan(&question, &unknown(), terms(0.15)).unwrap();
    assert_eq!(plan.decision().step, Step::CallPanel(Panel::Three([1, 3, 4])));
    assert_eq!(plan.decision().why, Why::PanelFirst);
    assert_eq!(plan.decision().offers.len(), 2);
}

#[test]
fn three_unknown_models_that_agree_are_believed() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.15)).unwrap();
    for place in [3, 1] {
        plan.answered(place, says("The answer is 1700.")).unwrap();
        assert_eq!(plan.decision().step, Step::CallPanel(Panel::Three([1, 3, 4])));
    }
    let decision = plan.answered(4, says("{\"answer\": \"$1,700\"}")).unwrap();
    assert_eq!((decision.step, decision.why), (Step::Accept(3), Why::LikelyRight));
    assert_eq!(decision.chance, Some(0.9797));
}

#[test]
fn three_unknown_models_that_differ_are_not() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.15)).unwrap();
    for (place, text) in [
        (1, "The answer is 1."),
        (3, "The answer is 2."),
        (4, "The answer is 3."),
    ] {
        plan.answered(place, says(text)).unwrap();
    }
    assert_eq!(plan.decision().step, Step::Call(0));
    assert_eq!(plan.decision().why, Why::StrongestIsBetter);
    let decision = plan.answered(0, says("The answer is 4.")).unwrap();
    assert_eq!((decision.step, decision.why), (Step::Accept(0), Why::Answered));
    assert_eq!(
        plan.answered(0, says("again")),
        Err(PolicyError::NotAsked { candidate: 0 })
    );
}

#[test]
fn a_higher_quality_asks_more_of_an_answer() {
    let question = model().question(SHEEP);
    let after = |lambda| {
        let mut plan = plan(&question, &unknown(), terms(lambda)).unwrap();
        for (place, text) in [(1, "answer: 1"), (3, "answer: 2"), (4, "answer: 2")] {
            plan.answered(place, says(text)).unwrap();
        }
        plan.decision().step
    };
    assert_eq!(after(0.5), Step::Accept(3));
    assert_eq!(after(model().lambda(Quality::Critical)), Step::Call(0));
    assert!(model().lambda(Quality::Normal) > model().lambda(Quality::High));
}

#[test]
fn a_weaker_strongest_is_expected_to_add_less() {
    let question = model().question(SHEEP);
    let offered = |layer| {
        let mut candidates = unknown();
        candidates[0].layer = layer;
        let mut plan = plan(&question, &candidates, terms(0.0)).unwrap();
        for (place, text) in [(1, "answer: 1"), (3, "answer: 2"), (4, "answer: 2")] {
            plan.answered(place, says(text)).unwrap();
        }
        let offers = &plan.decision().offers;
        offers.iter().find(|offer| offer.step == Step::Call(0)).unwrap().value
    };
    assert!((offered(Layer::L3) - model().strongest_after.other[1]).abs() < 1e-9);
    assert!(offered(Layer::L2) < offered(Layer::L3));
}

#[test]
fn the_strongest_without_an_answer_gives_way_to_the_best_before_it() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.02)).unwrap();
    for (place, text) in [(1, "answer: 1"), (3, "answer: 2"), (4, "answer: 2")] {
        plan.answered(place, says(text)).unwrap();
    }
    assert_eq!(plan.decision().step, Step::Call(0));
    let decision = plan.answered(0, says("I am still thinking")).unwrap();
    assert_eq!((decision.step, decision.why), (Step::Accept(3), Why::StrongestHasNone));
}

#[test]
fn a_failed_call_is_made_good_by_those_that_are_left() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.15)).unwrap();
    for place in [1, 3, 4] {
        plan.failed(place).unwrap();
    }
    assert_eq!(
        (plan.decision().step, plan.decision().why),
        (Step::Call(0), Why::AfterFailure)
    );
    plan.failed(0).unwrap();
    assert_eq!(plan.decision().step, Step::Call(2));
    plan.failed(2).unwrap();
    assert_eq!(plan.decision().step, Step::Exhausted);
}

#[test]
fn two_answers_of_a_panel_still_vote() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.5)).unwrap();
    plan.failed(1).unwrap();
    plan.answered(3, says("answer: 2")).unwrap();
    let decision = plan.answered(4, says("answer: 2")).unwrap();
    assert_eq!((decision.step, decision.chance), (Step::Accept(3), Some(0.8055)));
}

#[test]
fn free_text_is_asked_for_once() {
    let question = model().question("Tell me about the sea");
    let free = Terms {
        compare: Compare::Nothing,
        ..terms(0.15)
    };
    let mut plan = plan(&question, &unknown(), free).unwrap();
    let Step::Call(first) = plan.decision().step else {
        panic!("{:?}", plan.decision())
    };
    assert_eq!(plan.decision().why, Why::BestValue);
    assert_eq!(plan.decision().offers.len(), 5);
    plan.answered(first, says("  ")).unwrap();
    let Step::Call(second) = plan.decision().step else {
        panic!("{:?}", plan.decision())
    };
    assert_ne!(first, second);
    let decision = plan.answered(second, says("It is wide.")).unwrap();
    assert_eq!(decision.step, Step::Accept(second));
}

#[test]
fn a_low_lambda_asks_the_strongest_for_free_text_and_a_high_one_the_cheapest() {
    let question = model().question("Tell me about the sea");
    let first = |lambda| {
        let compare = Compare::Nothing;
        plan(
            &question,
            &unknown(),
            Terms {
                compare,
                ..terms(lambda)
            },
        )
        .unwrap()
        .decision()
        .step
    };
    assert_eq!(first(0.0), Step::Call(0));
    assert_eq!(first(1000.0), Step::Call(1));
}

#[test]
fn code_is_compared_by_its_structure() {
    let question = model().question("Write a function that adds two numbers in Rust.");
    let code = Terms {
        compare: Compare::Code,
        ..terms(0.15)
    };
    let mut plan = plan(&question, &unknown(), code).unwrap();
    assert_eq!(plan.decision().step, Step::CallPanel(Panel::Three([1, 3, 4])));
    plan.answered(1, says("```rust\nfn f() {}\n```")).unwrap();
    plan.answered(3, says("```rust\n// adds\nfn add(a: u8, b: u8) -> u8 { a + b }\n```"))
        .unwrap();
    plan.answered(4, says("Here:\n```rs\nfn add(a:u8, b:u8)->u8 {\n  a+b\n}\n```"))
        .unwrap();
    assert_eq!(plan.decision().chance, Some(model().agreement.code[1]));
}

#[test]
fn a_single_candidate_is_asked_whatever_it_costs() {
    let question = model().question(SHEEP);
    let one = [candidate("only", "a", Layer::L0, u64::MAX)];
    let mut plan = plan(&question, &one, terms(1e9)).unwrap();
    assert_eq!(plan.decision().step, Step::Call(0));
    let decision = plan.answered(0, says("I think it is a lot.")).unwrap();
    assert_eq!(decision.step, Step::Accept(0));
}

#[test]
fn candidates_that_cost_nothing_are_weighed_by_their_chances() {
    let question = model().question(SHEEP);
    let free: Vec<Candidate<'_>> = unknown().into_iter().map(|one| Candidate { cost: 0, ..one }).collect();
    let plan = plan(&question, &free, terms(0.15)).unwrap();
    assert!(
        plan.decision()
            .offers
            .iter()
            .all(|offer| (0.0..=1.0).contains(&offer.value))
    );
}

#[test]
fn a_known_panel_member_that_fails_leaves_a_verdict_over_the_others() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &known(&question), terms(0.15)).unwrap();
    let Step::CallPanel(panel) = plan.decision().step else {
        panic!("{:?}", plan.decision())
    };
    assert_eq!(*panel, [0, 1, 2]);
    plan.failed(2).unwrap();
    plan.answered(0, says("{\"answer\": \"1700\"}")).unwrap();
    let decision = plan.answered(1, says("{\"answer\": \"1700\"}")).unwrap();
    let chance = decision.chance.unwrap();
    assert!(chance > 0.5 && chance < 1.0, "{chance}");
    assert_ne!(decision.step, Step::Accept(2));
}

#[test]
fn a_known_panel_that_fails_leaves_the_strongest() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &known(&question), terms(0.15)).unwrap();
    for place in [0, 1, 2] {
        plan.failed(place).unwrap();
    }
    assert_eq!(
        (plan.decision().step, plan.decision().why),
        (Step::Call(5), Why::AfterFailure)
    );
}

#[test]
fn the_panel_comes_first_where_prices_do_not_count() {
    let question = model().question(SHEEP);
    let plan = plan(&question, &known(&question), terms(0.0)).unwrap();
    // Without prices the panel costs nothing, and the strongest can still be asked after it.
    assert_eq!(plan.decision().step, Step::CallPanel(Panel::Three([0, 1, 2])));
}

#[test]
fn terms_and_candidates_out_of_their_ranges_are_refused() {
    let question = model().question(SHEEP);
    let refused = |candidates: &[Candidate<'_>], lambda| plan(&question, candidates, terms(lambda)).unwrap_err();
    assert_eq!(refused(&[], 0.1), PolicyError::NoCandidates);
    for lambda in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(&unknown(), lambda), PolicyError::Lambda);
    }
    let many = vec![candidate("one", "a", Layer::L0, 1); 65];
    assert_eq!(refused(&many, 0.1), PolicyError::TooManyCandidates { most: 64 });
}

#[test]
fn who_was_not_asked_cannot_answer() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &unknown(), terms(0.15)).unwrap();
    for candidate in [0, 2, 5, usize::MAX] {
        assert_eq!(
            plan.answered(candidate, says("1")),
            Err(PolicyError::NotAsked { candidate })
        );
        assert_eq!(plan.failed(candidate), Err(PolicyError::NotAsked { candidate }));
    }
}
