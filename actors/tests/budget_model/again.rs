//! A budget that was deleted is set again.

use std::time::Duration;

use gateway_actors::budget::Action;
use gateway_actors::protocol::{BudgetRule, BudgetStore, NanoUsd, OnExhausted, Reserved, Scope, Window};

use crate::process::Who;
use crate::world::{CALLERS, Chaos, World, answer};

/// Asks as the project.
const PROJECT: Who = CALLERS[1];
const LIMIT: i64 = 100;

fn rule() -> BudgetRule {
    BudgetRule {
        limit: NanoUsd(LIMIT),
        window: Window::Total,
        on_exhausted: OnExhausted::Refuse,
        max_layer: None,
        alert_percents: Vec::new(),
    }
}

impl World {
    /// Two processes and one budget, the project's.
    fn of_one_budget() -> Self {
        let mut world = Self::new(1, Chaos::Calm);
        for scope in [Scope::Global, Scope::User("u".into())] {
            answer(world.ledger.delete_budget(scope)).unwrap();
        }
        answer(world.ledger.set_budget(project(), rule())).unwrap();
        world.alive = vec![world.fresh_process(), world.fresh_process()];
        world
    }

    /// Everything that a process wants of the ledger is done; what it may send then.
    fn serve(&mut self, which: usize) -> Vec<Reserved> {
        let mut got = Vec::new();
        while !self.alive[which].to_do.is_empty() {
            let action = self.alive[which].to_do.remove(0);
            if let Some(arrived) = self.ask(action, false, true) {
                got.extend(self.alive[which].deliver(arrived, self.now));
            }
        }
        got
    }

    /// Time passes for one process, so long that it looks for changes, and twice for what nobody uses.
    fn look(&mut self, which: usize) -> Vec<Reserved> {
        let long = Duration::from_millis(2_100);
        let mut got = self.pass(which, long);
        got.extend(self.pass(which, long));
        got
    }

    /// So much time passes for one process.
    fn pass(&mut self, which: usize, time: Duration) -> Vec<Reserved> {
        self.advance(time);
        let mut got = self.alive[which].tick(self.now);
        got.extend(self.serve(which));
        got
    }

    fn begin_and_serve(&mut self, which: usize, amount: i64) -> Vec<Reserved> {
        let mut got = self.alive[which].begin(PROJECT, NanoUsd(amount), self.now);
        got.extend(self.serve(which));
        got
    }
}

fn project() -> Scope {
    Scope::Project("p".into())
}

#[test]
fn a_budget_that_was_deleted_and_is_set_again_is_asked_for_what_others_have_before_anybody_is_refused() {
    let mut world = World::of_one_budget();
    // Some questions, and everything given back after each.
    for _ in 0..4 {
        let got = world.begin_and_serve(0, 40);
        assert_eq!(got.len(), 1);
        drop(got);
        drop(world.look(0));
    }
    drop(world.look(1));
    // The other has most of it in stock.
    let got = world.begin_and_serve(1, 60);
    assert_eq!(got.len(), 1);
    drop(got);
    answer(world.ledger.delete_budget(project())).unwrap();
    drop(world.look(0));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 0);
    answer(world.ledger.set_budget(project(), rule())).unwrap();
    drop(world.look(0));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 1);

    let mut got = world.begin_and_serve(0, 60);
    assert_eq!(
        (got.len(), world.alive[0].refused),
        (0, 0),
        "the other is to be asked first"
    );
    // Soon, for it is not waited for long.
    drop(world.pass(1, Duration::from_millis(300)));
    got.extend(world.pass(0, Duration::from_millis(100)));
    assert_eq!((got.len(), world.alive[0].refused), (1, 0));
    assert_eq!(got[0].charges().unwrap().to[0].0, project());
}

#[test]
fn a_budget_that_was_set_again_before_its_end_was_heard_of_is_heeded() {
    let mut world = World::of_one_budget();
    drop(world.look(0));
    answer(world.ledger.delete_budget(project())).unwrap();
    // This one hears that there is none while it asks for more, and looks only when there is one again.
    let got = world.alive[0].begin(PROJECT, NanoUsd(1), world.now);
    assert!(got.is_empty());
    let mut got = Vec::new();
    let is_heeded = |world: &World| world.alive[0].heeds(PROJECT).count() == 1;
    while is_heeded(&world) {
        let action = world.alive[0].to_do.remove(0);
        if let Some(arrived) = world.ask(action, false, true) {
            got.extend(world.alive[0].deliver(arrived, world.now));
        }
    }
    assert_eq!(got.len(), 1, "nobody has to pay for what waited");
    answer(world.ledger.set_budget(project(), rule())).unwrap();
    drop(world.serve(0));
    assert!(is_heeded(&world));
    let got = world.begin_and_serve(0, LIMIT);
    assert_eq!(got[0].charges().unwrap().to[0].0, project());
    drop(world.begin_and_serve(0, 1));
    assert_eq!(world.alive[0].refused, 1);
}

#[test]
fn a_budget_is_heeded_that_was_heard_to_be_set_again_before_a_question_was_answered_that_found_none() {
    let mut world = World::of_one_budget();
    drop(world.look(0));
    answer(world.ledger.delete_budget(project())).unwrap();
    assert!(world.alive[0].begin(PROJECT, NanoUsd(1), world.now).is_empty());
    let late = loop {
        let action = world.alive[0].to_do.remove(0);
        let is_question = matches!(action, Action::Grant { .. });
        let arrived = world.ask(action, false, true);
        if is_question {
            break arrived.unwrap();
        }
        if let Some(arrived) = arrived {
            assert!(world.alive[0].deliver(arrived, world.now).is_empty());
        }
    };
    answer(world.ledger.set_budget(project(), rule())).unwrap();
    drop(world.pass(0, Duration::from_millis(300)));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 1);
    drop(world.alive[0].deliver(late, world.now));
    drop(world.serve(0));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 1);
}

#[test]
fn what_was_set_when_the_ledgers_clock_had_gone_back_is_heard_of() {
    let mut world = World::of_one_budget();
    drop(world.look(0));
    answer(world.ledger.delete_budget(project())).unwrap();
    drop(world.look(0));
    world.ledger.set_now(0);
    answer(world.ledger.set_budget(project(), rule())).unwrap();
    drop(world.pass(0, Duration::from_millis(300)));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 1);
}

#[test]
fn a_director_that_is_rebuilt_hears_of_budgets_that_were_deleted_meanwhile() {
    let mut world = World::of_one_budget();
    drop(world.look(0));
    answer(world.ledger.delete_budget(project())).unwrap();
    let now = world.now;
    world.alive[0].lose_the_director(false, now);
    // So late that nobody tells of it who is asked for what is new.
    world.advance(Duration::from_secs(60));
    drop(world.look(0));
    assert_eq!(world.alive[0].heeds(PROJECT).count(), 0);
}
