//! The head of an answer: what it is, and what is made of it.

use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use memchr::memmem;

/// The most header fields of a head that is looked into; the client refuses more.
const MOST_FIELDS: usize = 96;

/// What the bytes before an answer's body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The head of an answer that says where it ends, or no HTTP at all: the client's to judge.
    Answer,
    /// The head of an HTTP/1.1 answer that ends with the connection; where its version's last digit stands.
    UntilClose { minor: usize },
    /// The head of an answer that has no body whatever its fields say.
    Bodiless,
    /// The head of an interim answer.
    Interim,
}

/// A whole head.
#[derive(Debug, Clone, Copy)]
struct Head {
    kind: Kind,
    /// 0 for what is no HTTP.
    status: u16,
    /// Bytes, up to the empty line and with it.
    length: usize,
}

impl Head {
    /// Nothing when not all of it is there.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let mut parser = httparse::ParserConfig::default();
        // As the client does.
        parser.allow_spaces_after_header_name_in_responses(true);
        let length = match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return None,
            Err(_) => {
                return Some(Self {
                    kind: Kind::Answer,
                    status: 0,
                    length: 0,
                });
            }
        };
        let status = response.code.unwrap_or_default();
        let kind = match status {
            // Switching protocols is the last thing that a server says in this one.
            101 => Kind::Answer,
            100..200 => Kind::Interim,
            204 | 205 | 304 => Kind::Bodiless,
            _ if response.version == Some(1) && !says_where_it_ends(response.headers) => {
                let version = bytes.get(..length).and_then(|head| memmem::find(head, b"HTTP/1.1"));
                version.map_or(Kind::Answer, |at| Kind::UntilClose { minor: at + 7 })
            }
            _ => Kind::Answer,
        };
        Some(Self { kind, status, length })
    }
}

/// A transfer coding other than `chunked` says nothing of it. The client passes over `identity` and refuses the others.
fn says_where_it_ends(fields: &[httparse::Header<'_>]) -> bool {
    fields.iter().any(|field| {
        let is_coding = field.name.eq_ignore_ascii_case("transfer-encoding");
        field.name.eq_ignore_ascii_case("content-length")
            || (is_coding && !field.value.trim_ascii().eq_ignore_ascii_case(b"identity"))
    })
}

/// Whether bytes begin with the whole head of an answer in which nothing has to be mended.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    matches!(Head::of(bytes), Some(Head { kind: Kind::Answer, .. }))
}

/// What has been read of an answer, up to the end of its head.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    held: BytesMut,
    /// Bytes of interim answers so far.
    skipped: usize,
    /// The head that `held` begins with, once all of it is there.
    head: Option<Head>,
}

impl Beginning {
    /// Adds what has been read, and takes interim answers out.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while self.head.is_none() && !self.held.is_empty() {
            match Head::of(&self.held) {
                Some(Head {
                    kind: Kind::Interim,
                    length,
                    ..
                }) => {
                    self.held.advance(length);
                    self.skipped += length;
                }
                Some(head) => self.head = Some(head),
                None => return,
            }
        }
    }

    /// Whether the whole head of the answer itself is there.
    pub(super) const fn is_whole(&self) -> bool {
        self.head.is_some()
    }

    /// Whether the answer says that the request will not be served.
    pub(super) fn is_refusal(&self) -> bool {
        self.head.is_some_and(|head| head.status >= 300)
    }

    /// Bytes of interim answers so far.
    pub(super) const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Bytes that wait to be given on.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Says in the head that nothing follows this answer on its connection.
    pub(super) fn close_behind(&mut self) {
        if let Some(Head {
            kind: Kind::Answer | Kind::UntilClose { .. },
            length,
            status: 1..,
        }) = &mut self.head
        {
            let empty_line = if self.held.get(..*length).is_some_and(|head| head.ends_with(b"\r\n")) {
                2
            } else {
                1
            };
            let rest = self.held.split_off(*length - empty_line);
            self.held.extend_from_slice(CLOSE);
            self.held.unsplit(rest);
            *length += CLOSE.len();
        }
    }

    /// What is to be given on to the client: the head as the client reads it right, and what has come behind it.
    pub(super) fn give_on(&mut self) -> BytesMut {
        match self.head {
            Some(Head {
                kind: Kind::UntilClose { minor },
                ..
            }) => {
                if let Some(digit) = self.held.get_mut(minor) {
                    *digit = b'0';
                }
            }
            Some(Head {
                kind: Kind::Bodiless,
                status,
                length,
            }) => {
                let rest = self.held.split_off(length);
                self.held = BytesMut::from(bodiless(status).as_bytes());
                self.held.unsplit(rest);
            }
            Some(_) | None => {}
        }
        std::mem::take(&mut self.held)
    }
}

const CLOSE: &[u8] = b"connection: close\r\n";

/// The head of an answer without a body and of its connection's last.
fn bodiless(status: u16) -> String {
    format!("HTTP/1.1 {status} \r\nconnection: close\r\n\r\n")
}
