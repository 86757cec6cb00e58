//! Panels of two, candidates that may not be asked, and two models that are chosen between by the question alone.

use super::*;

const HARD: &str = "Let $\\omega$ be a primitive complex root of $z^7 = 1$ and let $S = \\{(a, b, c) : 0 \\le a, b, c \\le 6\\}$. \
                    Find the number of ordered triples in $S$ such that \\[\\omega^a + \\omega^b + \\omega^c\\] is a real \
                    number, and express the sum of all such real numbers as a polynomial in $\\omega$.";

#[test]
fn two_beside_the_strongest_are_a_panel_of_two() {
    let question = model().question(SHEEP);
    let three: Vec<Candidate<'_>> = unknown().into_iter().take(3).collect();
    let after = |second: &str, lambda| {
        let mut plan = plan(&question, &three, terms(lambda)).unwrap();
        assert_eq!(plan.decision().step, Step::CallPanel(Panel::Two([1, 2])));
        plan.answered(1, says("answer: 1700")).unwrap();
        plan.answered(2, says(second)).unwrap().clone()
    };
    let agreed = after("answer: 1,700", 0.15);
    assert_eq!((agreed.step, agreed.why), (Step::Accept(1), Why::LikelyRight));
    assert_eq!(agreed.chance, Some(f64::midpoint(0.8055, 0.9797)));
    let differ = after("answer: 2", 0.15);
    assert_eq!((differ.step, differ.chance), (Step::Call(0), Some(0.4277)));
    // At no price the strongest is worth more than two that agree.
    assert_eq!(after("answer: 1700", 0.0).step, Step::Call(0));
}

#[test]
fn two_agree_no_less_often_than_three_do() {
    let question = model().question(SHEEP);
    let value = |count| {
        let candidates: Vec<Candidate<'_>> = unknown().into_iter().map(|one| Candidate { cost: 0, ..one }).collect();
        let plan = plan(&question, &candidates[..count], terms(0.15)).unwrap();
        plan.decision()
            .offers
            .iter()
            .map(|offer| offer.value)
            .collect::<Vec<_>>()
    };
    let (two, three) = (value(3), value(4));
    assert!(
        two.iter().chain(&three).all(|value| (0.5..1.0).contains(value)),
        "{two:?} {three:?}"
    );
    assert!((two[0] - three[0]).abs() < 0.1, "{two:?} {three:?}");
}

#[test]
fn a_member_of_a_pair_that_never_answers_leaves_the_other_with_one_vote() {
    let question = model().question(SHEEP);
    let three: Vec<Candidate<'_>> = unknown().into_iter().take(3).collect();
    let mut plan = plan(&question, &three, terms(0.15)).unwrap();
    plan.failed(2).unwrap();
    let decision = plan.answered(1, says("answer: 1700")).unwrap();
    assert_eq!((decision.step, decision.chance), (Step::Call(0), Some(0.4277)));
    let decision = plan.failed(0).unwrap();
    assert_eq!((decision.step, decision.why), (Step::Accept(1), Why::StrongestHasNone));
}

/// The candidates, of which some may not be asked.
fn without<'a>(candidates: Vec<Candidate<'a>>, not_allowed: &[usize]) -> Vec<Candidate<'a>> {
    let all = candidates.into_iter().enumerate();
    all.map(|(place, one)| Candidate {
        allowed: !not_allowed.contains(&place),
        ..one
    })
    .collect()
}

#[test]
fn a_plan_that_would_ask_who_may_not_be_asked_ends_and_names_it() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &without(unknown(), &[0]), terms(0.15)).unwrap();
    assert_eq!(plan.decision().step, Step::CallPanel(Panel::Three([1, 3, 4])));
    for (place, text) in [(1, "answer: 1"), (3, "answer: 2"), (4, "answer: 3")] {
        plan.answered(place, says(text)).unwrap();
    }
    let decision = plan.decision();
    assert_eq!(decision.step, Step::NeedsLeave { candidate: 0, best: 3 });
    assert_eq!((decision.why, decision.chance), (Why::StrongestIsBetter, Some(0.4277)));
    assert_eq!(plan.failed(0), Err(PolicyError::NotAsked { candidate: 0 }));
}

#[test]
fn what_may_not_be_asked_changes_nothing_where_nobody_would_ask_it() {
    let question = model().question(SHEEP);
    let mut plan = plan(&question, &without(unknown(), &[0, 2]), terms(0.15)).unwrap();
    for place in [1, 3, 4] {
        plan.answered(place, says("answer: 1700")).unwrap();
    }
    assert_eq!(
        (plan.decision().step, plan.decision().why),
        (Step::Accept(3), Why::LikelyRight)
    );
}

#[test]
fn leave_is_not_asked_for_at_first_nor_for_a_failure() {
    let question = model().question(HARD);
    let candidates = without(known(&question), &[3, 4, 5]);
    let mut plan = plan(&question, &candidates, terms(0.15)).unwrap();
    assert_eq!(
        (plan.decision().step, plan.decision().why),
        (Step::CallPanel(Panel::Three([0, 1, 2])), Why::StrongestNotAllowed)
    );
    for place in [0, 1, 2] {
        plan.failed(place).unwrap();
    }
    assert_eq!(
        (plan.decision().step, plan.decision().why),
        (Step::Exhausted, Why::AfterFailure)
    );
}

#[test]
fn a_model_between_that_may_not_be_asked_is_named_as_well() {
    let question = model().question(SHEEP);
    let end = |not_allowed: &[usize]| {
        let mut plan = plan(&question, &without(known(&question), not_allowed), terms(0.06)).unwrap();
        for (place, text) in [
            (
                0,
                r#"{"reasoning": "17 * 2 = 36. However, 36 * 40 = 1440", "answer": "1440"}"#,
            ),
            (1, r#"{"reasoning": "42.5 * 40 = 1700.", "answer": "1700"}"#),
            (2, r#"{"reasoning": "42.5 * 40 = 1700", "answer": "1,700"}"#),
        ] {
            plan.answered(place, says(text)).unwrap();
        }
        (plan.decision().step, plan.decision().why)
    };
    let (Step::Call(between @ (3 | 4)), Why::MayConfirm) = end(&[]) else {
        panic!("{:?}", end(&[]))
    };
    let leave = Step::NeedsLeave {
        candidate: between,
        best: 2,
    };
    assert_eq!(end(&[3, 4, 5]), (leave, Why::MayConfirm));
    assert_eq!(end(&[between]), (leave, Why::MayConfirm));
}

#[test]
fn single_calls_pass_over_who_may_not_be_asked() {
    let question = model().question("Tell me about the sea");
    let free = Terms {
        compare: Compare::Nothing,
        ..terms(0.0)
    };
    let mut plan = plan(&question, &without(unknown(), &[0, 3, 4]), free).unwrap();
    let Step::Call(first) = plan.decision().step else {
        panic!("{:?}", plan.decision())
    };
    let Step::Call(second) = plan.failed(first).unwrap().step else {
        panic!("{:?}", plan.decision())
    };
    assert_eq!([first, second], [1, 2]);
    assert_eq!(plan.failed(second).unwrap().step, Step::Exhausted);
    let nobody = without(unknown(), &[0, 1, 2, 3, 4]);
    assert_eq!(
        super::plan(&question, &nobody, free).unwrap_err(),
        PolicyError::NoCandidates
    );
}

/// Two models that the fit does not know, of different layers.
fn two() -> [Candidate<'static>; 2] {
    [
        candidate("strong", "a", Layer::L2, 1_000_000),
        candidate("weak", "b", Layer::L0, 0),
    ]
}

#[test]
fn two_models_are_chosen_between_by_the_expected_gain() {
    for text in [
        "Is every subgroup of a cyclic group abelian?",
        "Who was king then?",
        SHEEP,
    ] {
        let question = model().question(text);
        let gain = question.gain(Layer::L0, Layer::L2);
        let first = |lambda| plan(&question, &two(), terms(lambda)).unwrap().decision().step;
        assert_eq!(first(gain - 1e-6), Step::Call(0), "{text}");
        assert_eq!(first(gain + 1e-6), Step::Call(1), "{text}");
        let values = plan(&question, &two(), terms(0.0)).unwrap().decision().offers.clone();
        let middle = (question.chance(None, Layer::L0) + question.chance(None, Layer::L2)) / 2.0;
        assert!((f64::midpoint(values[0].value, values[1].value) - middle).abs() < 1e-12);
    }
}

#[test]
fn where_the_fit_knows_one_of_two_its_table_is_believed() {
    let question = model().question(SHEEP);
    let chances = |names: [&'static str; 2], layers: [Layer; 2]| {
        let pair = [0, 1].map(|place| candidate(names[place], "", layers[place], 0));
        let mut offers = plan(&question, &pair, terms(0.0)).unwrap().decision().offers.clone();
        offers.sort_by_key(|offer| offer.step == Step::Call(1));
        [offers[0].value, offers[1].value]
    };
    let known = model().known("gpt-4o-mini");
    assert_eq!(
        chances(["gpt-4o-mini", "another"], [Layer::L1, Layer::L2]),
        [question.chance(known, Layer::L1), question.chance(None, Layer::L2)]
    );
    assert_eq!(
        chances(["one", "another"], [Layer::L1, Layer::L1]),
        [question.chance(None, Layer::L1); 2]
    );
}
