//! The words of a question as the score needs them: their stems, and how many are in lists of word problems' words.

use std::sync::LazyLock;

/// How many bytes of a stem are kept. Seven fit into a number with a byte left, so that a stem is its number.
pub(crate) const STEM: usize = 7;

const PIECES: u32 = 1;
const PARTS: u32 = 1 << 1;
const MEANS: u32 = 1 << 2;
const CONDITIONS: u32 = 1 << 3;
const MULTIPLES: u32 = 1 << 4;
const DIFFERENCES: u32 = 1 << 5;
const TOTALS: u32 = 1 << 6;
const NUMBERS: u32 = 1 << 7;
const ASKS: u32 = 1 << 8;
const HOW: u32 = 1 << 9;

const LISTS: [(u32, &str); 10] = [
    (
        PIECES | PARTS,
        "half third thirds quarter quarters fourth fourths fifth fifths sixth eighth tenth",
    ),
    (PARTS, "fraction ratio percent percentage"),
    (
        MEANS,
        "average mean equal equally same split evenly divided shared share",
    ),
    (
        CONDITIONS,
        "if when then after before until while unless once instead not no only except without never but however \
         although also",
    ),
    (
        MULTIPLES,
        "twice double doubles doubled triple tripled times thrice quadruple",
    ),
    (
        DIFFERENCES,
        "more less fewer than older younger taller shorter longer larger heavier faster",
    ),
    (TOTALS, "total altogether all combined together sum overall entire"),
    (
        NUMBERS,
        "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen \
         eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen dozens \
         couple pair pairs",
    ),
    (ASKS, "how what what's find calculate determine"),
    (HOW, "how"),
];

/// The longest word of the lists.
const LONGEST: usize = 10;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Of every word, in order.
    pub(crate) stems: Vec<Stem>,
    /// Words such as "half" and "thirds".
    pub(crate) pieces: usize,
    /// The same, with "percent", "ratio" and the like.
    pub(crate) parts: usize,
    pub(crate) means: usize,
    pub(crate) conditions: usize,
    pub(crate) multiples: usize,
    pub(crate) differences: usize,
    pub(crate) totals: usize,
    /// Numbers in words.
    pub(crate) numbers: usize,
    /// Words that ask for a value.
    pub(crate) asks: usize,
    pub(crate) how: bool,
}

/// How many bytes of a word are looked at at once.
const WIDE: usize = 16;

impl Words {
    /// Reads words, which are runs of letters and apostrophes, of a text in small letters; about so many.
    pub(crate) fn of(mut small: Vec<u8>, count: usize) -> Self {
        let mut words = Self {
            stems: Vec::with_capacity(count),
            ..Self::default()
        };
        let length = small.len();
        // So that the last word, too, has as many bytes as are looked at.
        small.resize(length + WIDE, 0);
        let mut at = 0;
        while at < length {
            let rest = small.get(at..).unwrap_or_default();
            let run = rest
                .iter()
                .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'\'');
            let run = run.count();
            if run > 0 {
                words.add(rest, run);
            }
            at += run + 1;
        }
        words
    }

    /// Adds the word that a text begins with.
    fn add(&mut self, text: &[u8], length: usize) {
        let Some(first) = text.first_chunk::<WIDE>() else {
            return;
        };
        let key = u128::from_le_bytes(*first);
        let word = text.get(..length).unwrap_or_default();
        if length > LONGEST {
            self.stems.push(Stem::of(word));
            return;
        }
        let key = key & ((1 << (8 * length)) - 1);
        let has_apostrophe = word.contains(&b'\'');
        self.stems.push(if has_apostrophe {
            Stem::of(word)
        } else {
            Stem::plain(key, length)
        });
        if let Some(lists) = lists(key) {
            self.listed(lists);
        }
    }

    fn listed(&mut self, lists: u32) {
        let one = |list: u32| usize::from(lists & list != 0);
        self.pieces += one(PIECES);
        self.parts += one(PARTS);
        self.means += one(MEANS);
        self.conditions += one(CONDITIONS);
        self.multiples += one(MULTIPLES);
        self.differences += one(DIFFERENCES);
        self.totals += one(TOTALS);
        self.numbers += one(NUMBERS);
        self.asks += one(ASKS);
        self.how |= one(HOW) > 0;
    }
}

/// A word without apostrophes at its ends, without `'s` and a plural's `s`, cut to seven bytes: as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Stem(pub(crate) u64);

impl Stem {
    pub(crate) fn of(word: &[u8]) -> Self {
        let mut word = word;
        while let [b'\'', rest @ ..] | [rest @ .., b'\''] = word {
            word = rest;
        }
        word = word.strip_suffix(b"'s").unwrap_or(word);
        if word.len() > 3
            && let [rest @ .., b's'] = word
            && rest.last() != Some(&b's')
        {
            word = rest;
        }
        Self::exactly(word)
    }

    /// The same, of a word without apostrophes and of at most 16 bytes.
    fn plain(key: u128, length: usize) -> Self {
        let letter = |at: usize| (key >> (8 * at)) as u8;
        let plural = length > 3 && letter(length - 1) == b's' && letter(length - 2) != b's';
        let kept = (length - usize::from(plural)).min(STEM);
        Self(key as u64 & ((1 << (8 * kept)) - 1))
    }

    /// A stem that is one already.
    pub(crate) fn exactly(word: &[u8]) -> Self {
        let mut bytes = [0; 8];
        for (byte, letter) in bytes.iter_mut().zip(word.iter().take(STEM)) {
            *byte = *letter;
        }
        Self(u64::from_le_bytes(bytes))
    }
}

/// A word of the lists as a number.
fn packed(word: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(word) {
        *byte = *letter;
    }
    u128::from_le_bytes(bytes)
}

/// A power of two, several times the number of words.
const SLOTS: usize = 512;

static TABLE: LazyLock<Vec<(u128, u32)>> = LazyLock::new(|| {
    let mut table = vec![(0, 0); SLOTS];
    for (list, words) in LISTS {
        for word in words.split_ascii_whitespace() {
            let key = packed(word.as_bytes());
            let mut at = slot_of(key);
            while let Some((found, lists)) = table.get_mut(at) {
                if *found == 0 || *found == key {
                    *found = key;
                    *lists |= list;
                    break;
                }
                at = (at + 1) % SLOTS;
            }
        }
    }
    table
});

fn slot_of(key: u128) -> usize {
    let key = (key ^ (key >> 64)) as u64;
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize % SLOTS
}

/// The lists that have a word, which is given as a number.
fn lists(key: u128) -> Option<u32> {
    let table = &*TABLE;
    let mut at = slot_of(key);
    loop {
        match table.get(at) {
            Some((found, lists)) if *found == key => return Some(*lists),
            Some((0, _)) | None => return None,
            _ => at = (at + 1) % SLOTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_short_and_without_endings() {
        for (word, stem) in [
            ("abelian", "abelian"),
            ("homomorphisms", "homomor"),
            ("triangles", "triangl"),
            ("gas", "gas"),
            ("keys", "key"),
            ("mass", "mass"),
            ("girl's", "girl"),
            ("'tis''", "tis"),
            ("boys'", "boy"),
            ("'s", "s"),
            ("''", ""),
            ("x's", "x"),
            ("classes's", "classe"),
        ] {
            let words = Words::of(format!("1 {word}").into_bytes(), 1);
            assert_eq!(Stem::of(word.as_bytes()), Stem::exactly(stem.as_bytes()), "{word}");
            assert_eq!(words.stems, [Stem::exactly(stem.as_bytes())], "{word}");
        }
    }

    #[test]
    fn words_are_counted_in_every_list_that_has_them() {
        let words = Words::of(
            b"what's half of ten, if a third is twice as much? how 5 percent's percent".to_vec(),
            0,
        );
        assert_eq!((words.pieces, words.parts, words.numbers), (2, 3, 1));
        assert_eq!((words.conditions, words.multiples, words.asks), (1, 1, 2));
        assert!(words.how);
        assert_eq!(words.stems.len(), 14);
    }

    #[test]
    fn every_word_of_the_lists_is_found_and_others_are_not() {
        for (list, words) in LISTS {
            for word in words.split_ascii_whitespace() {
                assert!(word.len() <= LONGEST, "{word}");
                assert!(
                    lists(packed(word.as_bytes())).is_some_and(|lists| lists & list == list),
                    "{word}"
                );
            }
        }
        for word in ["", "hal", "halfs", "percentages", "quadruplets"] {
            assert_eq!(
                lists(packed(word.as_bytes())).filter(|_| !word.is_empty()),
                None,
                "{word}"
            );
        }
        assert!(TABLE.iter().filter(|(key, _)| *key != 0).count() < SLOTS / 2);
    }
}
