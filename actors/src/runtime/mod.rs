//! The only place that knows actix's internals: asking, telling, surviving a panic, beating.
//!
//! What the rest of the crate may rely on, each pinned by a test in `actors/tests/actix_semantics.rs`:
//! a mailbox does not bound what is sent to it, so work is bounded before it; a panic that leaves a handler ends the
//! actor for ever, so every handler runs inside a [`Guard`]; a reply that nobody waits for is dropped, so replies
//! that hold something are guard objects.

mod abort;
mod address;
mod beat;
mod bell;
mod clock;
mod crash;
mod guard;
mod seldom;
mod window;

#[cfg(feature = "fault-injection")]
pub use abort::arm;
pub use abort::{AbortPoint, pass};
pub use address::{ActorGone, LocalAddr, RemoteAddr, RemoteAsks, tell};
pub use beat::{Beat, Beats};
pub use bell::Bell;
pub use clock::unix_micros;
pub use crash::{CrashLog, CrashReporter, RestartPolicy};
#[cfg(feature = "fault-injection")]
pub use guard::Crash;
#[cfg(feature = "fault-injection")]
pub(crate) use guard::IDLE_FAULT;
pub(crate) use guard::accept_injected_faults;
pub use guard::{Guard, Panicked};
pub(crate) use seldom::Seldom;
pub use window::Window;
