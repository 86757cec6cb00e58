//! `POST /v1/route/explain`: what would be done for a request, without doing it. Nobody is asked, nothing is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{
    Candidate, ChatCall, CheckPlan, Complexity, ConversationId, Decision, ErrorKind, GatewayError, Layer, PanelPolicy,
    Plan, RequestId, Strategy, TaskType, TurnDialect,
};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::ask;
use crate::answer::{PlanCandidate, PlanRejected, Skipped, candidates, rejected, skipped};
use crate::http::error::Failure;
use crate::http::middleware::Incoming;
use crate::http::respond::json;
use crate::http::shared::Edge;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained<'a> {
    #[serde(flatten)]
    decision: Option<Decided<'a>>,
    candidates: Vec<PlanCandidate<'a>>,
    rejected: Vec<PlanRejected<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation: Option<Confirmed>,
    decision_micros: u64,
    request_id: RequestId,
}

/// What was decided; nothing where the model is named.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    task: TaskType,
    complexity: Complexity,
    unsure: bool,
    difficulty: f64,
    signals: BTreeMap<&'static str, f64>,
    start_layer: Layer,
    strategy: Strategy,
    skipped: Vec<Skipped>,
    check: Check<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment: Option<Arm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heuristic: Option<&'a str>,
}

/// How the answer would be checked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check<'a> {
    kind: &'static str,
    /// Who would answer side by side, or might judge the answer.
    members: Vec<&'a str>,
    /// Who might be asked then, cheapest first.
    between: Vec<&'a str>,
    /// The best model, if it may be used.
    top: Option<&'a str>,
    /// The best model, if it wants nothing but leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanting_leave: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    straight_to_top: Option<bool>,
    /// Why nobody checks the answer, where that is so although it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Arm<'a> {
    id: &'a str,
    arm: &'a str,
}

/// What would want the caller's leave.
#[derive(Debug, Serialize)]
struct Confirmed {
    layer: Layer,
    reason: &'static str,
}

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let endpoint = Arc::clone(&edge.shared().endpoints.route);
    let asked = ask::read(&request, payload, &edge, incoming, endpoint).await?;
    if asked.has_token() {
        let message = "`escalationToken` is redeemed by a request that is answered; leave it out here";
        return Err(GatewayError::invalid("escalationToken", message).into());
    }
    let deadline = asked.context.deadline;
    let stored = asked.stored_conversation();
    let mut plan = asked.plan(&edge, stored.as_ref());
    plan.wish.explain = true;
    if let Some(stored) = stored.clone() {
        plan.wish.floor = floor(&edge, stored, deadline).await?;
    }
    let (outgoing, needs) = asked.dialect().request(&[]);
    plan.needs = needs;
    let begun = Instant::now();
    let call = ChatCall {
        plan,
        outgoing,
        context: asked.context,
    };
    let planned = timeout_at(deadline, edge.pipeline().explain(call, stored)).await;
    let planned = planned.map_err(|_elapsed| too_late())??;
    json(&explained(&planned, begun.elapsed().as_micros(), incoming.id))
}

/// The layer below which a conversation does not fall any more.
async fn floor(edge: &Edge, conversation: ConversationId, deadline: Instant) -> Result<Option<Layer>, Failure> {
    let page = timeout_at(deadline, edge.shared().conversations.page(conversation, 1, None)).await;
    let page = page.map_err(|_elapsed| too_late())??;
    Ok(page.and_then(|page| page.route_layer))
}

fn explained(plan: &Plan, took: u128, request: RequestId) -> Explained<'_> {
    let decision = plan.decision.as_deref();
    let estimates = decision.map_or(&[][..], |decision| &decision.estimates);
    Explained {
        decision: decision.map(Decided::of),
        candidates: candidates(&plan.candidates, estimates),
        rejected: rejected(&plan.rejected),
        confirmation: plan.confirmation.as_ref().map(|confirmation| Confirmed {
            layer: confirmation.layer,
            reason: confirmation.evidence.as_str(),
        }),
        decision_micros: u64::try_from(took).unwrap_or(u64::MAX),
        request_id: request,
    }
}

impl<'a> Decided<'a> {
    fn of(decision: &'a Decision) -> Self {
        Self {
            task: decision.task,
            complexity: decision.complexity,
            unsure: decision.unsure,
            difficulty: decision.difficulty,
            signals: decision.signals.iter().copied().collect(),
            start_layer: decision.start,
            strategy: decision.strategy,
            skipped: skipped(&decision.skipped),
            check: Check::of(&decision.check),
            experiment: decision.arm.as_ref().map(|chosen| Arm {
                id: &chosen.experiment,
                arm: &chosen.arm,
            }),
            heuristic: decision.heuristic.as_deref(),
        }
    }
}

impl<'a> Check<'a> {
    fn of(check: &'a CheckPlan) -> Self {
        let nobody = Self {
            kind: "off",
            members: Vec::new(),
            between: Vec::new(),
            top: None,
            wanting_leave: None,
            policy: None,
            straight_to_top: None,
            reason: check.at_once().map(|_| CheckPlan::AT_ONCE),
        };
        match check {
            CheckPlan::Off => nobody,
            CheckPlan::Panel(panel) => Self {
                kind: "panel",
                members: names(&panel.members),
                between: names(&panel.between),
                top: panel.top.as_ref().map(|top| top.model.id.as_str()),
                wanting_leave: panel.wanting_leave.as_ref().map(|best| best.model.id.as_str()),
                policy: Some(match panel.policy {
                    PanelPolicy::Fitted => "fitted",
                    PanelPolicy::Table => "table",
                }),
                straight_to_top: Some(panel.straight_to_top),
                ..nobody
            },
            CheckPlan::Review { reviewers } => Self {
                kind: "review",
                members: names(reviewers),
                ..nobody
            },
        }
    }
}

fn names(candidates: &[Candidate]) -> Vec<&str> {
    candidates.iter().map(|candidate| candidate.model.id.as_str()).collect()
}

fn too_late() -> GatewayError {
    GatewayError::new(
        ErrorKind::DeadlineExceeded,
        "the request's deadline passed before there was a plan; allow more time",
    )
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
