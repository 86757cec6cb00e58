//! `/v1/admin/…`: keys, budgets and rates. Operators look, administrators change.

mod budgets;
mod keys;
mod limits;

use std::sync::Arc;

use actix_web::{HttpRequest, web};
use bytes::Bytes;

use crate::admin::Administration;
use crate::http::error::Failure;
use crate::http::extract::read_json;
use crate::http::shared::Edge;

pub(super) use self::budgets::{delete as delete_budget, get as budget, list as budgets, put as put_budget};
pub(super) use self::keys::{create, get, list, revoke, rotate, update};
pub(super) use self::limits::{delete as delete_limits, get as limits, put as put_limits};

/// Entries on a page where the client does not say, and at most.
const PAGE: i64 = 100;
const LARGEST_PAGE: i64 = 1_000;

fn administration(edge: &Edge) -> Administration {
    let shared = edge.shared();
    let ring = Arc::clone(shared.auth.ring());
    Administration::new(Arc::clone(&shared.keys), Arc::clone(&shared.budget_store), Some(ring))
}

pub(super) async fn body(request: &HttpRequest, payload: web::Payload, edge: &Edge) -> Result<Bytes, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let limit = settings.native_body_bytes;
    Ok(read_json(request, payload, limit, settings, &shared.bodies).await?)
}

fn page(limit: Option<i64>) -> usize {
    usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(usize::MAX)
}
