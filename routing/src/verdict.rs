//! How likely the best answer so far is right, by who agrees with whom and what the texts look like. For models that the
//! fit knows.

use crate::agreement::{Agreement, agree};
use crate::answer_signals;
use crate::layer::Layer;
use crate::math::{dot, flag, logit, sigmoid};
use crate::model::{STATE, Scope, VerdictColumn, VerdictTable};
use crate::question::Question;
use crate::signals;

/// How much a signal counts in columns that apply to some questions, and in those of each model's text.
const SCOPED: f64 = 0.7;
const EACH: f64 = 0.6;
/// How much the verdict's square counts.
const SQUARE: f64 = 0.25;

/// What a known model said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The model's number in the fit.
    pub(crate) model: usize,
    /// Normal form of its answer; empty for none.
    pub(crate) key: String,
    /// Its text's signals, standardised; of a call that failed the means, 0.
    pub(crate) signals: [f64; answer_signals::COUNT],
}

/// The best answer so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// Its place among those that were given.
    pub(crate) best: usize,
    pub(crate) votes: usize,
    /// The chance that it is right.
    pub(crate) chance: f64,
}

/// Judges what the members of a table said; `None` if not all of them did.
pub(crate) fn judge(question: &Question<'_>, table: &VerdictTable, said: &[Said]) -> Option<Verdict> {
    let of = |model: usize| said.iter().find(|said| said.model == model);
    let members: Vec<&Said> = table.members.iter().map(|model| of(*model)).collect::<Option<_>>()?;
    let keys: Vec<&str> = members.iter().map(|said| said.key.as_str()).collect();
    // Within a layer the fit's models are in the order of their prices.
    let ranks: Vec<(Option<Layer>, std::cmp::Reverse<usize>)> = table
        .members
        .iter()
        .map(|model| {
            (
                question.model.table(*model).map(|table| table.layer),
                std::cmp::Reverse(*model),
            )
        })
        .collect();
    let agreement = agree(&keys, &ranks);
    let best = *members.get(agreement.best?)?;
    let columns = Columns {
        question,
        of: &of,
        best,
        agreement: &agreement,
    };
    let sum = table
        .columns
        .iter()
        .map(|(column, weight)| columns.value(*column) * weight)
        .sum();
    Some(Verdict {
        best: said.iter().position(|said| said.model == best.model)?,
        votes: agreement.most,
        chance: sigmoid(sum),
    })
}

struct Columns<'a, F> {
    question: &'a Question<'a>,
    of: &'a F,
    best: &'a Said,
    agreement: &'a Agreement,
}

impl<'a, F: Fn(usize) -> Option<&'a Said>> Columns<'_, F> {
    fn key(&self, model: usize) -> &'a str {
        (self.of)(model).map_or("", |said| said.key.as_str())
    }

    fn prior(&self, model: usize) -> f64 {
        let table = self.question.model.table(model);
        table.map_or(0.0, |table| table.prior(&self.question.row))
    }

    fn applies(&self, scope: Scope, within: f64) -> f64 {
        match scope {
            Scope::All => 1.0,
            Scope::Code => flag(self.question.is_code()) * within,
            Scope::Tex => flag(self.question.is_tex()) * within,
        }
    }

    fn value(&self, column: VerdictColumn) -> f64 {
        let said_same = |a: &str, b: &str| flag(!a.is_empty() && a == b);
        let signal = |said: &Said, signal: usize| said.signals.get(signal).copied().unwrap_or(0.0);
        match column {
            VerdictColumn::For(model) => said_same(self.key(model), &self.best.key),
            VerdictColumn::Empty(model) => flag(self.key(model).is_empty()),
            VerdictColumn::Pair(a, b) => said_same(self.key(a), self.key(b)),
            VerdictColumn::Votes(votes, scope) => flag(self.agreement.most == votes) * self.applies(scope, 1.0),
            VerdictColumn::Answers => self.agreement.different as f64,
            VerdictColumn::Prior => self.prior(self.best.model),
            VerdictColumn::TopPrior => self.question.top_prior,
            VerdictColumn::Ease => self.question.difficulty.ease,
            VerdictColumn::Chosen(of, scope) => signal(self.best, of) * self.applies(scope, SCOPED),
            VerdictColumn::Of(model, of) => (self.of)(model).map_or(0.0, |said| signal(said, of)) * EACH,
            VerdictColumn::One => 1.0,
        }
    }
}

/// What the tables over a state of the conversation with the models are multiplied with.
pub(crate) fn state(question: &Question<'_>, verdict: &Verdict) -> [f64; STATE] {
    let sure = logit(verdict.chance);
    let (code, tex) = (flag(question.is_code()), flag(question.is_tex()));
    let first = [
        sure,
        sure * sure * SQUARE,
        logit(top_first(question)),
        flag(verdict.votes == 2),
        flag(verdict.votes == 3),
        code,
        tex,
        code * sure,
        tex * sure,
    ];
    let scaled = question
        .difficulty
        .standard
        .map(|value| value * question.model.state_scale);
    let mut row = [1.0; STATE];
    for (cell, value) in row.iter_mut().zip(first.into_iter().chain(scaled)) {
        *cell = value;
    }
    row
}

/// The chance that the strongest is right, before anybody was asked.
pub(crate) fn top_first(question: &Question<'_>) -> f64 {
    sigmoid(dot(&question.model.top_first, &question.row))
}

const _: () = assert!(STATE == 9 + signals::COUNT + 1);
