//! What a question is about, by the words that topics have.

use std::collections::HashMap;

use memchr::memmem;

use super::lists::Stem;
use crate::scan::Scan;

/// The most words of a phrase.
const PHRASE: usize = 3;

/// Words and phrases, and the topics they speak for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topics {
    /// The gap of each topic, in percentage points.
    pub(crate) gaps: Vec<f64>,
    /// What each word or phrase adds.
    entries: Vec<Vec<Weight>>,
    /// Open addressing over first stems; a power of two, at most half full. Stem 0 is an empty slot.
    firsts: Vec<First>,
    /// The entries of two and of three stems, in the order of their first ones: the second, the third or 0, and the
    /// entry's number.
    phrases: Vec<(Stem, Stem, usize)>,
}

/// What an entry adds to one topic.
#[derive(Debug, Clone, Copy)]
struct Weight {
    topic: usize,
    points: f64,
    strong: bool,
}

/// What begins with a stem.
#[derive(Debug, Clone, Copy, Default)]
struct First {
    stem: Stem,
    /// The number of the entry that it is on its own, and 1; 0 where it is none.
    entry: u32,
    /// Where the phrases that begin with it begin and end.
    begin: u16,
    end: u16,
}

/// How much speaks for each topic.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) points: Vec<f64>,
    /// How many of its strong entries occur.
    pub(crate) strong: Vec<u32>,
}

/// The topics that marks speak for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) mathematics: usize,
    pub(crate) computing: usize,
    pub(crate) past: usize,
    pub(crate) logic: usize,
    pub(crate) arithmetic: usize,
    pub(crate) physics: usize,
    pub(crate) statistics: usize,
}

impl Topics {
    /// Makes the table of topics, each with its gap, its strong entries and its weak ones. Entries are separated by
    /// blanks, the stems of one by `_`. `None` where one is twice in a topic, or has no stem, or more than three.
    pub(crate) fn of<'a>(topics: impl IntoIterator<Item = (f64, &'a str, &'a str)>) -> Option<Self> {
        let mut gaps = Vec::new();
        let mut entries: HashMap<[Stem; PHRASE], Vec<Weight>> = HashMap::new();
        for (topic, (gap, strong, weak)) in topics.into_iter().enumerate() {
            gaps.push(gap);
            for (list, points) in [(strong, 2.0), (weak, 1.0)] {
                for entry in list.split_ascii_whitespace() {
                    let weights = entries.entry(phrase(entry)?).or_default();
                    if weights.iter().any(|weight| weight.topic == topic) {
                        return None;
                    }
                    weights.push(Weight {
                        topic,
                        points,
                        strong: points > 1.0,
                    });
                }
            }
        }
        let slots = (2 * entries.len()).next_power_of_two().max(2);
        let mut table = Self {
            gaps,
            entries: Vec::new(),
            firsts: vec![First::default(); slots],
            phrases: Vec::new(),
        };
        // In a fixed order, with the phrases of a first stem side by side.
        let mut entries: Vec<([Stem; PHRASE], Vec<Weight>)> = entries.into_iter().collect();
        entries.sort_unstable_by_key(|(stems, _)| stems.map(|stem| stem.0));
        for ([stem, second, third], mut weights) in entries {
            // An entry of several topics says less about each.
            let share = (weights.len() as f64).sqrt();
            for weight in &mut weights {
                weight.points /= share;
            }
            let number = table.entries.len();
            table.entries.push(weights);
            let phrases = u16::try_from(table.phrases.len()).ok()?;
            let first = table.first_mut(stem)?;
            if second == Stem::default() {
                first.entry = u32::try_from(number + 1).ok()?;
            } else {
                if first.begin == first.end {
                    first.begin = phrases;
                }
                first.end = phrases + 1;
                table.phrases.push((second, third, number));
            }
        }
        Some(table)
    }

    fn slot_of(&self, stem: Stem) -> usize {
        let mixed = stem.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize & (self.firsts.len().saturating_sub(1))
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & self.firsts.len().saturating_sub(1)
    }

    fn first_mut(&mut self, stem: Stem) -> Option<&mut First> {
        let mut at = self.slot_of(stem);
        while self.firsts.get(at)?.stem != stem && self.firsts.get(at)?.stem != Stem::default() {
            at = self.next(at);
        }
        let first = self.firsts.get_mut(at)?;
        first.stem = stem;
        Some(first)
    }

    fn first(&self, stem: Stem) -> Option<&First> {
        let mut at = self.slot_of(stem);
        loop {
            let first = self.firsts.get(at)?;
            if first.stem == Stem::default() {
                return None;
            }
            if first.stem == stem {
                return Some(first);
            }
            at = self.next(at);
        }
    }

    /// What the words of a question speak for; each entry counts once.
    pub(crate) fn evidence(&self, stems: &[Stem]) -> Evidence {
        let mut evidence = Evidence {
            points: vec![0.0; self.gaps.len()],
            strong: vec![0; self.gaps.len()],
        };
        let mut seen = vec![false; self.entries.len()];
        let mut rest = stems;
        while let [stem, after @ ..] = rest {
            rest = after;
            let Some(first) = self.first(*stem) else { continue };
            if let Some(entry) = (first.entry as usize).checked_sub(1) {
                self.hit(entry, &mut seen, &mut evidence);
            }
            let phrases = usize::from(first.begin)..usize::from(first.end);
            for (second, third, entry) in self.phrases.get(phrases).unwrap_or_default() {
                let is_it = after.first() == Some(second) && (*third == Stem::default() || after.get(1) == Some(third));
                if is_it {
                    self.hit(*entry, &mut seen, &mut evidence);
                }
            }
        }
        evidence
    }

    fn hit(&self, entry: usize, seen: &mut [bool], evidence: &mut Evidence) {
        let new = seen.get_mut(entry).is_some_and(|seen| !std::mem::replace(seen, true));
        if !new {
            return;
        }
        for weight in self.entries.get(entry).into_iter().flatten() {
            evidence.add(weight.topic, weight.points);
            if let Some(strong) = evidence.strong.get_mut(weight.topic) {
                *strong += u32::from(weight.strong);
            }
        }
    }
}

/// The stems of an entry.
fn phrase(entry: &str) -> Option<[Stem; PHRASE]> {
    let mut stems = [Stem::default(); PHRASE];
    for (at, stem) in entry.split('_').enumerate() {
        *stems.get_mut(at).filter(|_| !stem.is_empty())? = Stem::exactly(stem.as_bytes());
    }
    Some(stems)
}

/// Signs of formal logic.
const FORMULA: [&str; 9] = ["->", "~", "∃", "∀", "⊃", "≡", "∨", "→", "•"];

impl Evidence {
    fn add(&mut self, topic: usize, points: f64) {
        if let Some(sum) = self.points.get_mut(topic) {
            *sum += points;
        }
    }

    /// Adds what is no word: formulas, numbers, and the form of certain questions.
    pub(crate) fn add_marks(&mut self, topics: &Marks, part: &[u8], scan: &Scan) {
        let has = |text: &str| memmem::find(part, text.as_bytes()).is_some();
        if scan.count_of(b"=^\\") > 0 {
            self.add(topics.mathematics, 1.0);
        }
        if has("tatement 1") {
            self.add(topics.computing, 1.5);
        }
        if has("ollowing information") {
            self.add(topics.past, 6.0);
        }
        let signs = scan.count(b'~') > 0 || (scan.count(b'>') > 0 && has("->"));
        // All others begin with this byte.
        if signs || (scan.count(0xe2) > 0 && FORMULA.iter().any(|sign| has(sign))) {
            self.add(topics.logic, 2.0);
        }
        if scan.numbers.count >= 3 {
            for topic in [topics.arithmetic, topics.physics, topics.statistics] {
                self.add(topic, 0.5);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gain::lists::Words;

    fn topics() -> Topics {
        Topics::of([(10.0, "abelian group_theory", "ring"), (20.0, "", "ring a_b_c a_b b")]).unwrap()
    }

    fn evidence(text: &str) -> (Vec<f64>, Vec<u32>) {
        let evidence = topics().evidence(&Words::of(text.as_bytes().to_vec(), 0).stems);
        (evidence.points, evidence.strong)
    }

    #[test]
    fn words_and_phrases_count_once_and_are_shared_among_topics() {
        let share = 1.0 / 2.0_f64.sqrt();
        assert_eq!(
            evidence("abelian abelian rings"),
            (vec![2.0 + share, share], vec![1, 0])
        );
        assert_eq!(evidence("group theory, group theories"), (vec![2.0, 0.0], vec![1, 0]));
        assert_eq!(evidence("a b c b"), (vec![0.0, 3.0], vec![0, 0]));
        assert_eq!(evidence("a ' b c theory group"), (vec![0.0, 1.0], vec![0, 0]));
        assert_eq!(evidence("a b '"), (vec![0.0, 2.0], vec![0, 0]));
        assert_eq!(evidence("").0, [0.0, 0.0]);
    }

    #[test]
    fn entries_that_are_none_are_refused() {
        for list in ["a a", "a_b_c_d", "_", "a__b", "a_"] {
            assert!(Topics::of([(1.0, list, "")]).is_none(), "{list}");
        }
        assert!(Topics::of([(1.0, "a", "a")]).is_none());
        assert!(Topics::of([]).unwrap().evidence(&[Stem(5)]).points.is_empty());
    }

    #[test]
    fn all_signs_but_two_begin_with_one_byte() {
        assert!(
            FORMULA
                .iter()
                .all(|sign| matches!(sign.as_bytes(), b"->" | b"~" | [0xe2, ..]))
        );
    }
}
