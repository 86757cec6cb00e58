//! Experiments, notes, calibrations and edits of models.
//!
//! What was deleted keeps its row, and is not brought back by whoever writes it a moment later.

use diesel::prelude::*;
use diesel::query_dsl::methods;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use gateway_actors::protocol::{
    Experiment, ExperimentId, ExperimentStatus, Improvement, ImprovementId, ImprovementKind, ModelEdit, ModelId,
    StoredCalibration,
};

use super::Connection;
use crate::store::error::QueryError;
use crate::store::notebook_row::{ExperimentRow, ImprovementRow};
use crate::store::schema::{calibrations, experiments, improvements, model_edits};
use crate::store::transfer::{CalibrationRow, ModelEditRow};

/// Every experiment that is not deleted, oldest first.
pub(in super::super) async fn list_experiments(connection: &mut Connection) -> Result<Vec<Experiment>, QueryError> {
    let rows: Vec<ExperimentRow> = experiments::table
        .filter(experiments::deleted_at.is_null())
        .order((experiments::created_at, experiments::id))
        .select(ExperimentRow::as_select())
        .load(connection)
        .await?;
    let read = rows.into_iter().map(Experiment::try_from);
    Ok(read.collect::<Result<_, _>>()?)
}

/// Stores an experiment over the one with its id; whether it did. One that was stopped stays so, whatever whoever writes it
/// had read before.
pub(in super::super) async fn put_experiment(
    connection: &mut Connection,
    experiment: &Experiment,
) -> Result<bool, QueryError> {
    let row = ExperimentRow::try_from(experiment)?;
    let stopped = ExperimentStatus::Stopped;
    let stays_stopped = (experiment.status == stopped).into_sql::<Bool>();
    let put = diesel::insert_into(experiments::table)
        .values(&row)
        .on_conflict(experiments::id)
        .do_update()
        .set(&row);
    let put = methods::FilterDsl::filter(
        put,
        experiments::deleted_at
            .is_null()
            .and(experiments::status.ne(stopped.as_str()).or(stays_stopped)),
    );
    Ok(put.execute(connection).await? > 0)
}

/// Stops an experiment that is not stopped; whether this did it.
pub(in super::super) async fn stop_experiment(
    connection: &mut Connection,
    id: ExperimentId,
    reason: &str,
    now: i64,
) -> Result<bool, QueryError> {
    let stopped = ExperimentStatus::Stopped.as_str();
    let this = experiments::table
        .find(id.to_string())
        .filter(experiments::status.ne(stopped))
        .filter(experiments::deleted_at.is_null());
    let changed = diesel::update(this)
        .set((
            experiments::status.eq(stopped),
            experiments::stopped_reason.eq(reason),
            experiments::updated_at.eq(now),
        ))
        .execute(connection)
        .await?;
    Ok(changed > 0)
}

/// Deletes an experiment; whether there was one.
pub(in super::super) async fn delete_experiment(
    connection: &mut Connection,
    id: ExperimentId,
    now: i64,
) -> Result<bool, QueryError> {
    let this = experiments::table
        .find(id.to_string())
        .filter(experiments::deleted_at.is_null());
    let deleted = diesel::update(this)
        .set((experiments::deleted_at.eq(now), experiments::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(deleted > 0)
}

/// Every note of this kind that is not deleted, oldest first.
pub(in super::super) async fn list_improvements(
    connection: &mut Connection,
    kind: ImprovementKind,
) -> Result<Vec<Improvement>, QueryError> {
    let rows: Vec<ImprovementRow> = improvements::table
        .filter(improvements::kind.eq(kind.as_str()))
        .filter(improvements::deleted_at.is_null())
        .order((improvements::created_at, improvements::id))
        .select(ImprovementRow::as_select())
        .load(connection)
        .await?;
    let read = rows.into_iter().map(Improvement::try_from);
    Ok(read.collect::<Result<_, _>>()?)
}

/// Stores a note over the one with its id; whether it did.
pub(in super::super) async fn put_improvement(
    connection: &mut Connection,
    improvement: &Improvement,
) -> Result<bool, QueryError> {
    let row = ImprovementRow::from(improvement);
    let put = diesel::insert_into(improvements::table)
        .values(&row)
        .on_conflict(improvements::id)
        .do_update()
        .set(&row);
    let put = methods::FilterDsl::filter(put, improvements::deleted_at.is_null());
    Ok(put.execute(connection).await? > 0)
}

/// Deletes a note; whether there was one.
pub(in super::super) async fn delete_improvement(
    connection: &mut Connection,
    id: ImprovementId,
    now: i64,
) -> Result<bool, QueryError> {
    let this = improvements::table
        .find(id.to_string())
        .filter(improvements::deleted_at.is_null());
    let deleted = diesel::update(this)
        .set((improvements::deleted_at.eq(now), improvements::updated_at.eq(now)))
        .execute(connection)
        .await?;
    Ok(deleted > 0)
}

/// The edits of models, in the order of the models' ids.
pub(in super::super) async fn list_model_edits(connection: &mut Connection) -> Result<Vec<ModelEdit>, QueryError> {
    let rows: Vec<ModelEditRow> = model_edits::table
        .order(model_edits::model_id)
        .select(ModelEditRow::as_select())
        .load(connection)
        .await?;
    let read = rows.into_iter().map(ModelEdit::try_from);
    Ok(read.collect::<Result<_, _>>()?)
}

/// Stores an edit over the model's, if there is one; when that was made stays.
pub(in super::super) async fn put_model_edit(connection: &mut Connection, edit: &ModelEdit) -> Result<(), QueryError> {
    let row = ModelEditRow::try_from(edit)?;
    let changes = (
        model_edits::since.eq(row.since),
        model_edits::trials.eq(row.trials.clone()),
        model_edits::updated_at.eq(row.updated_at),
    );
    diesel::insert_into(model_edits::table)
        .values(row)
        .on_conflict(model_edits::model_id)
        .do_update()
        .set(changes)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes a model's edit back; whether there was one.
pub(in super::super) async fn delete_model_edit(
    connection: &mut Connection,
    model: &ModelId,
) -> Result<bool, QueryError> {
    let deleted = diesel::delete(model_edits::table.find(model.as_str()));
    Ok(deleted.execute(connection).await? > 0)
}

/// The calibration that applies: the newest that nothing has superseded.
pub(in super::super) async fn calibration(
    connection: &mut Connection,
) -> Result<Option<StoredCalibration>, QueryError> {
    let row: Option<CalibrationRow> = calibrations::table
        .filter(calibrations::superseded_at.is_null())
        .order((calibrations::created_at.desc(), calibrations::id.desc()))
        .select(CalibrationRow::as_select())
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(StoredCalibration::from))
}

/// Lets a calibration apply, inside the running transaction. A second call with the same one changes nothing.
pub(in super::super) async fn put_calibration(
    connection: &mut Connection,
    calibration: &StoredCalibration,
    now: i64,
) -> Result<(), QueryError> {
    let others = calibrations::table
        .filter(calibrations::superseded_at.is_null())
        .filter(calibrations::id.ne(&*calibration.id));
    diesel::update(others)
        .set(calibrations::superseded_at.eq(now))
        .execute(connection)
        .await?;
    diesel::insert_into(calibrations::table)
        .values(CalibrationRow::from(calibration))
        .on_conflict(calibrations::id)
        .do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets no calibration apply any more; whether one did.
pub(in super::super) async fn revert_calibration(connection: &mut Connection, now: i64) -> Result<bool, QueryError> {
    let applied = calibrations::table.filter(calibrations::superseded_at.is_null());
    let reverted = diesel::update(applied)
        .set(calibrations::superseded_at.eq(now))
        .execute(connection)
        .await?;
    Ok(reverted > 0)
}
