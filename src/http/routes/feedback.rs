//! `POST /v1/feedback`: what a caller says of an answer.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, Feedback, GatewayError, RecordOwner, RequestId, StoreError};
use serde::Serialize;
use tokio::time::{sleep, timeout_at};

use crate::http::error::Failure;
use crate::http::extract::{Fields, deadline, read_json};
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::json;
use crate::http::shared::Edge;
use crate::test_results;

const FIELDS: &[&str] = &["requestId", "rating", "accepted", "tests", "comment"];
const COMMENT_BYTES: usize = 2 * 1024;
/// Pauses before an unknown request is looked for again. Call records wait for each other for 200 ms at most.
const LOOK_AGAIN: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(250),
    Duration::from_millis(500),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Noted {
    status: &'static str,
    request_id: RequestId,
}

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
    Asker(caller): Asker,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(&request, incoming.arrived, settings.default_deadline)?;
    let body = read_json(&request, payload, settings.native_body_bytes, settings, &shared.bodies).await?;
    let feedback = read(&body)?;
    let request_id = feedback.request;
    let owner = RecordOwner::judged_by(&caller);
    let noted = timeout_at(deadline, noted(&edge, &feedback, &owner))
        .await
        .map_err(|_elapsed| too_late())?;
    if !noted? {
        let message = "no request of yours has this id";
        return Err(GatewayError::new(ErrorKind::NotFound, message)
            .with_param("requestId")
            .into());
    }
    json(&Noted {
        status: "noted",
        request_id,
    })
}

/// Notes it; whether there is such a request. An answer's records are written a moment after it: whoever says at once
/// what they think of it is not told that there is none.
async fn noted(edge: &Edge, feedback: &Feedback, owner: &RecordOwner) -> Result<bool, StoreError> {
    let outcomes = &edge.shared().outcomes;
    for pause in LOOK_AGAIN {
        if outcomes.feedback(feedback.clone(), owner.clone()).await? {
            return Ok(true);
        }
        sleep(pause).await;
    }
    outcomes.feedback(feedback.clone(), owner.clone()).await
}

fn read(body: &[u8]) -> Result<Feedback, GatewayError> {
    let fields = Fields::parse(body, FIELDS)?;
    let request = fields.id("requestId")?;
    let comment = fields.text("comment")?;
    if comment.as_ref().is_some_and(|comment| comment.len() > COMMENT_BYTES) {
        let message = format!("`comment` must hold at most {COMMENT_BYTES} bytes");
        return Err(GatewayError::invalid("comment", message));
    }
    let feedback = Feedback {
        request: request.ok_or_else(|| GatewayError::invalid("requestId", "`requestId` is required"))?,
        rating: rating(&fields)?,
        accepted: fields.flag("accepted")?,
        tests: test_results::counts(&fields, "tests")?,
        comment: comment.map(Into::into),
    };
    match feedback {
        Feedback {
            rating: None,
            accepted: None,
            tests: None,
            comment: None,
            ..
        } => {
            let message = "say something of the answer: `rating`, `accepted`, `tests` or `comment`";
            Err(GatewayError::invalid("rating", message))
        }
        feedback => Ok(feedback),
    }
}

fn rating(fields: &Fields<'_>) -> Result<Option<i8>, GatewayError> {
    match fields.value("rating") {
        None => Ok(None),
        Some("-1") => Ok(Some(-1)),
        Some("0") => Ok(Some(0)),
        Some("1") => Ok(Some(1)),
        Some(_) => Err(GatewayError::invalid("rating", "`rating` must be -1, 0 or 1")),
    }
}

fn too_late() -> GatewayError {
    GatewayError::new(
        ErrorKind::DeadlineExceeded,
        "the database did not answer before the request's deadline; try again or allow more time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_read_as_it_was_written() {
        let body = r#"{"requestId":"req_0190f1c2a4b87c3d9e0f112233445566","rating":-1,"accepted":false,
            "tests":{"passed":3,"failed":1},"comment":"off by one"}"#;
        let feedback = read(body.as_bytes()).unwrap();
        assert_eq!((feedback.rating, feedback.accepted), (Some(-1), Some(false)));
        assert_eq!(
            (feedback.tests, feedback.comment.as_deref()),
            (Some((3, 1)), Some("off by one"))
        );
    }

    #[test]
    fn every_impossible_value_is_refused_with_its_field() {
        let with = |member: &str| format!(r#"{{"requestId":"req_0190f1c2a4b87c3d9e0f112233445566",{member}}}"#);
        let cases = [
            ("{}".to_owned(), "requestId"),
            (r#"{"rating":1}"#.to_owned(), "requestId"),
            (r#"{"requestId":"7","rating":1}"#.to_owned(), "requestId"),
            (with(r#""rating":null"#), "rating"),
            (with(r#""rating":2"#), "rating"),
            (with(r#""rating":0.5"#), "rating"),
            (with(r#""rating":"1""#), "rating"),
            (with(r#""accepted":1"#), "accepted"),
            (with(r#""tests":{"passed":-1}"#), "tests.passed"),
            (with(r#""tests":{"output":"x"}"#), "tests.output"),
            (with(&format!(r#""comment":"{}""#, "x".repeat(2_049))), "comment"),
            (with(r#""stars":5"#), "stars"),
        ];
        for (body, param) in cases {
            let error = read(body.as_bytes()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{body:.100}");
        }
    }
}
