use super::*;

/// Of an answer that nobody said anything of.
const PLAIN: Judgement = Judgement {
    ended: OutcomeEnd::Answered,
    check: CheckStatus::Off,
    judged: None,
    has_evidence: false,
    has_replaced: false,
};

fn judged(content: bool) -> Judgement {
    Judgement {
        judged: Some(content),
        ..PLAIN
    }
}

fn cut() -> Judgement {
    Judgement {
        has_evidence: true,
        ..PLAIN
    }
}

fn group(model: &str, judgement: Judgement, count: u64) -> OutcomeGroup {
    OutcomeGroup {
        task: TaskType::Code,
        complexity: Complexity::Medium,
        model: model.into(),
        judgement,
        was_replaced: false,
        count,
        cost: NanoUsd(1),
    }
}

/// Answers, successes and failures of each model.
fn counted(groups: &[OutcomeGroup]) -> Vec<(String, u32, u32, u32)> {
    let rows = count_successes(groups).into_iter();
    rows.map(|row| (row.model.to_string(), row.answers, row.successes, row.failures))
        .collect()
}

#[test]
fn answers_that_nobody_judged_are_told_and_count_for_nothing() {
    let silent = [group("weak", PLAIN, 5_000)];
    assert_eq!(counted(&silent), [("weak".to_owned(), 5_000, 0, 0)]);
    let some = [
        group("weak", PLAIN, 5_000),
        group("weak", judged(true), 3),
        group("weak", judged(false), 4),
    ];
    assert_eq!(counted(&some), [("weak".to_owned(), 5_007, 3, 4)]);
}

#[test]
fn what_was_chosen_among_several_answers_says_nothing_of_one_model() {
    let compared = |check| Judgement { check, ..judged(true) };
    let groups = [
        group("one", compared(CheckStatus::Agreed), 7),
        group("one", compared(CheckStatus::Disagreed), 7),
        group("one", compared(CheckStatus::Arbitrated), 7),
        group("one", compared(CheckStatus::Accepted), 2),
    ];
    assert_eq!(counted(&groups), [("one".to_owned(), 23, 2, 0)]);
    let replaced = OutcomeGroup {
        was_replaced: true,
        ..group("two", compared(CheckStatus::Arbitrated), 9)
    };
    assert_eq!(counted(&[replaced]), [("two".to_owned(), 9, 0, 0)]);
}

#[test]
fn what_speaks_against_an_answer_counts_as_often_as_the_others_are_judged() {
    let of = |silent, liked| {
        counted(&[
            group("one", PLAIN, silent),
            group("one", judged(true), liked),
            group("one", cut(), 100),
        ])
    };
    assert_eq!(of(500, 500), [("one".to_owned(), 1_100, 500, 50)]);
    assert_eq!(of(0, 1_000), [("one".to_owned(), 1_100, 1_000, 100)]);
    assert_eq!(of(1_000, 0), [("one".to_owned(), 1_100, 0, 0)]);
}

#[test]
fn failures_alone_do_not_sink_a_model_that_nobody_judges() {
    let groups = [
        group("judged", judged(true), 400),
        group("unjudged", PLAIN, 2_000),
        group("unjudged", cut(), 100),
        // Of this one there is nothing but answers that were cut.
        group("broken", cut(), 100),
    ];
    let found = counted(&groups);
    let of = |model: &str| found.iter().find(|row| row.0 == model).map(|row| (row.2, row.3));
    assert_eq!(of("unjudged"), Some((0, 0)), "{found:?}");
    assert_eq!(
        of("broken"),
        Some((0, 17)),
        "as often as a sixth of all answers is judged: {found:?}"
    );
}

#[test]
fn a_better_answer_is_right_and_the_one_it_replaced_is_wrong_as_often_as_answers_are_judged() {
    let better = Judgement {
        has_replaced: true,
        ..PLAIN
    };
    let replaced = OutcomeGroup {
        was_replaced: true,
        ..group("cheap", better, 40)
    };
    let groups = [
        group("cheap", judged(true), 1_000),
        group("better", judged(true), 1_000),
        group("better", better, 40),
        replaced,
    ];
    let expected = [
        ("better".to_owned(), 1_040, 1_040, 0),
        ("cheap".to_owned(), 1_040, 1_000, 40),
    ];
    assert_eq!(counted(&groups), expected);
}

#[test]
fn what_a_model_did_not_answer_counts_only_if_somebody_says_something() {
    for ended in [OutcomeEnd::Failed, OutcomeEnd::Refused, OutcomeEnd::Left] {
        assert_eq!(Judgement { ended, ..PLAIN }.said(), None);
        let said = Said {
            right: false,
            whole: true,
        };
        assert_eq!(Judgement { ended, ..judged(false) }.said(), Some(said));
    }
}
