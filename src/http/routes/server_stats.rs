//! `GET /v1/server-stats`: what was served since the process started, and what is under way.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, now_text};
use crate::http::shared::Edge;
use crate::status::{Llm, Memory, Requests, UnderWay, Uptime, held_by_all_cells, of_all_cells};

#[derive(Serialize)]
struct ServerStats<'a> {
    uptime: Uptime,
    requests: Requests,
    llm: Llm,
    memory: Memory,
    providers: BTreeMap<&'a str, bool>,
    gateway: UnderWay,
    learning: Learning,
    timestamp: String,
}

/// What became of requests, as far as it is kept to learn from.
#[derive(Serialize)]
struct Learning {
    /// Outcomes that were not stored.
    dropped: u64,
}

pub(super) async fn get(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    // It has no filters: who asks for a part must not take the whole for it.
    Query::parse(request.query_string(), &[])?;
    let shared = edge.shared();
    let totals = of_all_cells(&shared.totals);
    let (admission, held) = (&shared.admission, held_by_all_cells(&shared.budgets));
    let gateway = UnderWay::new(admission.in_flight(), held, &shared.gauges, totals);
    let stats = ServerStats {
        uptime: Uptime::new(shared.started().elapsed()),
        requests: shared.requests.load(),
        llm: Llm::new(totals).map_err(|_never| Failure::internal())?,
        memory: Memory::now(),
        providers: shared
            .providers
            .iter()
            .map(|provider| (provider.name.as_str(), provider.has_key))
            .collect(),
        gateway: gateway.with_http(admission.waiting(), shared.bodies.held(), &shared.gauges),
        learning: Learning {
            dropped: shared.learning.dropped(),
        },
        timestamp: now_text(),
    };
    std::future::ready(json(&stats)).await
}
