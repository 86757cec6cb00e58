//! Asking and telling.
//!
//! A [`LocalAddr`] cannot leave its thread, so an ask through it never hops to another one: that is how the promise
//! that steady-state requests ask only their own cell is kept by the compiler. Asks through a [`RemoteAddr`] are
//! counted.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// The actor does not answer: it is gone, or it did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor does not answer")]
pub struct ActorGone;

/// Sends a message one way. The sender bounds its work itself; the mailbox does not.
///
/// # Errors
/// When the actor is gone; the message is lost then.
pub fn tell<A, M>(to: &Addr<A>, message: M) -> Result<(), ActorGone>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    if !to.connected() {
        return Err(ActorGone);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place: closed mailboxes are checked above"
    )]
    to.do_send(message);
    Ok(())
}

/// An actor on this thread.
pub struct LocalAddr<A: Actor> {
    addr: Addr<A>,
    stays_on_its_thread: PhantomData<Rc<()>>,
}

impl<A: Actor> LocalAddr<A> {
    /// Marks an actor that was started on this thread's arbiter.
    #[must_use]
    pub fn new(addr: Addr<A>) -> Self {
        Self {
            addr,
            stays_on_its_thread: PhantomData,
        }
    }

    /// Sends a message and waits for the reply.
    ///
    /// # Errors
    /// When the actor is gone.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, ActorGone>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        #[expect(clippy::disallowed_methods, reason = "the one place for asks of the own cell")]
        let reply = self.addr.send(message).await;
        reply.or(Err(ActorGone))
    }

    /// Sends a message one way.
    ///
    /// # Errors
    /// When the actor is gone.
    pub fn tell<M>(&self, message: M) -> Result<(), ActorGone>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        tell(&self.addr, message)
    }
}

impl<A: Actor> Clone for LocalAddr<A> {
    fn clone(&self) -> Self {
        Self::new(self.addr.clone())
    }
}

impl<A: Actor> fmt::Debug for LocalAddr<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalAddr<{}>", std::any::type_name::<A>())
    }
}

/// Counts asks that crossed to another arbiter.
#[derive(Debug, Default)]
pub struct RemoteAsks(AtomicU64);

impl RemoteAsks {
    /// Asks so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// An actor on another thread's arbiter.
pub struct RemoteAddr<A: Actor> {
    addr: Addr<A>,
    asks: Arc<RemoteAsks>,
    patience: Duration,
}

impl<A: Actor> RemoteAddr<A> {
    /// An actor to be asked across threads; an ask that is not answered within `patience` counts as unanswered.
    #[must_use]
    pub fn new(addr: Addr<A>, asks: Arc<RemoteAsks>, patience: Duration) -> Self {
        Self { addr, asks, patience }
    }

    /// Sends a message and waits for the reply.
    ///
    /// # Errors
    /// When the actor is gone or does not answer in time.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, ActorGone>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.asks.0.fetch_add(1, Ordering::AcqRel);
        #[expect(clippy::disallowed_methods, reason = "the one place for asks across arbiters")]
        let reply = self.addr.send(message).timeout(self.patience).await;
        reply.or(Err(ActorGone))
    }

    /// Sends a message one way.
    ///
    /// # Errors
    /// When the actor is gone.
    pub fn tell<M>(&self, message: M) -> Result<(), ActorGone>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        tell(&self.addr, message)
    }
}

impl<A: Actor> Clone for RemoteAddr<A> {
    fn clone(&self) -> Self {
        Self::new(self.addr.clone(), Arc::clone(&self.asks), self.patience)
    }
}

impl<A: Actor> fmt::Debug for RemoteAddr<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteAddr<{}>", std::any::type_name::<A>())
    }
}
