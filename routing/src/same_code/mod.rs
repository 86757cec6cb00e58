//! Whether two programs are certainly the same, however they are laid out and whatever is said beside the code.

mod language;
mod lexer;

use language::Language;
use lexer::Lexer;

/// Longer code is only compared as it stands.
const MOST_BYTES: usize = 256 * 1024;

/// Whether the fenced code of two texts is certainly the same: as many blocks, and in each the same tokens in the same
/// order. Comments, layout and docstrings make no difference; operators, numbers, strings, key words and names all do, as
/// there is no telling from a name whether anything outside goes by it. White space counts where the language says so.
///
/// Only for languages whose strings and comments are easily told apart, and only where they are: other code is the same
/// only if it is written the same. Whoever gets `false` knows nothing: the programs may do the same all the same.
#[must_use]
pub fn same_code(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (blocks(a), blocks(b)) else {
        return false;
    };
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| is_same_block(a, b))
}

/// A fenced block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block<'a> {
    label: &'a str,
    code: &'a str,
}

/// The fenced blocks of a text; nothing where there are none, or where it is not certain where they end: one that is not
/// closed, or a fence without a language beside others, which may be one of the code's own.
fn blocks(text: &str) -> Option<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (begin, end) = (at, at + line.len());
        at = end;
        let Some(label) = line.trim().strip_prefix("```").map(str::trim) else {
            continue;
        };
        match open {
            None => open = Some((label, end)),
            Some((of, from)) if label.is_empty() => {
                let code = text.get(from..begin)?;
                blocks.push(Block { label: of, code });
                open = None;
            }
            // A fence within the code.
            Some(_) => return None,
        }
    }
    let is_clear = blocks.len() == 1 || blocks.iter().all(|block| !block.label.is_empty());
    (open.is_none() && !blocks.is_empty() && is_clear).then_some(blocks)
}

fn is_same_block(a: &Block<'_>, b: &Block<'_>) -> bool {
    let is_same_label = a.label.eq_ignore_ascii_case(b.label) || a.label.is_empty() || b.label.is_empty();
    let (of_a, of_b) = (Language::of(a.label), Language::of(b.label));
    if a.code.trim().is_empty() || (of_a != of_b && !is_same_label) {
        return false;
    }
    if is_same_label && a.code.trim() == b.code.trim() {
        return true;
    }
    let Some(language) = of_a.or(of_b) else { return false };
    let tokens = |code| {
        let tokens = Lexer::new(language, code)?.tokens()?;
        (!tokens.is_empty()).then_some(tokens)
    };
    if a.code.len().max(b.code.len()) > MOST_BYTES {
        return false;
    }
    matches!((tokens(a.code), tokens(b.code)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests;
