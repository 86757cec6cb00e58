//! Pins the behaviour of actix that the design rests on: if one of these fails after an update, the design must be
//! looked at again, not the test.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests are about the methods that are banned elsewhere"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::prelude::*;
use futures_util::FutureExt;
use tokio::sync::oneshot;

#[derive(Default)]
struct Probe {
    handled: Arc<AtomicUsize>,
    starts: Arc<AtomicUsize>,
    capacity: Option<usize>,
}

impl Actor for Probe {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.starts.fetch_add(1, Ordering::SeqCst);
        if let Some(capacity) = self.capacity {
            ctx.set_mailbox_capacity(capacity);
        }
    }
}

impl Supervised for Probe {}

#[derive(Message)]
#[rtype(result = "usize")]
struct Count;

impl Handler<Count> for Probe {
    type Result = usize;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> usize {
        self.handled.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

impl Handler<Panic> for Probe {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        #[expect(clippy::panic, reason = "what a panic does is what is tested")]
        {
            panic!("on purpose");
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for Probe {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// Waits inside the actor's own task.
#[derive(Message)]
#[rtype(result = "()")]
struct WaitInside(oneshot::Receiver<()>);

impl Handler<WaitInside> for Probe {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, wait: WaitInside, _: &mut Self::Context) -> Self::Result {
        Box::pin(wait.0.map(|_| ()).into_actor(self))
    }
}

/// Waits in a task of its own.
#[derive(Message)]
#[rtype(result = "()")]
struct WaitBeside(oneshot::Receiver<()>);

impl Handler<WaitBeside> for Probe {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, wait: WaitBeside, _: &mut Self::Context) -> Self::Result {
        Box::pin(wait.0.map(|_| ()))
    }
}

#[actix::test]
async fn send_is_not_bounded_by_the_mailbox() {
    let probe = Probe {
        capacity: Some(1),
        ..Probe::default()
    };
    let addr = probe.start();
    let replies = (0..1_000).map(|_| addr.send(Count));
    let replies = futures_util::future::join_all(replies).await;
    assert!(replies.iter().all(Result::is_ok));
}

#[actix::test]
async fn do_send_is_not_bounded_and_says_nothing_when_the_actor_is_gone() {
    let handled = Arc::new(AtomicUsize::new(0));
    let probe = Probe {
        handled: Arc::clone(&handled),
        ..Probe::default()
    };
    let addr = probe.start();
    for _ in 0..1_000 {
        addr.do_send(Count);
    }
    assert_eq!(addr.send(Count).await.unwrap(), 1_001);
    addr.send(Stop).await.unwrap();
    while addr.connected() {
        tokio::task::yield_now().await;
    }
    addr.do_send(Count);
    assert_eq!(handled.load(Ordering::SeqCst), 1_001);
}

#[actix::test]
async fn a_send_that_is_dropped_before_it_is_polled_is_never_delivered() {
    let addr = Probe::default().start();
    drop(addr.send(Count));
    assert_eq!(addr.send(Count).await.unwrap(), 1);
}

#[actix::test]
async fn a_panic_that_leaves_a_handler_ends_the_actor_for_ever() {
    let addr = Probe::default().start();
    assert_eq!(addr.send(Panic).await.unwrap_err(), MailboxError::Closed);
    assert_eq!(addr.send(Count).await.unwrap_err(), MailboxError::Closed);
    assert!(!addr.connected());
}

#[actix::test]
async fn the_supervisor_of_actix_does_not_survive_a_panic() {
    let addr = Supervisor::start(|_| Probe::default());
    assert!(addr.send(Panic).await.is_err());
    assert_eq!(addr.send(Count).await.unwrap_err(), MailboxError::Closed);
}

#[actix::test]
async fn a_panic_leaves_the_other_actors_of_its_arbiter_alone() {
    let (lost, kept) = (Probe::default().start(), Probe::default().start());
    assert!(lost.send(Panic).await.is_err());
    assert_eq!(kept.send(Count).await.unwrap(), 1);
}

#[actix::test]
async fn a_restart_keeps_state_and_queue_and_starts_again() {
    let (handled, starts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let probe = Probe {
        handled: Arc::clone(&handled),
        starts: Arc::clone(&starts),
        capacity: None,
    };
    let addr = Supervisor::start(|_| probe);
    assert_eq!(addr.send(Count).await.unwrap(), 1);
    addr.do_send(Stop);
    let after = addr.send(Count).await.unwrap();
    assert_eq!((after, starts.load(Ordering::SeqCst)), (2, 2));
}

#[actix::test]
async fn a_restart_cancels_futures_inside_the_actor_and_keeps_those_beside_it() {
    let addr = Supervisor::start(|_| Probe::default());
    let (_inside_go, inside) = oneshot::channel();
    let (beside_go, beside) = oneshot::channel();
    let (inside, beside) = (addr.send(WaitInside(inside)), addr.send(WaitBeside(beside)));
    let (inside, beside) = (actix_rt::spawn(inside), actix_rt::spawn(beside));
    addr.send(Count).await.unwrap();
    addr.send(Stop).await.unwrap();
    assert_eq!(inside.await.unwrap().unwrap_err(), MailboxError::Closed);
    beside_go.send(()).unwrap();
    beside.await.unwrap().unwrap();
}

#[actix::test]
async fn a_reply_that_nobody_waits_for_is_dropped() {
    struct Owner(Arc<AtomicUsize>);
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    #[derive(Message)]
    #[rtype(result = "Result<Guard, ()>")]
    struct Take(oneshot::Sender<()>);
    impl Actor for Owner {
        type Context = Context<Self>;
    }
    impl Handler<Take> for Owner {
        type Result = Result<Guard, ()>;

        fn handle(&mut self, take: Take, _: &mut Self::Context) -> Self::Result {
            take.0.send(()).unwrap();
            Ok(Guard(Arc::clone(&self.0)))
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let addr = Owner(Arc::clone(&drops)).start();
    let (handled, seen) = oneshot::channel();
    let mut asked = Box::pin(addr.send(Take(handled)));
    assert!(futures_util::poll!(&mut asked).is_pending());
    seen.await.unwrap();
    drop(asked);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}
