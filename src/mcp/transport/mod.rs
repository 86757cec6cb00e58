//! Messages over stdin and stdout, one a line.
//!
//! Both pipes have a thread of their own, since a read of stdin cannot be taken back: the process must be able to end
//! while one is waiting. What rmcp would mistake or pass over in silence is answered here: lines that are no message,
//! too long, or use an id twice; and before the session has begun only requests are let through.

mod ids;
mod input;
mod message;
mod output;
mod twice;

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, JsonRpcMessage, RequestId, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use self::ids::{Asked, Ids};
use self::input::{Line, MOST_BYTES};
use self::message::Incoming;
use self::output::{Output, Written};
use super::error::Fault;

pub(crate) use self::output::Pipes;

/// How long calls that were told to end may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Ends the session from outside as the end of the input does from inside.
#[derive(Debug)]
pub(crate) struct End {
    stop: watch::Sender<bool>,
    give_up: watch::Receiver<bool>,
}

impl End {
    /// No further message is read; calls under way may end.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when calls under way must end at once.
    pub(crate) fn give_up(&self) -> watch::Receiver<bool> {
        self.give_up.clone()
    }
}

/// Knows whether the session has begun.
#[derive(Debug, Clone)]
pub(super) struct Beginning(Arc<AtomicBool>);

impl Beginning {
    /// From now on notifications count.
    pub(super) fn has_begun(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The pipes as rmcp sees them.
#[derive(Debug)]
pub(crate) struct StdioTransport {
    lines: mpsc::Receiver<Line>,
    output: Output,
    ids: Ids,
    asked: Asked,
    /// The ids of answers that nothing can overtake any more. rmcp sends each on a task of its own, and reads on.
    answers: (mpsc::UnboundedSender<RequestId>, mpsc::UnboundedReceiver<RequestId>),
    begun: Beginning,
    /// An answer that is written before the next line is read.
    refusal: Option<Vec<u8>>,
    stop: watch::Receiver<bool>,
    give_up: watch::Sender<bool>,
    /// How long calls under way may take once no further message is read.
    patience: Duration,
    /// When calls under way must have ended.
    ending: Option<Instant>,
}

impl StdioTransport {
    /// Starts the threads that read and write. Calls under way at the end may take `patience`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(pipes: Pipes, patience: Duration) -> io::Result<(Self, End)> {
        Self::over(|| io::stdin().lock(), pipes, patience)
    }

    /// The same over any input.
    pub(super) fn over<R: BufRead>(
        input: impl FnOnce() -> R + Send + 'static,
        pipes: Pipes,
        patience: Duration,
    ) -> io::Result<(Self, End)> {
        let (stop, stopped) = watch::channel(false);
        let (give_up, given_up) = watch::channel(false);
        let end = End {
            stop,
            give_up: given_up,
        };
        let transport = Self {
            lines: input::start(input)?,
            output: Output::start(pipes)?,
            ids: Ids::default(),
            asked: Asked::default(),
            answers: mpsc::unbounded_channel(),
            begun: Beginning(Arc::default()),
            refusal: None,
            stop: stopped,
            give_up,
            patience,
            ending: None,
        };
        Ok((transport, end))
    }

    /// Where it is told that the session has begun.
    pub(super) fn beginning(&self) -> Beginning {
        self.begun.clone()
    }

    /// Sees when everything that was sent is written.
    pub(super) fn written(&self) -> Written {
        self.output.written()
    }

    /// What becomes of a line; a message for the service, if it is one.
    fn take(&mut self, line: Line) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.end_answered();
        let incoming = match line {
            Line::Whole(line) => message::read(&line),
            Line::TooLong => Incoming::Refused(None, Fault::TooLong { most: MOST_BYTES }),
        };
        match incoming {
            Incoming::Message(message) => self.admit(*message),
            Incoming::Refused(Some(id), _) if self.ids.is_taken(&id) => {
                self.refuse_twin(&id);
                None
            }
            Incoming::Refused(id, fault) => {
                self.refuse(id, fault);
                None
            }
            Incoming::Ignored => None,
        }
    }

    fn admit(&mut self, message: RxJsonRpcMessage<RoleServer>) -> Option<RxJsonRpcMessage<RoleServer>> {
        match &message {
            JsonRpcMessage::Request(request) => {
                if !self.ids.begin(&request.id) {
                    self.refuse_twin(&request.id);
                    return None;
                }
                Some(message)
            }
            JsonRpcMessage::Notification(notification) => {
                if let Some(id) = message::cancels(&notification.notification) {
                    self.ids.cancel(id);
                }
                // rmcp would end the process for a notification that comes before the first request.
                self.begun.0.load(Ordering::Acquire).then_some(message)
            }
            // Before the session has begun nothing is asked: rmcp would end the process for an answer.
            JsonRpcMessage::Response(response) => self.asked.end(&response.id).then_some(message),
            JsonRpcMessage::Error(error) => {
                let was_asked = error.id.as_ref().is_some_and(|id| self.asked.end(id));
                was_asked.then_some(message)
            }
        }
    }

    /// An answer to something that the client was asked and cannot answer any more.
    fn unanswered(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let id = self.asked.give_up()?;
        let error = ErrorData::invalid_request("the client's input has ended", None);
        Some(JsonRpcMessage::error(error, Some(id)))
    }

    /// Frees the ids of requests that are answered.
    fn end_answered(&mut self) {
        while let Ok(id) = self.answers.1.try_recv() {
            self.ids.end(&id);
        }
    }

    /// Refuses what has the id of a request that is still to be answered, and once only: so without the id.
    fn refuse_twin(&mut self, id: &RequestId) {
        self.refuse(None, Fault::IdInUse { id: id.to_string() });
    }

    fn refuse(&mut self, id: Option<RequestId>, fault: Fault) {
        tracing::debug!(%fault, "a message was refused");
        let error = TxJsonRpcMessage::<RoleServer>::error(ErrorData::from(fault), id);
        self.refusal = output::line(&error).ok();
    }

    /// Waits for calls under way after the last message was read; false when the session is over.
    async fn last_calls(&mut self, since: Instant) -> bool {
        if self.ids.none_open() {
            return false;
        }
        let given_up = *self.give_up.borrow();
        let more = if given_up { LAST_WORDS } else { Duration::ZERO };
        tokio::select! {
            // An answer may be queued when nobody else has a reason to look again.
            answered = self.answers.1.recv() => {
                answered.iter().for_each(|id| self.ids.end(id));
                return true;
            }
            () = sleep_until(since + self.patience + more) => {}
        }
        if !given_up {
            tracing::warn!("calls under way are given up");
            self.give_up.send_replace(true);
        }
        !given_up
    }
}

impl Transport<RoleServer> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &item {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            JsonRpcMessage::Request(request) => {
                self.asked.begin(request.id.clone());
                None
            }
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.asked.end(id);
                }
                None
            }
        };
        let line = output::line(&item);
        let sending = self.output.sender();
        let answers = self.answers.0.clone();
        async move {
            let is_on_its_way = || answered.into_iter().for_each(|id| drop(answers.send(id)));
            sending.send(line?, is_on_its_way).await
        }
    }

    /// May be dropped and called again at any time: rmcp does so whenever it has something to send.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if self.refusal.is_some() {
                let place = self.output.reserve().await?;
                if let Some(line) = self.refusal.take() {
                    place.send(line);
                }
            }
            self.end_answered();
            let closed = self.output.closed();
            if let Some(since) = self.ending {
                if let Some(message) = self.unanswered() {
                    return Some(message);
                }
                tokio::select! {
                    more = self.last_calls(since) => if !more { return None },
                    () = closed => return None,
                }
                continue;
            }
            let (output, lines) = (&self.output, &mut self.lines);
            let next = async {
                // A client that does not read its answers gets no more of them.
                let _room = output.reserve().await;
                lines.recv().await
            };
            let line = tokio::select! {
                biased;
                () = closed => return None,
                _ = self.stop.wait_for(|stop| *stop) => None,
                line = next => line,
            };
            match line {
                Some(line) => {
                    if let Some(message) = self.take(line) {
                        return Some(message);
                    }
                }
                None => {
                    tracing::debug!("no further message is read");
                    self.ending = Some(Instant::now());
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output.finish();
        std::future::ready(Ok(())).await
    }
}
