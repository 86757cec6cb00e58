//! Outcomes, the notebook and to-do lists of a SQLite file: writes go through the writer's queue, the rest is read beside
//! it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway_actors::protocol::{
    ArmSum, ConversationId, EarlierTests, Experiment, ExperimentId, Feedback, Improvement, ImprovementId,
    ImprovementKind, ModelEdit, ModelId, NotebookStore, OutcomeRow, OutcomeStore, RecordOwner, RequestId, StoreFuture,
    StoredCalibration, SuccessRow, TodoList, TodoStore,
};
use tokio::runtime::Handle;

use super::connection::{Connection, ReadPool};
use super::queries;
use super::reports::Reports;
use super::writer::Writer;
use crate::store::error::{Fault, QueryError};
use crate::store::{now_us, runtime};

/// The outcomes, notebook and to-do lists of one database.
#[derive(Debug)]
pub(super) struct Notes {
    writer: Writer,
    readers: ReadPool,
    /// What reads many rows is a report, too: it waits for the others.
    reports: Arc<Reports>,
    runtime: Handle,
}

impl Notes {
    pub(super) fn new(writer: Writer, readers: ReadPool, reports: Arc<Reports>, runtime: Handle) -> Self {
        Self {
            writer,
            readers,
            reports,
            runtime,
        }
    }

    fn read<T, W>(&self, work: W) -> StoreFuture<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, QueryError>> + Send + 'static,
    {
        let readers = self.readers.clone();
        runtime::spawn(&self.runtime, async move {
            let mut connection = readers.get().await.map_err(Fault::from)?;
            work(&mut connection).await
        })
    }
}

impl OutcomeStore for Notes {
    fn insert(&self, outcomes: Vec<OutcomeRow>) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            async move { queries::insert_outcomes(connection, &outcomes, now_us()).await }.boxed()
        })
    }

    fn feedback(&self, feedback: Feedback, owner: RecordOwner) -> StoreFuture<bool> {
        self.writer.submit(move |connection| {
            async move { queries::note_feedback(connection, &feedback, &owner, now_us()).await }.boxed()
        })
    }

    fn note_tests(&self, earlier: EarlierTests) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| async move { queries::note_tests(connection, &earlier, now_us()).await }.boxed())
    }

    fn table(&self, since: i64) -> StoreFuture<Vec<SuccessRow>> {
        self.reports
            .read(move |connection| async move { queries::successes(connection, since).await }.boxed())
    }

    fn experiment_sums(&self, experiment: ExperimentId) -> StoreFuture<Vec<ArmSum>> {
        self.reports
            .read(move |connection| async move { queries::experiment_sums(connection, experiment).await }.boxed())
    }

    fn of_experiment(&self, experiment: ExperimentId, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.reports.read(move |connection| {
            async move { queries::outcomes_of_experiment(connection, experiment, most).await }.boxed()
        })
    }

    fn page(&self, since: i64, after: Option<Arc<str>>, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.reports.read(move |connection| {
            async move { queries::outcome_page(connection, since, after.as_deref(), most).await }.boxed()
        })
    }
}

impl NotebookStore for Notes {
    fn experiments(&self) -> StoreFuture<Vec<Experiment>> {
        self.read(|connection| queries::list_experiments(connection).boxed())
    }

    fn put_experiment(&self, experiment: Experiment) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| async move { queries::put_experiment(connection, &experiment).await }.boxed())
    }

    fn stop_experiment(&self, id: ExperimentId, reason: Arc<str>) -> StoreFuture<bool> {
        self.writer.submit(move |connection| {
            async move { queries::stop_experiment(connection, id, &reason, now_us()).await }.boxed()
        })
    }

    fn delete_experiment(&self, id: ExperimentId) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| queries::delete_experiment(connection, id, now_us()).boxed())
    }

    fn improvements(&self, kind: ImprovementKind) -> StoreFuture<Vec<Improvement>> {
        self.read(move |connection| queries::list_improvements(connection, kind).boxed())
    }

    fn put_improvement(&self, improvement: Improvement) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| async move { queries::put_improvement(connection, &improvement).await }.boxed())
    }

    fn delete_improvement(&self, id: ImprovementId) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| queries::delete_improvement(connection, id, now_us()).boxed())
    }

    fn model_edits(&self) -> StoreFuture<Vec<ModelEdit>> {
        self.read(|connection| queries::list_model_edits(connection).boxed())
    }

    fn put_model_edit(&self, edit: ModelEdit) -> StoreFuture<()> {
        self.writer
            .submit(move |connection| async move { queries::put_model_edit(connection, &edit).await }.boxed())
    }

    fn delete_model_edit(&self, model: ModelId) -> StoreFuture<bool> {
        self.writer
            .submit(move |connection| async move { queries::delete_model_edit(connection, &model).await }.boxed())
    }

    fn calibration(&self) -> StoreFuture<Option<StoredCalibration>> {
        self.read(|connection| queries::calibration(connection).boxed())
    }

    fn put_calibration(&self, calibration: StoredCalibration) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            async move { queries::put_calibration(connection, &calibration, now_us()).await }.boxed()
        })
    }

    fn revert_calibration(&self) -> StoreFuture<bool> {
        self.writer
            .submit(|connection| queries::revert_calibration(connection, now_us()).boxed())
    }
}

impl TodoStore for Notes {
    fn open_list(&self, conversation: ConversationId) -> StoreFuture<Option<TodoList>> {
        self.read(move |connection| async move { queries::open_list(connection, &conversation).await }.boxed())
    }

    fn put(&self, conversation: ConversationId, request: RequestId, list: TodoList) -> StoreFuture<()> {
        self.writer.submit(move |connection| {
            async move { queries::put_list(connection, &conversation, request, &list, now_us()).await }.boxed()
        })
    }
}
