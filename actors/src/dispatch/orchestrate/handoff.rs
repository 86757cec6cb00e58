//! What a better model is told of the attempts before: cut to size, and asked of nobody.

use crate::protocol::{Decision, Evidence, HandOff, HandOffAttempt, Model, Question, TestResults};

const TOKEN_BYTES: usize = HandOff::TOKEN_BYTES;

/// Questions that an attempt left open, at most.
const MOST_QUESTIONS: usize = 3;

/// Bytes of one such question.
const QUESTION_BYTES: usize = 300;

/// Bytes before each item of a list.
const LIST_MARK: usize = 3;

/// An answer that did not do, and what speaks against it.
#[derive(Debug)]
pub(super) struct Attempted<'a> {
    pub(super) model: &'a Model,
    pub(super) evidence: Evidence,
    pub(super) text: &'a str,
}

/// What is known of what is to be answered better.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matter<'a> {
    pub(super) decision: &'a Decision,
    pub(super) question: &'a Question,
    /// What reviewers said.
    pub(super) issues: &'a [String],
    pub(super) tests: Option<&'a TestResults>,
}

/// What the better model is told, the attempts newest first: no more than so many tokens, headings and fences with it. Of
/// the room that these leave the request gets 40 percent, the attempts as much, what is wrong with them 15, and what they
/// left open the rest. Where no attempt is known, what is wrong has their room too.
pub(super) fn hand_off(matter: Matter<'_>, attempts: &[Attempted<'_>], tokens: u32) -> HandOff {
    let Matter { decision, question, .. } = matter;
    let turns = match question.user_turns {
        0 | 1 => "the first turn".to_owned(),
        turns => format!("turn {turns} of its conversation"),
    };
    let mut hand_off = HandOff {
        summary: format!(
            "a {} request of the class {}, {turns}",
            decision.complexity, decision.task
        ),
        task: decision.task,
        attempts: attempts.iter().rev().map(Attempted::untold).collect(),
        // Nothing in them yet, so that it is the frame that is measured.
        known_issues: vec![String::new()],
        open_questions: vec![String::new()],
        request: String::new(),
        tokens: 0,
    };
    let all = usize::try_from(tokens)
        .unwrap_or(usize::MAX)
        .saturating_mul(TOKEN_BYTES);
    let mut room = all.saturating_sub(hand_off.most_bytes());
    // The oldest attempts are not told of where the frame of all of them would take most of the room.
    while hand_off.attempts.len() > 1 && room < all / 2 {
        hand_off.attempts.pop();
        room = all.saturating_sub(hand_off.most_bytes());
    }
    let share = |percent: usize| room.saturating_mul(percent) / 100;
    let each = share(40) / hand_off.attempts.len().max(1);
    for (told, attempt) in hand_off.attempts.iter_mut().zip(attempts.iter().rev()) {
        told.answer = cut_middle(attempt.text, each);
    }
    hand_off.request = cut_middle(&question.text, share(40));
    let of_issues = if hand_off.attempts.is_empty() { 55 } else { 15 };
    hand_off.known_issues = known_issues(matter, share(of_issues));
    let answers = hand_off.attempts.iter().map(|attempt| attempt.answer.as_str());
    let asked = answers.flat_map(questions_in).take(MOST_QUESTIONS);
    hand_off.open_questions = listed(asked, share(5));
    hand_off.tokens = u32::try_from(hand_off.text().len() / TOKEN_BYTES).unwrap_or(u32::MAX);
    hand_off
}

impl Attempted<'_> {
    /// The attempt without its answer.
    fn untold(&self) -> HandOffAttempt {
        HandOffAttempt {
            layer: self.model.layer,
            model: self.model.id.clone(),
            evidence: self.evidence,
            answer: String::new(),
        }
    }
}

/// What is wrong with the attempts, in so many bytes: what reviewers said, and the client's tests, beside that in a third at
/// most.
fn known_issues(matter: Matter<'_>, room: usize) -> Vec<String> {
    let of_tests = if matter.issues.is_empty() { room } else { room / 3 };
    let tests = listed(matter.tests.and_then(issue_of).into_iter(), of_tests);
    let taken: usize = tests.iter().map(|issue| issue.len() + LIST_MARK).sum();
    let mut issues = listed(matter.issues.iter().cloned(), room - taken);
    issues.extend(tests);
    issues
}

/// Items of a list in so many bytes, each with its mark.
fn listed(items: impl Iterator<Item = String>, mut room: usize) -> Vec<String> {
    let mut list = Vec::new();
    for item in items {
        let item = cut_middle(&item, room.saturating_sub(LIST_MARK));
        if !item.is_empty() {
            room = room.saturating_sub(item.len() + LIST_MARK);
            list.push(item);
        }
    }
    list
}

/// What the client's tests say, as an issue.
fn issue_of(tests: &TestResults) -> Option<String> {
    if tests.failed == 0 {
        return None;
    }
    let mut issue = counts_of(tests);
    if let Some(output) = tests.output.as_deref().filter(|output| !output.trim().is_empty()) {
        issue.push_str("; they printed:\n");
        issue.push_str(output);
    }
    Some(issue)
}

/// How many tests passed and failed, as every package says it.
pub(super) fn counts_of(tests: &TestResults) -> String {
    format!("the client's tests: {} passed, {} failed", tests.passed, tests.failed)
}

/// A text of at most so many bytes: its head and its tail, with a word of what is left out where there is room for one.
pub(super) fn cut_middle(text: &str, most: usize) -> String {
    const MARK: &str = "\n[…]\n";
    if text.len() <= most {
        return text.to_owned();
    }
    let Some(room) = most.checked_sub(MARK.len()) else {
        return String::new();
    };
    let head = text.floor_char_boundary(room / 2);
    let tail = text.ceil_char_boundary(text.len() - (room - room / 2));
    let (head, tail) = (text.get(..head), text.get(tail..));
    [head.unwrap_or_default(), MARK, tail.unwrap_or_default()].concat()
}

/// The sentences of a text that end in a question mark.
fn questions_in(text: &str) -> impl Iterator<Item = String> {
    let sentences = text.split_inclusive(['.', '?', '!', '\n']);
    let asked = sentences
        .map(str::trim)
        .filter(|sentence| sentence.ends_with('?') && sentence.len() > 1);
    asked.map(|sentence| cut_middle(sentence, QUESTION_BYTES))
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::*;
    use crate::protocol::CheckPlan;
    use crate::testkit::samples::decision;
    use crate::testkit::{TextRequest, test_model};

    #[test]
    fn a_text_is_cut_in_its_middle_and_never_within_a_character() {
        assert_eq!(cut_middle("short", 5), "short");
        let cut = cut_middle(&"ä".repeat(100), 60);
        assert!(
            cut.len() <= 60 && cut.starts_with('ä') && cut.ends_with('ä') && cut.contains("[…]"),
            "{cut}"
        );
        assert_eq!(cut_middle("longer", 3), "");
    }

    #[test]
    fn a_package_is_no_longer_than_it_may_be_whatever_is_in_it() {
        let marks = "=".repeat(60_000);
        let fences: String = (1..4_000).map(|number| format!("===== {number} =====\n")).collect();
        let questions = "Is it so? ".repeat(6_000);
        for tokens in [200, 1_500, 16_000] {
            for text in [&marks, &fences, &questions] {
                for count in [1, 2, 8] {
                    let package = self::package(text, count, &[text.clone(), "no test".to_owned()], Some(text), tokens);
                    let told = package.text();
                    assert!(
                        told.len() <= tokens as usize * TOKEN_BYTES,
                        "{} bytes of {tokens} tokens, {count} attempts, {text:.20}",
                        told.len()
                    );
                    assert!(package.tokens <= tokens);
                    assert_eq!(package.attempts[0].model, count_th(count).id, "the newest is told of");
                    assert!(!package.request.is_empty() && !package.attempts[0].answer.is_empty());
                }
            }
        }
    }

    #[test]
    fn what_the_clients_tests_print_leaves_room_for_what_reviewers_say() {
        let said: Vec<String> = (0..3).map(|number| format!("{number}: it is seven")).collect();
        let package = self::package("six", 1, &said, Some(&"E ".repeat(8_000)), 1_500);
        assert_eq!(package.known_issues[..3], said, "the reviewers' first, and whole");
        assert_eq!(package.known_issues.len(), 4);
        let tests = &package.known_issues[3];
        assert!(tests.starts_with("the client's tests: 1 passed, 2 failed"), "{tests}");
        assert!(tests.len() <= 300, "a third of what there is for issues");
        let alone = self::package("six", 1, &[], Some("E assert 6 == 7"), 1_500);
        assert_eq!(alone.known_issues.len(), 1);
        assert!(alone.known_issues[0].ends_with("E assert 6 == 7"));
    }

    #[test]
    fn where_no_attempt_is_known_what_the_clients_tests_print_has_their_room() {
        let printed = format!("{} E assert 6 == 7", "x ".repeat(8_000));
        let package = self::package("six", 0, &[], Some(&printed), 1_500);
        let [tests] = &package.known_issues[..] else {
            panic!("{:?}", package.known_issues)
        };
        assert!(tests.starts_with("the client's tests: 1 passed, 2 failed; they printed:\n"));
        assert!(
            tests.ends_with("E assert 6 == 7") && tests.len() > 2_500,
            "{} bytes",
            tests.len()
        );
        assert!(package.text().len() <= 6_000 && package.request == "six");
        let silent = self::package("six", 0, &[], Some(" \n"), 1_500);
        assert_eq!(silent.known_issues, ["the client's tests: 1 passed, 2 failed"]);
    }

    fn count_th(number: usize) -> Model {
        test_model(&format!("model-{number}"), "p", 1)
    }

    /// A package about so many attempts, each of this text, for a request of this text.
    fn package(text: &str, count: usize, issues: &[String], printed: Option<&str>, tokens: u32) -> HandOff {
        let models: Vec<Model> = (1..=count).map(count_th).collect();
        let attempted = |model| Attempted {
            model,
            evidence: Evidence::Rejected,
            text,
        };
        let attempts: Vec<Attempted<'_>> = models.iter().map(attempted).collect();
        let matter = Matter {
            decision: &decision(CheckPlan::Off),
            question: &TextRequest::new(text).question,
            issues,
            tests: Some(&TestResults {
                passed: 1,
                failed: 2,
                output: printed.map(Into::into),
            }),
        };
        hand_off(matter, &attempts, tokens)
    }

    #[test]
    fn what_an_answer_asks_is_an_open_question() {
        let found: Vec<String> = questions_in("It is 4. Or did you mean 5? No!\nWhich base? ?").collect();
        assert_eq!(found, ["Or did you mean 5?", "Which base?"]);
    }
}
