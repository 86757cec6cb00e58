//! The normal form of code in a text: without comments and white space, so that two models that wrote the same program
//! agree however they laid it out. Indentation is white space too: two programs that differ in nothing else, which are
//! hardly ever written, have the same form.

/// What begins a comment to the line's end, by the language after the fence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comments {
    Hash,
    Dashes,
    Slashes,
}

impl Comments {
    /// A language that is not said is taken for one with `#` if a line begins with it, else for one with `//`.
    fn of(language: &str, code: &str) -> Self {
        match language.to_ascii_lowercase().as_str() {
            "python" | "py" | "python3" | "sh" | "bash" | "shell" | "zsh" | "ruby" | "rb" | "yaml" | "yml" | "toml"
            | "perl" | "r" | "make" | "makefile" | "dockerfile" | "elixir" | "julia" => Self::Hash,
            "sql" | "lua" | "haskell" | "hs" | "ada" | "elm" => Self::Dashes,
            "" if code.lines().any(|line| line.trim_start().starts_with('#')) => Self::Hash,
            _ => Self::Slashes,
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Hash => "#",
            Self::Dashes => "--",
            Self::Slashes => "//",
        }
    }
}

/// The normal form of all fenced code in a text, in order; empty where there is none. A fence that is not closed ends
/// with the text.
#[must_use]
pub fn code_key(text: &str) -> String {
    let mut key = String::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let (language, body) = after.split_once('\n').unwrap_or(("", after));
        let (language, body) = match language.contains("```") {
            // A fence within a line.
            true => ("", after),
            false => (language.trim(), body),
        };
        let (code, after) = body.split_once("```").unwrap_or((body, ""));
        if !key.is_empty() && !key.ends_with('\n') {
            key.push('\n');
        }
        strip(code, Comments::of(language, code), &mut key);
        rest = after;
    }
    match key.trim_end_matches('\n') {
        "" => String::new(),
        code => format!("={code}"),
    }
}

/// Appends the code without comments and white space. White space between two words stays, as one blank: `return x` is
/// not `returnx`. Strings stay as they are.
fn strip(code: &str, comments: Comments, out: &mut String) {
    let mut rest = code;
    let mut gap = false;
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    while let Some(letter) = rest.chars().next() {
        let skipped = if letter.is_whitespace() {
            Some(letter.len_utf8())
        } else if rest.starts_with(comments.mark()) {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if comments == Comments::Slashes && rest.starts_with("/*") {
            Some(rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else {
            None
        };
        if let Some(skipped) = skipped {
            rest = rest.get(skipped..).unwrap_or_default();
            gap = true;
            continue;
        }
        if gap && is_word(letter) && out.chars().next_back().is_some_and(is_word) {
            out.push(' ');
        }
        gap = false;
        let taken = match letter {
            '"' | '\'' | '`' => string_length(rest, letter),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(taken);
        out.push_str(token);
        rest = after;
    }
}

/// The length of the string that a text begins with, its quotes included. A string of one line ends with it at the
/// latest: an apostrophe may be a lifetime or a word's.
pub(crate) fn string_length(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '\n' if quote != '`' => return at,
            letter if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_and_comments_make_no_difference() {
        let a = "Here:\n```rust\n// adds\nfn add(a: i32, b: i32) -> i32 {\n    a + b /* sum */\n}\n```\nDone.";
        let b = "```rs\nfn add(a:i32,b:i32)->i32{a+b}\n```";
        assert_eq!(code_key(a), code_key(b));
        assert_eq!(code_key(b), "=fn add(a:i32,b:i32)->i32{a+b}");
    }

    #[test]
    fn each_language_has_its_comments() {
        assert_eq!(code_key("```python\nx = 1 # one\n```"), "=x=1");
        assert_eq!(code_key("```\n# one\nx = 1\n```"), "=x=1");
        assert_eq!(code_key("```sql\nselect 1 -- one\n```"), "=select 1");
        assert_eq!(code_key("```js\nx = 1 # 2\n```"), "=x=1#2");
    }

    #[test]
    fn strings_and_the_blanks_between_words_stay() {
        assert_eq!(code_key("```py\nreturn  \"a # b\"\n```"), "=return\"a # b\"");
        assert_ne!(code_key("```py\nx = 'a b'\n```"), code_key("```py\nx = 'ab'\n```"));
        assert_ne!(code_key("```py\nreturn x\n```"), code_key("```py\nreturnx\n```"));
        assert_eq!(code_key("```rs\nfn f<'a>(x: &'a u8) {}\n```"), "=fn f<'a>(x: &'a u8){}");
    }

    #[test]
    fn a_text_without_code_has_no_form() {
        for text in ["", "fn f() {}", "``", "```", "```rust\n```", "```py\n# nothing\n```"] {
            assert_eq!(code_key(text), "", "{text}");
        }
    }

    #[test]
    fn a_fence_that_is_not_closed_ends_with_the_text() {
        assert_eq!(code_key("```py\nx = 1"), "=x=1");
        assert_eq!(code_key("a ```x = 1``` b"), "=x=1");
        assert_eq!(code_key("```py\nx\n```\nand\n```py\ny\n```"), "=x\ny");
    }
}
