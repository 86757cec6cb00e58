//! Tests of earlier answers that wait for the records of those answers.

use std::collections::VecDeque;

use crate::protocol::EarlierTests;

/// Tests in memory; those that come then are dropped.
const MOST_WAITING: usize = 1_000;

/// Tests that are not noted yet. An answer's call records reach the database a moment after it, and until then the answer
/// before it would be taken for the newest: so each waits for one tick at least.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    fresh: VecDeque<EarlierTests>,
    due: VecDeque<EarlierTests>,
    is_noting: bool,
}

impl Waiting {
    /// Keeps tests; whether there was room.
    pub(super) fn add(&mut self, earlier: EarlierTests) -> bool {
        let has_room = self.fresh.len() + self.due.len() < MOST_WAITING;
        if has_room {
            self.fresh.push_back(earlier);
        }
        has_room
    }

    /// The oldest that have waited long enough, unless others are being noted; what came since the last call waits for
    /// the next one. With `all` nothing waits.
    pub(super) fn next(&mut self, all: bool) -> Vec<EarlierTests> {
        if self.is_noting {
            return Vec::new();
        }
        if all {
            self.due.append(&mut self.fresh);
        }
        let due = std::mem::replace(&mut self.due, std::mem::take(&mut self.fresh));
        self.is_noting = !due.is_empty();
        due.into()
    }

    /// Those that were taken have been noted, save these, which are tried again.
    pub(super) fn noted(&mut self, again: Vec<EarlierTests>) {
        self.is_noting = false;
        for earlier in again.into_iter().rev() {
            self.due.push_front(earlier);
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_noting && self.fresh.is_empty() && self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{RecordOwner, RequestId};

    fn earlier() -> EarlierTests {
        EarlierTests {
            conversation: "c".parse().unwrap(),
            told_by: RequestId::generate(),
            owner: RecordOwner::Everyone,
            tests: (1, 0),
        }
    }

    #[test]
    fn tests_wait_for_a_tick_and_are_noted_in_their_order() {
        let mut waiting = Waiting::default();
        let (one, two) = (earlier(), earlier());
        assert!(waiting.add(one.clone()));
        assert_eq!(waiting.next(false), []);
        assert!(waiting.add(two.clone()));
        assert_eq!(waiting.next(false), std::slice::from_ref(&one));
        assert_eq!(waiting.next(false), [], "one at a time");
        waiting.noted(vec![one.clone()]);
        assert_eq!(waiting.next(false), [one, two.clone()]);
        waiting.noted(Vec::new());
        assert!(waiting.is_empty());
        assert!(waiting.add(two.clone()));
        assert_eq!(waiting.next(true), [two], "whoever ends the process does not wait");
    }

    #[test]
    fn what_there_is_no_room_for_is_not_kept() {
        let mut waiting = Waiting::default();
        let kept = (0..MOST_WAITING + 5).filter(|_| waiting.add(earlier())).count();
        assert_eq!(kept, MOST_WAITING);
    }
}
