//! What goes to the terminal, or to whoever reads the program's output.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use super::error::CliError;

/// Writes an answer and a line break to stdout. A reader that has gone (`| head`) is no failure.
pub(super) fn say(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let text = if stdout.is_terminal() {
        harmless(text)
    } else {
        Cow::Borrowed(text)
    };
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line to stderr.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{}", harmless(text));
}

/// Asks for input on stderr, where it does not mix with the answers.
pub(super) fn prompt() {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "> ").and_then(|()| stderr.flush());
}

/// A text without control characters save tabs and line breaks: what a model writes must not move the cursor, rename
/// the window or reach the clipboard.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let replaced = text.replace("\r\n", "\n").replace(is_harmful, "\u{fffd}");
    Cow::Owned(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_a_terminal() {
        let text = "a\u{1b}]52;c;aGk=\u{7}b\u{9b}2Jc\rd\u{7f}";
        assert_eq!(
            harmless(text),
            "a\u{fffd}]52;c;aGk=\u{fffd}b\u{fffd}2Jc\u{fffd}d\u{fffd}"
        );
    }

    #[test]
    fn ordinary_text_is_shown_as_it_is() {
        let text = "fn main() {\n\tprintln!(\"héllo 世界\");\n}";
        assert_eq!(harmless(text), text);
        assert_eq!(harmless("a\r\nb"), "a\nb");
    }
}
