//! One look at the database.

use std::sync::Arc;
use std::time::Duration;

use super::looks::{Found, broken};
use crate::protocol::{
    EventStore, Experiment, ExperimentStatus, ImprovementKind, ModelEdit, NotebookStore, OutcomeStore, StoreError,
    StoreFuture,
};
use crate::runtime::unix_micros;

/// How old an outcome may be to count in the table of successes: models change under their names.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

/// Whom to ask.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) outcomes: Arc<dyn OutcomeStore>,
    pub(super) notebook: Arc<dyn NotebookStore>,
    pub(super) events: Arc<dyn EventStore>,
    /// Whether the table of successes is read, which the database sums up from many rows.
    pub(super) with_table: bool,
    /// The edits of models that the table was read with last; nothing where nobody wants the table. It is read at once where
    /// they have changed.
    pub(super) edits: Option<Vec<ModelEdit>>,
}

impl Look {
    /// Stops experiments that must stop, and reads what cells are to decide by; with the first trouble there was.
    pub(super) async fn run(self) -> (Found, Option<StoreError>) {
        let mut trouble = None;
        let experiments = read(self.notebook.experiments(), &mut trouble).await;
        let experiments = match experiments {
            Some(experiments) => Some(self.those_within_bounds(experiments, &mut trouble).await),
            None => None,
        };
        let edits = match self.edits {
            Some(_) => read(self.notebook.model_edits(), &mut trouble).await,
            None => None,
        };
        let is_edited = edits.is_some() && edits != self.edits;
        let since = unix_micros().saturating_sub(i64::try_from(REMEMBERED.as_micros()).unwrap_or(i64::MAX));
        let table = match self.with_table || is_edited {
            true => read(self.outcomes.table(since), &mut trouble).await,
            false => None,
        };
        let found = Found {
            experiments,
            heuristics: read(self.notebook.improvements(ImprovementKind::Heuristic), &mut trouble).await,
            calibration: read(self.notebook.calibration(), &mut trouble).await,
            // What the table was not read with is not known yet.
            edits: edits.filter(|_| table.is_some()),
            table,
        };
        (found, trouble)
    }

    async fn those_within_bounds(
        &self,
        experiments: Vec<Experiment>,
        trouble: &mut Option<StoreError>,
    ) -> Vec<Experiment> {
        let mut within = Vec::with_capacity(experiments.len());
        for experiment in experiments {
            match self.stop_if_broken(&experiment).await {
                Ok(true) => {}
                Ok(false) => within.push(experiment),
                // It is looked at again soon; until then it goes on.
                Err(error) => {
                    trouble.get_or_insert(error);
                    within.push(experiment);
                }
            }
        }
        within
    }

    /// Whether the experiment is over.
    async fn stop_if_broken(&self, experiment: &Experiment) -> Result<bool, StoreError> {
        let guard = experiment.guard;
        let is_guarded = guard.max_error_permille.is_some() || guard.max_cost.is_some();
        if experiment.status != ExperimentStatus::Running || !is_guarded {
            return Ok(false);
        }
        let sums = self.outcomes.experiment_sums(experiment.id).await?;
        let Some(broken) = broken(experiment, &sums) else {
            return Ok(false);
        };
        // Told first: who dies in between has it told, and stopped at the next look.
        let once = format!(
            "experiment_stopped|{}|{}",
            &*experiment.id.text(),
            experiment.updated_at
        );
        self.events.raise("experiment_stopped", once, broken.detail).await?;
        if self
            .notebook
            .stop_experiment(experiment.id, broken.reason.as_str().into())
            .await?
        {
            tracing::warn!(
                experiment = &*experiment.id.text(),
                reason = broken.reason,
                "an experiment was stopped"
            );
        }
        Ok(true)
    }
}

async fn read<T>(question: StoreFuture<T>, trouble: &mut Option<StoreError>) -> Option<T> {
    match question.await {
        Ok(found) => Some(found),
        Err(error) => {
            trouble.get_or_insert(error);
            None
        }
    }
}
