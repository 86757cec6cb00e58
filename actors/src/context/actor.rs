//! The actix side of the conversations.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use tokio::sync::oneshot;

use super::core::{ContextCore, LiveTurns};
use crate::protocol::{
    BeginTurn, ContextError, EndTurn, FindLoop, KeepLoop, LoopNote, PermitSender, TurnPermit, TurnSink,
};
use crate::runtime::{CrashReporter, Guard, accept_injected_faults, tell};

/// Orders the turns of every conversation. One per process, on an arbiter of its own.
#[derive(Debug)]
pub struct ContextActor {
    guard: Guard<ContextCore>,
    sink: Option<Arc<dyn TurnSink>>,
}

impl ContextActor {
    /// An actor with no turn yet.
    #[must_use]
    pub fn new(crashes: CrashReporter) -> Self {
        let live = LiveTurns::default();
        Self {
            guard: Guard::new("context", crashes, move || ContextCore::recover(Rc::clone(&live))),
            sink: None,
        }
    }
}

impl Actor for ContextActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sink = Some(Arc::new(Sink(ctx.address())));
    }
}

/// Where permits end: at the actor that gave them.
#[derive(Debug)]
struct Sink(Addr<ContextActor>);

impl TurnSink for Sink {
    fn end(&self, end: EndTurn) {
        if tell(&self.0, end).is_err() {
            tracing::debug!("the conversations are gone; a turn ended unnoticed");
        }
    }
}

impl Handler<BeginTurn> for ContextActor {
    type Result = Result<oneshot::Receiver<TurnPermit>, ContextError>;

    fn handle(&mut self, begin: BeginTurn, _: &mut Self::Context) -> Self::Result {
        let sink = self.sink.as_ref().ok_or(ContextError::Restarting)?;
        let (permit, receiver) = PermitSender::channel();
        let begun = self.guard.run(|core| core.begin(&begin, permit, sink));
        begun.unwrap_or(Err(ContextError::Restarting))?;
        Ok(receiver)
    }
}

impl Handler<EndTurn> for ContextActor {
    type Result = ();

    fn handle(&mut self, end: EndTurn, _: &mut Self::Context) {
        let Some(sink) = &self.sink else { return };
        // An end lost to a panic needs no second telling: a turn whose permit is gone counts as over.
        let _ = self.guard.run(|core| core.end(&end, sink));
    }
}

impl Handler<FindLoop> for ContextActor {
    type Result = Option<LoopNote>;

    fn handle(&mut self, find: FindLoop, _: &mut Self::Context) -> Self::Result {
        // What a panic lost is not known.
        self.guard.run(|core| core.find_loop(find)).ok().flatten()
    }
}

impl Handler<KeepLoop> for ContextActor {
    type Result = ();

    fn handle(&mut self, keep: KeepLoop, _: &mut Self::Context) {
        // What a panic lost is not known, and need not be.
        let _ = self.guard.run(|core| core.keep_loop(keep));
    }
}

accept_injected_faults!(ContextActor);
