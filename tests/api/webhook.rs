//! A webhook that answers as it is told to, and remembers what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::watch;

use crate::support::wait_for;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) body: String,
    headers: Vec<(String, String)>,
}

impl Post {
    /// The header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the signature is that of the secret, made as the documentation says.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let timestamp = self.header("x-gateway-timestamp").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{timestamp}.{}", self.body).as_bytes());
        let digits = mac.finalize().into_bytes();
        let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("x-gateway-signature") == Some(&format!("v1={digits}"))
    }
}

/// The webhook.
pub(crate) struct Hook {
    address: SocketAddr,
    posts: Arc<watch::Sender<Vec<Post>>>,
}

impl Hook {
    /// A webhook that answers with these statuses, one after the other, the last of them for ever. A redirect leads to
    /// itself.
    pub(crate) fn start(statuses: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let posts: Arc<watch::Sender<Vec<Post>>> = Arc::default();
        let seen = Arc::clone(&posts);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &statuses, &seen);
            }
        });
        Self { address, posts }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was sent.
    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// Waits until it was sent so many.
    pub(crate) fn wait_for(&self, count: usize, at_most: Duration) -> Vec<Post> {
        wait_for("the webhook to be called", at_most, || self.posts().len() >= count);
        self.posts()
    }
}

fn answer(mut stream: TcpStream, statuses: &[u16], seen: &watch::Sender<Vec<Post>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let mut read_line = |reader: &mut BufReader<TcpStream>| {
        line.clear();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = read_line(&mut reader);
    let Some(path) = first.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()) else {
        return;
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut reader);
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
    let mut body = vec![0; length.1.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let post = Post {
        path: path.to_owned(),
        body: String::from_utf8(body).unwrap(),
        headers,
    };
    let place = seen.borrow().len();
    let status = statuses.get(place).or(statuses.last()).copied().unwrap();
    seen.send_modify(|posts| posts.push(post));
    let head = format!("HTTP/1.1 {status} X\r\nlocation: {path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
}
