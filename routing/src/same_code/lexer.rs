//! The tokens of a program.

use super::language::{Language, Layout};

/// A token of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    String(&'a str),
    /// A line ends, where that means something.
    Line,
    /// A line is indented more than the one before it, or less.
    Indent,
    Dedent,
}

/// Reads the tokens of a program.
pub(super) struct Lexer<'a> {
    language: Language,
    code: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    /// The brackets that are open.
    depth: usize,
    /// How far the lines are indented that this one is within.
    indents: Vec<usize>,
    /// Where the tokens of the line begin.
    line: usize,
    /// Nothing but white space stands before it on its line.
    is_first: bool,
    /// Whether a text alone on its line is a comment on the code.
    has_docs: bool,
}

impl<'a> Lexer<'a> {
    /// Nothing where the code may be read wrongly.
    pub(super) fn new(language: Language, code: &'a str) -> Option<Self> {
        (!language.is_unclear(code)).then(|| Self {
            language,
            code,
            at: 0,
            tokens: Vec::new(),
            depth: 0,
            indents: Vec::new(),
            line: 0,
            is_first: true,
            has_docs: language == Language::Python && !code.contains("__doc__") && !code.contains("doctest"),
        })
    }

    /// All tokens; nothing where it is not certain what they are.
    pub(super) fn tokens(mut self) -> Option<Vec<Token<'a>>> {
        while let Some(letter) = self.rest().chars().next() {
            self.next(letter)?;
        }
        self.end_line();
        while matches!(self.tokens.last(), Some(Token::Line | Token::Indent | Token::Dedent)) {
            self.tokens.pop();
        }
        Some(self.tokens)
    }

    fn rest(&self) -> &'a str {
        self.code.get(self.at..).unwrap_or_default()
    }

    fn before(&self) -> Option<char> {
        self.code.get(..self.at)?.chars().next_back()
    }

    fn next(&mut self, letter: char) -> Option<()> {
        if letter == '\n' {
            self.is_first = true;
            self.at += 1;
            return Some(());
        }
        if letter.is_ascii_whitespace() {
            self.at += 1;
            return Some(());
        }
        // A mark right behind something else may be part of it.
        let is_apart = self.before().is_none_or(|before| before.is_ascii_whitespace());
        if (self.is_first || (is_apart && self.language.has_trailing_comments()))
            && let Some(length) = self.language.comment(self.rest())
        {
            let length = length.ok()?;
            let comment = self.rest().get(..length)?;
            self.is_first |= comment.contains('\n');
            self.at += length;
            return Some(());
        }
        if self.is_first {
            self.begin_line()?;
            self.is_first = false;
        }
        let rest = self.rest();
        if let Some(length) = self.language.string(rest, self.before()) {
            return self.take(length.ok()?, Token::String);
        }
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        if is_word(letter) {
            let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            return self.take(length, Token::Text);
        }
        if is_single(letter) {
            match letter {
                '(' | '[' | '{' => self.depth += 1,
                ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if matches!(letter, ')' | ']' | '}') && self.tokens.last() == Some(&Token::Line) {
                self.tokens.pop();
            }
            return self.take(letter.len_utf8(), Token::Text);
        }
        // Marks without white space between them are one: `a++ + b` is not `a + ++b`.
        let is_mark = |letter: char| !(letter.is_ascii_whitespace() || is_word(letter) || is_single(letter));
        let marks = rest.find(|letter| !is_mark(letter)).unwrap_or(rest.len());
        self.take(marks.max(letter.len_utf8()), Token::Text)
    }

    fn take(&mut self, length: usize, token: impl Fn(&'a str) -> Token<'a>) -> Option<()> {
        self.tokens.push(token(self.rest().get(..length)?));
        self.at += length;
        Some(())
    }

    /// The first token of a line is about to be read.
    fn begin_line(&mut self) -> Option<()> {
        match self.language.layout() {
            Layout::Free => {}
            Layout::Lines => {
                let goes_on = matches!(
                    self.tokens.last(),
                    None | Some(Token::Line | Token::Text("{" | "(" | "[" | "," | ";"))
                );
                if !goes_on {
                    self.tokens.push(Token::Line);
                }
            }
            Layout::Indented if self.depth > 0 => {}
            Layout::Indented => self.indent()?,
        }
        Some(())
    }

    fn indent(&mut self) -> Option<()> {
        self.end_line();
        let begin = self.code.get(..self.at)?.rfind('\n').map_or(0, |end| end + 1);
        let width = |width: usize, letter| if letter == '\t' { (width / 8 + 1) * 8 } else { width + 1 };
        let width = self.code.get(begin..self.at)?.chars().fold(0, width);
        match self.indents.last() {
            None => self.indents.push(width),
            Some(around) if width > *around => {
                self.indents.push(width);
                self.tokens.push(Token::Indent);
            }
            Some(_) => {
                while self.indents.last().is_some_and(|around| *around > width) {
                    self.indents.pop();
                    self.tokens.push(Token::Dedent);
                }
                if self.indents.last() != Some(&width) {
                    return None;
                }
            }
        }
        self.line = self.tokens.len();
        Some(())
    }

    /// A line that may be followed by another ends. One with nothing but a text on it does nothing.
    fn end_line(&mut self) {
        if self.language.layout() != Layout::Indented {
            return;
        }
        if self.has_docs && matches!(self.tokens.get(self.line..), Some([Token::String(_)])) {
            self.tokens.pop();
        }
        if matches!(self.tokens.last(), Some(Token::Text(_) | Token::String(_))) {
            self.tokens.push(Token::Line);
        }
    }
}

/// Marks that never are part of a longer one.
const fn is_single(letter: char) -> bool {
    matches!(letter, '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '"' | '\'' | '`')
}
