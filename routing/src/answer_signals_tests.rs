use super::*;
use crate::answer::extract;

fn of(text: &str) -> [f64; COUNT] {
    signals(&Text {
        text,
        answer: extract(text),
        question: "How much are 17 sheep at $40?",
        literal: false,
        tokens: 60,
        cut: false,
    })
}

fn signal(text: &str, name: &str) -> f64 {
    let at = NAMES.iter().position(|known| *known == name).unwrap();
    of(text)[at]
}

#[test]
fn true_and_false_sums_are_counted() {
    assert_eq!(sums("17 * 40 = 680. Then 680 + 20 = $700, and 2 × 3 = 7."), (2, 1));
    assert_eq!(sums("1,000 - 1 = 999; 10 / 3 = 3.3; 10 ÷ 4 = 3"), (3, 0));
    assert_eq!(sums("5 - 8 = -3"), (1, 0));
}

#[test]
fn a_part_of_a_longer_sum_is_none() {
    assert_eq!(sums("2 + 3 + 4 = 9"), (0, 0));
    assert_eq!(sums("3 + 4 = 7 + 1"), (0, 0));
    assert_eq!(sums("(3 + 4 = 7"), (0, 0));
    assert_eq!(sums("8 / 0 = 3"), (0, 0));
}

#[test]
fn a_sum_is_found_within_digits_that_are_none() {
    assert_eq!(sums("1.2.5 * 4 = 20"), (0, 0));
    assert_eq!(sums("v1.2 2.5 * 4 = 10"), (1, 0));
    assert_eq!(sums("12, 3 + 4 = 7"), (0, 0));
    assert_eq!(sums("12; 3 + 4 = 7,"), (1, 0));
    assert_eq!(sums(&"1".repeat(100_000)), (0, 0));
    assert_eq!(sums(&"1+".repeat(50_000)), (0, 0));
}

#[test]
fn the_answer_is_looked_for_in_the_question_and_in_the_reasoning() {
    let text = "{\"reasoning\": \"17 at 40 are 680\", \"answer\": \"680\"}";
    assert_eq!(signal(text, "in_body"), 1.0);
    assert_eq!(signal(text, "in_body_end"), 1.0);
    assert_eq!(signal(text, "in_question"), 0.0);
    assert_eq!(signal("{\"answer\": \"$40\"}", "in_question"), 1.0);
    let far = format!("680 {} \"answer\": \"680\"", "ä".repeat(300));
    assert_eq!(signal(&far, "in_body"), 1.0);
    assert_eq!(signal(&far, "in_body_end"), 0.0);
}

#[test]
fn hedges_repeats_and_prefaces_are_seen() {
    assert_eq!(signal("However, it SEEMS so", "hedges"), 2_f64.ln_1p());
    assert_eq!(
        signal(
            "A sentence that is long enough. A sentence that is long enough",
            "repeats"
        ),
        0.5
    );
    assert_eq!(signal("Sure: {}", "preface"), 1.0);
    assert_eq!(signal("\n```json", "preface"), 0.0);
    assert_eq!(signal("", "none"), 1.0);
}

#[test]
fn every_text_gives_finite_values() {
    for text in [
        "",
        "\"answer\": \"9e999\"",
        "\"answer\": 1e9999",
        "é",
        "\"answer\": 10^{300} * 10^{300}",
    ] {
        assert!(of(text).iter().all(|value| value.is_finite()), "{text}: {:?}", of(text));
    }
}
