//! Asking a person for leave to go on with a dearer layer, in the way that the client knows.
//!
//! Revision 2026-07-28 knows no requests to the client: the call is answered with what is to be asked, and comes again
//! with the answer. Before, the client is asked within the call. Whoever can do neither gets a token.

use std::time::Duration;

use gateway_actors::protocol::{AgentAnswer, EscalationDecision};
use rmcp::RoleServer;
use rmcp::model::{
    CancelledNotificationParam, ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, EnumSchema, InputRequest, InputRequests, InputRequiredResult, InputResponses, ProtocolVersion,
    RequestId, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RequestContext};
use serde_json::Value;

use crate::escalation::Offered;

/// The name of the question in a form, and among the questions of an answer.
const QUESTION: &str = "escalate";
/// How long a person may think while their client waits.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of the answer so far that are shown with the question.
const SHOWN_BYTES: usize = 2_000;

/// How a client can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By an answer that asks: the call comes again.
    Again,
    /// By a request within the call.
    Within,
    /// Not at all.
    Token,
}

impl Way {
    /// That of this call's client.
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let elicitation = context.client_capabilities().and_then(|can| can.elicitation);
        // A client that names no kind of question knows forms.
        let knows_forms = elicitation.is_some_and(|can| can.form.is_some() || can.url.is_none());
        let is_new = |version: ProtocolVersion| version >= ProtocolVersion::V_2026_07_28;
        match context.protocol_version() {
            _ if !knows_forms => Self::Token,
            Some(version) if is_new(version.clone()) => Self::Again,
            _ => Self::Within,
        }
    }
}

/// What is asked.
pub(super) fn question(offered: &Offered, answer: &AgentAnswer) -> Option<ElicitRequest> {
    let choices = vec!["approve".to_owned(), "reject".to_owned()];
    let schema = ElicitationSchema::builder()
        .required_enum_schema(QUESTION, EnumSchema::builder(choices).title("Spend it?").build())
        .build();
    let requested_schema = schema.ok()?;
    Some(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: words(offered, answer),
        requested_schema,
    }))
}

fn words(offered: &Offered, answer: &AgentAnswer) -> String {
    let Offered {
        current_layer,
        suggested_layer,
        reason,
        ..
    } = offered;
    let by = answer
        .served
        .as_ref()
        .map_or_else(String::new, |served| format!(", {}", served.model.id));
    let text = &answer.text;
    let shown = text.get(..text.floor_char_boundary(SHOWN_BYTES)).unwrap_or_default();
    let more = if shown.len() < text.len() { "\n[…]" } else { "" };
    format!(
        "A model of layer {current_layer}{by} has answered. What speaks against its answer: {reason}. A model of layer \
         {suggested_layer} may do better, {price} for the whole task; checks and failed attempts come on top. Approve to \
         have all of it done again by that; else nothing more is spent, and the answer stays as it is:\n\n{shown}{more}",
        price = offered.price()
    )
}

/// The answer that asks, and wants this to be sent back with what was decided.
pub(super) fn asking(question: ElicitRequest, token: &str) -> InputRequiredResult {
    let questions = InputRequests::from([(QUESTION.to_owned(), InputRequest::Elicitation(question))]);
    InputRequiredResult::new(Some(questions), Some(token.to_owned()))
}

/// What was decided according to a call that comes again. Whatever is no clear yes is a no.
pub(super) fn decided(responses: Option<&InputResponses>) -> EscalationDecision {
    let response = responses.and_then(|responses| responses.get(QUESTION));
    let result = response.and_then(|response| serde_json::from_value(response.clone()).ok());
    result.map_or(EscalationDecision::Reject, |result| decision(&result))
}

fn decision(result: &ElicitResult) -> EscalationDecision {
    let choice = result.content.as_ref().and_then(|content| content.get(QUESTION));
    let is_yes = result.action == ElicitationAction::Accept && choice == Some(&Value::from("approve"));
    if is_yes {
        EscalationDecision::Approve
    } else {
        EscalationDecision::Reject
    }
}

/// Asks within the call. Whoever does not answer in time, declines, closes the question or cannot be asked has not said yes.
pub(super) async fn asked(peer: &Peer<RoleServer>, question: ElicitRequest) -> EscalationDecision {
    let options = PeerRequestOptions::with_timeout(PATIENCE);
    let request = ServerRequest::ElicitRequest(question);
    let handle = match peer.send_request_with_option(request, options).await {
        Ok(handle) => handle,
        Err(error) => {
            tracing::info!(%error, "the client could not be asked");
            return EscalationDecision::Reject;
        }
    };
    let mut question = Open {
        peer: peer.clone(),
        id: Some(handle.id.clone()),
    };
    let answered = handle.await_response().await;
    question.id = None;
    match answered {
        Ok(ClientResult::ElicitResult(result)) => decision(&result),
        Ok(_) => EscalationDecision::Reject,
        Err(error) => {
            tracing::info!(%error, "the client's user did not decide");
            EscalationDecision::Reject
        }
    }
}

/// A question that its client takes back from the person when the call ends before it is answered.
struct Open {
    peer: Peer<RoleServer>,
    id: Option<RequestId>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else {
            return;
        };
        let peer = self.peer.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let cancelled = CancelledNotificationParam::new(Some(id), Some("the call has ended".to_owned()));
            // A client that is gone asks nobody.
            let _ = peer.notify_cancelled(cancelled).await;
        });
    }
}
