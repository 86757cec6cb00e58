//! A provider that says exactly the bytes it is told to: a raw TCP server with one script for each connection.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One thing the server does after it has read a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Writes these bytes.
    Say(Vec<u8>),
    /// Waits until the client goes away, and tells [`Server::client_left`].
    WaitForClient,
    /// Closes the connection with a reset instead of an end.
    Reset,
    /// Reads the next request on the same connection.
    NextRequest,
}

/// A running server. Every connection plays the script from its beginning; at its end the connection is closed.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Rc<RefCell<Vec<String>>>,
    connections: Rc<RefCell<usize>>,
    left: mpsc::UnboundedReceiver<()>,
}

impl Server {
    pub(crate) async fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Rc::new(RefCell::new(Vec::new()));
        let connections = Rc::new(RefCell::new(0));
        let (tell_left, left) = mpsc::unbounded_channel();
        let (seen, counted) = (Rc::clone(&requests), Rc::clone(&connections));
        actix_web::rt::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                *counted.borrow_mut() += 1;
                let (script, seen, tell_left) = (script.clone(), Rc::clone(&seen), tell_left.clone());
                actix_web::rt::spawn(async move {
                    // The client may leave at any point: that is what some tests are about.
                    let _ = play(connection, script, &seen, &tell_left).await;
                });
            }
        });
        Self {
            address,
            requests,
            connections,
            left,
        }
    }

    /// The requests that arrived, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// Waits until a client has closed a connection on which the server waited.
    pub(crate) async fn client_left(&mut self) {
        self.left.recv().await.unwrap();
    }
}

async fn play(
    mut connection: TcpStream,
    script: Vec<Step>,
    seen: &RefCell<Vec<String>>,
    tell_left: &mpsc::UnboundedSender<()>,
) -> std::io::Result<()> {
    let request = read_request(&mut connection).await?;
    seen.borrow_mut().push(request);
    for step in script {
        match step {
            Step::Say(bytes) => connection.write_all(&bytes).await?,
            Step::WaitForClient => {
                let mut buffer = [0; 64];
                while connection.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                let _ = tell_left.send(());
            }
            Step::Reset => {
                connection.set_zero_linger()?;
                return Ok(());
            }
            Step::NextRequest => {
                let request = read_request(&mut connection).await?;
                seen.borrow_mut().push(request);
            }
        }
    }
    connection.shutdown().await
}

/// Reads a head and as much body as its content-length says.
async fn read_request(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(text.into_owned());
            }
        }
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// A whole answer with its length.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Vec<Step> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    vec![Step::Say(format!("{head}\r\n{body}").into_bytes())]
}

/// The head of a stream.
pub(crate) fn stream_head() -> Step {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    Step::Say(head.into())
}

/// One chunk of a stream.
pub(crate) fn chunk(text: &str) -> Step {
    Step::Say(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}

/// The end of a chunked body.
pub(crate) fn last_chunk() -> Step {
    Step::Say(b"0\r\n\r\n".to_vec())
}
