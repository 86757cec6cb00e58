//! What steps are worth where the models are those of the fit.

use super::seats::Seat;
use super::{Offer, Panel, Step};
use crate::math::{dot, sigmoid};
use crate::model::Between;
use crate::question::Question;
use crate::verdict::{self, Verdict};

/// The parts of a fitted plan, and what it goes by.
pub(super) struct Fitted<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) seats: &'a [Seat],
    pub(super) panel: Panel,
    pub(super) between: &'a [(usize, usize)],
    pub(super) top: usize,
    pub(super) lambda: f64,
}

impl Fitted<'_> {
    fn price(&self, place: usize) -> f64 {
        self.lambda * self.seats.get(place).map_or(0.0, |seat| seat.cost)
    }

    /// Before anybody has answered: the strongest at once, and the panel.
    pub(super) fn first(&self) -> [Offer; 2] {
        let model = self.question.model;
        let top = verdict::top_first(self.question) - self.price(self.top);
        let votes = model.votes.map(|weights| sigmoid(dot(&weights, &self.question.row)));
        let chances = model
            .verdict_at_votes
            .map(|weights| sigmoid(dot(&weights, &self.question.row)));
        let all: f64 = votes.iter().sum();
        let expected = votes
            .iter()
            .zip(chances)
            .map(|(vote, chance)| vote / all * chance.max(top));
        let price: f64 = self.panel.into_iter().map(|place| self.price(place)).sum();
        [
            Offer {
                step: Step::CallPanel(self.panel),
                value: expected.sum::<f64>() - price,
            },
            Offer {
                step: Step::Call(self.top),
                value: top,
            },
        ]
    }

    /// After the panel: take its best answer, ask the strongest, or first one between. `best` is the place of the best.
    pub(super) fn after_panel(&self, verdict: &Verdict, best: usize, only_top: bool) -> Vec<Offer> {
        let model = self.question.model;
        let state = verdict::state(self.question, verdict);
        let top = sigmoid(dot(&model.top_after_panel, &state)) - self.price(self.top);
        let mut offers = vec![
            Offer {
                step: Step::Accept(best),
                value: verdict.chance,
            },
            Offer {
                step: Step::Call(self.top),
                value: top,
            },
        ];
        let between = if only_top { &[] } else { self.between };
        offers.extend(between.iter().filter_map(|(place, number)| {
            let tables = model.between.get(*number)?;
            let agrees = sigmoid(dot(&tables.agrees, &state));
            let if_so = sigmoid(dot(&tables.verdict_if_agrees, &state)).max(top);
            let if_not = sigmoid(dot(&tables.verdict_if_not, &state)).max(top);
            Some(Offer {
                step: Step::Call(*place),
                value: agrees * if_so + (1.0 - agrees) * if_not - self.price(*place),
            })
        }));
        offers
    }

    /// After one between: take the best answer, or ask the strongest. The votes are still the panel's.
    pub(super) fn after_between(
        &self,
        tables: &Between,
        verdict: &Verdict,
        panel_votes: usize,
        best: usize,
    ) -> Vec<Offer> {
        let votes = panel_votes;
        let state = verdict::state(self.question, &Verdict { votes, ..*verdict });
        vec![
            Offer {
                step: Step::Accept(best),
                value: verdict.chance,
            },
            Offer {
                step: Step::Call(self.top),
                value: sigmoid(dot(&tables.top_after, &state)) - self.price(self.top),
            },
        ]
    }
}

/// The offer of the highest value; among equals the first.
pub(super) fn best_of(offers: &[Offer]) -> Option<Offer> {
    let mut best: Option<Offer> = None;
    for offer in offers {
        if best.is_none_or(|best| offer.value > best.value) {
            best = Some(*offer);
        }
    }
    best
}
