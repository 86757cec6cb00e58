//! The number that an answer states, in words, formulas or digits.

use crate::sum;

/// The longest answer that is taken for a number, in characters; and the longest expression.
const LONGEST_ANSWER: usize = 400;
const LONGEST_SUM: usize = 200;

/// Whole numbers below it are exact as they are calculated with.
const EXACT_BELOW: f64 = 1e15;

/// From here on six digits are fewer than two places behind the point.
const TWO_PLACES_FROM: f64 = 1e4;

/// What is replaced, in this order: the marks of formulas, signs of money, percents and degrees.
const REPLACED: [(&str, &str); 27] = [
    ("\\\\", "\\"),
    ("\\$", ""),
    ("$", ""),
    ("\\left", ""),
    ("\\right", ""),
    ("\\!", ""),
    ("\\,", ""),
    ("\\;", ""),
    ("\\ ", " "),
    ("\\%", ""),
    ("%", ""),
    ("\\cdot", "*"),
    ("\\times", "*"),
    ("×", "*"),
    ("·", "*"),
    ("÷", "/"),
    ("−", "-"),
    ("**", "^"),
    ("\\(", ""),
    ("\\)", ""),
    ("\\[", ""),
    ("\\]", ""),
    ("^\\circ", ""),
    ("^{\\circ}", ""),
    ("°", ""),
    ("£", ""),
    ("€", ""),
];

/// The number, or `None`.
pub(crate) fn number(raw: &str) -> Option<f64> {
    value_of(&expression(raw)?)
}

/// The number in one spelling, or `None`. Whole numbers that are written in digits are equal only if each digit is.
pub(crate) fn number_key(raw: &str) -> Option<String> {
    let text = expression(raw)?;
    let value = value_of(&text)?;
    let exact = whole_digits(&text).filter(|_| value.abs() >= EXACT_BELOW);
    Some(exact.unwrap_or_else(|| number_form(value)))
}

fn value_of(expression: &str) -> Option<f64> {
    mixed(expression).unwrap_or_else(|| sum::value(expression))
}

/// A whole number's digits without a plus sign and zeros that lead, unless it is written otherwise.
fn whole_digits(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| format!("{sign}{}", digits.trim_start_matches('0')))
}

/// What is to be calculated: the answer without marks, units and what introduces it.
fn expression(raw: &str) -> Option<String> {
    let text = raw.trim().trim_matches('*').trim();
    if text.is_empty() || text.chars().nth(LONGEST_ANSWER).is_some() {
        return None;
    }
    let mut text = text.to_owned();
    for (from, to) in REPLACED {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    let mut text = ungroup(&unwrap_text(&text));
    if let (Some((_, last)), false) = (text.rsplit_once('='), text.contains("==")) {
        text = last.to_owned();
    }
    let text = without_words(text.trim().trim_end_matches('.').trim());
    text.chars().nth(LONGEST_SUM).is_none().then_some(text)
}

/// `\text{…}` and its like become what they contain, after a blank.
fn unwrap_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let opened = ["\\text{", "\\mathrm{", "\\textbf{", "\\mathbf{"]
            .iter()
            .find_map(|mark| after.strip_prefix(mark));
        let inside = opened.and_then(|inside| Some((inside, inside.find(['{', '}'])?)));
        match inside {
            Some((inside, end)) if inside.as_bytes().get(end) == Some(&b'}') => {
                let (content, after) = inside.split_at(end);
                out.push(' ');
                out.push_str(content);
                rest = after.get(1..).unwrap_or_default();
            }
            _ => {
                out.push('\\');
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// Drops the commas between thousands: those between a digit and exactly three.
fn ungroup(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let separates = |at: usize| {
        let before = at.checked_sub(1).is_some_and(digit);
        before && (at + 1..at + 4).all(digit) && !digit(at + 4)
    };
    let letters = text.char_indices();
    letters
        .filter(|(at, letter)| *letter != ',' || !separates(*at))
        .map(|(_, letter)| letter)
        .collect()
}

/// Without the words before and after: units, and what introduces the number.
fn without_words(text: &str) -> String {
    let is_word = |word: &&str, marks: &[char]| {
        let word = word.trim_matches(marks);
        !word.is_empty() && word.chars().all(char::is_alphabetic)
    };
    let mut words: &[&str] = &text.split_whitespace().collect::<Vec<_>>();
    while let [rest @ .., last] = words
        && !rest.is_empty()
        && is_word(last, &['.', ','])
    {
        words = rest;
    }
    while let [first, rest @ ..] = words
        && !rest.is_empty()
        && is_word(first, &['.', ',', ':'])
    {
        words = rest;
    }
    words.join(" ")
}

/// `7 1/2`; the inner `None` is for `7 1/0`.
fn mixed(text: &str) -> Option<Option<f64>> {
    let (whole, fraction) = text.split_once(' ')?;
    let (above, below) = fraction.split_once('/')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(whole) && digits(above) && digits(below)) {
        return None;
    }
    let parse = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let below = parse(below);
    Some((below != 0.0).then(|| parse(whole) + parse(above) / below))
}

/// A number in one spelling: as an integer where it is one below 10^15, else with six digits, as C's `%.6g`, and at
/// least two places behind the point, which sums of money have.
pub(crate) fn number_form(value: f64) -> String {
    if !value.is_finite() {
        "nan".to_owned()
    } else if value.abs() >= EXACT_BELOW {
        six_digits(value)
    } else if value.fract() == 0.0 {
        // In the range of i64.
        (value as i64).to_string()
    } else if value.abs() >= TWO_PLACES_FROM {
        without_zeros(&format!("{value:.2}")).to_owned()
    } else {
        six_digits(value)
    }
}

/// `1.50` as `1.5`, and `2.00` as `2`.
fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

fn six_digits(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let places = usize::try_from(5 - exponent).unwrap_or(0);
        return without_zeros(&format!("{value:.places$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for (raw, expected) in [
            ("$1,234.50", 1234.5),
            ("**42**", 42.0),
            ("x = 5", 5.0),
            ("12,345 dollars", 12345.0),
            ("about: 3 apples.", 3.0),
            ("7 1/2", 7.5),
            ("\\\\frac{3}{4}", 0.75),
            ("50\\%", 50.0),
            ("90^\\circ", 90.0),
            ("5 \\text{ cm}", 5.0),
            ("2 × 3", 6.0),
            ("€20", 20.0),
            ("1,2345", f64::NAN),
        ] {
            match number(raw) {
                Some(value) => assert!((value - expected).abs() < 1e-9, "{raw}: {value}"),
                None => assert!(expected.is_nan(), "{raw}"),
            }
        }
    }

    #[test]
    fn whole_numbers_are_the_same_only_digit_by_digit() {
        let key = |raw: &str| number_key(raw).unwrap();
        for (one, other) in [
            ("12345678901234567", "12345678901234568"),
            ("9007199254740993", "9007199254740992"),
            ("-123456789012345678", "-123456789012345679"),
            ("12345678", "12345679"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
        assert_eq!(key("12,345,678,901,234,567 apples"), "12345678901234567");
        assert_eq!(key("+0012345678901234567"), key("$12345678901234567$."));
        assert_eq!(key("$123,456.70"), key("123456.7"));
        assert_ne!(key("$123,456.70"), key("$123,456.71"));
        assert_eq!(number_key("blue"), None);
    }

    #[test]
    fn what_states_no_number_is_none() {
        for raw in ["", "***", "blue", "3, 4", "7 1/0", "a == 1", "1 of 2"] {
            assert_eq!(number(raw), None, "{raw}");
        }
        assert_eq!(number(&"1".repeat(401)), None);
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (value, form) in [
            (1700.0, "1700"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333"),
            (9_999.994, "9999.99"),
            (123_456.789, "123456.79"),
            (1_234_567.5, "1234567.5"),
            (-1_234_567.999, "-1234568"),
            (1e15, "1e+15"),
            (0.000_012_345_678, "1.23457e-05"),
            (0.000_123, "0.000123"),
            (999_999.5, "999999.5"),
            (f64::INFINITY, "nan"),
        ] {
            assert_eq!(number_form(value), form);
        }
    }
}
