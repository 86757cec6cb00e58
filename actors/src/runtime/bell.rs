//! A word to every task of one thread.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use tokio::sync::{Notify, watch};

/// Rings once, when a value that the whole process watches says so. Every request waits for such a word: to watch the
/// value itself would make each of them write to what all threads share.
pub struct Bell(Rc<Inner>);

#[derive(Default)]
struct Inner {
    has_rung: Cell<bool>,
    waiting: Notify,
}

impl Bell {
    /// A bell that rings when the watched value is as it must be. Call it where tasks can be spawned.
    pub fn when<T: 'static>(mut watched: watch::Receiver<T>, is_time: impl Fn(&T) -> bool + 'static) -> Self {
        let inner = Rc::new(Inner::default());
        // What is so already is known at once.
        let is_time_now = is_time(&watched.borrow());
        inner.has_rung.set(is_time_now);
        let rings = Rc::downgrade(&inner);
        actix_rt::spawn(async move {
            // An error says that nobody is left who could change the value: then it never rings.
            if watched.wait_for(|value| is_time(value)).await.is_ok()
                && let Some(inner) = rings.upgrade()
            {
                inner.has_rung.set(true);
                inner.waiting.notify_waiters();
            }
        });
        Self(inner)
    }

    /// Ready once it has rung.
    pub async fn rung(&self) {
        // Made before the look, so that ringing in between is noticed.
        let rings = self.0.waiting.notified();
        if !self.0.has_rung.get() {
            rings.await;
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bell").field(&self.0.has_rung.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;
    use tokio::join;

    use super::*;

    #[actix_rt::test]
    async fn it_rings_for_all_who_wait_and_for_those_who_come_later() {
        let (stage, watching) = watch::channel(1);
        let bell = Bell::when(watching, |stage| *stage >= 3);
        stage.send_replace(2);
        tokio::task::yield_now().await;
        assert!(bell.rung().now_or_never().is_none());
        join!(bell.rung(), bell.rung(), async { stage.send_replace(4) });
        assert!(bell.rung().now_or_never().is_some());
    }

    #[actix_rt::test]
    async fn it_has_rung_at_once_when_the_time_has_come_already() {
        let (_stage, watching) = watch::channel(true);
        let bell = Bell::when(watching, |over| *over);
        assert!(bell.rung().now_or_never().is_some());
    }

    #[actix_rt::test]
    async fn it_never_rings_when_nobody_is_left_who_could_say_so() {
        let (stage, watching) = watch::channel(false);
        let bell = Bell::when(watching, |over| *over);
        drop(stage);
        let none = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = bell.rung() => panic!("it rang"),
            () = none => {}
            () = pending() => {}
        }
    }
}
