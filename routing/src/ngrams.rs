//! Hashed byte n-grams of a question: which runs of two, three and four bytes occur, whatever they mean.

use std::sync::LazyLock;

use crate::math::{FNV_START, fnv_step};

/// How many buckets the n-grams fall in.
pub(crate) const BUCKETS: usize = 2048;
/// How many bytes are read at each end of a question that is longer than twice this.
pub(crate) const END: usize = 2048;
/// The lengths of n-grams.
pub(crate) const SIZES: [usize; 3] = [2, 3, 4];

/// `1 + ln(count)` of the counts that occur.
static VALUES: LazyLock<[f64; 64]> = LazyLock::new(|| std::array::from_fn(|count| 1.0 + (count.max(1) as f64).ln()));

/// `weights` times the question's n-grams: `1 + ln(count)` a bucket, brought to length 1.
pub(crate) fn score(question: &str, weights: &[f64]) -> f64 {
    let counts = counts(&gram_text(question));
    let values = &*VALUES;
    let (mut sum, mut square) = (0.0, 0.0);
    for (count, weight) in counts.iter().zip(weights) {
        if *count > 0 {
            let known = values.get(usize::from(*count)).copied();
            let value = known.unwrap_or_else(|| 1.0 + f64::from(*count).ln());
            sum += value * weight;
            square += value * value;
        }
    }
    sum / square.sqrt().max(1e-9)
}

/// What each byte counts as.
static PLAIN: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let mut plain = [0; 256];
    for (byte, plain) in (0..=u8::MAX).zip(&mut plain) {
        *plain = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => b' ',
            b'0'..=b'9' => b'0',
            _ => byte.to_ascii_lowercase(),
        };
    }
    plain
});

/// Small letters, every digit a 0, each run of white space one space; of a long question both ends.
fn gram_text(question: &str) -> Vec<u8> {
    let bytes = question.as_bytes();
    let (head, gap, tail): (&[u8], &[u8], &[u8]) = match (bytes.first_chunk::<END>(), bytes.last_chunk::<END>()) {
        (Some(head), Some(tail)) if bytes.len() > 2 * END => (head, b" ", tail),
        _ => (bytes, b"", b""),
    };
    let mut text = Vec::with_capacity(head.len() + gap.len() + tail.len());
    let plain_bytes = &*PLAIN;
    let mut before = 0;
    for part in [head, gap, tail] {
        text.extend(part.iter().filter_map(|byte| {
            let plain = plain_bytes.get(usize::from(*byte)).copied().unwrap_or(*byte);
            let again = plain == b' ' && before == b' ';
            before = plain;
            (!again).then_some(plain)
        }));
    }
    text
}

/// How many n-grams fall in each bucket.
fn counts(text: &[u8]) -> [u16; BUCKETS] {
    // A text has at most twice END + 1 windows of a length, which u16 holds.
    let mut counts = [0_u16; BUCKETS];
    let mut add = |hash: u32| {
        if let Some(count) = counts.get_mut((hash ^ (hash >> 16)) as usize % BUCKETS) {
            *count = count.saturating_add(1);
        }
    };
    let mut grams = text;
    while let [first, second, rest @ ..] = grams {
        let two = fnv_step(fnv_step(FNV_START, *first), *second);
        add(two);
        if let [third, rest @ ..] = rest {
            let three = fnv_step(two, *third);
            add(three);
            if let [fourth, ..] = rest {
                add(fnv_step(three, *fourth));
            }
        }
        grams = grams.get(1..).unwrap_or_default();
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_in_small_letters_with_digits_as_0_and_single_spaces() {
        assert_eq!(
            gram_text("A  farmer\r\n\thas 17\u{b} Ü"),
            "a farmer has 00 Ü".as_bytes()
        );
    }

    #[test]
    fn of_a_long_text_both_ends_are_read() {
        let text = format!("{}{}{}", "a".repeat(2048), "b".repeat(9), "c".repeat(2048));
        assert_eq!(
            gram_text(&text),
            format!("{} {}", "a".repeat(2048), "c".repeat(2048)).into_bytes()
        );
        assert_eq!(gram_text(&"b".repeat(4096)).len(), 4096);
    }

    #[test]
    fn every_window_counts_once() {
        assert_eq!(counts(b"").iter().map(|count| u32::from(*count)).sum::<u32>(), 0);
        assert_eq!(counts(b"a").iter().map(|count| u32::from(*count)).sum::<u32>(), 0);
        assert_eq!(counts(b"abc").iter().map(|count| u32::from(*count)).sum::<u32>(), 3);
        assert_eq!(counts(b"hello").iter().map(|count| u32::from(*count)).sum::<u32>(), 9);
        let hello = counts(b"hello");
        assert_eq!([20, 605, 666, 919].map(|bucket: usize| hello[bucket]), [1, 1, 1, 1]);
    }

    #[test]
    fn the_score_does_not_grow_with_the_text() {
        let weights = vec![1.0; BUCKETS];
        assert_eq!(score("", &weights), 0.0);
        assert!((score("hello", &weights) - 3.0).abs() < 1e-9);
    }
}
