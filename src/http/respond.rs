//! Answers: JSON, and the few values that JSON needs in a form of its own.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::Failure;
pub(crate) use crate::moment::{micros_text, now_text};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a JSON body.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<HttpResponse, Failure> {
    json_with(StatusCode::OK, value)
}

/// A JSON body with a status.
pub(crate) fn json_with<T: Serialize>(status: StatusCode, value: &T) -> Result<HttpResponse, Failure> {
    match serde_json::to_vec(value) {
        Ok(body) => Ok(HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, JSON))
            .body(body)),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            Err(Failure::internal())
        }
    }
}

/// A decimal text as the JSON number it spells.
pub(crate) fn raw_number(text: String) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(text).map_err(|_not_json| Failure::internal())
}
