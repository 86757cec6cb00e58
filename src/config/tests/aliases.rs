//! Names that stand for models: a user's, and those that come with the catalogue.

use std::collections::BTreeMap;

use super::{CONTRACT, problems, settings, warnings};

const SHIPPED: &str = include_str!("../../../config/models.toml");
const OPENROUTER: (&str, &str) = ("OPENROUTER_API_KEY", "sk-or");
const VENDORS: [(&str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "sk-a"),
    ("OPENAI_API_KEY", "sk-o"),
    ("GEMINI_API_KEY", "sk-g"),
];

/// What each pattern stands for.
fn aliases(config: &str, env: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings(config, env);
    let aliases = settings.catalogue.aliases().iter();
    aliases
        .map(|alias| (alias.pattern.to_string(), alias.target.to_string()))
        .collect()
}

fn target(env: &[(&str, &str)], pattern: &str) -> Option<String> {
    let mut aliases = aliases("", env).into_iter();
    aliases.find(|(known, _)| known == pattern).map(|(_, target)| target)
}

/// The shipped `[aliases]`, as they are written.
fn written() -> Vec<(String, Vec<String>)> {
    let shipped: toml::Table = toml::from_str(SHIPPED).unwrap();
    let aliases = shipped["aliases"].as_table().unwrap();
    let names = |targets: &toml::Value| -> Vec<String> {
        let targets = targets.as_array().unwrap().iter();
        targets.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    aliases
        .iter()
        .map(|(pattern, targets)| (pattern.clone(), names(targets)))
        .collect()
}

/// The providers of the shipped models that are switched on, by id.
fn providers() -> BTreeMap<String, String> {
    let shipped: toml::Table = toml::from_str(SHIPPED).unwrap();
    let models = shipped["models"].as_array().unwrap().iter();
    let is_on = |model: &&toml::Value| model.get("enabled").and_then(toml::Value::as_bool) != Some(false);
    let text = |model: &toml::Value, key: &str| model[key].as_str().unwrap().to_owned();
    models
        .filter(is_on)
        .map(|model| (text(model, "id"), text(model, "provider")))
        .collect()
}

#[test]
fn every_shipped_alias_leads_to_shipped_models_of_the_vendor_it_is_named_for() {
    let providers = providers();
    for (pattern, targets) in written() {
        let (vendor, slug) = match pattern.get(..2).unwrap() {
            "cl" => ("anthropic", "anthropic/claude-"),
            "ge" => ("gemini", "google/gemini-"),
            _ => ("openai", "openai/gpt-"),
        };
        for target in &targets {
            let provider = providers
                .get(target)
                .unwrap_or_else(|| panic!("{pattern}: no model {target}"));
            let is_openai_weights = pattern.starts_with("gpt-oss") && target.contains("/gpt-oss-");
            let is_of_the_vendor = provider == vendor || provider == "openrouter" && target.starts_with(slug);
            assert!(
                is_of_the_vendor || is_openai_weights,
                "{pattern} -> {target} at {provider}"
            );
        }
        // The vendor's own goes first, and there is another way where it has no key.
        if !pattern.starts_with("gpt-oss") {
            assert_eq!(providers[&targets[0]], vendor, "{pattern}");
            assert!(
                targets.iter().any(|target| providers[target] == "openrouter"),
                "{pattern}"
            );
        }
    }
}

#[test]
fn a_broad_pattern_hides_no_narrow_one_behind_it() {
    let shipped: Vec<String> = aliases("", &[OPENROUTER])
        .into_iter()
        .map(|(pattern, _)| pattern)
        .collect();
    for (place, broad) in shipped.iter().enumerate() {
        let Some(prefix) = broad.strip_suffix('*').filter(|prefix| !prefix.contains('*')) else {
            continue;
        };
        let hidden: Vec<_> = shipped[place + 1..]
            .iter()
            .filter(|narrow| narrow.starts_with(prefix))
            .collect();
        assert!(hidden.is_empty(), "{broad} goes before {hidden:?}");
    }
}

#[test]
fn names_of_a_vendor_are_answered_there_with_its_key_else_at_openrouter_and_else_by_nobody() {
    for (pattern, at_vendor, at_openrouter) in [
        ("claude-*", "claude-sonnet-5-5", "anthropic/claude-sonnet-5.5"),
        ("claude-*opus*", "claude-opus-5-5", "anthropic/claude-opus-5.5"),
        ("claude-haiku-4-5*", "claude-haiku-4-5", "anthropic/claude-haiku-4.5"),
        ("gpt-*", "gpt-6.1-sol", "openai/gpt-6.1-sol"),
        ("gpt-4o-mini*", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("codex-*", "gpt-5.3-codex", "openai/gpt-5.3-codex"),
        ("o3*", "gpt-6.1-sol", "openai/gpt-6.1-sol"),
        ("gemini-*flash*", "gemini-3.8-flash", "google/gemini-3.8-flash"),
    ] {
        let all: Vec<_> = VENDORS.into_iter().chain([OPENROUTER]).collect();
        assert_eq!(target(&all, pattern).as_deref(), Some(at_vendor));
        assert_eq!(target(&VENDORS, pattern).as_deref(), Some(at_vendor));
        assert_eq!(target(&[OPENROUTER], pattern).as_deref(), Some(at_openrouter));
        assert_eq!(target(&[("MISTRAL_API_KEY", "sk-m")], pattern), None);
    }
    assert!(aliases("", &[]).is_empty());
}

#[test]
fn a_shipped_alias_goes_past_a_provider_whose_variable_is_not_set() {
    let config = "[[providers]]\nname = \"anthropic\"\nkind = \"anthropic\"\napi_key_env = \"NOT_SET\"\n";
    let found = aliases(config, &[OPENROUTER]);
    let sonnet = found.iter().find(|(pattern, _)| pattern == "claude-*").unwrap();
    assert_eq!(sonnet.1, "anthropic/claude-sonnet-5.5");
    // With nowhere else to go it stays, and the error of a request says which variable is missing.
    let found = aliases(config, &[]);
    let sonnet = found.iter().find(|(pattern, _)| pattern == "claude-*").unwrap();
    assert_eq!(sonnet.1, "claude-sonnet-5-5");
}

#[test]
fn openrouter_replaces_a_vendor_only_while_its_key_is_missing_and_before_the_shipped_aliases() {
    let replace = [
        OPENROUTER,
        ("OPENROUTER_REPLACE_OPENAI", "openai/gpt-4o-mini"),
        ("OPENROUTER_REPLACE_CLAUDE", "anthropic/unlisted"),
    ];
    let pair = |pattern: &str, target: &str| (pattern.to_owned(), target.to_owned());
    let found = aliases("", &replace);
    let first = [
        pair("gpt-*", "openai/gpt-4o-mini"),
        pair("claude-*", "anthropic/unlisted"),
    ];
    assert_eq!(found[..2], first);
    for (pattern, _) in &first {
        assert_eq!(found.iter().filter(|(known, _)| known == pattern).count(), 1);
    }
    let mut with_key = replace.to_vec();
    with_key.push(("OPENAI_API_KEY", "sk-a"));
    let found = aliases("", &with_key);
    assert_eq!(found[0], pair("claude-*", "anthropic/unlisted"));
    assert!(found.contains(&pair("gpt-*", "gpt-6.1-sol")));
    let settings = settings("", &replace);
    let added = settings.catalogue.by_id("anthropic/unlisted").unwrap();
    assert_eq!((added.provider.as_str(), added.price), ("openrouter", None));
}

#[test]
fn a_users_aliases_keep_their_order_and_go_before_replacements_and_shipped_ones() {
    let config = "[aliases]\n\"z-*\" = \"gpt-4o\"\n\"claude-*\" = \"gpt-4o-mini\"\n\"a-*\" = \"gpt-4o\"\n";
    let env = [
        ("OPENAI_API_KEY", "sk-a"),
        OPENROUTER,
        ("OPENROUTER_REPLACE_CLAUDE", "x/y"),
    ];
    let found = aliases(config, &env);
    let patterns: Vec<&str> = found.iter().map(|(pattern, _)| pattern.as_str()).collect();
    assert_eq!(patterns[..3], ["z-*", "claude-*", "a-*"]);
    assert!(patterns[3..].contains(&"gpt-*") && !patterns[3..].contains(&"claude-*"));
}

#[test]
fn a_catalogue_of_the_users_own_does_away_with_the_shipped_aliases() {
    assert!(aliases(CONTRACT, &[OPENROUTER, VENDORS[1]]).is_empty());
    let own = format!("{CONTRACT}[aliases]\n\"gpt-*\" = \"alpha-small\"\n");
    assert_eq!(aliases(&own, &[]), [("gpt-*".to_owned(), "alpha-small".to_owned())]);
}

#[test]
fn of_several_names_the_first_that_can_be_called_counts() {
    let with = |names: &str| format!("[aliases]\nbest = {names}\n");
    for (names, expected) in [
        ("[\"gpt-4o\", \"openai/gpt-4o\"]", Some("openai/gpt-4o")),
        ("[\"openai/gpt-4o\", \"openai/gpt-4o-mini\"]", Some("openai/gpt-4o")),
        ("[\"gpt-4o\"]", None),
        ("\"gpt-4o\"", None),
    ] {
        let found = aliases(&with(names), &[OPENROUTER]);
        let best = found.iter().find(|(pattern, _)| pattern == "best");
        assert_eq!(best.map(|(_, target)| target.as_str()), expected, "{names}");
        let is_told = warnings(&with(names), &[OPENROUTER]).contains("gw.toml:2 aliases.best: left out");
        assert_eq!(is_told, expected.is_none(), "{names}");
    }
}

#[test]
fn an_alias_that_leads_nowhere_is_a_problem_with_its_line() {
    let said = |alias: &str| problems(&format!("[aliases]\n\"claude-*\" = {alias}\n"), &[OPENROUTER]);
    let mend = "gw.toml:2 aliases.claude-*: no model is called `nobody`; name a model by id or api_model\n";
    assert_eq!(said("\"nobody\""), mend);
    assert_eq!(said("[\"openai/gpt-4o\", \"nobody\"]"), mend);
    for value in ["[]", "1", "[\"openai/gpt-4o\", 1]", "[[]]", "{}"] {
        let said = said(value);
        assert_eq!(
            said, "gw.toml:2 aliases.claude-*: must be a string: the name of a model, or a list of names\n",
            "{value}"
        );
    }
}
