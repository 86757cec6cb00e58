//! The lines between which texts of others stand where a model is told of them: none of the texts has such a line in it.

use std::collections::HashSet;

/// How many marks a fence has in a row.
const MARKS: usize = 5;

/// A line that stands in none of these texts. It is short whatever they hold, and found in one pass over them: a run of
/// marks, with a number where a text has such a run itself.
pub(crate) fn fence<'a>(mark: char, texts: impl IntoIterator<Item = &'a str>) -> String {
    let run = String::from(mark).repeat(MARKS);
    let opening = format!("{run} ");
    let mut has_runs = false;
    let mut taken: HashSet<u64> = HashSet::new();
    for text in texts {
        has_runs |= text.contains(&run);
        for (at, _) in text.match_indices(&opening) {
            let rest = text.get(at + opening.len()..).unwrap_or_default();
            let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
            taken.extend(rest.get(..digits).and_then(|digits| digits.parse::<u64>().ok()));
        }
    }
    if !has_runs {
        return run;
    }
    let free = (1..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("{run} {free} {run}")
}

/// The longest run of backticks that a fence of code outdoes.
const LONGEST_RUN: usize = 8;

/// A fence of code that nothing in this text ends: more backticks than the text has in a row anywhere, or, where those
/// would be many, a line that does not stand in it.
#[must_use]
pub fn code_fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    if longest > LONGEST_RUN {
        fence('`', [text])
    } else {
        "`".repeat(longest.max(2) + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn a_fence_stands_in_none_of_the_texts() {
        let fences = |count: usize| {
            let mut text = String::new();
            for number in 1..=count {
                let _ = write!(text, "===== {number} =====\n===== {number} ===== ");
            }
            text
        };
        for (texts, expected) in [
            (vec![String::new(), "a == b".to_owned()], "====="),
            (vec!["=====".to_owned()], "===== 1 ====="),
            (vec!["=".repeat(100_000)], "===== 1 ====="),
            (vec!["======== 1 =====".to_owned()], "===== 2 ====="),
            (vec!["===== 1 ===== 2 =====".to_owned()], "===== 3 ====="),
            (
                vec!["===== 1 =====".to_owned(), "===== 2 =====".to_owned()],
                "===== 3 =====",
            ),
            (vec!["===== 99999999999999999999999 =====".to_owned()], "===== 1 ====="),
            (vec![fences(5_000)], "===== 5001 ====="),
        ] {
            let found = fence('=', texts.iter().map(String::as_str));
            assert_eq!(found, expected);
            assert!(texts.iter().all(|text| !text.contains(&found)), "{found}");
        }
    }

    #[test]
    fn a_fence_of_code_is_short_whatever_the_code_holds() {
        for (text, expected) in [
            ("let a;".to_owned(), "```"),
            ("``".to_owned(), "```"),
            ("a ```` b".to_owned(), "`````"),
            ("`".repeat(8), "`````````"),
            ("`".repeat(64 * 1024), "````` 1 `````"),
        ] {
            let found = code_fence(&text);
            assert_eq!(found, expected);
            assert!(!text.contains(&found));
        }
    }

    #[test]
    fn a_megabyte_of_marks_is_passed_over_at_once() {
        // Whatever grows with the square of the text takes minutes.
        let text = "-".repeat(1 << 20);
        let began = tokio::time::Instant::now();
        assert_eq!(fence('-', [text.as_str()]), "----- 1 -----");
        assert!(began.elapsed().as_secs() < 10);
    }
}
