//! The provider's side of the wire: accepts, reads, and does what the script says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::behaviour::{Behaviour, ModelList};
use super::bill::{Ledger, Received};
use super::content::{Content, UsageScript};
use super::dialect::is_model_list;
use super::http::Connection;
use super::serving::{answer, list_models};

/// What the handle tells the server.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) behaviour: Behaviour,
    /// What each answer consists of.
    pub(super) content: Content,
    /// What each answer costs besides.
    pub(super) usage: UsageScript,
    /// What is said of its models.
    pub(super) models: ModelList,
    /// Tokens of the text of each answer.
    pub(super) tokens: usize,
    /// Whether the provider listens.
    pub(super) alive: bool,
}

/// What the server's tasks share with the handle.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) ledger: watch::Sender<Ledger>,
    /// Whether connections are accepted right now.
    pub(super) listening: watch::Sender<bool>,
}

/// Takes a port for good: while the provider is dead nobody else can have it, and connecting is refused.
pub(super) fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Listens while the script says `alive`, until the handle is gone.
pub(super) async fn serve(mut socket: TcpSocket, shared: Arc<Shared>, mut script: watch::Receiver<Script>) {
    let address = socket.local_addr().unwrap();
    loop {
        if script.wait_for(|script| script.alive).await.is_err() {
            return;
        }
        let listener = socket.listen(1024).unwrap();
        shared.listening.send_replace(true);
        let handle_is_gone = accept_while_alive(&listener, &shared, script.clone()).await;
        drop(listener);
        if handle_is_gone {
            return;
        }
        socket = bind(address);
        shared.listening.send_replace(false);
    }
}

/// Serves connections until the script says otherwise, then cuts them all. True when the handle is gone.
async fn accept_while_alive(listener: &TcpListener, shared: &Arc<Shared>, mut script: watch::Receiver<Script>) -> bool {
    let mut connections = JoinSet::new();
    let settings = script.clone();
    let death = script.wait_for(|script| !script.alive);
    tokio::pin!(death);
    let handle_is_gone = loop {
        tokio::select! {
            death = &mut death => break death.is_err(),
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve_connection(Connection::new(stream), Arc::clone(shared), settings.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    };
    connections.shutdown().await;
    handle_is_gone
}

async fn serve_connection(mut connection: Connection, shared: Arc<Shared>, mut orders: watch::Receiver<Script>) {
    while let Ok(Some(request)) = connection.read_request().await {
        let mut script = orders.borrow().clone();
        if is_model_list(&request.path) {
            shared
                .ledger
                .send_modify(|ledger| ledger.probes.push(Arc::new(request)));
            if !matches!(list_models(&mut connection, &script.models).await, Ok(true)) {
                return;
            }
            continue;
        }
        let (_running, number) = Running::begin(&shared, &request);
        script.behaviour = script.behaviour.of(number);
        if matches!(script.behaviour, Behaviour::Held) {
            match orders.wait_for(|now| !matches!(now.behaviour, Behaviour::Held)).await {
                Ok(now) => script = now.clone(),
                Err(_handle_is_gone) => return,
            }
        }
        script.behaviour = script.behaviour.on(request.text());
        match answer(connection, &shared, &script, &request).await {
            Ok(Some(kept)) => connection = kept,
            Ok(None) | Err(_) => return,
        }
    }
}

/// Counts a request as under way for as long as it lives.
struct Running<'a>(&'a Shared);

impl<'a> Running<'a> {
    /// Begins, and says which request it is: the first is 1.
    fn begin(shared: &'a Shared, request: &Received) -> (Self, usize) {
        let mut number = 0;
        shared.ledger.send_modify(|ledger| {
            ledger.requests += 1;
            number = ledger.requests;
            if !ledger.only_counts {
                ledger.received.push(Arc::new(request.clone()));
            }
            ledger.running += 1;
        });
        (Self(shared), number)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ledger.send_modify(|ledger| ledger.running -= 1);
    }
}
