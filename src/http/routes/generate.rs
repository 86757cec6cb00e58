//! What the endpoints of all dialects have in common: a body is read, a model asked, its answer sent on, whole or
//! streamed.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use gateway_actors::protocol::{
    Answer, Caller, ChatCall, Dialect, Model, PlanRequest, QualityLevel, RoutingStory, Target, TaskType, Wish,
};
use tokio::time::Instant;

use super::calls::call_context;
use crate::auth::Owner;
use crate::dialects::ClientRequest;
use crate::http::error::{ErrorShape, Failure};
use crate::http::extract::{deadline, read_json};
use crate::http::idempotency::{self, Asking, Once};
use crate::http::keep::Keep;
use crate::http::middleware::{Asker, Incoming};
use crate::http::respond::JSON;
use crate::http::shared::Edge;
use crate::http::sse::EventBody;

static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
static X_GATEWAY_MODEL: HeaderName = HeaderName::from_static("x-gateway-model");
static X_GATEWAY_PROVIDER: HeaderName = HeaderName::from_static("x-gateway-provider");
static X_GATEWAY_LAYER: HeaderName = HeaderName::from_static("x-gateway-layer");
static X_GATEWAY_DROPPED: HeaderName = HeaderName::from_static("x-gateway-dropped");
static X_GATEWAY_ESCALATION: HeaderName = HeaderName::from_static("x-gateway-escalation");
static X_GATEWAY_ROUTING: HeaderName = HeaderName::from_static("x-gateway-routing");
/// What is told of the routing at most: clients take only so many bytes of headers.
const ROUTING_BYTES: usize = 1_024;
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// A request to an endpoint of a dialect, its body read.
pub(super) struct Asked {
    request: HttpRequest,
    body: Bytes,
    edge: Edge,
    incoming: Incoming,
    endpoint: Arc<str>,
    caller: Caller,
    deadline: Instant,
}

impl Asked {
    /// Reads the request. `endpoint` is its name in call records.
    pub(super) async fn read(
        request: HttpRequest,
        payload: web::Payload,
        edge: Edge,
        incoming: Incoming,
        endpoint: Arc<str>,
    ) -> Result<Self, Failure> {
        let Asker(caller) = Asker::of(&request)?;
        let shared = edge.shared();
        let settings = &shared.settings;
        let deadline = deadline(&request, incoming.arrived, settings.default_deadline)?;
        let body = read_json(&request, payload, settings.dialect_body_bytes, settings, &shared.bodies).await?;
        Ok(Self {
            request,
            body,
            edge,
            incoming,
            endpoint,
            caller,
            deadline,
        })
    }

    /// Who asks.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The body.
    pub(super) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Has the request answered. Its client speaks `dialect`.
    pub(super) async fn answer<R: ClientRequest + 'static>(
        self,
        dialect: Dialect,
        request: R,
    ) -> Result<HttpResponse, Failure> {
        self.answered(dialect, request, None).await
    }

    /// The same, and this is done with the answer before the client has the end of it.
    pub(super) async fn answer_and_keep<R: ClientRequest + 'static>(
        self,
        dialect: Dialect,
        request: R,
        keep: Box<dyn Keep>,
    ) -> Result<HttpResponse, Failure> {
        self.answered(dialect, request, Some(keep)).await
    }

    async fn answered<R: ClientRequest + 'static>(
        self,
        dialect: Dialect,
        request: R,
        keep: Option<Box<dyn Keep>>,
    ) -> Result<HttpResponse, Failure> {
        if request.is_stream() {
            self.edge.shared().admission.asks_for_a_stream(&self.request);
        }
        let Some(key) = idempotency::key(self.request.headers())? else {
            return self.asked(dialect, request, keep, None).await;
        };
        let asking = Asking {
            request: self.request.clone(),
            edge: self.edge.clone(),
            id: self.incoming.id,
            endpoint: Arc::clone(&self.endpoint),
            body: self.body.clone(),
            deadline: self.deadline,
            shape: ErrorShape::Client(dialect),
        };
        idempotency::once(asking, key, move |once| self.asked(dialect, request, keep, Some(once))).await
    }

    /// Has a model asked; once, if the request has a key that says so.
    async fn asked<R: ClientRequest + 'static>(
        self,
        dialect: Dialect,
        request: R,
        mut keep: Option<Box<dyn Keep>>,
        once: Option<Once>,
    ) -> Result<HttpResponse, Failure> {
        let is_stream = request.is_stream();
        let call = self.call(request, once.as_ref())?;
        // Nobody pays for the story of a model that was named.
        let is_chosen = !matches!(call.plan.target, Target::Named(_));
        if is_stream {
            let answer = self.edge.pipeline().stream(call).await?;
            if let Some(keep) = &mut keep {
                keep.answered_by(&answer.model);
            }
            let events = match &once {
                Some(once) => once.relay(dialect, answer.events),
                None => answer.events,
            };
            let body = EventBody::new(dialect, self.incoming.id, events, self.edge.shared().ending());
            let story = answer.routing.as_deref();
            let routing = is_chosen.then(|| begun_summary(&answer.model, story));
            let mut response = streamed(&answer.model, &answer.dropped, story);
            tell_routing(&mut response, routing.as_deref());
            Ok(response.body(body.keeping(keep)))
        } else {
            let answer = self.edge.pipeline().complete(call).await?;
            if let Some(mut keep) = keep {
                keep.answered_by(&answer.served.model);
                keep.whole(&answer.completion.body).await;
            }
            let routing = is_chosen.then(|| answer.served.summary());
            Ok(whole(answer, routing.as_deref()))
        }
    }

    fn call<R: ClientRequest + 'static>(&self, request: R, once: Option<&Once>) -> Result<ChatCall, Failure> {
        let mut plan = PlanRequest {
            request: self.incoming.id,
            target: Target::from_model_field(request.model()),
            max_layer: None,
            allowed: None,
            task: TaskType::Chat,
            quality: QualityLevel::Normal,
            needs: request.needs(),
            question: None,
            wish: Wish::default(),
        }
        .of(&self.caller);
        let endpoint = Arc::clone(&self.endpoint);
        let nobody = Owner::default();
        let mut context = call_context(&self.request, endpoint, self.caller.clone(), nobody, self.deadline)?;
        context.watcher = once.map(Once::watcher);
        plan.wish.unit_user.clone_from(&context.user_id);
        Ok(ChatCall {
            plan,
            outgoing: Rc::new(request),
            context,
        })
    }
}

fn whole(answer: Answer, routing: Option<&str>) -> HttpResponse {
    let status = StatusCode::from_u16(answer.completion.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, JSON));
    name_the_model(&mut response, &answer.served.model);
    tell_dropped(&mut response, &answer.served.dropped);
    tell_escalation(&mut response, answer.served.routing.as_deref());
    tell_routing(&mut response, routing);
    response.body(answer.completion.body)
}

/// The head of a stream.
fn streamed(model: &Model, dropped: &[Cow<'static, str>], story: Option<&RoutingStory>) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, EVENT_STREAM));
    response.insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
    name_the_model(&mut response, model);
    tell_dropped(&mut response, dropped);
    tell_escalation(&mut response, story);
    response
}

/// The calls of a stream that has begun, in one line as [`RoutingStory::summary`] tells them: those that have ended, and
/// the one that answers.
fn begun_summary(model: &Model, story: Option<&RoutingStory>) -> String {
    let mut text = story.map(RoutingStory::summary).unwrap_or_default();
    if !text.is_empty() {
        text.push_str(" -> ");
    }
    text.push_str(model.layer.as_str());
    text.push(' ');
    text.push_str(model.id.as_str());
    let mut candidates = story.iter().flat_map(|story| &story.candidates);
    match candidates.find(|candidate| candidate.model.id == model.id) {
        Some(candidate) => format!("{text} ({})", candidate.reason),
        None => text,
    }
}

/// Says which model answered. A name that cannot stand in a header is left out.
fn name_the_model(response: &mut HttpResponseBuilder, model: &Model) {
    for (name, value) in [
        (&X_GATEWAY_MODEL, model.id.as_str()),
        (&X_GATEWAY_PROVIDER, model.provider.as_str()),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.insert_header((name.clone(), value));
        }
    }
    response.insert_header((X_GATEWAY_LAYER.clone(), HeaderValue::from_static(model.layer.as_str())));
}

/// Says what of the request the model was not told, by the client's names for it.
fn tell_dropped(response: &mut HttpResponseBuilder, dropped: &[Cow<'static, str>]) {
    if dropped.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&dropped.join(", ")) {
        response.insert_header((X_GATEWAY_DROPPED.clone(), value));
    }
}

/// Says that a dearer layer might answer better. A dialect has no words to ask for leave, so that nothing is offered.
fn tell_escalation(response: &mut HttpResponseBuilder, story: Option<&RoutingStory>) {
    let Some(need) = story.and_then(|story| story.escalation.as_ref()) else {
        return;
    };
    let text = format!("required; layer={}; reason={}", need.suggested, need.evidence);
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.insert_header((X_GATEWAY_ESCALATION.clone(), value));
    }
}

/// Says by which calls, and why by these, the gateway came to the answer. A header has one line of ASCII: what is neither
/// is shown as `?`, and of what is too long the end is left out.
fn tell_routing(response: &mut HttpResponseBuilder, summary: Option<&str>) {
    let Some(summary) = summary.filter(|summary| !summary.is_empty()) else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&header_text(summary)) {
        response.insert_header((X_GATEWAY_ROUTING.clone(), value));
    }
}

fn header_text(text: &str) -> String {
    const CUT: &str = "...";
    let is_plain = |letter: &char| matches!(letter, ' '..='~');
    let plain = |letter: char| Some(letter).filter(is_plain).unwrap_or('?');
    let is_long = text.chars().nth(ROUTING_BYTES).is_some();
    let kept = if is_long {
        ROUTING_BYTES - CUT.len()
    } else {
        ROUTING_BYTES
    };
    let mut line: String = text.chars().take(kept).map(plain).collect();
    if is_long {
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_in_a_header_is_one_line_of_ascii_of_bounded_length() {
        for text in ["L0 small (named)", "L0 modèle\r\nx: y", ""] {
            let line = header_text(text);
            assert_eq!(line.chars().count(), text.chars().count());
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        }
        assert_eq!(header_text("L0 modèle\r\nx"), "L0 mod?le??x");
        let fits = "é".repeat(ROUTING_BYTES);
        assert_eq!(header_text(&fits), "?".repeat(ROUTING_BYTES));
        let cut = header_text(&"a".repeat(ROUTING_BYTES + 1));
        assert_eq!(cut.len(), ROUTING_BYTES);
        assert!(cut.ends_with("a..."), "{cut}");
    }
}
