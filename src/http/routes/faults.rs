//! `POST /v1/faults/{actor}`: makes an actor panic, or with `stream` the next stream that gets an event; with `handler`
//! this handler panics, with `hang` the thread that answers hangs for a while, from `disk-full` to `disk-free` the SQLite
//! file cannot grow; with `abort-at-POINT` the process ends on the spot when it comes by that point. Only in builds for
//! tests.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use gateway_actors::protocol::{ErrorKind, GatewayError};

use crate::http::error::Failure;
use crate::http::shared::Edge;

/// How long a thread hangs that is told to.
const HANG: Duration = Duration::from_secs(8);

pub(super) async fn post(actor: web::Path<String>, edge: Edge) -> Result<HttpResponse, Failure> {
    match actor.as_str() {
        "handler" => panic_here(),
        "hang" => hang(),
        _ => {}
    }
    let known = (edge.shared().faults.0)(&actor);
    let answer = if known {
        Ok(HttpResponse::Accepted().finish())
    } else {
        Err(GatewayError::new(ErrorKind::NotFound, "there is no actor of this name").into())
    };
    std::future::ready(answer).await
}

#[expect(clippy::panic, reason = "a handler that panics is what is wanted")]
fn panic_here() -> ! {
    panic!("injected fault");
}

#[expect(clippy::disallowed_methods, reason = "a thread that hangs is what is wanted")]
fn hang() {
    std::thread::sleep(HANG);
}
