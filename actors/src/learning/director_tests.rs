use actix::Addr;
use gateway_routing::RoutingModel;

use super::*;
use crate::protocol::testkit::outcome;
use crate::protocol::{
    ClaimedEvent, Complexity, ExperimentStatus, GatewayEvent, GuardRails, ModelEdit, NanoUsd, OutcomeEnd, Period,
    StoreFuture,
};
use crate::runtime::{RestartPolicy, unix_micros};
use crate::testkit::MemoryNotes;
use crate::testkit::samples::experiment;

/// Remembers what it was told.
#[derive(Debug, Default)]
struct Told(ArcSwap<Vec<String>>);

impl EventStore for Told {
    fn raise(&self, kind: &'static str, _: String, _: String) -> StoreFuture<bool> {
        let mut told = Vec::clone(&self.0.load());
        told.push(kind.to_owned());
        self.0.store(Arc::new(told));
        Box::pin(std::future::ready(Ok(true)))
    }

    fn present(&self, _: u32) -> StoreFuture<Vec<GatewayEvent>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn claim(&self, _: u32, _: Duration) -> StoreFuture<Vec<ClaimedEvent>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn delivered(&self, _: String) -> StoreFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn put_off(&self, _: String, _: Duration) -> StoreFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn spent_today(&self) -> StoreFuture<(Period, NanoUsd)> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable { source: None })))
    }
}

struct Bench {
    notes: Arc<MemoryNotes>,
    events: Arc<Told>,
    learned: Arc<ArcSwap<Learned>>,
    director: Addr<LearningDirector>,
}

/// A director over notes in memory, started now.
fn start(notes: MemoryNotes) -> Bench {
    tokio::time::pause();
    let shipped = Calibration::Shipped(RoutingModel::shipped().unwrap());
    let (notes, events) = (Arc::new(notes), Arc::<Told>::default());
    let learned = Arc::new(ArcSwap::from_pointee(Learned::of(shipped.clone())));
    let parts = LearningParts {
        outcomes: Arc::<MemoryNotes>::clone(&notes),
        notebook: Arc::<MemoryNotes>::clone(&notes),
        events: Arc::<Told>::clone(&events),
        calibration: shipped,
        learned: Arc::clone(&learned),
        totals: Arc::default(),
        is_adaptive: true,
    };
    let director = LearningDirector::new(parts, CrashReporter::new(RestartPolicy::default())).start();
    Bench {
        notes,
        events,
        learned,
        director,
    }
}

/// Lets the actors do what they have to; in paused time only what waits for time is left then.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn pass(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::advance(Duration::from_secs(1)).await;
        settle().await;
    }
}

#[actix_rt::test]
async fn what_is_written_into_the_notebook_reaches_the_cells_within_ten_seconds() {
    let bench = start(MemoryNotes::default());
    settle().await;
    let one = experiment(GuardRails::default());
    bench.notes.put_experiment(one.clone()).await.unwrap();
    assert!(bench.learned.load().experiments.is_empty());
    pass(11).await;
    assert_eq!(bench.learned.load().experiments, [Arc::new(one)]);
    // A notebook that cannot be read changes nothing.
    bench.notes.set_away(true);
    pass(20).await;
    assert_eq!(bench.learned.load().experiments.len(), 1);
}

#[actix_rt::test]
async fn an_edit_of_a_model_changes_what_is_learned_of_it_within_ten_seconds_and_can_be_taken_back() {
    let bench = start(MemoryNotes::default());
    let mut row = outcome();
    (row.complexity, row.accepted) = (Some(Complexity::Medium), Some(false));
    row.created_at = unix_micros();
    let (kind, model) = ((row.task, Complexity::Medium), row.model.clone());
    bench.notes.insert(vec![row]).await.unwrap();
    pass(65).await;
    let failures = || {
        let learned = bench.learned.load();
        let models = learned.table.get(&kind);
        models.map_or(0, |models| models.iter().map(|known| known.failures).sum::<u32>())
    };
    assert_eq!(failures(), 1);
    let edit = ModelEdit {
        model: model.clone(),
        since: Some(i64::MAX),
        trials: Vec::new(),
        created_at: 1,
        updated_at: 1,
    };
    bench.notes.put_model_edit(edit).await.unwrap();
    pass(11).await;
    assert_eq!(failures(), 0);
    bench.notes.delete_model_edit(model).await.unwrap();
    pass(11).await;
    assert_eq!(failures(), 1);
}

#[actix_rt::test]
async fn an_experiment_outside_its_guard_rails_is_stopped_and_operators_are_told_once() {
    let bench = start(MemoryNotes::default());
    let one = experiment(GuardRails {
        max_error_permille: Some(100),
        ..GuardRails::default()
    });
    bench.notes.put_experiment(one.clone()).await.unwrap();
    for _ in 0..60 {
        let mut row = outcome();
        row.experiment = Some((one.id, "b".into()));
        row.ended = OutcomeEnd::Failed;
        tell(&bench.director, NoteOutcome(Box::new(row))).unwrap();
    }
    pass(25).await;
    assert_eq!(bench.notes.outcomes().len(), 60);
    let stored = bench.notes.experiments().await.unwrap();
    assert_eq!(stored[0].status, ExperimentStatus::Stopped);
    assert!(stored[0].stopped_reason.as_ref().unwrap().contains("arm `b`"));
    assert!(bench.learned.load().experiments.is_empty());
    assert_eq!(**bench.events.0.load(), ["experiment_stopped"]);
}

#[actix_rt::test]
async fn what_only_callers_did_wrong_stops_no_experiment() {
    let bench = start(MemoryNotes::default());
    let one = experiment(GuardRails {
        max_error_permille: Some(100),
        ..GuardRails::default()
    });
    bench.notes.put_experiment(one.clone()).await.unwrap();
    for ended in [OutcomeEnd::Refused, OutcomeEnd::Left] {
        for _ in 0..60 {
            let mut row = outcome();
            row.experiment = Some((one.id, "b".into()));
            row.ended = ended;
            tell(&bench.director, NoteOutcome(Box::new(row))).unwrap();
        }
    }
    pass(25).await;
    assert_eq!(bench.notes.outcomes().len(), 120);
    assert_eq!(bench.learned.load().experiments, [Arc::new(one)]);
    assert!(bench.events.0.load().is_empty());
}

#[actix_rt::test]
async fn outcomes_that_wait_are_stored_when_whoever_ends_the_process_asks_for_it() {
    let bench = start(MemoryNotes::default());
    settle().await;
    bench.notes.set_away(true);
    for _ in 0..300 {
        tell(&bench.director, NoteOutcome(Box::new(outcome()))).unwrap();
    }
    let (stored, mut waiting) = oneshot::channel();
    tell(&bench.director, FlushOutcomes(stored)).unwrap();
    settle().await;
    assert!(waiting.try_recv().is_err(), "the database is away");
    bench.notes.set_away(false);
    pass(1).await;
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(bench.notes.outcomes().len(), 300);
    // Where nothing waits, nobody waits.
    let (stored, waiting) = oneshot::channel();
    tell(&bench.director, FlushOutcomes(stored)).unwrap();
    assert_eq!(waiting.await, Ok(()));
}
