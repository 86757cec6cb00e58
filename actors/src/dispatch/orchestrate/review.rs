//! A model of another maker judges the answer. Its verdict counts only in one form; in any other, or without one, the
//! answer is given as it is: it was paid for.

use gateway_routing::{ReviewVerdict, SAME_CODE, Severity, code_likeness, maker};
use tokio::time::Instant;

use super::super::client::Client;
use super::super::run::client_left;
use super::errand::{Aim, Errand, Given, LegWish, is_left, is_unpaid, reason_of};
use super::leg::{Heard, Leg, hear};
use super::prompt;
use super::rise::worth;
use super::story::is_same_endpoint;
use crate::protocol::{
    AnswerEnd, Candidate, CheckStatus, Evidence, GatewayError, HealthNote, LegRole, Model, QualityLevel, TaskType,
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
    let (best, spare) = match (first, other) {
        // What nobody can use is no answer to hold another against.
        (Ok(first), Some(other)) if worth(other.evidence) > worth(first.evidence) => (other, None),
        (Ok(first), Some(other)) => {
            errand.story.checked_by(&other.model);
            // Two who wrote the same code without knowing of each other need no reviewer.
            if first.evidence.is_none() && code_likeness(first.text(), other.text()) >= SAME_CODE {
                errand.story.check = CheckStatus::Agreed;
                errand.story.votes = Some((2, 2));
                return Ok(first);
            }
            (first, Some(other))
        }
        (Ok(first), None) => (first, None),
        (Err(error), _) if is_left(&error) => return Err(error),
        // The second was the last hope.
        (Err(_), Some(other)) => (other, None),
        (Err(error), None) => return Err(error),
    };
    let best = Box::pin(errand.mend(best, client)).await?;
    if best.evidence.is_some() || best.text().trim().is_empty() {
        return Ok(best);
    }
    Box::pin(errand.reviewed(best, spare, reviewers, client)).await
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
    /// Has an answer judged, and a better one made of it where that is called for and allowed. `spare`: what another model
    /// said to the same, which nobody has judged.
    async fn reviewed(
        &mut self,
        best: Given,
        spare: Option<Given>,
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
        // It is paid for, and as good as what a move up to its model would give.
        let is_better = |spare: &Given| spare.model.layer > best.model.layer && spare.evidence.is_none();
        if let Some(better) = spare.filter(is_better) {
            self.story.check = CheckStatus::Arbitrated;
            self.story.rose_above(&best.model);
            return Ok(better);
        }
        let above = self.above(best.model.layer, &self.planned.candidates);
        if !above.is_empty() && self.may_rise() {
            return Box::pin(self.arbitrated_by(above, best, client)).await;
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
            Judged::Accepted => self.story.check = CheckStatus::Arbitrated,
            Judged::Unknown(reason) => self.story.unavailable(reason),
            Judged::Rejected(more) => {
                self.issues.extend(more);
                self.story.check = CheckStatus::Rejected;
                self.story.evidence = Some(Evidence::Rejected);
                if above.is_empty() {
                    let (current, evidence) = (best.model.layer, Evidence::Rejected);
                    self.need_leave(current, &[(&best, evidence)], evidence, None).await;
                }
            }
        }
        Ok(best)
    }

    /// A better model settles it by answering itself, told of the answer and of what was said against it.
    async fn arbitrated_by(
        &mut self,
        above: Vec<Candidate>,
        best: Given,
        client: &mut dyn Client,
    ) -> Result<Given, GatewayError> {
        let risen = Box::pin(self.rise(above, &[(&best, Evidence::Rejected)], client)).await;
        match risen {
            Ok(better) if better.evidence.is_none() => {
                self.story.check = CheckStatus::Arbitrated;
                self.story.rose_above(&best.model);
                Ok(better)
            }
            Err(error) if is_left(&error) => Err(error),
            other => {
                self.story.check = CheckStatus::Rejected;
                self.story.evidence = Some(Evidence::Rejected);
                if let Err(error) = other {
                    self.story.check_reason = Some(reason_of(&error));
                }
                Ok(best)
            }
        }
    }

    /// Who may judge an answer of this model, in the order in which they are asked: those of its layer and above first.
    fn judges(&self, reviewers: &[Candidate], of: &Model) -> Vec<Candidate> {
        let may_judge = |candidate: &&Candidate| is_independent(candidate, of) && self.may_pay(candidate);
        let mut judges: Vec<Candidate> = reviewers.iter().filter(may_judge).cloned().collect();
        judges.sort_by_key(|candidate| candidate.model.layer < of.layer);
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
        let now = Instant::now();
        let deadline = self.call.context.deadline;
        if now >= deadline {
            return Ok(Judged::Unknown("deadline"));
        }
        let nobody = if self.is_unpaid { "budget" } else { "no_second_model" };
        if judges.is_empty() {
            return Ok(Judged::Unknown(nobody));
        }
        let tests = self.call.plan.wish.tests.as_ref();
        let prompt = prompt::review(&self.question.text, of.text(), issues, tests);
        let (outgoing, needs) = self.cell.scribe.write(prompt);
        let has_room = |judge: &Candidate| needs.input_estimate <= u64::from(judge.model.context_window);
        let judges: Vec<Candidate> = judges.into_iter().filter(has_room).collect();
        if judges.is_empty() {
            return Ok(Judged::Unknown(nobody));
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
            Err(error) if !is_unpaid(&error) && Instant::now() >= deadline => return Ok(Judged::Unknown("deadline")),
            Err(error) => return Ok(Judged::Unknown(reason_of(&error))),
        };
        self.story.checked_by(&answer.served.model);
        let read = self.cell.scribe.read(&answer.completion);
        // An answer that was cut says nothing, even where what is there could be read.
        let whole = read.filter(|read| read.end == AnswerEnd::Stop);
        let Some(verdict) = whole.and_then(|read| ReviewVerdict::parse(&read.text)) else {
            return Ok(Judged::Unknown("invalid_verdict"));
        };
        if verdict.accepts {
            return Ok(Judged::Accepted);
        }
        let mut issues = verdict.issues;
        issues.sort_by_key(|issue| issue.severity == Severity::Minor);
        Ok(Judged::Rejected(
            issues.iter().map(|issue| prompt::issue_text(&issue.what)).collect(),
        ))
    }
}

/// Whether a model may judge another's answer: it is of another maker, and can be reached.
fn is_independent(candidate: &Candidate, of: &Model) -> bool {
    let model = &candidate.model;
    candidate.reason.health != HealthNote::Open
        && !is_same_endpoint(model, of)
        && maker(&model.api_model) != maker(&of.api_model)
}
