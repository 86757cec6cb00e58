use gateway_routing::RoutingModel;

use super::*;
use crate::protocol::TestResults;
use crate::router::bench::{Bench, EASY, HARD, HARD_PROSE, NOTHING, ladder};

fn class(bench: &Bench) -> Class {
    let question = bench.request.question.as_deref().unwrap();
    let read = RoutingModel::shipped().unwrap().question(&question.text);
    Class::of(&read, question, &bench.request)
}

#[test]
fn a_text_without_signals_is_never_simple() {
    let mut bench = Bench::new(ladder());
    for text in ["", NOTHING, "???", "Здравствуйте, как дела", "ok", "\u{0}\u{1}", "1"] {
        let class = class(bench.ask(text));
        assert_ne!(class.complexity, Complexity::Simple, "{text}");
    }
    assert!(class(bench.ask(NOTHING)).unsure);
}

#[test]
fn the_class_follows_the_text() {
    let mut bench = Bench::new(ladder());
    assert_eq!(class(bench.ask(EASY)).complexity, Complexity::Simple);
    for hard in [HARD, HARD_PROSE] {
        assert_eq!(class(bench.ask(hard)).complexity, Complexity::Complex, "{hard}");
    }
    assert!(class(bench.ask(HARD)).difficulty > class(bench.ask(EASY)).difficulty);
}

#[test]
fn a_short_text_without_numbers_formulas_or_code_is_never_complex_and_that_is_a_close_call() {
    let mut bench = Bench::new(ladder());
    for text in ["What is your name?", "What is the capital city of France?"] {
        let found = class(bench.ask(text));
        assert_eq!((found.complexity, found.unsure), (Complexity::Medium, true), "{text}");
    }
    bench.request.wish.rated = Some(Complexity::Complex);
    assert_eq!(class(bench.ask("Prove it.")).complexity, Complexity::Complex);
}

#[test]
fn a_long_conversation_is_no_simple_matter() {
    let mut bench = Bench::new(ladder());
    bench.ask(EASY);
    for (turns, expected) in [(8, Complexity::Simple), (9, Complexity::Medium)] {
        assert_eq!(
            class(bench.with(|question| question.user_turns = turns)).complexity,
            expected
        );
    }
}

#[test]
fn the_task_is_the_callers_then_the_texts_then_the_endpoints() {
    let mut bench = Bench::new(ladder());
    let code = "Write a Python function that reverses a list and add unit tests.";
    bench.request.task = TaskType::Chat;
    assert_eq!(class(bench.ask(code)).task, TaskType::Code);
    assert_eq!(class(bench.ask("The sky over the sea")).task, TaskType::Chat);
    bench.request.wish.task_is_given = true;
    assert_eq!(class(bench.ask(code)).task, TaskType::Chat);
}

#[test]
fn tools_that_are_offered_alone_do_not_make_it_code() {
    let mut bench = Bench::new(ladder());
    bench.request.task = TaskType::Chat;
    bench
        .ask("Book me a table for two tonight")
        .with(|question| question.has_tools = true);
    assert_ne!(class(&bench).task, TaskType::Code);
}

#[test]
fn what_a_rating_model_said_takes_the_place_of_the_signals_class() {
    let mut bench = Bench::new(ladder());
    bench.ask(EASY).request.wish.rated = Some(Complexity::Complex);
    let class = class(&bench);
    assert_eq!((class.complexity, class.unsure), (Complexity::Complex, false));
}

#[test]
fn signals_are_named_only_to_whoever_wants_to_see_them() {
    let mut bench = Bench::new(ladder());
    assert!(class(bench.ask(HARD)).signals.is_empty());
    bench.request.wish.explain = true;
    let signals = class(&bench).signals;
    assert!(!signals.is_empty());
    assert!(signals.is_sorted_by(|a, b| a.1.abs() >= b.1.abs()), "{signals:?}");
}

#[test]
fn failed_tests_and_tools_that_fail_in_a_row_are_evidence() {
    let mut bench = Bench::new(ladder());
    let found = |bench: &Bench| evidence_before(bench.request.question.as_deref().unwrap(), &bench.request);
    assert_eq!(found(bench.with(|question| question.tool_errors = 1)), None);
    assert_eq!(
        found(bench.with(|question| question.tool_errors = 2)),
        Some(Evidence::ToolErrors)
    );
    bench.with(|question| question.tool_errors = 0);
    let tests = |failed| TestResults {
        passed: 3,
        failed,
        output: None,
    };
    bench.request.wish.tests = Some(tests(0));
    assert_eq!(found(&bench), None);
    bench.request.wish.tests = Some(tests(1));
    assert_eq!(found(&bench), Some(Evidence::FailedTests));
}
