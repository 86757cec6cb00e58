//! `GET /health` for people, `/health/live` and `/health/ready` for whoever starts, stops and balances processes.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_actors::protocol::{EventStore, GatewayEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::http::error::Failure;
use crate::http::respond::{json, json_with, micros_text, now_text};
use crate::http::shared::{Edge, Lifecycle};
use crate::status::Condition;

/// A thread that is so late with its beat gets no work done: nobody should be sent here.
const HANGS_FROM: Duration = Duration::from_secs(2);
/// Alerts that are told of.
const MOST_ALERTS: u32 = 20;
/// How long the database may take to tell them.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    /// Null while none is configured.
    redis: Option<bool>,
    database: bool,
    timestamp: String,
    version: &'static str,
    #[serde(flatten)]
    condition: Condition<'a>,
    alerts: Vec<Alert>,
}

/// What operators are told of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    id: String,
    kind: String,
    raised_at: String,
    detail: Box<RawValue>,
}

pub(super) async fn get(edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let database = shared.store_probe.is_well().await;
    let (catalogue, snapshot) = (shared.catalogue.load(), shared.health.load());
    let condition = Condition::new(&shared.providers, &catalogue, &snapshot, &shared.system_health.borrow());
    json(&Health {
        status: status(shared.lifecycle(), database && condition.is_well()),
        redis: shared.limits.shared_is_there(),
        database,
        timestamp: now_text(),
        version: env!("CARGO_PKG_VERSION"),
        condition,
        alerts: match database {
            true => alerts(&*shared.events).await,
            false => Vec::new(),
        },
    })
}

/// The newest events of the present periods; none while the database does not tell.
async fn alerts(events: &dyn EventStore) -> Vec<Alert> {
    let Ok(Ok(events)) = timeout(PATIENCE, events.present(MOST_ALERTS)).await else {
        return Vec::new();
    };
    let alert = |event: GatewayEvent| {
        Some(Alert {
            id: event.id,
            kind: event.kind,
            raised_at: micros_text(event.created_at),
            detail: RawValue::from_string(event.detail).ok()?,
        })
    };
    events.into_iter().filter_map(alert).collect()
}

fn status(lifecycle: Lifecycle, well: bool) -> &'static str {
    match lifecycle {
        Lifecycle::Leaving | Lifecycle::Draining | Lifecycle::Cutting | Lifecycle::Ending => "draining",
        Lifecycle::Serving if well => "ok",
        Lifecycle::Serving | Lifecycle::Starting => "degraded",
    }
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

pub(super) async fn live() -> Result<HttpResponse, Failure> {
    std::future::ready(json(&Live { status: "ok" })).await
}

/// Tells why not, but nothing that is not for everybody.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<&'static str>,
}

pub(super) async fn ready(edge: Edge) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let mut reasons = Vec::new();
    match shared.lifecycle() {
        Lifecycle::Serving => {}
        Lifecycle::Starting => reasons.push("the gateway is starting"),
        Lifecycle::Leaving | Lifecycle::Draining | Lifecycle::Cutting | Lifecycle::Ending => {
            reasons.push("the gateway is shutting down")
        }
    }
    if shared.system_health.borrow().fatal.is_some() {
        reasons.push("a part of the gateway failed for good");
    }
    if shared.system_health.borrow().lag >= HANGS_FROM {
        reasons.push("a thread of the gateway hangs");
    }
    if !shared.store_probe.is_well().await {
        reasons.push("the database or the journal cannot be written");
    }
    let ready = reasons.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json_with(status, &Ready { ready, reasons })
}
