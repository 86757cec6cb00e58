//! The final answer in a model's text.

use memchr::memmem;

use crate::literal;
use crate::numeric::number;

const MEMBER: &[u8] = b"\"answer\"";

/// The longest text, in bytes, that may be nothing but an answer.
const LONGEST_BARE: usize = 64;

/// Where a final answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// As the last `"answer"` member of JSON, whole or not.
    Member,
    /// In the last `\boxed{…}`.
    Boxed,
    /// After the last "answer is" or "answer:"; or it is all of the text: one short line with a number, a value of a program
    /// or the letter of a choice, perhaps behind an equals sign.
    Phrase,
    /// Nowhere.
    Nothing,
}

/// A final answer as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extracted<'a> {
    /// The answer, without blanks around it. Strings of JSON keep their escapes. Empty where nothing was found.
    pub raw: &'a str,
    /// Where it was found.
    pub found: Found,
}

/// Takes the final answer out of a text. The text may be cut anywhere: what there is of the answer counts.
#[must_use]
pub fn extract(text: &str) -> Extracted<'_> {
    let (raw, found) = if let Some(raw) = last_member(text) {
        (raw, Found::Member)
    } else if let Some(raw) = last_boxed(text) {
        (raw, Found::Boxed)
    } else if let Some(raw) = last_phrase(text).or_else(|| bare(text)) {
        (raw, Found::Phrase)
    } else {
        ("", Found::Nothing)
    };
    Extracted { raw, found }
}

/// The value of the last `"answer"` member that is more than a template's underscores.
fn last_member(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let places: Vec<usize> = memmem::find_iter(bytes, MEMBER).collect();
    // Each place is read to its value's end, which for all but template values is done once.
    places.into_iter().rev().find_map(|place| {
        let colon = skip(bytes, place + MEMBER.len(), b" \t\r\n");
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip(bytes, colon + 1, b" \t\r\n");
        let range = match bytes.get(start)? {
            b'"' => start + 1..string_end(bytes, start + 1),
            _ => start..bare_end(bytes, start),
        };
        let value = text.get(range)?.trim();
        (value.is_empty() || value.bytes().any(|byte| byte != b'_')).then_some(value)
    })
}

/// The first place from `at` on that has none of these.
fn skip(bytes: &[u8], at: usize, blanks: &[u8]) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| blanks.contains(byte)).count()
}

/// Where a string's text ends: at a quote that is followed by the end, a line's end, a brace, or a comma and a line's
/// end; failing that at the line's last quote, failing that with the line. Quotes inside need no backslash.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut last_quote = None;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' => break,
            b'\\' => at += 1,
            b'"' => {
                last_quote = Some(at);
                let next = skip(bytes, at + 1, b" \t\r");
                match bytes.get(next) {
                    None | Some(b'\n' | b'}') => break,
                    Some(b',') => {
                        let next = skip(bytes, next + 1, b" \t\r");
                        if matches!(bytes.get(next), None | Some(b'\n')) {
                            break;
                        }
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    last_quote.unwrap_or(at).min(bytes.len())
}

/// Where a value without quotes ends: with the line, at a bracket that closes none of its own, or at a comma outside
/// brackets and quotes.
fn bare_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    let mut quote = None;
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (_, b'\n') => break,
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') if depth == 0 => break,
            (None, b')' | b']' | b'}') => depth -= 1,
            (None, b',') if depth == 0 => break,
            (None, _) => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

fn last_boxed(text: &str) -> Option<&str> {
    let (_, after) = text.rsplit_once("\\boxed")?;
    let inside = after.get(after.find('{')? + 1..)?;
    let mut depth = 1_usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return inside.get(..at).map(str::trim);
        }
    }
    None
}

fn last_phrase(text: &str) -> Option<&str> {
    let small = text.to_ascii_lowercase();
    let ends = ["answer is", "answer:"].map(|phrase| Some(small.rfind(phrase)? + phrase.len()));
    let line = text.get(ends.into_iter().flatten().max()?..)?.split('\n').next()?;
    let value = line.trim().trim_matches('*').trim_end_matches('.').trim();
    (!value.is_empty()).then_some(value)
}

/// A text that is nothing but its answer, as questions that want "only the number" are answered.
fn bare(text: &str) -> Option<&str> {
    let line = text.trim();
    if line.len() > LONGEST_BARE || line.contains('\n') {
        return None;
    }
    let marks = ['*', '`', '$', ' '];
    let value = line.trim_start_matches('#').trim().trim_matches(marks);
    let value = value.trim_end_matches('.').trim_matches(marks);
    let inside = value.strip_prefix('(').and_then(|value| value.strip_suffix(')'));
    let is_letter = matches!(inside.unwrap_or(value).as_bytes(), [b'A'..=b'H']);
    (is_letter || number(value).is_some() || literal::normal(value).is_some()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &str) -> &str {
        let extracted = extract(text);
        assert_eq!(extracted.found, Found::Member, "{text}");
        extracted.raw
    }

    #[test]
    fn the_last_member_wins_over_all_else() {
        assert_eq!(
            member(r#"{"answer": "1"} \boxed{3} the answer is 4 {"answer": "2"}"#),
            "2"
        );
        assert_eq!(member("{\"reasoning\": \"x\",\n \"answer\" : 42}"), "42");
    }

    #[test]
    fn a_template_is_no_answer() {
        assert_eq!(member("{\"answer\": \"7\"}\nas in {\"answer\": \"___\"}"), "7");
        assert_eq!(extract("\"answer\": \"___\"").found, Found::Nothing);
        assert_eq!(member("\"answer\": \"\""), "");
    }

    #[test]
    fn quotes_inside_a_string_do_not_end_it() {
        assert_eq!(member(r#"{"answer": "["a", "b"]"}"#), r#"["a", "b"]"#);
        assert_eq!(
            member("{\"answer\": \"say \\\"hi\\\"\",\n\"more\": 1}"),
            "say \\\"hi\\\""
        );
    }

    #[test]
    fn a_bare_value_ends_outside_its_brackets() {
        assert_eq!(member(r#"{"answer": [1, (2, "],")], "x": 1}"#), r#"[1, (2, "],")]"#);
        assert_eq!(member(r#"{"answer": {"a": 1}}"#), r#"{"a": 1}"#);
        assert_eq!(member("\"answer\": 12 \nand more"), "12");
    }

    #[test]
    fn a_text_that_is_cut_gives_what_there_is() {
        let whole = r#"{"reasoning": "because", "answer": "forty-two \"or so\""}"#;
        for cut in 0..=whole.len() {
            let extracted = extract(&whole[..cut]);
            match extracted.found {
                Found::Member => assert!(whole.contains(extracted.raw), "{cut}"),
                found => assert_eq!(found, Found::Nothing, "{cut}"),
            }
        }
        assert_eq!(member(&whole[..45]), "forty-two");
    }

    #[test]
    fn the_last_box_counts_with_its_braces() {
        let extracted = extract("\\boxed{1} then \\boxed{2\\sqrt{2}} .");
        assert_eq!((extracted.raw, extracted.found), ("2\\sqrt{2}", Found::Boxed));
        assert_eq!(extract("\\boxed{2\\sqrt{2}").found, Found::Nothing);
    }

    #[test]
    fn a_phrase_is_taken_to_the_end_of_its_line() {
        let extracted = extract("The ANSWER IS 41.\nFinal Answer: **42.**\nBye");
        assert_eq!((extracted.raw, extracted.found), ("42", Found::Phrase));
        assert_eq!(extract("the answer is:\n").raw, ":");
        assert_eq!(extract("no idea").found, Found::Nothing);
    }

    #[test]
    fn a_text_that_is_nothing_but_an_answer_is_the_answer() {
        for (text, raw) in [
            ("391", "391"),
            (" 391.\n", "391"),
            ("**391**", "391"),
            ("$391$", "391"),
            ("#### 391", "391"),
            ("x = 391", "x = 391"),
            ("17 * 23 = 391.", "17 * 23 = 391"),
            ("391 apples", "391 apples"),
            ("B", "B"),
            ("(B)", "(B)"),
            ("`[1, 'a']`", "[1, 'a']"),
            ("True", "True"),
        ] {
            let extracted = extract(text);
            assert_eq!((extracted.raw, extracted.found), (raw, Found::Phrase), "{text}");
        }
        for text in [
            "",
            "...",
            "Hello!",
            "B it is",
            "Paris",
            "391\n392",
            &"9".repeat(65),
            "I cannot say.",
        ] {
            assert_eq!(extract(text).found, Found::Nothing, "{text}");
        }
    }

    #[test]
    fn ten_thousand_members_take_no_longer_than_their_length() {
        let many = "\"answer\": \"".repeat(10_000);
        assert_eq!(extract(&many).found, Found::Member);
        let templates = "\"answer\": \"_\"}".repeat(10_000);
        assert_eq!(extract(&templates).found, Found::Nothing);
    }
}
