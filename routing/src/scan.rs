//! One look at a question's bytes, for everybody who needs to know something about them.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use memchr::{memchr_iter, memchr3_iter, memmem};

use crate::lexicon::{self, LOOK, MOST_WORDS, NOUN, SIGNALS, START};
use crate::math::{FNV_START, WIDE_START, fnv_step, wide_step};

/// How many bytes are read at each end of a question that is longer than twice this.
const PART: usize = 3072;

/// Says which words are known.
pub(crate) trait KnownWords {
    /// Whether a word of this FNV-1a hash is.
    fn contains(&self, hash: u32) -> bool;
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Length of the whole question, in bytes.
    pub(crate) whole: usize,
    /// Length of what was read of it.
    pub(crate) bytes: usize,
    pub(crate) counts: [u32; 256],
    pub(crate) words: Words,
    pub(crate) numbers: Numbers,
    pub(crate) lines: Lines,
    /// Ends of sentences, and calls of methods.
    pub(crate) sentences: usize,
    pub(crate) methods: usize,
    /// Something that is defined and something that is returned or asserted: code.
    pub(crate) is_code: bool,
    pub(crate) marks: Marks,
}

/// Words are runs of letters and apostrophes.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) count: usize,
    pub(crate) distinct: usize,
    /// All their bytes.
    pub(crate) bytes: usize,
    /// How many are in each of the lists that are signals.
    pub(crate) lists: [usize; SIGNALS],
    /// A bit for each list that has one of them, and one for START among the first five.
    pub(crate) seen: u32,
    pub(crate) starts: bool,
    /// How many, as the word "percent".
    pub(crate) percents: usize,
    /// Different words of NOUN, of LOOK.
    pub(crate) nouns: usize,
    pub(crate) looks: usize,
    /// Words of three letters or more, and how many of them are known.
    pub(crate) long: usize,
    pub(crate) known: usize,
}

/// Numbers are digits, perhaps with a point and more digits.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) count: usize,
    pub(crate) distinct: usize,
    /// At most a billion.
    pub(crate) largest: f64,
    pub(crate) decimals: bool,
}

/// How lines begin.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) loops: usize,
    pub(crate) branches: usize,
    pub(crate) nested: usize,
}

/// Texts that occur, or do not.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) fence: bool,
    pub(crate) hole: bool,
    pub(crate) output: bool,
    pub(crate) trace: bool,
    pub(crate) blank: bool,
    pub(crate) file: bool,
    /// The form of the final answer is prescribed: `"answer"`, `answer:`, "final answer", `\boxed`.
    pub(crate) answer_form: bool,
}

impl Scan {
    /// Reads a question; of a long one both ends.
    pub(crate) fn of(question: &str, known: &impl KnownWords) -> Self {
        let whole = question.as_bytes();
        let text = &*part(whole);
        let small = text.to_ascii_lowercase();
        let counts = count_bytes(text);
        let (words, numbers) = tokens(&small, known);
        let (sentences, methods, file) = stops(&small);
        let count = |byte: u8| counts.get(usize::from(byte)).copied().unwrap_or(0);
        let has = |what: &[u8]| memmem::find(text, what).is_some();
        let says = |what: &[u8]| memmem::find(&small, what).is_some();
        let is_code = count(b'(') > 0
            && (has(b"def ") || has(b"function ") || has(b"fn ") || has(b"class "))
            && (has(b"return") || has(b"assert"));
        let fence = count(b'`') > 2 && has(b"```");
        Self {
            whole: whole.len(),
            bytes: text.len(),
            counts,
            words,
            numbers,
            lines: lines(text),
            sentences,
            methods,
            is_code,
            marks: Marks {
                fence,
                hole: count(b'?') > 1 && has(b"??"),
                // Nobody asks unless there is code.
                output: (is_code || fence) && says(b"output"),
                trace: says(b"traceback") || says(b"stack trace") || says(b"error:") || says(b"exception"),
                blank: count(b'_') > 2 && has(b"___"),
                file,
                answer_form: (says(b"answer")
                    && [&b"\"answer\""[..], b"answer:", b"final answer"]
                        .iter()
                        .any(|form| says(form)))
                    || (count(b'\\') > 0 && has(b"\\boxed")),
            },
        }
    }

    /// How often a byte occurs in what was read.
    pub(crate) fn count(&self, byte: u8) -> usize {
        self.counts.get(usize::from(byte)).map_or(0, |count| *count as usize)
    }

    /// How often all of them do.
    pub(crate) fn count_of(&self, bytes: &[u8]) -> usize {
        bytes.iter().map(|byte| self.count(*byte)).sum()
    }
}

/// What is read of a text: all of it, or both ends with a line's end between them.
pub(crate) fn part(whole: &[u8]) -> Cow<'_, [u8]> {
    match (whole.first_chunk::<PART>(), whole.last_chunk::<PART>()) {
        (Some(head), Some(tail)) if whole.len() > 2 * PART => {
            Cow::Owned([head.as_slice(), b"\n", tail.as_slice()].concat())
        }
        _ => Cow::Borrowed(whole),
    }
}

/// How often each byte occurs; by fours, since a counter that was just written is slow to read.
fn count_bytes(text: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    for four in text.chunks(4) {
        for (byte, counts) in four.iter().zip(&mut counts) {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
    }
    let [mut sum, rest @ ..] = counts;
    for counts in rest {
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    sum
}

/// Words and numbers, in one pass.
fn tokens(small: &[u8], known: &impl KnownWords) -> (Words, Numbers) {
    let mut words = Words::default();
    let mut numbers = Numbers::default();
    let mut distinct_words = Distinct::new();
    let mut distinct_numbers = Distinct::new();
    let mut places = [false; MOST_WORDS];
    let mut at = 0;
    while let Some(byte) = small.get(at) {
        let rest = small.get(at..).unwrap_or_default();
        match byte {
            b'a'..=b'z' | b'\'' => {
                let (mut hash, mut wide, mut length) = (FNV_START, WIDE_START, 0);
                for byte in rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'\'')
                {
                    hash = fnv_step(hash, *byte);
                    wide = wide_step(wide, *byte);
                    length += 1;
                }
                words.count += 1;
                words.bytes += length;
                words.distinct += usize::from(distinct_words.is_new(wide));
                if length > 2 {
                    words.long += 1;
                    words.known += usize::from(known.contains(hash));
                }
                if let Some(entry) = lexicon::find(rest.get(..length).unwrap_or_default(), hash) {
                    let place = places.get_mut(entry.place);
                    words.listed(&entry, place.is_some_and(|seen| !std::mem::replace(seen, true)));
                }
                at += length;
            }
            b'0'..=b'9' => {
                let length = number_length(rest);
                numbers.add(rest.get(..length).unwrap_or_default(), &mut distinct_numbers);
                at += length;
            }
            _ => at += 1,
        }
    }
    (words, numbers)
}

impl Words {
    fn listed(&mut self, entry: &lexicon::Entry, first: bool) {
        for (list, count) in self.lists.iter_mut().enumerate() {
            *count += (entry.lists >> list & 1) as usize;
        }
        self.seen |= entry.lists;
        self.starts |= self.count <= 5 && entry.lists & START != 0;
        self.percents += usize::from(entry.lists & lexicon::PERCENT != 0);
        self.nouns += usize::from(first && entry.lists & NOUN != 0);
        self.looks += usize::from(first && entry.lists & LOOK != 0);
    }

    /// Whether a word of this list occurs.
    pub(crate) fn has(&self, list: u32) -> bool {
        self.seen & list != 0
    }
}

impl Numbers {
    fn add(&mut self, digits: &[u8], distinct: &mut Distinct) {
        self.count += 1;
        self.distinct += usize::from(distinct.is_new(digits.iter().copied().fold(WIDE_START, wide_step)));
        self.decimals |= digits.contains(&b'.');
        let value = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<f64>().ok());
        self.largest = self.largest.max(value.unwrap_or(0.0).min(1e9));
    }
}

/// The length of the number that a text begins with.
pub(crate) fn number_length(text: &[u8]) -> usize {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    match text.get(whole..) {
        Some([b'.', fraction @ ..]) if whole > 0 => match digits(fraction) {
            0 => whole,
            places => whole + 1 + places,
        },
        _ => whole,
    }
}

/// How lines begin: a loop or a branch after blanks, and eight blanks or two tabs.
fn lines(text: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let starts = std::iter::once(0).chain(memchr_iter(b'\n', text).map(|end| end + 1));
    for start in starts {
        let line = text.get(start..).unwrap_or_default();
        lines.nested += usize::from(line.starts_with(b"        ") || line.starts_with(b"\t\t"));
        let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let begins = |word: &[u8], after: &[u8]| {
            let rest = line.get(blanks..).and_then(|line| line.strip_prefix(word));
            rest.and_then(<[u8]>::first).is_some_and(|next| after.contains(next))
        };
        lines.loops += usize::from(begins(b"for", b" (") || begins(b"while", b" ("));
        lines.branches += usize::from([&b"if"[..], b"elif", b"else"].iter().any(|word| begins(word, b" (:")));
    }
    lines
}

/// Endings of names of source files.
const FILES: [&[u8]; 22] = [
    b"py", b"js", b"ts", b"tsx", b"jsx", b"rs", b"go", b"java", b"kt", b"rb", b"php", b"cpp", b"cs", b"sql", b"sh",
    b"css", b"html", b"json", b"yaml", b"yml", b"toml", b"vue",
];

/// Ends of sentences, calls of methods, and whether a source file is named: all that has a point, in small letters.
fn stops(small: &[u8]) -> (usize, usize, bool) {
    let (mut sentences, mut methods, mut file) = (0, 0, false);
    for at in memchr3_iter(b'.', b'?', b'!', small) {
        let after = small.get(at + 1..).unwrap_or_default();
        if after
            .first()
            .is_none_or(|next| matches!(next, b' ' | b'\t' | b'\r' | b'\n'))
        {
            sentences += 1;
        } else if small.get(at) == Some(&b'.') {
            let name = after
                .iter()
                .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_')
                .count();
            methods += usize::from(name > 0 && after.get(name) == Some(&b'('));
            let ending = after
                .iter()
                .take(8)
                .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            let ending = after.get(..ending.count()).unwrap_or_default();
            let before = at.checked_sub(1).and_then(|before| small.get(before));
            let named = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            file |= named && FILES.contains(&ending);
        }
    }
    (sentences, methods, file)
}

/// Tells values that were there before, by their hashes.
struct Distinct {
    /// A power of two; 0 is an empty slot. At most half are full.
    slots: Vec<u64>,
    full: usize,
}

/// Differs from process to process, so that no text can be made whose words all meet in one slot.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish() | 1);

impl Distinct {
    fn new() -> Self {
        Self {
            slots: vec![0; 64],
            full: 0,
        }
    }

    fn is_new(&mut self, hash: u64) -> bool {
        let new = self.insert(hash | 1);
        self.full += usize::from(new);
        if self.full * 2 > self.slots.len() {
            let wider = vec![0; self.slots.len() * 4];
            for hash in std::mem::replace(&mut self.slots, wider) {
                if hash != 0 {
                    self.insert(hash);
                }
            }
        }
        new
    }

    fn insert(&mut self, hash: u64) -> bool {
        let last = self.slots.len() - 1;
        let mut at = (hash.wrapping_mul(*SEED) >> 32) as usize;
        while let Some(slot) = self.slots.get_mut(at & last) {
            match *slot {
                0 => {
                    *slot = hash;
                    return true;
                }
                taken if taken == hash => return false,
                _ => at += 1,
            }
        }
        false
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
