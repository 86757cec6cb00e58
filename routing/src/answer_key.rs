//! The normal form of a final answer. Answers agree when their forms are equal.

use memchr::memchr_iter;

use crate::answer::{Extracted, Found};
use crate::literal;
use crate::numeric::number_key;

/// How answers to a question are brought into a normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyRules {
    /// The question is about code: an answer is a value of a program, where `1` and `1.0` and `"1"` differ.
    pub literal: bool,
    /// The question offers choices: an answer that begins with a letter from A to H, alone or with a mark after it, is
    /// that letter.
    pub choices: bool,
}

/// The normal form; empty where there is no answer.
///
/// A letter where choices are offered; else a literal or a number, if it is one; else the text in small letters with
/// single blanks.
#[must_use]
pub fn answer_key(answer: Extracted<'_>, rules: KeyRules) -> String {
    if answer.found == Found::Nothing {
        return String::new();
    }
    if rules.choices
        && let Some(letter) = choice(answer.raw)
    {
        return format!("={letter}");
    }
    if rules.literal {
        return literal_key(answer.raw);
    }
    if let Some(number) = number_key(answer.raw) {
        return format!("={number}");
    }
    text_key(answer.raw)
}

fn literal_key(raw: &str) -> String {
    let mut text = raw.trim().trim_matches('`').trim();
    if text.starts_with("assert")
        && let Some((_, after)) = text.rsplit_once("==")
    {
        text = after.trim();
    }
    let unescaped = || literal::normal(&text.replace("\\\"", "\"").replace("\\\\", "\\"));
    let value = literal::normal(text)
        .or_else(unescaped)
        .unwrap_or_else(|| literal::quoted(text));
    // A string may come with or without its own quotes.
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    format!("={}", bare.unwrap_or(&value))
}

fn text_key(raw: &str) -> String {
    let small = raw.to_lowercase().replace("\\\\", "\\");
    let words: Vec<&str> = small.split_whitespace().collect();
    let joined = words.join(" ");
    match joined.trim_end_matches('.').trim_matches(['*', '$', ' ']) {
        "" => String::new(),
        text => format!("={text}"),
    }
}

/// `B`, `(b)`, `B.`, `B) text`, `B text`; but not `a text`, whose first word is more likely an article.
fn choice(raw: &str) -> Option<char> {
    let raw = raw.trim();
    let opened = raw.strip_prefix('(').unwrap_or(raw);
    let letter = opened
        .chars()
        .next()
        .filter(|letter| matches!(letter, 'a'..='h' | 'A'..='H'))?;
    let after = opened.get(1..)?;
    let closed = after.strip_prefix(')').unwrap_or(after);
    let marked = closed.strip_prefix(['.', ')', ':']).unwrap_or(closed);
    let upper = letter.to_ascii_uppercase();
    let article = upper == 'A' && marked.len() == opened.len() - 1;
    (marked.is_empty() || (marked.starts_with(' ') && !article)).then_some(upper)
}

/// Whether a question offers choices: at least A, B and C with a bracket or a point after them, in this order, each at
/// the start of a line or after a blank or a bracket.
pub(crate) fn has_choices(question: &str) -> bool {
    let bytes = question.as_bytes();
    let mut from = 0;
    for letter in [b'A', b'B', b'C'] {
        let rest = bytes.get(from..).unwrap_or_default();
        let offered = memchr_iter(letter, rest).map(|at| from + at).find(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let starts = before.is_none_or(|before| matches!(before, b'\n' | b' ' | b'\t' | b'('));
            starts && matches!(bytes.get(at + 1), Some(b')' | b'.' | b':'))
        });
        match offered {
            Some(at) => from = at + 1,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::extract;

    fn key(raw: &str, rules: KeyRules) -> String {
        let found = Found::Member;
        answer_key(Extracted { raw, found }, rules)
    }

    const PLAIN: KeyRules = KeyRules {
        literal: false,
        choices: false,
    };
    const LITERAL: KeyRules = KeyRules {
        literal: true,
        choices: false,
    };
    const CHOICES: KeyRules = KeyRules {
        literal: false,
        choices: true,
    };

    #[test]
    fn numbers_agree_by_value_and_texts_by_words() {
        assert_eq!(key("$1,700.00", PLAIN), "=1700");
        assert_eq!(key("  The  Blue\tWhale. ", PLAIN), "=the blue whale");
        assert_eq!(key("**Yes**", PLAIN), "=yes");
        assert_eq!(key("...", PLAIN), "");
    }

    #[test]
    fn no_answer_has_no_form() {
        assert_eq!(answer_key(extract("I do not know"), PLAIN), "");
        assert_eq!(answer_key(extract("I do not know"), LITERAL), "");
        assert_eq!(key("", PLAIN), "");
    }

    #[test]
    fn literals_agree_with_and_without_their_quotes() {
        for raw in ["ab", "'ab'", "\\\"ab\\\"", "`'ab'`", "assert f(1) == 'ab'"] {
            assert_eq!(key(raw, LITERAL), "=ab", "{raw}");
        }
        assert_eq!(key("[1, (2,), {'b': 1}]", LITERAL), "=[1,(2),{\"b\":1}]");
        assert_ne!(key("1", LITERAL), key("1.0", LITERAL));
        assert_eq!(key("", LITERAL), "=");
    }

    #[test]
    fn a_choice_is_its_letter() {
        for raw in [
            "B",
            "b",
            "(B)",
            "B.",
            "B)",
            "(b) the second",
            "B: the second",
            "B the second",
        ] {
            assert_eq!(key(raw, CHOICES), "=B", "{raw}");
        }
        assert_eq!(key("A", CHOICES), "=A");
        assert_eq!(key("(A) one", CHOICES), "=A");
        assert_eq!(key("a dog", CHOICES), "=a dog");
        assert_eq!(key("Bee", CHOICES), "=bee");
        assert_eq!(key("B", PLAIN), "=b");
    }

    #[test]
    fn choices_are_offered_by_three_letters_in_order() {
        assert!(has_choices("Which?\nA) one\nB) two\nC) three"));
        assert!(has_choices("Which? (A) one (B) two (C) three"));
        assert!(has_choices("Which?\nA. one\nB. two\nC. three\nD. four"));
        assert!(!has_choices("A. Smith and B. Jones"));
        assert!(!has_choices("f(A) = NaCl) BCl) C)C)"));
        assert!(!has_choices(""));
    }
}
