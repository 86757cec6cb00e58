//! What kind of task a question is. Each rule adds a weight to one task; the heaviest wins.

use std::fmt;

use crate::lexicon::{ASK, GREET, MAKE, PROJECT, YOU};
use crate::math::flag;
use crate::scan::Scan;

/// A kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Small talk.
    Chat,
    /// Write or change code.
    Code,
    /// Look into something: explain, review, compare, find a fault.
    Analyze,
    /// Begin a whole program.
    CreateProject,
    /// All else: facts, sums, translations.
    General,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::Code,
        Self::Analyze,
        Self::CreateProject,
        Self::General,
    ];

    /// `chat`, `code`, `analyze`, `create-project`, `general`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Code => "code",
            Self::Analyze => "analyze",
            Self::CreateProject => "create-project",
            Self::General => "general",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule that spoke for a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskReason {
    /// What it saw.
    pub rule: &'static str,
    /// What it added, 0.3 to 2.2.
    pub weight: f64,
}

type Rules = [TaskReason; 5];

const fn rule(rule: &'static str, weight: f64) -> TaskReason {
    TaskReason { rule, weight }
}

/// Every task's rules, in the order of [`Task::ALL`].
fn rules(scan: &Scan) -> [Rules; 5] {
    let words = &scan.words;
    let marks = &scan.marks;
    let none = rule("", 0.0);
    let code = scan.is_code || marks.fence;
    let nouns = words.nouns.min(3) as f64;
    let looks = words.looks.min(2) as f64;
    let (noun, look) = (words.nouns > 0, words.looks > 0);
    let hole = code && (marks.hole || marks.output);
    let starts = flag(words.starts && words.has(PROJECT));
    let weigh = |weight: f64, yes: bool| weight * flag(yes);
    [
        [
            rule("a greeting", weigh(1.3, words.has(GREET) && words.count < 25)),
            rule("speaks to you", weigh(0.7, words.has(YOU) && words.count < 15)),
            rule("very short", weigh(0.5, words.count < 4 && scan.numbers.count == 0)),
            none,
            none,
        ],
        [
            rule("contains code", weigh(1.3, code)),
            rule("names parts of code", 0.5 * nouns),
            rule("asks to write or change code", {
                weigh(0.6, words.has(MAKE) && (noun || marks.file))
            }),
            rule("names a source file", weigh(0.5, marks.file)),
            none,
        ],
        [
            rule("asks to look into it", 0.9 * looks),
            rule(
                "what it looks into is code",
                weigh(0.5, look && (code || noun || marks.file)),
            ),
            rule("shows an error", weigh(1.0, marks.trace)),
            rule("asks what code does", weigh(2.2, hole)),
            rule("asks about code it contains", weigh(0.5, look && code)),
        ],
        [
            rule("begins a project", 1.6 * starts),
            rule("names parts of code", 0.4 * nouns * starts),
            none,
            none,
            none,
        ],
        [
            rule("what no other rule claims", 0.6),
            rule("asks for a fact", weigh(0.3, words.has(ASK))),
            rule("several numbers", weigh(0.3, scan.numbers.count > 1 && !code)),
            rule("contains formulas", weigh(0.4, scan.count(b'\\') > 0 && !code)),
            none,
        ],
    ]
}

/// The task, and the rules that spoke for it.
pub(crate) fn task(scan: &Scan) -> (Task, Vec<TaskReason>) {
    let mut best = (Task::General, f64::NEG_INFINITY, [rule("", 0.0); 5]);
    for (task, rules) in Task::ALL.into_iter().zip(rules(scan)) {
        let score = rules
            .iter()
            .map(|rule| rule.weight)
            .fold(0.0, |sum, weight| sum + weight);
        // Among equals the first, except that the general task wins.
        if score > best.1 || (score == best.1 && task == Task::General) {
            best = (task, score, rules);
        }
    }
    let (task, _, rules) = best;
    (task, rules.into_iter().filter(|rule| rule.weight > 0.0).collect())
}
