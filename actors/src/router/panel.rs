//! How an answer is checked: by cheap models that answer side by side, or by one that judges it.

use gateway_routing as routing;
use routing::{Compare, Part, Step, Terms, comparable, maker};

use super::arms::Entered;
use super::core::RouterCore;
use super::decide::Case;
use super::roster::{Entry, Roster};
use super::words::layer_of;
use crate::protocol::{
    AnswerShape, ArmSpec, Candidate, CheckPlan, Complexity, HealthNote, Layer, PanelPlan, PanelPolicy, PanelUse,
    QualityLevel, Selection,
};

/// How many answer side by side at most.
const MEMBERS: usize = 3;
/// Two that say the same are the least that says something.
const LEAST_MEMBERS: usize = 2;

/// Who takes part in a panel's plan.
struct Seats<'a> {
    policy: PanelPolicy,
    members: Vec<&'a Entry>,
    between: Vec<&'a Entry>,
    top: Option<&'a Entry>,
    /// The best, if it wants leave.
    beyond: Option<&'a Entry>,
}

impl RouterCore {
    /// How the answer is checked.
    pub(super) fn check(&self, case: &Case<'_>, roster: &Roster, entered: &Entered) -> CheckPlan {
        let quality = case.scene.request.quality;
        let is_needed = quality >= QualityLevel::High || case.class.complexity == Complexity::Complex;
        if !self.settings.cross_check || !case.can_be_checked() {
            return CheckPlan::Off;
        }
        if self.wants_panel(case, is_needed, entered)
            && let Some(panel) = panel(case, roster)
        {
            return CheckPlan::Panel(panel);
        }
        if is_needed && self.settings.reviews {
            return CheckPlan::Review {
                reviewers: reviewers(roster),
            };
        }
        CheckPlan::Off
    }

    fn wants_panel(&self, case: &Case<'_>, is_needed: bool, entered: &Entered) -> bool {
        // An arm that names who answers is compared with others by that answer.
        let is_fixed = matches!(
            entered,
            Entered::Arm { chosen } if !matches!(chosen.spec, ArmSpec::Strategy(_))
        );
        let can_compare = match self.settings.panel {
            PanelUse::Needed => is_needed && comparable(case.read),
            PanelUse::Always => case.read.may_be_compared(),
        };
        can_compare && !is_fixed
    }
}

impl Case<'_> {
    /// Whether other models can say something about the answer: it is one whole text without tools.
    fn can_be_checked(&self) -> bool {
        let question = self.question;
        let is_plain = !question.stream && !question.has_tools && !question.has_media && question.answers <= 1;
        is_plain && question.shape == AnswerShape::Free && !question.in_loop && !self.stays()
    }
}

/// The plan of a panel, if there are enough models for one.
fn panel(case: &Case<'_>, roster: &Roster) -> Option<PanelPlan> {
    let seats = fitted(case, roster).or_else(|| by_table(case, roster))?;
    let Seats {
        policy,
        members,
        between,
        top,
        beyond,
    } = seats;
    let offers = members.iter().chain(&between).chain(&top).chain(&beyond);
    let offers: Vec<&Entry> = offers.copied().collect();
    let take = |entries: &[&Entry]| -> Vec<Candidate> { entries.iter().map(|one| one.candidate.clone()).collect() };
    let straight_to_top = match first_step(case, roster, &offers, beyond.is_some())? {
        Step::CallPanel(_) => false,
        // The best is the last of those that may be asked.
        Step::Call(place) if top.is_some() && place + 1 == offers.len() => true,
        // One is asked by itself, and not the best: there is nobody to compare it with, and it is no panel.
        _ => return None,
    };
    let mut top = top.map(|top| top.candidate.clone());
    if let Some(top) = top.as_mut().filter(|_| straight_to_top) {
        top.reason.selection = Selection::AtOnce;
    }
    Some(PanelPlan {
        straight_to_top,
        members: take(&members),
        policy,
        top,
        wanting_leave: beyond.map(|top| top.candidate.clone()),
        between: take(&between),
        lambda: case.lambda,
        unit: roster.unit,
        costs: offers.iter().map(|entry| entry.cost).collect(),
    })
}

/// What is done first with these offers, of which all may be asked but perhaps the last.
fn first_step(case: &Case<'_>, roster: &Roster, offers: &[&Entry], last_wants_leave: bool) -> Option<Step> {
    let allowed = offers.len() - usize::from(last_wants_leave);
    let candidates: Vec<routing::Candidate<'_>> = offers
        .iter()
        .enumerate()
        .map(|(place, entry)| routing::Candidate {
            name: name(entry, case),
            maker: maker(&entry.model().api_model),
            layer: layer_of(entry.layer()),
            cost: u64::try_from(entry.cost.0).unwrap_or_default(),
            allowed: place < allowed,
        })
        .collect();
    let terms = Terms {
        lambda: case.lambda,
        unit: u64::try_from(roster.unit.0).ok(),
        compare: Compare::Answers,
    };
    let plan = routing::plan(case.read, &candidates, terms).ok()?;
    Some(plan.decision().step)
}

/// The name by which the calibration may know a model.
fn name<'a>(entry: &'a Entry, case: &Case<'_>) -> &'a str {
    let model = entry.model();
    match case.learned.model.known(&model.api_model) {
        Some(_) => &model.api_model,
        None if entry.known.is_some() => model.id.as_str(),
        None => &model.api_model,
    }
}

/// The calibration's own models, where the three of its panel may be asked and nothing is better than its strongest.
fn fitted<'a>(case: &Case<'_>, roster: &'a Roster) -> Option<Seats<'a>> {
    let part = |entry: &Entry| entry.known.and_then(|known| case.learned.model.part(known));
    let (mut members, mut between) = (Vec::new(), Vec::new());
    for entry in may_take_part(case, roster) {
        let part = part(entry);
        let is_new = |others: &[&Entry]| others.iter().all(|other| other.known != entry.known);
        match part {
            Some(Part::Panel) if is_new(&members) => members.push(entry),
            Some(Part::Between) if is_new(&between) => between.push(entry),
            _ => {}
        }
    }
    between.sort_by_key(|entry| entry.cost);
    let (top, beyond) = best(case, roster, |entry| part(entry) == Some(Part::Strongest));
    (members.len() == MEMBERS && (top.is_some() || beyond.is_some())).then_some(Seats {
        policy: PanelPolicy::Fitted,
        members,
        between,
        top,
        beyond,
    })
}

/// The best model of the highest layer: one that may be asked, else one that wants leave.
fn best<'a>(
    case: &Case<'_>,
    roster: &'a Roster,
    is_meant: impl Fn(&Entry) -> bool,
) -> (Option<&'a Entry>, Option<&'a Entry>) {
    let highest = roster.top_layer();
    let is_it = |entry: &&Entry| entry.layer() == highest && entry.is_ready() && is_meant(entry);
    let allowed = may_take_part(case, roster).filter(is_it);
    match allowed.min_by_key(|entry| (entry.is_avoided(), entry.rank)) {
        Some(top) => (Some(top), None),
        None => (None, roster.beyond.iter().filter(is_it).min_by_key(|entry| entry.rank)),
    }
}

/// Any models: the cheapest below the best, of different makers, since models of one maker err alike.
fn by_table<'a>(case: &Case<'_>, roster: &'a Roster) -> Option<Seats<'a>> {
    let highest = roster.top_layer();
    // Where there is only one layer nobody is better than the others; free or cheap ones may still be compared.
    let is_flat = highest == Layer::L0;
    let below = |entry: &&Entry| is_flat || entry.layer() < highest;
    let mut others: Vec<&Entry> = may_take_part(case, roster).filter(below).collect();
    others.sort_by(|a, b| {
        let key = |entry: &Entry| {
            let note = entry.candidate.reason.health;
            (entry.is_avoided(), note, entry.candidate.reason.price_rank)
        };
        key(a).cmp(&key(b)).then(b.chance.total_cmp(&a.chance))
    });
    let mut members: Vec<&Entry> = Vec::with_capacity(MEMBERS);
    for entry in others {
        let author = maker(&entry.model().api_model);
        let is_other = |member: &&Entry| maker(&member.model().api_model) != author;
        if members.len() < MEMBERS && members.iter().all(is_other) {
            members.push(entry);
        }
    }
    let (top, beyond) = if is_flat {
        (None, None)
    } else {
        best(case, roster, |_| true)
    };
    (members.len() >= LEAST_MEMBERS).then_some(Seats {
        policy: PanelPolicy::Table,
        members,
        between: Vec::new(),
        top,
        beyond,
    })
}

/// Those that may be asked, and are no step back in the conversation.
fn may_take_part<'a>(case: &Case<'_>, roster: &'a Roster) -> impl Iterator<Item = &'a Entry> {
    let floor = case.floor;
    let entries = roster.allowed.iter();
    entries.filter(move |entry| entry.is_ready() && entry.layer() >= floor)
}

/// Who may judge the answer of the first candidate: models of other makers, of its layer and upwards, then those below.
fn reviewers(roster: &Roster) -> Vec<Candidate> {
    let Some(first) = roster.allowed.first() else {
        return Vec::new();
    };
    let author = maker(&first.model().api_model);
    let is_other = |entry: &&Entry| entry.is_ready() && maker(&entry.model().api_model) != author;
    let mut judges: Vec<&Entry> = roster.allowed.iter().filter(is_other).collect();
    judges.sort_by_key(|entry| {
        let layer = entry.layer();
        // Below, the nearest layer first.
        let below = first.layer().index().saturating_sub(layer.index());
        (entry.is_avoided(), below, layer, entry.rank)
    });
    let may_judge = |candidate: &&Candidate| {
        candidate.reason.health != HealthNote::Open && maker(&candidate.model.api_model) != author
    };
    let others = roster.judges.iter().filter(may_judge);
    let judges = judges.into_iter().map(|entry| &entry.candidate);
    judges.chain(others).cloned().collect()
}

#[cfg(test)]
#[path = "panel_tests.rs"]
mod tests;
