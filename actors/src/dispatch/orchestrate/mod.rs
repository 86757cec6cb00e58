//! Requests that the gateway may answer in several calls: panels, reviews, moves to better models.
//!
//! Every call is an ordinary [`Run`], with its own lease, hold, entry in the journal, settlement and record: nothing about
//! money is written anew here. The best answer so far is kept until a better one is in hand; whatever fails after it only
//! changes what is told of the check.

mod errand;
mod handoff;
mod leg;
mod outcome;
mod panel;
mod prepare;
mod prompt;
mod rating;
mod refusal;
mod review;
mod rise;
mod schema;
mod story;

use std::rc::Rc;
use std::sync::Arc;

use super::account::Lost;
use super::cell::CellParts;
use super::client::Client;
use super::run::{Begun, Run, plan, routed};
use crate::protocol::{
    Answer, ChatCall, CheckPlan, Confirmation, ConversationId, GatewayError, LegRole, Ordinals, Plan, RoutingStory,
    Target,
};
use errand::{Aim, Errand, Given};
pub(in crate::dispatch) use outcome::{StreamOutcome, TaskOutcome};
use prepare::{prepare, split};

/// What an answer is part of: what its call is made for, and where its attempts get their places.
#[derive(Debug, Clone)]
pub(in crate::dispatch) struct Part {
    pub(in crate::dispatch) role: LegRole,
    pub(in crate::dispatch) ordinals: Ordinals,
    /// Where its outcome goes, if it is not told by itself.
    pub(in crate::dispatch) task: Option<TaskOutcome>,
    /// Is given what was asked for an answer that did not come.
    pub(in crate::dispatch) lost: Lost,
}

impl Part {
    /// A request of its own.
    fn whole() -> Self {
        Self {
            role: LegRole::Answer,
            ordinals: Ordinals::shared(),
            task: None,
            lost: Lost::default(),
        }
    }
}

/// Gets a whole answer. Where the caller named the model nothing is read, decided or asked beyond what that takes.
pub(in crate::dispatch) async fn answer(
    cell: Rc<CellParts>,
    call: ChatCall,
    conversation: Option<ConversationId>,
    client: &mut dyn Client,
) -> Result<Answer, GatewayError> {
    if is_named(&call) {
        return Run::new(cell, call, conversation, false).complete(client).await;
    }
    Box::pin(answer_as(cell, call, conversation, client, None)).await
}

/// Gets a whole answer that is part of something larger, if it is.
pub(in crate::dispatch) async fn answer_as(
    cell: Rc<CellParts>,
    mut call: ChatCall,
    conversation: Option<ConversationId>,
    client: &mut dyn Client,
    part: Option<Part>,
) -> Result<Answer, GatewayError> {
    let part_of = part.clone();
    let Some(prepared) = prepare(&cell, &mut call, conversation.as_ref()).await else {
        return plain(cell, call, conversation, client, part_of).await;
    };
    let found = prepared.found;
    let planned = plan(&cell, &call.plan).await?;
    let (decided, confirmation) = match split(planned) {
        Ok(decided) => decided,
        Err(plan) => {
            routed(&cell, &call.context, &plan.candidates);
            let mut run = as_part(Run::new(cell, call, conversation, false), part_of.as_ref());
            let result = run.complete_with(plan.candidates, client).await;
            return told_to(part_of.as_ref(), &mut run, result);
        }
    };
    call.plan.task = decided.decision.task;
    let part = part.unwrap_or_else(Part::whole);
    let mut errand = Errand::new(cell, call, conversation, part, decided, prepared);
    let result = match Box::pin(rating::second_opinion(&mut errand, confirmation, client)).await {
        Ok(confirmation) => {
            errand.routed();
            errand.tell_of_tests();
            Box::pin(best_of(&mut errand, confirmation, client)).await
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(best) => {
            outcome::answered(&errand, &best.model, best.evidence, found);
            Ok(finish(errand, best))
        }
        Err(error) => {
            outcome::unanswered(&errand, error.kind);
            let lost = errand.part.lost.clone();
            let (story, account) = errand.story.told(errand.planned);
            lost.put(story.legs, account);
            Err(error)
        }
    }
}

/// A stream that has begun, and what was decided for it.
pub(in crate::dispatch) struct Streamed {
    pub(in crate::dispatch) begun: Begun,
    pub(in crate::dispatch) routing: Option<Box<RoutingStory>>,
    /// What is told once it has ended, where the gateway chose the model.
    pub(in crate::dispatch) outcome: Option<StreamOutcome>,
}

/// Begins a stream. It starts where the plan says and fails over like any; nothing is done about it after its first event.
pub(in crate::dispatch) async fn stream(
    cell: &Rc<CellParts>,
    mut call: ChatCall,
    client: &mut dyn Client,
) -> Result<Streamed, GatewayError> {
    let unplanned = |begun| Streamed {
        begun,
        routing: None,
        outcome: None,
    };
    if is_named(&call) {
        return Run::new(Rc::clone(cell), call, None, true)
            .begin(client)
            .await
            .map(unplanned);
    }
    let Some(prepared) = prepare(cell, &mut call, None).await else {
        return Run::new(Rc::clone(cell), call, None, true)
            .begin(client)
            .await
            .map(unplanned);
    };
    let found = prepared.found;
    let planned = plan(cell, &call.plan).await?;
    let (decided, confirmation) = match split(planned) {
        Ok(decided) => decided,
        Err(plan) => {
            routed(cell, &call.context, &plan.candidates);
            let mut run = Run::new(Rc::clone(cell), call, None, true);
            return run.begin_with(plan.candidates, client).await.map(unplanned);
        }
    };
    call.plan.task = decided.decision.task;
    let mut errand = Errand::new(Rc::clone(cell), call, None, Part::whole(), decided, prepared);
    let confirmation = match Box::pin(rating::second_opinion(&mut errand, confirmation, client)).await {
        Ok(confirmation) => confirmation,
        Err(error) => {
            outcome::unanswered(&errand, error.kind);
            return Err(error);
        }
    };
    errand.routed();
    errand.tell_of_tests();
    let call = ChatCall {
        outgoing: Rc::clone(&errand.opening),
        ..errand.call.clone()
    };
    let run = Run::new(Rc::clone(cell), call, None, true);
    let mut run = run.into_leg(LegRole::Answer, &errand.part.ordinals);
    let begun = run.begin_with(errand.planned.candidates.clone(), client).await;
    errand.story.ended(LegRole::Answer, Aim::Answer, &mut run.account);
    match begun {
        Ok(begun) => {
            let model = Arc::clone(&begun.candidate.model);
            if let Some(Confirmation { layer, evidence }) = confirmation.filter(|would| model.layer < would.layer) {
                errand.need_leave(model.layer, &[], evidence, Some(layer)).await;
            }
            let outcome = outcome::begun(&errand, &model, found, begun.attempt.held());
            let (story, _) = errand.story.told(errand.planned);
            Ok(Streamed {
                begun,
                routing: Some(Box::new(story)),
                outcome: Some(outcome),
            })
        }
        Err(error) => {
            outcome::unanswered(&errand, error.kind);
            Err(error)
        }
    }
}

/// What would be done for a request, without doing it: it is planned as it would be, no model is asked, and nothing is
/// stored.
pub(in crate::dispatch) async fn explain(
    cell: &CellParts,
    mut call: ChatCall,
    conversation: Option<ConversationId>,
) -> Result<Plan, GatewayError> {
    call.plan.wish.explain = true;
    if !is_named(&call) {
        // What has no question is planned without one.
        let _question = prepare(cell, &mut call, conversation.as_ref()).await;
    }
    plan(cell, &call.plan).await
}

fn is_named(call: &ChatCall) -> bool {
    matches!(call.plan.target, Target::Named(_))
}

/// Today's way, for what has no question: what is to be embedded, or gone on with.
async fn plain(
    cell: Rc<CellParts>,
    call: ChatCall,
    conversation: Option<ConversationId>,
    client: &mut dyn Client,
    part: Option<Part>,
) -> Result<Answer, GatewayError> {
    let mut run = as_part(Run::new(cell, call, conversation, false), part.as_ref());
    let result = run.complete(client).await;
    told_to(part.as_ref(), &mut run, result)
}

fn as_part(run: Run, part: Option<&Part>) -> Run {
    match part {
        Some(part) => run.into_leg(part.role, &part.ordinals),
        None => run,
    }
}

/// The same result. Whatever it is part of is given what was asked for an answer that did not come.
fn told_to(part: Option<&Part>, run: &mut Run, result: Result<Answer, GatewayError>) -> Result<Answer, GatewayError> {
    if let (Some(part), Err(_)) = (part, &result) {
        part.lost.put(Vec::new(), std::mem::take(&mut run.account));
    }
    result
}

/// The best answer that the decision leads to.
async fn best_of(
    errand: &mut Errand,
    confirmation: Option<Confirmation>,
    client: &mut dyn Client,
) -> Result<Given, GatewayError> {
    let best = match errand.planned.decision.check.clone() {
        CheckPlan::Off => Box::pin(single(errand, client)).await?,
        CheckPlan::Panel(panel) => Box::pin(panel::run(errand, panel, client)).await?,
        CheckPlan::Review { reviewers } => Box::pin(review::run(errand, &reviewers, client)).await?,
    };
    if let Some(Confirmation { layer, evidence }) = confirmation
        && errand.story.escalation.is_none()
        && best.model.layer < layer
    {
        let current = best.model.layer;
        errand
            .need_leave(current, &[(&best, evidence)], evidence, Some(layer))
            .await;
    }
    Ok(best)
}

/// One model answers, and better ones where something speaks against what it says.
async fn single(errand: &mut Errand, client: &mut dyn Client) -> Result<Given, GatewayError> {
    let wish = errand.answering(errand.part.role, errand.planned.candidates.clone());
    let best = errand.ask(wish, client).await?;
    errand.mend(best, client).await
}

/// The answer with its story.
fn finish(errand: Errand, best: Given) -> Answer {
    let (story, account) = errand.story.told(errand.planned);
    let mut served = account.served(best.model, best.dropped);
    served.routing = Some(Box::new(story));
    served.end = best.read.map(|read| read.end);
    Answer {
        completion: best.completion,
        served,
    }
}
