//! `/v1/experiments`: comparisons of ways to choose a model. Operators look, administrators change.

mod draft;
mod results;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{
    Arm, ErrorKind, Experiment, ExperimentId, ExperimentStatus, GatewayError, NanoUsd, Sticky, TaskType,
};
use gateway_actors::runtime::unix_micros;
use serde::Serialize;
use serde_json::value::RawValue;

use self::draft::{Change, draft};
use self::results::{MOST_OUTCOMES, Results};
use super::admin::body;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, json_with, micros_text};
use crate::http::shared::Edge;
use crate::status::usd_number;

/// Why an experiment was stopped that nobody else stopped.
const BY_HAND: &str = "stopped by an administrator";

#[derive(Serialize)]
struct List {
    experiments: Vec<Shown>,
}

#[derive(Serialize)]
struct One {
    experiment: Shown,
    #[serde(flatten)]
    results: Results,
}

/// An experiment as people are told of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: ExperimentId,
    name: String,
    status: ExperimentStatus,
    task: Option<TaskType>,
    sticky: Sticky,
    arms: Vec<Arm>,
    guard: ShownGuard,
    stopped_reason: Option<String>,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownGuard {
    max_error_rate: Option<f64>,
    min_samples: u32,
    max_cost_usd: Option<Box<RawValue>>,
    max_cost_nano_usd: Option<NanoUsd>,
}

impl Shown {
    fn of(experiment: Experiment) -> Result<Self, Failure> {
        let guard = experiment.guard;
        let max_cost = guard.max_cost.map(usd_number).transpose();
        Ok(Self {
            id: experiment.id,
            name: experiment.name.as_ref().to_owned(),
            status: experiment.status,
            task: experiment.task,
            sticky: experiment.sticky,
            arms: experiment.arms,
            guard: ShownGuard {
                max_error_rate: guard.max_error_permille.map(|permille| f64::from(permille) / 1_000.0),
                min_samples: guard.min_samples,
                max_cost_usd: max_cost.map_err(|_never| Failure::internal())?,
                max_cost_nano_usd: guard.max_cost,
            },
            stopped_reason: experiment.stopped_reason.map(|reason| reason.as_ref().to_owned()),
            created_at: micros_text(experiment.created_at),
            updated_at: micros_text(experiment.updated_at),
        })
    }
}

/// `GET /v1/experiments`.
pub(super) async fn list(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    Query::parse(request.query_string(), &[])?;
    let experiments = edge.shared().notebook.experiments().await?;
    let experiments = experiments.into_iter().map(Shown::of);
    json(&List {
        experiments: experiments.collect::<Result<_, _>>()?,
    })
}

/// `POST /v1/experiments`: it runs at once.
pub(super) async fn create(request: HttpRequest, payload: web::Payload, edge: Edge) -> Result<HttpResponse, Failure> {
    let body = body(&request, payload, &edge).await?;
    let shared = edge.shared();
    let experiment = draft(&body, &shared.catalogue.load(), unix_micros())?;
    shared.notebook.put_experiment(experiment.clone()).await?;
    json_with(StatusCode::CREATED, &Shown::of(experiment)?)
}

/// `GET /v1/experiments/{id}`: with its results so far.
pub(super) async fn get(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    let experiment = find(&id, &edge).await?;
    // One more than is counted tells whether there are more.
    let most = u32::try_from(MOST_OUTCOMES + 1).unwrap_or(u32::MAX);
    let outcomes = edge.shared().outcomes.of_experiment(experiment.id, most).await?;
    let results = Results::of(&experiment, &outcomes);
    json(&One {
        experiment: Shown::of(experiment)?,
        results,
    })
}

/// `PATCH /v1/experiments/{id}`: whether it runs, and when it is stopped by itself. Arms stay as they are: what was counted
/// under one must not count for another.
pub(super) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    edge: Edge,
) -> Result<HttpResponse, Failure> {
    let change = Change::read(&body(&request, payload, &edge).await?)?;
    let mut experiment = find(&id, &edge).await?;
    let notebook = &edge.shared().notebook;
    let is_over = experiment.status == ExperimentStatus::Stopped;
    let goes_on = change.status.is_some_and(|status| status != ExperimentStatus::Stopped);
    if is_over && (goes_on || change.guard.is_some()) {
        return Err(over().into());
    }
    if let Some(guard) = change.guard {
        experiment.guard = guard.over(experiment.guard);
    }
    let stops = change.status == Some(ExperimentStatus::Stopped) && !is_over;
    if let Some(status) = change.status.filter(|_| !stops) {
        experiment.status = status;
    }
    experiment.updated_at = unix_micros();
    if change.guard.is_some() || !stops {
        let is_changed = notebook.put_experiment(experiment.clone()).await?;
        if !is_changed {
            // It was stopped meanwhile, by itself or by somebody else, or is gone.
            find(&id, &edge).await?;
            return Err(over().into());
        }
    }
    if stops {
        notebook.stop_experiment(experiment.id, BY_HAND.into()).await?;
        // It may have been stopped by itself a moment before.
        experiment = find(&id, &edge).await?;
    }
    json(&Shown::of(experiment)?)
}

/// `DELETE /v1/experiments/{id}`: requests meet it no more; what was counted stays in their outcomes.
pub(super) async fn delete(id: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    let id = id.parse().map_err(|_unknown| unknown())?;
    if !edge.shared().notebook.delete_experiment(id).await? {
        return Err(unknown().into());
    }
    Ok(HttpResponse::build(StatusCode::NO_CONTENT).finish())
}

async fn find(id: &str, edge: &Edge) -> Result<Experiment, Failure> {
    let id: ExperimentId = id.parse().map_err(|_unknown| unknown())?;
    let experiments = edge.shared().notebook.experiments().await?;
    let found = experiments.into_iter().find(|experiment| experiment.id == id);
    Ok(found.ok_or_else(unknown)?)
}

fn over() -> GatewayError {
    GatewayError::invalid("status", "this experiment was stopped and is over; make a new one")
}

fn unknown() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "there is no experiment of this id")
}
