//! SupervisorActor: the health of the actor system.
//!
//! * **Owns** the judgement over the process: how often actors panicked, whether a thread hangs, whether it is over.
//!   The counting of panics itself is in [`crate::runtime::CrashReporter`], which works even when this actor does not.
//! * **Talks to** nobody; it reads the crash log and the beats, and publishes
//!   [`SystemHealth`](crate::protocol::SystemHealth) for readiness, `/health` and the drain.
//! * **On a restart** it reads the same log and beats again; nothing is lost.

mod actor;
mod core;

pub use actor::SupervisorActor;
