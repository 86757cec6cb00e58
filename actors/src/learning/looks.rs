//! What the database says that cells are to decide by, and whether an experiment must stop.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_routing::{ModelError, wilson};
use serde_json::json;

use crate::protocol::{
    ArmSum, Calibration, Complexity, Experiment, ExperimentStatus, Heuristic, Improvement, Learned, LearnedModel,
    ModelEdit, NanoUsd, StoredCalibration, SuccessRow, TaskType,
};

/// What one look found. What could not be read is missing, and stays as it was.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) experiments: Option<Vec<Experiment>>,
    pub(super) heuristics: Option<Vec<Improvement>>,
    pub(super) calibration: Option<Option<StoredCalibration>>,
    pub(super) table: Option<Vec<SuccessRow>>,
    /// The edits that the table was read with.
    pub(super) edits: Option<Vec<ModelEdit>>,
}

/// Why an experiment must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// For people, kept with the experiment.
    pub(super) reason: String,
    /// For operators, a JSON object.
    pub(super) detail: String,
}

/// What is published next, and a stored calibration that cannot be read.
pub(super) struct Next {
    pub(super) learned: Learned,
    pub(super) unreadable: Option<(Arc<str>, ModelError)>,
}

impl Found {
    /// What cells decide by from now on. `base` is the calibration that the gateway started with.
    pub(super) fn next(self, before: &Learned, base: &Calibration) -> Next {
        let (calibration, unreadable) = match self.calibration {
            None => ((before.calibration_id.clone(), before.model.clone()), None),
            Some(stored) => calibrated(stored, before, base),
        };
        let running = |experiment: &Experiment| experiment.status == ExperimentStatus::Running;
        let experiments = self.experiments.map(|experiments| {
            let experiments = experiments.into_iter().filter(running);
            experiments.map(Arc::new).collect()
        });
        let heuristics = self.heuristics.map(|notes| {
            let applying = notes.iter().filter(|note| note.enabled);
            let heuristics = applying.filter_map(Improvement::heuristic);
            heuristics.map(Arc::new).collect::<Vec<Arc<Heuristic>>>()
        });
        Next {
            learned: Learned {
                model: calibration.1,
                calibration_id: calibration.0,
                table: self.table.map_or_else(|| before.table.clone(), success_table),
                edits: self.edits.unwrap_or_else(|| before.edits.clone()),
                experiments: experiments.unwrap_or_else(|| before.experiments.clone()),
                heuristics: heuristics.unwrap_or_else(|| before.heuristics.clone()),
            },
            unreadable,
        }
    }
}

type Applied = (Option<Arc<str>>, Calibration);

/// The calibration that applies: what was stored on top of what the gateway started with.
fn calibrated(
    stored: Option<StoredCalibration>,
    before: &Learned,
    base: &Calibration,
) -> (Applied, Option<(Arc<str>, ModelError)>) {
    let Some(stored) = stored else {
        return ((None, base.clone()), None);
    };
    if before.calibration_id.as_ref() == Some(&stored.id) {
        return ((before.calibration_id.clone(), before.model.clone()), None);
    }
    match base.adjusted(&stored.data) {
        Ok(model) => ((Some(stored.id), Calibration::Own(Arc::new(model))), None),
        Err(error) => ((None, base.clone()), Some((stored.id, error))),
    }
}

fn success_table(rows: Vec<SuccessRow>) -> HashMap<(TaskType, Complexity), Vec<LearnedModel>> {
    let mut table: HashMap<_, Vec<LearnedModel>> = HashMap::new();
    for row in rows {
        table.entry((row.task, row.complexity)).or_default().push(LearnedModel {
            model: row.model,
            answers: row.answers,
            successes: row.successes,
            failures: row.failures,
        });
    }
    table
}

/// Whether what an experiment's requests come to is outside its guard rails.
pub(super) fn broken(experiment: &Experiment, sums: &[ArmSum]) -> Option<Broken> {
    let tell = |reason: String, arm: Option<&str>| {
        let detail = json!({
            "experiment": &*experiment.id.text(),
            "name": &*experiment.name,
            "arm": arm,
            "reason": reason,
        });
        Broken {
            detail: detail.to_string(),
            reason,
        }
    };
    let cost: NanoUsd = sums.iter().map(|sum| sum.cost).sum();
    if let Some(most) = experiment.guard.max_cost.filter(|most| cost > *most) {
        return Some(tell(format!("its requests cost {cost}, more than {most}"), None));
    }
    let limit = f64::from(experiment.guard.max_error_permille?) / 1_000.0;
    experiment.arms.iter().find_map(|arm| {
        let sum = sums.iter().find(|sum| sum.arm == arm.name)?;
        let (count, failures) = (sum.count, sum.failures);
        if count < u64::from(experiment.guard.min_samples) {
            return None;
        }
        let rate = wilson(failures, count).filter(|rate| rate.low > limit)?;
        let reason = format!(
            "of the {count} requests of arm `{}` that were answered or failed {:.1} % went wrong, certainly more than {:.1} %",
            arm.name,
            rate.value * 100.0,
            limit * 100.0
        );
        Some(tell(reason, Some(&arm.name)))
    })
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
