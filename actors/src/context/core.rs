//! Who may run a turn, and who waits.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use super::loops::Loops;
use crate::protocol::{
    BeginTurn, ContextError, ConversationId, EndTurn, FindLoop, KeepLoop, LoopNote, PermitSender, RunningTurn,
    TurnPermit, TurnSink,
};

/// Turns that may wait for a conversation besides the one that runs.
const MOST_WAITING: usize = 4;

/// Running turns by their permits: outlives the core, so that a rebuilt one knows them.
pub(super) type LiveTurns = Rc<RefCell<Vec<Weak<RunningTurn>>>>;

/// What a ContextActor decides from.
#[derive(Debug)]
pub(super) struct ContextCore {
    conversations: HashMap<ConversationId, Turns>,
    live: LiveTurns,
    loops: Loops,
}

#[derive(Debug, Default)]
struct Turns {
    running: Weak<RunningTurn>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    turn: Arc<RunningTurn>,
    permit: PermitSender,
}

impl ContextCore {
    /// The turns whose permits are alive.
    pub(super) fn recover(live: LiveTurns) -> Self {
        let running: Vec<Arc<RunningTurn>> = live.borrow().iter().filter_map(Weak::upgrade).collect();
        let conversations = running.into_iter().map(|turn| {
            let turns = Turns {
                running: Arc::downgrade(&turn),
                waiting: VecDeque::new(),
            };
            (turn.conversation.clone(), turns)
        });
        Self {
            conversations: conversations.collect(),
            live,
            loops: Loops::default(),
        }
    }

    /// Lets a turn begin now or later, when its permit is sent.
    pub(super) fn begin(
        &mut self,
        begin: &BeginTurn,
        permit: PermitSender,
        sink: &Arc<dyn TurnSink>,
    ) -> Result<(), ContextError> {
        let turn = Arc::new(RunningTurn {
            conversation: begin.conversation.clone(),
            request: begin.request,
        });
        let waiting = Waiting { turn, permit };
        let turns = self.conversations.entry(begin.conversation.clone()).or_default();
        turns.waiting.retain(|waiting| !waiting.permit.is_closed());
        if turns.waiting.len() >= MOST_WAITING {
            return Err(ContextError::Busy { waiting: MOST_WAITING });
        }
        turns.waiting.push_back(waiting);
        // A turn whose permit is gone is over, even if its end has not been told yet.
        if turns.running.strong_count() == 0 {
            self.run_next(&begin.conversation, sink);
        }
        Ok(())
    }

    /// Ends a turn and lets the next one begin.
    pub(super) fn end(&mut self, end: &EndTurn, sink: &Arc<dyn TurnSink>) {
        let over = |turns: &Turns| turns.running.upgrade().is_none_or(|turn| turn.request == end.request);
        if self.conversations.get(&end.conversation).is_some_and(over) {
            self.run_next(&end.conversation, sink);
        }
    }

    /// What is known of a conversation that has no id.
    pub(super) fn find_loop(&self, find: FindLoop) -> Option<LoopNote> {
        self.loops.find(find.tenant, find.conversation, find.now)
    }

    /// Notes what is to be known of one.
    pub(super) fn keep_loop(&mut self, keep: KeepLoop) {
        self.loops.keep(keep.tenant, keep.conversation, keep.note, keep.now);
    }

    fn run_next(&mut self, conversation: &ConversationId, sink: &Arc<dyn TurnSink>) {
        let Some(turns) = self.conversations.get_mut(conversation) else {
            return;
        };
        while let Some(next) = turns.waiting.pop_front() {
            if next.permit.is_closed() {
                continue;
            }
            turns.running = Arc::downgrade(&next.turn);
            let mut live = self.live.borrow_mut();
            live.retain(|turn| turn.strong_count() > 0);
            live.push(Weak::clone(&turns.running));
            // Whoever gave up in this very moment drops the permit, which ends the turn.
            next.permit.send(TurnPermit::new(next.turn, Arc::clone(sink)));
            return;
        }
        self.conversations.remove(conversation);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;
    use crate::protocol::RequestId;

    #[derive(Debug)]
    struct Ends(mpsc::Sender<EndTurn>);

    impl TurnSink for Ends {
        fn end(&self, end: EndTurn) {
            self.0.send(end).unwrap();
        }
    }

    struct Bench {
        core: ContextCore,
        sink: Arc<dyn TurnSink>,
        ends: mpsc::Receiver<EndTurn>,
    }

    impl Bench {
        fn new() -> Self {
            let (sender, ends) = mpsc::channel();
            Self {
                core: ContextCore::recover(LiveTurns::default()),
                sink: Arc::new(Ends(sender)),
                ends,
            }
        }

        fn begin(&mut self) -> Result<oneshot::Receiver<TurnPermit>, ContextError> {
            let begin = BeginTurn {
                conversation: "c".parse().unwrap(),
                request: RequestId::generate(),
            };
            let (permit, receiver) = PermitSender::channel();
            self.core.begin(&begin, permit, &self.sink).map(|()| receiver)
        }

        fn deliver_ends(&mut self) {
            while let Ok(end) = self.ends.try_recv() {
                self.core.end(&end, &self.sink);
            }
        }
    }

    #[test]
    fn turns_run_one_at_a_time_in_order_and_the_sixth_is_refused() {
        let mut bench = Bench::new();
        let mut turns: VecDeque<_> = (0..5).map(|_| bench.begin().unwrap()).collect();
        assert_eq!(bench.begin().unwrap_err(), ContextError::Busy { waiting: 4 });
        while let Some(mut first) = turns.pop_front() {
            let permit = first.try_recv().expect("its turn has come");
            assert!(turns.iter_mut().all(|turn| turn.try_recv().is_err()), "only one runs");
            drop(permit);
            bench.deliver_ends();
        }
        assert!(bench.core.conversations.is_empty());
    }

    #[test]
    fn a_turn_that_nobody_waits_for_any_more_is_passed_over() {
        let mut bench = Bench::new();
        let mut running = bench.begin().unwrap();
        drop(bench.begin().unwrap());
        let mut last = bench.begin().unwrap();
        drop(running.try_recv().unwrap());
        bench.deliver_ends();
        assert!(last.try_recv().is_ok());
    }

    #[test]
    fn a_rebuilt_core_still_lets_only_one_turn_run() {
        let mut bench = Bench::new();
        let permit = bench.begin().unwrap().try_recv().unwrap();
        let mut dropped = bench.begin().unwrap();
        bench.core = ContextCore::recover(Rc::clone(&bench.core.live));
        assert!(dropped.try_recv().is_err(), "a waiting turn is told to ask again");
        let mut waiting = bench.begin().unwrap();
        assert!(waiting.try_recv().is_err());
        drop(permit);
        bench.deliver_ends();
        assert!(waiting.try_recv().is_ok());
    }
}
