//! What outcomes say of how well models did: one rule for everybody who learns from them.
//!
//! An answer counts when somebody judged it: by a rating other than 0, by taking it or not, by tests. Of one that nobody
//! judged it is not known whether it was right, so it says nothing. Against some answers something speaks by itself, whoever
//! says so or not: they were wrong, and the better one that took such an answer's place is right until somebody says else.
//! Both count with the share of the other answers that somebody judged, as if they had been judged no more often. Else the
//! fewer say something, the worse every model would seem. What was chosen among several answers says nothing of one model.

use std::collections::{BTreeMap, HashMap};

use super::ids::ModelId;
use super::layer::TaskType;
use super::money::NanoUsd;
use super::notebook::ModelEdit;
use super::orchestra::{CheckStatus, Complexity};
use super::outcomes::{OutcomeEnd, OutcomeRow, SuccessRow};

/// For how many answers the share counts that was judged of all, where it is asked about some.
const SHARE_PRIOR: f64 = 10.0;

/// What is known of an outcome, as far as it may say something of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// How the request ended.
    pub ended: OutcomeEnd,
    /// How the answer was checked.
    pub check: CheckStatus,
    /// Whether the caller was content; nothing where nobody said anything.
    pub judged: Option<bool>,
    /// Whether something speaks against the answer by itself.
    pub has_evidence: bool,
    /// Whether it took the place of another, against which something spoke.
    pub has_replaced: bool,
}

/// What an outcome says of the model that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whether the model did well.
    pub right: bool,
    /// Whether it counts as one; else it counts with the share of the other answers that somebody judged.
    pub whole: bool,
}

impl Judgement {
    /// Whether the answer was chosen among several: it says nothing of any single model, and neither does what it replaced.
    #[must_use]
    pub const fn was_compared(&self) -> bool {
        matches!(
            self.check,
            CheckStatus::Agreed | CheckStatus::Disagreed | CheckStatus::Arbitrated
        )
    }

    /// What it says of the model that answered, or was to answer. That a model did badly whose answer was replaced is said
    /// besides, and is not whole.
    #[must_use]
    pub fn said(&self) -> Option<Said> {
        let is_answered = self.ended == OutcomeEnd::Answered;
        if self.was_compared() {
            return None;
        }
        let said = |right, whole| Some(Said { right, whole });
        match self.judged {
            _ if self.has_evidence && is_answered => said(false, false),
            Some(content) => said(content && !self.has_evidence, true),
            // It was looked at as the one before it was, and is better by that.
            None if self.has_replaced && is_answered => said(true, false),
            None => None,
        }
    }

    /// Whether it is one of the answers of which the share is taken that somebody judged: nothing speaks of it by itself.
    const fn is_in_share(&self) -> bool {
        let is_plain = !self.was_compared() && !self.has_evidence && !self.has_replaced;
        is_plain && matches!(self.ended, OutcomeEnd::Answered)
    }
}

impl OutcomeRow {
    /// What is known of it.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        Judgement {
            ended: self.ended,
            check: self.check,
            judged: self.is_judged().then(|| !self.is_disliked()),
            has_evidence: self.evidence.is_some(),
            has_replaced: self.replaced.is_some(),
        }
    }

    /// What it is counted as, where the gateway said how hard it is: once for the model that answered, and once for the one
    /// whose answer was replaced.
    pub fn groups(&self) -> impl Iterator<Item = OutcomeGroup> {
        let of = |complexity, model: &ModelId, cost| OutcomeGroup {
            task: self.task,
            complexity,
            model: model.clone(),
            judgement: self.judgement(),
            was_replaced: false,
            count: 1,
            cost,
        };
        let answered = self.complexity.map(|complexity| of(complexity, &self.model, self.cost));
        let replaced = self.complexity.zip(self.replaced.as_ref());
        let replaced = replaced.map(|(complexity, model)| OutcomeGroup {
            was_replaced: true,
            ..of(complexity, model, NanoUsd::ZERO)
        });
        answered.into_iter().chain(replaced)
    }
}

/// How many of the answers of which nothing speaks by itself somebody judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JudgedShare {
    judged: u64,
    all: u64,
}

impl JudgedShare {
    /// Counts so many outcomes of which this is known.
    pub fn count(&mut self, judgement: &Judgement, outcomes: u64) {
        if judgement.is_in_share() {
            self.all = self.all.saturating_add(outcomes);
            self.judged = self
                .judged
                .saturating_add(if judgement.judged.is_some() { outcomes } else { 0 });
        }
    }

    /// The share, 0 to 1; 0 without an answer.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.judged as f64 / self.all.max(1) as f64
    }

    /// The share among some of the answers, where it is this among all: of few nothing else is known.
    fn within(&self, all: f64) -> f64 {
        (self.judged as f64 + SHARE_PRIOR * all) / (self.all as f64 + SHARE_PRIOR)
    }
}

/// Outcomes of one model at one kind of request of which the same is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeGroup {
    /// The kind of task.
    pub task: TaskType,
    /// How hard.
    pub complexity: Complexity,
    /// The model.
    pub model: ModelId,
    /// What is known of them.
    pub judgement: Judgement,
    /// Whether it is the model whose answer was replaced, and not the one that answered.
    pub was_replaced: bool,
    /// How many they are.
    pub count: u64,
    /// What all of them cost; nothing where the model was replaced.
    pub cost: NanoUsd,
}

/// What groups say of one model.
#[derive(Debug, Default)]
struct Tally {
    share: JudgedShare,
    answers: u64,
    /// Right and wrong, as far as that counts whole.
    whole: [u64; 2],
    /// The same, as far as it counts with the share that somebody judged.
    shared: [u64; 2],
    cost: NanoUsd,
}

/// How often each model did well, by the kind of request, in the order of these. A share is that of the model's own answers
/// to such requests; of few it is taken to be near that of all answers to such requests, and of few of these near that of
/// all. So nobody's failures alone sink a model whose answers nobody judges.
#[must_use]
pub fn count_successes(groups: &[OutcomeGroup]) -> Vec<SuccessRow> {
    let mut all = JudgedShare::default();
    let mut kinds: HashMap<(TaskType, Complexity), JudgedShare> = HashMap::new();
    let mut models: BTreeMap<(TaskType, Complexity, ModelId), Tally> = BTreeMap::new();
    for group in groups {
        let (kind, judgement, count) = ((group.task, group.complexity), &group.judgement, group.count);
        let tally = models.entry((kind.0, kind.1, group.model.clone())).or_default();
        if group.was_replaced {
            tally.answers += count;
            tally.shared[1] += if judgement.was_compared() { 0 } else { count };
            continue;
        }
        for share in [&mut all, kinds.entry(kind).or_default(), &mut tally.share] {
            share.count(judgement, count);
        }
        tally.cost += group.cost;
        tally.answers += if judgement.ended == OutcomeEnd::Answered {
            count
        } else {
            0
        };
        if let Some(Said { right, whole }) = judgement.said() {
            let [well, badly] = if whole { &mut tally.whole } else { &mut tally.shared };
            *(if right { well } else { badly }) += count;
        }
    }
    let rows = models.into_iter().map(|((task, complexity, model), tally)| {
        let of_kind = kinds.get(&(task, complexity)).copied().unwrap_or_default();
        let share = tally.share.within(of_kind.within(all.value()));
        let counted = |whole: u64, shared: u64| narrow(whole + (share * shared as f64).round() as u64);
        SuccessRow {
            task,
            complexity,
            model,
            answers: narrow(tally.answers),
            successes: counted(tally.whole[0], tally.shared[0]),
            failures: counted(tally.whole[1], tally.shared[1]),
            cost: tally.cost,
        }
    });
    let says_something = |row: &SuccessRow| row.answers > 0 || row.successes > 0 || row.failures > 0 || row.cost.0 > 0;
    rows.filter(says_something).collect()
}

/// Adds what administrators say of models to the table; it stays in its order.
pub fn add_trials(table: &mut Vec<SuccessRow>, edits: &[ModelEdit]) {
    let trials = edits
        .iter()
        .flat_map(|edit| edit.trials.iter().map(|trials| (&edit.model, trials)));
    for (model, trials) in trials {
        let is_it = |row: &&mut SuccessRow| {
            row.task == trials.task && row.complexity == trials.complexity && row.model == *model
        };
        if let Some(row) = table.iter_mut().find(is_it) {
            row.successes = row.successes.saturating_add(trials.successes);
            row.failures = row.failures.saturating_add(trials.failures);
        } else {
            table.push(SuccessRow {
                task: trials.task,
                complexity: trials.complexity,
                model: model.clone(),
                answers: 0,
                successes: trials.successes,
                failures: trials.failures,
                cost: NanoUsd::ZERO,
            });
        }
    }
    table.sort_by(|one, other| {
        let key = |row: &SuccessRow| (row.task, row.complexity);
        key(one).cmp(&key(other)).then_with(|| one.model.cmp(&other.model))
    });
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "judgement_tests.rs"]
mod tests;
