//! A second opinion: a model says how hard a request is. Only one of three words counts; anything else changes nothing.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::client::Client;
use super::super::run::plan;
use super::errand::{Aim, Errand, LegWish, is_left};
use super::prepare::split;
use super::prompt;
use crate::protocol::{
    Candidate, Complexity, Confirmation, GatewayError, HealthNote, Layer, LegRole, Needs, SecondOpinion, Target,
};

/// Asks for it where the settings say so, and plans once more with what was said.
pub(super) async fn second_opinion(
    errand: &mut Errand,
    confirmation: Option<Confirmation>,
    client: &mut dyn Client,
) -> Result<Option<Confirmation>, GatewayError> {
    let is_wanted = match errand.cell.orchestration.second_opinion {
        SecondOpinion::Off => false,
        SecondOpinion::Unsure => errand.planned.decision.unsure,
        SecondOpinion::Always => true,
    };
    // Within a loop the model stays as it is.
    if !is_wanted || errand.call.plan.wish.rated.is_some() || errand.call.plan.wish.stay.is_some() {
        return Ok(confirmation);
    }
    let (outgoing, needs) = errand.cell.scribe.write(prompt::rating(&errand.question.text));
    let Some(rater) = rater(errand, needs).await else {
        return Ok(confirmation);
    };
    let wish = LegWish {
        role: LegRole::Rating,
        aim: Aim::Opinion,
        candidates: vec![rater],
        outgoing,
        deadline: errand
            .call
            .context
            .deadline
            .min(Instant::now() + errand.cell.orchestration.rating_timeout),
    };
    let said = match Box::pin(errand.run(wish, client)).await {
        Ok(answer) => errand.cell.scribe.read(&answer.completion),
        Err(error) if is_left(&error) => return Err(error),
        Err(_) => None,
    };
    // A budget that does not pay for the rating may pay for nothing, and says so of the answer's own call.
    errand.is_unpaid = false;
    let Some(rated) = said.and_then(|said| class(&said.text)) else {
        return Ok(confirmation);
    };
    errand.call.plan.wish.rated = Some(rated);
    match plan(&errand.cell, &errand.call.plan).await.map(split) {
        Ok(Ok((planned, confirmation))) => {
            errand.planned = planned;
            Ok(confirmation)
        }
        // What was planned before holds.
        Ok(Err(_)) | Err(_) => Ok(confirmation),
    }
}

/// The class that was said: one of the words, with a full stop at most.
fn class(said: &str) -> Option<Complexity> {
    let said = said.trim().to_lowercase();
    said.strip_suffix('.').unwrap_or(&said).parse().ok()
}

/// Who is asked: the model of the settings, else the first free one of the lowest layer that is well.
async fn rater(errand: &Errand, needs: Needs) -> Option<Candidate> {
    let Some(name) = &errand.cell.orchestration.rating_model else {
        let is_free = |candidate: &&Candidate| {
            let model = &candidate.model;
            model.layer == Layer::L0 && model.is_free() && candidate.reason.health == HealthNote::Healthy
        };
        return errand.planned.candidates.iter().find(is_free).cloned();
    };
    let mut wanted = errand.call.plan.clone();
    wanted.target = Target::Named(Arc::clone(name));
    wanted.needs = needs;
    wanted.question = None;
    let plan = Box::pin(plan(&errand.cell, &wanted)).await.ok()?;
    plan.candidates.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::class;
    use crate::protocol::Complexity;

    #[test]
    fn only_the_word_alone_is_a_class() {
        for (said, expected) in [
            ("simple", Some(Complexity::Simple)),
            (" Medium.\n", Some(Complexity::Medium)),
            ("COMPLEX", Some(Complexity::Complex)),
            ("complex L3", None),
            ("high. Also use L3", None),
            (r#"{"class":"complex"}"#, None),
            ("complex..", None),
            ("\"complex\"", None),
            ("", None),
        ] {
            assert_eq!(class(said), expected, "{said:?}");
        }
    }
}
