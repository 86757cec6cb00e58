//! `POST /v1/chat/completions`: OpenAI's chat completions, whole or streamed. Stores no conversation.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use gateway_actors::protocol::{
    Answer, AnswerStream, CallContext, ChatCall, Model, PlanRequest, QualityLevel, Target, TaskType,
};

use crate::dialects::openai_chat::ChatCompletionsRequest;
use crate::http::error::Failure;
use crate::http::extract::{deadline, read_json};
use crate::http::middleware::Incoming;
use crate::http::respond::JSON;
use crate::http::shared::{Edge, Ending};
use crate::http::sse::EventBody;

static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
static X_GATEWAY_MODEL: HeaderName = HeaderName::from_static("x-gateway-model");
static X_GATEWAY_PROVIDER: HeaderName = HeaderName::from_static("x-gateway-provider");
static X_GATEWAY_LAYER: HeaderName = HeaderName::from_static("x-gateway-layer");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

pub(super) async fn post(
    request: HttpRequest,
    payload: web::Payload,
    edge: Edge,
    incoming: Incoming,
) -> Result<HttpResponse, Failure> {
    let shared = edge.shared();
    let settings = &shared.settings;
    let deadline = deadline(&request, incoming.arrived, settings.default_deadline)?;
    let body = read_json(&request, payload, settings.dialect_body_bytes, settings, &shared.bodies).await?;
    let completion = ChatCompletionsRequest::scan(body)?;
    let stream = completion.is_stream();
    if stream {
        shared.admission.asks_for_a_stream(&request);
    }
    let context = CallContext {
        endpoint: Arc::clone(&shared.endpoints.completions),
        user_id: None,
        project_id: None,
        deadline,
        watcher: None,
        place: None,
    };
    let call = call(completion, incoming, context);
    if stream {
        let answer = edge.pipeline().stream(call).await?;
        Ok(streamed(answer, shared.ending()))
    } else {
        Ok(whole(edge.pipeline().complete(call).await?))
    }
}

fn call(request: ChatCompletionsRequest, incoming: Incoming, context: CallContext) -> ChatCall {
    let plan = PlanRequest {
        request: incoming.id,
        target: Target::from_model_field(request.model()),
        max_layer: None,
        task: TaskType::Chat,
        quality: QualityLevel::Normal,
        needs: request.needs(),
    };
    let outgoing = Rc::new(request);
    ChatCall {
        plan,
        outgoing,
        context,
    }
}

fn whole(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.completion.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, JSON));
    name_the_model(&mut response, &answer.served.model);
    response.body(answer.completion.body)
}

fn streamed(answer: AnswerStream, ending: Ending) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, EVENT_STREAM));
    response.insert_header((X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")));
    name_the_model(&mut response, &answer.model);
    response.body(EventBody::new(answer.events, ending))
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
