//! From what the caller asked for to the models it may mean.

use std::sync::Arc;

use crate::protocol::{Catalogue, Model, Selection};

/// The models a name stands for: an exact id; else every entry with that `api_model`; else an alias.
pub(super) fn models_called(catalogue: &Catalogue, name: &str) -> Option<(Selection, Vec<Arc<Model>>)> {
    if let Some(found) = models_named(catalogue, name) {
        return Some(found);
    }
    let alias = catalogue
        .aliases()
        .iter()
        .find(|alias| glob_matches(&alias.pattern, name))?;
    let (_, models) = models_named(catalogue, &alias.target)?;
    Some((Selection::Alias, models))
}

fn models_named(catalogue: &Catalogue, name: &str) -> Option<(Selection, Vec<Arc<Model>>)> {
    if let Some(model) = catalogue.by_id(name) {
        return Some((Selection::Id, vec![Arc::clone(model)]));
    }
    let models = catalogue.by_api_model(name);
    (!models.is_empty()).then(|| (Selection::ApiModel, models.to_vec()))
}

/// Whether `text` matches a pattern in which `*` stands for any run of characters.
fn glob_matches(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(prefix) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn globs_match_as_people_expect() {
        for (pattern, text, expected) in [
            ("claude-*", "claude-opus", true),
            ("claude-*", "my-claude-opus", false),
            ("*mini*", "gpt-4o-mini-2024", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*bc", "abc", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
