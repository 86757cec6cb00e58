//! The words that mean something to the rules, in one table: one look-up a word answers every question about it.

use std::sync::LazyLock;

/// The lists whose words are counted as signals, in the order of the signals `w_cond` to `w_told`.
const SIGNAL_LISTS: [&str; SIGNALS] = [
    "if each every per unless when then after before while until",
    "twice half times double triple third quarter fewer less more than",
    "distinct exactly least most only must without such integer integers positive real given denote satisfies \
     satisfy let suppose",
    "how many number ways probability possible sum product largest smallest greatest minimum maximum remainder \
     divided",
    "triangle circle area radius square angle perpendicular parallel sphere plane point line segment cube polygon",
    "function polynomial matrix vector roots root complex sequence series base modulo log",
    "who when where which whose whom name called",
    "why explain describe analyze compare evaluate prove show derive discuss",
    "not except never neither nor no cannot false incorrect",
    "write create implement build generate design return make program",
    "i me my we our you your he she his her they their",
];

/// How many lists are counted as signals.
pub(crate) const SIGNALS: usize = 11;

/// The lists of the task's rules.
const TASK_LISTS: [(u32, &str); 9] = [
    (
        NOUN,
        "code function class method script api regex sql query component endpoint module compiler algorithm variable \
         loop array test tests unit list string python javascript typescript rust java golang kotlin swift react \
         django flask node css html json yaml dockerfile unittest refactor bug",
    ),
    (
        MAKE,
        "write create build implement generate add make refactor fix complete optimize optimise convert port rewrite \
         return",
    ),
    (
        LOOK,
        "explain analyze analyse review debug why compare summarize summarise evaluate assess diagnose investigate \
         audit understand interpret critique trace",
    ),
    (
        START,
        "create build scaffold generate setup set bootstrap initialize make new init",
    ),
    (
        PROJECT,
        "project app application website site service repository repo boilerplate starter monorepo backend frontend \
         microservice dashboard webapp",
    ),
    (
        GREET,
        "hi hello hey thanks thank morning evening bye goodbye welcome please okay ok cool sorry",
    ),
    (ASK, "who when where which what whose whom how much many"),
    (YOU, "you yourself"),
    (PERCENT, "percent"),
];

/// Something that code consists of.
pub(crate) const NOUN: u32 = 1 << 11;
/// Asks to make something.
pub(crate) const MAKE: u32 = 1 << 12;
/// Asks to look into something.
pub(crate) const LOOK: u32 = 1 << 13;
/// Begins something new.
pub(crate) const START: u32 = 1 << 14;
/// A whole program.
pub(crate) const PROJECT: u32 = 1 << 15;
/// Small talk.
pub(crate) const GREET: u32 = 1 << 16;
/// Asks for a fact.
pub(crate) const ASK: u32 = 1 << 17;
/// Speaks to the one who answers.
pub(crate) const YOU: u32 = 1 << 18;
/// "percent".
pub(crate) const PERCENT: u32 = 1 << 19;

/// Power of two, several times the number of words.
const SLOTS: usize = 1024;

/// A word of the lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    word: &'static str,
    /// Its place among all words.
    pub(crate) place: usize,
    /// One bit for each list that has it; the bits from 0 on are the signals' lists.
    pub(crate) lists: u32,
}

/// How many words the lists have at most.
pub(crate) const MOST_WORDS: usize = 512;

#[derive(Debug)]
struct Lexicon {
    slots: Vec<Option<Entry>>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);

impl Lexicon {
    fn new() -> Self {
        let mut lexicon = Self {
            slots: vec![None; SLOTS],
        };
        let mut words = 0;
        let signals = SIGNAL_LISTS.iter().enumerate().map(|(bit, list)| (1 << bit, *list));
        for (bit, list) in signals.chain(TASK_LISTS) {
            for word in list.split_ascii_whitespace() {
                let hash = word.bytes().fold(crate::math::FNV_START, crate::math::fnv_step);
                let mut at = slot_of(hash);
                while let Some(slot) = lexicon.slots.get_mut(at) {
                    if slot.is_none_or(|entry| entry.word == word) {
                        let entry = slot.get_or_insert(Entry {
                            word,
                            place: words,
                            lists: 0,
                        });
                        words += usize::from(entry.lists == 0);
                        entry.lists |= bit;
                        break;
                    }
                    at = (at + 1) % SLOTS;
                }
            }
        }
        lexicon
    }
}

/// Where the search for a word of this hash begins.
fn slot_of(hash: u32) -> usize {
    (hash ^ (hash >> 16)) as usize % SLOTS
}

/// The lists' entry for a word in small letters, whose FNV-1a hash (32 bits) is `hash`.
pub(crate) fn find(word: &[u8], hash: u32) -> Option<Entry> {
    let slots = &LEXICON.slots;
    let mut at = slot_of(hash);
    while let Some(Some(entry)) = slots.get(at) {
        if entry.word.as_bytes() == word {
            return Some(*entry);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(word: &str) -> u32 {
        let hash = word.bytes().fold(crate::math::FNV_START, crate::math::fnv_step);
        find(word.as_bytes(), hash).map_or(0, |entry| entry.lists)
    }

    #[test]
    fn a_word_of_several_lists_is_in_all_of_them() {
        assert_eq!(lists("write"), MAKE | 1 << 9);
        assert_eq!(lists("who"), ASK | 1 << 6);
        assert_eq!(lists("explain"), LOOK | 1 << 7);
        assert_eq!(lists("percent"), PERCENT);
        assert_eq!(lists("you"), YOU | 1 << 10);
    }

    #[test]
    fn a_word_of_no_list_is_not_found() {
        assert_eq!(lists("mongolia"), 0);
        assert_eq!(lists(""), 0);
        assert_eq!(lists("whoo"), 0);
    }

    #[test]
    fn every_word_has_a_place_of_its_own_below_the_most() {
        let mut places: Vec<usize> = LEXICON.slots.iter().flatten().map(|entry| entry.place).collect();
        places.sort_unstable();
        assert_eq!(places, (0..places.len()).collect::<Vec<_>>());
        assert!(places.len() > 200 && places.len() <= MOST_WORDS);
    }
}
