use gateway_routing::RoutingModel;

use super::*;
use crate::protocol::{GuardRails, ImprovementId, ImprovementKind, Layer};
use crate::testkit::samples::experiment;

/// What an arm's requests come to: so many, of which so many failed, each at 10 nano-USD.
fn sum(arm: &str, count: u64, failures: u64) -> ArmSum {
    ArmSum {
        arm: arm.into(),
        count,
        failures,
        cost: NanoUsd(10 * i64::try_from(count).unwrap()),
    }
}

#[test]
fn an_arm_is_stopped_only_once_its_error_rate_is_certainly_above_the_limit() {
    let experiment = experiment(GuardRails {
        max_error_permille: Some(200),
        ..GuardRails::default()
    });
    let told = |failed, count| broken(&experiment, &[sum("b", count, failed)]);
    // Above the limit, but 95 % of the interval is not.
    assert_eq!(told(13, 50), None);
    let broken_one = told(25, 50).unwrap();
    assert!(
        broken_one
            .reason
            .contains("arm `b` that were answered or failed 50.0 %"),
        "{}",
        broken_one.reason
    );
    assert!(broken_one.detail.contains(&*experiment.id.text()));
    assert_eq!(told(49, 49), None, "too few to tell");
}

#[test]
fn arms_are_looked_at_by_themselves() {
    let experiment = experiment(GuardRails {
        max_error_permille: Some(200),
        ..GuardRails::default()
    });
    assert!(broken(&experiment, &[sum("a", 1_000, 0), sum("b", 60, 40)]).is_some());
}

#[test]
fn an_experiment_is_stopped_when_all_of_it_cost_too_much() {
    let experiment = experiment(GuardRails {
        max_cost: Some(NanoUsd(1_000)),
        ..GuardRails::default()
    });
    assert_eq!(broken(&experiment, &[sum("a", 50, 0), sum("b", 50, 0)]), None);
    let reason = broken(&experiment, &[sum("a", 50, 0), sum("b", 51, 0)]).unwrap().reason;
    assert_eq!(reason, "its requests cost $0.00000101, more than $0.000001");
}

#[test]
fn an_experiment_without_guard_rails_goes_on() {
    let experiment = experiment(GuardRails::default());
    assert_eq!(broken(&experiment, &[sum("a", 100, 100)]), None);
}

fn shipped() -> Calibration {
    Calibration::Shipped(RoutingModel::shipped().unwrap())
}

fn stored(id: &str, data: &str) -> StoredCalibration {
    StoredCalibration {
        id: id.into(),
        data: data.into(),
        summary: "{}".into(),
        created_at: 1,
    }
}

/// What applies after this look at a gateway that has seen nothing else.
fn after(found: Found) -> Learned {
    found.next(&Learned::of(shipped()), &shipped()).learned
}

fn chance(learned: &Learned) -> f64 {
    learned
        .model
        .question("hello there")
        .chance(None, gateway_routing::Layer::L0)
}

#[test]
fn a_stored_calibration_applies_on_top_of_the_gateways_own_until_it_is_reverted() {
    let own = Learned::of(shipped());
    let stored_one = || Some(Some(stored("one", r#"{"layers":{"L0":3.0}}"#)));
    let found = Found {
        calibration: stored_one(),
        ..Found::default()
    };
    let applied = after(found);
    assert_eq!(applied.calibration_id.as_deref(), Some("one"));
    assert!(chance(&applied) > chance(&own));
    // It is not made anew at every look.
    let again = Found {
        calibration: stored_one(),
        ..Found::default()
    };
    let again = again.next(&applied, &shipped()).learned;
    assert!(std::ptr::eq(&raw const *again.model, &raw const *applied.model));
    let reverted = Found {
        calibration: Some(None),
        ..Found::default()
    };
    let reverted = reverted.next(&again, &shipped()).learned;
    assert_eq!(
        (reverted.calibration_id.is_none(), chance(&reverted)),
        (true, chance(&own))
    );
}

#[test]
fn a_stored_calibration_that_cannot_be_read_leaves_the_gateways_own() {
    for data in ["", "[]", r#"{"layers":{"L9":1.0}}"#, r#"{"models":{"nobody":1.0}}"#] {
        let found = Found {
            calibration: Some(Some(stored("bad", data))),
            ..Found::default()
        };
        let next = found.next(&Learned::of(shipped()), &shipped());
        assert_eq!(next.unreadable.unwrap().0.as_ref(), "bad", "{data}");
        assert_eq!(next.learned.calibration_id, None);
        assert_eq!(chance(&next.learned), chance(&Learned::of(shipped())));
    }
}

#[test]
fn what_could_not_be_read_stays_as_it_was() {
    let running = experiment(GuardRails::default());
    let first = after(Found {
        experiments: Some(vec![running]),
        calibration: Some(Some(stored("one", "{}"))),
        table: Some(vec![success()]),
        edits: Some(vec![edit()]),
        heuristics: Some(vec![note(true)]),
    });
    assert_eq!(first.edits, [edit()]);
    let second = Found::default().next(&first, &shipped()).learned;
    assert_eq!(second.experiments, first.experiments);
    assert_eq!(second.heuristics, first.heuristics);
    assert_eq!(
        (second.table, second.calibration_id, second.edits),
        (first.table, first.calibration_id, first.edits)
    );
}

fn edit() -> ModelEdit {
    ModelEdit {
        model: "m".into(),
        since: Some(7),
        trials: Vec::new(),
        created_at: 1,
        updated_at: 1,
    }
}

fn success() -> SuccessRow {
    SuccessRow {
        task: TaskType::Code,
        complexity: Complexity::Medium,
        model: "m".into(),
        answers: 9,
        successes: 3,
        failures: 1,
        cost: NanoUsd(5),
    }
}

fn note(enabled: bool) -> Improvement {
    Improvement {
        id: ImprovementId::generate(),
        kind: ImprovementKind::Heuristic,
        title: "mine".into(),
        data: r#"{"when":{},"then":{"startLayer":"L1"}}"#.into(),
        enabled,
        created_at: 1,
        updated_at: 1,
    }
}

#[test]
fn only_running_experiments_and_enabled_heuristics_that_can_be_read_apply() {
    let of = |status| Experiment {
        status,
        ..experiment(GuardRails::default())
    };
    let running = of(ExperimentStatus::Running);
    let unreadable = Improvement {
        data: "{}".into(),
        ..note(true)
    };
    let learned = after(Found {
        experiments: Some(vec![
            of(ExperimentStatus::Paused),
            running.clone(),
            of(ExperimentStatus::Stopped),
        ]),
        heuristics: Some(vec![note(false), unreadable, note(true)]),
        ..Found::default()
    });
    assert_eq!(learned.experiments, [Arc::new(running)]);
    assert_eq!(learned.heuristics.len(), 1);
    assert_eq!(learned.heuristics[0].then.start, Some(Layer::L1));
}

#[test]
fn the_table_of_successes_is_by_task_and_complexity() {
    let other = SuccessRow {
        model: "n".into(),
        ..success()
    };
    let learned = after(Found {
        table: Some(vec![success(), other]),
        ..Found::default()
    });
    let models = &learned.table[&(TaskType::Code, Complexity::Medium)];
    assert_eq!(models.len(), 2);
    assert_eq!((models[0].answers, models[0].successes, models[0].failures), (9, 3, 1));
}
