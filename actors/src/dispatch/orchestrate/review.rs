//! A model of another maker judges the answer. Its verdict counts only in one form; in any other, or without one, the
//! answer is given as it is: it was paid for. Where two have answered, and differ, neither judges the other: a third is shown
//! both.

use gateway_routing::{ArbiterVerdict, ReviewIssue, ReviewVerdict, Severity, Stands, maker, same_code};
use tokio::time::Instant;

use super::super::client::Client;
use super::super::run::client_left;
use super::errand::{Aim, Errand, Given, LegWish, is_left, is_unpaid, reason_of};
use super::leg::{Heard, Leg, hear};
use super::prompt;
use super::rise::worth;
use super::story::is_same_endpoint;
use crate::protocol::{
    AnswerEnd, Candidate, CheckStatus, Evidence, GatewayError, HealthNote, LegRole, Model, OwnPrompt, QualityLevel,
    TaskType,
};

/// What came of asking for a verdict.
enum Judged {
    Accepted,
    /// With these issues, the major ones first.
    Rejected(Vec<String>),
    /// There is no verdict, for this reason.
    Unknown(&'static str),
}

/// Has one model answer, and another judge what it says.
pub(super) async fn run(
    errand: &mut Errand,
    reviewers: &[Candidate],
    client: &mut dyn Client,
) -> Result<Given, GatewayError> {
    let mut second = second_model(errand, reviewers);
    let wish = errand.answering(errand.part.role, errand.planned.candidates.clone());
    let first = Box::pin(errand.ask(wish, client)).await;
    let is_answered = first.as_ref().is_ok_and(Given::is_an_answer);
    let other = Box::pin(second_answer(errand, &mut second, is_answered, client)).await?;
    let best = match (first, other) {
        // What nobody can use is no answer to hold another against.
        (Ok(first), Some(other)) if worth(other.evidence) > worth(first.evidence) => {
            errand.tried(first);
            other
        }
        (Ok(first), Some(other)) if first.evidence.is_none() && other.evidence.is_none() => {
            errand.story.checked_by(&other.model);
            // Two who wrote the same code without knowing of each other need no reviewer.
            if same_code(first.text(), other.text()) {
                errand.story.check = CheckStatus::Agreed;
                errand.story.votes = Some((2, 2));
                return Ok(first);
            }
            return Box::pin(errand.settled(first, other, reviewers, client)).await;
        }
        (Ok(first), Some(other)) => {
            errand.story.checked_by(&other.model);
            errand.tried(other);
            first
        }
        (Ok(first), None) => first,
        (Err(error), _) if is_left(&error) => return Err(error),
        // The second was the last hope.
        (Err(_), Some(other)) => other,
        (Err(error), None) => return Err(error),
    };
    let best = Box::pin(errand.mend(best, client)).await?;
    if best.evidence.is_some() || best.text().trim().is_empty() {
        return Ok(best);
    }
    Box::pin(errand.reviewed(best, reviewers, client)).await
}

/// Code that matters is written twice, by models of different makers, side by side.
fn second_model(errand: &mut Errand, reviewers: &[Candidate]) -> Option<Leg> {
    let is_code = matches!(errand.planned.decision.task, TaskType::Code | TaskType::CreateProject);
    if !is_code || errand.call.plan.quality != QualityLevel::Critical {
        return None;
    }
    let first = errand.planned.candidates.first()?;
    let above = errand.call.plan.wish.above;
    let may_answer = |candidate: &&Candidate| {
        is_independent(candidate, &first.model) && above.is_none_or(|above| candidate.model.layer > above)
    };
    let second = reviewers.iter().find(may_answer)?;
    errand.tell(LegRole::Panel, [second].into_iter());
    let wish = errand.answering(LegRole::Panel, vec![second.clone()]);
    errand.begin(wish).ok()
}

/// What the second one says; waited for a little once the first has answered, and as long as it takes if that failed.
async fn second_answer(
    errand: &mut Errand,
    second: &mut Option<Leg>,
    is_answered: bool,
    client: &mut dyn Client,
) -> Result<Option<Given>, GatewayError> {
    if second.is_none() {
        return Ok(None);
    }
    let patience = is_answered.then(|| Instant::now() + errand.cell.orchestration.straggler);
    match hear(std::slice::from_mut(second), client, patience).await {
        Heard::Ended(_, end) => {
            let answer = errand.ended(LegRole::Panel, *end);
            Ok(answer.ok().map(|answer| errand.given(answer)))
        }
        Heard::Left => {
            if let Some(leg) = second {
                errand.story.left_running(leg);
            }
            Err(client_left())
        }
        Heard::Late => {
            if let Some(leg) = second.take() {
                leg.supersede();
                errand.story.left_running(&leg);
            }
            Ok(None)
        }
    }
}

impl Errand {
    /// Two models have answered, and differ: a third is shown both and says which of them does. What it says does not settle
    /// goes upwards, with both answers. One that nobody spoke against is preferred to one that was rejected.
    async fn settled(
        &mut self,
        first: Given,
        other: Given,
        reviewers: &[Candidate],
        client: &mut dyn Client,
    ) -> Result<Given, GatewayError> {
        self.story.votes = Some((1, 2));
        let is_neutral =
            |judge: &Candidate| is_independent(judge, &other.model) && !self.story.has_written(&judge.model);
        let mut arbiters = self.judges(reviewers, &first.model);
        arbiters.retain(is_neutral);
        let nobody_to_ask = arbiters.is_empty();
        let tests = self.call.plan.wish.tests.as_ref();
        let prompt = prompt::arbiter(&self.question.text, [first.text(), other.text()], tests);
        let asked = self.opinion(LegRole::Arbiter, arbiters, prompt, ArbiterVerdict::parse, client);
        let (evidence, reason) = match Box::pin(asked).await? {
            Ok(verdict) => {
                self.issues.extend(issues_of(verdict.issues));
                self.story.check = CheckStatus::Arbitrated;
                match verdict.stands {
                    Stands::First | Stands::Both => return Ok(first),
                    Stands::Second => {
                        self.story.replaced = Some(first.model.id.clone());
                        self.story.has_risen |= other.model.layer > first.model.layer;
                        return Ok(other);
                    }
                    Stands::Neither => (Evidence::Rejected, None),
                }
            }
            Err(reason) => (Evidence::Disagreement, Some(reason)),
        };
        // As good as what a move up to its model would give.
        let (less, best) = match other.model.layer > first.model.layer {
            true => (first, other),
            false => (other, first),
        };
        let attempts = [(&less, evidence), (&best, evidence)];
        let above = self.above(best.model.layer, &self.planned.candidates);
        if !above.is_empty() && self.may_rise() {
            if let Some(better) = Box::pin(self.arbitrated_by(above, &attempts, client)).await? {
                return Ok(better);
            }
        } else if above.is_empty() && (evidence == Evidence::Rejected || nobody_to_ask) {
            // That an arbiter failed is no reason to ask for money.
            self.need_leave(best.model.layer, &attempts, evidence, None).await;
        }
        if evidence == Evidence::Rejected {
            self.story.check = CheckStatus::Rejected;
            self.story.evidence = Some(evidence);
        } else {
            self.story.check = CheckStatus::Disagreed;
            if let Some(reason) = reason {
                self.story.check_reason.get_or_insert(reason);
            }
        }
        Ok(best)
    }

    /// Has an answer judged, and a better one made of it where that is called for and allowed.
    async fn reviewed(
        &mut self,
        best: Given,
        reviewers: &[Candidate],
        client: &mut dyn Client,
    ) -> Result<Given, GatewayError> {
        let judges = self.judges(reviewers, &best.model);
        let issues = match Box::pin(self.verdict(LegRole::Review, judges.clone(), &best, &[], client)).await? {
            Judged::Accepted => {
                self.story.check = CheckStatus::Accepted;
                return Ok(best);
            }
            Judged::Unknown(reason) => {
                self.story.unavailable(reason);
                return Ok(best);
            }
            Judged::Rejected(issues) => issues,
        };
        self.issues.extend(issues.iter().cloned());
        let attempts = [(&best, Evidence::Rejected)];
        let above = self.above(best.model.layer, &self.planned.candidates);
        if !above.is_empty() && self.may_rise() {
            let better = Box::pin(self.arbitrated_by(above, &attempts, client)).await?;
            if better.is_none() {
                self.story.check = CheckStatus::Rejected;
                self.story.evidence = Some(Evidence::Rejected);
            }
            return Ok(better.unwrap_or(best));
        }
        // Nobody better may be asked: a third maker says who is right.
        let is_third = |judge: &Candidate| {
            !self.story.has_tried(&judge.model) && !self.story.has_checked(maker(&judge.model.api_model))
        };
        let thirds: Vec<Candidate> = judges.into_iter().filter(is_third).collect();
        let judged = if thirds.is_empty() {
            Judged::Rejected(Vec::new())
        } else {
            Box::pin(self.verdict(LegRole::Arbiter, thirds, &best, &issues, client)).await?
        };
        match judged {
            Judged::Accepted => {
                self.story.check = CheckStatus::Arbitrated;
                return Ok(best);
            }
            // There is one verdict, and it stands.
            Judged::Unknown(reason) => {
                self.story.check_reason.get_or_insert(reason);
            }
            Judged::Rejected(more) => self.issues.extend(more),
        }
        self.story.check = CheckStatus::Rejected;
        self.story.evidence = Some(Evidence::Rejected);
        if above.is_empty() {
            let (current, evidence) = (best.model.layer, Evidence::Rejected);
            self.need_leave(current, &[(&best, evidence)], evidence, None).await;
        }
        Ok(best)
    }

    /// A better model settles it by answering itself, told of the answers so far, the best last, and of what was said against
    /// them. Nothing where it has no better answer.
    async fn arbitrated_by(
        &mut self,
        above: Vec<Candidate>,
        attempts: &[(&Given, Evidence)],
        client: &mut dyn Client,
    ) -> Result<Option<Given>, GatewayError> {
        match Box::pin(self.rise(above, attempts, client)).await {
            Ok(better) if better.evidence.is_none() => {
                self.story.check = CheckStatus::Arbitrated;
                match attempts.last() {
                    Some((best, Evidence::Rejected)) => self.story.rose_above(&best.model),
                    // Nobody knows which of those that differ is wrong.
                    _ => self.story.has_risen = true,
                }
                Ok(Some(better))
            }
            Ok(_) => Ok(None),
            Err(error) if is_left(&error) => Err(error),
            Err(error) => {
                self.story.check_reason = Some(reason_of(&error));
                Ok(None)
            }
        }
    }

    /// Who may judge an answer of this model, in the order in which they are asked: those that have not answered themselves
    /// first, and of them those of its layer and above.
    fn judges(&self, reviewers: &[Candidate], of: &Model) -> Vec<Candidate> {
        let may_judge = |candidate: &&Candidate| is_independent(candidate, of) && self.may_pay(candidate);
        let mut judges: Vec<Candidate> = reviewers.iter().filter(may_judge).cloned().collect();
        judges.sort_by_key(|judge| (self.story.has_written(&judge.model), judge.model.layer < of.layer));
        judges
    }

    /// Asks for a verdict.
    async fn verdict(
        &mut self,
        role: LegRole,
        judges: Vec<Candidate>,
        of: &Given,
        issues: &[String],
        client: &mut dyn Client,
    ) -> Result<Judged, GatewayError> {
        let tests = self.call.plan.wish.tests.as_ref();
        let prompt = prompt::review(&self.question.text, of.text(), issues, tests);
        let asked = self.opinion(role, judges, prompt, ReviewVerdict::parse, client);
        Ok(match Box::pin(asked).await? {
            Ok(verdict) if verdict.accepts => Judged::Accepted,
            Ok(verdict) => Judged::Rejected(issues_of(verdict.issues)),
            Err(reason) => Judged::Unknown(reason),
        })
    }

    /// Asks for a word on what was answered; why there is none that can be read, where there is none.
    async fn opinion<T>(
        &mut self,
        role: LegRole,
        judges: Vec<Candidate>,
        prompt: OwnPrompt,
        parse: fn(&str) -> Option<T>,
        client: &mut dyn Client,
    ) -> Result<Result<T, &'static str>, GatewayError> {
        let now = Instant::now();
        let deadline = self.call.context.deadline;
        if now >= deadline {
            return Ok(Err("deadline"));
        }
        let nobody = if self.is_unpaid { "budget" } else { "no_second_model" };
        if judges.is_empty() {
            return Ok(Err(nobody));
        }
        let (outgoing, needs) = self.cell.scribe.write(prompt);
        let has_room = |judge: &Candidate| needs.input_estimate <= u64::from(judge.model.context_window);
        let judges: Vec<Candidate> = judges.into_iter().filter(has_room).collect();
        if judges.is_empty() {
            return Ok(Err(nobody));
        }
        let wish = LegWish {
            role,
            aim: Aim::Opinion,
            candidates: judges,
            outgoing,
            deadline: deadline.min(now + self.cell.orchestration.review_timeout),
        };
        let answer = match Box::pin(self.run(wish, client)).await {
            Ok(answer) => answer,
            Err(error) if is_left(&error) => return Err(error),
            Err(error) if !is_unpaid(&error) && Instant::now() >= deadline => return Ok(Err("deadline")),
            Err(error) => return Ok(Err(reason_of(&error))),
        };
        self.story.checked_by(&answer.served.model);
        let read = self.cell.scribe.read(&answer.completion);
        // An answer that was cut says nothing, even where what is there could be read.
        let whole = read.filter(|read| read.end == AnswerEnd::Stop);
        Ok(whole.and_then(|read| parse(&read.text)).ok_or("invalid_verdict"))
    }
}

/// The issues as they go on to other models, the major ones first.
fn issues_of(mut issues: Vec<ReviewIssue>) -> Vec<String> {
    issues.sort_by_key(|issue| issue.severity == Severity::Minor);
    issues.iter().map(|issue| prompt::issue_text(&issue.what)).collect()
}

/// Whether a model may judge another's answer: it is of another maker, and can be reached.
fn is_independent(candidate: &Candidate, of: &Model) -> bool {
    let model = &candidate.model;
    candidate.reason.health != HealthNote::Open
        && !is_same_endpoint(model, of)
        && maker(&model.api_model) != maker(&of.api_model)
}
