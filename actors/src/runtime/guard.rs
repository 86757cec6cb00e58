//! The guard around an actor's core: a panic in a handler costs that one message, not the actor.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::crash::CrashReporter;

/// The handler panicked: the message was not handled, and the core has been rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor panicked and was rebuilt")]
pub struct Panicked;

/// Holds an actor's core and runs handlers on it.
///
/// A panic inside [`Guard::run`] is caught: the core is thrown away and rebuilt from what can be trusted, the panic is
/// reported, and the caller is told. Address, mailbox and waiting messages stay. A panic anywhere else in the actor
/// (and in the rebuild) loses the actor; the guard notices when it is dropped by that panic, and reports it as fatal.
pub struct Guard<C> {
    name: &'static str,
    core: C,
    rebuild: Box<dyn Fn() -> C>,
    reporter: CrashReporter,
    #[cfg(feature = "fault-injection")]
    armed: bool,
}

impl<C> Guard<C> {
    /// Builds the core for the first time.
    pub fn new(name: &'static str, reporter: CrashReporter, rebuild: impl Fn() -> C + 'static) -> Self {
        Self {
            name,
            core: rebuild(),
            rebuild: Box::new(rebuild),
            reporter,
            #[cfg(feature = "fault-injection")]
            armed: false,
        }
    }

    /// Runs a handler's work on the core.
    ///
    /// # Errors
    /// When the work panicked.
    pub fn run<R>(&mut self, work: impl FnOnce(&mut C) -> R) -> Result<R, Panicked> {
        #[cfg(feature = "fault-injection")]
        let armed = std::mem::take(&mut self.armed);
        let core = &mut self.core;
        let result = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(feature = "fault-injection")]
            #[expect(clippy::panic, reason = "this is the fault that is injected")]
            if armed {
                panic!("injected fault");
            }
            work(core)
        }));
        result.map_err(|payload| {
            self.rebuild_after(payload.as_ref());
            Panicked
        })
    }

    fn rebuild_after(&mut self, payload: &(dyn Any + Send)) {
        let rebuild = &self.rebuild;
        if let Ok(core) = catch_unwind(AssertUnwindSafe(rebuild)) {
            self.core = core;
            self.reporter.crashed(self.name, panic_text(payload));
        } else {
            self.reporter.escaped(self.name);
        }
    }
}

impl<C> Drop for Guard<C> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.reporter.escaped(self.name);
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Guard<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("name", &self.name)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}

/// How long an armed fault waits for a message to panic on.
#[cfg(feature = "fault-injection")]
pub(crate) const IDLE_FAULT: std::time::Duration = std::time::Duration::from_millis(200);

/// Makes the handler of the actor's next message panic. For tests of what happens then.
#[cfg(feature = "fault-injection")]
#[derive(Debug, Clone, Copy, actix::Message)]
#[rtype(result = "()")]
pub struct Crash;

#[cfg(feature = "fault-injection")]
impl<C> Guard<C> {
    /// Makes the next [`Guard::run`] panic.
    pub fn arm(&mut self) {
        self.armed = true;
    }
}

/// Lets tests make an actor with a `guard` field panic.
macro_rules! accept_injected_faults {
    ($actor:ty) => {
        #[cfg(feature = "fault-injection")]
        impl actix::Handler<$crate::runtime::Crash> for $actor {
            type Result = ();

            fn handle(&mut self, _: $crate::runtime::Crash, ctx: &mut Self::Context) {
                use actix::AsyncContext;

                self.guard.arm();
                // An idle actor has no next message to panic on.
                ctx.run_later($crate::runtime::IDLE_FAULT, |actor, _| {
                    let _ = actor.guard.run(|_| ());
                });
            }
        }
    };
}

pub(crate) use accept_injected_faults;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::RestartPolicy;

    #[test]
    fn a_panic_rebuilds_the_core_and_is_reported() {
        let reporter = CrashReporter::new(RestartPolicy::default());
        let mut guard = Guard::new("router", reporter.clone(), || 7);
        guard.run(|core| *core = 8).unwrap();
        let result = guard.run(|core| {
            *core = 9;
            panic!("half-way");
        });
        assert_eq!(result.unwrap_err(), Panicked);
        assert_eq!(guard.run(|core| *core).unwrap(), 7);
        assert_eq!(reporter.subscribe().borrow().restarts(), &[("router", 1)]);
    }

    #[test]
    fn a_panic_in_the_rebuild_is_fatal() {
        let reporter = CrashReporter::new(RestartPolicy::default());
        let first = std::cell::Cell::new(true);
        let mut guard = Guard::new("budget", reporter.clone(), move || {
            assert!(first.replace(false), "cannot rebuild");
        });
        guard.run(|()| panic!("once")).unwrap_err();
        assert!(reporter.subscribe().borrow().fatal().is_some());
    }
}
