//! Models in Anthropic's shape (`ModelInfo` and its pages, as the `anthropic` package 2.14 has them).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use gateway_actors::protocol::{GatewayError, Model};
use serde::Serialize;

use crate::http::error::Failure;
use crate::http::extract::Query;
use crate::http::respond::{json, micros_text};
use crate::http::shared::Shared;

/// Models on a page where the client does not say, and at most.
const PAGE: i64 = 20;
const LARGEST_PAGE: i64 = 1_000;

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<ModelInfo<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: &'a str,
    lifecycle: &'static str,
    max_input_tokens: u32,
    max_tokens: u32,
}

/// A page of the models: those behind `after_id`, or before `before_id`, at most `limit`.
pub(super) fn list(request: &HttpRequest, shared: &Shared, models: &[Arc<Model>]) -> Result<HttpResponse, Failure> {
    let query = Query::some(request.query_string(), &["after_id", "before_id", "limit"])?;
    let limit = query.number("limit", 1..=LARGEST_PAGE)?.unwrap_or(PAGE);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let place = |name: &'static str| match query.text(name) {
        None => Ok(None),
        Some(id) => match models.iter().position(|model| model.id.as_str() == id) {
            Some(place) => Ok(Some(place)),
            None => Err(GatewayError::invalid(name, format!("`{name}` is no id of a model"))),
        },
    };
    let (shown, has_more) = match (place("after_id")?, place("before_id")?) {
        (Some(_), Some(_)) => {
            let message = "`after_id` and `before_id` exclude each other; send one of them";
            return Err(GatewayError::invalid("before_id", message).into());
        }
        (None, Some(before)) => {
            let from = before.saturating_sub(limit);
            (models.get(from..before), from > 0)
        }
        (after, None) => {
            let from = after.map_or(0, |after| after + 1);
            let to = models.len().min(from + limit);
            (models.get(from..to), to < models.len())
        }
    };
    let shown = shown.unwrap_or_default();
    let created = created(shared);
    json(&Page {
        data: shown.iter().map(|model| info(model, &created)).collect(),
        has_more,
        first_id: shown.first().map(|model| model.id.as_str()),
        last_id: shown.last().map(|model| model.id.as_str()),
    })
}

/// One model.
pub(super) fn one(model: &Model, shared: &Shared) -> Result<HttpResponse, Failure> {
    json(&info(model, &created(shared)))
}

/// The catalogue knows no dates, so that a model counts as created when the gateway started.
fn created(shared: &Shared) -> String {
    let seconds = i64::try_from(shared.started_unix()).unwrap_or_default();
    micros_text(seconds.saturating_mul(1_000_000))
}

fn info<'a>(model: &'a Model, created_at: &'a str) -> ModelInfo<'a> {
    ModelInfo {
        r#type: "model",
        id: model.id.as_str(),
        display_name: model.id.as_str(),
        created_at,
        lifecycle: "active",
        max_input_tokens: model.context_window,
        max_tokens: model.max_output_tokens,
    }
}
