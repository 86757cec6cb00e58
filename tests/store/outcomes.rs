//! The port `OutcomeStore`: what both databases promise.

use std::time::Duration;

use ai_mcp_gateway::store::Store;
use gateway_actors::protocol::{
    ArmSum, CheckStatus, Complexity, Evidence, ExperimentId, KeyId, Layer, ModelEdit, NanoUsd, OutcomeEnd, OutcomeRow,
    PURGE_BATCH, QualityLevel, RecordOwner, RequestId, StoreError, Strategy, SuccessRow, TaskType, Trials,
    count_successes,
};

use crate::database::{TestStore, on_each_database};
use crate::escalations::microseconds_ago;
use crate::feedback::said;
use crate::samples::conversation;
use crate::support::{Draw, wait_for};

on_each_database! {
    an_outcome_comes_back_as_it_was_stored_and_stays_as_it_is,
    a_large_batch_is_stored_whole_and_once,
    successes_are_counted_by_kind_and_model,
    answers_that_nobody_judged_or_that_were_compared_are_no_successes,
    an_edit_of_a_model_leaves_out_what_was_before_it_and_adds_trials,
    outcomes_of_an_experiment_are_told_the_newest_first,
    an_experiment_is_summed_up_over_all_of_its_outcomes,
    pages_lead_through_all_that_ended_since,
    outcomes_go_after_half_a_year,
    a_store_that_was_shut_down_takes_no_outcomes,
}

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// An outcome with every field set.
pub(crate) fn outcome() -> OutcomeRow {
    OutcomeRow {
        request: RequestId::generate(),
        key_id: Some(KeyId::generate()),
        user_id: Some("Zoë".into()),
        project_id: Some("p' OR '1'='1".into()),
        conversation: Some(conversation("conv-1")),
        endpoint: "/v1/chat".into(),
        task: TaskType::CreateProject,
        complexity: Some(Complexity::Complex),
        quality: QualityLevel::High,
        difficulty: Some(-1.234),
        start: Some(Layer::L1),
        layer: Layer::L2,
        model: "alpha-small".into(),
        strategy: Some(Strategy::Layers),
        check: CheckStatus::Arbitrated,
        votes: Some(2),
        confidence: Some(0.812),
        evidence: Some(Evidence::Rejected),
        escalated: true,
        replaced: Some("beta-small".into()),
        ended: OutcomeEnd::Answered,
        accepted: Some(true),
        rating: Some(-1),
        tests: Some((3, u32::MAX)),
        experiment: Some((ExperimentId::generate(), "arm $1".into())),
        arm_failed: true,
        cost: NanoUsd(9_007_199_254_740_993),
        created_at: microseconds_ago(HOUR),
    }
}

/// An outcome of which little is known.
pub(crate) fn bare() -> OutcomeRow {
    OutcomeRow {
        key_id: None,
        user_id: None,
        project_id: None,
        conversation: None,
        complexity: None,
        difficulty: None,
        start: None,
        strategy: None,
        check: CheckStatus::Off,
        votes: None,
        confidence: None,
        evidence: None,
        escalated: false,
        replaced: None,
        accepted: None,
        rating: None,
        tests: None,
        experiment: None,
        arm_failed: false,
        ..outcome()
    }
}

#[track_caller]
pub(crate) fn insert(store: &Store, outcomes: &[OutcomeRow]) {
    store.block_on(store.outcomes().insert(outcomes.to_vec())).unwrap();
}

fn page(store: &Store, since: i64, after: Option<RequestId>, most: u32) -> Vec<OutcomeRow> {
    let after = after.map(|request| request.to_string().into());
    store.block_on(store.outcomes().page(since, after, most)).unwrap()
}

/// Every outcome, in the order of their requests.
pub(crate) fn all(store: &Store) -> Vec<OutcomeRow> {
    page(store, 0, None, 10_000)
}

fn an_outcome_comes_back_as_it_was_stored_and_stays_as_it_is(test: &TestStore) {
    let store = &test.store;
    let (full, bare) = (outcome(), bare());
    insert(store, &[full.clone(), bare.clone()]);
    let changed = OutcomeRow {
        cost: NanoUsd(1),
        ..full.clone()
    };
    insert(store, &[changed.clone(), changed]);
    insert(store, &[]);
    let mut expected = [full, bare];
    expected.sort_by_key(|row| row.request);
    assert_eq!(all(store), expected);
    // What is no chance is stored as the nearest one, and no number as nothing.
    let odd = OutcomeRow {
        confidence: Some(7.0),
        difficulty: Some(f64::NAN),
        ..outcome()
    };
    insert(store, std::slice::from_ref(&odd));
    let stored = all(store).into_iter().find(|row| row.request == odd.request).unwrap();
    assert_eq!((stored.confidence, stored.difficulty), (Some(1.0), Some(0.0)));
}

fn a_large_batch_is_stored_whole_and_once(test: &TestStore) {
    let mut rows: Vec<_> = (0..1_100).map(|_| outcome()).collect();
    rows.reverse();
    insert(&test.store, &rows);
    insert(&test.store, &rows);
    rows.sort_by_key(|row| row.request);
    assert!(all(&test.store) == rows, "an outcome is missing or changed");
}

pub(crate) fn table(store: &Store, since: i64) -> Vec<SuccessRow> {
    store.block_on(store.outcomes().table(since)).unwrap()
}

fn successes_are_counted_by_kind_and_model(test: &TestStore) {
    let seed = std::env::var("GATEWAY_TEST_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
    let mut draw = Draw::new(seed);
    let mut pick = |of: usize| draw.below(of);
    let rows: Vec<OutcomeRow> = (0..600)
        .map(|number| OutcomeRow {
            task: TaskType::ALL[pick(3)],
            complexity: [None, Some(Complexity::Simple), Some(Complexity::Complex)][pick(3)],
            model: format!("model-{}", pick(3)).into(),
            rating: [None, Some(-1), Some(0), Some(1)][pick(4)],
            accepted: [None, Some(false), Some(true)][pick(3)],
            tests: [None, Some((1, 0)), Some((0, 1))][pick(3)],
            evidence: [None, None, Some(Evidence::Empty)][pick(3)],
            replaced: [None, Some("model-0".into()), Some("model-9".into())][pick(3)].clone(),
            ended: OutcomeEnd::ALL[pick(4)],
            check: CheckStatus::ALL[pick(7)],
            cost: NanoUsd(9_007_199_254_740 + number),
            created_at: number,
            ..outcome()
        })
        .collect();
    insert(&test.store, &rows);
    for since in [0, 300, 600] {
        let counting = rows.iter().filter(|row| row.created_at >= since);
        let expected = count_successes(&counting.flat_map(OutcomeRow::groups).collect::<Vec<_>>());
        assert_eq!(table(&test.store, since), expected, "since {since}, seed {seed}");
        assert_eq!(expected.is_empty(), since == 600);
    }
}

fn answers_that_nobody_judged_or_that_were_compared_are_no_successes(test: &TestStore) {
    let plain = |check, accepted| OutcomeRow {
        task: TaskType::Code,
        complexity: Some(Complexity::Simple),
        check,
        accepted,
        ended: OutcomeEnd::Answered,
        ..bare()
    };
    let mut rows: Vec<_> = (0..500).map(|_| plain(CheckStatus::Off, None)).collect();
    rows.extend((0..3).map(|_| plain(CheckStatus::Agreed, Some(true))));
    rows.push(plain(CheckStatus::Accepted, Some(true)));
    rows.extend((0..2).map(|_| plain(CheckStatus::Off, Some(false))));
    insert(&test.store, &rows);
    let [row] = &table(&test.store, 0)[..] else {
        panic!("one model answered")
    };
    assert_eq!((row.answers, row.successes, row.failures), (506, 1, 2));
}

fn an_edit_of_a_model_leaves_out_what_was_before_it_and_adds_trials(test: &TestStore) {
    let store = &test.store;
    let told = |model: &str, accepted, created_at| OutcomeRow {
        model: model.into(),
        task: TaskType::Code,
        complexity: Some(Complexity::Simple),
        accepted: Some(accepted),
        ended: OutcomeEnd::Answered,
        cost: NanoUsd(1),
        created_at,
        ..bare()
    };
    let replacing = OutcomeRow {
        replaced: Some("moved".into()),
        ..told("other", true, 10)
    };
    insert(
        store,
        &[
            told("moved", false, 10),
            told("moved", true, 20),
            told("moved", true, 30),
            replacing,
        ],
    );
    let counts = || -> Vec<_> {
        let rows = table(store, 0).into_iter();
        rows.map(|row| {
            (
                row.model.to_string(),
                row.complexity,
                row.answers,
                row.successes,
                row.failures,
            )
        })
        .collect()
    };
    let other = ("other".to_owned(), Complexity::Simple, 1, 1, 0);
    let before = counts();
    assert_eq!(
        before,
        [("moved".to_owned(), Complexity::Simple, 4, 2, 2), other.clone()]
    );
    let trials = |complexity, successes, failures| Trials {
        task: TaskType::Code,
        complexity,
        successes,
        failures,
    };
    let edit = ModelEdit {
        model: "moved".into(),
        since: Some(20),
        trials: vec![trials(Complexity::Simple, 5, 1), trials(Complexity::Complex, 0, 7)],
        created_at: 1,
        updated_at: 1,
    };
    store.block_on(store.notebook().put_model_edit(edit)).unwrap();
    let edited = ("moved".to_owned(), Complexity::Simple, 2, 7, 1);
    assert_eq!(
        counts(),
        [edited, other, ("moved".to_owned(), Complexity::Complex, 0, 0, 7)]
    );
    assert!(
        store
            .block_on(store.notebook().delete_model_edit("moved".into()))
            .unwrap()
    );
    assert_eq!(counts(), before);
}

fn an_experiment_is_summed_up_over_all_of_its_outcomes(test: &TestStore) {
    let (this, other) = (ExperimentId::generate(), ExperimentId::generate());
    let row = |experiment, arm: &str, ended| OutcomeRow {
        experiment: Some((experiment, arm.into())),
        arm_failed: false,
        ended,
        evidence: None,
        accepted: None,
        rating: None,
        tests: None,
        cost: NanoUsd(10),
        ..outcome()
    };
    let mut rows = vec![row(other, "a", OutcomeEnd::Failed), bare()];
    for ended in OutcomeEnd::ALL {
        rows.extend((0..3).map(|_| row(this, "a", *ended)));
        // Whatever is said of those that nobody answered, they are no errors of the arm.
        rows.push(OutcomeRow {
            accepted: Some(false),
            ..row(this, "b's", *ended)
        });
    }
    rows.push(OutcomeRow {
        evidence: Some(Evidence::Empty),
        ..row(this, "a", OutcomeEnd::Answered)
    });
    // An answer of another model than the arm's, which failed; whoever left tells nothing of it.
    rows.extend([OutcomeEnd::Answered, OutcomeEnd::Left].map(|ended| OutcomeRow {
        arm_failed: true,
        ..row(this, "c", ended)
    }));
    insert(&test.store, &rows);
    let sums = |experiment| {
        let sums = test.store.outcomes().experiment_sums(experiment);
        test.store.block_on(sums).unwrap()
    };
    let sum = |arm: &str, count, failures, cost| ArmSum {
        arm: arm.into(),
        count,
        failures,
        cost: NanoUsd(cost),
    };
    assert_eq!(
        sums(this),
        [sum("a", 7, 4, 130), sum("b's", 2, 2, 40), sum("c", 1, 1, 20)]
    );
    assert_eq!(sums(ExperimentId::generate()), []);
    // What is told of a row is what the database counts.
    let counted = rows
        .iter()
        .filter(|row| row.experiment.as_ref().is_some_and(|(id, _)| *id == this));
    let failures = counted.filter(|row| row.is_failure()).count();
    assert_eq!(failures, 7);
}

fn outcomes_of_an_experiment_are_told_the_newest_first(test: &TestStore) {
    let (this, other) = (ExperimentId::generate(), ExperimentId::generate());
    let rows: Vec<OutcomeRow> = (0..9)
        .map(|number| OutcomeRow {
            experiment: match number % 3 {
                0 => Some((other, "a".into())),
                1 => Some((this, "a".into())),
                _ => Some((this, "b".into())),
            },
            // Not in the order of their requests.
            created_at: 1_000 - number,
            ..outcome()
        })
        .collect();
    insert(&test.store, &rows);
    insert(&test.store, &[bare()]);
    let of = |experiment, most| {
        test.store
            .block_on(test.store.outcomes().of_experiment(experiment, most))
            .unwrap()
    };
    let expected = [&rows[1], &rows[2], &rows[4], &rows[5]].map(Clone::clone);
    assert_eq!(of(this, 4), expected);
    assert_eq!(of(this, 100).len(), 6);
    assert_eq!(of(other, 100).len(), 3);
    assert_eq!(of(ExperimentId::generate(), 100), []);
}

fn pages_lead_through_all_that_ended_since(test: &TestStore) {
    let store = &test.store;
    let since = microseconds_ago(DAY);
    let mut rows: Vec<OutcomeRow> = (0..7).map(|_| outcome()).collect();
    // This one ended before, and this one's request is of long ago.
    rows[3].created_at = since - 1;
    rows[4].request = "req_00000000000170008000000000000001".parse().unwrap();
    rows[4].created_at = since - 2;
    insert(store, &rows);
    let mut expected: Vec<_> = rows.iter().filter(|row| row.created_at >= since).cloned().collect();
    expected.sort_by_key(|row| row.request);
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|row: &OutcomeRow| row.request);
        let page = page(store, since, after, 2);
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, expected);
    rows.sort_by_key(|row| row.request);
    assert_eq!(all(store), rows);
    assert_eq!(page(store, i64::MAX, None, 10), []);
    assert_eq!(page(store, i64::MIN, None, 10), rows);
}

fn outcomes_go_after_half_a_year(test: &TestStore) {
    let store = &test.store;
    let purge = |kept| store.block_on(store.purge_outcomes(kept)).unwrap();
    let old = (0..PURGE_BATCH + 3).map(|_| OutcomeRow {
        created_at: microseconds_ago(181 * DAY),
        ..outcome()
    });
    let kept = OutcomeRow {
        created_at: microseconds_ago(179 * DAY),
        ..outcome()
    };
    insert(store, &old.chain([kept.clone()]).collect::<Vec<_>>());
    assert_eq!(purge(182 * DAY), 0);
    assert_eq!(purge(180 * DAY), PURGE_BATCH);
    let purging = store.keep_purging();
    wait_for("all of them to be gone", HOUR, || {
        test.texts("SELECT request_id FROM outcomes") == [kept.request.to_string()]
    });
    drop(purging);
}

fn a_store_that_was_shut_down_takes_no_outcomes(test: &TestStore) {
    let neighbour = test.neighbour();
    let outcomes = neighbour.outcomes();
    neighbour.shutdown(Duration::from_secs(10));
    let row = outcome();
    let late = test.store.block_on(outcomes.insert(vec![row.clone()]));
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    let late = outcomes.feedback(said(row.request), RecordOwner::Everyone);
    let late = test.store.block_on(late);
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    // It is tried again, and stored once.
    insert(&test.store, std::slice::from_ref(&row));
    assert_eq!(all(&test.store), [row]);
}
