//! A stream on its way to the client, written down as it passes.
//!
//! The pieces pass as they come, save the last: the piece that tells the client that the answer is whole, and the end,
//! wait until everything is kept. When the client leaves, the rest is read all the same, within limits.

use std::rc::Rc;

use bytes::Bytes;
use gateway_actors::protocol::{Dialect, GatewayError, KeptAnswer};
use memchr::memmem;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::answer::Head;
use super::{Claim, MARGIN, is_final};
use crate::dialects::error_event;

/// Pieces that wait for a client that is slow.
const ROOM: usize = 8;

type Item = Result<Bytes, GatewayError>;

/// Lets the events pass through a task of its own.
pub(super) fn start(
    claim: Rc<Claim>,
    head: oneshot::Receiver<Head>,
    dialect: Dialect,
    events: mpsc::Receiver<Item>,
) -> mpsc::Receiver<Item> {
    let (sender, receiver) = mpsc::channel(ROOM);
    let relay = Relay {
        dialect,
        written: Written::new(claim.parts.settings.max_body_bytes),
        client: Some(sender),
        held_back: None,
        claim,
    };
    actix_rt::spawn(relay.run(head, events));
    receiver
}

struct Relay {
    claim: Rc<Claim>,
    dialect: Dialect,
    written: Written,
    /// Nothing once the client has left.
    client: Option<mpsc::Sender<Item>>,
    /// What may be the last of the answer.
    held_back: Option<Bytes>,
}

impl Relay {
    async fn run(mut self, head: oneshot::Receiver<Head>, mut events: mpsc::Receiver<Item>) {
        let mut alive = interval_at(Instant::now() + MARGIN, MARGIN);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let left = Rc::clone(&self.claim).parts.left_streams.clone();
        let mut place = None;
        loop {
            if self.client.is_none() && place.is_none() {
                place = left.try_acquire().ok();
                // Nobody waits for more: neither the client, nor somebody who could be given it.
                if place.is_none() || self.written.is_too_long() {
                    drop(events);
                    return self.stop(head).await;
                }
            }
            match self.next(&mut events, &mut alive).await {
                Some(Ok(piece)) if piece.is_empty() => {
                    self.keep(head).await;
                    self.release_held_back().await;
                    return self.send(Ok(piece)).await;
                }
                Some(Ok(piece)) => {
                    self.release_held_back().await;
                    self.written.add(&piece);
                    if is_end(self.dialect, &piece) {
                        self.held_back = Some(piece);
                    } else {
                        self.send(Ok(piece)).await;
                    }
                }
                Some(Err(error)) => {
                    if is_final(&error) {
                        let request = self.claim.request;
                        let told = error_event(self.dialect, &error, request, self.written.last());
                        self.written.add(&told);
                        self.keep(head).await;
                    } else {
                        self.claim.give_up().await;
                    }
                    self.release_held_back().await;
                    return self.send(Err(error)).await;
                }
                // Its task died: the client is told so, and the next request does the work.
                None => {
                    self.claim.give_up().await;
                    return self.release_held_back().await;
                }
            }
        }
    }

    /// The next piece; says from time to time that the work goes on.
    async fn next(&self, events: &mut mpsc::Receiver<Item>, alive: &mut Interval) -> Option<Item> {
        loop {
            tokio::select! {
                biased;
                item = events.recv() => return item,
                _ = alive.tick() => {
                    let claim = Rc::clone(&self.claim);
                    actix_rt::spawn(async move { claim.prolong().await });
                }
            }
        }
    }

    async fn send(&mut self, item: Item) {
        if let Some(client) = &self.client
            && client.send(item).await.is_err()
        {
            self.client = None;
        }
    }

    async fn release_held_back(&mut self) {
        if let Some(piece) = self.held_back.take() {
            self.send(Ok(piece)).await;
        }
    }

    /// Keeps what was written down, once the head of the answer is known: it is as soon as the response exists, and never
    /// if the response could not be made.
    async fn keep(&mut self, head: oneshot::Receiver<Head>) {
        match head.await {
            Ok(head) => self.claim.keep_answer(self.written.under(head)).await,
            Err(_nobody) => self.claim.give_up().await,
        }
    }

    /// The client has left, and the rest is not read: an answer that is too large is known to be so.
    async fn stop(mut self, head: oneshot::Receiver<Head>) {
        if self.written.is_too_long() {
            self.keep(head).await;
        } else {
            self.claim.give_up().await;
        }
    }
}

/// Whether the client knows by this piece that the answer is whole. One that only speaks of such a mark is held back until
/// the next piece is there, which is all that happens to it.
fn is_end(dialect: Dialect, piece: &[u8]) -> bool {
    let marks: &[&[u8]] = match dialect {
        Dialect::AnthropicMessages => &[b"message_stop"],
        Dialect::OpenaiResponses => &[b"response.completed", b"response.incomplete", b"response.failed"],
        _ => &[b"[DONE]"],
    };
    marks.iter().any(|mark| memmem::find(piece, mark).is_some())
}

/// What has passed, as far as there is room.
#[derive(Debug)]
struct Written {
    most: usize,
    /// Nothing once it was too much.
    body: Option<Vec<u8>>,
    last: Bytes,
}

impl Written {
    fn new(most: usize) -> Self {
        Self {
            most,
            body: Some(Vec::new()),
            last: Bytes::new(),
        }
    }

    fn add(&mut self, piece: &Bytes) {
        self.last = piece.clone();
        match &mut self.body {
            Some(body) if piece.len() <= self.most.saturating_sub(body.len()) => body.extend_from_slice(piece),
            _ => self.body = None,
        }
    }

    fn last(&self) -> &[u8] {
        &self.last
    }

    fn is_too_long(&self) -> bool {
        self.body.is_none()
    }

    /// The answer under this head, with its body unless that was too large.
    fn under(&mut self, head: Head) -> KeptAnswer {
        KeptAnswer {
            status: head.status,
            headers: head.headers,
            body: self.body.take().map(Bytes::from),
        }
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
