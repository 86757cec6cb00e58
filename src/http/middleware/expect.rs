//! `Expect: 100-continue`: who may not come in is told so before the body is asked for.

use actix_http::{Request, Response};
use actix_web::HttpResponse;
use actix_web::body::BoxBody;

use super::guard::{Incoming, add_headers, log_failure};
use crate::http::error::Failure;
use crate::http::routes::rule_of;
use crate::http::shared::Shared;

/// The answer in the place of `100 Continue`.
#[derive(Debug)]
pub(crate) struct Refused(Box<HttpResponse>);

impl From<Refused> for Response<BoxBody> {
    fn from(refused: Refused) -> Self {
        (*refused.0).into()
    }
}

/// Lets a request go on to its route, which asks for the body, or answers it at once.
pub(crate) async fn before_continue(request: Request, shared: &Shared) -> Result<Request, Refused> {
    let rule = rule_of(request.path());
    let Err(error) = rule.access.check(request.head(), &shared.auth).await else {
        return Ok(request);
    };
    let incoming = Incoming::now();
    log_failure(&error, shared.exhausted_status, incoming, rule, request.method());
    let shape = rule.errors.of(request.head());
    let mut response = Failure::from(error).render(shape, shared.exhausted_status, incoming.id);
    response
        .head_mut()
        .set_connection_type(actix_http::ConnectionType::Close);
    add_headers(&mut response, incoming.id, rule.access, shape);
    Err(Refused(Box::new(response)))
}
