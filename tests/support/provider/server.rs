//! The provider's side of the wire: accepts, reads, and does what the script says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::answers::{self, AnswerText};
use super::behaviour::{Behaviour, ModelList};
use super::bill::{Charge, Ledger, Received};
use super::http::Connection;

/// What the handle tells the server.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) behaviour: Behaviour,
    /// What is said of its models.
    pub(super) models: ModelList,
    /// Tokens of each answer.
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
        if request.path.ends_with("/models") {
            shared
                .ledger
                .send_modify(|ledger| ledger.probes.push(Arc::new(request)));
            if !matches!(list_models(&mut connection, &script.models).await, Ok(true)) {
                return;
            }
            continue;
        }
        let _running = Running::begin(&shared, request.clone());
        if matches!(script.behaviour, Behaviour::Held) {
            match orders.wait_for(|now| !matches!(now.behaviour, Behaviour::Held)).await {
                Ok(now) => script = now.clone(),
                Err(_handle_is_gone) => return,
            }
        }
        match answer(connection, &shared, &script, &request).await {
            Ok(Some(kept)) => connection = kept,
            Ok(None) | Err(_) => return,
        }
    }
}

/// Counts a request as under way for as long as it lives.
struct Running<'a>(&'a Shared);

impl<'a> Running<'a> {
    fn begin(shared: &'a Shared, request: Received) -> Self {
        shared.ledger.send_modify(|ledger| {
            ledger.received.push(Arc::new(request));
            ledger.running += 1;
        });
        Self(shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ledger.send_modify(|ledger| ledger.running -= 1);
    }
}

/// Answers one request; gives the connection back when it can carry another.
async fn answer(
    mut connection: Connection,
    shared: &Shared,
    script: &Script,
    request: &Received,
) -> io::Result<Option<Connection>> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let tab = Tab::open(shared, script, request, &body);
    let streamed = body["stream"] == true;
    match &script.behaviour {
        Behaviour::Status(status, headers, text) => {
            connection.send(*status, headers, text.as_bytes()).await?;
            return Ok(Some(connection));
        }
        Behaviour::StallBeforeHead => return connection.stall().await.map(|()| None),
        Behaviour::Raw(bytes) => return connection.send_raw(bytes).await.map(|()| None),
        Behaviour::ResetAfterRequest => {
            connection.reset();
            return Ok(None);
        }
        behaviour if streamed => {
            if !stream(&mut connection, &tab, behaviour, &body).await? {
                return Ok(None);
            }
        }
        behaviour => {
            if !send_whole(&mut connection, &tab, behaviour).await? {
                return Ok(None);
            }
        }
    }
    Ok(Some(connection))
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Answers a question for the list of models. False when the connection must go.
async fn list_models(connection: &mut Connection, models: &ModelList) -> io::Result<bool> {
    match models {
        ModelList::Json(text) => connection.send(200, JSON, text.as_bytes()).await.map(|()| true),
        ModelList::Status(status, headers, text) => {
            connection.send(*status, headers, text.as_bytes()).await.map(|()| true)
        }
        ModelList::Stall => connection.stall().await.map(|()| false),
        ModelList::StallInBody => {
            connection.send_claiming(1_000, 200, JSON, b"{\"data\":[").await?;
            connection.stall().await.map(|()| false)
        }
        ModelList::Endless => {
            connection.begin_stream().await?;
            connection.send_chunk("{\"data\":[{}").await?;
            let more = ",{}".repeat(10_000);
            loop {
                connection.send_chunk(&more).await?;
            }
        }
    }
}

/// Sends an answer at once. False when it was not sent whole and the connection must go.
async fn send_whole(connection: &mut Connection, tab: &Tab<'_>, behaviour: &Behaviour) -> io::Result<bool> {
    if let Behaviour::Slow(pause) = behaviour {
        sleep(*pause).await;
    }
    let body = tab.text.whole();
    match behaviour {
        Behaviour::Answer | Behaviour::Slow(_) | Behaviour::UsageMissing => {
            tab.close(&body);
            connection.send(200, JSON, &body).await?;
            Ok(true)
        }
        Behaviour::ErrorFrameFirst => {
            connection.send(200, JSON, br#"{"error":{"message":"no"}}"#).await?;
            Ok(true)
        }
        Behaviour::EmptyStream | Behaviour::CommentsOnly => {
            connection.send(200, JSON, b"").await?;
            Ok(true)
        }
        Behaviour::StallBeforeFirstEvent | Behaviour::StallMidStream => {
            connection.send_claiming(body.len(), 200, JSON, b"{").await?;
            connection.stall().await.map(|()| false)
        }
        _ => {
            let half = &body[..body.len() / 2];
            connection
                .send_claiming(body.len(), 200, JSON, half)
                .await
                .map(|()| false)
        }
    }
}

/// Sends a stream. False when it was not sent whole and the connection must go.
async fn stream(
    connection: &mut Connection,
    tab: &Tab<'_>,
    behaviour: &Behaviour,
    request: &Value,
) -> io::Result<bool> {
    let pause = match behaviour {
        Behaviour::Slow(pause) => *pause,
        _ => Duration::ZERO,
    };
    connection.begin_stream().await?;
    match behaviour {
        Behaviour::StallBeforeFirstEvent => return connection.stall().await.map(|()| false),
        Behaviour::EmptyStream => return connection.end_chunks().await.map(|()| true),
        Behaviour::CommentsOnly => {
            connection.send_chunk(": working on it\n\n: still working\n\n").await?;
            return connection.end_chunks().await.map(|()| true);
        }
        Behaviour::ErrorFrameFirst => {
            connection.send_chunk(answers::ERROR_FRAME).await?;
            return connection.end_chunks().await.map(|()| true);
        }
        _ => {}
    }
    let mut sent = tab.text.role_event();
    connection.send_chunk(&sent).await?;
    for (place, piece) in tab.text.pieces().enumerate() {
        match behaviour {
            Behaviour::StallMidStream if place == 1 => return connection.stall().await.map(|()| false),
            Behaviour::DieAfterEvents(events) if place == *events => return Ok(false),
            Behaviour::TruncatedBody if place == 1 => return Ok(false),
            _ => {}
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let event = tab.text.piece_event(&piece);
        tab.deliver(place + 1);
        connection.send_chunk(&event).await?;
        sent.push_str(&event);
    }
    let mut end = tab.text.finish_event();
    if tab.text.with_usage && request["stream_options"]["include_usage"] == true {
        end.push_str(&tab.text.usage_event());
    }
    end.push_str(answers::DONE);
    sent.push_str(&end);
    tab.close(sent.as_bytes());
    connection.send_chunk(&end).await?;
    connection.end_chunks().await?;
    Ok(true)
}

/// One request's place on the bill, and what it is answered with.
struct Tab<'a> {
    shared: &'a Shared,
    place: Option<usize>,
    text: AnswerText,
}

impl<'a> Tab<'a> {
    /// Charges the request, if the behaviour is one that is charged, before anything is sent.
    fn open(shared: &'a Shared, script: &Script, request: &Received, body: &Value) -> Self {
        let messages = request.messages();
        let asked: Option<usize> = body["max_tokens"].as_u64().and_then(|cap| usize::try_from(cap).ok());
        let mut text = AnswerText {
            provider: shared.name.clone(),
            id: String::new(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            input_tokens: answers::count_input_tokens(&messages),
            output_tokens: asked.map_or(script.tokens, |cap| cap.min(script.tokens)),
            with_usage: !matches!(script.behaviour, Behaviour::UsageMissing),
        };
        let mut place = None;
        shared.ledger.send_modify(|ledger| {
            ledger.answers += 1;
            text.id = format!("chatcmpl-{}-{}", shared.name, ledger.answers);
            if script.behaviour.is_charged() {
                place = Some(ledger.charge(Charge {
                    id: text.id.clone(),
                    model: text.model.clone(),
                    message: messages.last().cloned().unwrap_or_default(),
                    input_tokens: text.input_tokens,
                    output_tokens: 0,
                    whole: false,
                }));
            }
        });
        Self { shared, place, text }
    }

    /// Notes how many tokens of the answer have been handed to the network.
    fn deliver(&self, tokens: usize) {
        self.change(|charge| charge.output_tokens = u64::try_from(tokens).unwrap());
    }

    /// Notes that the answer goes out to its end, just before it does, so that no client can know it sooner.
    fn close(&self, body: &[u8]) {
        self.shared
            .ledger
            .send_modify(|ledger| ledger.last_body = body.to_vec());
        self.deliver(self.text.output_tokens);
        self.change(|charge| charge.whole = true);
    }

    fn change(&self, change: impl FnOnce(&mut Charge)) {
        if let Some(place) = self.place {
            self.shared
                .ledger
                .send_modify(|ledger| change(&mut ledger.charges[place]));
        }
    }
}
