//! How many tokens a text can be at most.
//!
//! Tokenizers that work on bytes (byte-level BPE, and SentencePiece where it falls back on bytes) never make more tokens
//! than the text has bytes, but some bring it into a normal form before: NFC or NFKC, in which a few letters are longer. JSON
//! never has fewer bytes for a letter than UTF-8 has.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How many bytes the letters of a range can become longer in NFC or NFKC.
type Longer = (u32, u32, u64);

/// Letters whose normal form is longer than they are themselves, in ranges with the most that one of each gains. The
/// test of this table knows the rule; the ranges have room between their letters.
const LONGER: &[Longer] = &[
    (0xa8, 0xbe, 3),
    (0x13f, 0x149, 1),
    (0x1c4, 0x1c6, 1),
    (0x2d8, 0x2dd, 1),
    (0x344, 0x385, 3),
    (0x587, 0x587, 2),
    (0x675, 0x678, 2),
    (0x958, 0x95f, 3),
    (0x9dc, 0x9df, 3),
    (0xa33, 0xa5e, 3),
    (0xb5c, 0xb5d, 3),
    (0xe33, 0xe33, 3),
    (0xeb3, 0xedd, 3),
    (0xf43, 0xfb9, 6),
    (0x1fc1, 0x1fee, 2),
    (0x2033, 0x2057, 9),
    (0x2150, 0x2189, 3),
    (0x222c, 0x2230, 6),
    (0x247d, 0x2487, 1),
    (0x2a0c, 0x2a0c, 9),
    (0x2adc, 0x2adc, 2),
    (0x309b, 0x309f, 3),
    (0x30ff, 0x30ff, 3),
    (0x3200, 0x327d, 5),
    (0x32c0, 0x33fe, 15),
    (0xfa6c, 0xfa6c, 1),
    (0xfacf, 0xfb4f, 3),
    (0xfbdd, 0xfdfc, 30),
    (0xfe71, 0xfe7f, 1),
    (0xfef5, 0xfefc, 1),
    (0x1b123, 0x1b126, 2),
    (0x1d15e, 0x1d164, 8),
    (0x1d1bb, 0x1d1c0, 8),
    (0x1f12a, 0x1f12a, 3),
    (0x1f200, 0x1f248, 5),
];

/// More tokens than this JSON has, its texts within it.
pub(super) fn bound(json: &str) -> u64 {
    let longer = if json.is_ascii() {
        0
    } else {
        json.chars()
            .filter(|letter| !letter.is_ascii())
            .map(|letter| gain(u32::from(letter)))
            .sum()
    };
    (json.len() as u64).saturating_add(longer).saturating_add(escaped(json))
}

/// The same for letters that are written as `\u` and four digits. Those of two such escapes have bytes enough.
fn escaped(json: &str) -> u64 {
    // Made once: making one costs more than looking through a short body.
    static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u"));
    let code = |place: usize| {
        let digits = json.get(place + 2..place + 6)?;
        u32::from_str_radix(digits, 16).ok()
    };
    ESCAPE.find_iter(json.as_bytes()).filter_map(code).map(gain).sum()
}

/// How many bytes a letter can become longer.
fn gain(letter: u32) -> u64 {
    let place = LONGER.partition_point(|&(_, last, _)| last < letter);
    match LONGER.get(place) {
        Some(&(first, _, gain)) if first <= letter => gain,
        _ => 0,
    }
}

/// The punctuation of a JSON value. A provider that writes it into a prompt in a form of its own, with white space or words
/// between, adds at most two tokens for each: a run of white space is one, a keyword likewise.
pub(super) fn punctuation(json: &str) -> u64 {
    let is_punctuation = |byte: &&u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':');
    json.as_bytes().iter().filter(is_punctuation).count() as u64
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn no_letter_gains_more_in_a_normal_form_than_the_table_says() {
        let mut wrong = Vec::new();
        for letter in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let text = letter.to_string();
            let longest = text
                .nfc()
                .collect::<String>()
                .len()
                .max(text.nfkc().collect::<String>().len());
            let allowed = text.len() as u64 + gain(u32::from(letter));
            if longest as u64 > allowed {
                wrong.push(format!("U+{:04X}: {longest}", u32::from(letter)));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_letter_that_grows_is_bounded_however_it_is_written() {
        let grown = "\u{fdfa}".nfkc().collect::<String>().len() as u64;
        assert_eq!(grown, 33);
        for json in ["\"\u{fdfa}\"", r#""\ufdfa""#, r#""\uFDFA""#] {
            assert!(bound(json) >= grown, "{json}");
        }
        assert_eq!(bound("\"é世\""), 7);
        assert_eq!(bound(r#"{"a":1}"#), 7);
    }
}
