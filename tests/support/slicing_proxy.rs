//! A wire between the gateway and a provider that passes answers on in other pieces than they came in.
//!
//! It waits for an answer as a whole and then writes it cut as it was told; each piece comes out of a read of its own (see
//! `pieces`). Requests go through as they are.

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use tokio::sync::watch;

use super::pieces::PieceWriter;
use super::random::Draw;

/// Where an answer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// It is not even put together: what comes goes on.
    AsItComes,
    /// Nowhere: it is one piece from its first byte to its last.
    Nowhere,
    /// Behind every byte.
    Everywhere,
    /// At places that this seed decides: pieces of up to 48 bytes.
    Random(u64),
    /// In every character that has more than one byte, between all of its bytes.
    InCharacters,
    /// In every line end: before the line feed that follows a carriage return, and before the second of two.
    InLineEnds,
    /// At every colon, on both sides: between `data`, its colon and its value, and in JSON.
    AtColons,
    /// In all that is HTTP's own, behind every byte: the head, the sizes of chunks and what ends them.
    InFraming,
}

/// The wire. It ends with its connections.
#[derive(Debug)]
pub(crate) struct SlicingProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    provider: SocketAddr,
    cuts: watch::Sender<Cuts>,
    /// In how many pieces the last answer went out as a whole.
    pieces: watch::Sender<usize>,
}

impl SlicingProxy {
    /// A wire to the provider at this address.
    pub(crate) fn before(provider: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            provider,
            cuts: watch::Sender::new(Cuts::AsItComes),
            pieces: watch::Sender::new(0),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&server);
                // Either side may end a connection at any time.
                thread::spawn(move || shared.pass(stream).ok());
            }
        });
        Self { address, shared }
    }

    /// Where the gateway finds the provider.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts answers like this from now on.
    pub(crate) fn set(&self, cuts: Cuts) {
        self.shared.cuts.send_replace(cuts);
        self.shared.pieces.send_replace(0);
    }

    /// In how many pieces the last answer went out; none before it has, or when it went as it came.
    pub(crate) fn pieces(&self) -> usize {
        *self.shared.pieces.borrow()
    }
}

impl Shared {
    fn pass(self: Arc<Self>, gateway: TcpStream) -> io::Result<()> {
        let provider = TcpStream::connect(self.provider)?;
        provider.set_nodelay(true)?;
        let (mut requests, mut to_provider) = (gateway.try_clone()?, provider.try_clone()?);
        thread::spawn(move || {
            io::copy(&mut requests, &mut to_provider).ok();
            to_provider.shutdown(Shutdown::Both).ok();
        });
        let closing = gateway.try_clone()?;
        self.answer(provider, gateway);
        closing.shutdown(Shutdown::Both)
    }

    /// Passes on answers until either side closes.
    fn answer(&self, mut provider: TcpStream, gateway: TcpStream) {
        let mut writer = PieceWriter::new(gateway);
        let mut answer = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            let count = provider.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                return;
            }
            let said = &buffer[..count];
            let cuts = *self.cuts.borrow();
            if cuts == Cuts::AsItComes {
                // The writer must know of all that is written.
                if writer.write(said) {
                    continue;
                }
                return;
            }
            answer.extend_from_slice(said);
            let Some(framing) = framing(&answer) else { continue };
            let places = places(&answer, &framing, cuts);
            self.pieces.send_replace(places.len() + 1);
            if !writer.write_cut(&answer, places) {
                return;
            }
            answer.clear();
        }
    }
}

/// Which bytes of an answer are HTTP's own: one flag for each. Nothing while it is not whole.
fn framing(answer: &[u8]) -> Option<Vec<bool>> {
    let head = find(answer, 0, b"\r\n\r\n")? + 4;
    let mut is_framing = vec![true; head];
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    if let Some(length) = length {
        let end = head + length.trim().parse::<usize>().unwrap();
        is_framing.resize(end, false);
        return (answer.len() >= end).then_some(is_framing);
    }
    assert!(text.contains("transfer-encoding: chunked"), "no end: {text}");
    loop {
        let line = is_framing.len();
        let data = find(answer, line, b"\r\n")? + 2;
        let size = std::str::from_utf8(&answer[line..data - 2]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        is_framing.resize(data, true);
        is_framing.resize(data + size, false);
        is_framing.resize(data + size + 2, true);
        if answer.len() < is_framing.len() {
            return None;
        }
        if size == 0 {
            return Some(is_framing);
        }
    }
}

fn find(bytes: &[u8], from: usize, pattern: &[u8]) -> Option<usize> {
    let found = bytes.get(from..)?.windows(pattern.len());
    Some(from + found.into_iter().position(|window| window == pattern)?)
}

/// The places in an answer before which it is cut, in order.
fn places(answer: &[u8], is_framing: &[bool], cuts: Cuts) -> Vec<usize> {
    let all = 1..answer.len();
    let between = |is_cut: &dyn Fn(u8, u8) -> bool| -> Vec<usize> {
        let pairs = answer.windows(2).map(|pair| is_cut(pair[0], pair[1]));
        all.clone()
            .zip(pairs)
            .filter_map(|(place, is_cut)| is_cut.then_some(place))
            .collect()
    };
    match cuts {
        Cuts::AsItComes | Cuts::Nowhere => Vec::new(),
        Cuts::Everywhere => all.collect(),
        Cuts::Random(seed) => {
            let mut draw = Draw::new(seed);
            let mut places = Vec::new();
            let mut place = 0;
            loop {
                place += 1 + draw.below(48);
                if place >= answer.len() {
                    return places;
                }
                places.push(place);
            }
        }
        // Bytes that go on with a character are 10xxxxxx.
        Cuts::InCharacters => between(&|_, after| after & 0xc0 == 0x80),
        Cuts::InLineEnds => between(&|before, after| {
            let ends = |byte| matches!(byte, b'\r' | b'\n');
            ends(before) && ends(after)
        }),
        Cuts::AtColons => between(&|before, after| before == b':' || after == b':'),
        Cuts::InFraming => all.filter(|place| is_framing[place - 1]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                           c\r\ndata: é\r\n\r\n\r\n5\r\nx\n\ny:\r\n0\r\n\r\n";

    fn cut(answer: &str, cuts: Cuts) -> Vec<Vec<u8>> {
        let bytes = answer.as_bytes();
        let places = places(bytes, &framing(bytes).unwrap(), cuts);
        let starts = [0].into_iter().chain(places.clone());
        let ends = places.into_iter().chain([bytes.len()]);
        starts.zip(ends).map(|(from, to)| bytes[from..to].to_vec()).collect()
    }

    fn has_cut(pieces: &[Vec<u8>], before: &[u8], after: &[u8]) -> bool {
        pieces
            .windows(2)
            .any(|pair| pair[0].ends_with(before) && pair[1].starts_with(after))
    }

    #[test]
    fn an_answer_is_cut_where_it_is_told_and_nothing_of_it_is_lost() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"a\":";
        let everything = [
            Cuts::Nowhere,
            Cuts::Everywhere,
            Cuts::Random(7),
            Cuts::InCharacters,
            Cuts::InLineEnds,
            Cuts::AtColons,
            Cuts::InFraming,
        ];
        for answer in [CHUNKED, whole] {
            for cuts in everything {
                let pieces = cut(answer, cuts);
                assert_eq!(pieces.concat(), answer.as_bytes(), "{cuts:?}");
                assert!(pieces.iter().all(|piece| !piece.is_empty()), "{cuts:?}");
            }
        }
        assert_eq!(cut(CHUNKED, Cuts::Nowhere).len(), 1);
        assert_eq!(cut(CHUNKED, Cuts::Everywhere).len(), CHUNKED.len());
        assert!(has_cut(&cut(CHUNKED, Cuts::InCharacters), b"data: \xc3", b"\xa9"));
        let ends = cut(CHUNKED, Cuts::InLineEnds);
        assert!(has_cut(&ends, b"\xa9\r", b"\n") && has_cut(&ends, b"\n", b"\r") && has_cut(&ends, b"x\n", b"\n"));
        let colons = cut(CHUNKED, Cuts::AtColons);
        assert!(has_cut(&colons, b"data", b":") && has_cut(&colons, b":", b" \xc3"));
        let framing = cut(CHUNKED, Cuts::InFraming);
        assert!(has_cut(&framing, b"H", b"T") && has_cut(&framing, b"0", b"\r") && !has_cut(&framing, b"d", b"a"));
    }

    #[test]
    fn an_answer_that_is_not_whole_is_waited_for() {
        for length in 0..CHUNKED.len() {
            assert!(framing(&CHUNKED.as_bytes()[..length]).is_none(), "{length}");
        }
    }
}
