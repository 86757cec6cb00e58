//! `GET /v1/quota/status` and `POST /v1/quota/update`: how budgets stand, and setting one.

mod shown;
mod update;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{
    AccessRole, BudgetCursor, BudgetStore, Caller, ConversationId, GatewayError, InvalidId, Scope,
};
use serde::Serialize;

use self::shown::Quota;
use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::middleware::Asker;
use crate::http::respond::{json, now_text};
use crate::http::shared::Edge;

pub(super) use self::update::update;

/// Budgets of an answer where the question does not say, and at most.
const USUAL: usize = 100;
const MOST: i64 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    budgets: Vec<Quota>,
    /// Whether there are more than these; ask for one `scope` or with a larger `limit`.
    has_more: bool,
    timestamp: String,
}

/// `GET /v1/quota/status`.
pub(super) async fn status(request: HttpRequest, edge: Edge) -> Result<HttpResponse, Failure> {
    let query = Query::parse(request.query_string(), &["scope", "conversationId", "limit"])?;
    let Asker(caller) = Asker::of(&request)?;
    let limit = query.number("limit", 1..=MOST)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL);
    let conversation = query.text("conversationId").map(str::parse::<ConversationId>);
    let conversation = conversation.transpose().map_err(|invalid: InvalidId| {
        GatewayError::invalid(
            "conversationId",
            format!("`conversationId` must be {}", invalid.must_be),
        )
    })?;
    let only = query.text("scope").map(crate::admin::scope).transpose()?;
    let store = &*edge.shared().budget_store;
    let mut scopes = match caller.role() {
        AccessRole::User => own_scopes(&caller),
        AccessRole::Operator | AccessRole::Admin => all_scopes(store).await?,
    };
    if let Some(conversation) = conversation {
        match caller.role() {
            AccessRole::User => scopes.push(Scope::Conversation(conversation.within(caller.tenant().as_deref()))),
            // Of whichever tenant: the answer has the scope of each.
            AccessRole::Operator | AccessRole::Admin => scopes.retain(|scope| match scope {
                Scope::Conversation(id) => id.client_text() == conversation.client_text(),
                _ => true,
            }),
        }
    }
    scopes.retain(|scope| only.as_ref().is_none_or(|only| only == scope));
    let mut budgets = Vec::new();
    let mut has_more = false;
    for scope in scopes {
        let Some(status) = store.budget(scope.clone()).await? else {
            continue;
        };
        if budgets.len() == limit {
            has_more = true;
            break;
        }
        budgets.push(Quota::new(&scope, &status, caller.role())?);
    }
    json(&Status {
        budgets,
        has_more,
        timestamp: now_text(),
    })
}

/// What the budgets of a caller that sees only its own are for.
fn own_scopes(caller: &Caller) -> Vec<Scope> {
    let Some(key) = caller.key() else {
        return Vec::new();
    };
    let project = key.project.clone().map(Scope::Project);
    let user = key.user.clone().map(Scope::User);
    [Some(Scope::Key(key.id.clone())), project, user]
        .into_iter()
        .flatten()
        .collect()
}

/// What all budgets are for, in order.
async fn all_scopes(store: &dyn BudgetStore) -> Result<Vec<Scope>, Failure> {
    let budgets = store.budget_changes(BudgetCursor::default()).await?.budgets;
    let there = budgets.into_iter().filter(|budget| budget.rule.is_some());
    let mut scopes: Vec<Scope> = there.map(|budget| budget.scope).collect();
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}
