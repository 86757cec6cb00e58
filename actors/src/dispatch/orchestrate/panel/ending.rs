//! How a panel ends: with an answer of its own, with an offer, or with whoever else may be asked.

use std::sync::Arc;

use super::super::super::client::Client;
use super::super::errand::{Given, is_left, is_unpaid};
use super::super::rise::Better;
use super::super::story::is_same_endpoint;
use super::{End, Panel, Said, told};
use crate::protocol::{Candidate, CheckPlan, CheckStatus, ErrorKind, Evidence, GatewayError};

impl Panel<'_> {
    /// Tells what came of the check, and gives the answer that was taken.
    pub(super) async fn settle(mut self, end: End, client: &mut dyn Client) -> Result<Given, GatewayError> {
        let votes = self.votes();
        if self.was_held {
            let count = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
            self.errand.story.votes = Some((count(votes), count(self.members)));
        }
        let evidence = self.evidence();
        let needs_leave = matches!(end, End::NeedsLeave(_));
        // That a member failed, or cannot be compared, is no reason to ask for money.
        if let Some(evidence) = evidence.filter(|_| needs_leave && self.was_held) {
            self.offer(evidence).await;
        }
        let accepted = match end {
            End::Accepted(place) | End::NeedsLeave(place) => self
                .said
                .get_mut(place)
                .and_then(Option::take)
                .map(|said| (place, said)),
            End::Exhausted => None,
        };
        let Some((place, Said::Answer(best))) = accepted else {
            return Box::pin(self.others(client)).await;
        };
        let best = *best;
        if !self.was_held {
            if self.top == Some(place) {
                self.errand.story.check_reason = Some(CheckPlan::AT_ONCE);
            }
            return Box::pin(self.errand.mend(best, client)).await;
        }
        let usable = self
            .keys
            .iter()
            .take(self.members)
            .filter(|key| !key.is_empty())
            .count();
        let is_members = place < self.members;
        let story = &mut self.errand.story;
        let missing = self.missing;
        if usable == 0 {
            // A chance by votes, and nobody has one.
            story.confidence = None;
        }
        if usable < 2 || missing == Some("budget") {
            // All of them answered, and nothing in it can be held against each other.
            story.unavailable(missing.unwrap_or("incomparable"));
        } else if !is_members {
            story.check = CheckStatus::Arbitrated;
        } else if votes >= 2 {
            story.check = CheckStatus::Agreed;
        } else {
            story.check = CheckStatus::Disagreed;
            story.evidence = Some(Evidence::Disagreement);
        }
        story.has_risen |= self.top == Some(place);
        let taken = Arc::clone(&best.model);
        let given = Box::pin(self.errand.mend(best, client)).await?;
        let story = &mut self.errand.story;
        if !is_same_endpoint(&given.model, &taken) && story.check != CheckStatus::Unavailable {
            // What is given is not what the members said, however many of them did.
            story.check = CheckStatus::Arbitrated;
            story.evidence = None;
        }
        Ok(given)
    }

    /// Notes that the best model would want leave, with all that was said.
    async fn offer(&mut self, evidence: Evidence) {
        let said = std::mem::take(&mut self.said);
        let told = told(&said, evidence);
        let current = told.iter().map(|(given, _)| given.model.layer).max();
        if let Some(current) = current {
            let weighed = self.weighed.as_ref().map(|best| &*best.model);
            let wanted = Better {
                weighed,
                ..Better::default()
            };
            self.errand.need_leave_for(current, &told, evidence, wanted).await;
        }
        self.said = said;
    }

    /// Nobody of the plan has answered: the others are tried in their order, as for any request.
    async fn others(self, client: &mut dyn Client) -> Result<Given, GatewayError> {
        let error = self.error.map(|(_, error)| error);
        if self.was_held {
            self.errand.story.unavailable(self.missing.unwrap_or("provider"));
        }
        let is_new = |candidate: &&Candidate| {
            let is_same = |offer: &Candidate| is_same_endpoint(&offer.model, &candidate.model);
            !self.offers.iter().any(is_same) && self.errand.may_pay(candidate)
        };
        let rest: Vec<Candidate> = self.errand.planned.candidates.iter().filter(is_new).cloned().collect();
        let is_refused = error.as_ref().is_some_and(is_unpaid) && !self.errand.is_only_free;
        if rest.is_empty() || is_refused {
            let late = || GatewayError::new(ErrorKind::UpstreamTimeout, "no model answered in time");
            return Err(error.unwrap_or_else(late));
        }
        let wish = self.errand.answering(self.errand.part.role, rest);
        match Box::pin(self.errand.ask(wish, client)).await {
            Ok(given) => Box::pin(self.errand.mend(given, client)).await,
            Err(later) if is_left(&later) => Err(later),
            Err(later) => Err(error.unwrap_or(later)),
        }
    }
}
