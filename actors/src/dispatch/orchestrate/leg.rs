//! Legs that run side by side: each a request's run in a task of its own, with what it takes to call it off.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::super::account::Account;
use super::super::cell::CellParts;
use super::super::client::Client;
use super::super::run::Run;
use super::super::spawn;
use crate::protocol::{
    Answer, AttemptTrace, Candidate, ChatCall, ConversationId, ErrorKind, GatewayError, LegRole, LegTrace, NanoUsd,
    Ordinals, Outcome,
};

/// How far the answer of a leg is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It is waited for.
    Wanted,
    /// The client has left: nothing more is sent, and what was sent is read to its end.
    NothingMore,
    /// Another answer was taken: nothing more is sent, and what was sent is waited for only to learn what it costs.
    Superseded,
}

/// What a leg is to do.
pub(super) struct LegSpec {
    pub(super) role: LegRole,
    pub(super) candidates: Vec<Candidate>,
    pub(super) call: ChatCall,
    pub(super) conversation: Option<ConversationId>,
    pub(super) ordinals: Ordinals,
}

/// A leg that has ended.
pub(super) struct LegEnd {
    pub(super) result: Result<Answer, GatewayError>,
    /// Its attempts; those of an answer are with the answer.
    pub(super) account: Account,
    /// A budget ran dry that goes on with models that cost nothing.
    pub(super) only_free: bool,
}

impl LegEnd {
    /// What there is to say of a run whose result this is.
    pub(super) fn of(mut run: Run, mut result: Result<Answer, GatewayError>) -> Self {
        let mut account = std::mem::take(&mut run.account);
        if let Ok(answer) = &mut result {
            let served = &mut answer.served;
            account.attempts = std::mem::take(&mut served.attempts);
            account.sum(served.usage, served.usage_source, served.cost);
        }
        Self {
            result,
            account,
            only_free: run.pays_only_free(),
        }
    }

    /// Its task ended without a word.
    fn lost() -> Self {
        Self {
            result: Err(GatewayError::new(
                ErrorKind::Internal,
                "the gateway failed while answering; the request may have been billed",
            )),
            account: Account::default(),
            only_free: false,
        }
    }
}

/// A leg under way. Dropping it calls it off: it sends nothing more.
pub(super) struct Leg {
    role: LegRole,
    first: Option<Candidate>,
    done: oneshot::Receiver<LegEnd>,
    state: Rc<LegState>,
}

/// What a leg and whoever waits for it share. Both are on the cell's thread.
struct LegState {
    need: Cell<Need>,
    /// The leg's task, while it waits for a word.
    waiting: RefCell<Option<Waker>>,
    /// Place and hold of the attempt that was sent last.
    sent: Cell<Option<(u8, NanoUsd)>>,
}

impl LegState {
    fn tell(&self, need: Need) {
        self.need.set(need);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

/// Begins a leg in a task of its own, which ends when the process ends and waits no longer.
pub(super) fn begin(cell: &Rc<CellParts>, spec: LegSpec) -> Leg {
    let LegSpec {
        role,
        candidates,
        call,
        conversation,
        ordinals,
    } = spec;
    let (end, done) = oneshot::channel();
    let state = Rc::new(LegState {
        need: Cell::new(Need::Wanted),
        waiting: RefCell::default(),
        sent: Cell::new(None),
    });
    let first = candidates.first().cloned();
    let (cell, mut client) = (Rc::clone(cell), LegClient(Rc::clone(&state)));
    spawn(async move {
        let mut run = Run::new(Rc::clone(&cell), call, conversation, false).into_leg(role, &ordinals);
        let result = tokio::select! {
            biased;
            () = cell.cut() => return,
            result = run.complete_with(candidates, &mut client) => result,
        };
        // Whoever waited may have gone on without it.
        let _ = end.send(LegEnd::of(run, result));
    });
    Leg {
        role,
        first,
        done,
        state,
    }
}

impl Leg {
    /// Its answer is not needed any more although the client is there.
    pub(super) fn supersede(&self) {
        self.state.tell(Need::Superseded);
    }

    /// What is told of it while it still runs; nothing if it has sent nothing yet.
    pub(super) fn running(&self) -> Option<LegTrace> {
        let (ordinal, held) = self.state.sent.get()?;
        let first = self.first.as_ref()?;
        Some(LegTrace {
            role: self.role,
            attempts: vec![AttemptTrace {
                ordinal,
                role: self.role,
                model: Arc::clone(&first.model),
                reason: first.reason,
                outcome: Outcome::Superseded,
                cost: NanoUsd::ZERO,
            }],
            held: Some(held),
        })
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<LegEnd> {
        Pin::new(&mut self.done)
            .poll(cx)
            .map(|end| end.unwrap_or_else(|_| LegEnd::lost()))
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        if self.state.need.get() == Need::Wanted {
            self.state.tell(Need::NothingMore);
        }
    }
}

/// Whoever waits for a leg, as its run sees them.
struct LegClient(Rc<LegState>);

impl LegClient {
    fn poll_need(&self, cx: &Context<'_>, is_it: impl Fn(Need) -> bool) -> Poll<()> {
        if is_it(self.0.need.get()) {
            return Poll::Ready(());
        }
        self.0.waiting.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Client for LegClient {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_need(cx, |need| need != Need::Wanted)
    }

    fn poll_superseded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_need(cx, |need| need == Need::Superseded)
    }

    fn sending(&mut self, ordinal: u8, held: NanoUsd) {
        self.0.sent.set(Some((ordinal, held)));
    }
}

/// What came first while legs were waited for.
pub(super) enum Heard {
    /// This one has ended, and is no longer in its place.
    Ended(usize, Box<LegEnd>),
    /// The client has left.
    Left,
    /// None of it, until then.
    Late,
}

/// Waits for the first of several legs to end.
pub(super) async fn hear(legs: &mut [Option<Leg>], client: &mut dyn Client, until: Option<Instant>) -> Heard {
    let first = poll_fn(|cx| {
        for (place, slot) in legs.iter_mut().enumerate() {
            if let Some(leg) = slot
                && let Poll::Ready(end) = leg.poll_end(cx)
            {
                *slot = None;
                return Poll::Ready(Heard::Ended(place, Box::new(end)));
            }
        }
        client.poll_gone(cx).map(|()| Heard::Left)
    });
    match until {
        Some(until) => timeout_at(until, first).await.unwrap_or(Heard::Late),
        None => first.await,
    }
}
