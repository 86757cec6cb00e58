//! The plan of `gateway_routing` without actors: what the pipeline must come to as well.

use std::rc::Rc;

use gateway_actors::protocol::{NanoUsd, QualityLevel};
use gateway_routing::{AnswerText, Candidate, Compare, Layer, Quality, RoutingModel, Step, Terms, plan};

use super::data::{Data, Row};
use super::error::EvalError;
use super::replay::is_cut;
use super::score::Choice;
use super::sweep::{Ask, Engine, Setting, recorded};

/// Drives the plan by itself.
pub(super) struct Direct<'a> {
    pub(super) data: Rc<Data>,
    pub(super) reader: &'a RoutingModel,
}

impl Engine for Direct<'_> {
    fn run(&mut self, setting: &Setting, asks: &[(usize, Ask)]) -> Result<Vec<Choice>, EvalError> {
        let choice = |(row, ask): &(usize, Ask)| match ask {
            Ask::Model(model) => recorded(&self.data, *row, *model),
            Ask::Auto => self.auto(setting, *row),
        };
        Ok(asks.iter().map(choice).collect())
    }
}

impl Direct<'_> {
    fn auto(&self, setting: &Setting, row: usize) -> Choice {
        let there = &self.data.rows[row];
        let models: Vec<usize> = there.models().collect();
        let question = self.reader.question(&there.question);
        let candidate = |model: &usize| {
            let model = &self.data.models[*model];
            let layer = Layer::ALL[model.layer.index()];
            let cost = match self.reader.known(&model.api_model) {
                Some(known) => question.fitted_cost(known),
                None => self.guess(there, &model.api_model),
            };
            Candidate {
                name: &model.api_model,
                maker: &model.api_model,
                layer,
                cost,
                allowed: true,
            }
        };
        let candidates: Vec<Candidate<'_>> = models.iter().map(candidate).collect();
        let quality = match setting.quality {
            QualityLevel::Normal => Quality::Normal,
            QualityLevel::High => Quality::High,
            QualityLevel::Critical => Quality::Critical,
        };
        let known = candidates.iter().any(|one| self.reader.known(one.name).is_some());
        let terms = Terms {
            lambda: setting.lambda.unwrap_or_else(|| self.reader.lambda(quality)),
            unit: known.then(|| self.reader.unit_nano_usd()),
            compare: if setting.checked {
                Compare::Answers
            } else {
                Compare::Nothing
            },
        };
        let mut plan = plan(&question, &candidates, terms).unwrap();
        let mut cost = NanoUsd::ZERO;
        loop {
            let asked = match plan.decision().step {
                Step::CallPanel(panel) => panel.to_vec(),
                Step::Call(place) => vec![place],
                Step::Accept(place) | Step::NeedsLeave { best: place, .. } => {
                    let model = Some(models[place]);
                    return Choice { row, model, cost };
                }
                Step::Exhausted => {
                    return Choice { row, model: None, cost };
                }
            };
            for place in asked {
                let recorded = there.answer(models[place]).unwrap();
                cost += recorded.cost;
                let text = AnswerText {
                    text: recorded.text.as_deref().unwrap_or("not recorded"),
                    output_tokens: u32::try_from(recorded.usage.visible_output()).unwrap(),
                    cut: is_cut(recorded),
                };
                plan.answered(place, text).unwrap();
            }
        }
    }

    /// What a call may cost whose answer has a usual length.
    fn guess(&self, row: &Row, name: &str) -> u64 {
        let model = self.data.models.iter().find(|model| &*model.api_model == name).unwrap();
        let rates = model.price.unwrap().rates;
        let input = row.question.len() as u64 / 4;
        (input * rates.input.0 + 400 * rates.output.0) / 1_000
    }
}
