//! Where a request ends among the bytes that a client sends (RFC 9112, sections 6 and 7).
//!
//! actix judges requests; this only follows it. What it would refuse, or what has no end, is [`Place::Lost`]: from there
//! on every byte counts as one of the same request, and actix answers 400 and closes.

use std::mem::MaybeUninit;

use httparse::{Header, Request, Status};

/// The most header fields that actix takes.
const MOST_FIELDS: usize = 96;
/// The most bytes of a head that actix takes.
const MOST_BYTES: usize = 128 * 1024;

/// Follows the requests on a connection, one by one.
#[derive(Debug)]
pub(super) struct RequestFraming {
    place: Place,
    /// What has come of a head that came in pieces.
    head: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a head, or before it.
    Head,
    /// In a body, with so many bytes to come.
    Body(u64),
    /// In a body in chunks.
    Chunks(Chunk),
    /// Behind a request.
    End,
    /// In something that has no end.
    Lost,
}

/// A place in a body in chunks; the number is the size of the chunk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size(u64),
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataCr,
    DataLf,
    LastCr,
    LastLf,
}

impl RequestFraming {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Head,
            head: Vec::new(),
        }
    }

    /// Whether a request has been passed as a whole.
    pub(super) fn is_at_end(&self) -> bool {
        self.place == Place::End
    }

    /// Behind a request another begins.
    pub(super) fn begin_next(&mut self) {
        self.place = Place::Head;
    }

    /// Passes these bytes, up to the end of the request; says how many belong to it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Head => self.pass_head(rest),
                Place::Body(left) => {
                    let (left, rest) = skip(rest, left);
                    self.place = if left == 0 { Place::End } else { Place::Body(left) };
                    rest
                }
                Place::Chunks(chunk) => {
                    let (place, rest) = chunk.pass(rest);
                    self.place = place;
                    rest
                }
                Place::End => break,
                Place::Lost => return bytes.len(),
            };
        }
        bytes.len() - rest.len()
    }

    fn pass_head<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.head.is_empty() {
            let (place, length) = read_head(bytes);
            self.place = place;
            if place == Place::Head {
                self.head.extend_from_slice(bytes);
            }
            return bytes.get(length..).unwrap_or_default();
        }
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let (place, length) = read_head(&self.head);
        self.place = place;
        if place != Place::Head || self.head.len() > MOST_BYTES {
            // Given back: most heads come in one piece, and this one may have been long.
            self.head = Vec::new();
        }
        bytes.get(length.saturating_sub(before)..).unwrap_or_default()
    }
}

/// What comes behind this head, and how long it is. A head that has not come as a whole is as long as the bytes.
fn read_head(bytes: &[u8]) -> (Place, usize) {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_FIELDS];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) => (behind_head(&request), length),
        Ok(Status::Partial) if bytes.len() < MOST_BYTES => (Place::Head, bytes.len()),
        Ok(Status::Partial) | Err(_) => (Place::Lost, bytes.len()),
    }
}

fn behind_head(request: &Request<'_, '_>) -> Place {
    let mut length = None;
    let mut is_chunked = false;
    for field in request.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let Some(bytes) = content_length(field.value) else {
                return Place::Lost;
            };
            if length.replace(bytes).is_some() {
                return Place::Lost;
            }
        } else if is("transfer-encoding") {
            if is_chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Place::Lost;
            }
            is_chunked = true;
        } else if is("upgrade") && field.value.trim_ascii().eq_ignore_ascii_case(b"websocket") {
            return Place::Lost;
        }
    }
    match (length, is_chunked) {
        (Some(_), true) => Place::Lost,
        (None, true) => Place::Chunks(Chunk::Size(0)),
        (None | Some(0), false) if request.method == Some("CONNECT") => Place::Lost,
        (None | Some(0), false) => Place::End,
        (Some(bytes), false) => Place::Body(bytes),
    }
}

fn content_length(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value.trim_ascii()).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

impl Chunk {
    fn pass(self, bytes: &[u8]) -> (Place, &[u8]) {
        if let Self::Data(left) = self {
            let (left, rest) = skip(bytes, left);
            let next = if left == 0 { Self::DataCr } else { Self::Data(left) };
            return (Place::Chunks(next), rest);
        }
        match bytes.split_first() {
            Some((&byte, rest)) => (self.pass_byte(byte), rest),
            None => (Place::Chunks(self), bytes),
        }
    }

    fn pass_byte(self, byte: u8) -> Place {
        let next = match (self, byte) {
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map(u64::from);
                match size
                    .checked_mul(16)
                    .zip(digit)
                    .and_then(|(size, digit)| size.checked_add(digit))
                {
                    Some(size) => Self::Size(size),
                    None => return Place::Lost,
                }
            }
            (Self::Size(size), b' ' | b'\t' | b';') => Self::Extension(size),
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Extension(_), b'\n') => return Place::Lost,
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeEnd(0), b'\n') => Self::LastCr,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size(0),
            (Self::LastCr, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => return Place::End,
            _ => return Place::Lost,
        };
        Place::Chunks(next)
    }
}

/// What is left of so many bytes when these have been passed, and what is left of these.
fn skip(bytes: &[u8], count: u64) -> (u64, &[u8]) {
    let passed = usize::try_from(count).map_or(bytes.len(), |count| count.min(bytes.len()));
    let rest = bytes.get(passed..).unwrap_or_default();
    (count - passed as u64, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "host: here\r\n";

    fn end_of(bytes: &[u8]) -> Option<usize> {
        let mut framing = RequestFraming::new();
        let passed = framing.pass(bytes);
        framing.is_at_end().then_some(passed)
    }

    fn requests() -> [String; 7] {
        [
            format!("GET / HTTP/1.1\r\n{HOST}\r\n"),
            format!("\r\nHEAD / HTTP/1.0\r\n{HOST}\r\n"),
            format!("POST / HTTP/1.1\n{HOST}Content-Length: 0\n\n"),
            format!("POST / HTTP/1.1\r\n{HOST}Content-Length:  5 \r\n\r\nhello"),
            format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00\r\n\r\n"),
            format!(
                "POST / HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n1 ;a=b\r\nx\r\nA\r\n0123456789\r\n0\r\n\r\n"
            ),
            format!("POST / HTTP/1.1\r\n{HOST}upgrade: h2c\r\ncontent-length: 2\r\n\r\n{{}}"),
        ]
    }

    #[test]
    fn a_request_ends_at_its_end_and_the_next_is_not_touched() {
        for request in requests() {
            let both = format!("{request}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(end_of(both.as_bytes()), Some(request.len()), "{request:?}");
        }
    }

    #[test]
    fn it_ends_at_the_same_place_however_it_is_cut() {
        for request in requests() {
            for piece in 1..request.len() {
                let mut framing = RequestFraming::new();
                for bytes in request.as_bytes().chunks(piece) {
                    assert!(!framing.is_at_end(), "{request:?} in pieces of {piece}");
                    assert_eq!(framing.pass(bytes), bytes.len());
                }
                assert!(framing.is_at_end(), "{request:?} in pieces of {piece}");
                assert_eq!(framing.pass(b"GET"), 0);
            }
        }
    }

    #[test]
    fn another_request_follows_when_it_may() {
        let mut framing = RequestFraming::new();
        for request in requests() {
            assert_eq!(framing.pass(request.as_bytes()), request.len());
            assert!(framing.is_at_end());
            framing.begin_next();
        }
    }

    #[test]
    fn what_is_no_request_or_has_no_end_never_ends() {
        let heads = [
            "GET\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\nx",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\ntrailer: x\r\n\r\n",
            "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
        ];
        for head in heads {
            let bytes = format!("{head}GET / HTTP/1.1\r\n\r\n");
            assert_eq!(end_of(bytes.as_bytes()), None, "{head:?}");
        }
        let endless = vec![b'a'; MOST_BYTES];
        let mut framing = RequestFraming::new();
        assert_eq!(framing.pass(b"GET /"), 5);
        assert_eq!(framing.pass(&endless), endless.len());
        assert_eq!((framing.place, framing.head.capacity()), (Place::Lost, 0));
    }
}
