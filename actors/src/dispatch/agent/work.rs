//! Doing a task: at once, or step by step.

use std::rc::Rc;
use std::sync::Arc;

use super::steps::{self, Written};
use super::told::Told;
use crate::dispatch::account::Lost;
use crate::dispatch::cell::CellParts;
use crate::dispatch::client::Client;
use crate::dispatch::orchestrate::{self, Part, TaskOutcome};
use crate::dispatch::run::{Run, plan, routed};
use crate::dispatch::shut_down;
use crate::protocol::{
    AgentCall, AgentStatus, Answer, AnswerEnd, CallStep, ChatCall, Completion, ConversationId, ErrorKind, GatewayError,
    Layer, LegRole, ModelId, Needs, Ordinals, OutgoingRequest, Served, StoreError, StoredMessage, TodoList, TodoStatus,
    TodoStep,
};

/// A task under way.
pub(super) struct Work<'a> {
    cell: &'a Rc<CellParts>,
    call: &'a AgentCall,
    conversation: Option<&'a ConversationId>,
    /// What was said before, oldest first.
    history: &'a [StoredMessage],
    /// The dearest layer that has answered: steps only move up.
    floor: Option<Layer>,
    ordinals: Ordinals,
    told: Told,
    outcome: TaskOutcome,
}

/// What came of it.
pub(super) struct WorkDone {
    pub(super) text: Arc<str>,
    pub(super) todo: Option<TodoList>,
    pub(super) served: Option<Served>,
    pub(super) status: AgentStatus,
}

impl WorkDone {
    /// The dearest layer that answered, where the gateway chose it.
    pub(super) fn layer(&self) -> Option<Layer> {
        let served = self.served.as_ref().filter(|served| served.routing.is_some())?;
        Some(served.model.layer)
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        cell: &'a Rc<CellParts>,
        call: &'a AgentCall,
        conversation: Option<&'a ConversationId>,
        history: &'a [StoredMessage],
    ) -> Self {
        Self {
            cell,
            call,
            conversation,
            history,
            floor: call.plan.wish.floor,
            ordinals: Ordinals::shared(),
            told: Told::default(),
            outcome: TaskOutcome::default(),
        }
    }

    /// The same beginning no lower than this layer.
    pub(super) fn not_below(mut self, layer: Option<Layer>) -> Self {
        self.floor = self.floor.max(layer);
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// When nothing of it could be done.
    pub(super) async fn done(self, client: &mut dyn Client) -> Result<WorkDone, GatewayError> {
        let (cell, outcome) = (Rc::clone(self.cell), self.outcome.clone());
        let result = Box::pin(self.work(client)).await;
        outcome.tell(&cell, result.as_ref().err());
        result
    }

    async fn work(mut self, client: &mut dyn Client) -> Result<WorkDone, GatewayError> {
        match self.list(client).await? {
            None => self.at_once(client).await,
            Some(list) => self.step_by_step(list, client).await,
        }
    }

    /// The steps that a task is done in; nothing where it is done at once.
    async fn list(&mut self, client: &mut dyn Client) -> Result<Option<TodoList>, GatewayError> {
        // A short task that is hard wants a better model, not steps.
        if self.call.is_trivial {
            return Ok(None);
        }
        // What is to replace the stored answer is the whole task done again: of the steps that are done nothing is known but
        // that answer.
        if self.call.amend.is_none()
            && let Some(conversation) = self.conversation
            && let Some(open) = open_list(self.cell, self.call, conversation).await
        {
            return Ok(Some(steps::with_results(open, self.history)));
        }
        let list = self.planned(client).await?;
        if let Some(list) = &list {
            self.keep(list).await;
        }
        Ok(list)
    }

    /// Asks a model for the steps. Without a list that can be used the task is done at once.
    async fn planned(&mut self, client: &mut dyn Client) -> Result<Option<TodoList>, GatewayError> {
        let (outgoing, needs) = self.cell.scribe.write(steps::prompt(&self.call.message));
        let mut run = Run::new(
            Rc::clone(self.cell),
            self.chat(outgoing, needs),
            self.conversation.cloned(),
            false,
        )
        .into_leg(LegRole::Plan, &self.ordinals);
        let asked = async {
            let planned = plan(self.cell, &run.call.plan).await?;
            routed(self.cell, &run.call.context, &planned.candidates);
            if let (Some(watcher), Some(first)) = (&run.call.context.watcher, planned.candidates.first()) {
                watcher.tell(CallStep::Leg {
                    role: LegRole::Plan,
                    models: vec![Arc::clone(&first.model)],
                });
            }
            run.complete_with(planned.candidates, client).await
        };
        let answer = tokio::select! {
            biased;
            () = self.cell.cut() => Err(shut_down()),
            answer = Box::pin(asked) => answer,
        };
        self.outcome.add_cost(match &answer {
            Ok(answer) => answer.served.cost,
            Err(_) => run.account.cost,
        });
        let account = std::mem::take(&mut run.account);
        self.told.add_lost(LegRole::Plan, Vec::new(), account);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if matches!(error.kind, ErrorKind::ClientClosed | ErrorKind::Draining) => return Err(error),
            Err(error) => {
                let (request, kind) = (self.call.plan.request, error.kind.as_str());
                tracing::info!(%request, kind, "a task could not be split into steps, and is done at once");
                return Ok(None);
            }
        };
        self.told.add(LegRole::Plan, answer.served);
        let read = self.cell.scribe.read(&answer.completion);
        let listed = read
            .filter(|read| read.end == AnswerEnd::Stop)
            .and_then(|read| steps::read(&read.text));
        Ok(listed.map(|steps| TodoList {
            id: steps::list_id(self.call.plan.request),
            task: steps::known_by(&self.call.message),
            steps: steps.into_iter().map(open_step).collect(),
        }))
    }

    async fn at_once(mut self, client: &mut dyn Client) -> Result<WorkDone, GatewayError> {
        let (outgoing, needs) = self.call.dialect.request(self.history);
        let (completion, _) = self.ask(LegRole::Answer, outgoing, needs, client).await?;
        let text = match self.call.dialect.answer_text(&completion) {
            // Nothing, or a refusal: that is what the offer is about.
            Err(_) if self.has_offer() => String::new(),
            text => text?,
        };
        // Whoever does it again splits it again, if it is not small.
        let calls = if self.call.is_trivial { 1 } else { steps::MOST + 1 };
        Ok(WorkDone {
            text: text.into(),
            todo: None,
            served: self.told.served(calls),
            status: AgentStatus::Done,
        })
    }

    /// Does one open step after the other, until one fails: what is done by then is the answer, by this call and by those
    /// before it.
    async fn step_by_step(mut self, mut list: TodoList, client: &mut dyn Client) -> Result<WorkDone, GatewayError> {
        let mut written = Written::default();
        let mut stopped = None;
        let mut is_begun = false;
        for place in 0..list.steps.len() {
            let Some(step) = list.steps.get(place).cloned() else {
                break;
            };
            match (step.status, step.result) {
                (TodoStatus::Done, Some(result)) => written.add(place, step.text, result),
                (TodoStatus::Open, _) if stopped.is_none() => match self.step(&step.text, &written, client).await {
                    Ok((result, model)) => {
                        is_begun = true;
                        let result: Arc<str> = result.into();
                        if let Some(step) = list.steps.get_mut(place) {
                            step.done(model, Arc::clone(&result));
                        }
                        written.add(place, step.text, result);
                        // The last tick is stored when the answer is: of a list without an open step nothing is gone on with.
                        if list.is_open() {
                            self.keep(&list).await;
                        }
                    }
                    Err(error) => stopped = Some(error),
                },
                _ => {}
            }
        }
        if let Some(error) = stopped {
            if !is_begun && !self.has_offer() {
                return Err(error);
            }
            let (request, kind) = (self.call.plan.request, error.kind.as_str());
            tracing::info!(%request, kind, "a task stopped with steps still to be done");
        }
        Ok(WorkDone {
            text: written.text().into(),
            status: if list.is_open() {
                AgentStatus::Partial
            } else {
                AgentStatus::Done
            },
            // The steps, and what splits the task into them.
            served: self.told.served(list.steps.len() + 1),
            todo: Some(list),
        })
    }

    async fn step(
        &mut self,
        step: &str,
        written: &Written,
        client: &mut dyn Client,
    ) -> Result<(String, ModelId), GatewayError> {
        if self.ordinals.are_spent() {
            let message = "this task has made as many calls as one may; send it again to have the rest done";
            return Err(GatewayError::new(ErrorKind::DeadlineExceeded, message));
        }
        let (outgoing, needs) = self.call.dialect.step(self.history, &written.fitted(), step);
        let (completion, model) = self.ask(LegRole::Step, outgoing, needs, client).await?;
        let text = self.call.dialect.answer_text(&completion)?;
        Ok((text, model))
    }

    /// Gets one answer, and adds it to the account.
    async fn ask(
        &mut self,
        role: LegRole,
        outgoing: Rc<dyn OutgoingRequest>,
        needs: Needs,
        client: &mut dyn Client,
    ) -> Result<(Completion, ModelId), GatewayError> {
        let chat = self.chat(outgoing, needs);
        let lost = Lost::default();
        let part = Part {
            role,
            ordinals: self.ordinals.clone(),
            task: Some(self.outcome.clone()),
            lost: lost.clone(),
        };
        let conversation = self.conversation.cloned();
        let asked = orchestrate::answer_as(Rc::clone(self.cell), chat, conversation, client, Some(part));
        let answer = tokio::select! {
            biased;
            () = self.cell.cut() => Err(shut_down()),
            answer = Box::pin(asked) => answer,
        };
        if let Some((legs, account)) = lost.take() {
            self.told.add_lost(role, legs, account);
        }
        let Answer { completion, mut served } = answer?;
        served.end = served.end.or_else(|| self.call.dialect.answer_end(&completion));
        let model = served.model.id.clone();
        self.floor = self.floor.max(Some(served.model.layer));
        self.told.add(role, served);
        Ok((completion, model))
    }

    fn chat(&self, outgoing: Rc<dyn OutgoingRequest>, needs: Needs) -> ChatCall {
        let mut plan = self.call.plan.clone();
        plan.needs = needs;
        plan.wish.floor = self.floor;
        ChatCall {
            plan,
            outgoing,
            context: self.call.context.clone(),
        }
    }

    /// Whether an answer that says nothing is told, for the offer that comes with it. A conversation keeps no such answer.
    fn has_offer(&self) -> bool {
        self.conversation.is_none() && self.told.has_offer()
    }

    /// Stores how far the list is; that of an answer which is to replace another only with that answer.
    async fn keep(&self, list: &TodoList) {
        if let Some(conversation) = self.conversation
            && self.call.amend.is_none()
        {
            keep(self.cell, self.call, conversation, list.clone()).await;
        }
    }
}

/// The list of the conversation that this task was left at.
pub(super) async fn open_list(cell: &CellParts, call: &AgentCall, conversation: &ConversationId) -> Option<TodoList> {
    match cell.todos.open_list(conversation.clone()).await {
        Ok(list) => list.filter(|list| list.task == steps::known_by(&call.message)),
        Err(error) => {
            let request = call.plan.request;
            tracing::warn!(%request, %error, "the open to-do list of a conversation could not be read");
            None
        }
    }
}

/// Stores a list. What cannot be stored is in the answer all the same.
pub(super) async fn keep(cell: &CellParts, call: &AgentCall, conversation: &ConversationId, list: TodoList) {
    let request = call.plan.request;
    match cell.todos.put(conversation.clone(), request, list.kept()).await {
        // The turn's end tells of a conversation that was deleted.
        Ok(()) | Err(StoreError::ConversationDeleted) => {}
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%request, %error, cause, "a to-do list could not be stored");
        }
    }
}

fn open_step(text: String) -> TodoStep {
    TodoStep {
        text,
        status: TodoStatus::Open,
        model: None,
        result: None,
    }
}
