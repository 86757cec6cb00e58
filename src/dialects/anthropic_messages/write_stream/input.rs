//! The input of a call as it comes, piece by piece: where its JSON object ends.

/// How far the input has come. It is not parsed, only followed: strings, escapes and brackets.
#[derive(Debug, Default)]
pub(super) struct InputScan {
    state: State,
    depth: usize,
    is_escaped: bool,
    in_string: bool,
    /// What is no object is kept until the call ends.
    other: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Nothing but white space so far.
    #[default]
    Before,
    Within,
    Whole,
    /// It is no object.
    Other,
}

impl InputScan {
    /// Takes the next piece, and gives the part of it that is to be written: nothing once the object is whole.
    pub(super) fn take<'a>(&mut self, json: &'a str) -> &'a str {
        let start = match self.state {
            State::Before => {
                let object = json.trim_ascii_start();
                match object.as_bytes().first() {
                    None => return "",
                    Some(b'{') => self.state = State::Within,
                    Some(_) => self.state = State::Other,
                }
                object
            }
            _ => json,
        };
        match self.state {
            State::Within => start.get(..self.end_in(start.as_bytes())).unwrap_or_default(),
            State::Other => {
                self.other.push_str(start);
                ""
            }
            State::Before | State::Whole => "",
        }
    }

    /// Whether the object has come to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// What is still to be written when the call ends: an input that is no object, as the only member of one.
    pub(super) fn rest(self) -> Option<String> {
        let says_something = self.state == State::Other && self.other.trim_ascii() != "null";
        says_something.then(|| serde_json::json!({ "INVALID_JSON": self.other }).to_string())
    }

    /// How many of these bytes belong to the object.
    fn end_in(&mut self, bytes: &[u8]) -> usize {
        for (place, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth == 0 {
                self.state = State::Whole;
                return place + 1;
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written of a text that comes in pieces of this size, and whether it is whole.
    fn written(text: &str, size: usize) -> (String, bool) {
        let mut scan = InputScan::default();
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = (size..=rest.len())
                .find(|end| rest.is_char_boundary(*end))
                .unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            out.push_str(scan.take(piece));
            rest = after;
        }
        let is_whole = scan.is_whole();
        out.push_str(&scan.rest().unwrap_or_default());
        (out, is_whole)
    }

    #[test]
    fn an_object_is_written_to_its_end_and_no_further_however_it_comes() {
        for size in 1..9 {
            for (text, expected, is_whole) in [
                ("{}", "{}", true),
                (
                    " \n{\"a\":[1,{\"b\":\"}\\\"{\"}]} \n",
                    "{\"a\":[1,{\"b\":\"}\\\"{\"}]}",
                    true,
                ),
                ("{\"ä\":\"\\\\\"}{\"again\":1}", "{\"ä\":\"\\\\\"}", true),
                ("{\"a\":[1", "{\"a\":[1", false),
                ("", "", false),
                ("  ", "", false),
                ("null", "", false),
            ] {
                assert_eq!(written(text, size), (expected.to_owned(), is_whole), "{text} by {size}");
            }
        }
    }

    #[test]
    fn what_is_no_object_becomes_the_member_of_one() {
        for size in 1..9 {
            assert_eq!(written("[\"x\"]", size).0, r#"{"INVALID_JSON":"[\"x\"]"}"#);
            assert_eq!(written("ls -l", size).0, r#"{"INVALID_JSON":"ls -l"}"#);
        }
    }
}
