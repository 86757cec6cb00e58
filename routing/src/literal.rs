//! Literals of a program in one spelling: `[1,  'a']` and `[1, "a"]` are the same. The language is Python's, whose lists,
//! tuples, sets, dictionaries, strings and numbers most others share.

use std::collections::BTreeMap;

use crate::numeric::number_form;

/// How deep literals may be nested.
const DEEPEST: usize = 32;

/// The normal form of a literal; `None` for anything else.
pub(crate) fn normal(text: &str) -> Option<String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.blanks();
    (reader.at == text.len()).then_some(value)
}

/// A string's normal form.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Steps over this letter if it is the next.
    fn take(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        if found {
            self.at += letter.len_utf8();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<String> {
        self.blanks();
        let first = self.peek()?;
        if depth > DEEPEST {
            return None;
        }
        match first {
            '\'' | '"' => return self.string().map(|text| quoted(&text)),
            'b' | 'B' if matches!(self.rest().as_bytes().get(1), Some(b'\'' | b'"')) => {
                self.at += 1;
                return self.string().map(|text| format!("b{}", quoted(&text)));
            }
            '[' => {
                return self
                    .items(']', depth)
                    .map(|(items, _)| format!("[{}]", items.join(",")));
            }
            '(' => {
                let (items, comma) = self.items(')', depth)?;
                return match items.as_slice() {
                    [only] if !comma => Some(only.clone()),
                    items => Some(format!("({})", items.join(","))),
                };
            }
            '{' => return self.braces(depth),
            _ => {}
        }
        for word in ["True", "False", "None", "set()"] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Some(word.to_owned());
            }
        }
        self.number()
    }

    fn number(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "+-._".contains(letter)));
        let word = rest.get(..end.unwrap_or(rest.len()))?;
        let kind = number_kind(word)?;
        let form = match kind {
            Kind::Integer if word.len() < 40 => integer_form(word),
            Kind::Integer => word.trim_start_matches('+').to_owned(),
            Kind::Decimal => {
                let value: f64 = word.parse().ok()?;
                let whole = value.abs() < 1e15 && value.fract() == 0.0;
                format!("{}{}", number_form(value), if whole { ".0" } else { "" })
            }
        };
        self.at += word.len();
        Some(form)
    }

    /// The values up to `end`, and whether a comma stood before it.
    fn items(&mut self, end: char, depth: usize) -> Option<(Vec<String>, bool)> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.take(end) {
            return Some((items, true));
        }
        loop {
            items.push(self.value(depth + 1)?);
            let comma = self.comma();
            if self.take(end) {
                return Some((items, comma));
            }
            if !comma {
                return None;
            }
        }
    }

    fn comma(&mut self) -> bool {
        self.blanks();
        let comma = self.take(',');
        if comma {
            self.blanks();
        }
        comma
    }

    /// A dictionary or a set, its members in order.
    fn braces(&mut self, depth: usize) -> Option<String> {
        self.at += 1;
        self.blanks();
        if self.take('}') {
            return Some("{:}".to_owned());
        }
        let mut members = BTreeMap::new();
        let mut pairs = None;
        loop {
            let key = self.value(depth + 1)?;
            self.blanks();
            let pair = self.take(':');
            if *pairs.get_or_insert(pair) != pair {
                return None;
            }
            let value = if pair { self.value(depth + 1)? } else { String::new() };
            members.insert(key, value);
            let comma = self.comma();
            if self.take('}') {
                break;
            }
            if !comma {
                return None;
            }
        }
        let members: Vec<String> = members
            .into_iter()
            .map(|(key, value)| {
                if pairs == Some(true) {
                    format!("{key}:{value}")
                } else {
                    key
                }
            })
            .collect();
        Some(format!("{{{}}}", members.join(",")))
    }

    /// A string; several one after the other are one.
    fn string(&mut self) -> Option<String> {
        let mut out = String::new();
        while let Some(quote @ ('\'' | '"')) = self.peek() {
            self.at += 1;
            while !self.take(quote) {
                let letter = self.peek()?;
                self.at += letter.len_utf8();
                match (letter, self.peek()) {
                    ('\\', Some(escaped)) => {
                        self.at += escaped.len_utf8();
                        match escaped {
                            'n' => out.push('\n'),
                            't' => out.push('\t'),
                            'r' => out.push('\r'),
                            '\\' | '\'' | '"' => out.push(escaped),
                            other => out.extend(['\\', other]),
                        }
                    }
                    _ => out.push(letter),
                }
            }
            let end = self.at;
            self.blanks();
            if !matches!(self.peek(), Some('\'' | '"')) {
                self.at = end;
                break;
            }
        }
        Some(out)
    }
}

enum Kind {
    Integer,
    Decimal,
}

/// A sign, digits with a point before, among or after them, an exponent.
fn number_kind(word: &str) -> Option<Kind> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !unsigned.is_empty() && all_digits(unsigned) {
        return Some(Kind::Integer);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let good = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    good.then_some(Kind::Decimal)
}

fn integer_form(word: &str) -> String {
    let digits = word.trim_start_matches(['+', '-']).trim_start_matches('0');
    match (digits.is_empty(), word.starts_with('-')) {
        (true, _) => "0".to_owned(),
        (false, true) => format!("-{digits}"),
        (false, false) => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) {
        assert_eq!(normal(a), normal(b), "{a} and {b}");
        assert!(normal(a).is_some(), "{a}");
    }

    #[test]
    fn spelling_makes_no_difference() {
        same("[1,  'a', (2,)]", "[ 1, \"a\", ( 2 , ), ]");
        same("{'b': 1, 'a': 2}", "{\"a\": 2, \"b\": 1}");
        same("{3, 1, 2, 1}", "{1, 2, 3}");
        same("'a' \"b\"", "'ab'");
        same("(1)", "1");
        same("+007", "7");
        same("1e3", "1000.0");
    }

    #[test]
    fn types_make_a_difference() {
        for (a, b) in [
            ("1", "1.0"),
            ("[1]", "(1,)"),
            ("'1'", "1"),
            ("{}", "set()"),
            ("b'a'", "'a'"),
            ("True", "1"),
        ] {
            assert_ne!(normal(a), normal(b), "{a} and {b}");
        }
    }

    #[test]
    fn escapes_are_read_and_unknown_ones_kept() {
        assert_eq!(normal(r"'a\n\q\''").unwrap(), "\"a\\n\\\\q'\"");
        assert_eq!(normal("'é\\ü'").unwrap(), "\"é\\\\ü\"");
    }

    #[test]
    fn what_is_no_literal_has_no_form() {
        for text in [
            "",
            "[1",
            "1 2",
            "{1: 2, 3}",
            "x",
            "'a",
            "[1,,2]",
            "1.2.3",
            "1e",
            "--1",
            "(",
            "b",
            "é",
            "'\\",
        ] {
            assert_eq!(normal(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_ends_at_its_limit() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(normal(&nested(32)).is_some());
        assert_eq!(normal(&nested(33)), None);
        assert_eq!(normal(&"[".repeat(100_000)), None);
    }
}
