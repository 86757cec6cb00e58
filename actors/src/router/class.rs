//! What kind of request it is, told by the text of the user's turn and by how far the conversation is.

use gateway_routing as routing;

use super::words::{complexity_from, task_from};
use crate::protocol::{Complexity, Evidence, PlanRequest, Question, TaskType};

/// A conversation of more user turns than this is no simple matter any more: what is asked leans on what was said.
const LONG_CONVERSATION: u32 = 8;
/// A text of fewer bytes is short.
const SHORT: usize = 64;
/// Tools that fail this often one after the other are evidence that the model does not get on.
const FAILING_TOOLS: u32 = 2;

/// What kind of request it is. Nothing else of its text goes into the plan: no text can name a layer or a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    pub(super) task: TaskType,
    pub(super) complexity: Complexity,
    /// Whether the complexity is a close call.
    pub(super) unsure: bool,
    /// The greater, the harder.
    pub(super) difficulty: f64,
    /// What made it hard or easy, the most first; only where somebody wants to see it.
    pub(super) signals: Vec<(&'static str, f64)>,
}

impl Class {
    pub(super) fn of(read: &routing::Question<'_>, question: &Question, request: &PlanRequest) -> Self {
        let found = read.classification();
        let wish = &request.wish;
        // Tools that are offered say nothing about the task, and neither does a text that no rule claims.
        let task = match task_from(found.task) {
            TaskType::General => request.task,
            _ if wish.task_is_given => request.task,
            told => told,
        };
        let most = if is_small_talk(&question.text) {
            Complexity::Medium
        } else {
            Complexity::Complex
        };
        let told = complexity_from(found.complexity);
        let is_doubted = told > most;
        let told = wish.rated.unwrap_or(told.min(most));
        let least = if question.user_turns > LONG_CONVERSATION {
            Complexity::Medium
        } else {
            Complexity::Simple
        };
        let signals = found.contributions.iter().map(|one| (one.signal, one.effect));
        Self {
            task,
            complexity: told.max(least),
            unsure: wish.rated.is_none() && (is_doubted || read.is_close_call()),
            difficulty: found.difficulty,
            signals: if wish.explain { signals.collect() } else { Vec::new() },
        }
    }
}

/// Whether a text is short and has neither numbers nor formulas nor code. What the calibration was fitted on has few such
/// texts, and those are hard trivia: nobody is to be asked for money over "What is your name?".
fn is_small_talk(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || b" .,;:!?'\"-\n".contains(&byte);
    text.len() < SHORT && text.bytes().all(is_plain)
}

/// What outside the text speaks for a better model before anybody has answered: the client's tests failed, or tools
/// failed one after the other.
pub(super) fn evidence_before(question: &Question, request: &PlanRequest) -> Option<Evidence> {
    if request.wish.tests.as_ref().is_some_and(|tests| tests.failed > 0) {
        return Some(Evidence::FailedTests);
    }
    (question.tool_errors >= FAILING_TOOLS).then_some(Evidence::ToolErrors)
}

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
