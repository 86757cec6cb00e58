//! The eighteen signals of an answer's text.

use std::collections::HashSet;

use memchr::memmem;

use crate::answer::{Extracted, Found};
use crate::math::{flag, log1, standardise};
use crate::model::Scale;
use crate::numeric::number;

/// How many there are.
pub(crate) const COUNT: usize = 18;

/// Their names, in the order of all tables.
pub(crate) const NAMES: [&str; COUNT] = [
    "tokens",
    "none",
    "cut",
    "hedges",
    "sums_true",
    "sums_false",
    "number",
    "integer",
    "negative",
    "magnitude",
    "in_question",
    "in_body",
    "in_body_end",
    "length",
    "lines",
    "preface",
    "repeats",
    "several",
];

/// What is said by somebody who is not sure.
const HEDGES: [&str; 20] = [
    "however",
    "wait,",
    "actually",
    "re-evaluat",
    "reevaluat",
    "reconsider",
    "recheck",
    "mistake",
    "incorrect",
    "impossible",
    "not possible",
    "seems",
    "assum",
    "approximately",
    "ambigu",
    "cannot",
    "unclear",
    "apolog",
    "correction",
    "but ",
];

/// From so many tokens on a text counts as cut.
const CUT_TOKENS: u32 = 4000;
/// How many characters before the answer are its reasoning's end.
const BODY_END: usize = 250;
/// Sentences of more characters count when they are repeated.
const SENTENCE: usize = 20;

/// An answer's text, and what goes with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) answer: Extracted<'a>,
    pub(crate) question: &'a str,
    pub(crate) literal: bool,
    pub(crate) tokens: u32,
    pub(crate) cut: bool,
}

/// The values, standardised by those of the model that wrote the text.
pub(crate) fn standard_signals(text: &Text<'_>, scale: &[Scale; COUNT], clip: f64) -> [f64; COUNT] {
    let mut values = signals(text);
    for (value, scale) in values.iter_mut().zip(scale) {
        *value = standardise(*value, scale.mean, scale.deviation, clip);
    }
    values
}

/// Their values.
pub(crate) fn signals(text: &Text<'_>) -> [f64; COUNT] {
    let whole = text.text;
    let raw = text.answer.raw;
    let small = whole.to_ascii_lowercase();
    let count = |what: &str| memmem::find_iter(whole.as_bytes(), what).count();
    let hedges = HEDGES
        .iter()
        .map(|hedge| memmem::find_iter(small.as_bytes(), hedge).count());
    let (good, bad) = sums(whole);
    let value = if text.literal { None } else { number(raw) };
    let body = match whole.rfind("\"answer\"") {
        Some(at) if at > 0 => whole.get(..at).unwrap_or(whole),
        _ => whole,
    };
    let end = body.char_indices().rev().nth(BODY_END - 1).map_or(0, |(at, _)| at);
    let stated = raw.trim().trim_matches('$');
    let within = |text: &str| flag(!stated.is_empty() && memmem::find(text.as_bytes(), stated.as_bytes()).is_some());
    let start = whole.trim_start();
    [
        f64::from(text.tokens).ln_1p(),
        flag(text.answer.found == Found::Nothing),
        flag(text.cut || text.tokens >= CUT_TOKENS),
        log1(hedges.sum()),
        log1(good),
        log1(bad),
        flag(value.is_some()),
        flag(value.is_some_and(|value| value == value.floor())),
        flag(value.is_some_and(|value| value < 0.0)),
        value.map_or(0.0, |value| value.abs().min(1e9).ln_1p()),
        within(text.question),
        within(body),
        within(body.get(end..).unwrap_or_default()),
        log1(raw.chars().count()),
        log1(count("\n") + count("\\n")),
        flag(!start.starts_with('{') && !start.starts_with("```")),
        repeats(whole),
        log1(count("\"answer\"")),
    ]
}

/// The share of sentences that were there before.
fn repeats(text: &str) -> f64 {
    let lines = text
        .split('\n')
        .flat_map(|line| line.split("\\n"))
        .flat_map(|line| line.split(". "));
    let (mut all, mut seen) = (0_usize, HashSet::new());
    for line in lines.map(str::trim) {
        if line.chars().nth(SENTENCE).is_some() {
            all += 1;
            seen.insert(line);
        }
    }
    if all == 0 {
        0.0
    } else {
        1.0 - seen.len() as f64 / all as f64
    }
}

/// How many of the statements `a + b = c` in a text are true, and how many are not. What is part of a longer sum is none.
pub(crate) fn sums(text: &str) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    let mut at = 0;
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.find(|letter: char| letter.is_ascii_digit()))
    {
        let start = at + start;
        let Some(sum) = Sum::read(text, start) else {
            // All of these digits end where the first one's number ended, and fail as it did.
            at = start + run_length(text, start);
            continue;
        };
        at = sum.end;
        let before = text
            .get(..start)
            .unwrap_or_default()
            .trim_end_matches([' ', '$'])
            .chars()
            .next_back();
        let after = text.get(sum.end..).unwrap_or_default();
        let after = after.chars().take(8).find(|letter| *letter != ' ');
        let longer = before.is_some_and(|letter| "+-*/^×÷(.,=".contains(letter))
            || after.is_some_and(|letter| "+-*/^×÷(".contains(letter));
        match sum.holds() {
            Some(true) if !longer => good += 1,
            Some(false) if !longer => bad += 1,
            _ => {}
        }
    }
    (good, bad)
}

struct Sum {
    left: f64,
    sign: char,
    right: f64,
    stated: f64,
    end: usize,
}

impl Sum {
    fn read(text: &str, start: usize) -> Option<Self> {
        let (left, at) = figure(text, start)?;
        let at = blanks(text, at);
        let sign = text.get(at..)?.chars().next()?;
        if !"-+*/×÷".contains(sign) {
            return None;
        }
        let (right, at) = figure(text, dollar(text, blanks(text, at + sign.len_utf8())))?;
        let at = blanks(text, at);
        let rest = text.get(at..)?.strip_prefix('=')?;
        let at = dollar(text, blanks(text, text.len() - rest.len()));
        let negative = text.get(at..)?.starts_with('-');
        let (stated, end) = figure(text, at + usize::from(negative))?;
        Some(Self {
            left,
            sign,
            right,
            stated: if negative { -stated } else { stated },
            end,
        })
    }

    /// Whether it is true, within what rounding explains; `None` for a division by 0.
    fn holds(&self) -> Option<bool> {
        let divides = matches!(self.sign, '/' | '÷');
        if divides && self.right == 0.0 {
            return None;
        }
        let value = match self.sign {
            '+' => self.left + self.right,
            '-' => self.left - self.right,
            '*' | '×' => self.left * self.right,
            _ => self.left / self.right,
        };
        let loose: f64 = if divides { 0.5 } else { 0.0 };
        Some((value - self.stated).abs() <= loose.max(0.006 * value.abs().max(1.0)))
    }
}

/// How many digits and commas there are from a place on.
fn run_length(text: &str, start: usize) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    rest.iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b',')
        .count()
}

/// A number with commas and perhaps a fraction, and where it ends.
fn figure(text: &str, start: usize) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    if !bytes.get(start)?.is_ascii_digit() {
        return None;
    }
    let mut end = start + run_length(text, start);
    if bytes.get(end) == Some(&b'.') {
        let fraction = bytes.get(end + 1..).unwrap_or_default();
        let places = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        end += if places > 0 { places + 1 } else { 0 };
    }
    let digits = text.get(start..end)?.replace(',', "");
    Some((digits.parse().ok()?, end))
}

fn blanks(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| **byte == b' ').count()
}

fn dollar(text: &str, at: usize) -> usize {
    at + usize::from(text.as_bytes().get(at) == Some(&b'$'))
}

#[cfg(test)]
#[path = "answer_signals_tests.rs"]
mod tests;
