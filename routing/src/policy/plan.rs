//! The steps one after the other, driven by what the caller tells.

use super::fitted::{Fitted, best_of};
use super::general::General;
use super::seats::{Roles, Seat, by_value, seats};
use super::{AnswerText, Candidate, Compare, Decision, MOST_CANDIDATES, Offer, Panel, PolicyError, Step, Terms, Why};
use crate::agreement::agree;
use crate::answer::{Extracted, extract};
use crate::answer_key::{KeyRules, answer_key};
use crate::answer_signals::{self, Text, standard_signals};
use crate::code_key::code_key;
use crate::question::Question;
use crate::verdict::{Said, Verdict, judge};

/// What a plan waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Panel,
    /// The panel, since the strongest that was asked at once has no usable answer.
    PanelAfterTop,
    /// The model between of this number in the fit.
    Between(usize),
    TopAtOnce,
    TopAfter,
    /// One more, whose answer is taken if it is one.
    Single,
    Over,
}

/// What a candidate said, as far as the plan needs it.
#[derive(Debug, Clone)]
struct Told {
    failed: bool,
    blank: bool,
    key: String,
    signals: [f64; answer_signals::COUNT],
}

/// A plan under way.
#[derive(Debug)]
pub struct Plan<'a> {
    question: &'a Question<'a>,
    rules: KeyRules,
    seats: Vec<Seat>,
    roles: Roles,
    lambda: f64,
    compare: Compare,
    stage: Stage,
    told: Vec<Option<Told>>,
    /// Place of the best answer before the strongest was asked.
    best: Option<usize>,
    panel_votes: usize,
    decision: Decision,
}

/// Makes a plan for a question. The same question, candidates, terms and answers always give the same steps.
///
/// # Errors
///
/// Without candidates that may be asked, with more than 64, or with a lambda that is no number of 0 or more.
pub fn plan<'a>(
    question: &'a Question<'a>,
    candidates: &[Candidate<'_>],
    terms: Terms,
) -> Result<Plan<'a>, PolicyError> {
    if !candidates.iter().any(|candidate| candidate.allowed) {
        return Err(PolicyError::NoCandidates);
    }
    if candidates.len() > MOST_CANDIDATES {
        let most = MOST_CANDIDATES;
        return Err(PolicyError::TooManyCandidates { most });
    }
    if !(terms.lambda.is_finite() && terms.lambda >= 0.0) {
        return Err(PolicyError::Lambda);
    }
    let (seats, roles) = seats(question, candidates, &terms);
    let mut plan = Plan {
        question,
        rules: question.key_rules(),
        told: vec![None; seats.len()],
        seats,
        roles,
        lambda: terms.lambda,
        compare: terms.compare,
        stage: Stage::Over,
        best: None,
        panel_votes: 0,
        decision: Decision {
            step: Step::Exhausted,
            why: Why::BestValue,
            chance: None,
            offers: Vec::new(),
        },
    };
    plan.begin();
    Ok(plan)
}

impl Plan<'_> {
    /// What the caller does now.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Tells what a candidate said that was asked. Of a panel the next step is known when all of them were told of.
    ///
    /// # Errors
    ///
    /// When it was not asked, or was told of already.
    pub fn answered(&mut self, candidate: usize, answer: AnswerText<'_>) -> Result<&Decision, PolicyError> {
        let found = extract(answer.text);
        let key = match self.compare {
            Compare::Answers => answer_key(found, self.rules),
            Compare::Code => code_key(answer.text),
            Compare::Nothing => String::new(),
        };
        let told = Told {
            failed: false,
            blank: answer.text.trim().is_empty(),
            key,
            signals: self.signals(candidate, answer, found),
        };
        self.tell(candidate, told)
    }

    /// Tells that the call of a candidate that was asked gave no answer at all.
    ///
    /// # Errors
    ///
    /// When it was not asked, or was told of already.
    pub fn failed(&mut self, candidate: usize) -> Result<&Decision, PolicyError> {
        let told = Told {
            failed: true,
            blank: true,
            key: String::new(),
            signals: [0.0; answer_signals::COUNT],
        };
        self.tell(candidate, told)
    }

    fn signals(&self, candidate: usize, answer: AnswerText<'_>, found: Extracted<'_>) -> [f64; answer_signals::COUNT] {
        let known = match &self.roles {
            Roles::Fitted { .. } => self.seats.get(candidate).and_then(|seat| seat.known),
            Roles::General { .. } | Roles::OneByOne => None,
        };
        let model = self.question.model;
        let Some(table) = known.and_then(|known| model.table(known)) else {
            return [0.0; answer_signals::COUNT];
        };
        let text = Text {
            text: answer.text,
            answer: found,
            question: self.question.text,
            literal: self.rules.literal,
            tokens: answer.output_tokens,
            cut: answer.cut,
        };
        standard_signals(&text, &table.text_scale, model.text_clip)
    }

    fn tell(&mut self, candidate: usize, told: Told) -> Result<&Decision, PolicyError> {
        let asked = match self.decision.step {
            Step::CallPanel(panel) => panel.contains(&candidate),
            Step::Call(place) => place == candidate,
            Step::Accept(_) | Step::NeedsLeave { .. } | Step::Exhausted => false,
        };
        match self.told.get_mut(candidate) {
            Some(place @ None) if asked => *place = Some(told),
            _ => return Err(PolicyError::NotAsked { candidate }),
        }
        let complete = match self.decision.step {
            Step::CallPanel(panel) => panel.iter().all(|place| self.of(*place).is_some()),
            _ => true,
        };
        if complete {
            self.go_on(candidate);
        }
        Ok(&self.decision)
    }

    fn of(&self, place: usize) -> Option<&Told> {
        self.told.get(place).and_then(Option::as_ref)
    }

    fn begin(&mut self) {
        let offers = match &self.roles {
            Roles::Fitted { panel, between, top } => self.fitted(*panel, between, *top).first(),
            Roles::General { panel, top } => self.general(*panel, *top).first(),
            Roles::OneByOne => {
                let offers = by_value(&self.seats, self.lambda);
                let offers = offers.into_iter().map(|(place, value)| Offer {
                    step: Step::Call(place),
                    value,
                });
                return self.take(offers.collect(), None, |_| (Stage::Single, Why::BestValue));
            }
        };
        self.take(offers.to_vec(), None, |step| match step {
            Step::CallPanel(_) => (Stage::Panel, Why::PanelFirst),
            _ => (Stage::TopAtOnce, Why::StrongestAtOnce),
        });
        // There is no answer yet that could be taken instead.
        if let Roles::Fitted { panel, top, .. } | Roles::General { panel, top } = self.roles
            && self.decision.step == Step::Call(top)
            && !self.may_ask(top)
        {
            self.stage = Stage::Panel;
            self.decision.step = Step::CallPanel(panel);
            self.decision.why = Why::StrongestNotAllowed;
        }
    }

    fn go_on(&mut self, candidate: usize) {
        match (self.stage, self.roles.clone()) {
            (Stage::Panel, Roles::Fitted { panel, between, top }) => {
                self.after_fitted_panel(panel, &between, top, false)
            }
            (Stage::Panel, Roles::General { panel, top }) => self.after_general_panel(panel, top),
            (Stage::Between(number), Roles::Fitted { panel, between, top }) => {
                self.after_between(number, candidate, panel, &between, top);
            }
            (Stage::TopAtOnce, Roles::Fitted { panel, .. } | Roles::General { panel, .. }) => {
                if self.is_keyed(candidate) {
                    self.accept(candidate, Why::Answered);
                } else {
                    self.set(Step::CallPanel(panel), Stage::PanelAfterTop, Why::StrongestHasNone);
                }
            }
            (Stage::PanelAfterTop, Roles::Fitted { panel, top, .. } | Roles::General { panel, top }) => {
                let best = match self.judge_panel(panel) {
                    Some((best, ..)) => Some(best),
                    None => self.vote(panel).map(|(best, _)| best),
                };
                let keyed = best.into_iter().collect::<Vec<_>>();
                self.settle(
                    &keyed,
                    &[top].into_iter().chain(best).collect::<Vec<_>>(),
                    Why::StrongestHasNone,
                );
            }
            (Stage::TopAfter, _) => {
                let why = if self.is_keyed(candidate) {
                    Why::Answered
                } else {
                    Why::StrongestHasNone
                };
                let order: Vec<usize> = [candidate].into_iter().chain(self.best).collect();
                self.settle(&order, &order, why);
            }
            (Stage::Single, _) => self.settle_single(candidate),
            // A stage that its roles do not have: nothing is waited for.
            _ => {}
        }
    }

    fn after_fitted_panel(&mut self, panel: Panel, between: &[(usize, usize)], top: usize, only_top: bool) {
        let Some((best, verdict)) = self.judge_panel(panel) else {
            return self.make_good(top);
        };
        self.best = Some(best);
        self.panel_votes = verdict.votes;
        if self.of(best).is_none_or(|told| told.failed) {
            return self.make_good(top);
        }
        let offers = self.fitted(panel, between, top).after_panel(&verdict, best, only_top);
        let numbers = between.to_vec();
        self.take(offers, Some(verdict.chance), |step| match step {
            Step::Accept(_) => (Stage::Over, Why::LikelyRight),
            Step::Call(place) => match numbers.iter().find(|(other, _)| *other == place) {
                Some((_, number)) => (Stage::Between(*number), Why::MayConfirm),
                None => (Stage::TopAfter, Why::StrongestIsBetter),
            },
            _ => (Stage::Over, Why::AfterFailure),
        });
    }

    fn after_between(&mut self, number: usize, candidate: usize, panel: Panel, between: &[(usize, usize)], top: usize) {
        if self.of(candidate).is_none_or(|told| told.failed) {
            return self.after_fitted_panel(panel, between, top, true);
        }
        let Some(tables) = self.question.model.between.get(number) else {
            return;
        };
        let places: Vec<usize> = panel.into_iter().chain([candidate]).collect();
        let said = self.said(&places);
        let judged = judge(self.question, &tables.verdict, &said);
        let Some((best, verdict)) = judged.and_then(|verdict| Some((*places.get(verdict.best)?, verdict))) else {
            return self.make_good(top);
        };
        self.best = Some(best);
        let offers = self
            .fitted(panel, between, top)
            .after_between(tables, &verdict, self.panel_votes, best);
        self.take_accept_or_top(offers, verdict.chance);
    }

    fn after_general_panel(&mut self, panel: Panel, top: usize) {
        let Some((best, votes)) = self.vote(panel) else {
            return self.make_good(top);
        };
        self.best = Some(best);
        let general = self.general(panel, top);
        let chance = general.chance(votes);
        let offers = general.after_panel(votes, best);
        self.take_accept_or_top(offers, chance);
    }

    fn take_accept_or_top(&mut self, offers: Vec<Offer>, chance: f64) {
        self.take(offers, Some(chance), |step| match step {
            Step::Accept(_) => (Stage::Over, Why::LikelyRight),
            _ => (Stage::TopAfter, Why::StrongestIsBetter),
        });
    }

    fn fitted<'b>(&'b self, panel: Panel, between: &'b [(usize, usize)], top: usize) -> Fitted<'b> {
        Fitted {
            question: self.question,
            seats: &self.seats,
            panel,
            between,
            top,
            lambda: self.lambda,
        }
    }

    fn general(&self, panel: Panel, top: usize) -> General<'_> {
        General {
            question: self.question,
            seats: &self.seats,
            panel,
            top,
            lambda: self.lambda,
            compare: self.compare,
        }
    }

    /// What known models said; those that are not known or were not told of are left out.
    fn said(&self, places: &[usize]) -> Vec<Said> {
        let said = places.iter().filter_map(|place| {
            let told = self.of(*place)?;
            Some(Said {
                model: self.seats.get(*place)?.known?,
                key: told.key.clone(),
                signals: told.signals,
            })
        });
        said.collect()
    }

    /// The best of a fitted panel's answers, and the verdict over it.
    fn judge_panel(&self, panel: Panel) -> Option<(usize, Verdict)> {
        let Roles::Fitted { .. } = self.roles else { return None };
        let verdict = judge(self.question, &self.question.model.panel_verdict, &self.said(&panel))?;
        Some((panel.get(verdict.best).copied()?, verdict))
    }

    /// The best of any panel's answers, and its votes; `None` where no call gave an answer.
    fn vote(&self, panel: Panel) -> Option<(usize, usize)> {
        let answered: Vec<usize> = panel
            .into_iter()
            .filter(|place| self.of(*place).is_some_and(|told| !told.failed))
            .collect();
        let keys: Vec<&str> = answered
            .iter()
            .filter_map(|place| Some(self.of(*place)?.key.as_str()))
            .collect();
        let ranks: Vec<_> = answered
            .iter()
            .map(|place| self.seats.get(*place).map(|seat| seat.layer))
            .collect();
        let agreement = agree(&keys, &ranks);
        Some((answered.get(agreement.best?).copied()?, agreement.most))
    }

    fn is_keyed(&self, place: usize) -> bool {
        self.of(place).is_some_and(|told| !told.key.is_empty())
    }

    fn has_text(&self, place: usize) -> bool {
        self.of(place).is_some_and(|told| !told.failed && !told.blank)
    }

    /// One of a row of single calls: taken if it is an answer, else the next is asked.
    fn settle_single(&mut self, candidate: usize) {
        let good = match self.compare {
            Compare::Nothing => self.has_text(candidate),
            Compare::Answers | Compare::Code => self.is_keyed(candidate),
        };
        if good {
            return self.accept(candidate, Why::Answered);
        }
        let next = by_value(&self.seats, self.lambda)
            .into_iter()
            .find(|(place, _)| self.of(*place).is_none());
        match next {
            Some((place, _)) => self.set(Step::Call(place), Stage::Single, Why::AfterFailure),
            None => self.settle(&[], &[], Why::AfterFailure),
        }
    }

    /// Ends with the first of `keyed` that has a comparable answer, else with the first of `texts` that has any, else
    /// with any answer there is, else asks who was not asked yet.
    fn settle(&mut self, keyed: &[usize], texts: &[usize], why: Why) {
        let taken = keyed.iter().copied().find(|place| self.is_keyed(*place));
        let taken = taken.or_else(|| texts.iter().copied().find(|place| self.has_text(*place)));
        if let Some(place) = taken {
            return self.accept(place, why);
        }
        let order = by_value(&self.seats, self.lambda);
        let any = order
            .iter()
            .map(|(place, _)| *place)
            .find(|place| self.has_text(*place));
        let next = order
            .iter()
            .map(|(place, _)| *place)
            .find(|place| self.of(*place).is_none());
        match (any, next) {
            (Some(place), _) => self.accept(place, Why::AfterFailure),
            (None, Some(place)) => self.set(Step::Call(place), Stage::Single, Why::AfterFailure),
            (None, None) => self.set(Step::Exhausted, Stage::Over, Why::AfterFailure),
        }
    }

    fn may_ask(&self, place: usize) -> bool {
        self.seats.get(place).is_some_and(|seat| seat.allowed)
    }

    /// Asks the strongest where the panel failed; where that may not be, whoever may be asked. That somebody failed is
    /// no reason to ask for leave.
    fn make_good(&mut self, top: usize) {
        if self.may_ask(top) {
            self.set(Step::Call(top), Stage::TopAfter, Why::AfterFailure);
        } else {
            self.settle(&[], &[], Why::AfterFailure);
        }
    }

    fn accept(&mut self, place: usize, why: Why) {
        self.set(Step::Accept(place), Stage::Over, why);
    }

    fn set(&mut self, step: Step, stage: Stage, why: Why) {
        self.stage = stage;
        self.decision = Decision {
            step,
            why,
            chance: None,
            offers: Vec::new(),
        };
    }

    /// Takes the best of the offers. One that may not be asked ends the plan, if there is an answer.
    fn take(&mut self, offers: Vec<Offer>, chance: Option<f64>, next: impl Fn(Step) -> (Stage, Why)) {
        let Some(best) = best_of(&offers) else { return };
        let (mut stage, why) = next(best.step);
        let mut step = best.step;
        if let (Step::Call(candidate), Some(best)) = (step, self.best)
            && !self.may_ask(candidate)
        {
            let order = by_value(&self.seats, self.lambda);
            let told = std::iter::once(best).chain(order.into_iter().map(|(place, _)| place));
            let best = told.into_iter().find(|place| self.has_text(*place)).unwrap_or(best);
            (stage, step) = (Stage::Over, Step::NeedsLeave { candidate, best });
        }
        self.stage = stage;
        self.decision = Decision {
            step,
            why,
            chance,
            offers,
        };
    }
}
