//! What clients met with, counted.

use std::collections::BTreeMap;
use std::fmt;

use tokio::sync::watch;

/// Counts by name, kept by all clients together.
#[derive(Debug, Default)]
pub(crate) struct Tally(watch::Sender<BTreeMap<String, u64>>);

impl Tally {
    /// One more of these.
    pub(crate) fn add(&self, what: &str) {
        self.0.send_modify(|counts| {
            if let Some(count) = counts.get_mut(what) {
                *count += 1;
            } else {
                counts.insert(what.to_owned(), 1);
            }
        });
    }

    /// How many there were of these.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.borrow().get(what).copied().unwrap_or_default()
    }

    /// How many there were of all.
    pub(crate) fn sum(&self) -> u64 {
        self.0.borrow().values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.borrow();
        let shown: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&shown.join(", "))
    }
}

/// All that clients did and met with.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// What was asked for.
    pub(crate) asked: Tally,
    /// How requests ended whose clients stayed.
    pub(crate) ended: Tally,
    /// How clients left.
    pub(crate) left: Tally,
}
