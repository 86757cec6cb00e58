//! Answers: JSON, and the few values that JSON needs in a form of its own.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::error::Failure;

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

/// The present moment as RFC 3339 in UTC with milliseconds.
pub(crate) fn now_text() -> String {
    timestamp(OffsetDateTime::now_utc())
}

/// A moment given in microseconds since 1970 as RFC 3339 in UTC with milliseconds.
pub(crate) fn micros_text(micros: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    timestamp(moment.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

fn timestamp(moment: OffsetDateTime) -> String {
    let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
    let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
    let milli = moment.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(micros_text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(micros_text(1_763_793_720_000_999), "2025-11-22T06:42:00.000Z");
        assert_eq!(micros_text(1_709_210_096_789_000), "2024-02-29T12:34:56.789Z");
    }
}
