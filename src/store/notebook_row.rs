//! Rows of `experiments`, `improvements`, `calibrations`, `model_edits` and `todo_lists`, turned into the protocol's types
//! and back.

use diesel::prelude::*;
use gateway_actors::protocol::{Experiment, Improvement, ModelEdit, StoredCalibration, TodoList};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Fault;
use super::schema::{experiments, improvements};
use super::transfer::{CalibrationRow, ModelEditRow};

/// A column holds what nobody wrote there.
fn broken<E>(_error: E) -> Fault {
    Fault::failed("a row of the notebook cannot be read")
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(broken)
}

fn written(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_error| Fault::failed("a row of the notebook cannot be written"))
}

/// A whole row of `experiments`, in the order of its columns.
#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = experiments, treat_none_as_null = true)]
pub(super) struct ExperimentRow {
    id: String,
    name: String,
    status: String,
    task: Option<String>,
    sticky: String,
    arms: String,
    guard: String,
    stopped_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
}

impl TryFrom<&Experiment> for ExperimentRow {
    type Error = Fault;

    fn try_from(experiment: &Experiment) -> Result<Self, Fault> {
        Ok(Self {
            id: experiment.id.to_string(),
            name: experiment.name.to_string(),
            status: experiment.status.to_string(),
            task: experiment.task.map(|task| task.to_string()),
            sticky: experiment.sticky.to_string(),
            arms: written(&experiment.arms)?,
            guard: written(&experiment.guard)?,
            stopped_reason: experiment.stopped_reason.as_deref().map(ToOwned::to_owned),
            created_at: experiment.created_at,
            updated_at: experiment.updated_at,
            deleted_at: None,
        })
    }
}

impl TryFrom<ExperimentRow> for Experiment {
    type Error = Fault;

    fn try_from(row: ExperimentRow) -> Result<Self, Fault> {
        Ok(Self {
            id: row.id.parse().map_err(broken)?,
            name: row.name.into(),
            status: row.status.parse().map_err(broken)?,
            task: row.task.as_deref().map(str::parse).transpose().map_err(broken)?,
            sticky: row.sticky.parse().map_err(broken)?,
            arms: read(&row.arms)?,
            guard: read(&row.guard)?,
            stopped_reason: row.stopped_reason.map(Into::into),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A whole row of `improvements`, in the order of its columns.
#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = improvements, treat_none_as_null = true)]
pub(super) struct ImprovementRow {
    id: String,
    kind: String,
    title: String,
    data: String,
    enabled: bool,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
}

impl From<&Improvement> for ImprovementRow {
    fn from(improvement: &Improvement) -> Self {
        Self {
            id: improvement.id.to_string(),
            kind: improvement.kind.to_string(),
            title: improvement.title.to_string(),
            data: improvement.data.to_string(),
            enabled: improvement.enabled,
            created_at: improvement.created_at,
            updated_at: improvement.updated_at,
            deleted_at: None,
        }
    }
}

impl TryFrom<ImprovementRow> for Improvement {
    type Error = Fault;

    fn try_from(row: ImprovementRow) -> Result<Self, Fault> {
        Ok(Self {
            id: row.id.parse().map_err(broken)?,
            kind: row.kind.parse().map_err(broken)?,
            title: row.title.into(),
            data: row.data.into(),
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl From<&StoredCalibration> for CalibrationRow {
    fn from(calibration: &StoredCalibration) -> Self {
        Self {
            id: calibration.id.to_string(),
            data: calibration.data.to_string(),
            summary: calibration.summary.to_string(),
            superseded_at: None,
            created_at: calibration.created_at,
        }
    }
}

impl From<CalibrationRow> for StoredCalibration {
    fn from(row: CalibrationRow) -> Self {
        Self {
            id: row.id.into(),
            data: row.data.into(),
            summary: row.summary.into(),
            created_at: row.created_at,
        }
    }
}

impl TryFrom<&ModelEdit> for ModelEditRow {
    type Error = Fault;

    fn try_from(edit: &ModelEdit) -> Result<Self, Fault> {
        Ok(Self {
            model_id: edit.model.to_string(),
            since: edit.since,
            trials: written(&edit.trials)?,
            created_at: edit.created_at,
            updated_at: edit.updated_at,
        })
    }
}

impl TryFrom<ModelEditRow> for ModelEdit {
    type Error = Fault;

    fn try_from(row: ModelEditRow) -> Result<Self, Fault> {
        Ok(Self {
            model: row.model_id.into(),
            since: row.since,
            trials: read(&row.trials)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A to-do list as it is stored. A model's words may hold a NUL, which is escaped in JSON.
pub(super) fn list_text(list: &TodoList) -> Result<String, Fault> {
    written(list)
}

/// A stored to-do list.
pub(super) fn list_of(text: &str) -> Result<TodoList, Fault> {
    read(text)
}
