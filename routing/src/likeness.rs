//! How alike two programs are, whatever their variables are called and however they are laid out.

use std::collections::HashMap;

use crate::code_key::{code_key, string_length};

/// From this likeness on two programs are taken for the same. A choice, not a measurement: at 50 tokens it lets about
/// five differ.
pub const SAME_CODE: f64 = 0.9;

/// How many tokens of each are compared, once what both begin and end with is taken off.
const MOST_TOKENS: usize = 4096;

/// Words that are part of a language; they are no variables.
const KEYWORDS: &str = "and as assert async await begin bool break case catch char class const continue crate def default \
    del delete do double elif else end enum except export extends extern false final finally float fn for foreach from \
    fun func function global goto if impl implements import in include int interface is lambda let long loop match mod \
    module mut namespace new nil none not null num or package pass private protected pub public raise ref require \
    return select self short signed sizeof static str string struct super switch then this throw trait true try type \
    typedef typeof undefined union unless unsafe unsigned until use using val var virtual void where while with yield \
    i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 insert update set into values join on group by order \
    having limit distinct left right inner outer create table drop";

/// How alike the fenced code of two texts is, from 0 (nothing in common, or one has none) to 1 (the same program).
///
/// The code of each is read as tokens without comments and white space. Variables get numbers in the order in which they
/// occur: words in small letters that are no keyword, not called, and no member of something. The likeness is the share
/// of tokens in the longest common subsequence, `2 * common / (a + b)`. What lies beyond 4,096 tokens of difference
/// counts as different, so that time stays bounded.
#[must_use]
pub fn code_likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (code_key(a), code_key(b));
    let (a, b) = (tokens(&a), tokens(&b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    2.0 * common(&a, &b) as f64 / (a.len() + b.len()) as f64
}

/// A token of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Token<'a> {
    Text(&'a str),
    /// The variable that occurs as the n-th.
    Variable(usize),
}

/// The tokens of a program's normal form.
fn tokens(key: &str) -> Vec<Token<'_>> {
    let mut rest = key.strip_prefix('=').unwrap_or(key);
    let mut texts = Vec::new();
    while let Some(letter) = rest.chars().next() {
        let length = token_length(rest, letter);
        let (token, after) = rest.split_at(length);
        if !letter.is_whitespace() {
            texts.push(token);
        }
        rest = after;
    }
    let keywords: std::collections::HashSet<&str> = KEYWORDS.split_ascii_whitespace().collect();
    let mut variables = HashMap::new();
    let named = texts.iter().enumerate().map(|(at, text)| {
        let before = at.checked_sub(1).and_then(|before| texts.get(before));
        let member = matches!(before, Some(&"." | &"->" | &"::"));
        let called = texts.get(at + 1) == Some(&"(");
        let small = text.starts_with(|first: char| first.is_lowercase() || first == '_');
        if member || called || !small || keywords.contains(text) {
            return Token::Text(text);
        }
        let next = variables.len();
        Token::Variable(*variables.entry(*text).or_insert(next))
    });
    named.collect()
}

/// The length of the token that a text begins with: a word, a number, a string, or a mark.
fn token_length(text: &str, first: char) -> usize {
    let run = |of: fn(char) -> bool| text.find(|letter| !of(letter)).unwrap_or(text.len());
    match first {
        letter if letter.is_whitespace() => run(char::is_whitespace),
        letter if letter.is_alphanumeric() || letter == '_' => run(|letter| letter.is_alphanumeric() || letter == '_'),
        '"' | '\'' | '`' => string_length(text, first),
        _ => match text.get(..2) {
            Some(pair @ ("->" | "::" | "=>" | "==" | "!=" | "<=" | ">=" | "&&" | "||")) => pair.len(),
            _ => first.len_utf8(),
        },
    }
}

/// The length of the longest common subsequence.
fn common(a: &[Token<'_>], b: &[Token<'_>]) -> usize {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = |tokens: &'_ [Token<'_>]| tokens.len().saturating_sub(tail).min(MOST_TOKENS);
    let (a, b) = (
        a.get(..middle(a)).unwrap_or_default(),
        b.get(..middle(b)).unwrap_or_default(),
    );
    head + longest(a, b) + tail
}

/// The same, by bits: 64 cells of a row of the table at once (H. Hyyro, 2004, "Bit-parallel LCS-length computation
/// revisited").
fn longest(a: &[Token<'_>], b: &[Token<'_>]) -> usize {
    let words = a.len().div_ceil(64);
    let mut places: HashMap<&Token<'_>, Vec<u64>> = HashMap::new();
    for (at, token) in a.iter().enumerate() {
        let bits = places.entry(token).or_insert_with(|| vec![0; words]);
        if let Some(word) = bits.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    // A bit that is 0 is a place of `a` at which one more token became common.
    let mut row = vec![u64::MAX; words];
    for token in b {
        let Some(bits) = places.get(token) else { continue };
        let mut carry = false;
        for (cells, bits) in row.iter_mut().zip(bits) {
            let met = *cells & bits;
            let (sum, over) = cells.overflowing_add(met);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = over || again;
            *cells = sum | (*cells & !bits);
        }
    }
    let zeros: u32 = row.iter().map(|cells| cells.count_zeros()).sum();
    zeros as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f64 {
        code_likeness(
            &format!("```py\n{a}\n```"),
            &format!("Here it is:\n```python\n{b}\n```\nDone."),
        )
    }

    const MEAN: &str = "def mean(numbers):\n    # of nothing it is 0\n    if not numbers:\n        return 0\n    total = 0\n    \
                        for number in numbers:\n        total += number\n    return total / len(numbers)";

    #[test]
    fn names_of_variables_layout_and_comments_make_no_difference() {
        let renamed =
            "def mean(xs):\n  if not xs: return 0\n  s = 0\n  for x in xs:\n    s += x\n  return s / len(xs)  # done";
        assert_eq!(likeness(MEAN, MEAN), 1.0);
        assert_eq!(likeness(MEAN, renamed), 1.0);
    }

    #[test]
    fn what_is_called_and_which_variable_stands_where_does() {
        assert!(likeness(MEAN, &MEAN.replace("len(", "sum(")) < 1.0);
        assert!(likeness("f(a, b)\ng(a)", "f(a, b)\ng(b)") < 1.0);
        assert!(likeness("x = y.first", "x = y.second") < 1.0);
        assert!(likeness("x = 'a b'", "x = 'a c'") < 1.0);
        assert_eq!(likeness("x = 'it'", "y = 'it'"), 1.0);
    }

    #[test]
    fn a_small_change_keeps_a_long_program_alike_and_another_program_is_not() {
        let long = format!("{MEAN}\n{}", "print(mean([1, 2, 3]))\n".repeat(10));
        let changed = long.replacen("return 0", "return None", 1);
        let close = likeness(&long, &changed);
        assert!((SAME_CODE..1.0).contains(&close), "{close}");
        let other = likeness(
            MEAN,
            "import statistics\n\nclass Mean:\n    def of(self, values):\n        return statistics.fmean(values)",
        );
        assert!(other < 0.6, "{other}");
    }

    #[test]
    fn texts_without_code_are_not_alike() {
        for (a, b) in [
            ("", ""),
            ("the same", "the same"),
            ("```py\nx\n```", "x"),
            ("```\n```", "```\n```"),
        ] {
            assert_eq!(code_likeness(a, b), 0.0, "{a} {b}");
        }
    }

    /// The textbook's table.
    fn slow(a: &[Token<'_>], b: &[Token<'_>]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut corner = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y { corner + 1 } else { row[at].max(above) };
                corner = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn the_longest_common_subsequence_is_that_of_the_table() {
        let mut draws = crate::Draws::new(5);
        for _ in 0..300 {
            let mut some = |most| -> Vec<Token<'_>> {
                let length = draws.below(most);
                (0..length).map(|_| Token::Variable(draws.below(4))).collect()
            };
            let (a, b) = (some(200), some(200));
            assert_eq!(common(&a, &b), slow(&a, &b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn long_programs_are_compared_in_bounded_time() {
        let a: String = (0..30_000).map(|at| format!("f{at}(x)\n")).collect();
        let b: String = (0..30_000).map(|at| format!("g{at}(x)\n")).collect();
        let likeness = likeness(&a, &b);
        assert!(likeness > 0.0 && likeness < 0.9, "{likeness}");
    }
}
