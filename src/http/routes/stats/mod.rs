//! `GET /v1/stats` and `GET /v1/stats/conversation/{id}`: what all call records, or those of a conversation, come to.

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{AccessRole, ConversationId, Dimension, ErrorKind, GatewayError, ReportGroup};
use serde::Serialize;

use super::report::{Bounds, NamedSums, Report, Sums, folded, total};
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::{json, micros_text, now_text};
use crate::http::shared::Edge;

/// What every sum is told apart by, in one question, so that all of them are of the same records.
const APART: [Dimension; 3] = [Dimension::Model, Dimension::Layer, Dimension::Provider];
const MOST_GROUPS: u32 = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    since: Option<String>,
    until: Option<String>,
    #[serde(flatten)]
    told: Told,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfConversation<'a> {
    conversation_id: &'a str,
    first_call_at: Option<String>,
    last_call_at: Option<String>,
    #[serde(flatten)]
    told: Told,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    totals: Sums,
    by_model: Vec<NamedSums>,
    by_layer: Vec<NamedSums>,
    by_provider: Vec<NamedSums>,
}

impl Told {
    fn new(groups: &[ReportGroup]) -> Result<Self, Failure> {
        let [model, layer, provider] = APART.map(Dimension::as_str);
        Ok(Self {
            totals: Sums::new(&total(groups)?)?,
            by_model: folded(groups, 0, model)?,
            by_layer: folded(groups, 1, layer)?,
            by_provider: folded(groups, 2, provider)?,
        })
    }
}

pub(super) async fn get(request: HttpRequest, edge: Edge, incoming: Incoming) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["since", "until", "projectId", "userId"])?;
    let bounds = Bounds {
        from: "since",
        to: "until",
    };
    let report = Report::new(&request, &edge, incoming)?.bounded(&query, bounds)?;
    let groups = report.groups(&APART, MOST_GROUPS).await?;
    json(&Stats {
        since: report.filter.since.map(micros_text),
        until: report.filter.until.map(micros_text),
        told: Told::new(&groups)?,
        timestamp: now_text(),
    })
}

pub(super) async fn of_conversation(
    request: HttpRequest,
    id: web::Path<String>,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    Query::parse(request.query_string(), &[])?;
    let asked = ConversationId::from_stored(&id)?;
    let Asker(caller) = Asker::of(&request)?;
    // Who sees everything sees all that go by this name, or one tenant's; a tenant has its own.
    let sees_all = caller.role() != AccessRole::User;
    let id = match sees_all {
        true => asked,
        false => {
            let own = asked.within(caller.tenant().as_deref());
            if asked.has_tenant() && asked != own {
                return Err(unknown().into());
            }
            own
        }
    };
    let mut report = Report::new(&request, &edge, incoming)?;
    report.filter.conversation = Some(id.clone());
    report.filter.of_all_tenants = sees_all;
    let groups = report.groups(&APART, MOST_GROUPS).await?;
    let all = total(&groups)?;
    if all.calls == 0 {
        let there = report.answer(edge.shared().conversations.page(id.clone(), 1, None));
        if there.await?.is_none() {
            return Err(unknown().into());
        }
    }
    let has_calls = all.calls > 0;
    json(&OfConversation {
        conversation_id: if sees_all { id.as_str() } else { id.client_text() },
        first_call_at: has_calls.then(|| micros_text(all.first_at)),
        last_call_at: has_calls.then(|| micros_text(all.last_at)),
        told: Told::new(&groups)?,
        timestamp: now_text(),
    })
}

fn unknown() -> GatewayError {
    GatewayError::new(ErrorKind::NotFound, "there is no conversation of this id")
}
