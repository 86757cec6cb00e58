//! Lines of a reader that blocks, on a thread of their own.

use std::io::{self, BufRead, ErrorKind};
use std::thread;

use tokio::sync::mpsc;

/// Bytes of a line at most, without its end. What is longer is passed over without being kept.
pub(super) const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Lines that are read ahead.
const AHEAD: usize = 16;

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its end. The last one may have had none.
    Whole(Vec<u8>),
    /// It had more bytes than the limit.
    TooLong,
}

/// Reads what `open` returns, to its end. The thread is left alone when nobody takes lines any more: it may wait for
/// input that never comes, and ends with the process.
pub(super) fn start<R: BufRead>(open: impl FnOnce() -> R + Send + 'static) -> io::Result<mpsc::Receiver<Line>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::Builder::new().name("mcp-stdin".to_owned()).spawn(move || {
        let mut reader = open();
        loop {
            match next(&mut reader, MOST_BYTES) {
                Ok(Some(line)) => {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "stdin cannot be read any more");
                    return;
                }
            }
        }
    })?;
    Ok(receiver)
}

/// The next line; nothing at the end.
fn next(reader: &mut impl BufRead, most: usize) -> io::Result<Option<Line>> {
    let mut line = Some(Vec::new());
    let mut empty = true;
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let at_end = available.is_empty();
        let newline = memchr::memchr(b'\n', available);
        let piece = newline
            .map_or(Some(available), |place| available.get(..place))
            .unwrap_or_default();
        line = line.filter(|line| line.len() + piece.len() <= most);
        if let Some(line) = &mut line {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(newline.is_some());
        reader.consume(used);
        empty &= used == 0;
        if newline.is_some() || at_end {
            let read = line.map_or(Line::TooLong, Line::Whole);
            return Ok((!empty).then_some(read));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(bytes: &[u8], buffer: usize, most: usize) -> Vec<Line> {
        let mut reader = BufReader::with_capacity(buffer, bytes);
        std::iter::from_fn(|| next(&mut reader, most).unwrap()).collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        for buffer in 1..12 {
            let read = lines(b"one\n\ntwo\r\nlast", buffer, 5);
            assert_eq!(
                read,
                [whole("one"), whole(""), whole("two\r"), whole("last")],
                "{buffer}"
            );
        }
        assert_eq!(lines(b"", 4, 5), []);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_one_read() {
        for buffer in 1..12 {
            let read = lines(b"12345\n123456\n1\n1234567890", buffer, 5);
            assert_eq!(
                read,
                [whole("12345"), Line::TooLong, whole("1"), Line::TooLong],
                "{buffer}"
            );
        }
    }
}
