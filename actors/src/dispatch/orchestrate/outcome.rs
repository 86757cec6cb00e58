//! What is told when a request has ended: its outcome, to whoever learns, and the model, to the conversation's next call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::cell::CellParts;
use super::errand::Errand;
use crate::protocol::{
    ErrorKind, Evidence, ExperimentId, GatewayError, KeepLoop, Layer, LoopNote, Model, NanoUsd, NoteOutcome,
    OutcomeEnd, OutcomeRow,
};
use crate::runtime::unix_micros;

/// The request was answered.
pub(super) fn answered(errand: &Errand, model: &Model, evidence: Option<Evidence>, found: Option<Layer>) {
    keep_loop(errand, model, found);
    note(errand, row(errand, model, evidence, OutcomeEnd::Answered));
    log(errand, model);
}

/// No model answered it.
pub(super) fn unanswered(errand: &Errand, error: ErrorKind) {
    if let Some(first) = errand.planned.candidates.first() {
        note(errand, row(errand, &first.model, None, OutcomeEnd::of_error(error)));
    }
}

/// The request's stream has begun: its outcome, which is told once the stream has ended. For the call that makes it so much
/// is held.
pub(super) fn begun(errand: &Errand, model: &Model, found: Option<Layer>, held: NanoUsd) -> StreamOutcome {
    keep_loop(errand, model, found);
    log(errand, model);
    StreamOutcome {
        cell: Rc::clone(&errand.cell),
        row: Some(Box::new(row(errand, model, None, OutcomeEnd::Answered))),
        held,
    }
}

/// The outcome of a stream under way.
#[derive(Debug)]
pub(in crate::dispatch) struct StreamOutcome {
    cell: Rc<CellParts>,
    /// Nothing once it has been told.
    row: Option<Box<OutcomeRow>>,
    held: NanoUsd,
}

impl StreamOutcome {
    /// The stream has ended like this, and its last call cost so much.
    pub(in crate::dispatch) fn ended(mut self, end: OutcomeEnd, cost: NanoUsd) {
        self.tell(end, cost);
    }

    fn tell(&mut self, end: OutcomeEnd, cost: NanoUsd) {
        let Some(mut row) = self.row.take() else { return };
        row.ended = end;
        row.cost += cost;
        row.created_at = unix_micros();
        tell(&self.cell, row);
    }
}

impl Drop for StreamOutcome {
    /// The process ends, or the stream's task panicked: it may all be on the bill, and says nothing of the model.
    fn drop(&mut self) {
        self.tell(OutcomeEnd::Refused, self.held);
    }
}

/// The outcomes of the answers that a task is made of. The task has one request, and so one outcome.
#[derive(Debug, Clone, Default)]
pub(in crate::dispatch) struct TaskOutcome(Rc<RefCell<Answers>>);

#[derive(Debug, Default)]
struct Answers {
    rows: Vec<OutcomeRow>,
    /// What calls cost that are no answers.
    more: NanoUsd,
}

impl TaskOutcome {
    /// A call that is no answer cost so much.
    pub(in crate::dispatch) fn add_cost(&self, cost: NanoUsd) {
        self.0.borrow_mut().more += cost;
    }

    fn add(&self, row: OutcomeRow) {
        self.0.borrow_mut().rows.push(row);
    }

    /// Tells the outcome of a task that has ended, with this error if it came to nothing. Without an answer whose model the
    /// gateway chose there is none.
    pub(in crate::dispatch) fn tell(&self, cell: &CellParts, error: Option<&GatewayError>) {
        let Answers { rows, more } = self.0.take();
        if let Some(mut row) = merged(rows) {
            row.cost += more;
            row.created_at = unix_micros();
            if let Some(error) = error {
                row.ended = OutcomeEnd::of_error(error.kind);
            }
            tell(cell, Box::new(row));
        }
    }
}

/// One outcome of several, the oldest first: of the dearest model that answered, with what all of them cost, and what speaks
/// against any of the answers. It ended as the last of them did, since nothing is done behind one that fails.
fn merged(rows: Vec<OutcomeRow>) -> Option<OutcomeRow> {
    let rank = |row: &OutcomeRow| (row.ended == OutcomeEnd::Answered, row.layer);
    let last = rows.last()?.ended;
    let cost = rows.iter().map(|row| row.cost).sum();
    let evidence = rows.iter().find_map(|row| row.evidence);
    let replaced = rows.iter().find_map(|row| row.replaced.clone());
    let escalated = rows.iter().any(|row| row.escalated);
    let arm_failed = rows.iter().any(|row| row.arm_failed);
    let dearest = rows.into_iter().reduce(|best, row| match rank(&row) > rank(&best) {
        true => row,
        false => best,
    })?;
    Some(OutcomeRow {
        cost,
        evidence,
        replaced,
        escalated,
        arm_failed,
        ended: last,
        ..dearest
    })
}

/// Keeps the model of a conversation that has no id.
fn keep_loop(errand: &Errand, model: &Model, found: Option<Layer>) {
    let Some(key) = errand.question.loop_key else { return };
    let note = KeepLoop {
        tenant: errand.call.context.caller.tenant(),
        conversation: key.conversation,
        note: LoopNote {
            floor: found.map_or(model.layer, |floor| floor.max(model.layer)),
            turn: key.turn,
            model: model.id.clone(),
            provider: model.provider.clone(),
        },
        now: Instant::now(),
    };
    if errand.cell.context.tell(note).is_err() {
        tracing::debug!("the conversations are gone; a loop is not kept");
    }
}

fn log(errand: &Errand, model: &Model) {
    tracing::debug!(
        request = %errand.call.plan.request,
        class = %errand.planned.decision.complexity,
        task = %errand.planned.decision.task,
        check = %errand.story.check,
        model = %model.id,
        "a request was answered"
    );
}

fn row(errand: &Errand, model: &Model, evidence: Option<Evidence>, ended: OutcomeEnd) -> OutcomeRow {
    let (plan, context, story) = (&errand.call.plan, &errand.call.context, &errand.story);
    let decision = &errand.planned.decision;
    let arm = decision.arm.as_ref();
    let experiment = arm.and_then(|arm| {
        let id: ExperimentId = arm.experiment.parse().ok()?;
        Some((id, Arc::clone(&arm.arm)))
    });
    // A better answer that somebody approved is one too, though it was asked for by a request of its own.
    let is_approved = |before: Layer| ended == OutcomeEnd::Answered && model.layer > before;
    OutcomeRow {
        request: plan.request,
        key_id: context.caller.key().map(|key| key.id.clone()),
        user_id: context.user_id.clone(),
        project_id: context.project_id.clone(),
        conversation: errand.conversation.clone(),
        endpoint: Arc::clone(&context.endpoint),
        task: decision.task,
        complexity: Some(decision.complexity),
        quality: plan.quality,
        difficulty: Some(decision.difficulty),
        start: Some(decision.start),
        layer: model.layer,
        model: model.id.clone(),
        strategy: Some(decision.strategy),
        check: story.check,
        votes: story.votes.map(|(agreed, _)| agreed),
        confidence: story.confidence,
        evidence: evidence.or(story.evidence).filter(|_| ended == OutcomeEnd::Answered),
        escalated: story.has_risen || plan.wish.above.is_some_and(is_approved),
        replaced: story.replaced.clone(),
        ended,
        accepted: None,
        rating: None,
        // Those that came with the request are of an answer before it, and are noted there.
        tests: None,
        experiment,
        arm_failed: ended == OutcomeEnd::Answered && arm.is_some_and(|arm| story.has_failed(arm, model)),
        cost: story.cost(),
        created_at: unix_micros(),
    }
}

fn note(errand: &Errand, row: OutcomeRow) {
    match &errand.part.task {
        Some(task) => task.add(row),
        None => tell(&errand.cell, Box::new(row)),
    }
}

fn tell(cell: &CellParts, row: Box<OutcomeRow>) {
    let Some(learning) = &cell.learning else { return };
    if learning.tell(NoteOutcome(row)).is_err() {
        tracing::debug!("nobody learns any more; an outcome is not kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testkit::outcome;

    #[test]
    fn a_task_of_several_answers_has_one_outcome_of_the_dearest_model_that_answered() {
        let answer = |layer, model: &str, ended| OutcomeRow {
            layer,
            model: model.into(),
            cost: NanoUsd(10),
            ended,
            ..outcome()
        };
        let rows = vec![
            answer(Layer::L0, "small", OutcomeEnd::Answered),
            OutcomeRow {
                replaced: Some("small".into()),
                escalated: true,
                evidence: Some(Evidence::Truncated),
                ..answer(Layer::L2, "large", OutcomeEnd::Answered)
            },
            answer(Layer::L2, "other", OutcomeEnd::Answered),
            answer(Layer::L3, "huge", OutcomeEnd::Failed),
        ];
        let one = merged(rows).unwrap();
        assert_eq!(
            (one.model.as_str(), one.layer, one.cost),
            ("large", Layer::L2, NanoUsd(40))
        );
        assert_eq!(one.replaced, Some("small".into()));
        assert_eq!((one.evidence, one.escalated), (Some(Evidence::Truncated), true));
        assert_eq!(one.ended, OutcomeEnd::Failed);
        assert_eq!(merged(Vec::new()), None);
    }
}
