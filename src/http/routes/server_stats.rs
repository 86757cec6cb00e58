//! `GET /v1/server-stats`: what was served since the process started, and what is under way.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::Totals;
use serde::Serialize;

use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, now_text};
use crate::http::shared::{Edge, Shared};
use crate::status::{Llm, Memory, Uptime};

#[derive(Serialize)]
struct ServerStats<'a> {
    uptime: Uptime,
    requests: Requests,
    llm: Llm,
    memory: Memory,
    providers: BTreeMap<&'a str, bool>,
    gateway: UnderWay,
    timestamp: String,
}

/// Requests that are over, refused ones included; the health and stats routes do not count.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    total: u64,
    average_duration: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnderWay {
    in_flight: usize,
    body_bytes: usize,
    open_holds: i64,
    leases: i64,
    open_streams: i64,
    open_turns: i64,
    unwritten_records: u64,
}

pub(super) async fn get(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    // It has no filters: who asks for a part must not take the whole for it.
    Query::parse(request.query_string(), &[])?;
    let shared = edge.shared();
    let cells = shared.totals.iter().map(|cell| cell.load());
    let totals = cells.fold(Totals::default(), Totals::and);
    let stats = ServerStats {
        uptime: Uptime::new(shared.started().elapsed()),
        requests: Requests {
            total: shared.requests.count(),
            average_duration: shared.requests.average_ms(),
        },
        llm: Llm::new(totals).map_err(|_never| Failure::internal())?,
        memory: Memory::now(),
        providers: shared
            .providers
            .iter()
            .map(|provider| (provider.name.as_str(), provider.has_key))
            .collect(),
        gateway: under_way(shared, totals),
        timestamp: now_text(),
    };
    std::future::ready(json(&stats)).await
}

fn under_way(shared: &Shared, totals: Totals) -> UnderWay {
    UnderWay {
        in_flight: shared.admission.in_flight(),
        body_bytes: shared.bodies.held(),
        open_holds: shared.gauges.holds.get(),
        leases: shared.gauges.attempts.get(),
        open_streams: shared.gauges.streams.get(),
        open_turns: shared.gauges.turns.get(),
        unwritten_records: totals.unwritten,
    }
}
