//! The pipeline over real actors, with ports in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "pipeline/places.rs"]
mod places;
#[path = "pipeline/state.rs"]
mod state;

use std::cell::Cell as StdCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gateway_actors::dispatch::DispatchSettings;
use gateway_actors::protocol::{
    AnswerRead, Billing, BoundRules, ChatCall, Completion, ErrorKind, FailureKind, FlushCalls, GatewayError,
    MessageStatus, Model, NanoUsd, Needs, Outcome, Outgoing, OutgoingRequest, PlanRequest, Question, StoredMessage,
    Target, TurnCall, TurnDialect,
};
use gateway_actors::testkit::{PlainRequest, Script, TestCell, test_model};
use tokio::sync::Notify;

/// 10 input and 5 output tokens at 1 nano-USD each.
const COST: NanoUsd = NanoUsd(15);
/// 20 input tokens and an output cap of 100.
const HELD: NanoUsd = NanoUsd(120);

fn cell() -> TestCell {
    let models = vec![test_model("a", "alpha", 1_000), test_model("b", "beta", 1_001)];
    TestCell::start(models, DispatchSettings::default())
}

/// Waits until everything is recorded, then checks that nothing is left over.
async fn settled(cell: &TestCell) {
    while cell.gauges.attempts.get() > 0 || cell.gauges.streams.get() > 0 {
        tokio::task::yield_now().await;
    }
    let flushed = cell.cost.ask(FlushCalls).await.unwrap().unwrap();
    flushed.await.unwrap();
    assert_eq!(cell.gauges.holds.get(), 0);
    assert_eq!(cell.budget.load().held, NanoUsd::ZERO);
    assert_eq!(cell.journal.open_attempts(), 0);
    let recorded: NanoUsd = cell.store.calls().iter().map(|record| record.cost).sum();
    assert_eq!(cell.totals.load().cost, recorded);
    assert_eq!(cell.budget.load().spent, recorded);
    assert_eq!(cell.totals.load().calls, cell.store.calls().len() as u64);
}

/// A script that waits until it is let go.
fn held(then: Script) -> (Arc<Notify>, Script) {
    let release = Arc::new(Notify::new());
    (Arc::clone(&release), Script::Held(release, Box::new(then)))
}

/// Asks, and leaves when the provider has been asked.
async fn ask_and_leave<T>(cell: &TestCell, asked: impl Future<Output = T>) {
    let mut asked = Box::pin(asked);
    assert!(futures_util::poll!(&mut asked).is_pending());
    while cell.upstream.calls().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn records(cell: &TestCell) -> Vec<(String, Outcome, NanoUsd, bool)> {
    settled(cell).await;
    let mut calls = cell.store.calls();
    calls.sort_by_key(|record| record.dispatch.attempt);
    let row = |record: &Arc<gateway_actors::protocol::CallRecord>| {
        (
            record.dispatch.model.to_string(),
            record.outcome,
            record.cost,
            record.estimated,
        )
    };
    calls.iter().map(row).collect()
}

#[actix_rt::test]
async fn an_answer_is_settled_at_its_reported_usage() {
    let cell = cell();
    let answer = cell.pipeline.complete(cell.call()).await.unwrap();
    assert_eq!(answer.served.cost, COST);
    assert_eq!(
        records(&cell).await,
        [("a".to_owned(), Outcome::Completed, COST, false)]
    );
    cell.stop();
}

#[actix_rt::test]
async fn a_failure_goes_to_the_next_candidate_and_both_are_recorded() {
    for (kind, billing, outcome, cost) in [
        (
            FailureKind::Connect,
            Billing::NotBilled,
            Outcome::ConnectFailed,
            NanoUsd::ZERO,
        ),
        (
            FailureKind::ServerError,
            Billing::NotBilled,
            Outcome::Refused,
            NanoUsd::ZERO,
        ),
        (
            FailureKind::FirstByteTimeout,
            Billing::Ambiguous,
            Outcome::TimedOut,
            HELD,
        ),
        (FailureKind::ErrorFrame, Billing::Ambiguous, Outcome::Malformed, HELD),
        (FailureKind::Unusable, Billing::Ambiguous, Outcome::Malformed, HELD),
    ] {
        let cell = cell();
        cell.upstream.script("a", [Script::Fail(kind, billing)]);
        let answer = cell.pipeline.complete(cell.call()).await.unwrap();
        assert_eq!(answer.served.model.id.as_str(), "b");
        let rows = records(&cell).await;
        assert_eq!(
            rows[0],
            ("a".to_owned(), outcome, cost, cost > NanoUsd::ZERO),
            "{kind:?}"
        );
        assert_eq!(rows[1].1, Outcome::Completed);
        cell.stop();
    }
}

#[actix_rt::test]
async fn a_request_refused_for_what_it_says_is_not_tried_elsewhere() {
    let cell = cell();
    cell.upstream
        .script("a", [Script::Fail(FailureKind::Rejected, Billing::NotBilled)]);
    let error = cell.pipeline.complete(cell.call()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UpstreamRejected);
    assert_eq!(cell.upstream.calls(), ["a"]);
    settled(&cell).await;
    cell.stop();
}

#[actix_rt::test]
async fn a_stream_that_breaks_after_it_began_ends_in_an_error_and_is_booked_in_full() {
    let cell = cell();
    cell.upstream.script("a", [Script::BreakAfter(2)]);
    let mut stream = cell.pipeline.stream(cell.call()).await.unwrap();
    let mut items = Vec::new();
    while let Some(item) = stream.events.recv().await {
        items.push(item);
    }
    assert_eq!(items.len(), 3);
    assert_eq!(items[2].as_ref().unwrap_err().kind, ErrorKind::UpstreamError);
    assert_eq!(records(&cell).await, [("a".to_owned(), Outcome::Broken, HELD, true)]);
    cell.stop();
}

#[actix_rt::test]
async fn a_client_that_leaves_a_stream_changes_nothing_about_its_cost() {
    let cell = cell();
    let stream = cell.pipeline.stream(cell.call()).await.unwrap();
    drop(stream);
    let rows = records(&cell).await;
    assert_eq!(
        (rows[0].2, rows[0].3),
        (COST, false),
        "the rest was read, and the usage with it"
    );
    cell.stop();
}

#[actix_rt::test]
async fn an_answer_that_nobody_waits_for_is_given_up_after_a_while_and_booked_at_its_worst_case() {
    for stream in [false, true] {
        let models = vec![test_model("a", "alpha", 1_000)];
        let settings = DispatchSettings {
            linger: Duration::from_millis(5),
            ..DispatchSettings::default()
        };
        let cell = TestCell::start(models, settings);
        let (_never, held) = held(Script::Answer);
        cell.upstream.script("a", [held]);
        if stream {
            ask_and_leave(&cell, cell.pipeline.stream(cell.call())).await;
        } else {
            ask_and_leave(&cell, cell.pipeline.complete(cell.call())).await;
        }
        assert_eq!(
            records(&cell).await,
            [("a".to_owned(), Outcome::ClientLeft, HELD, true)],
            "stream: {stream}"
        );
        cell.stop();
    }
}

#[actix_rt::test]
async fn nothing_more_is_tried_for_a_client_that_has_left() {
    for stream in [false, true] {
        let cell = cell();
        let (fails, held) = held(Script::Fail(FailureKind::ServerError, Billing::NotBilled));
        cell.upstream.script("a", [held]);
        if stream {
            ask_and_leave(&cell, cell.pipeline.stream(cell.call())).await;
        } else {
            ask_and_leave(&cell, cell.pipeline.complete(cell.call())).await;
        }
        fails.notify_one();
        assert_eq!(
            records(&cell).await,
            [("a".to_owned(), Outcome::Refused, NanoUsd::ZERO, false)],
            "stream: {stream}"
        );
        assert_eq!(cell.upstream.calls(), ["a"]);
        cell.stop();
    }
}

#[actix_rt::test]
async fn a_client_that_leaves_before_the_answer_leaves_it_settled() {
    let cell = cell();
    let (answers, held) = held(Script::Answer);
    cell.upstream.script("a", [held]);
    ask_and_leave(&cell, cell.pipeline.complete(cell.call())).await;
    answers.notify_one();
    // The request's task is not cancelled.
    while cell.store.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(records(&cell).await[0].2, COST);
    cell.stop();
}

#[actix_rt::test]
async fn a_stream_that_nobody_reads_is_read_on_only_for_so_many_bytes() {
    let settings = DispatchSettings {
        linger_bytes: 1,
        ..DispatchSettings::default()
    };
    let cell = TestCell::start(vec![test_model("a", "alpha", 1_000)], settings);
    // More frames than wait for a slow client, so that the client leaves before the end.
    cell.upstream.script("a", [Script::Frames(40)]);
    let stream = cell.pipeline.stream(cell.call()).await.unwrap();
    drop(stream);
    let rows = records(&cell).await;
    assert_eq!(
        (rows[0].1, rows[0].2, rows[0].3),
        (Outcome::ClientLeft, HELD, true),
        "its usage was not waited for: all that it may cost may be on the bill"
    );
    cell.stop();
}

#[actix_rt::test]
async fn a_panic_in_a_requests_task_is_booked_in_full() {
    let cell = cell();
    cell.upstream.script("a", [Script::Panic]);
    let error = cell.pipeline.complete(cell.call()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert_eq!(
        records(&cell).await,
        [("a".to_owned(), Outcome::Interrupted, HELD, true)]
    );
    cell.stop();
}

#[actix_rt::test]
async fn a_paid_call_is_not_made_when_it_cannot_be_journalled() {
    let cell = cell();
    cell.journal.set_full(true);
    let error = cell.pipeline.complete(cell.call()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InsufficientStorage);
    assert!(cell.upstream.calls().is_empty());
    cell.journal.set_full(false);
    settled(&cell).await;
    cell.stop();
}

#[actix_rt::test]
async fn records_wait_in_memory_while_the_database_is_away() {
    let cell = cell();
    cell.store.set_away(true);
    for _ in 0..20 {
        cell.pipeline.complete(cell.call()).await.unwrap();
    }
    assert!(cell.store.calls().is_empty());
    cell.store.set_away(false);
    assert_eq!(records(&cell).await.len(), 20);
    cell.stop();
}

#[derive(Debug)]
struct PlainTurns;

impl TurnDialect for PlainTurns {
    fn request(&self, _: &[StoredMessage]) -> (Rc<dyn OutgoingRequest>, Needs) {
        (Rc::new(PlainRequest), Needs::default())
    }

    fn answer_text(&self, _: &Completion) -> Result<String, GatewayError> {
        Ok("hello".to_owned())
    }
}

fn turn(cell: &TestCell, conversation: &str) -> TurnCall {
    let call = cell.call();
    TurnCall {
        conversation: conversation.parse().unwrap(),
        client_message_id: None,
        message: "hi".into(),
        plan: call.plan,
        dialect: Rc::new(PlainTurns),
        context: call.context,
        amend: None,
    }
}

#[actix_rt::test]
async fn requests_without_a_conversation_ask_nobody_across_threads_and_turns_ask_at_most_twice() {
    let cell = cell();
    for _ in 0..100 {
        cell.pipeline.complete(cell.call()).await.unwrap();
        let mut stream = cell.pipeline.stream(cell.call()).await.unwrap();
        while stream.events.recv().await.is_some() {}
    }
    assert_eq!(cell.remote_asks.count(), 0);
    for _ in 0..100 {
        cell.pipeline.turn(turn(&cell, "c")).await.unwrap();
    }
    assert!(cell.remote_asks.count() <= 200, "{} asks", cell.remote_asks.count());
    settled(&cell).await;
    cell.stop();
}

#[actix_rt::test]
async fn a_turn_that_waits_for_another_is_not_begun_when_nobody_waits_for_it() {
    let cell = cell();
    let (release, first) = held(Script::Answer);
    cell.upstream.script("a", [first]);
    let (pipeline, call) = (cell.pipeline.clone(), turn(&cell, "c"));
    let first = actix_rt::spawn(async move { pipeline.turn(call).await });
    let (pipeline, call) = (cell.pipeline.clone(), turn(&cell, "c"));
    while cell.upstream.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = actix_rt::spawn(async move { pipeline.turn(call).await });
    while cell.gauges.turns.get() < 2 {
        tokio::task::yield_now().await;
    }
    second.abort();
    while cell.gauges.turns.get() > 1 {
        tokio::task::yield_now().await;
    }
    release.notify_one();
    first.await.unwrap().unwrap();
    assert_eq!(cell.store.messages(&"c".parse().unwrap()).len(), 2);
    assert_eq!(cell.upstream.calls(), ["a"]);
    settled(&cell).await;
    cell.stop();
}

#[actix_rt::test]
async fn a_failed_turn_is_stored_as_failed() {
    let cell = cell();
    let refused = Script::Fail(FailureKind::Rejected, Billing::NotBilled);
    cell.upstream.script("a", [refused]);
    assert!(cell.pipeline.turn(turn(&cell, "c")).await.is_err());
    let messages = cell.store.messages(&"c".parse().unwrap());
    assert_eq!(messages[1].status, MessageStatus::Failed);
    settled(&cell).await;
    cell.stop();
}

#[actix_rt::test]
async fn what_is_cut_at_the_end_of_the_process_settles_at_its_worst_case() {
    let cell = cell();
    cell.upstream.script("a", [held(Script::Answer).1, Script::Stall(7)]);
    let whole = cell.pipeline.complete(cell.call());
    let half = async {
        let mut stream = cell.pipeline.stream(cell.call()).await.unwrap();
        for _ in 0..7 {
            stream.events.recv().await.unwrap().unwrap();
        }
        cell.cut.send_replace(true);
        assert!(stream.events.recv().await.is_none());
    };
    let (whole, ()) = tokio::join!(whole, half);
    assert_eq!(whole.unwrap_err().kind, ErrorKind::Draining);
    let mut rows = records(&cell).await;
    rows.sort_by_key(|row| row.2);
    // Of the stream seven frames came, and nobody knows how many more the provider made.
    let cut = |cost| ("a".to_owned(), Outcome::Cut, cost, true);
    assert_eq!(rows, [cut(HELD), cut(HELD)]);
    for call in [
        cell.pipeline.complete(cell.call()).await.err(),
        cell.pipeline.turn(turn(&cell, "c")).await.err(),
    ] {
        assert_eq!(call.unwrap().kind, ErrorKind::Draining);
    }
    assert_eq!(cell.upstream.calls().len(), 2, "called after the cut");
    cell.stop();
}

#[actix_rt::test]
async fn a_turn_that_is_cut_is_stored_as_failed() {
    let cell = cell();
    cell.upstream.script("a", [held(Script::Answer).1]);
    let cutting = async {
        while cell.gauges.attempts.get() == 0 {
            tokio::task::yield_now().await;
        }
        cell.cut.send_replace(true);
    };
    let (answer, ()) = tokio::join!(cell.pipeline.turn(turn(&cell, "c")), cutting);
    assert_eq!(answer.unwrap_err().kind, ErrorKind::Draining);
    let messages = cell.store.messages(&"c".parse().unwrap());
    assert_eq!(messages[1].status, MessageStatus::Failed);
    assert_eq!(records(&cell).await[0].1, Outcome::Cut);
    cell.stop();
}

/// A request that must not be read, and says how often it was.
#[derive(Debug, Clone, Default)]
struct ClosedBook {
    read: Rc<StdCell<u32>>,
}

impl OutgoingRequest for ClosedBook {
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        PlainRequest.write_for(model, bounds)
    }

    fn question(&self) -> Option<Question> {
        self.read.set(self.read.get() + 1);
        None
    }

    fn read_answer(&self, _: &Completion) -> Option<AnswerRead> {
        self.read.set(self.read.get() + 1);
        None
    }
}

#[actix_rt::test]
async fn a_named_model_reads_no_question_and_asks_no_more() {
    let cell = cell();
    let book = ClosedBook::default();
    let named = || ChatCall {
        plan: PlanRequest {
            target: Target::Named("a".into()),
            ..cell.call().plan
        },
        outgoing: Rc::new(book.clone()),
        ..cell.call()
    };
    let answer = cell.pipeline.complete(named()).await.unwrap();
    assert!(answer.served.routing.is_none());
    let mut stream = cell.pipeline.stream(named()).await.unwrap();
    assert!(stream.routing.is_none());
    while stream.events.recv().await.is_some() {}
    assert_eq!(cell.upstream.calls(), ["a", "a"]);
    assert_eq!(book.read.get(), 0);
    assert_eq!(cell.remote_asks.count(), 0);
    settled(&cell).await;
    cell.stop();
}
