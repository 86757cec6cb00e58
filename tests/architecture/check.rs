//! Applies the rules to a file.

use std::fmt;

use crate::rules::{LINES, PLACE_RULES, REACH_RULES, Thing};
use crate::source::{Said, Source};

/// A rule broken at a place.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    because: &'static str,
    place: String,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            because,
            place,
            what,
        } = self;
        write!(f, "{place}: `{what}` breaks the rule \"{rule}\": {because}")
    }
}

/// Every rule that a file breaks, in the order in which it breaks them.
pub(crate) fn violations(source: &Source) -> Vec<Violation> {
    let is_in = |patterns: &[&str]| patterns.iter().any(|pattern| matches(pattern, &source.file));
    let mut found = Vec::new();
    for (line, said) in &source.said {
        let mut broken = |rule, because, what: String| {
            found.push(Violation {
                rule,
                because,
                place: format!("{}:{line}", source.file),
                what,
            });
        };
        for rule in REACH_RULES {
            if let Said::Path(path) = said
                && is_in(rule.files)
                && !is_in(rule.except)
                && rule.forbidden.iter().any(|forbidden| begins_with(path, forbidden))
                && !rule.allowed.iter().any(|allowed| begins_with(path, allowed))
                && !is_own(source, path)
            {
                broken(rule.name, rule.because, path.join("::"));
            }
        }
        for rule in PLACE_RULES {
            if is_in(rule.files)
                && !is_in(rule.except)
                && let Some(what) = rule.things.iter().find_map(|thing| found_in(thing, said))
            {
                broken(rule.name, rule.because, what);
            }
        }
    }
    found
}

/// The files with more lines than allowed, with their length.
pub(crate) fn too_long<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let lengths = files.into_iter().map(|(file, text)| (file, text.lines().count()));
    lengths
        .filter(|(file, lines)| *lines > LINES.limit && !LINES.exempt.iter().any(|pattern| matches(pattern, file)))
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect()
}

/// Whether a pattern, in which `*` stands for anything, matches the whole path.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|tail| {
            let mut cuts = tail.char_indices().map(|(cut, _)| cut).chain([tail.len()]);
            cuts.any(|cut| matches(rest, tail.get(cut..).unwrap_or_default()))
        }),
    }
}

/// Whether a path lies in the file's own top-level module.
fn is_own(source: &Source, path: &[String]) -> bool {
    path.first().is_some_and(|root| root == "crate")
        && path.get(1).is_some()
        && path.get(1) == source.top_module.as_ref()
}

/// Whether a path is, or lies below, the one written with `::`.
fn begins_with(path: &[String], start: &str) -> bool {
    let mut parts = path.iter();
    start
        .split("::")
        .all(|part| parts.next().is_some_and(|own| own == part))
}

fn found_in(thing: &Thing, said: &Said) -> Option<String> {
    match (thing, said) {
        (Thing::Macro(name), Said::Macro(said)) if said == name => Some(format!("{name}!")),
        (Thing::Function(name), Said::Method(said)) if said == name => Some(format!(".{name}")),
        (Thing::Function(end), Said::Path(path)) => {
            let path = path.join("::");
            (path == *end || path.ends_with(&format!("::{end}"))).then_some(path)
        }
        (Thing::Text(part), Said::Text(text)) if text.contains(part) => Some(text.clone()),
        _ => None,
    }
}
