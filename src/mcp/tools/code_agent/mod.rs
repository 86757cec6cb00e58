//! `code_agent`: one programming task, done by the models that suit it, in steps where it is not small.
//!
//! A task first runs with nothing but the leave that it has. Where a dearer layer may do better, somebody is asked
//! (`leave`) while no place among the running calls and no turn is held, and only a yes runs it again.

mod account;
mod decided;
mod leave;
mod output;
mod schema;

use std::sync::Arc;

use gateway_actors::protocol::{
    AgentAnswer, CallContext, Caller, ConversationId, EscalationDecision, GatewayError, Layer, RequestId, TokenMeter,
};
use rmcp::model::{CallToolResponse, Tool, ToolAnnotations, object};
use tokio::time::Instant;

use self::decided::Settled;
use self::leave::Way;
use self::output::{Escalation, Kept, Told};
use super::given::Given;
use crate::agent::{self, Accepts, AgentRequest};
use crate::auth::{Owner, owner};
use crate::escalation::{Draft, Offered, Refusal, Ticket};
use crate::mcp::desk::Task;
use crate::mcp::error::ToolFailure;
use crate::mcp::progress::Progress;
use crate::mcp::shared::Shared;

pub(super) const NAME: &str = "code_agent";

const DESCRIPTION: &str = "Hands a programming task to language models that the gateway chooses, free ones first, and \
                           answers with their code or explanation, which models it were, and what it cost. A task that \
                           is not small is split into steps. The models see only what the arguments hold: put the code \
                           that matters into context.existingCode. With a conversationId the gateway remembers what was \
                           said before. When a dearer model may do better and nobody gave leave to spend that much, the \
                           user is asked, or the answer has an offer in escalation.";

/// The endpoint's name in call records.
const ENDPOINT: &str = "mcp/code_agent";
/// How often somebody is asked within a call: once for each layer above the first.
const MOST_QUESTIONS: usize = Layer::ALL.len() - 1;
/// Whom the calls are booked to: whoever may start this process acts as its user.
const LOCAL_USER: &str = "local";

pub(super) fn description() -> Tool {
    let annotations = ToolAnnotations::with_title("Code agent")
        .read_only(false)
        .destructive(false)
        .idempotent(false)
        .open_world(true);
    Tool::new(NAME, DESCRIPTION, object(agent::schema()))
        .with_title("Code agent")
        .with_raw_output_schema(object(schema::schema()).into())
        .with_annotations(annotations)
}

pub(super) async fn call(shared: &Shared, mut given: Given<'_>) -> Result<CallToolResponse, ToolFailure> {
    let arguments = std::mem::take(&mut given.arguments);
    let body = serde_json::Value::Object(arguments).to_string();
    let wanted = AgentRequest::parse(body.as_bytes(), Accepts::Mcp, ENDPOINT)?;
    let (token, decision) = match (&given.state, &wanted.token, wanted.decision) {
        (Some(token), ..) => (Some(token.clone()), leave::decided(given.responses.as_ref())),
        (None, Some(token), Some(decision)) => (Some(token.clone()), decision),
        (None, Some(_), None) => {
            let message = "`escalationDecision` must say what the user decided: approve or reject";
            return Err(GatewayError::invalid("escalationDecision", message).into());
        }
        (None, None, _) => (None, EscalationDecision::Reject),
    };
    let caller = shared.identity.caller().await?;
    let agent = Agent {
        shared,
        owner: owner(&caller, named(&caller))?,
        caller,
        endpoint: ENDPOINT.into(),
        arrived: given.arrived,
        progress: Progress::of(given.context),
        way: Way::of(given.context),
        is_taken: false,
        given,
    };
    match token {
        None => agent.first(wanted, body.into()).await,
        Some(token) => agent.decided(wanted, &token, decision).await,
    }
}

/// A call of the tool.
struct Agent<'a> {
    shared: &'a Shared,
    given: Given<'a>,
    caller: Caller,
    owner: Owner,
    endpoint: Arc<str>,
    arrived: Instant,
    progress: Progress,
    way: Way,
    /// Whether an offer was taken: its token is used.
    is_taken: bool,
}

/// A task that was done, with what it was done for.
struct Done {
    answer: AgentAnswer,
    request: RequestId,
}

impl Agent<'_> {
    /// A call that nobody has decided about.
    async fn first(mut self, wanted: AgentRequest, body: Arc<str>) -> Result<CallToolResponse, ToolFailure> {
        let done = self.run(&wanted, self.given.request, None).await?;
        self.offered(wanted, done, body, None).await
    }

    /// Tells an answer, with what was decided before it. Where a dearer layer may do better, somebody is asked first, in the
    /// way that the client knows: each time that a better answer falls short too, which ends with the layers.
    async fn offered(
        mut self,
        wanted: AgentRequest,
        mut done: Done,
        body: Arc<str>,
        mut decided: Option<Escalation>,
    ) -> Result<CallToolResponse, ToolFailure> {
        for asked in 0.. {
            let Some((offered, is_kept)) = self.offer(&wanted, &done, Arc::clone(&body)).await? else {
                break;
            };
            let asking = match (self.way, &offered.token, leave::question(&offered, &done.answer)) {
                // What is not kept must be told now.
                (Way::Again, Some(token), Some(question)) if is_kept => {
                    return Ok(leave::asking(question, token).into());
                }
                (Way::Within, Some(token), Some(question)) if asked < MOST_QUESTIONS => {
                    self.shared.slots.ask().map(|place| (place, token.clone(), question))
                }
                _ => None,
            };
            let Some((place, token, question)) = asking else {
                decided = Some(Escalation::Offered(Box::new(offered)));
                break;
            };
            let decision = leave::asked(&self.given.context.peer, question).await;
            drop(place);
            match self.settled(&wanted, done, &token, decision).await {
                Settled::Better(better, escalation) => {
                    done = better;
                    decided = Some(escalation);
                }
                Settled::Stays(before, escalation) => {
                    done = before;
                    decided = Some(escalation);
                    break;
                }
            }
        }
        self.tell(done, &wanted, decided).await
    }

    /// Does a task; with a ticket, whose offer is taken when all else is ready, at the layer that it is for.
    async fn run(
        &mut self,
        wanted: &AgentRequest,
        request: RequestId,
        ticket: Option<Ticket>,
    ) -> Result<Done, ToolFailure> {
        let shared = self.shared;
        let of_request = |error: GatewayError| ToolFailure::from(error).of(request);
        let deadline = self.arrived + shared.patience;
        let text = wanted.dialect().map_err(of_request)?;
        let entered = shared.limits.enter(&self.caller, wanted.input_bytes()).await;
        let entered = entered.map_err(|over| ToolFailure::from(over.error))?;
        let slot = shared.slots.take(deadline).await.map_err(of_request)?;
        let mut plan = wanted.plan(request, self.owner.user.clone()).of(&self.caller);
        let mut approved = None;
        if let Some(ticket) = ticket {
            // From here on the token is used.
            let offer = shared.offers.decide(&ticket, EscalationDecision::Approve).await;
            let offer = offer.map_err(|refusal| self.failure(refusal, request))?;
            self.is_taken = true;
            plan.wish.redeem(&offer);
            approved = Some(offer);
        }
        let (watcher, steps) = self.progress.watcher();
        let conversation = self.stored_conversation(wanted);
        let replaced = approved.filter(|offer| offer.conversation == conversation);
        let task = Task {
            text,
            conversation,
            plan,
            context: CallContext {
                endpoint: Arc::clone(&self.endpoint),
                caller: self.caller.clone(),
                user_id: self.owner.user.clone(),
                project_id: self.owner.project.clone(),
                deadline,
                watcher,
                meter: entered.clone().map(|entered| entered as Arc<dyn TokenMeter>),
                place: Some(Arc::new((slot, entered))),
            },
            is_small: wanted.is_small(),
            amend: replaced.and_then(|offer| offer.amend()),
        };
        let answer = self.progress.tell_during(steps, shared.desk.ask(task)).await;
        Ok(Done {
            answer: answer.map_err(of_request)?,
            request,
        })
    }

    /// The conversation that a task names, as it is stored.
    fn stored_conversation(&self, wanted: &AgentRequest) -> Option<ConversationId> {
        let named = wanted.conversation.as_ref();
        named.map(|conversation| conversation.within(self.caller.tenant().as_deref()))
    }

    /// Offers a better answer, where there might be one that wants leave; and whether the answer so far is kept as a whole.
    async fn offer(
        &self,
        wanted: &AgentRequest,
        done: &Done,
        body: Arc<str>,
    ) -> Result<Option<(Offered, bool)>, ToolFailure> {
        let story = done.answer.served.as_ref().and_then(|served| served.routing.as_ref());
        let Some(need) = story.and_then(|story| story.escalation.as_ref()) else {
            return Ok(None);
        };
        let kept = self.kept(done, wanted).and_then(Kept::text);
        let (kept, is_kept) = kept.map_err(|error| not_written(&error).of(done.request))?;
        let draft = Draft {
            caller: &self.caller,
            endpoint: &self.endpoint,
            request: done.request,
            conversation: self.stored_conversation(wanted),
            user_seq: done.answer.user_seq,
            body,
            digest: wanted.digest(),
            answer: Some(kept),
        };
        let until = Instant::now() + self.shared.patience;
        let offered = self.shared.offers.offer(need, draft, until).await;
        let offered = offered.map_err(|error| not_written(&error).of(done.request))?;
        Ok(Some((offered, is_kept)))
    }

    async fn tell(
        mut self,
        done: Done,
        wanted: &AgentRequest,
        escalation: Option<Escalation>,
    ) -> Result<CallToolResponse, ToolFailure> {
        let kept = self.kept(&done, wanted);
        let rendered = kept.and_then(|kept| kept.render(escalation.as_ref()));
        let rendered = rendered.map_err(|error| not_written(&error).of(done.request))?;
        self.progress.tell("answered".to_owned()).await;
        Ok(rendered.into())
    }

    /// All that is told of an answer but what becomes of an offer.
    fn kept(&self, done: &Done, wanted: &AgentRequest) -> Result<Kept, serde_json::Error> {
        let told = Told {
            answer: &done.answer,
            quality: wanted.quality,
            conversation: wanted.conversation.as_ref(),
            request: done.request,
        };
        told.kept(self.given.arrived.elapsed())
    }

    fn failure(&self, refusal: Refusal, request: RequestId) -> ToolFailure {
        ToolFailure::from(GatewayError::from(refusal)).of(request)
    }
}

fn not_written(error: &serde_json::Error) -> ToolFailure {
    tracing::error!(%error, "an answer could not be written as JSON");
    ToolFailure::internal()
}

/// Without a virtual key the calls are those of this machine's user.
fn named(caller: &Caller) -> Owner {
    match caller {
        Caller::Key(_) => Owner::default(),
        Caller::Local | Caller::Admin => Owner {
            user: Some(Arc::from(LOCAL_USER)),
            project: None,
        },
    }
}
