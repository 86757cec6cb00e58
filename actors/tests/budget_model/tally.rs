//! What happened.

use std::ops::AddAssign;

use crate::world::Chaos;

/// What happened in all runs: a test in which nothing happens proves nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    pub(crate) refused: usize,
    pub(crate) unavailable: usize,
    pub(crate) crashes: usize,
    pub(crate) returns: usize,
    pub(crate) expiries: usize,
    pub(crate) lost: usize,
    pub(crate) overruns: usize,
    pub(crate) set_again: usize,
    /// Leases that were lost and ended by their process.
    pub(crate) lost_ended: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.refused += other.refused;
        self.unavailable += other.unavailable;
        self.crashes += other.crashes;
        self.returns += other.returns;
        self.expiries += other.expiries;
        self.lost += other.lost;
        self.overruns += other.overruns;
        self.set_again += other.set_again;
        self.lost_ended += other.lost_ended;
    }
}

impl Tally {
    pub(crate) fn assert_something_happened(&self, chaos: Chaos) {
        assert!(self.sent > 0 && self.refused > 0, "{self:?}");
        if chaos != Chaos::Calm {
            let all = [
                self.unavailable,
                self.crashes,
                self.returns,
                self.expiries,
                self.lost,
                self.set_again,
                self.lost_ended,
            ];
            assert!(all.iter().all(|count| *count > 0), "{self:?}");
        }
        assert_eq!(chaos == Chaos::Overruns, self.overruns > 0, "{self:?}");
    }
}
