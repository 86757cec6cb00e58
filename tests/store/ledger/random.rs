//! Random work on the ledger, compared with the ledger in memory: every answer, and the sums.

use std::collections::{BTreeMap, HashMap};

use gateway_actors::protocol::{BudgetStore, LedgerStore, StoreFuture};
use gateway_actors::testkit::{MemoryLedger, PeriodSums};

use super::*;
use crate::database::{TestStore, on_each_database};
use crate::support::Draw;

on_each_database! {
    random_work_comes_to_the_same_as_in_memory,
}

/// How many pieces of work, unless `GATEWAY_LEDGER_STEPS` says otherwise.
const STEPS: usize = 2_000;
/// Pieces of work between two looks at the sums.
const LOOK: usize = 100;
const PERIODS: [&str; 4] = ["total", "2020-02-29", "2020-W09", "2020-02"];

/// The database and the memory, and what was done so far.
struct World<'a> {
    test: &'a TestStore,
    memory: MemoryLedger,
    draw: Draw,
    scopes: Vec<Scope>,
    instances: Vec<InstanceId>,
    leases: Vec<LeaseId>,
    seqs: HashMap<(LeaseId, Scope), u64>,
    /// Periods that were granted in, or set.
    periods: Vec<Arc<str>>,
    records: Vec<CallRecord>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn random_work_comes_to_the_same_as_in_memory(test: &TestStore) {
    let seed = number("GATEWAY_TEST_SEED").unwrap_or(0x5eed);
    let steps = number("GATEWAY_LEDGER_STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap());
    println!("GATEWAY_TEST_SEED={seed}: {steps} steps");
    let mut world = World {
        test,
        memory: MemoryLedger::default(),
        draw: Draw::new(seed),
        scopes: vec![
            Scope::Global,
            user("user-1"),
            user("other"),
            Scope::Project("project \"one\"".into()),
            Scope::Conversation("conv-1".parse().unwrap()),
        ],
        instances: (0..4).map(|_| InstanceId::generate()).collect(),
        leases: Vec::new(),
        seqs: HashMap::new(),
        periods: PERIODS.iter().map(|&period| period.into()).collect(),
        records: Vec::new(),
    };
    for step in 1..=steps {
        world.step();
        if step % LOOK == 0 {
            world.compare_sums();
        }
    }
    world.compare_sums();
}

fn now_us() -> i64 {
    i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap()
}

impl World<'_> {
    /// Does the same in the database and in memory; what they say.
    fn both<T>(&self, work: impl Fn(&dyn LedgerStore) -> StoreFuture<T>) -> (T, T) {
        self.memory.set_now(now_us());
        let store = &self.test.store;
        let in_database = store.block_on(work(&*store.ledger())).unwrap();
        (in_database, store.block_on(work(&self.memory)).unwrap())
    }

    fn step(&mut self) {
        match self.draw.below(100) {
            0..4 => self.set_budget(),
            4 => self.delete_budget(),
            5..9 => self.open_lease(),
            9..13 => self.renew(),
            13..16 => self.expire(),
            16 => self.end(),
            17 => self.purge(),
            18..52 => self.grant(),
            52..66 => self.give_back(),
            66..72 => self.recalls(),
            72..76 => self.status(),
            _ => self.insert_calls(),
        }
    }

    fn scope(&mut self) -> Scope {
        self.draw.of(&self.scopes).clone()
    }

    fn lease(&mut self) -> LeaseId {
        if self.leases.is_empty() {
            self.open_lease();
        }
        // Mostly one of the newest.
        let among = if self.draw.below(5) > 0 { 5 } else { self.leases.len() };
        let oldest = self.leases.len().saturating_sub(among);
        *self.draw.of(&self.leases[oldest..])
    }

    fn amount(&mut self, most: usize) -> i64 {
        i64::try_from(self.draw.below(most)).unwrap()
    }

    fn set_budget(&mut self) {
        let scope = self.scope();
        let mut rule = rule(0, *self.draw.of(Window::ALL));
        rule.limit = NanoUsd(*self.draw.of(&[0, 1, 100, 1_000, 10_000, 1_000_000]));
        rule.alert_percents = self.draw.of(&[vec![], vec![50, 80, 100], vec![1]]).clone();
        let (database, memory) = self.both(|ledger| ledger.set_budget(scope.clone(), rule.clone()));
        self.periods.push(Arc::clone(&database.period.id));
        assert_eq!(database, memory, "{scope}");
        if self.draw.below(2) == 0 {
            let (database, memory) = self.both(|ledger| ledger.recount(scope.clone()));
            assert_eq!(database, memory, "{scope}");
        }
    }

    fn delete_budget(&mut self) {
        let scope = self.scope();
        let (database, memory) = self.both(|ledger| ledger.delete_budget(scope.clone()));
        assert_eq!(database, memory, "{scope}");
    }

    fn open_lease(&mut self) {
        if self.draw.below(8) == 0 {
            let place = self.draw.below(self.instances.len());
            self.instances[place] = InstanceId::generate();
        }
        let instance = *self.draw.of(&self.instances);
        let (database, memory) = self.both(|ledger| ledger.open_lease(instance, HOUR));
        assert_eq!(database, memory);
        self.leases.push(database);
    }

    /// Renews a lease, or lets it run out.
    fn renew(&mut self) {
        let lease = self.lease();
        let ttl = *self.draw.of(&[HOUR, Duration::ZERO]);
        let (database, memory) = self.both(|ledger| ledger.renew_lease(lease, ttl));
        assert_eq!(database, memory, "{lease}");
    }

    fn expire(&mut self) {
        let grace = *self.draw.of(&[Duration::ZERO, Duration::ZERO, HOUR / 2]);
        let (mut database, mut memory) = self.both(|ledger| ledger.expire_leases(grace));
        for expired in [&mut database, &mut memory] {
            expired.sort_by_key(|one| (one.lease, one.scope.clone(), Arc::clone(&one.period)));
        }
        assert_eq!(database, memory);
    }

    fn end(&mut self) {
        let lease = self.lease();
        let instances = vec![lease.instance, InstanceId::generate()];
        self.both(|ledger| ledger.end_leases_of(instances.clone()));
        // Its process is dead: the next one has another name.
        for known in &mut self.instances {
            if *known == lease.instance {
                *known = InstanceId::generate();
            }
        }
    }

    /// Removes what has ended, which the memory never does: nobody can tell.
    fn purge(&mut self) {
        self.test
            .execute("UPDATE budget_leases SET expires_at = 1 WHERE state = 'ended'");
        let store = &self.test.store;
        while store.block_on(store.purge_leases(Duration::ZERO)).unwrap() > 0 {}
        let left = self
            .test
            .texts("SELECT instance_id FROM budget_leases WHERE state = 'ended'");
        let others = self
            .test
            .texts("SELECT instance_id FROM budget_leases WHERE state <> 'ended'");
        assert!(left.iter().all(|instance| others.contains(instance)), "{left:?}");
    }

    fn grant(&mut self) {
        let lease = self.lease();
        let mut wanted = Vec::new();
        for _ in 0..=self.draw.below(3) {
            let scope = self.scope();
            if wanted.iter().any(|one: &GrantRequest| one.scope == scope) {
                continue;
            }
            let repeats = self.draw.below(4);
            let last = self.seqs.entry((lease, scope.clone())).or_default();
            let seq = match repeats {
                0 => (*last).max(1),
                1 if *last > 1 => *last - 1,
                _ => {
                    *last += 1;
                    *last
                }
            };
            let least = self.amount(60);
            let more = self.amount(200);
            wanted.push(question(&scope, seq, least, least + more));
        }
        let before = self.memory.periods();
        let (database, memory) = self.both(|ledger| ledger.grant(lease, wanted.clone()));
        let [database, memory] =
            [database, memory].map(|grants| grants.into_iter().map(at_no_time).collect::<Vec<_>>());
        assert_eq!(database, memory, "{lease}: {wanted:?}");
        for (wanted, grant) in wanted.iter().zip(&database) {
            if let Grant::Granted { period, .. } = grant {
                self.periods.push(Arc::clone(&period.id));
                self.assert_within_limit(wanted, &before);
            }
        }
    }

    /// What was granted leaves the budget within its limit, unless it was granted before this.
    fn assert_within_limit(&self, wanted: &GrantRequest, before: &BTreeMap<(Scope, Arc<str>), PeriodSums>) {
        let Some(status) = self
            .test
            .store
            .block_on(self.memory.budget(wanted.scope.clone()))
            .unwrap()
        else {
            return;
        };
        let key = (wanted.scope.clone(), Arc::clone(&status.period.id));
        let was = before.get(&key).copied().unwrap_or_default();
        let is_within = status.posted + status.held <= status.rule.limit;
        assert!(is_within || was.held == status.held, "{wanted:?}: {status:?}");
    }

    fn give_back(&mut self) {
        let lease = self.lease();
        let mut parts = Vec::new();
        for _ in 0..=self.draw.below(3) {
            parts.push(GiveBack {
                scope: self.scope(),
                period: self.draw.of(&self.periods).clone(),
                returned: NanoUsd(self.amount(400)),
                recall: self.amount(12),
            });
        }
        self.both(|ledger| ledger.give_back(lease, parts.clone()));
    }

    fn recalls(&mut self) {
        let lease = self.lease();
        let (mut database, mut memory) = self.both(|ledger| ledger.recalls(lease));
        for recalls in [&mut database, &mut memory] {
            recalls.sort_by_key(|one| (one.scope.clone(), Arc::clone(&one.period)));
        }
        assert_eq!(database, memory, "{lease}");
        let answers = database.into_iter().map(|recall| GiveBack {
            scope: recall.scope,
            period: recall.period,
            returned: NanoUsd(i64::try_from(self.draw.below(400)).unwrap()),
            recall: recall.number,
        });
        let answers: Vec<_> = answers.collect();
        self.both(|ledger| ledger.give_back(lease, answers.clone()));
    }

    fn status(&mut self) {
        let scope = self.scope();
        let (database, memory) = self.both(|ledger| ledger.budget(scope.clone()));
        assert_eq!(database, memory, "{scope}");
        let (database, memory) = self.both(|ledger| ledger.budget_changes(BudgetCursor::default()));
        let told = |mut budgets: Vec<gateway_actors::protocol::Budget>| {
            budgets.sort_by_key(|budget| budget.scope.clone());
            budgets
        };
        assert_eq!(told(database.budgets), told(memory.budgets));
    }

    fn insert_calls(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..*self.draw.of(&[1, 1, 2, 5, 20, 40]) {
            batch.push(self.record());
        }
        // Said twice at once, in another order.
        if self.draw.below(4) == 0 {
            let again = self.draw.of(&batch).clone();
            batch.insert(0, again);
        }
        self.records.extend(batch.iter().cloned());
        let batch: Vec<_> = batch.into_iter().map(Arc::new).collect();
        self.test
            .store
            .block_on(self.test.store.calls().insert_calls(batch.clone()))
            .unwrap();
        self.memory.set_now(now_us());
        self.memory.post(&batch);
    }

    /// A record that is new, was stored before, or ends one that was found interrupted.
    fn record(&mut self) -> CallRecord {
        if !self.records.is_empty() && self.draw.below(4) == 0 {
            let old = self.draw.of(&self.records).clone();
            return match self.draw.below(3) {
                0 => old,
                1 => CallRecord::interrupted(old.dispatch),
                _ => {
                    // Of one attempt every end that is told says the same.
                    let mut ended = finished(&old.dispatch);
                    ended.cost = NanoUsd(old.dispatch.held.0 / 2);
                    ended
                }
            };
        }
        let lease = self.lease();
        let mut sent = dispatch();
        sent.instance = lease.instance;
        sent.held = NanoUsd(self.amount(80));
        sent.key_id = None;
        sent.started_at = *self.draw.of(&[now_us(), 1_600_000_000_000_000]);
        let mut to: Vec<(Scope, Arc<str>)> = Vec::new();
        for _ in 0..self.draw.below(4) {
            let scope = self.scope();
            if to.iter().all(|(there, _)| *there != scope) {
                to.push((scope, self.draw.of(&self.periods).clone()));
            }
        }
        let epoch = lease.epoch + u32::from(self.draw.below(10) == 0);
        sent.charges = (!to.is_empty()).then(|| Arc::new(Charges { epoch, to }));
        if self.draw.below(5) == 0 {
            return CallRecord::interrupted(sent);
        }
        let mut record = finished(&sent);
        record.cost = NanoUsd(sent.held.0 / 2);
        record
    }

    #[track_caller]
    fn compare_sums(&self) {
        let mut database = self.test.texts(
            "SELECT scope || ' ' || period || ' ' || posted || ' ' || held FROM budget_periods WHERE posted > 0 OR held > 0",
        );
        let memory = self
            .memory
            .periods()
            .into_iter()
            .filter(|(_, sums)| *sums != Default::default());
        let text = |((scope, period), sums): ((Scope, Arc<str>), PeriodSums)| {
            format!("{scope} {period} {} {}", sums.posted.0, sums.held.0)
        };
        let mut memory: Vec<_> = memory.map(text).collect();
        database.sort();
        memory.sort();
        assert_eq!(database, memory);
        assert_books_balance(self.test);
        let mut told = self.test.texts("SELECT once FROM events");
        told.sort();
        assert_eq!(told, Vec::from_iter(self.memory.told()));
    }
}
