//! The writer's promises: who is answered what when jobs share a transaction, and what outlives whom.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel_async::SimpleAsyncConnection;
use gateway_actors::protocol::{CloseTurn, OpenTurn, StoreError, StoreFuture, TurnOpened};
use gateway_actors::testkit::samples::{close, conversation, finished_call, turn};
use tokio::sync::oneshot;

use super::super::SqliteConfig;
use super::super::connection::{Access, BUSY_TIMEOUT, Database};
use super::super::testing::{self, TestStore};
use super::{BoxFuture, Connection, Instant, QUEUE, Queued, TypedJob, Writer, refuse_stale};
use crate::store::Store;
use crate::store::error::{Fault, QueryError};

/// Keeps the writer busy until the sender is used, so that the jobs that follow share a transaction.
fn hold_writer(store: &Store, writer: &Writer) -> (oneshot::Sender<()>, StoreFuture<()>) {
    let (release, released) = oneshot::channel();
    let (begin, begun) = oneshot::channel();
    let held = writer.submit(move |_connection| {
        Box::pin(async move {
            begin.send(()).unwrap();
            released.await.unwrap();
            Ok(())
        })
    });
    store.block_on(begun).unwrap();
    (release, held)
}

/// A job that writes a conversation of this name and then fails or not.
fn create(writer: &Writer, id: &str, fails: bool) -> StoreFuture<()> {
    let statement =
        format!("INSERT INTO conversations (id, created_at, updated_at, next_seq) VALUES ('{id}', 1, 1, 1)");
    writer.submit(move |connection| {
        Box::pin(async move {
            connection.batch_execute(&statement).await?;
            match fails {
                true => Err(QueryError::Database(Fault::failed("the test says so"))),
                false => Ok(()),
            }
        })
    })
}

fn exists(store: &Store, id: &str) -> bool {
    let page = store.conversations().page(conversation(id), 1, None);
    store.block_on(page).unwrap().is_some()
}

#[test]
fn a_job_that_fails_takes_back_only_its_own_part_of_the_transaction() {
    let test = TestStore::new();
    let (release, held) = hold_writer(&test.store, &test.writer);
    let jobs = [
        create(&test.writer, "before", false),
        create(&test.writer, "fails", true),
        create(&test.writer, "before", false),
        create(&test.writer, "after", false),
    ];
    release.send(()).unwrap();
    test.store.block_on(held).unwrap();
    let results = test.store.block_on(futures_util::future::join_all(jobs));
    assert_eq!(
        results.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    assert!(exists(&test.store, "before") && exists(&test.store, "after"));
    assert!(!exists(&test.store, "fails"));
}

#[test]
fn a_job_that_panics_is_answered_and_the_others_go_on() {
    let test = TestStore::new();
    let (release, held) = hold_writer(&test.store, &test.writer);
    let panics: StoreFuture<()> = test.writer.submit(|_connection| Box::pin(async { panic!("in a job") }));
    let other = create(&test.writer, "other", false);
    release.send(()).unwrap();
    test.store.block_on(held).unwrap();
    assert!(matches!(test.store.block_on(panics), Err(StoreError::Failed { .. })));
    test.store.block_on(other).unwrap();
    assert!(exists(&test.store, "other"));
}

#[test]
fn a_job_whose_caller_went_away_is_done_all_the_same() {
    let test = TestStore::new();
    let (release, held) = hold_writer(&test.store, &test.writer);
    drop(create(&test.writer, "orphan", false));
    release.send(()).unwrap();
    test.store.block_on(held).unwrap();
    test.store.block_on(test.store.health().check()).unwrap();
    assert!(exists(&test.store, "orphan"));
}

#[test]
fn dropping_a_half_done_job_on_a_current_thread_runtime_is_harmless() {
    let test = TestStore::new();
    let current_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (release, held) = hold_writer(&test.store, &test.writer);
    current_thread.block_on(async {
        let mut write = create(&test.writer, "dropped", false);
        let mut read = test.store.conversations().page(conversation("dropped"), 1, None);
        // Both are polled, and dropped half-done.
        tokio::select! {
            biased;
            _ = &mut write => panic!("the writer was held"),
            _ = &mut read => {}
            () = std::future::ready(()) => {}
        }
        drop((write, read));
    });
    release.send(()).unwrap();
    test.store.block_on(held).unwrap();
    test.store.block_on(test.store.health().check()).unwrap();
    assert!(exists(&test.store, "dropped"));
}

#[test]
fn shutting_down_finishes_what_is_queued_and_refuses_what_comes_later() {
    let test = TestStore::new();
    let neighbour = test.neighbour();
    let conversations = test.store.conversations();
    let queued: Vec<_> = (0..20)
        .map(|n| create(&test.writer, &format!("conv-{n}"), false))
        .collect();
    test.store.shutdown(Duration::from_secs(10));
    for job in queued {
        neighbour.block_on(job).unwrap();
    }
    assert!((0..20).all(|n| exists(&neighbour, &format!("conv-{n}"))));
    let late = conversations.open_turn(turn(&conversation("late"), "hello"));
    assert!(matches!(neighbour.block_on(late), Err(StoreError::Unavailable { .. })));
    let late = conversations.page(conversation("late"), 1, None);
    assert!(matches!(neighbour.block_on(late), Err(StoreError::Unavailable { .. })));
}

#[test]
fn a_write_beyond_what_the_queue_holds_is_refused_at_once() {
    let test = TestStore::new();
    let (release, held) = hold_writer(&test.store, &test.writer);
    let jobs: Vec<_> = (0..=QUEUE).map(|_| test.store.health().check()).collect();
    release.send(()).unwrap();
    test.store.block_on(held).unwrap();
    let results = test.store.block_on(futures_util::future::join_all(jobs));
    let (accepted, refused) = results.split_at(QUEUE);
    assert!(accepted.iter().all(Result::is_ok));
    assert!(matches!(refused, [Err(StoreError::Unavailable { .. })]));
}

fn must_not_run(_connection: &mut Connection) -> BoxFuture<'_, Result<(), QueryError>> {
    panic!("was run")
}

#[test]
fn a_write_that_waited_too_long_is_refused_without_being_run() {
    let now = Instant::now();
    let (mut jobs, mut answers) = (Vec::new(), Vec::new());
    for waited in [Duration::ZERO, Duration::from_secs(11)] {
        let (reply, answer) = oneshot::channel::<Result<(), StoreError>>();
        jobs.push(Queued {
            job: Box::new(TypedJob {
                work: Some(must_not_run),
                outcome: None,
                reply,
            }),
            since: now.checked_sub(waited).unwrap(),
        });
        answers.push(answer);
    }
    assert_eq!(refuse_stale(jobs, Duration::from_secs(10)).len(), 1);
    let late = answers.pop().unwrap().blocking_recv().unwrap();
    assert!(matches!(late, Err(StoreError::Unavailable { .. })));
}

#[test]
fn a_store_that_must_not_wait_shuts_down_while_a_write_is_stuck() {
    let test = TestStore::new();
    let database = Database::at(&testing::config(&test.dir).path, BUSY_TIMEOUT).unwrap();
    let mut other_program = database.connect(Access::ReadWrite).unwrap();
    other_program.batch_execute("BEGIN IMMEDIATE").unwrap();
    let stuck = create(&test.writer, "stuck", false);
    test.store.shutdown(Duration::from_millis(50));
    other_program.batch_execute("ROLLBACK").unwrap();
    let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Whether the write was still done is open; what counts is that its caller hears of it.
    drop(waiting.block_on(stuck));
}

#[test]
fn a_file_that_another_program_holds_is_unavailable_and_works_again_afterwards() {
    let test = TestStore::new();
    let config = SqliteConfig {
        busy_timeout: Duration::from_millis(20),
        ..testing::config(&test.dir)
    };
    let impatient = Store::open(config.clone().into()).unwrap();
    let database = Database::at(&config.path, BUSY_TIMEOUT).unwrap();
    let mut other_program = database.connect(Access::ReadWrite).unwrap();
    other_program.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = impatient.block_on(impatient.calls().insert_calls(vec![finished_call()]));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let unhealthy = impatient.block_on(impatient.health().check());
    assert!(matches!(unhealthy, Err(StoreError::Unavailable { .. })));

    other_program.batch_execute("ROLLBACK").unwrap();
    impatient.block_on(impatient.health().check()).unwrap();
    impatient
        .block_on(impatient.calls().insert_calls(vec![finished_call()]))
        .unwrap();
}

#[test]
fn a_full_disk_is_said_so_leaves_nothing_half_done_and_reads_go_on() {
    let test = TestStore::new();
    let config = testing::config(&test.dir);
    let mut database = Database::at(&config.path, BUSY_TIMEOUT).unwrap();
    database.max_page_count = Some(60);
    let (small, writer) = testing::start(database);
    let id = conversation("conv-1");
    let open = |turn: OpenTurn| small.block_on(small.conversations().open_turn(turn));
    let close_turn = |turn: CloseTurn| small.block_on(small.conversations().close_turn(turn));

    let first = turn(&id, "fits");
    assert!(matches!(open(first.clone()), Ok(TurnOpened::Opened { seq: 1, .. })));
    let (release, held) = hold_writer(&small, &writer);
    let beside = create(&writer, "beside", false);
    let too_long = close(&first, 1, Some(&"x".repeat(1_000_000)));
    let too_long = small.conversations().close_turn(too_long);
    release.send(()).unwrap();
    small.block_on(held).unwrap();
    assert!(matches!(small.block_on(too_long), Err(StoreError::Full)));
    // SQLite may have taken back the whole transaction; if so, that is what the other job was told.
    match small.block_on(beside) {
        Ok(()) => assert!(exists(&small, "beside")),
        Err(StoreError::Full) => assert!(!exists(&small, "beside")),
        Err(other) => panic!("{other:?}"),
    }

    let page = small.block_on(small.conversations().page(id.clone(), 10, None));
    assert_eq!(page.unwrap().unwrap().messages.len(), 1);
    close_turn(close(&first, 1, Some("fits too"))).unwrap();
    assert!(matches!(
        open(turn(&id, "goes on")),
        Ok(TurnOpened::Opened { seq: 3, .. })
    ));
}
