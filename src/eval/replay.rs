//! The provider of a measurement: it says what was recorded.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use futures_core::future::LocalBoxFuture;
use gateway_actors::protocol::{
    Billing, Completion, FailureKind, ModelId, RequestId, Upstream, UpstreamCall, UpstreamFailure, UpstreamReply,
    UsageReport,
};
use serde_json::json;

use super::data::{Data, Recorded};

/// From so many tokens on an answer counts as cut: the recorded ones were asked for at most a few more.
pub(super) const CUT_FROM: u64 = 4_000;
/// What is said where the text was not recorded. No final answer can be read from it, so that nothing is compared.
const NO_TEXT: &str = "(the text of this answer was not recorded)";

/// Says what was recorded; fails with 404 where nothing was.
#[derive(Debug)]
pub(super) struct Replay {
    data: Rc<Data>,
    models: HashMap<ModelId, usize>,
    rows: RefCell<HashMap<RequestId, usize>>,
    /// By row, then by model: the bodies that were made so far.
    bodies: Bodies,
}

/// Bodies by row and model, shared by the replays that follow each other.
pub(super) type Bodies = Rc<Vec<Vec<OnceCell<Bytes>>>>;

/// A place for each body.
pub(super) fn no_bodies(data: &Data) -> Bodies {
    let row = || data.models.iter().map(|_| OnceCell::new()).collect();
    Rc::new(data.rows.iter().map(|_| row()).collect())
}

impl Replay {
    pub(super) fn new(data: Rc<Data>, bodies: Bodies) -> Self {
        let models = data.models.iter().enumerate();
        Self {
            models: models.map(|(place, model)| (model.id.clone(), place)).collect(),
            rows: RefCell::default(),
            bodies,
            data,
        }
    }

    /// Says which question a request asks. Must come before the request.
    pub(super) fn will_ask(&self, request: RequestId, row: usize) {
        self.rows.borrow_mut().insert(request, row);
    }

    /// The number of a model.
    pub(super) fn model(&self, id: &ModelId) -> Option<usize> {
        self.models.get(id).copied()
    }

    /// The question of a request.
    pub(super) fn row(&self, request: &RequestId) -> Option<usize> {
        self.rows.borrow().get(request).copied()
    }

    fn answer(&self, call: &UpstreamCall) -> Option<Completion> {
        let row = self.row(&call.attempt.request)?;
        let model = self.model(&call.model.id)?;
        let recorded = self.data.rows.get(row)?.answer(model)?;
        let place = self.bodies.get(row).and_then(|row| row.get(model))?;
        let body = place.get_or_init(|| body(&call.model.api_model, recorded));
        Some(Completion {
            status: 200,
            body: body.clone(),
            usage: UsageReport::Reported(recorded.usage),
        })
    }
}

/// A chat completion. An empty text is an empty answer: that is what was recorded.
fn body(model: &str, recorded: &Recorded) -> Bytes {
    let visible = recorded.usage.visible_output();
    let finish = if is_cut(recorded) { "length" } else { "stop" };
    let text = recorded.text.as_deref().unwrap_or(NO_TEXT);
    let body = json!({
        "id": "chatcmpl-recorded",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text },
            "finish_reason": finish,
        }],
        "usage": {
            "prompt_tokens": recorded.usage.input,
            "completion_tokens": recorded.usage.output,
            "total_tokens": recorded.usage.input + recorded.usage.output,
            "completion_tokens_details": { "reasoning_tokens": recorded.usage.output - visible },
        },
    });
    Bytes::from(body.to_string())
}

/// Whether an answer ended because it grew too long.
pub(super) fn is_cut(recorded: &Recorded) -> bool {
    recorded.usage.visible_output() >= CUT_FROM
}

impl Upstream for Replay {
    fn call(&self, call: UpstreamCall) -> LocalBoxFuture<'static, Result<UpstreamReply, UpstreamFailure>> {
        let answer = self.answer(&call).map(UpstreamReply::Complete);
        let answer = answer.ok_or_else(|| {
            let gone = UpstreamFailure::new(FailureKind::ModelGone, Billing::NotBilled, "not recorded");
            gone.with_status(404)
        });
        Box::pin(std::future::ready(answer))
    }
}
