//! What is known of conversations whose clients give no id: how dear they have become, and which model answers the newest
//! user turn. Memory only: after a restart, or at another replica, the same text gives the same plan, which is what these
//! notes would else make sure of.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{ConversationMark, LoopNote};

/// How many conversations are known at most; the oldest is forgotten for a new one.
const MOST: usize = 50_000;
/// How long a conversation is known that nothing more is told of.
const KEPT: Duration = Duration::from_secs(3_600);

/// Whose conversation it is, and what it is known by. Two tenants never meet, whatever their texts are.
type Key = (Option<Arc<str>>, [u8; 16]);

/// The notes.
#[derive(Debug, Default)]
pub(super) struct Loops {
    notes: HashMap<Key, Kept>,
    /// When each was told of, oldest first. One that was told of again is in it more than once, and only the newest counts.
    told: VecDeque<(Key, u64)>,
    /// Counts what is told.
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    note: LoopNote,
    at: Instant,
    told: u64,
}

impl Loops {
    /// What is known of a conversation; of one that has its first answer only, what is known of the newest that began so.
    pub(super) fn find(
        &self,
        tenant: Option<Arc<str>>,
        conversation: ConversationMark,
        now: Instant,
    ) -> Option<LoopNote> {
        let ConversationMark {
            beginning,
            answered,
            is_young,
        } = conversation;
        let Some(own) = answered else {
            return self.known(&(tenant, beginning), now);
        };
        let found = self.known(&(tenant.clone(), own), now);
        found.or_else(|| self.known(&(tenant, beginning), now).filter(|_| is_young))
    }

    fn known(&self, key: &Key, now: Instant) -> Option<LoopNote> {
        let kept = self.notes.get(key)?;
        (now.saturating_duration_since(kept.at) < KEPT).then(|| kept.note.clone())
    }

    /// Notes what became of its newest user turn. A conversation only moves up: its floor never falls. What only begins has
    /// no floor yet: who began alike before is another one.
    pub(super) fn keep(
        &mut self,
        tenant: Option<Arc<str>>,
        conversation: ConversationMark,
        mut note: LoopNote,
        now: Instant,
    ) {
        let key = (tenant, conversation.answered.unwrap_or(conversation.beginning));
        if conversation.answered.is_some()
            && let Some(before) = self.known(&key, now)
        {
            note.floor = note.floor.max(before.floor);
        }
        self.clock += 1;
        let told = self.clock;
        self.told.push_back((key.clone(), told));
        self.notes.insert(key, Kept { note, at: now, told });
        self.forget(now);
    }

    /// Forgets what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: Instant) {
        while let Some((key, told)) = self.told.front() {
            let newest = self.notes.get(key).filter(|kept| kept.told == *told);
            let is_over = |kept: &Kept| now.saturating_duration_since(kept.at) >= KEPT;
            match newest {
                Some(kept) if self.notes.len() <= MOST && !is_over(kept) => break,
                Some(_) => {
                    self.notes.remove(key);
                }
                None => {}
            }
            self.told.pop_front();
        }
        // A conversation that is told of again and again behind an old one would let the queue grow without end.
        if self.told.len() > 2 * MOST {
            let notes = &self.notes;
            let is_newest = |(key, told): &(Key, u64)| notes.get(key).is_some_and(|kept| kept.told == *told);
            self.told.retain(is_newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Layer;

    fn note(floor: Layer, model: &str) -> LoopNote {
        LoopNote {
            floor,
            turn: [7; 16],
            model: model.into(),
            provider: "p".into(),
        }
    }

    /// A conversation that has gone on for long.
    fn key(number: usize) -> ConversationMark {
        ConversationMark {
            beginning: [0; 16],
            answered: Some((number as u128).to_be_bytes()),
            is_young: false,
        }
    }

    #[test]
    fn a_conversation_is_found_by_its_tenant_only_and_its_floor_never_falls() {
        let (mut loops, now) = (Loops::default(), Instant::now());
        let tenant = || Some(Arc::from("one"));
        loops.keep(tenant(), key(1), note(Layer::L2, "a"), now);
        assert_eq!(loops.find(tenant(), key(1), now), Some(note(Layer::L2, "a")));
        assert_eq!(loops.find(Some("two".into()), key(1), now), None);
        assert_eq!(loops.find(None, key(1), now), None);
        assert_eq!(loops.find(tenant(), key(2), now), None);
        loops.keep(tenant(), key(1), note(Layer::L0, "b"), now);
        assert_eq!(loops.find(tenant(), key(1), now), Some(note(Layer::L2, "b")));
    }

    #[test]
    fn strangers_who_begin_alike_share_no_floor() {
        let (mut loops, now) = (Loops::default(), Instant::now());
        let begun = ConversationMark {
            beginning: [1; 16],
            answered: None,
            is_young: true,
        };
        let second = |own: u8| ConversationMark {
            answered: Some([own; 16]),
            ..begun
        };
        let later = |own| ConversationMark {
            is_young: false,
            ..second(own)
        };
        loops.keep(None, begun, note(Layer::L0, "a"), now);
        // The second call goes by what the first was answered by, and is known by its own answer from then on.
        assert_eq!(loops.find(None, second(7), now), Some(note(Layer::L0, "a")));
        loops.keep(None, second(7), note(Layer::L3, "b"), now);
        assert_eq!(loops.find(None, later(7), now), Some(note(Layer::L3, "b")));
        assert_eq!(loops.find(None, second(8), now), Some(note(Layer::L0, "a")));
        assert_eq!(loops.find(None, later(8), now), None);
        // Nor does a dear first answer stay with those who begin alike after it.
        loops.keep(None, begun, note(Layer::L2, "c"), now);
        loops.keep(None, begun, note(Layer::L0, "a"), now);
        assert_eq!(loops.find(None, second(9), now), Some(note(Layer::L0, "a")));
    }

    #[test]
    fn a_conversation_is_forgotten_an_hour_after_it_was_told_of_last() {
        let (mut loops, start) = (Loops::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        loops.keep(None, key(1), note(Layer::L1, "a"), start);
        loops.keep(None, key(1), note(Layer::L0, "a"), after(3_000));
        assert!(loops.find(None, key(1), after(6_599)).is_some());
        assert_eq!(loops.find(None, key(1), after(6_600)), None);
        // What is told then begins anew.
        loops.keep(None, key(1), note(Layer::L0, "a"), after(6_600));
        assert_eq!(loops.find(None, key(1), after(6_600)), Some(note(Layer::L0, "a")));
        loops.keep(None, key(2), note(Layer::L0, "a"), after(20_000));
        assert_eq!((loops.notes.len(), loops.told.len()), (1, 1), "old ones take no room");
    }

    #[test]
    fn the_oldest_conversation_makes_room_for_a_new_one_and_memory_is_bounded() {
        let (mut loops, now) = (Loops::default(), Instant::now());
        for number in 0..=MOST {
            loops.keep(None, key(number), note(Layer::L0, "a"), now);
        }
        assert_eq!(loops.notes.len(), MOST);
        assert_eq!(loops.find(None, key(0), now), None);
        assert!(loops.find(None, key(1), now).is_some());
        // The same few, over and over, behind one that stays.
        for number in 0..3 * MOST {
            loops.keep(None, key(MOST - number % 7), note(Layer::L0, "a"), now);
            assert!(loops.told.len() <= 2 * MOST);
        }
        assert_eq!(loops.notes.len(), MOST);
        assert!(loops.find(None, key(1), now).is_some());
    }
}
