//! How a run ends: everything comes to rest, and the books are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{BudgetStore, NanoUsd, Scope};

use crate::tally::Tally;
use crate::world::{CALLERS, Chaos, Dead, World, answer};

impl World {
    /// Everything comes to rest: then the books are the bill, nothing is held, and what is left can be spent.
    pub(crate) fn end(mut self) -> Tally {
        for which in 0..self.alive.len() {
            while !self.alive[which].calls.is_empty() {
                self.finish(which);
            }
        }
        while let Some(Dead { process }) = self.dead.pop() {
            self.replay(&process);
        }
        self.rest();
        self.check_who_pays();
        let mut costs: HashMap<(Scope, Arc<str>), i64> = HashMap::new();
        for record in self.ledger.calls() {
            for key in record.dispatch.charges.iter().flat_map(|charges| &charges.to) {
                *costs.entry(key.clone()).or_default() += record.cost.0;
            }
        }
        for (key, sums) in self.ledger.periods() {
            let costs = costs.get(&key).copied().unwrap_or_default();
            assert_eq!(
                sums.held,
                NanoUsd::ZERO,
                "seed {}: {key:?} is held by nobody",
                self.seed
            );
            // A budget that was deleted for a while opens with what the records of its period show.
            assert!(
                sums.posted.0 >= costs,
                "seed {}: {key:?}: {sums:?}, costs {costs}",
                self.seed
            );
            if self.chaos == Chaos::Calm {
                assert_eq!(sums.posted.0, costs, "seed {}: {key:?}", self.seed);
            }
        }
        let calls = self.ledger.calls();
        let recorded: HashMap<_, _> = calls.iter().map(|call| (call.dispatch.attempt, call)).collect();
        for (id, cost) in &self.bill {
            let record = self.records.get(id).and_then(|attempt| recorded.get(attempt));
            let record =
                record.unwrap_or_else(|| panic!("seed {}: call {id} was billed and is not recorded", self.seed));
            assert!(
                record.cost >= *cost || record.estimated,
                "seed {}: call {id}",
                self.seed
            );
        }
        self.spend_the_rest();
        for process in std::mem::take(&mut self.alive) {
            self.note_refusals(&process);
        }
        self.tally
    }

    /// Lets everybody answer and be answered, for so long that stocks are given back.
    fn rest(&mut self) {
        for _ in 0..200 {
            self.advance(Duration::from_millis(100));
            for which in 0..self.alive.len() {
                let got = self.alive[which].tick(self.now);
                drop(got);
                while let Some(action) = self.alive[which].to_do.pop() {
                    if let Some(arrives) = self.ask(action, false, true) {
                        self.alive[which].arriving.push(arrives);
                    }
                }
                while let Some(arrived) = self.alive[which].arriving.pop() {
                    let got = self.alive[which].deliver(arrived, self.now);
                    // Whoever waited has left.
                    drop(got);
                }
                for _ in 0..3 {
                    self.store_all(which);
                }
            }
        }
        for process in &self.alive {
            assert!(
                !process.is_waiting(),
                "seed {}: somebody waits for ever: {process:#?}",
                self.seed
            );
        }
    }

    /// Every process heeds the budgets that there are, and no others.
    fn check_who_pays(&self) {
        for who in CALLERS {
            let scopes = [
                Some(Scope::Global),
                who.project.map(|id| Scope::Project(id.into())),
                who.user.map(|id| Scope::User(id.into())),
            ];
            let is_there = |scope: &Scope| answer(self.ledger.budget(scope.clone())).unwrap().is_some();
            let there: Vec<Scope> = scopes.into_iter().flatten().filter(is_there).collect();
            for process in &self.alive {
                let heeded: Vec<Scope> = process.heeds(who).collect();
                assert_eq!(heeded, there, "seed {}: {who:?} at {process:#?}", self.seed);
            }
        }
    }

    fn store_all(&mut self, which: usize) {
        let mut journal = std::mem::take(&mut self.alive[which].journal);
        let instance = self.alive[which].instance;
        let mut records = Vec::new();
        for entry in journal.iter_mut().filter(|entry| !entry.stored) {
            entry.stored = entry.cost.is_some();
            if entry.stored {
                records.push(self.record(&instance, entry));
            }
        }
        self.ledger.post(&records);
        self.alive[which].journal = journal;
    }

    /// Small calls one after another in one process, until nothing is left of the global budget.
    fn spend_the_rest(&mut self) {
        let Some(status) = answer(self.ledger.budget(Scope::Global)).unwrap() else {
            return;
        };
        let left = (status.rule.limit - status.posted).0;
        let everybody = CALLERS[0];
        let mut spent = 0;
        while spent < left {
            let mut got = self.alive[0].begin(everybody, NanoUsd(1), self.now);
            for _ in 0..100 {
                if !got.is_empty() {
                    break;
                }
                while let Some(action) = self.alive[0].to_do.pop() {
                    let arrives = self.ask(action, false, true);
                    self.alive[0].arriving.extend(arrives);
                }
                while let Some(arrived) = self.alive[0].arriving.pop() {
                    got.extend(self.alive[0].deliver(arrived, self.now));
                }
            }
            let reserved = got.pop();
            let reserved = reserved.unwrap_or_else(|| panic!("seed {}: {spent} of {left} could be spent", self.seed));
            reserved.settle(NanoUsd(1));
            spent += 1;
        }
    }
}
