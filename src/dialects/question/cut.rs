//! What is cut out of a text before it is looked at.

use std::borrow::Cow;

use memchr::memmem;

/// The most bytes that are looked at of each end of a text.
const END_BYTES: usize = 32 * 1024;

/// What coding agents put into a user's message though the user did not say it: how it begins and how it ends. The first is
/// Claude Code's, the others are Codex's, of which the last two hold the instructions of files in the user's folder.
const BLOCKS: [(&str, &str); 4] = [
    ("<system-reminder>", "</system-reminder>"),
    ("<environment_context>", "</environment_context>"),
    ("<user_instructions>", "</user_instructions>"),
    ("# AGENTS.md instructions", "</INSTRUCTIONS>"),
];

/// How the line begins that Claude Code puts before its instructions, and which is another in each of its requests.
const LABEL: &str = "x-anthropic-billing-header:";

/// A text without what the user did not say. Where there is nothing of that kind, it is as it was to the byte.
pub(super) fn without_blocks(text: Cow<'_, str>) -> Cow<'_, str> {
    BLOCKS
        .iter()
        .fold(text, |text, (begin, end)| match without(&text, begin, end) {
            Some(rest) => Cow::Owned(rest),
            None => text,
        })
}

/// A text without the blocks of one kind, and without white space around what is left; nothing if there is none. Takes time
/// in proportion to the text.
fn without(text: &str, begin: &str, end: &str) -> Option<String> {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, after)) = split(rest, begin).and_then(|(before, block)| {
        // A block that does not end is the user's own words.
        split(block, end).map(|(_, after)| (before, after))
    }) {
        left.push_str(before);
        rest = after;
    }
    if rest.len() == text.len() {
        return None;
    }
    left.push_str(rest);
    Some(left.trim().to_owned())
}

fn split<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let at = memmem::find(text.as_bytes(), mark.as_bytes())?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// Instructions without a first line that is another in each request.
pub(super) fn without_label(text: &str) -> &str {
    if text.trim_start().starts_with(LABEL) {
        text.trim_start().split_once('\n').map_or("", |(_, rest)| rest)
    } else {
        text
    }
}

/// A text, or both ends of a long one.
pub(super) fn ends(text: &str) -> Cow<'_, str> {
    if text.len() <= 2 * END_BYTES {
        return Cow::Borrowed(text);
    }
    let head = text.get(..text.floor_char_boundary(END_BYTES)).unwrap_or_default();
    let tail = text.ceil_char_boundary(text.len() - END_BYTES);
    Cow::Owned([head, text.get(tail..).unwrap_or_default()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> String {
        without_blocks(Cow::Borrowed(text)).into_owned()
    }

    #[test]
    fn what_agents_put_in_goes_and_what_the_user_said_stays() {
        for (text, left) in [
            ("<system-reminder>\nBe careful.\n</system-reminder>\nFix it.", "Fix it."),
            (
                "Fix\n<system-reminder>a</system-reminder> it<system-reminder>b</system-reminder>.",
                "Fix\n it.",
            ),
            ("<environment_context>\n<cwd>/w</cwd>\n</environment_context>", ""),
            ("<user_instructions>\n\nbe brief\n\n</user_instructions>", ""),
            (
                "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nbe brief\n</INSTRUCTIONS>\n\nFix it.",
                "Fix it.",
            ),
            (
                "<environment_context>a</environment_context><system-reminder>b</system-reminder>both",
                "both",
            ),
        ] {
            assert_eq!(cut(text), left, "{text}");
        }
    }

    #[test]
    fn a_text_without_such_blocks_is_as_it_was_to_the_byte() {
        for text in [
            "",
            "  Fix it.\n",
            "<system-reminder>it has no end",
            "</system-reminder> the end first <system-reminder>",
            "# AGENTS.md instructions are ignored, why?",
            "<SYSTEM-REMINDER>a</SYSTEM-REMINDER>",
        ] {
            let left = without_blocks(Cow::Borrowed(text));
            assert!(matches!(left, Cow::Borrowed(left) if left == text), "{text}");
        }
    }

    #[test]
    fn many_blocks_take_no_more_than_their_length() {
        // With a search of the whole rest for each of them, this would take minutes.
        let blocks = "<system-reminder>a</system-reminder>".repeat(200_000);
        assert_eq!(
            cut(&format!("{blocks}b<environment_context>c</environment_context>")),
            "b"
        );
        let begun = "<system-reminder>".repeat(400_000);
        assert_eq!(cut(&begun), begun);
    }

    #[test]
    fn a_label_goes_with_its_line() {
        assert_eq!(without_label("x-anthropic-billing-header: cc_version=2; cch=1;"), "");
        assert_eq!(
            without_label("\nx-anthropic-billing-header: cch=1;\nYou are"),
            "You are"
        );
        assert_eq!(
            without_label("You are x-anthropic-billing-header: 1\n"),
            "You are x-anthropic-billing-header: 1\n"
        );
    }

    #[test]
    fn of_a_long_text_both_ends_are_left_and_no_letter_is_cut() {
        let whole = "é".repeat(END_BYTES);
        assert!(matches!(ends(&whole), Cow::Borrowed(_)));
        for shift in 0..3 {
            let text = format!("{}{}{}", "a".repeat(shift), "世".repeat(END_BYTES), "z");
            let ends = ends(&text);
            assert!(
                ends.len() <= 2 * END_BYTES && ends.len() > 2 * END_BYTES - 6,
                "{}",
                ends.len()
            );
            let head = ends.floor_char_boundary(END_BYTES - 3);
            assert!(text.starts_with(&ends[..head]) && ends.ends_with("世z"));
        }
    }
}
