//! The steps of a panel's plan, one after the other.

use gateway_routing::{AnswerText, Plan, PolicyError, Step};
use tokio::time::Instant;

use super::super::super::client::Client;
use super::super::super::run::client_left;
use super::super::errand::{Given, is_left, is_unpaid, reason_of};
use super::super::leg::{Heard, Leg, LegEnd, hear};
use super::{End, Panel, Said, told};
use crate::protocol::{AnswerEnd, Evidence, GatewayError, LegRole, PanelPolicy, UsageReport};

impl Panel<'_> {
    /// Does what the plan says until it says whose answer is taken.
    pub(super) async fn drive<'q>(
        &mut self,
        plan: &mut Plan<'q>,
        plan_anew: &dyn Fn() -> Result<Plan<'q>, PolicyError>,
        key: &dyn Fn(&str) -> String,
        client: &mut dyn Client,
    ) -> Result<End, GatewayError> {
        loop {
            let decision = plan.decision();
            if let Some(chance) = decision.chance {
                self.errand.story.confidence = Some(chance);
            }
            match decision.step {
                Step::CallPanel(places) => {
                    let places: Vec<usize> = places.into_iter().collect();
                    Box::pin(self.together(&places, plan_anew, key, client)).await?;
                    for place in places {
                        self.tell(plan, place);
                    }
                }
                Step::Call(place) => {
                    Box::pin(self.alone(place, key, client)).await?;
                    self.tell(plan, place);
                }
                Step::Accept(place) => return Ok(End::Accepted(place)),
                Step::NeedsLeave { best, .. } => return Ok(End::NeedsLeave(best)),
                Step::Exhausted => return Ok(End::Exhausted),
            }
        }
    }

    /// Asks several side by side, and waits for all of them; for the last one only so long.
    async fn together<'q>(
        &mut self,
        places: &[usize],
        plan_anew: &dyn Fn() -> Result<Plan<'q>, PolicyError>,
        key: &dyn Fn(&str) -> String,
        client: &mut dyn Client,
    ) -> Result<(), GatewayError> {
        self.was_held = true;
        let asked = places.iter().filter_map(|place| self.offers.get(*place));
        self.errand.tell(LegRole::Panel, asked);
        let mut legs: Vec<Option<Leg>> = Vec::with_capacity(places.len());
        for place in places {
            let offer = self.offers.get(*place).cloned();
            let wish = self.errand.answering(LegRole::Panel, offer.into_iter().collect());
            match self.errand.begin(wish) {
                Ok(leg) => legs.push(Some(leg)),
                Err(error) => {
                    legs.push(None);
                    self.failed(*place, error);
                }
            }
        }
        let mut patience = None;
        while legs.iter().any(Option::is_some) {
            // The last hope is not given up.
            let has_answers = places.iter().any(|place| self.has_answered(*place));
            if legs.iter().flatten().count() == 1 && has_answers && patience.is_none() {
                patience = Some(Instant::now() + self.errand.cell.orchestration.straggler);
            }
            match hear(&mut legs, client, patience).await {
                Heard::Ended(at, end) => {
                    let Some(place) = places.get(at) else { continue };
                    self.member_ended(*place, *end, key);
                    if self.is_decided(places, plan_anew) {
                        self.call_off(places, &mut legs);
                    }
                }
                // Dropped, the legs send nothing more, and read what was sent to its end.
                Heard::Left => {
                    for leg in legs.iter().flatten() {
                        self.errand.story.left_running(leg);
                    }
                    return Err(client_left());
                }
                Heard::Late => {
                    self.missing.get_or_insert("timeout");
                    self.call_off(places, &mut legs);
                }
            }
        }
        Ok(())
    }

    fn member_ended(&mut self, place: usize, end: LegEnd, key: &dyn Fn(&str) -> String) {
        match self.errand.ended(LegRole::Panel, end) {
            Ok(answer) => {
                let given = self.errand.given(answer);
                self.errand.story.checked_by(&given.model);
                self.answered(place, given, key);
            }
            Err(error) => self.failed(place, error),
        }
    }

    /// Gives up those that have not answered.
    fn call_off(&mut self, places: &[usize], legs: &mut [Option<Leg>]) {
        for (place, slot) in places.iter().zip(legs) {
            if let Some(leg) = slot.take() {
                leg.supersede();
                self.errand.story.left_running(&leg);
                if let Some(said) = self.said.get_mut(*place) {
                    *said = Some(Said::Nothing);
                }
            }
        }
    }

    /// Whether those that have answered agree, and their answer would be taken whatever the others say. Only by the table:
    /// the fitted verdict reads every text.
    fn is_decided<'q>(&self, places: &[usize], plan_anew: &dyn Fn() -> Result<Plan<'q>, PolicyError>) -> bool {
        if self.policy != PanelPolicy::Table {
            return false;
        }
        let keys = places.iter().filter_map(|place| self.keys.get(*place));
        let mut keys: Vec<&String> = keys.filter(|key| !key.is_empty()).collect();
        keys.dedup();
        let answered = places.iter().filter(|place| self.has_answered(**place)).count();
        if answered < 2 || keys.len() != 1 {
            return false;
        }
        let Ok(mut trial) = plan_anew() else { return false };
        if !matches!(trial.decision().step, Step::CallPanel(_)) {
            return false;
        }
        for place in places {
            self.tell(&mut trial, *place);
        }
        matches!(trial.decision().step, Step::Accept(_))
    }

    /// Asks one, after others or at once.
    async fn alone(
        &mut self,
        place: usize,
        key: &dyn Fn(&str) -> String,
        client: &mut dyn Client,
    ) -> Result<(), GatewayError> {
        let Some(offer) = self.offers.get(place).cloned() else {
            return Ok(());
        };
        let has_answers = (0..self.offers.len()).any(|place| self.has_answered(place));
        if has_answers && !self.errand.may_pay(&offer) {
            self.missing.get_or_insert("budget");
            self.note(place, Said::Nothing);
            return Ok(());
        }
        let is_top = self.top == Some(place);
        let result = if has_answers && is_top {
            // It may be asked, whatever is missing.
            let evidence = self.evidence().unwrap_or(Evidence::Unconvincing);
            let said = std::mem::take(&mut self.said);
            let result = Box::pin(self.errand.rise(vec![offer], &told(&said, evidence), client)).await;
            self.said = said;
            result
        } else {
            let role = if has_answers {
                LegRole::Arbiter
            } else {
                self.errand.part.role
            };
            let wish = self.errand.answering(role, vec![offer]);
            Box::pin(self.errand.ask(wish, client)).await
        };
        match result {
            Ok(given) => {
                if has_answers {
                    self.errand.story.checked_by(&given.model);
                }
                self.answered(place, given, key);
            }
            Err(error) if is_left(&error) => return Err(error),
            Err(error) => self.failed(place, error),
        }
        Ok(())
    }

    /// Tells a plan what a candidate said.
    fn tell(&self, plan: &mut Plan<'_>, place: usize) {
        let told = match self.said.get(place) {
            Some(Some(Said::Answer(given))) => plan.answered(place, spoken(given)).map(|_| ()),
            _ => plan.failed(place).map(|_| ()),
        };
        if let Err(error) = told {
            tracing::error!(error = %error, "a plan was told what it had not asked");
        }
    }

    fn answered(&mut self, place: usize, given: Given, key: &dyn Fn(&str) -> String) {
        if let Some(known) = self.keys.get_mut(place) {
            *known = key(given.text());
        }
        self.note(place, Said::Answer(Box::new(given)));
    }

    fn failed(&mut self, place: usize, error: GatewayError) {
        if place < self.members {
            self.missing.get_or_insert(reason_of(&error));
            if is_unpaid(&error) {
                self.missing = Some("budget");
            }
        }
        if self.error.as_ref().is_none_or(|(known, _)| place < *known) {
            self.error = Some((place, error));
        }
        self.note(place, Said::Nothing);
    }

    fn note(&mut self, place: usize, what: Said) {
        if let Some(said) = self.said.get_mut(place) {
            *said = Some(what);
        }
    }

    fn has_answered(&self, place: usize) -> bool {
        matches!(self.said.get(place), Some(Some(Said::Answer(given))) if given.is_an_answer())
    }

    /// How many of the members say the same, at most.
    pub(super) fn votes(&self) -> usize {
        let keys: Vec<&str> = self.keys.iter().take(self.members).map(String::as_str).collect();
        gateway_routing::agree(&keys, &[] as &[u8]).most
    }

    /// What speaks against the members' answers: two of them that can be read, and differ, or that they agree and are not
    /// convincing. Where one is missing or cannot be compared that says nothing of the others.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let different = gateway_routing::agree(&keys, &[] as &[u8]).different;
        let has_all = (0..self.members).all(|place| self.has_answered(place));
        match (self.votes(), different) {
            (0 | 1, 2..) => Some(Evidence::Disagreement),
            (2.., 2..) => Some(Evidence::Unconvincing),
            (2.., 1) if has_all => Some(Evidence::Unconvincing),
            _ => None,
        }
    }
}

/// An answer as a plan reads it.
fn spoken(given: &Given) -> AnswerText<'_> {
    let tokens = match given.completion.usage {
        // Reasoning is no part of the text.
        UsageReport::Reported(usage) => usage.output.saturating_sub(usage.reasoning),
        UsageReport::Missing | UsageReport::Absurd | UsageReport::Unused => (given.text().len() / 4) as u64,
    };
    AnswerText {
        text: given.text(),
        output_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        cut: given.read.as_ref().is_some_and(|read| read.end == AnswerEnd::Length),
    }
}
