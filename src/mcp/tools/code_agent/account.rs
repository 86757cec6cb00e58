//! The account of a task that was done twice within one call: as far as it might go by itself, and again with leave.

use gateway_actors::protocol::{AgentAnswer, LegRole, LegTrace, Served, UsageSource};

/// Adds what the answer before took to a better one's account, since both were made for one call.
pub(super) fn add_account(answer: &mut AgentAnswer, before: AgentAnswer) {
    let (Some(served), Some(mut before)) = (&mut answer.served, before.served) else {
        return;
    };
    let mut legs = legs_of(&mut before);
    let places = legs.iter().flat_map(|leg| &leg.attempts).map(|attempt| attempt.ordinal);
    let last = places.max().unwrap_or_default();
    let mut own = legs_of(served);
    // They come after those before.
    let attempts = own.iter_mut().flat_map(|leg| &mut leg.attempts);
    for attempt in attempts.chain(&mut served.attempts) {
        attempt.ordinal = attempt.ordinal.saturating_add(last);
    }
    legs.append(&mut own);
    served.attempts.splice(0..0, before.attempts);
    served.usage += before.usage;
    served.cost += before.cost;
    served.usage_source = match (before.usage_source, served.usage_source) {
        (UsageSource::Estimated, _) | (_, UsageSource::Estimated) => UsageSource::Estimated,
        (UsageSource::Reported, _) | (_, UsageSource::Reported) => UsageSource::Reported,
        (UsageSource::None, UsageSource::None) => UsageSource::None,
    };
    if let Some(story) = &mut served.routing {
        story.legs = legs;
    }
}

/// The legs of an answer. Where the attempts told it all, they are its only leg.
fn legs_of(served: &mut Served) -> Vec<LegTrace> {
    let story = served.routing.as_mut();
    let legs = story.map(|story| std::mem::take(&mut story.legs)).unwrap_or_default();
    if !legs.is_empty() || served.attempts.is_empty() {
        return legs;
    }
    vec![LegTrace {
        role: served.attempts.first().map_or(LegRole::Answer, |attempt| attempt.role),
        attempts: served.attempts.clone(),
        held: None,
    }]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_actors::protocol::{AttemptTrace, HealthNote, NanoUsd, Outcome, Reason, Selection};

    use super::*;
    use crate::agent::samples::agent_answer;

    /// An answer that took attempts of these costs.
    fn answer(costs: &[i64]) -> AgentAnswer {
        let mut answer = agent_answer("done", costs.iter().sum(), None);
        let served = answer.served.as_mut().unwrap();
        let attempts = (1..).zip(costs).map(|(ordinal, cost)| AttemptTrace {
            ordinal,
            role: LegRole::Answer,
            model: Arc::clone(&served.model),
            reason: Reason {
                selection: Selection::Layer,
                health: HealthNote::Healthy,
                price_rank: 1,
                is_too_dear: false,
                is_not_worth_it: false,
            },
            outcome: Outcome::Completed,
            cost: NanoUsd(*cost),
        });
        served.attempts = attempts.collect();
        answer
    }

    #[test]
    fn cost_attempts_and_legs_are_those_of_both_runs_in_their_order() {
        let mut better = answer(&[30, 40]);
        add_account(&mut better, answer(&[1, 2]));
        let served = better.served.unwrap();
        assert_eq!(served.cost, NanoUsd(73));
        let told = |attempts: &[AttemptTrace]| attempts.iter().map(|one| (one.ordinal, one.cost.0)).collect::<Vec<_>>();
        let all = [(1, 1), (2, 2), (3, 30), (4, 40)];
        assert_eq!(told(&served.attempts), all);
        let legs = &served.routing.as_ref().unwrap().legs;
        let in_legs: Vec<(u8, i64)> = legs.iter().flat_map(|leg| told(&leg.attempts)).collect();
        assert_eq!(in_legs, all);
        assert_eq!(served.summary().matches(" -> ").count(), 3, "{}", served.summary());
    }
}
