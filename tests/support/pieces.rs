//! Bytes that the program at the other end of a connection reads in exactly these pieces.
//!
//! Two writes may come out of one read: the kernel keeps what has arrived until somebody asks for it. `TCP_NODELAY` and an
//! empty queue of our own do not help, since both end at the other side's kernel. So the next piece is written when the
//! other side's program has taken the last one: its socket is on this machine, and the kernel tells whoever asks
//! (`NETLINK_SOCK_DIAG`, sock_diag(7)) how many bytes a socket has received and how many of them nobody has read. No time
//! is waited for, and no acknowledgement either, which may be 40 ms late.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use super::wait::look_until;

/// No program under test leaves a piece unread for longer.
const NO_HANG: Duration = Duration::from_secs(30);

/// A connection on which each piece is read by itself. Nothing else may write to it.
#[derive(Debug)]
pub(crate) struct PieceWriter {
    stream: TcpStream,
    far_end: FarEnd,
    written: u64,
}

impl PieceWriter {
    /// Writes to this connection, to which nothing has been written yet.
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            far_end: FarEnd::of(&stream),
            stream,
            written: 0,
        }
    }

    /// Writes these bytes and waits until they have been read. False when the other side has closed.
    pub(crate) fn write(&mut self, piece: &[u8]) -> bool {
        if self.stream.write_all(piece).is_err() {
            return false;
        }
        self.written += u64::try_from(piece.len()).unwrap();
        let mut has_closed = false;
        // First that they have arrived and then, in another look, that nothing is unread: one look is not one moment.
        for is_done in [
            (|read, written| read.received >= written) as fn(Read, u64) -> bool,
            |read, _| read.unread == 0,
        ] {
            look_until("a piece to be read", NO_HANG, || match self.far_end.look() {
                Some(read) => is_done(read, self.written),
                None => {
                    has_closed = true;
                    true
                }
            });
        }
        !has_closed
    }

    /// Writes these bytes, cut at these places, which must be in order. False when the other side has closed.
    pub(crate) fn write_cut(&mut self, bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> bool {
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            if !self.write(&bytes[from..to]) {
                return false;
            }
            from = to;
        }
        true
    }
}

/// What a socket has read.
#[derive(Debug, Clone, Copy)]
struct Read {
    /// Bytes that have come since the connection was made.
    received: u64,
    /// Those of them that the program has not read.
    unread: u32,
}

/// The socket at the other end of a connection.
#[derive(Debug)]
struct FarEnd {
    kernel: OwnedFd,
    question: Vec<u8>,
}

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h: the question and its answer.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST` of linux/netlink.h.
const REQUEST: u16 = 1;
/// `INET_DIAG_INFO` of linux/inet_diag.h: the attribute with the `tcp_info`.
const INFO: u16 = 2;
const AF_INET: u8 = 2;
const IPPROTO_TCP: u8 = 6;
/// The length of a `nlmsghdr`, of the answer's `inet_diag_msg`, and of an `nlattr`'s head.
const HEAD: usize = 16;
const MESSAGE: usize = 72;
const ATTRIBUTE_HEAD: usize = 4;
/// Where `idiag_rqueue` is in an `inet_diag_msg`, and `tcpi_bytes_received` in a `tcp_info` (linux/tcp.h).
const UNREAD: usize = 56;
const RECEIVED: usize = 128;

impl FarEnd {
    fn of(stream: &TcpStream) -> Self {
        let kernel = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(SOCK_DIAG),
        );
        Self {
            kernel: kernel.expect("the kernel tells of sockets (NETLINK_SOCK_DIAG)"),
            // What is the peer's here is its own there.
            question: question(stream.peer_addr().unwrap(), stream.local_addr().unwrap()),
        }
    }

    /// Nothing when it is no open connection any more.
    fn look(&self) -> Option<Read> {
        sendto(
            &self.kernel,
            &self.question,
            SendFlags::empty(),
            &SocketAddrNetlink::new(0, 0),
        )
        .unwrap();
        let mut answer = [0; 4096];
        let (_, length) = recv(&self.kernel, &mut answer, RecvFlags::empty()).unwrap();
        read_answer(&answer[..length])
    }
}

/// A `nlmsghdr` and an `inet_diag_req_v2`: about the socket at `own` that is connected with `other`.
fn question(own: SocketAddr, other: SocketAddr) -> Vec<u8> {
    let mut body = vec![AF_INET, IPPROTO_TCP, 1 << (INFO - 1), 0];
    // In whatever state.
    body.extend(u32::MAX.to_ne_bytes());
    for port in [own.port(), other.port()] {
        body.extend(port.to_be_bytes());
    }
    for address in [own, other] {
        let SocketAddr::V4(address) = address else {
            panic!("the gateway and the tests speak IPv4");
        };
        body.extend(address.ip().octets());
        body.extend([0; 12]);
    }
    // On any interface, with any cookie.
    body.extend(0_u32.to_ne_bytes());
    body.extend([u8::MAX; 8]);

    let length = u32::try_from(HEAD + body.len()).unwrap();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(BY_FAMILY.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}

fn read_answer(answer: &[u8]) -> Option<Read> {
    if u16::from_ne_bytes(part(answer, 4)?) != BY_FAMILY {
        return None;
    }
    let message = answer.get(HEAD..)?;
    let unread = u32::from_ne_bytes(part(message, UNREAD)?);
    let mut attributes = message.get(MESSAGE..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(part(attributes, 0)?));
        if u16::from_ne_bytes(part(attributes, 2)?) == INFO {
            let info = attributes.get(ATTRIBUTE_HEAD..length)?;
            let received = u64::from_ne_bytes(part(info, RECEIVED)?);
            return Some(Read { received, unread });
        }
        attributes = attributes.get(length.next_multiple_of(4).max(ATTRIBUTE_HEAD)..)?;
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn every_piece_comes_out_of_a_read_of_its_own() {
        let (near, mut far) = pair();
        let reader = thread::spawn(move || {
            let mut reads = Vec::new();
            let mut buffer = [0; 1024];
            loop {
                match far.read(&mut buffer).unwrap() {
                    0 => return reads,
                    count => reads.push(buffer[..count].to_vec()),
                }
            }
        });
        let mut writer = PieceWriter::new(near);
        for _ in 0..100 {
            assert!(writer.write_cut(b"abcdef", [1, 3]));
        }
        drop(writer);
        let expected = [&b"a"[..], b"bc", b"def"].repeat(100);
        assert_eq!(reader.join().unwrap(), expected);
    }

    #[test]
    fn a_reader_that_leaves_ends_the_writing() {
        let (near, mut far) = pair();
        let reader = thread::spawn(move || far.read(&mut [0]).unwrap());
        let mut writer = PieceWriter::new(near);
        assert!(!writer.write_cut(b"abcdef", [1]));
        assert_eq!(reader.join().unwrap(), 1);
    }
}
