//! The tables as they stand in the documentation.

use std::collections::HashSet;
use std::fmt::Write as _;

use gateway_actors::protocol::Dialect;

use super::case::Case;
use super::classify::{Cell, classify};
use super::models::Models;
use crate::dialects::matrix::sides::{CLIENTS, PROVIDERS, words};
use crate::dialects::neutral::Feature;

/// The rows of a feature for a client, each with the case that it shows. A feature that the client's dialect does not
/// have is a row without one.
fn rows<'c>(feature: Feature, client: Dialect, cases: &[&'c Case]) -> Vec<(String, Option<&'c Case>)> {
    let of_feature = cases.iter().filter(|case| case.feature == feature);
    let asking = of_feature.filter(|case| case.members(client).is_some());
    let rows: Vec<_> = asking
        .map(|case| (format!("{}{}", case.row(), case.models.mark()), Some(*case)))
        .collect();
    if rows.is_empty() {
        return vec![(feature.label().to_owned(), None)];
    }
    rows
}

/// What a client's requests become, row by row.
///
/// # Errors
/// Everything that became of one and must not.
fn table(client: Dialect, cases: &[&Case]) -> Result<String, Vec<String>> {
    let mut text = format!(
        "### Requests of clients that speak {}\n\n| what is asked |",
        words(client)
    );
    let mut wrong = Vec::new();
    for provider in PROVIDERS {
        write!(text, " {} |", words(provider)).unwrap();
    }
    text.push_str("\n|---|---|---|---|---|---|\n");
    let mut told = HashSet::new();
    for (row, case) in Feature::ALL.iter().flat_map(|feature| rows(*feature, client, cases)) {
        write!(text, "| {row} |").unwrap();
        for provider in PROVIDERS {
            let cell = case.map_or(Ok(Cell::None), |case| classify(case, client, provider));
            match cell {
                Ok(cell) => write!(text, " {} |", cell.words()).unwrap(),
                Err(error) => {
                    let (client, provider) = (words(client), words(provider));
                    wrong.push(format!("{row}, {client} → {provider}: {error}"));
                }
            }
        }
        text.push('\n');
        if !told.insert(row.clone()) {
            wrong.push(format!("{row} has two bodies of {}", words(client)));
        }
    }
    if wrong.is_empty() { Ok(text) } else { Err(wrong) }
}

/// The whole section.
///
/// # Errors
/// As [`table`] has them.
pub(super) fn section(cases: &[&Case]) -> Result<String, Vec<String>> {
    let mut text = String::new();
    let mut wrong = Vec::new();
    for client in CLIENTS {
        match table(client, cases) {
            Ok(table) => text.push_str(&format!("{table}\n")),
            Err(mut errors) => wrong.append(&mut errors),
        }
    }
    text.push_str(&legend());
    if wrong.is_empty() { Ok(text) } else { Err(wrong) }
}

/// What the cells say, and of what they were seen.
fn legend() -> String {
    let of = |models: Models| {
        let names: Vec<_> = PROVIDERS
            .iter()
            .map(|provider| format!("`{}`", models.named(*provider).1))
            .collect();
        names.join(", ")
    };
    let (current, earlier) = (of(Models::Current), of(Models::Earlier));
    let routed = Models::Routed.named(Dialect::OpenaiChat).1;
    format!(
        "* `as sent`: the client's own bytes, save the model's name;
* `carried`: the provider's body asks the same in its own form;
* `dropped`: left out, and named in `x-gateway-dropped`; so too where less than was asked is carried;
* `refused`: the client gets 400 with the field in `param`, unless another candidate can be asked;
* `–`: the client's dialect has no such thing, or the provider's models make none.

The models asked, from left to right:
{current};
in rows of earlier models:
{earlier};
in rows of OpenRouter's: `{routed}` there. OpenAI's reasoning models and Anthropic's current ones take no
sampling, and some of Anthropic's, which always think, no forced calls. Other providers that speak chat completions take
less or more than OpenAI.

The bodies are written from published schemas, and none was recorded: those of clients from the Python packages
`openai` 3.57.0 and `anthropic` 2.14.0; what a provider is to be sent from these, `google-genai` 3.6.1 and Ollama's
`docs/api.md`.
"
    )
}
