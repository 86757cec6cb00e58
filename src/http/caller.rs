//! Who asks.

use actix_web::HttpRequest;
use gateway_actors::protocol::Caller;

/// Who sends this request.
pub(crate) fn caller_of(_request: &HttpRequest) -> Caller {
    Caller::Local
}
