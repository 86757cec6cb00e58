//! Several cheap models answer side by side; what they agree about is likely right. The steps are those of
//! `gateway_routing`'s plan, which names candidates by their place: members, then those between, then the best.

mod ending;
mod steps;

use std::sync::Arc;

use gateway_routing::{Compare, RoutingModel, Terms};

use super::super::client::Client;
use super::errand::{Errand, Given};
use crate::protocol::{Candidate, Evidence, GatewayError, Layer, Model, NanoUsd, PanelPlan, PanelPolicy};

/// What a candidate of the plan said.
enum Said {
    Answer(Box<Given>),
    Nothing,
}

/// A panel under way.
struct Panel<'a> {
    errand: &'a mut Errand,
    offers: Vec<Candidate>,
    members: usize,
    /// The place of the best model, if it may be asked.
    top: Option<usize>,
    /// The best model, if it wants leave.
    weighed: Option<Candidate>,
    policy: PanelPolicy,
    said: Vec<Option<Said>>,
    /// The normal form of each answer; nothing where there is none.
    keys: Vec<String>,
    /// The error of the first candidate that was asked, or of another before it has one.
    error: Option<(usize, GatewayError)>,
    /// Why a member's answer is missing, the first of it.
    missing: Option<&'static str>,
    /// Whether several were asked side by side.
    was_held: bool,
}

/// Has a panel answer, and whoever it takes after it.
pub(super) async fn run(
    errand: &mut Errand,
    planned: PanelPlan,
    client: &mut dyn Client,
) -> Result<Given, GatewayError> {
    let learned = errand.cell.learned.load_full();
    let text = Arc::clone(&errand.question);
    let question = learned.model.question(&text.text);
    let PanelPlan {
        members,
        policy,
        lambda,
        unit,
        costs,
        top,
        between,
        wanting_leave,
        ..
    } = planned;
    let count = members.len();
    let top_place = top.as_ref().map(|_| count + between.len());
    let asked = members.into_iter().chain(between).chain(top);
    let offers: Vec<Candidate> = asked.chain(wanting_leave.clone()).collect();
    let allowed = offers.len() - usize::from(wanting_leave.is_some());
    let candidates = offers
        .iter()
        .enumerate()
        .map(|(place, offer)| gateway_routing::Candidate {
            name: name_of(&learned.model, &offer.model),
            maker: gateway_routing::maker(&offer.model.api_model),
            layer: layer_of(offer.model.layer),
            cost: costs.get(place).copied().map_or(0, nano),
            allowed: place < allowed,
        });
    let candidates: Vec<gateway_routing::Candidate<'_>> = candidates.collect();
    let unit = Some(nano(unit)).filter(|unit| *unit > 0);
    let compare = match question.compare() {
        // What code gives is one short answer, too, though the question is about code.
        Compare::Code if !question.may_be_compared() => Compare::Code,
        _ => Compare::Answers,
    };
    let terms = Terms { lambda, unit, compare };
    let plan_anew = || gateway_routing::plan(&question, &candidates, terms);
    let Ok(mut plan) = plan_anew() else {
        tracing::warn!(request = %errand.call.plan.request, "a panel has no plan; its request is answered by one model");
        return Box::pin(super::single(errand, client)).await;
    };
    let mut panel = Panel {
        errand,
        said: offers.iter().map(|_| None).collect(),
        keys: vec![String::new(); offers.len()],
        offers: offers.clone(),
        members: count,
        top: top_place,
        weighed: wanting_leave,
        policy,
        error: None,
        missing: None,
        was_held: false,
    };
    let rules = question.key_rules();
    let key = |text: &str| match compare {
        Compare::Code => gateway_routing::code_key(text),
        Compare::Answers | Compare::Nothing => gateway_routing::answer_key(gateway_routing::extract(text), rules),
    };
    let accepted = Box::pin(panel.drive(&mut plan, &plan_anew, &key, client)).await?;
    Box::pin(panel.settle(accepted, client)).await
}

/// How a plan ended.
enum End {
    /// With this candidate's answer.
    Accepted(usize),
    /// With this candidate's answer, where the best model would have been asked if it might be.
    NeedsLeave(usize),
    /// With no answer.
    Exhausted,
}

/// The answers among what was said, each with what speaks against it.
fn told(said: &[Option<Said>], evidence: Evidence) -> Vec<(&Given, Evidence)> {
    let answers = said.iter().flatten().filter_map(|said| match said {
        Said::Answer(given) => Some((&**given, evidence)),
        Said::Nothing => None,
    });
    answers.collect()
}

fn nano(amount: NanoUsd) -> u64 {
    u64::try_from(amount.0).unwrap_or_default()
}

/// The name by which the fit knows a model, if it does.
fn name_of<'m>(fitted: &RoutingModel, model: &'m Model) -> &'m str {
    let by_id = model.id.as_str();
    if fitted.known(&model.api_model).is_none() && fitted.known(by_id).is_some() {
        by_id
    } else {
        &model.api_model
    }
}

fn layer_of(layer: Layer) -> gateway_routing::Layer {
    match layer {
        Layer::L0 => gateway_routing::Layer::L0,
        Layer::L1 => gateway_routing::Layer::L1,
        Layer::L2 => gateway_routing::Layer::L2,
        Layer::L3 => gateway_routing::Layer::L3,
    }
}
