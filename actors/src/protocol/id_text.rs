//! How ids are printed.

use std::fmt;
use std::ops::Deref;

use uuid::Uuid;
use uuid::fmt::Simple;

/// The printed form of an id. Ids are printed several times for each request, so that an allocation each time, or the
/// machinery of [`fmt`], would be felt.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl IdText {
    /// An attempt's: `req_`, 32 hex digits, a dot and three digits.
    const LONGEST: usize = 40;

    pub(super) fn new() -> Self {
        Self {
            bytes: [0; Self::LONGEST],
            length: 0,
        }
    }

    /// Adds text, as far as there is room: there is for every id.
    pub(super) fn with(mut self, text: &str) -> Self {
        let end = self.length + text.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(text.as_bytes());
            self.length = end;
        }
        self
    }

    pub(super) fn with_hex(self, id: &Uuid) -> Self {
        self.with(id.simple().encode_lower(&mut [0; Simple::LENGTH]))
    }

    pub(super) fn with_number(self, number: u8) -> Self {
        let mut digits = [0; 3];
        let mut rest = number;
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + rest % 10;
            rest /= 10;
            count += 1;
            if rest == 0 {
                break;
            }
        }
        let (_, digits) = digits.split_at(digits.len() - count);
        self.with(std::str::from_utf8(digits).unwrap_or_default())
    }
}

impl Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.length);
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for IdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_printed_as_it_is_written_by_hand() {
        for number in 0..=u8::MAX {
            assert_eq!(&*IdText::new().with("n").with_number(number), format!("n{number}"));
        }
    }

    #[test]
    fn the_longest_id_has_room() {
        let id = IdText::new()
            .with("req_")
            .with_hex(&Uuid::max())
            .with(".")
            .with_number(u8::MAX);
        assert_eq!(&*id, format!("req_{}.255", "f".repeat(32)));
    }
}
