//! The plain text that a custom tool takes, out of the arguments that carry it: the member `input` of a JSON object.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::json::text;

/// The text in whole arguments; the arguments themselves if there is none in them.
pub(super) fn unwrapped(arguments: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        input: &'a RawValue,
    }
    // A struct can be read from an array too.
    let is_object = arguments.trim_ascii_start().starts_with('{');
    match serde_json::from_str::<Arguments<'_>>(arguments) {
        Ok(Arguments { input }) if is_object => text(input).unwrap_or(Cow::Borrowed(input.get())),
        _ => Cow::Borrowed(arguments),
    }
}

/// Takes the text out of arguments that come in pieces, as far as each of them tells.
///
/// If `input` is not the first member, or there is none, all is kept until the end.
#[derive(Debug, Default)]
pub(super) struct Unwrapper {
    state: State,
    /// What could not be told yet: all so far, or an escape that is not whole.
    kept: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// The text has not begun.
    #[default]
    Before,
    /// In the text.
    Inside,
    /// The text is over.
    After,
    /// It is not where it is looked for.
    Elsewhere,
}

impl Unwrapper {
    /// The text that is told by more of the arguments.
    pub(super) fn push(&mut self, json: &str) -> String {
        let mut told = String::new();
        self.kept.push_str(json);
        if self.state == State::Before {
            match opening(&self.kept) {
                Opening::Whole(end) => {
                    self.state = State::Inside;
                    self.kept.drain(..end);
                }
                Opening::Cut => {}
                Opening::Other => self.state = State::Elsewhere,
            }
        }
        match self.state {
            State::Inside => self.read_inside(&mut told),
            State::After => self.kept.clear(),
            State::Before | State::Elsewhere => {}
        }
        told
    }

    /// The rest of the text.
    pub(super) fn finish(&mut self) -> String {
        match self.state {
            State::Before | State::Elsewhere => unwrapped(&self.kept).into_owned(),
            State::Inside | State::After => String::new(),
        }
    }

    fn read_inside(&mut self, told: &mut String) {
        let mut rest = self.kept.as_str();
        loop {
            let Some(at) = rest.find(['"', '\\']) else {
                told.push_str(rest);
                rest = "";
                break;
            };
            let (plain, from) = rest.split_at(at);
            told.push_str(plain);
            if from.starts_with('"') {
                self.state = State::After;
                rest = "";
                break;
            }
            match escape(from) {
                Escape::Whole(letter, length) => {
                    told.push(letter);
                    rest = from.get(length..).unwrap_or_default();
                }
                Escape::Cut => {
                    rest = from;
                    break;
                }
            }
        }
        let read = self.kept.len() - rest.len();
        self.kept.drain(..read);
    }
}

enum Opening {
    /// What comes before the text ends here.
    Whole(usize),
    /// It may be going on.
    Cut,
    Other,
}

/// Looks for `{"input":"`.
fn opening(json: &str) -> Opening {
    let mut rest = json;
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Opening::Cut,
            None => return Opening::Other,
        }
    }
    Opening::Whole(json.len() - rest.len())
}

enum Escape {
    Whole(char, usize),
    Cut,
}

/// Reads the escape that stands first. One that JSON does not have stands for its backslash.
fn escape(text: &str) -> Escape {
    let letter = match text.as_bytes().get(1) {
        None => return Escape::Cut,
        Some(b'u') => return code_point(text),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'"') => '"',
        Some(b'/') => '/',
        Some(b'\\') => '\\',
        Some(_) => return Escape::Whole('\\', 1),
    };
    Escape::Whole(letter, 2)
}

/// Reads `\uXXXX`, or two of them that make one character.
fn code_point(text: &str) -> Escape {
    let unit = |at: usize| {
        let digits = text
            .get(at + 2..at + 6)
            .filter(|_| text.get(at..at + 2) == Some("\\u"))?;
        u16::from_str_radix(digits, 16).ok()
    };
    if text.len() < 6 {
        return Escape::Cut;
    }
    let Some(first) = unit(0) else {
        return Escape::Whole('\\', 1);
    };
    if !(0xD800..0xDC00).contains(&first) {
        return Escape::Whole(char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    let is_going_on = |rest: &str| rest.len() < 6 && ("\\u".starts_with(rest) || rest.starts_with("\\u"));
    if text.get(6..).is_some_and(is_going_on) {
        return Escape::Cut;
    }
    let pair = unit(6).map(|second| char::decode_utf16([first, second]).next());
    match pair {
        Some(Some(Ok(letter))) => Escape::Whole(letter, 12),
        _ => Escape::Whole(char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(json: &str, size: usize) -> String {
        let mut unwrapper = Unwrapper::default();
        let letters: Vec<char> = json.chars().collect();
        let mut told: String = letters
            .chunks(size)
            .map(|piece| unwrapper.push(&piece.iter().collect::<String>()))
            .collect();
        told.push_str(&unwrapper.finish());
        told
    }

    #[test]
    fn the_text_is_the_same_however_the_arguments_are_cut() {
        for json in [
            r#"{"input":"*** Begin\n+\"é\" \\ \u00e9\ud83d\ude00\t\/"}"#,
            " { \"input\" : \"\" } ",
            r#"{"reason":"x","input":"later"}"#,
            r#"{"input":{"a":1}}"#,
            r#"{"input":7}"#,
            r#"{"inputs":"x"}"#,
            "not JSON at all",
            "",
            "{}",
            "[\"input\"]",
        ] {
            for size in 1..9 {
                assert_eq!(in_pieces(json, size), unwrapped(json), "{json} in pieces of {size}");
            }
        }
        assert_eq!(unwrapped(r#"{"input":"a\nb"}"#), "a\nb");
        assert_eq!(unwrapped("plain"), "plain");
    }

    #[test]
    fn what_is_known_is_told_at_once_and_what_is_cut_off_is_lost() {
        let mut unwrapper = Unwrapper::default();
        assert_eq!(unwrapper.push("{\"input\":\"ab"), "ab");
        assert_eq!(unwrapper.push("c\\"), "c");
        assert_eq!(unwrapper.push("nd\\ud83d\\ude0"), "\nd");
        assert_eq!(unwrapper.finish(), "");
    }

    #[test]
    fn escapes_that_json_does_not_have_are_kept_as_they_are() {
        assert_eq!(in_pieces(r#"{"input":"\d\ud83dx\u12zz"}"#, 1), "\\d\u{fffd}x\\u12zz");
    }
}
