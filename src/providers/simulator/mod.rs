//! The built-in provider: scripted answers and no network, for trying things out, load tests and our own tests.
//!
//! What it does is said by the model's `api_model` (see [`Script`]). It writes the bytes a provider would send, and
//! they are read like a provider's: limits, scanner and failures are the same.

mod answer;
mod script;
mod source;

use std::rc::Rc;

use awc::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use bytes::Bytes;
use gateway_actors::protocol::{Dialect, UpstreamCall, UpstreamFailure, UpstreamReply, Vendor};

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
        let mut headers = HeaderMap::new();
        let content_type = if call.stream && script.status.is_success() {
            HeaderValue::from_static("text/event-stream")
        } else {
            HeaderValue::from_static("application/json")
        };
        headers.insert(CONTENT_TYPE, content_type);
        let chunks = if script.status.is_success() {
            let request = call.outgoing.body.to_bytes();
            Answer::to(&call, &script, &request).chunks()
        } else {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            vec![Bytes::from_static(
                br#"{"error":{"message":"a simulated error","type":"simulated","code":"simulated"}}"#,
            )]
        };
        let reading = Reading {
            limits: self.limits,
            stream: call.stream,
            operation: call.operation,
            dialect: Dialect::OpenaiChat,
            vendor: Vendor::Other,
            form: &call.outgoing.answer,
            key: None,
        };
        read_reply(script.status, &headers, Source::new(chunks, &script), watchdog, reading).await
    }
}

#[cfg(test)]
mod tests;
