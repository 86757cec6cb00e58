//! The built-in provider: scripted answers and no network, for trying things out, load tests and our own tests.
//!
//! What it does is said by the model's `api_model` (see [`Script`]). It writes the bytes a provider would send, and
//! they are read like a provider's: limits, scanner and failures are the same.

mod answer;
mod embeddings;
mod script;
mod source;

use std::rc::Rc;

use awc::http::StatusCode;
use awc::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use bytes::Bytes;
use gateway_actors::protocol::{Dialect, Operation, UpstreamCall, UpstreamFailure, UpstreamReply, Vendor};

use super::reply::{Reading, read_reply};
use super::watchdog::Watchdog;
use crate::config::{ProviderSettings, UpstreamLimits, UpstreamTimeouts};
use answer::Answer;
use script::Script;
use source::Source;

/// The simulator, as one configured provider.
#[derive(Debug)]
pub(super) struct Simulator {
    timeouts: UpstreamTimeouts,
    limits: UpstreamLimits,
}

impl Simulator {
    pub(super) fn new(settings: &ProviderSettings) -> Self {
        Self {
            timeouts: settings.timeouts,
            limits: settings.limits,
        }
    }

    /// Answers one call as its model's name says.
    pub(super) async fn call(self: Rc<Self>, call: UpstreamCall) -> Result<UpstreamReply, UpstreamFailure> {
        let watchdog = Watchdog::start(&self.timeouts, call.deadline)?;
        let script = Script::of(&call.model.api_model);
        let (status, chunks) = answer(&call, &script);
        let mut headers = HeaderMap::new();
        let content_type = if call.stream && status.is_success() {
            HeaderValue::from_static("text/event-stream")
        } else {
            HeaderValue::from_static("application/json")
        };
        headers.insert(CONTENT_TYPE, content_type);
        if !script.status.is_success() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let reading = Reading {
            limits: self.limits,
            stream: call.stream,
            operation: call.operation,
            dialect: Dialect::OpenaiChat,
            vendor: Vendor::Other,
            form: &call.outgoing.answer,
            key: None,
        };
        read_reply(status, &headers, Source::new(chunks, &script), watchdog, reading).await
    }
}

/// The status and the bytes of an answer, in the chunks in which they are sent.
fn answer(call: &UpstreamCall, script: &Script) -> (StatusCode, Vec<Bytes>) {
    if !script.status.is_success() {
        return (script.status, vec![Bytes::from_static(SIMULATED_ERROR)]);
    }
    let request = call.outgoing.body.to_bytes();
    if call.operation != Operation::Embed {
        return (script.status, Answer::to(call, script, &request).chunks());
    }
    match embeddings::answer(&call.model.api_model, &request) {
        Some(body) => (script.status, vec![body]),
        None => (StatusCode::BAD_REQUEST, vec![Bytes::from_static(UNREADABLE)]),
    }
}

const SIMULATED_ERROR: &[u8] = br#"{"error":{"message":"a simulated error","type":"simulated","code":"simulated"}}"#;
const UNREADABLE: &[u8] =
    br#"{"error":{"message":"no vectors can be made of this","type":"invalid_request_error","code":null}}"#;

#[cfg(test)]
mod tests;
