//! Outcomes, the notebook and to-do lists of a PostgreSQL database. Times are the server's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use gateway_actors::protocol::{
    ArmSum, ConversationId, EarlierTests, Experiment, ExperimentId, Feedback, Improvement, ImprovementId,
    ImprovementKind, ModelEdit, ModelId, NotebookStore, OutcomeRow, OutcomeStore, RecordOwner, RequestId, StoreFuture,
    StoredCalibration, SuccessRow, TodoList, TodoStore,
};

use super::transactions::{Access, Transactions};
use super::{clock, queries};

/// How long summing up outcomes may take: there may be millions of them.
const SUMS_LIMIT: Duration = Duration::from_secs(60);

/// The outcomes, notebook and to-do lists of one database.
#[derive(Debug)]
pub(super) struct Notes {
    transactions: Transactions,
}

impl Notes {
    pub(super) fn new(transactions: Transactions) -> Self {
        Self { transactions }
    }
}

impl OutcomeStore for Notes {
    fn insert(&self, outcomes: Vec<OutcomeRow>) -> StoreFuture<()> {
        let outcomes = Arc::new(outcomes);
        self.transactions.submit(Access::Write, move |connection| {
            let outcomes = Arc::clone(&outcomes);
            async move {
                let now = clock::now_us(connection).await?;
                queries::insert_outcomes(connection, &outcomes, now).await
            }
            .boxed()
        })
    }

    fn feedback(&self, feedback: Feedback, owner: RecordOwner) -> StoreFuture<bool> {
        let feedback = Arc::new(feedback);
        let owner = Arc::new(owner);
        self.transactions.submit(Access::Write, move |connection| {
            let feedback = Arc::clone(&feedback);
            let owner = Arc::clone(&owner);
            async move {
                let now = clock::now_us(connection).await?;
                queries::note_feedback(connection, &feedback, &owner, now).await
            }
            .boxed()
        })
    }

    fn note_tests(&self, earlier: EarlierTests) -> StoreFuture<bool> {
        let earlier = Arc::new(earlier);
        self.transactions.submit(Access::Write, move |connection| {
            let earlier = Arc::clone(&earlier);
            async move {
                let now = clock::now_us(connection).await?;
                queries::note_tests(connection, &earlier, now).await
            }
            .boxed()
        })
    }

    fn table(&self, since: i64) -> StoreFuture<Vec<SuccessRow>> {
        let patient = self.transactions.with_limit(SUMS_LIMIT);
        patient.submit(Access::Read, move |connection| {
            async move {
                clock::be_patient(connection, SUMS_LIMIT).await?;
                queries::successes(connection, since).await
            }
            .boxed()
        })
    }

    fn experiment_sums(&self, experiment: ExperimentId) -> StoreFuture<Vec<ArmSum>> {
        let patient = self.transactions.with_limit(SUMS_LIMIT);
        patient.submit(Access::Read, move |connection| {
            async move {
                clock::be_patient(connection, SUMS_LIMIT).await?;
                queries::experiment_sums(connection, experiment).await
            }
            .boxed()
        })
    }

    fn of_experiment(&self, experiment: ExperimentId, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.transactions.submit(Access::Read, move |connection| {
            queries::outcomes_of_experiment(connection, experiment, most).boxed()
        })
    }

    fn page(&self, since: i64, after: Option<Arc<str>>, most: u32) -> StoreFuture<Vec<OutcomeRow>> {
        self.transactions.submit(Access::Read, move |connection| {
            let after = after.clone();
            async move { queries::outcome_page(connection, since, after.as_deref(), most).await }.boxed()
        })
    }
}

impl NotebookStore for Notes {
    fn experiments(&self) -> StoreFuture<Vec<Experiment>> {
        self.transactions
            .submit(Access::Read, |connection| queries::list_experiments(connection).boxed())
    }

    fn put_experiment(&self, experiment: Experiment) -> StoreFuture<bool> {
        let experiment = Arc::new(experiment);
        self.transactions.submit(Access::Write, move |connection| {
            let experiment = Arc::clone(&experiment);
            async move { queries::put_experiment(connection, &experiment).await }.boxed()
        })
    }

    fn stop_experiment(&self, id: ExperimentId, reason: Arc<str>) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, move |connection| {
            let reason = Arc::clone(&reason);
            async move {
                let now = clock::now_us(connection).await?;
                queries::stop_experiment(connection, id, &reason, now).await
            }
            .boxed()
        })
    }

    fn delete_experiment(&self, id: ExperimentId) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::delete_experiment(connection, id, now).await
            }
            .boxed()
        })
    }

    fn improvements(&self, kind: ImprovementKind) -> StoreFuture<Vec<Improvement>> {
        self.transactions.submit(Access::Read, move |connection| {
            queries::list_improvements(connection, kind).boxed()
        })
    }

    fn put_improvement(&self, improvement: Improvement) -> StoreFuture<bool> {
        let improvement = Arc::new(improvement);
        self.transactions.submit(Access::Write, move |connection| {
            let improvement = Arc::clone(&improvement);
            async move { queries::put_improvement(connection, &improvement).await }.boxed()
        })
    }

    fn delete_improvement(&self, id: ImprovementId) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, move |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::delete_improvement(connection, id, now).await
            }
            .boxed()
        })
    }

    fn model_edits(&self) -> StoreFuture<Vec<ModelEdit>> {
        self.transactions
            .submit(Access::Read, |connection| queries::list_model_edits(connection).boxed())
    }

    fn put_model_edit(&self, edit: ModelEdit) -> StoreFuture<()> {
        let edit = Arc::new(edit);
        self.transactions.submit(Access::Write, move |connection| {
            let edit = Arc::clone(&edit);
            async move { queries::put_model_edit(connection, &edit).await }.boxed()
        })
    }

    fn delete_model_edit(&self, model: ModelId) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, move |connection| {
            let model = model.clone();
            async move { queries::delete_model_edit(connection, &model).await }.boxed()
        })
    }

    fn calibration(&self) -> StoreFuture<Option<StoredCalibration>> {
        self.transactions
            .submit(Access::Read, |connection| queries::calibration(connection).boxed())
    }

    fn put_calibration(&self, calibration: StoredCalibration) -> StoreFuture<()> {
        let calibration = Arc::new(calibration);
        self.transactions.submit(Access::Write, move |connection| {
            let calibration = Arc::clone(&calibration);
            async move {
                let now = clock::now_us(connection).await?;
                queries::put_calibration(connection, &calibration, now).await
            }
            .boxed()
        })
    }

    fn revert_calibration(&self) -> StoreFuture<bool> {
        self.transactions.submit(Access::Write, |connection| {
            async move {
                let now = clock::now_us(connection).await?;
                queries::revert_calibration(connection, now).await
            }
            .boxed()
        })
    }
}

impl TodoStore for Notes {
    fn open_list(&self, conversation: ConversationId) -> StoreFuture<Option<TodoList>> {
        let conversation = Arc::new(conversation);
        self.transactions.submit(Access::Read, move |connection| {
            let conversation = Arc::clone(&conversation);
            async move { queries::open_list(connection, &conversation).await }.boxed()
        })
    }

    fn put(&self, conversation: ConversationId, request: RequestId, list: TodoList) -> StoreFuture<()> {
        let conversation = Arc::new(conversation);
        let list = Arc::new(list);
        self.transactions.submit(Access::Write, move |connection| {
            let conversation = Arc::clone(&conversation);
            let list = Arc::clone(&list);
            async move {
                let now = clock::now_us(connection).await?;
                queries::put_list(connection, &conversation, request, &list, now).await
            }
            .boxed()
        })
    }
}
