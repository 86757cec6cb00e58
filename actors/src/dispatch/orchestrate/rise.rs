//! What speaks against an answer, and what is done about it: a better model answers, or leave for one is asked for.

use std::rc::Rc;
use std::sync::Arc;

use super::super::client::Client;
use super::super::run::plan;
use super::errand::{Aim, Errand, Given, LegWish, is_left};
use super::handoff::{Attempted, Matter, counts_of, hand_off};
use super::refusal::is_refusal;
use super::schema;
use super::story::is_same_endpoint;
use crate::protocol::{
    AnswerEnd, AnswerRead, AnswerShape, Candidate, EscalationNeed, Evidence, GatewayError, HandOff, HealthNote, Layer,
    Leave, LegRole, Model, NanoUsd, OutgoingRequest, Question, TestResults,
};

/// How often a request moves up.
const MOST_RISES: usize = 2;

/// What speaks against an answer, by itself.
pub(super) fn judge(read: &AnswerRead, question: &Question) -> Option<Evidence> {
    if question.answers > 1 {
        return None;
    }
    if read.end == AnswerEnd::Refused {
        return Some(Evidence::Refusal);
    }
    if read.calls_tools {
        return None;
    }
    let text = read.text.trim();
    if text.is_empty() {
        return Some(Evidence::Empty);
    }
    if read.end == AnswerEnd::Length {
        // Where the client set the limit, it has what it asked for.
        return (!question.capped).then_some(Evidence::Truncated);
    }
    if is_refusal(text) {
        return Some(Evidence::Refusal);
    }
    match &question.shape {
        AnswerShape::Free => None,
        AnswerShape::Json => {
            let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
            object.is_err().then_some(Evidence::InvalidOutput)
        }
        AnswerShape::Schema(schema) => {
            let Ok(value) = serde_json::from_str(text) else {
                return Some(Evidence::InvalidOutput);
            };
            // A schema that is no JSON is the provider's to refuse.
            let schema = serde_json::from_str(schema).ok()?;
            schema::is_broken_by(&schema, &value).then_some(Evidence::SchemaFailure)
        }
    }
}

/// How much an answer is worth with this against it.
pub(super) fn worth(evidence: Option<Evidence>) -> u8 {
    match evidence {
        None => 3,
        Some(Evidence::Empty) => 0,
        Some(Evidence::Refusal) => 1,
        Some(_) => 2,
    }
}

/// Which better model is offered; without either, one of the next layer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Better<'a> {
    /// It is of this layer or a higher one, if there is such a one.
    pub(super) at_least: Option<Layer>,
    /// It is this one, if it may be asked with leave: it was weighed against what was said.
    pub(super) weighed: Option<&'a Model>,
}

impl Errand {
    /// The models that may be asked above a layer, lowest layer first. One that was asked for an answer already is not asked
    /// again, one whose gate is open is no better than what is there, and one that is not worth its price is worth less. One
    /// that has only judged or rated may answer, but behind the others of its layer: they bring an eye of their own.
    pub(super) fn above(&self, layer: Layer, candidates: &[Candidate]) -> Vec<Candidate> {
        let is_better = |candidate: &&Candidate| {
            candidate.model.layer > layer
                && candidate.reason.health != HealthNote::Open
                && !candidate.reason.is_not_worth_it
                && !self.story.has_written(&candidate.model)
                && self.may_pay(candidate)
        };
        let mut above: Vec<Candidate> = candidates.iter().filter(is_better).cloned().collect();
        above.sort_by_key(|candidate| (candidate.model.layer, self.story.has_tried(&candidate.model)));
        above
    }

    /// Whether the request may move up once more.
    pub(super) fn may_rise(&self) -> bool {
        self.story.rises.len() < MOST_RISES
    }

    /// Has better models answer while something speaks against the answer, as far as they may be asked. The answer so far
    /// is kept until a better one is there.
    pub(super) async fn mend(&mut self, mut best: Given, client: &mut dyn Client) -> Result<Given, GatewayError> {
        while let Some(evidence) = best.evidence {
            let above = self.above(best.model.layer, &self.planned.candidates);
            if above.is_empty() || !self.may_rise() {
                if above.is_empty() {
                    let current = best.model.layer;
                    self.need_leave(current, &[(&best, evidence)], evidence, None).await;
                }
                break;
            }
            match Box::pin(self.rise(above, &[(&best, evidence)], client)).await {
                Ok(better) if better.worth() >= best.worth() => {
                    self.story.rose_above(&best.model);
                    self.tried(std::mem::replace(&mut best, better));
                }
                Ok(worse) => {
                    self.tried(worse);
                    break;
                }
                Err(error) if is_left(&error) => return Err(error),
                Err(_) => break,
            }
        }
        Ok(best)
    }

    /// Has a better model answer, told of these attempts, the oldest first.
    pub(super) async fn rise(
        &mut self,
        candidates: Vec<Candidate>,
        attempts: &[(&Given, Evidence)],
        client: &mut dyn Client,
    ) -> Result<Given, GatewayError> {
        let package = Arc::new(self.package(attempts));
        let noted = self.call.outgoing.with_note(&package.text());
        // It counts as a move up whether or not the request has a place for the note.
        let wish = LegWish {
            role: LegRole::Rise,
            aim: Aim::Answer,
            candidates,
            outgoing: noted.unwrap_or_else(|| Rc::clone(&self.call.outgoing)),
            deadline: self.call.context.deadline,
        };
        self.story.rises.push(package);
        self.ask(wish, client).await
    }

    /// Has whoever answers first told of the client's failed tests, be it the model that answered before: else it would
    /// answer as if nothing had been tried.
    pub(super) fn tell_of_tests(&mut self) {
        if self.untold_tests().is_none_or(|tests| tests.failed == 0) {
            return;
        }
        let package = self.package(&[]);
        if let Some(noted) = self.call.outgoing.with_note(&package.text()) {
            self.opening = noted;
            self.story.tests = Some(Arc::new(package));
        }
    }

    /// How the client's tests went, where the request does not say so itself. The message of a task does, and the note of an
    /// offer does if it was written after them.
    fn untold_tests(&self) -> Option<&TestResults> {
        let tests = self.call.plan.wish.tests.as_ref()?;
        let note = self.story.note.as_ref();
        let is_told = self.part.task.is_some() || note.is_some_and(|note| note.0.contains(&counts_of(tests)));
        (!is_told).then_some(tests)
    }

    /// What a better model is told: of these attempts, and of those before them.
    fn package(&self, attempts: &[(&Given, Evidence)]) -> HandOff {
        let earlier = self.earlier.iter().map(|(given, evidence)| (given, evidence));
        let attempts = earlier.chain(attempts.iter().map(|(given, evidence)| (*given, evidence)));
        let attempts = attempts.map(|(given, evidence)| Attempted {
            model: &given.model,
            evidence: *evidence,
            text: given.text(),
        });
        let attempts: Vec<Attempted<'_>> = attempts.collect();
        let tokens = self.cell.orchestration.handoff_tokens;
        let matter = Matter {
            decision: &self.planned.decision,
            question: &self.question,
            issues: &self.issues,
            tests: self.untold_tests(),
        };
        hand_off(matter, &attempts, tokens)
    }

    /// Notes that a better answer would want leave, if there is a model that could give it. What no budget pays for is not
    /// offered: approving it would change nothing.
    pub(super) async fn need_leave(
        &mut self,
        current: Layer,
        attempts: &[(&Given, Evidence)],
        evidence: Evidence,
        at_least: Option<Layer>,
    ) {
        let wanted = Better {
            at_least,
            ..Better::default()
        };
        self.need_leave_for(current, attempts, evidence, wanted).await;
    }

    /// The same, for the model that was weighed against the answer if there is one and it may be offered.
    pub(super) async fn need_leave_for(
        &mut self,
        current: Layer,
        attempts: &[(&Given, Evidence)],
        evidence: Evidence,
        wanted: Better<'_>,
    ) {
        if self.is_unpaid {
            self.story.check_reason.get_or_insert("budget");
            return;
        }
        let Some(better) = self.better_with_leave(current, wanted).await else {
            return;
        };
        let package = self.package(attempts);
        self.story.escalation = Some(EscalationNeed {
            current,
            suggested: better.model.layer,
            evidence,
            estimated_cost: self.most_that_costs(&better.model, &package),
            package: Arc::new(package),
        });
    }

    /// The model that would be asked next if everything that the caller and the operator allow were approved.
    async fn better_with_leave(&self, current: Layer, better: Better<'_>) -> Option<Candidate> {
        let Better { at_least, weighed } = better;
        let mut wanted = self.call.plan.clone();
        wanted.wish.leave = Leave::UpTo(Layer::L3);
        let plan = Box::pin(plan(&self.cell, &wanted)).await.ok()?;
        let above = self.above(current, &plan.candidates);
        let is_weighed =
            |candidate: &&Candidate| weighed.is_some_and(|model| is_same_endpoint(model, &candidate.model));
        if let Some(weighed) = above.iter().find(is_weighed) {
            return Some(weighed.clone());
        }
        let at_least = at_least.unwrap_or(Layer::L0);
        let fitting = above.iter().find(|candidate| candidate.model.layer >= at_least);
        let layer = fitting.or(above.last())?.model.layer;
        let mut of_layer = above.iter().filter(|candidate| candidate.model.layer == layer);
        // What nobody knows the price of is offered only where nothing else is.
        let priced = of_layer.clone().find(|candidate| candidate.model.price.is_some());
        priced.or_else(|| of_layer.next()).cloned()
    }

    /// What a call of this model may cost at most, an estimate where that has no bound; nothing where its price is not
    /// known.
    fn most_that_costs(&self, model: &Model, package: &HandOff) -> Option<NanoUsd> {
        let noted = self.call.outgoing.with_note(&package.text());
        let outgoing: &dyn OutgoingRequest = noted.as_deref().unwrap_or(&*self.call.outgoing);
        let bounded = outgoing.write_for(model, Some(&self.cell.bounds));
        let written = bounded.or_else(|_| outgoing.write_for(model, None));
        let bound = written.ok()?.bound;
        Some(model.price?.worst_case(bound.input, bound.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(shape: AnswerShape, capped: bool) -> Question {
        Question {
            text: "what?".into(),
            user_turns: 1,
            loop_key: None,
            in_loop: false,
            tool_errors: 0,
            shape,
            has_tools: false,
            has_media: false,
            stream: false,
            answers: 1,
            capped,
        }
    }

    fn read(text: &str, end: AnswerEnd) -> AnswerRead {
        AnswerRead {
            text: text.to_owned(),
            end,
            calls_tools: end == AnswerEnd::ToolCalls,
        }
    }

    #[test]
    fn an_answer_is_judged_by_what_it_is_and_of_its_words_by_how_refusals_begin() {
        let schema = || AnswerShape::Schema(r#"{"type":"object","required":["a"]}"#.into());
        let free = || AnswerShape::Free;
        for (shape, text, end, expected) in [
            (free(), "four", AnswerEnd::Stop, None),
            (free(), "I cannot tell.", AnswerEnd::Stop, None),
            (
                free(),
                "I cannot help with that.",
                AnswerEnd::Stop,
                Some(Evidence::Refusal),
            ),
            (
                AnswerShape::Json,
                "I cannot help with that.",
                AnswerEnd::Stop,
                Some(Evidence::Refusal),
            ),
            (
                free(),
                "I cannot help with",
                AnswerEnd::Length,
                Some(Evidence::Truncated),
            ),
            (free(), "I cannot help with that.", AnswerEnd::ToolCalls, None),
            (free(), " \n", AnswerEnd::Stop, Some(Evidence::Empty)),
            (free(), "", AnswerEnd::ToolCalls, None),
            (free(), "I will not", AnswerEnd::Refused, Some(Evidence::Refusal)),
            (free(), "and then", AnswerEnd::Length, Some(Evidence::Truncated)),
            (AnswerShape::Json, r#"{"a":1}"#, AnswerEnd::Stop, None),
            (
                AnswerShape::Json,
                "four",
                AnswerEnd::Stop,
                Some(Evidence::InvalidOutput),
            ),
            (AnswerShape::Json, "[1]", AnswerEnd::Stop, Some(Evidence::InvalidOutput)),
            (schema(), r#"{"a":1}"#, AnswerEnd::Stop, None),
            (schema(), r#"{"b":1}"#, AnswerEnd::Stop, Some(Evidence::SchemaFailure)),
            (schema(), "{", AnswerEnd::Stop, Some(Evidence::InvalidOutput)),
            (AnswerShape::Schema("no schema".into()), "{}", AnswerEnd::Stop, None),
        ] {
            let judged = judge(&read(text, end), &question(shape, false));
            assert_eq!(judged, expected, "{text:?} {end:?}");
        }
        assert_eq!(
            judge(&read("{", AnswerEnd::Length), &question(AnswerShape::Json, true)),
            None
        );
        let several = Question {
            answers: 2,
            ..question(AnswerShape::Free, false)
        };
        assert_eq!(judge(&read("", AnswerEnd::Stop), &several), None);
    }
}
