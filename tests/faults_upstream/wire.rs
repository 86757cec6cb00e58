//! The wire to a PostgreSQL server, on which the acknowledgement of a commit can be lost.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::watch;

use crate::support::PostgresDatabase;

const COMMIT: &[u8] = b"COMMIT";

/// What becomes of the acknowledgement of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// The connection breaks before it is there.
    Cut,
    /// It does not come for as long as anybody waits.
    Late,
}

/// Passes everything on between those who connect to it and a server, save an acknowledgement that it is told to lose.
#[derive(Debug)]
pub(crate) struct Wire {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    server: String,
    /// The text by which the transaction is known, and what is to happen at its end. Once.
    order: watch::Sender<Option<(String, Acknowledgement)>>,
    /// Acknowledgements that came from the server and went no further.
    lost: AtomicUsize,
}

impl Wire {
    /// A wire to this database's server, and the database's URL over it.
    pub(crate) fn to(database: &PostgresDatabase) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = database.url();
        let (login, place) = url.rsplit_once('@').unwrap();
        let (server, name) = place.split_once('/').unwrap();
        let over_wire = format!("{login}@{address}/{name}?sslmode=disable");
        let state = Arc::new(State {
            server: server.to_owned(),
            order: watch::Sender::default(),
            lost: AtomicUsize::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                // Either side may end a connection at any time.
                thread::spawn(move || state.pass(stream).ok());
            }
        });
        (Self { state }, over_wire)
    }

    /// The next transaction that says this text to the server will be committed, and its acknowledgement be lost.
    pub(crate) fn lose_commit_of(&self, text: &str, how: Acknowledgement) {
        self.state.order.send_replace(Some((text.to_owned(), how)));
    }

    /// How many acknowledgements were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl State {
    fn pass(self: Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let losing = Arc::new(watch::Sender::new(None));
        let (answers, asker) = (server.try_clone()?, client.try_clone()?);
        let (state, to_lose) = (Arc::clone(&self), Arc::clone(&losing));
        thread::spawn(move || state.answer(answers, &asker, &to_lose).ok());

        let mut ordered = None;
        let mut buffer = [0; 65_536];
        loop {
            let count = client.read(&mut buffer).unwrap_or(0);
            let said = &buffer[..count];
            ordered = ordered.or_else(|| self.take_order(said));
            if ordered.is_some() && contains(said, COMMIT) {
                losing.send_replace(ordered.take());
            }
            if count == 0 || server.write_all(said).is_err() {
                return server.shutdown(Shutdown::Both);
            }
        }
    }

    /// What is to happen at the end of the transaction that says this.
    fn take_order(&self, said: &[u8]) -> Option<Acknowledgement> {
        let (_, how) = take_if(&self.order, |(text, _)| contains(said, text.as_bytes()))?;
        Some(how)
    }

    /// Passes on what the server answers.
    fn answer(
        &self,
        mut server: TcpStream,
        mut client: &TcpStream,
        losing: &watch::Sender<Option<Acknowledgement>>,
    ) -> io::Result<()> {
        let mut silent = false;
        let mut buffer = [0; 65_536];
        loop {
            let count = server.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                return client.shutdown(Shutdown::Both);
            }
            let said = &buffer[..count];
            // What it has to say to earlier questions may come first.
            let how = take_if(losing, |_| contains(said, COMMIT));
            if let Some(how) = how {
                self.lost.fetch_add(1, Ordering::SeqCst);
                if how == Acknowledgement::Cut {
                    return client.shutdown(Shutdown::Both);
                }
                silent = true;
            }
            if !silent {
                client.write_all(said)?;
            }
        }
    }
}

/// Takes out what is there, if it is like this.
fn take_if<T>(from: &watch::Sender<Option<T>>, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
    let mut taken = None;
    from.send_modify(|there| taken = there.take_if(|there| is_it(there)));
    taken
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
