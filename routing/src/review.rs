//! What a reviewer says about an answer. Only one form counts; everything else says nothing.

use serde::Deserialize;
use serde_json::value::RawValue;

/// How many issues a verdict may list, and how many bytes each may have.
const MOST_ISSUES: usize = 16;
const LONGEST_ISSUE: usize = 500;

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The answer does as it is.
    Minor,
    /// The answer is wrong, or leaves out what was asked for.
    Major,
}

/// Something that a reviewer found.
#[derive(Clone, PartialEq, Eq)]
pub struct ReviewIssue {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in the reviewer's words: 1 to 500 bytes that nobody has looked at.
    pub what: String,
}

impl std::fmt::Debug for ReviewIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReviewIssue")
            .field("severity", &self.severity)
            .field("bytes", &self.what.len())
            .finish()
    }
}

/// A reviewer's verdict on an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewVerdict {
    /// Whether the answer does.
    pub accepts: bool,
    /// What was found, at most 16.
    pub issues: Vec<ReviewIssue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    verdict: String,
    #[serde(borrow)]
    issues: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenIssue {
    severity: String,
    what: String,
}

impl ReviewVerdict {
    /// Reads a verdict. The whole text, or its only fenced block, must be
    ///
    /// ```text
    /// {"verdict":"accept"|"reject","issues":[{"severity":"minor"|"major","what":"…"}]}
    /// ```
    ///
    /// without other members, with at most 16 issues of 1 to 500 bytes. Anything else is none: prose, two objects, a
    /// text that was cut, other words, and what says both: an acceptance that names a major issue, or a rejection that
    /// names none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let written: Written<'_> = read_object(only_object(text)?)?;
        let issues = read_issues(&written.issues)?;
        let major = has_major(&issues);
        let accepts = match written.verdict.as_str() {
            "accept" if !major => true,
            "reject" if major => false,
            _ => return None,
        };
        Some(Self { accepts, issues })
    }
}

/// Which of two answers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stands {
    /// The first.
    First,
    /// The second.
    Second,
    /// Either: they differ in nothing that matters.
    Both,
    /// None of them.
    Neither,
}

/// An arbiter's verdict on two answers that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArbiterVerdict {
    /// Which of them does.
    pub stands: Stands,
    /// What was found in those that do not, at most 16.
    pub issues: Vec<ReviewIssue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOfTwo<'a> {
    stands: String,
    #[serde(borrow)]
    issues: Vec<&'a RawValue>,
}

impl ArbiterVerdict {
    /// Reads a verdict by the rules of [`ReviewVerdict::parse`]. The object is
    ///
    /// ```text
    /// {"stands":"first"|"second"|"both"|"neither","issues":[{"severity":"minor"|"major","what":"…"}]}
    /// ```
    ///
    /// A major issue is named where an answer does not stand, and only there.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let written: WrittenOfTwo<'_> = read_object(only_object(text)?)?;
        let issues = read_issues(&written.issues)?;
        let stands = match (written.stands.as_str(), has_major(&issues)) {
            ("first", true) => Stands::First,
            ("second", true) => Stands::Second,
            ("neither", true) => Stands::Neither,
            ("both", false) => Stands::Both,
            _ => return None,
        };
        Some(Self { stands, issues })
    }
}

/// The object that a text is, or that its only fenced block is.
fn only_object(text: &str) -> Option<&str> {
    match text.trim() {
        whole if whole.starts_with('{') => Some(whole),
        prose => only_block(prose).map(str::trim),
    }
}

fn read_issues(written: &[&RawValue]) -> Option<Vec<ReviewIssue>> {
    if written.len() > MOST_ISSUES {
        return None;
    }
    written.iter().map(|issue| read_issue(issue.get())).collect()
}

fn has_major(issues: &[ReviewIssue]) -> bool {
    issues.iter().any(|issue| issue.severity == Severity::Major)
}

/// An object by its members' names; a list of the same values in order, which serde would take as well, is none.
fn read_object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.starts_with('{').then(|| serde_json::from_str(text).ok())?
}

fn read_issue(text: &str) -> Option<ReviewIssue> {
    let written: WrittenIssue = read_object(text)?;
    let severity = match written.severity.as_str() {
        "minor" => Severity::Minor,
        "major" => Severity::Major,
        _ => return None,
    };
    let says_something = !written.what.trim().is_empty() && written.what.len() <= LONGEST_ISSUE;
    says_something.then_some(ReviewIssue {
        severity,
        what: written.what,
    })
}

/// What stands between the fences of a text that has one fenced block.
fn only_block(text: &str) -> Option<&str> {
    let mut at = 0;
    let mut fences = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fences.push((at, at + line.len()));
        }
        at += line.len();
    }
    let [(_, begin), (end, _)] = *fences.as_slice() else {
        return None;
    };
    text.get(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAJOR: &str = r#"{"verdict":"reject","issues":[{"severity":"major","what":"The sum is wrong."}]}"#;

    #[test]
    fn a_verdict_is_read_whole_or_from_its_only_block() {
        let accepted = ReviewVerdict::parse("{\"verdict\": \"accept\", \"issues\": []}").unwrap();
        assert!(accepted.accepts && accepted.issues.is_empty());
        for text in [
            MAJOR.to_owned(),
            format!("\n  {MAJOR}\n"),
            format!("```json\n{MAJOR}\n```"),
            format!("My verdict:\n\n  ```\n{MAJOR}\n  ```\nThat is all."),
        ] {
            let verdict = ReviewVerdict::parse(&text).unwrap();
            assert!(!verdict.accepts, "{text}");
            assert_eq!(verdict.issues.len(), 1);
            assert_eq!(verdict.issues[0].severity, Severity::Major);
            assert_eq!(verdict.issues[0].what, "The sum is wrong.");
        }
    }

    #[test]
    fn a_rejection_names_a_major_issue_and_an_acceptance_none() {
        let with_a_typo =
            |verdict: &str| format!(r#"{{"issues":[{{"what":"a typo","severity":"minor"}}],"verdict":"{verdict}"}}"#);
        assert!(ReviewVerdict::parse(&with_a_typo("accept")).unwrap().accepts);
        assert_eq!(ReviewVerdict::parse(&with_a_typo("reject")), None);
        assert_eq!(ReviewVerdict::parse(r#"{"verdict":"reject","issues":[]}"#), None);
    }

    #[test]
    fn anything_else_is_no_verdict() {
        let issue = |inner: &str| format!(r#"{{"verdict":"reject","issues":[{inner}]}}"#);
        let many = vec![r#"{"severity":"major","what":"x"}"#; 17].join(",");
        for text in [
            String::new(),
            "reject".to_owned(),
            "I reject this answer: \"verdict\": \"reject\".".to_owned(),
            format!("Verdict: {MAJOR}"),
            format!("{MAJOR} and more"),
            format!("{MAJOR}{MAJOR}"),
            format!("[{MAJOR}]"),
            format!("```json\n{MAJOR}\n```\n```json\n{MAJOR}\n```"),
            format!("```json\n{MAJOR}"),
            format!("```json\n{MAJOR}\n{MAJOR}\n```"),
            MAJOR[..MAJOR.len() - 1].to_owned(),
            r#"{"verdict":"accept"}"#.to_owned(),
            r#"{"issues":[]}"#.to_owned(),
            r#"{"verdict":"Accept","issues":[]}"#.to_owned(),
            r#"{"verdict":{"accept":null},"issues":[]}"#.to_owned(),
            r#"{"verdict":"accept","issues":null}"#.to_owned(),
            r#"{"verdict":"accept","issues":[],"confidence":1}"#.to_owned(),
            r#"{"verdict":"accept","verdict":"reject","issues":[]}"#.to_owned(),
            r#"{"verdict":"accept","issues":[{"severity":"major","what":"wrong"}]}"#.to_owned(),
            issue(r#"["major","wrong"]"#),
            issue(r#""wrong""#),
            issue(r#"{"severity":"fatal","what":"wrong"}"#),
            issue(r#"{"severity":"major"}"#),
            issue(r#"{"severity":"major","what":" "}"#),
            issue(r#"{"severity":"major","what":"x","fix":"y"}"#),
            issue(&format!(r#"{{"severity":"major","what":"{}"}}"#, "x".repeat(501))),
            issue(&many),
        ] {
            assert_eq!(ReviewVerdict::parse(&text), None, "{text}");
        }
        assert!(
            ReviewVerdict::parse(&issue(&format!(
                r#"{{"severity":"major","what":"{}"}}"#,
                "x".repeat(500)
            )))
            .is_some()
        );
    }

    #[test]
    fn an_arbiter_names_a_major_issue_of_what_does_not_stand() {
        let written = |stands: &str, issues: &str| format!(r#"{{"stands":"{stands}","issues":[{issues}]}}"#);
        let (major, minor) = (
            r#"{"severity":"major","what":"the second adds"}"#,
            r#"{"severity":"minor","what":"a typo"}"#,
        );
        for (stands, is_split, expected) in [
            ("first", true, Stands::First),
            ("second", true, Stands::Second),
            ("neither", true, Stands::Neither),
            ("both", false, Stands::Both),
        ] {
            for (issues, has_major) in [(major, true), (minor, false), ("", false)] {
                let text = written(stands, issues);
                let verdict = ArbiterVerdict::parse(&text);
                let read = verdict.as_ref().map(|verdict| verdict.stands);
                assert_eq!(read, (is_split == has_major).then_some(expected), "{text}");
                assert_eq!(ArbiterVerdict::parse(&format!("```json\n{text}\n```")), verdict);
                assert_eq!(ArbiterVerdict::parse(&format!("{text}{text}")), None);
                assert_eq!(ArbiterVerdict::parse(&format!("I say: {text}")), None);
            }
        }
        assert_eq!(ArbiterVerdict::parse(&written("third", major)), None);
        assert_eq!(ArbiterVerdict::parse(MAJOR), None);
        assert_eq!(ReviewVerdict::parse(&written("first", major)), None);
    }

    #[test]
    fn what_a_reviewer_wrote_is_not_printed() {
        let verdict = ReviewVerdict::parse(MAJOR).unwrap();
        assert!(!format!("{verdict:?}").contains("sum"));
    }
}
