//! The forty signals of a question: logarithms of counts, shares, and yes or no.

use crate::math::{flag, log1};
use crate::scan::Scan;

/// How many there are.
pub(crate) const COUNT: usize = 40;

/// Their names, in the order of all tables.
pub(crate) const NAMES: [&str; COUNT] = [
    "bytes",
    "words",
    "lines",
    "word_length",
    "sentences",
    "numbers",
    "distinct_numbers",
    "largest_number",
    "decimals",
    "percent",
    "money",
    "tex",
    "scripts",
    "braces",
    "equals",
    "operators",
    "code",
    "loops",
    "branches",
    "methods",
    "calls",
    "indexing",
    "quotes",
    "nesting",
    "repetition",
    "upper",
    "non_ascii",
    "blank",
    "commas",
    "w_cond",
    "w_cmp",
    "w_constr",
    "w_search",
    "w_geom",
    "w_fun",
    "w_fact",
    "w_why",
    "w_neg",
    "w_make",
    "w_told",
];

/// Their values.
pub(crate) fn signals(scan: &Scan) -> [f64; COUNT] {
    let words = &scan.words;
    let numbers = &scan.numbers;
    let some_words = words.count.max(1) as f64;
    let tex = scan.count(b'\\');
    let upper: usize = (b'A'..=b'Z').map(|byte| scan.count(byte)).sum();
    let foreign = (128..=u8::MAX).any(|byte| scan.count(byte) > 0);
    let [cond, cmp, constr, search, geom, fun, fact, why, neg, make, told] = words.lists.map(log1);
    [
        log1(scan.whole),
        log1(words.count),
        log1(scan.count(b'\n')),
        words.bytes as f64 / some_words,
        log1(scan.sentences),
        log1(numbers.count),
        log1(numbers.distinct),
        numbers.largest.ln_1p(),
        flag(numbers.decimals),
        log1(scan.count(b'%') + words.percents),
        if tex == 0 { log1(scan.count(b'$')) } else { 0.0 },
        log1(tex),
        log1(scan.count_of(b"^_")),
        log1(scan.count(b'{')),
        log1(scan.count(b'=')),
        log1(scan.count_of(b"+-*/<>")),
        flag(scan.is_code),
        log1(scan.lines.loops),
        log1(scan.lines.branches),
        log1(scan.methods),
        log1(scan.count(b'(')),
        log1(scan.count(b'[')),
        log1(scan.count_of(b"'\"")),
        log1(scan.lines.nested),
        1.0 - words.distinct as f64 / some_words,
        upper as f64 / scan.bytes.max(1) as f64,
        flag(foreign),
        flag(scan.marks.blank),
        log1(scan.count(b',')),
        cond,
        cmp,
        constr,
        search,
        geom,
        fun,
        fact,
        why,
        neg,
        make,
        told,
    ]
}
