//! The port `NotebookStore`: what both databases promise.

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    Arm, ArmSpec, Complexity, Experiment, ExperimentId, ExperimentStatus, GuardRails, Improvement, ImprovementId,
    ImprovementKind, Layer, ModelEdit, NanoUsd, Sticky, StoredCalibration, Strategy, TaskType, Trials,
};

use crate::database::{TestStore, on_each_database};

on_each_database! {
    an_experiment_comes_back_as_it_was_put_last,
    an_experiment_is_stopped_once,
    of_many_who_stop_an_experiment_at_once_one_does,
    an_experiment_that_was_stopped_stays_so_whoever_writes_it,
    what_was_deleted_is_gone_and_nobody_brings_it_back,
    an_edit_of_a_model_is_replaced_and_taken_back,
    notes_are_told_by_kind_the_oldest_first,
    the_calibration_that_was_put_last_applies_until_it_is_taken_back,
}

fn arm(name: &str, spec: ArmSpec) -> Arm {
    Arm {
        name: name.into(),
        weight: 1_000,
        spec,
    }
}

/// An experiment with every field set, made then.
pub(crate) fn experiment(created_at: i64) -> Experiment {
    Experiment {
        id: ExperimentId::generate(),
        name: "it's \"a\" $1 ?1 test".into(),
        status: ExperimentStatus::Running,
        task: Some(TaskType::Code),
        sticky: Sticky::User,
        arms: vec![
            arm("a", ArmSpec::Strategy(Strategy::Value)),
            arm("b", ArmSpec::Model("x/\"y\":free".into())),
            arm("c", ArmSpec::Layer(Layer::L2)),
        ],
        guard: GuardRails {
            max_error_permille: Some(125),
            min_samples: 50,
            max_cost: Some(NanoUsd(9_007_199_254_740_993)),
        },
        stopped_reason: None,
        created_at,
        updated_at: created_at,
    }
}

/// A note, made then.
pub(crate) fn improvement(kind: ImprovementKind, created_at: i64) -> Improvement {
    Improvement {
        id: ImprovementId::generate(),
        kind,
        title: "long code '; DROP TABLE improvements; --".into(),
        data: r#"{"when":{"task":"code","minBytes":4000},"then":{"startLayer":"L1"}}"#.into(),
        enabled: true,
        created_at,
        updated_at: created_at,
    }
}

/// An edit of a model, made at the beginning of time.
pub(crate) fn model_edit(model: &str, since: Option<i64>) -> ModelEdit {
    ModelEdit {
        model: model.into(),
        since,
        trials: vec![Trials {
            task: TaskType::Code,
            complexity: Complexity::Medium,
            successes: 3,
            failures: 4,
        }],
        created_at: 1,
        updated_at: 1,
    }
}

fn an_edit_of_a_model_is_replaced_and_taken_back(test: &TestStore) {
    let store = &test.store;
    let notebook = store.notebook();
    let edits = || store.block_on(notebook.model_edits()).unwrap();
    let put = |edit: &ModelEdit| store.block_on(notebook.put_model_edit(edit.clone())).unwrap();
    let (mut one, other) = (model_edit("b'; --", Some(5)), model_edit("a/b:free", None));
    put(&one);
    put(&other);
    assert_eq!(edits(), [other.clone(), one.clone()]);
    (one.since, one.trials, one.updated_at) = (None, Vec::new(), 9);
    put(&ModelEdit {
        created_at: 9,
        ..one.clone()
    });
    assert_eq!(edits(), [other.clone(), one.clone()], "when it was made stays");
    let delete = |edit: &ModelEdit| store.block_on(notebook.delete_model_edit(edit.model.clone())).unwrap();
    assert!(delete(&one));
    assert!(!delete(&one));
    assert_eq!(edits(), [other]);
    put(&one);
    assert_eq!(edits().len(), 2, "it can be said again");
}

/// A calibration, made then.
pub(crate) fn calibration(id: &str, created_at: i64) -> StoredCalibration {
    StoredCalibration {
        id: id.into(),
        data: r#"{"layers":{"L0":-0.1},"models":{}}"#.into(),
        summary: r#"{"outcomes":1200}"#.into(),
        created_at,
    }
}

#[track_caller]
pub(crate) fn put(store: &Store, experiment: &Experiment) -> bool {
    store
        .block_on(store.notebook().put_experiment(experiment.clone()))
        .unwrap()
}

fn experiments(store: &Store) -> Vec<Experiment> {
    store.block_on(store.notebook().experiments()).unwrap()
}

fn stop(store: &Store, id: ExperimentId, reason: &str) -> bool {
    store
        .block_on(store.notebook().stop_experiment(id, reason.into()))
        .unwrap()
}

fn improvements(store: &Store, kind: ImprovementKind) -> Vec<Improvement> {
    store.block_on(store.notebook().improvements(kind)).unwrap()
}

#[track_caller]
pub(crate) fn note(store: &Store, improvement: &Improvement) -> bool {
    store
        .block_on(store.notebook().put_improvement(improvement.clone()))
        .unwrap()
}

fn an_experiment_comes_back_as_it_was_put_last(test: &TestStore) {
    let store = &test.store;
    let (mut older, newer) = (experiment(1), experiment(2));
    assert!(put(store, &newer));
    assert!(put(store, &older));
    assert_eq!(experiments(store), [older.clone(), newer.clone()]);
    older.status = ExperimentStatus::Paused;
    older.task = None;
    older.guard = GuardRails::default();
    older.updated_at = 7;
    for _ in 0..2 {
        assert!(put(store, &older));
        assert_eq!(experiments(store), [older.clone(), newer.clone()]);
    }
}

fn an_experiment_is_stopped_once(test: &TestStore) {
    let store = &test.store;
    let (running, mut paused, other) = (experiment(1), experiment(2), experiment(3));
    paused.status = ExperimentStatus::Paused;
    for one in [&running, &paused, &other] {
        assert!(put(store, one));
    }
    for id in [running.id, paused.id] {
        assert!(stop(store, id, "it's too dear"));
        assert!(!stop(store, id, "another reason"));
    }
    assert!(!stop(store, ExperimentId::generate(), "unknown"));
    let found = experiments(store);
    for (found, before) in found.iter().zip([&running, &paused]) {
        assert_eq!(found.status, ExperimentStatus::Stopped);
        assert_eq!(found.stopped_reason.as_deref(), Some("it's too dear"));
        assert!(found.updated_at > before.updated_at);
        assert_eq!((&found.arms, found.created_at), (&before.arms, before.created_at));
    }
    assert_eq!(found[2], other);
}

fn of_many_who_stop_an_experiment_at_once_one_does(test: &TestStore) {
    let stores: Vec<Store> = (0..4).map(|_| test.patient_neighbour()).collect();
    let running = experiment(1);
    assert!(put(&test.store, &running));
    let stopping = stores.iter().cycle().take(12).map(|store| {
        let stopped = store.notebook().stop_experiment(running.id, "enough".into());
        async move { stopped.await.unwrap() }
    });
    let stopped = test.store.block_on(futures_util::future::join_all(stopping));
    assert_eq!(stopped.iter().filter(|stopped| **stopped).count(), 1);
}

fn an_experiment_that_was_stopped_stays_so_whoever_writes_it(test: &TestStore) {
    let store = &test.store;
    let read_before = experiment(1);
    assert!(put(store, &read_before));
    assert!(stop(store, read_before.id, "too dear"));
    for status in [ExperimentStatus::Running, ExperimentStatus::Paused] {
        let revived = Experiment {
            status,
            ..read_before.clone()
        };
        assert!(!put(store, &revived));
    }
    let stopped = experiments(store).remove(0);
    assert_eq!(
        (stopped.status, stopped.stopped_reason.as_deref()),
        (ExperimentStatus::Stopped, Some("too dear"))
    );
    // What else is said of it may change.
    let changed = Experiment {
        guard: GuardRails::default(),
        ..stopped
    };
    assert!(put(store, &changed));
    assert_eq!(experiments(store), [changed]);
}

fn what_was_deleted_is_gone_and_nobody_brings_it_back(test: &TestStore) {
    let store = &test.store;
    let (gone, kept) = (experiment(1), experiment(2));
    assert!(put(store, &gone));
    assert!(put(store, &kept));
    let delete = |id| store.block_on(store.notebook().delete_experiment(id)).unwrap();
    assert!(delete(gone.id));
    assert!(!delete(gone.id) && !delete(ExperimentId::generate()));
    // Whoever had read it before writes it once more.
    assert!(!put(store, &gone));
    assert!(!stop(store, gone.id, "too late"));
    assert_eq!(experiments(store), [kept]);

    let (gone, kept) = (
        improvement(ImprovementKind::Bug, 1),
        improvement(ImprovementKind::Bug, 2),
    );
    assert!(note(store, &gone));
    assert!(note(store, &kept));
    let delete = |id| store.block_on(store.notebook().delete_improvement(id)).unwrap();
    assert!(delete(gone.id));
    assert!(!delete(gone.id) && !delete(ImprovementId::generate()));
    assert!(!note(store, &gone));
    assert_eq!(improvements(store, ImprovementKind::Bug), [kept]);
}

fn notes_are_told_by_kind_the_oldest_first(test: &TestStore) {
    let store = &test.store;
    let (bug, mut late, early) = (
        improvement(ImprovementKind::Bug, 1),
        improvement(ImprovementKind::Heuristic, 3),
        improvement(ImprovementKind::Heuristic, 2),
    );
    for one in [&bug, &late, &early] {
        assert!(note(store, one));
    }
    (late.enabled, late.title, late.updated_at) = (false, "shorter".into(), 9);
    assert!(note(store, &late));
    let heuristics = improvements(store, ImprovementKind::Heuristic);
    assert_eq!(heuristics, [early, late]);
    assert!(heuristics.iter().all(|one| one.heuristic().is_some()));
    assert_eq!(improvements(store, ImprovementKind::Bug), [bug]);
}

fn the_calibration_that_was_put_last_applies_until_it_is_taken_back(test: &TestStore) {
    let store = &test.store;
    let applies = || store.block_on(store.notebook().calibration()).unwrap();
    let apply = |one: &StoredCalibration| {
        store.block_on(store.notebook().put_calibration(one.clone())).unwrap();
    };
    let revert = || store.block_on(store.notebook().revert_calibration()).unwrap();
    assert_eq!((applies(), revert()), (None, false));
    let (first, second) = (calibration("cal_1", 5), calibration("cal_2", 4));
    apply(&first);
    assert_eq!(applies(), Some(first));
    // Whatever the clocks of those who made them said; and a second time changes nothing.
    for _ in 0..2 {
        apply(&second);
        assert_eq!(applies(), Some(second.clone()));
    }
    assert!(revert());
    assert!(!revert());
    assert_eq!(applies(), None);
    let superseded = "SELECT id FROM calibrations WHERE superseded_at IS NOT NULL ORDER BY id";
    assert_eq!(test.texts(superseded), ["cal_1", "cal_2"]);
}
