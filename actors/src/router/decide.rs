//! What is decided about a request whose model the gateway is to choose: its class, where it starts, in which order models
//! are tried, and how the answer is checked.

use std::cmp::Reverse;
use std::sync::Arc;

use gateway_routing as routing;

use super::arms::{self, Entered};
use super::class::{Class, evidence_before};
use super::core::{Field, Fitting, RouterCore, Scene};
use super::roster::{Entry, Order, Roster, ranked_beyond};
use super::words::{layer_from, quality_of};
use crate::protocol::{
    ArmSpec, Candidate, Complexity, Confirmation, Decision, Estimate, Evidence, Heuristic, HeuristicCase, Layer,
    Learned, Plan, QualityLevel, Question, RouteError, Strategy, Target,
};

/// Why a layer is passed over.
const TOO_HARD: &str = "its models are hardly ever right about such a question";

/// One request with all that its decision is made from.
pub(super) struct Case<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) question: &'a Question,
    pub(super) read: &'a routing::Question<'a>,
    pub(super) learned: &'a Learned,
    pub(super) class: Class,
    /// What outside the text speaks for a better model.
    pub(super) evidence: Option<Evidence>,
    /// What a call of the best model must add to the chance of a right answer to be worth its price.
    pub(super) lambda: f64,
    /// The layer below which nothing is tried but as a last resort: the conversation's, else the lowest of all.
    pub(super) floor: Layer,
}

/// Where a request starts.
#[derive(Debug)]
struct Start {
    /// Where it would start with all the leave there is.
    planned: Layer,
    /// Where it starts.
    layer: Layer,
    /// Where it would, if nothing outside the text spoke for a better model.
    usual: Layer,
    /// What was passed over.
    skipped: Vec<(Layer, &'static str)>,
}

/// What the first layer is chosen by.
#[derive(Debug, Clone, Copy)]
struct Choice<'a> {
    strategy: Strategy,
    /// The layer of an experiment's arm.
    layer: Option<Layer>,
    heuristic: Option<&'a Heuristic>,
}

impl RouterCore {
    /// Plans a request whose question is known.
    pub(super) fn decided(&self, scene: &Scene<'_>, field: Field, question: &Question) -> Result<Plan, RouteError> {
        let learned = self.sources.learned.load();
        let read = learned.model.question(&question.text);
        let request = scene.request;
        let class = Class::of(&read, question, request);
        let Fitting { ranked, rejected } = self.fitting(scene, field.models, field.layers, class.task)?;
        self.known.borrow_mut().renew(scene.catalogue, &learned.model);
        let beyond = ranked_beyond(scene, class.task, field.beyond);
        let mut judges = ranked_beyond(scene, class.task, field.judges);
        // The nearest layer first.
        judges.sort_by_key(|(rank, candidate)| (Reverse(candidate.model.layer), *rank));
        let mut roster = self.roster(scene, &learned.model, &read, ranked, beyond);
        roster.judges = judges.into_iter().map(|(_, candidate)| candidate).collect();
        let by_quality = || learned.model.lambda(quality_of(request.quality));
        let case = Case {
            scene,
            question,
            read: &read,
            learned: &learned,
            class,
            evidence: evidence_before(question, request),
            lambda: self.settings.lambda.unwrap_or_else(by_quality),
            floor: field
                .bottom
                .max(request.wish.floor.unwrap_or(Layer::L0))
                .min(roster.highest()),
        };
        let heuristic = case.heuristic();
        let entered = case.experiment(&roster);
        let choice = self.choice(&case, &entered, heuristic);
        if choice.strategy == Strategy::Value {
            roster.set_apart(&read);
        }
        let start = self.start(&case, &roster, choice);
        self.order(&case, &mut roster, choice, &start, &entered);
        let decision = self.decision(&case, &roster, choice, entered);
        let decision = Decision {
            raised_by: case.evidence.filter(|_| decision.start > start.usual),
            skipped: start.skipped.into_iter().chain(decision.skipped).collect(),
            ..decision
        };
        tracing::debug!(
            request = &*request.request.text(),
            task = %decision.task,
            complexity = %decision.complexity,
            unsure = decision.unsure,
            start = %decision.start,
            "a request was classed"
        );
        let confirmation = confirmation(&case, &roster, start.planned);
        let mut candidates: Vec<Candidate> = roster.allowed.into_iter().map(|entry| entry.candidate).collect();
        if let Some(best) = decision.check.at_once() {
            let is_best = |candidate: &&mut Candidate| candidate.model.id == best.model.id;
            candidates
                .iter_mut()
                .filter(is_best)
                .for_each(|candidate| candidate.reason = best.reason);
        }
        Ok(Plan {
            confirmation,
            candidates,
            rejected,
            decision: Some(Box::new(decision)),
        })
    }

    fn choice<'a>(&self, case: &Case<'_>, entered: &Entered, heuristic: Option<&'a Heuristic>) -> Choice<'a> {
        let spec = match entered {
            Entered::Arm { chosen, .. } => Some(&chosen.spec),
            Entered::PassedOver(_) | Entered::None => None,
        };
        let strategy = match spec {
            // Whoever names a layer is answered from it upwards.
            _ if !case.is_auto() => Strategy::Layers,
            Some(ArmSpec::Strategy(strategy)) => *strategy,
            Some(ArmSpec::Layer(_) | ArmSpec::Model(_)) => Strategy::Layers,
            None => self.settings.strategy,
        };
        let layer = match spec {
            Some(ArmSpec::Layer(layer)) => Some(*layer),
            _ => None,
        };
        Choice {
            strategy,
            layer,
            heuristic,
        }
    }

    /// Where a request starts: where its class or whoever may say so wants it, never below the conversation's floor, and
    /// for a complex one above layers that would only be paid in vain.
    fn start(&self, case: &Case<'_>, roster: &Roster, choice: Choice<'_>) -> Start {
        let request = case.scene.request;
        let of_rule = choice.heuristic.and_then(|heuristic| heuristic.then.start);
        let fixed = choice.layer.or(of_rule);
        let wanted = fixed.unwrap_or_else(|| match choice.strategy {
            Strategy::Layers => usual_start(case.class.complexity, request.quality),
            Strategy::Value => case.floor,
            Strategy::Heuristic => layer_from(routing::seed_layer(&case.question.text)),
        });
        let usual = match request.target {
            Target::Layer(layer) => layer,
            Target::Auto | Target::Named(_) => wanted,
        };
        // A loop goes up from where it is: its own model is the one that does not get on.
        let wanted = match (case.evidence, case.layer_of_loop()) {
            (None, _) => usual,
            (Some(_), None) => above(usual),
            (Some(_), Some(layer)) => above(layer).max(usual),
        };
        let floor = case.floor.max(request.wish.floor.unwrap_or(Layer::L0));
        let usual = roster.allowed_from(roster.reachable_from(usual.max(floor)));
        let mut planned = roster.reachable_from(wanted.max(floor));
        let mut skipped = Vec::new();
        if choice.strategy == Strategy::Value {
            return Start {
                planned: roster.most_worth_from(planned, case.lambda).unwrap_or(planned),
                layer: roster.allowed_from(planned),
                usual,
                skipped,
            };
        }
        let may_skip = case.is_auto() && fixed.is_none() && choice.strategy == Strategy::Layers;
        // Of a text without signals the calibration knows nothing, and nobody is to be asked for money over a greeting.
        if may_skip && case.class.complexity == Complexity::Complex {
            let least = self.least_chance(request.quality);
            while roster.chance_at(planned) < least
                && let Some(next) = roster.reachable_above(planned)
            {
                skipped.push((planned, TOO_HARD));
                planned = next;
            }
        }
        let layer = roster.allowed_from(planned);
        skipped.retain(|(passed, _)| *passed < layer && roster.allowed_from(*passed) == *passed);
        Start {
            planned,
            layer,
            usual,
            skipped,
        }
    }

    /// Below this chance of a right answer a layer is passed over.
    fn least_chance(&self, quality: QualityLevel) -> f64 {
        let [normal, high, critical] = self.settings.skip_below_percent;
        let percent = match quality {
            QualityLevel::Normal => normal,
            QualityLevel::High => high,
            QualityLevel::Critical => critical,
        };
        f64::from(percent) / 100.0
    }

    /// Sorts the candidates, and puts the one first that the loop, the experiment or what was learned wants there.
    fn order(&self, case: &Case<'_>, roster: &mut Roster, choice: Choice<'_>, start: &Start, entered: &Entered) {
        roster.sort(Order {
            start: start.layer,
            by_value: (choice.strategy == Strategy::Value).then_some(case.lambda),
            rule: choice.heuristic.map(|heuristic| &heuristic.then),
        });
        let first = match entered {
            _ if case.stays() => case.place_of_loop(roster, start.layer),
            Entered::Arm { chosen, .. } => match &chosen.spec {
                // It stays in the experiment, but no conversation falls for it.
                ArmSpec::Model(name) => roster.place_of(name, |entry| entry.is_ready() && entry.layer() >= case.floor),
                ArmSpec::Strategy(_) | ArmSpec::Layer(_) => None,
            },
            Entered::PassedOver(_) | Entered::None => self.adaptive_choice(case, roster, start.layer),
        };
        if let Some(place) = first {
            roster.promote(place);
        }
    }

    fn adaptive_choice(&self, case: &Case<'_>, roster: &Roster, start: Layer) -> Option<usize> {
        let is_meant = self.settings.adaptive && case.is_auto();
        is_meant
            .then(|| arms::adaptive(&self.settings, case, roster, start))
            .flatten()
    }

    fn decision(&self, case: &Case<'_>, roster: &Roster, choice: Choice<'_>, entered: Entered) -> Decision {
        let check = self.check(case, roster, &entered);
        let (arm, skipped) = match entered {
            Entered::Arm { chosen } => (Some(chosen), Vec::new()),
            Entered::PassedOver(layer) => (None, vec![(layer, arms::NOT_ALLOWED)]),
            Entered::None => (None, Vec::new()),
        };
        let estimate = |entry: &Entry| Estimate {
            model: Arc::clone(&entry.candidate.model),
            chance: entry.chance,
            cost: entry.cost,
            known: entry.known.is_some(),
        };
        let wants_to_see = case.scene.request.wish.explain;
        Decision {
            task: case.class.task,
            complexity: case.class.complexity,
            unsure: case.class.unsure,
            difficulty: case.class.difficulty,
            signals: case.class.signals.clone(),
            start: roster.allowed.first().map_or(case.floor, |first| first.layer()),
            raised_by: None,
            strategy: choice.strategy,
            skipped,
            check,
            arm,
            heuristic: choice.heuristic.map(|heuristic| Arc::clone(&heuristic.title)),
            estimates: if wants_to_see {
                roster.allowed.iter().map(estimate).collect()
            } else {
                Vec::new()
            },
        }
    }
}

impl Case<'_> {
    pub(super) fn is_auto(&self) -> bool {
        self.scene.request.target == Target::Auto
    }

    /// Whether the request goes on with a tool loop whose model is known.
    pub(super) fn stays(&self) -> bool {
        self.scene.request.wish.stay.is_some()
    }

    /// The layer of the model that the request's tool loop is on.
    fn layer_of_loop(&self) -> Option<Layer> {
        let stay = self.scene.request.wish.stay.as_ref()?;
        self.scene.catalogue.by_id(stay.as_str()).map(|model| model.layer)
    }

    /// Where the loop's own model stands; nowhere if its tools fail and something above it may be used.
    fn place_of_loop(&self, roster: &Roster, start: Layer) -> Option<usize> {
        let stay = self.scene.request.wish.stay.as_ref()?;
        if self.evidence.is_some() && self.layer_of_loop().is_some_and(|layer| start > layer) {
            return None;
        }
        let is_it = |entry: &Entry| entry.model().id == *stay && !entry.is_shut();
        roster.allowed.iter().position(is_it)
    }

    /// The oldest stored heuristic that is for such a request.
    fn heuristic(&self) -> Option<&Heuristic> {
        let is_meant = |heuristic: &&Arc<Heuristic>| self.is_case(&heuristic.when);
        let found = self.learned.heuristics.iter().find(is_meant);
        found.filter(|_| self.is_auto()).map(Arc::as_ref)
    }

    fn is_case(&self, when: &HeuristicCase) -> bool {
        let bytes = u32::try_from(self.question.text.len()).unwrap_or(u32::MAX);
        when.task.is_none_or(|task| task == self.class.task)
            && when
                .complexity
                .is_none_or(|complexity| complexity == self.class.complexity)
            && bytes >= when.min_bytes
    }

    fn experiment(&self, roster: &Roster) -> Entered {
        if !self.is_auto() || self.stays() {
            return Entered::None;
        }
        arms::enter(self, roster)
    }
}

/// Where the class and the quality asked for let a request start.
const fn usual_start(complexity: Complexity, quality: QualityLevel) -> Layer {
    match (complexity, quality) {
        (Complexity::Simple | Complexity::Medium, QualityLevel::Normal) | (Complexity::Simple, QualityLevel::High) => {
            Layer::L0
        }
        (Complexity::Simple, QualityLevel::Critical)
        | (Complexity::Medium, QualityLevel::High)
        | (Complexity::Complex, QualityLevel::Normal) => Layer::L1,
        (Complexity::Medium, QualityLevel::Critical) | (Complexity::Complex, QualityLevel::High) => Layer::L2,
        (Complexity::Complex, QualityLevel::Critical) => Layer::L3,
    }
}

fn above(layer: Layer) -> Layer {
    let next = Layer::ALL.get(layer.index() + 1);
    next.copied().unwrap_or(layer)
}

/// The layer that a request would start at, if nothing but leave is wanting: a complex one, one that goes badly, or one whose
/// caller asked for more than the usual quality. Nobody else is asked for money over what is not hard.
fn confirmation(case: &Case<'_>, roster: &Roster, planned: Layer) -> Option<Confirmation> {
    let is_complex = case.class.complexity == Complexity::Complex;
    let is_for_quality = case.scene.request.quality > QualityLevel::Normal;
    let of_class = is_complex.then_some(Evidence::TooHard);
    let of_quality = is_for_quality.then_some(Evidence::Quality);
    let evidence = case.evidence.or(of_class).or(of_quality)?;
    (planned > roster.highest()).then_some(Confirmation {
        layer: planned,
        evidence,
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod evidence_tests;
