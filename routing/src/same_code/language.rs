//! What is white space, a comment and a string in the languages that are read.

/// A language whose strings and comments can be told apart by simple rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Rust,
    /// C and C++.
    C,
    Java,
    CSharp,
    /// JavaScript and TypeScript.
    Script,
    Go,
    Kotlin,
    Sql,
}

/// What the layout of a program means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Lines and how far they are indented.
    Indented,
    /// Where a line ends.
    Lines,
    /// Nothing.
    Free,
}

impl Language {
    /// The language that a fence names.
    pub(super) fn of(label: &str) -> Option<Self> {
        Some(match label.to_ascii_lowercase().as_str() {
            "python" | "py" | "python3" => Self::Python,
            "rust" | "rs" => Self::Rust,
            "c" | "cpp" | "c++" | "cc" | "h" | "hpp" => Self::C,
            "java" => Self::Java,
            "csharp" | "cs" | "c#" => Self::CSharp,
            "javascript" | "js" | "typescript" | "ts" => Self::Script,
            "go" | "golang" => Self::Go,
            "kotlin" | "kt" => Self::Kotlin,
            "sql" => Self::Sql,
            _ => return None,
        })
    }

    pub(super) const fn layout(self) -> Layout {
        match self {
            Self::Python => Layout::Indented,
            Self::Script | Self::Go | Self::Kotlin => Layout::Lines,
            Self::Rust | Self::C | Self::Java | Self::CSharp | Self::Sql => Layout::Free,
        }
    }

    /// The length of the comment that a text begins with, the end of its line not with it; nothing where it begins with
    /// none, or with one that may mean something.
    pub(super) fn comment(self, text: &str) -> Option<Result<usize, Unclear>> {
        let is_line = match self {
            Self::Python => text.starts_with('#'),
            Self::Sql => {
                let rest = text.strip_prefix("--");
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n']))
            }
            // `//go:embed` and the like are directives.
            Self::Go => text.starts_with("// ") && !text.starts_with("// +build"),
            _ => text.starts_with("//"),
        };
        if is_line {
            let length = text.find('\n').unwrap_or(text.len());
            // In C the next line would be part of it.
            let goes_on = self == Self::C && text.get(..length).is_some_and(|line| line.trim_end().ends_with('\\'));
            return Some(if goes_on { Err(Unclear) } else { Ok(length) });
        }
        let has_blocks = !matches!(self, Self::Python | Self::Sql | Self::Go);
        if !has_blocks || !text.starts_with("/*") {
            return None;
        }
        let inner = text.get(2..).unwrap_or_default();
        Some(match inner.split_once("*/") {
            // They nest in some languages.
            Some((comment, _)) if !comment.contains("/*") => Ok(comment.len() + 4),
            _ => Err(Unclear),
        })
    }

    /// Whether a comment may stand behind code. Where a slash may also begin a regular expression it is not looked for there.
    pub(super) fn has_trailing_comments(self) -> bool {
        self != Self::Script
    }

    /// The length of the string that a text begins with, if it begins with one; `before` is what stands directly before it.
    pub(super) fn string(self, text: &str, before: Option<char>) -> Option<Result<usize, Unclear>> {
        let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
        let one = text.get(..1)?;
        let triple = text.get(..3).filter(|quotes| matches!(*quotes, "\"\"\"" | "'''"));
        Some(match (self, quote) {
            (Self::Python, '"' | '\'') => {
                let length = match triple {
                    Some(quotes) => closed(text, quotes, true, true),
                    None => closed(text, one, true, false),
                };
                match length {
                    // Within its braces an `f"..."` may have strings of its own.
                    Ok(length) if before.is_some_and(char::is_alphabetic) && has_open_braces(text, length) => {
                        Err(Unclear)
                    }
                    end => end,
                }
            }
            (Self::Rust, '\'') => {
                let mut letters = text.chars().skip(1);
                match (letters.next(), letters.next()) {
                    (Some('\\'), _) => closed(text, "'", true, false),
                    (Some(letter), Some('\'')) => Ok(2 + letter.len_utf8()),
                    // A lifetime.
                    _ => return None,
                }
            }
            (Self::Sql, _) => match closed(text, one, false, true) {
                // Whether it escapes the quote depends on the database.
                Ok(length) if text.get(..length).is_some_and(|string| string.contains('\\')) => Err(Unclear),
                end => end,
            },
            (Self::Go, '`') => closed(text, "`", false, true),
            // Raw and interpolated strings, texts of several lines, numbers in groups, templates.
            (_, '`') => Err(Unclear),
            _ if triple.is_some() => Err(Unclear),
            (_, '"') if matches!(before, Some('r' | 'R' | '#' | '@' | '$')) => Err(Unclear),
            (Self::C, '\'') if before.is_some_and(|letter| letter.is_ascii_hexdigit()) => Err(Unclear),
            _ => match closed(text, one, true, self == Self::Rust) {
                Ok(length) if self == Self::Kotlin && text.get(..length).is_some_and(|string| string.contains('$')) => {
                    Err(Unclear)
                }
                end => end,
            },
        })
    }

    /// Whether the code has something in it that the rules above may read wrongly.
    pub(super) fn is_unclear(self, code: &str) -> bool {
        // What ends a line in one language and not in another.
        if code.contains(['\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])
            || code.replace("\r\n", "").contains('\r')
        {
            return true;
        }
        let mut lines = code.lines().map(str::trim_start);
        match self {
            // A regular expression may have quotes in it.
            Self::Script => lines.any(|line| {
                let is_comment = line.starts_with("//");
                !is_comment && line.contains('/') && line.contains(['"', '\'', '`'])
            }),
            Self::C | Self::CSharp => lines.any(|line| line.starts_with('#') && !line.starts_with("#include")),
            Self::Sql => code.contains("$$"),
            _ => false,
        }
    }
}

/// It is not certain how the code is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclear;

/// Whether the first bytes of a text have more braces that open than close, or fewer.
fn has_open_braces(text: &str, length: usize) -> bool {
    let count = |brace| text.get(..length).map_or(0, |text| text.matches(brace).count());
    count('{') != count('}')
}

/// The length of a string that begins and ends with these quotes.
fn closed(text: &str, quotes: &str, has_escapes: bool, has_lines: bool) -> Result<usize, Unclear> {
    let mut letters = text.char_indices().skip(quotes.len());
    while let Some((at, letter)) = letters.next() {
        if has_escapes && letter == '\\' {
            letters.next();
        } else if letter == '\n' && !has_lines {
            return Err(Unclear);
        } else if text.get(at..).is_some_and(|rest| rest.starts_with(quotes)) {
            return Ok(at + quotes.len());
        }
    }
    Err(Unclear)
}
