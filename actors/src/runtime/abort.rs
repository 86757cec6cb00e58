//! Points at which a process of a test ends on the spot, as if it had been killed there.

#[cfg(feature = "fault-injection")]
use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// Where a call, or what keeps the books, comes by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum AbortPoint {
            $($(#[doc = $doc])+ $point,)+
        }

        impl AbortPoint {
            /// The point of this name.
            #[must_use]
            pub fn of_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$point),)+
                    _ => None,
                }
            }
        }
    };
}

points! {
    /// Money is held for an attempt, and nothing else is done.
    Held = "held",
    /// The journal says that the attempt is being sent.
    Begun = "begun",
    /// The call is about to be sent.
    Sending = "sending",
    /// The provider has begun to answer.
    FirstByte = "first-byte",
    /// A part of a stream that is not its last has come.
    MidStream = "mid-stream",
    /// The answer is there, and the journal does not say so.
    Answered = "answered",
    /// The journal says how the attempt ended, and the client has not all of the answer.
    Ended = "ended",
    /// Records are in a transaction that is not committed.
    Committing = "committing",
    /// Records are committed, and the journal does not know it.
    Committed = "committed",
    /// More of a budget is granted, and nobody knows it here.
    Granted = "granted",
    /// Something was taken out of a slice, and the ledger was not told.
    GivingBack = "giving-back",
    /// The ledger has taken something back, and nobody knows it here.
    GivenBack = "given-back",
}

/// The point that is armed, counted from 1; 0 for none.
#[cfg(feature = "fault-injection")]
static ARMED: AtomicU8 = AtomicU8::new(0);

/// Ends the process when it comes by this point.
#[cfg(feature = "fault-injection")]
pub fn arm(point: AbortPoint) {
    ARMED.store(point as u8 + 1, Ordering::Release);
}

/// Something comes by this point. Nothing is done in a build that is not for tests.
#[inline]
pub fn pass(point: AbortPoint) {
    #[cfg(feature = "fault-injection")]
    if ARMED.load(Ordering::Acquire) == point as u8 + 1 {
        std::process::abort();
    }
    #[cfg(not(feature = "fault-injection"))]
    let _ = point;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_known_by_its_name_and_passed_when_it_is_not_armed() {
        assert_eq!(AbortPoint::of_name("mid-stream"), Some(AbortPoint::MidStream));
        assert_eq!(AbortPoint::of_name("anywhere"), None);
        pass(AbortPoint::Held);
    }
}
