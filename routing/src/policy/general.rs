//! What steps are worth whatever the models are: the number of votes among three answers says how likely the best is
//! right, and hardly depends on which three they are. It says as well how likely the strongest is right: what cheap
//! models disagree about is harder for it, too.

use super::seats::Seat;
use super::{Compare, Offer, Panel, Step};
use crate::math::{dot, logit, sigmoid};
use crate::model::{ByVotes, PANEL};
use crate::question::Question;

/// The parts of a plan with any models, and what it goes by.
pub(super) struct General<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) seats: &'a [Seat],
    pub(super) panel: Panel,
    pub(super) top: usize,
    pub(super) lambda: f64,
    pub(super) compare: Compare,
}

impl General<'_> {
    fn price(&self, place: usize) -> f64 {
        self.lambda * self.seats.get(place).map_or(0.0, |seat| seat.cost)
    }

    /// By how much the strongest candidate is stronger than the strongest of the fit, as a logit.
    fn strength(&self) -> f64 {
        let model = self.question.model;
        let Some(seat) = self.seats.get(self.top) else {
            return 0.0;
        };
        let Some(fitted) = model.table(model.strongest) else {
            return 0.0;
        };
        match seat.known.and_then(|known| model.table(known)) {
            Some(table) => table.adjusted_prior(&self.question.row) - self.question.top_prior,
            None => model.line(seat.layer).at_zero - model.line(fitted.layer).at_zero,
        }
    }

    /// The row of a table for this kind of question.
    fn of_kind<'t>(&self, table: &'t ByVotes) -> &'t [f64; PANEL] {
        if self.compare == Compare::Code || self.question.is_code() {
            &table.code
        } else if self.question.is_tex() {
            &table.tex
        } else {
            &table.other
        }
    }

    /// What may come of the panel: one for each number of votes that its best answer may have, from 1 on.
    fn outcomes(&self) -> Vec<Outcome> {
        let model = self.question.model;
        let strength = self.strength();
        let votes = model.votes.map(|weights| sigmoid(dot(&weights, &self.question.row)));
        let all: f64 = votes.iter().sum();
        let tables = self
            .of_kind(&model.agreement)
            .iter()
            .zip(self.of_kind(&model.strongest_after));
        let of_three = votes.iter().zip(tables).map(|(vote, (best, top))| Outcome {
            likely: vote / all,
            best: *best,
            top: sigmoid(logit(*top) + strength),
        });
        let of_three: Vec<Outcome> = of_three.collect();
        match (self.panel, of_three.as_slice()) {
            (Panel::Two(_), [one, two, three]) => of_two(*one, *two, *three).to_vec(),
            _ => of_three,
        }
    }

    /// The outcome of so many votes; 0 votes as one.
    fn outcome(&self, votes: usize) -> Option<Outcome> {
        self.outcomes().into_iter().take(votes.max(1)).next_back()
    }

    /// The chance that the best of the panel's answers is right; without any vote there is no answer to be right.
    pub(super) fn chance(&self, votes: usize) -> f64 {
        match votes {
            0 => 0.0,
            votes => self.outcome(votes).map_or(0.0, |outcome| outcome.best),
        }
    }

    /// Before anybody has answered: the strongest at once, and the panel. How many will agree is taken from the models
    /// of the fit.
    pub(super) fn first(&self) -> [Offer; 2] {
        let price = self.price(self.top);
        let (mut with_panel, mut at_once) = (0.0, 0.0);
        for outcome in self.outcomes() {
            with_panel += outcome.likely * outcome.best.max(outcome.top - price);
            at_once += outcome.likely * (outcome.top - price);
        }
        let panel_price: f64 = self.panel.into_iter().map(|place| self.price(place)).sum();
        [
            Offer {
                step: Step::CallPanel(self.panel),
                value: with_panel - panel_price,
            },
            Offer {
                step: Step::Call(self.top),
                value: at_once,
            },
        ]
    }

    /// After the panel: take its best answer or ask the strongest.
    pub(super) fn after_panel(&self, votes: usize, best: usize) -> Vec<Offer> {
        let top = self.outcome(votes).map_or(0.0, |outcome| outcome.top);
        vec![
            Offer {
                step: Step::Accept(best),
                value: self.chance(votes),
            },
            Offer {
                step: Step::Call(self.top),
                value: top - self.price(self.top),
            },
        ]
    }
}

/// What may come of a panel.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// How likely it is, as a share of all.
    likely: f64,
    /// The chance that the panel's best answer is right then.
    best: f64,
    /// The chance that the strongest is.
    top: f64,
}

/// The outcomes of a panel of two, by those of three: differing, and agreeing. Where all of three agree any two do, and
/// where two of three agree they are these two once in three; so likely is it that two agree. The chances of two that
/// agree were not measured: they are taken for the mean of those of two and of three votes, since a third might have
/// gone either way. Two that differ are as one vote of three.
fn of_two(one: Outcome, two: Outcome, three: Outcome) -> [Outcome; 2] {
    let agree = three.likely + two.likely / 3.0;
    [
        Outcome {
            likely: 1.0 - agree,
            ..one
        },
        Outcome {
            likely: agree,
            best: f64::midpoint(two.best, three.best),
            top: f64::midpoint(two.top, three.top),
        },
    ]
}
