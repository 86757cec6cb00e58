//! Several processes, a ledger, a provider that keeps its own bill, and chance.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::budget::{Action, BudgetSettings};
use gateway_actors::protocol::{
    AttemptId, BudgetBook, BudgetCursor, BudgetEntry, BudgetRule, BudgetStore, CallRecord, LedgerStore, NanoUsd,
    OnExhausted, RequestId, Reserved, Scope, StoreError, StoreFuture, Window,
};
use gateway_actors::testkit::MemoryLedger;
use gateway_actors::testkit::samples::{dispatch, finished};
use tokio::time::Instant;

use crate::chance::Random;
use crate::process::{Arriving, Call, Entry, Process, Who};
use crate::tally::Tally;

const PROCESSES: usize = 3;
/// 2026-11-29, a little before midnight, so that many runs see the next day.
const START_US: i64 = 1_795_996_500_000_000;
const SETTINGS: BudgetSettings = BudgetSettings {
    lease: Duration::from_secs(20),
};
pub(crate) const CALLERS: [Who; 4] = [
    Who {
        project: None,
        user: None,
    },
    Who {
        project: Some("p"),
        user: None,
    },
    Who {
        project: Some("p"),
        user: Some("u"),
    },
    Who {
        project: None,
        user: Some("u"),
    },
];

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chaos {
    /// Nothing goes wrong.
    Calm,
    /// Processes die and come back or do not, answers are lost, time jumps, limits change.
    Storm,
    /// The same, and calls cost more than was held for them.
    Overruns,
}

/// A process that died, or was given up: its journal is all that is left.
pub(crate) struct Dead {
    pub(crate) process: Process,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) chaos: Chaos,
    pub(crate) random: Random,
    pub(crate) now: Instant,
    pub(crate) ledger: MemoryLedger,
    pub(crate) alive: Vec<Process>,
    pub(crate) dead: Vec<Dead>,
    /// What the provider has on its bill for each call.
    pub(crate) bill: HashMap<u64, NanoUsd>,
    /// What each call is charged to.
    pub(crate) charged: HashMap<u64, Vec<(Scope, Arc<str>)>>,
    pub(crate) records: HashMap<u64, AttemptId>,
    /// The highest limit that each scope had.
    pub(crate) most: HashMap<Scope, NanoUsd>,
    pub(crate) overrun: HashMap<(Scope, Arc<str>), i64>,
    pub(crate) next_call: u64,
    pub(crate) tally: Tally,
}

pub(crate) fn answer<T>(asked: StoreFuture<T>) -> Result<T, StoreError> {
    asked.now_or_never().expect("the ledger in memory answers at once")
}

impl World {
    pub(crate) fn new(seed: u64, chaos: Chaos) -> Self {
        let now = Instant::now();
        let mut world = Self {
            seed,
            chaos,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now,
            ledger: MemoryLedger::at(START_US),
            alive: Vec::new(),
            dead: Vec::new(),
            bill: HashMap::new(),
            charged: HashMap::new(),
            records: HashMap::new(),
            most: HashMap::new(),
            overrun: HashMap::new(),
            next_call: 0,
            tally: Tally::default(),
        };
        world.set_budget(Scope::Global, Window::Total);
        if world.random.chance(70) {
            world.set_budget(Scope::Project("p".into()), Window::Daily);
        }
        if world.random.chance(50) {
            world.set_budget(Scope::User("u".into()), Window::Monthly);
        }
        for _ in 0..PROCESSES {
            let process = world.fresh_process();
            world.alive.push(process);
        }
        world
    }

    fn set_budget(&mut self, scope: Scope, window: Window) {
        let limit = NanoUsd(1 + self.random.below(400));
        let most = self.most.entry(scope.clone()).or_insert(limit);
        *most = (*most).max(limit);
        let rule = BudgetRule {
            limit,
            window,
            on_exhausted: OnExhausted::Refuse,
            max_layer: None,
            alert_percents: vec![50],
        };
        answer(self.ledger.set_budget(scope, rule)).unwrap();
    }

    /// Deletes a budget and sets it again as it was, so that nobody need see that it was gone.
    fn set_again(&mut self, scope: Scope) {
        let Some(status) = answer(self.ledger.budget(scope.clone())).unwrap() else {
            return;
        };
        answer(self.ledger.delete_budget(scope.clone())).unwrap();
        // Somebody may ask about it in between.
        for _ in 0..self.random.below(4) {
            let which = self.random.index(self.alive.len());
            self.perform(which);
        }
        answer(self.ledger.set_budget(scope, status.rule)).unwrap();
        self.tally.set_again += 1;
    }

    pub(crate) fn fresh_process(&self) -> Process {
        let changes = answer(self.ledger.budget_changes(BudgetCursor::default())).unwrap();
        let entries = changes.budgets.into_iter().filter_map(|budget| {
            let rule = budget.rule?;
            Some(Arc::new(BudgetEntry::new(budget.scope, rule)))
        });
        Process::start(SETTINGS, BudgetBook::new(entries), self.now)
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        let storm = self.chaos != Chaos::Calm;
        let which = self.random.index(self.alive.len());
        match self.random.below(100) {
            0..25 => self.begin(which),
            25..40 => self.finish(which),
            40..62 => self.perform(which),
            62..82 => self.deliver(which),
            82..90 => self.pass_time(which),
            90..94 => self.store_records(which),
            94 if storm => self.crash(which),
            95 if storm => self.come_back(),
            96 if storm => self.jump(),
            97 if storm => self.change_a_budget(),
            98 if storm => {
                let (is_heard, now) = (self.random.chance(60), self.now);
                self.alive[which].lose_the_director(is_heard, now);
            }
            _ => self.begin(which),
        }
    }

    fn begin(&mut self, which: usize) {
        let who = CALLERS[self.random.index(CALLERS.len())];
        let amount = NanoUsd(1 + self.random.below(60));
        let got = self.alive[which].begin(who, amount, self.now);
        self.send_all(which, got);
    }

    fn send_all(&mut self, which: usize, got: Vec<Reserved>) {
        let instance = self.alive[which].instance;
        for reserved in got {
            // What a process has in hand is gone when it dies over the one before.
            if self.alive[which].instance == instance {
                self.send(which, reserved);
            }
        }
    }

    /// Journals a call and sends it to the provider, which may bill it from now on; or the process dies in between.
    fn send(&mut self, which: usize, reserved: Reserved) {
        // Not all get so far: the client may have left.
        if self.random.chance(5) {
            return;
        }
        self.next_call += 1;
        let id = self.next_call;
        let charges = reserved.charges().map(Arc::new);
        let charged = charges.as_ref().map(|charges| charges.to.clone()).unwrap_or_default();
        self.charged.insert(id, charged);
        let process = &mut self.alive[which];
        process.journal.push(Entry {
            id,
            held: reserved.amount(),
            charges,
            cost: None,
            stored: false,
        });
        if self.chaos != Chaos::Calm && self.random.chance(2) {
            drop(reserved);
            return self.crash(which);
        }
        self.tally.sent += 1;
        self.bill(id, reserved.amount());
        self.alive[which].calls.push(Call { id, reserved });
    }

    /// The provider makes its bill.
    fn bill(&mut self, id: u64, held: NanoUsd) {
        let cost = if self.chaos == Chaos::Overruns && self.random.chance(10) {
            let over = 1 + self.random.below(40);
            for key in &self.charged[&id] {
                *self.overrun.entry(key.clone()).or_default() += over;
            }
            self.tally.overruns += 1;
            held.0 + over
        } else {
            self.random.below(held.0 + 1)
        };
        self.bill.insert(id, NanoUsd(cost));
    }

    /// A call ends, and its process learns what it cost.
    pub(crate) fn finish(&mut self, which: usize) {
        let process = &mut self.alive[which];
        if process.calls.is_empty() {
            return;
        }
        let place = self.random.index(process.calls.len());
        let call = process.calls.swap_remove(place);
        let cost = self.bill[&call.id];
        let entry = process.journal.iter_mut().find(|entry| entry.id == call.id).unwrap();
        entry.cost = Some(cost);
        call.reserved.settle(cost);
    }

    /// The ledger does something that a director wants done; in a storm the answer may be lost, or the question.
    fn perform(&mut self, which: usize) {
        let process = &mut self.alive[which];
        if process.to_do.is_empty() {
            return;
        }
        // In the order in which they were sent, mostly: each is a question of its own.
        let place = if self.random.chance(80) {
            0
        } else {
            self.random.index(process.to_do.len())
        };
        let action = process.to_do.remove(place);
        let storm = self.chaos != Chaos::Calm;
        let (is_lost, is_done) = (storm && self.random.chance(8), self.random.chance(50));
        if is_lost {
            self.tally.lost += 1;
        }
        let arrives = self.ask(action, is_lost, is_done);
        self.alive[which].arriving.extend(arrives);
    }

    pub(crate) fn ask(&mut self, action: Action, is_lost: bool, is_done: bool) -> Option<Arriving> {
        let (ledger, now) = (&self.ledger, self.now);
        /// What arrives of an answer.
        fn arrives<T>(is_lost: bool, is_done: bool, ask: impl FnOnce() -> StoreFuture<T>) -> Result<T, StoreError> {
            if !is_lost {
                return answer(ask());
            }
            if is_done {
                let _unheard = answer(ask());
            }
            Err(StoreError::Unavailable { source: None })
        }
        Some(match action {
            Action::Answer(..) => return None,
            Action::OpenLease { instance, ttl } => {
                Arriving::Opened(arrives(is_lost, is_done, || ledger.open_lease(instance, ttl)), now)
            }
            Action::RenewLease { lease, ttl } => {
                Arriving::Renewed(lease, arrives(is_lost, is_done, || ledger.renew_lease(lease, ttl)), now)
            }
            Action::ExpireLeases { grace } => {
                let expired = answer(ledger.expire_leases(grace)).unwrap();
                self.tally.expiries += expired.len();
                return None;
            }
            Action::Grant { lease, wanted } => {
                let granted = arrives(is_lost, is_done, || ledger.grant(lease, wanted.clone()));
                Arriving::Granted(lease, wanted, granted)
            }
            Action::GiveBack { lease, parts } => {
                let given = arrives(is_lost, is_done, || ledger.give_back(lease, parts.clone()));
                Arriving::GivenBack(lease, parts, given)
            }
            Action::Recalls { lease } => Arriving::Recalled(lease, arrives(is_lost, is_done, || ledger.recalls(lease))),
            Action::EndLost { lease } => {
                let own = self.alive.iter().find(|process| process.instance == lease.instance);
                let ended = match own.is_some_and(|process| process.has_stored(lease)) {
                    true => arrives(is_lost, is_done, || ledger.end_lease(lease)).map(|()| true),
                    false => Ok(false),
                };
                self.tally.lost_ended += usize::from(matches!(ended, Ok(true)));
                Arriving::LostEnded(lease, ended)
            }
            Action::Changes { from } => Arriving::Changed(arrives(is_lost, is_done, || ledger.budget_changes(from))),
        })
    }

    fn deliver(&mut self, which: usize) {
        let process = &mut self.alive[which];
        if process.arriving.is_empty() {
            return;
        }
        let place = self.random.index(process.arriving.len());
        let arrived = process.arriving.swap_remove(place);
        let got = process.deliver(arrived, self.now);
        self.send_all(which, got);
    }

    fn pass_time(&mut self, which: usize) {
        let by = Duration::from_millis(self.random.below(400).unsigned_abs());
        self.advance(by);
        let got = self.alive[which].tick(self.now);
        self.send_all(which, got);
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.ledger.advance(by);
    }

    /// Records of ended calls reach the database, now and then twice.
    fn store_records(&mut self, which: usize) {
        let most = self.random.index(6);
        let twice = self.random.chance(20);
        let mut process = self.alive.swap_remove(which);
        let ended = process
            .journal
            .iter_mut()
            .filter(|entry| entry.cost.is_some() && !entry.stored);
        let batch: Vec<&mut Entry> = ended.take(most).collect();
        let mut records = Vec::new();
        for entry in batch {
            entry.stored = true;
            records.push(self.record(&process.instance, entry));
        }
        self.ledger.post(&records);
        if twice {
            self.ledger.post(&records);
        }
        self.alive.push(process);
    }

    pub(crate) fn record(&mut self, instance: &gateway_actors::protocol::InstanceId, entry: &Entry) -> Arc<CallRecord> {
        let attempt = *self.records.entry(entry.id).or_insert_with(|| AttemptId {
            request: RequestId::generate(),
            ordinal: 1,
        });
        let mut sent = dispatch();
        sent.attempt = attempt;
        sent.instance = *instance;
        sent.held = entry.held;
        sent.charges = entry.charges.clone();
        Arc::new(match entry.cost {
            Some(cost) => CallRecord {
                cost,
                ..finished(&sent)
            },
            None => CallRecord::interrupted(sent),
        })
    }

    /// `kill -9`. Another process starts in its place.
    fn crash(&mut self, which: usize) {
        self.tally.crashes += 1;
        let fresh = self.fresh_process();
        let mut process = std::mem::replace(&mut self.alive[which], fresh);
        self.note_refusals(&process);
        process.calls.clear();
        self.dead.push(Dead { process });
    }

    /// A dead process's journal is read by the next one on the same folder.
    fn come_back(&mut self) {
        if self.dead.is_empty() {
            return;
        }
        self.tally.returns += 1;
        let place = self.random.index(self.dead.len());
        let Dead { process } = self.dead.swap_remove(place);
        self.replay(&process);
    }

    pub(crate) fn replay(&mut self, process: &Process) {
        let journal = process.journal.clone();
        let records: Vec<_> = journal
            .iter()
            .map(|entry| self.record(&process.instance, entry))
            .collect();
        // A part of it, then all of it: a replay may be killed as well.
        let part = self.random.index(records.len() + 1);
        self.ledger.post(&records[..part]);
        self.ledger.post(&records);
        answer(self.ledger.end_leases_of(vec![process.instance])).unwrap();
    }

    /// Nothing is heard for a while: leases run out, another day may begin.
    fn jump(&mut self) {
        let by = Duration::from_secs(self.random.below(40).unsigned_abs());
        self.advance(by);
    }

    fn change_a_budget(&mut self) {
        let scope = match self.random.below(3) {
            0 => Scope::Global,
            1 => Scope::Project("p".into()),
            _ => Scope::User("u".into()),
        };
        if scope != Scope::Global && self.random.chance(30) {
            answer(self.ledger.delete_budget(scope)).unwrap();
        } else if self.random.chance(30) {
            self.set_again(scope);
        } else {
            let window = Window::ALL[self.random.index(Window::ALL.len())];
            self.set_budget(scope, window);
        }
    }

    pub(crate) fn note_refusals(&mut self, process: &Process) {
        self.tally.refused += process.refused;
        self.tally.unavailable += process.unavailable;
    }

    /// What must hold at every moment.
    pub(crate) fn check(&self) {
        let mut billed: HashMap<(Scope, Arc<str>), i64> = HashMap::new();
        for (id, cost) in &self.bill {
            for key in &self.charged[id] {
                *billed.entry(key.clone()).or_default() += cost.0;
            }
        }
        let periods = self.ledger.periods();
        for (key, billed) in billed {
            let sums = periods.get(&key).copied().unwrap_or_default();
            let overrun = self.overrun.get(&key).copied().unwrap_or_default();
            let most = self.most[&key.0].0;
            assert!(
                billed <= most + overrun,
                "seed {}: {key:?}: billed {billed}, limit {most}, beyond what was held {overrun}",
                self.seed
            );
            assert!(
                billed <= sums.posted.0 + sums.held.0 + overrun,
                "seed {}: {key:?}: billed {billed}, in the books {sums:?}, beyond what was held {overrun}",
                self.seed
            );
            if self.chaos != Chaos::Overruns {
                assert!(
                    sums.posted.0 + sums.held.0 <= most,
                    "seed {}: {key:?}: {sums:?} of {most}",
                    self.seed
                );
            }
        }
    }
}
