//! `GET /` and `HEAD /`: what this is and where to look.

use actix_web::HttpResponse;
use serde::Serialize;

use super::TABLE;
use crate::http::error::Failure;
use crate::http::respond::json;

#[derive(Serialize)]
struct Root {
    name: &'static str,
    version: &'static str,
    endpoints: Vec<String>,
}

pub(super) async fn get() -> Result<HttpResponse, Failure> {
    let root = Root {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        endpoints: TABLE.iter().map(|rule| rule.path.replace(":.+}", "}")).collect(),
    };
    std::future::ready(json(&root)).await
}
