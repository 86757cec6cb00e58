//! Where the arguments of a call end, though they come in pieces.

/// Follows JSON text as far as its brackets.
#[derive(Debug, Default)]
pub(super) struct Extent {
    depth: u32,
    begun: bool,
    in_string: bool,
    after_backslash: bool,
}

impl Extent {
    /// More of the text.
    pub(super) fn push(&mut self, json: &str) {
        for byte in json.bytes() {
            if self.in_string {
                match byte {
                    _ if self.after_backslash => self.after_backslash = false,
                    b'\\' => self.after_backslash = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.begun = true;
                    self.depth += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or array has been opened and closed.
    pub(super) const fn is_whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_whole_at_their_last_bracket_and_not_before() {
        let json = r#"{"a":"}\"]","b":[{}, "\\"]}"#;
        for length in 0..=json.len() {
            let mut extent = Extent::default();
            json[..length]
                .bytes()
                .for_each(|byte| extent.push(char::from(byte).encode_utf8(&mut [0; 4])));
            assert_eq!(extent.is_whole(), length == json.len(), "{length}");
        }
    }

    #[test]
    fn what_has_no_brackets_is_never_known_to_be_whole() {
        for json in ["", " ", "null", "\"{}\"", "7"] {
            let mut extent = Extent::default();
            extent.push(json);
            assert!(!extent.is_whole(), "{json}");
        }
    }
}
