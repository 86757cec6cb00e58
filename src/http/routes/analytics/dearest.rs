//! `GET /v1/analytics/top-expensive`: the calls that cost most.

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{ConversationId, ReportedCall};
use serde::Serialize;
use serde_json::value::RawValue;

use super::BOUNDS;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::middleware::Incoming;
use crate::http::respond::{json, micros_text};
use crate::http::routes::report::Report;
use crate::http::shared::Edge;
use crate::status::usd_number;

const USUAL: u32 = 10;
const MOST: i64 = 1_000;

#[derive(Serialize)]
struct Dearest {
    from: String,
    to: String,
    calls: Vec<Call>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    attempt_id: String,
    request_id: String,
    conversation_id: Option<String>,
    user_id: Option<String>,
    project_id: Option<String>,
    key_id: Option<String>,
    endpoint: String,
    model: String,
    provider: String,
    layer: String,
    purpose: String,
    outcome: String,
    cost: Box<RawValue>,
    cost_nano_usd: i64,
    estimated: bool,
    above_allowed: bool,
    tokens: Tokens,
    duration_ms: i64,
    started_at: String,
}

#[derive(Serialize)]
struct Tokens {
    input: i64,
    output: i64,
}

pub(in crate::http::routes) async fn top_expensive(
    request: HttpRequest,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["limit", "from", "to", "projectId", "userId"])?;
    let limit = query.number("limit", 1..=MOST)?;
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(USUAL);
    let (report, from, to) = Report::new(&request, &edge, incoming)?.lately(&query, BOUNDS)?;
    let calls = edge.shared().reports.dearest_calls(report.filter.clone(), limit);
    let calls = report.answer(calls).await?;
    json(&Dearest {
        from: micros_text(from),
        to: micros_text(to),
        calls: calls.into_iter().map(told).collect::<Result<_, _>>()?,
    })
}

fn told(call: ReportedCall) -> Result<Call, Failure> {
    // The tenant, which is part of the stored id, is told by the other fields.
    let client_text = |stored: String| match ConversationId::from_stored(&stored) {
        Ok(id) => id.client_text().to_owned(),
        Err(_) => stored,
    };
    Ok(Call {
        attempt_id: call.attempt,
        request_id: call.request,
        conversation_id: call.conversation.map(client_text),
        user_id: call.user,
        project_id: call.project,
        key_id: call.key,
        endpoint: call.endpoint,
        model: call.model,
        provider: call.provider,
        layer: call.layer,
        purpose: call.purpose,
        outcome: call.outcome,
        cost: usd_number(call.cost).map_err(|_never| Failure::internal())?,
        cost_nano_usd: call.cost.0,
        estimated: call.estimated,
        above_allowed: call.above_allowed,
        tokens: Tokens {
            input: call.input_tokens,
            output: call.output_tokens,
        },
        duration_ms: call.duration_us / 1_000,
        started_at: micros_text(call.started_at),
    })
}
