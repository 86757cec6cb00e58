//! The tables of fields as they stand in the documentation.

use super::Form;
use super::effect::{Effect, Field};
use crate::dialects::matrix::says;

fn words(effect: Effect) -> String {
    match effect {
        Effect::Free => "taken".to_owned(),
        Effect::Content => "counted: text by its bytes, images and documents as above".to_owned(),
        Effect::Tools => "counted; tools that the provider runs are refused".to_owned(),
        Effect::Schema => "counted".to_owned(),
        Effect::Prompt => "counted; each text is another answer".to_owned(),
        Effect::Input => "counted".to_owned(),
        Effect::Cap => "at most the model's `max_output_tokens`, and always sent".to_owned(),
        Effect::Answers => "multiplies the output".to_owned(),
        Effect::Echo => "adds the prompt to the output".to_owned(),
        Effect::Thinking => "taken; a `budget_tokens` that is not below the cap is refused".to_owned(),
        Effect::Edits => "taken, if every edit clears something".to_owned(),
        Effect::Words(words) => format!("taken as {}", quoted(words)),
        Effect::Values(values, _) => format!("taken as {}", quoted(values)),
        Effect::Nested(_) => "an object, below".to_owned(),
        Effect::Refused(_) => "refused".to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// The rows of a table: one for each effect, with the fields that have it.
fn rows(fields: &[Field], within: &str) -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut nested = String::new();
    for field in fields {
        let words = words(field.effect);
        let name = format!("`{within}{}`", field.name);
        match rows.iter_mut().find(|(effect, _)| *effect == words) {
            Some((_, names)) => names.push(name),
            None => rows.push((words, vec![name])),
        }
        if let Effect::Nested(inner) = field.effect {
            nested = self::rows(inner, &format!("{}.", field.name));
        }
    }
    let row = |(effect, names): &(String, Vec<String>)| format!("| {} | {effect} |\n", names.join(", "));
    rows.iter().map(row).collect::<String>() + &nested
}

#[test]
fn the_page_says_what_every_field_does_to_the_price() {
    let mut page = String::new();
    for (name, form) in [
        ("Chat completions", Form::Chat),
        ("Completions before chat", Form::Completions),
        ("Responses", Form::Responses),
        ("Messages", Form::Messages),
        ("Gemini", Form::Gemini),
        ("Ollama", Form::Ollama),
        ("Embeddings: OpenAI", Form::OpenaiEmbeddings),
        ("Embeddings: Gemini", Form::GeminiEmbeddings),
        ("Embeddings: Ollama", Form::OllamaEmbeddings),
    ] {
        let rows = rows(form.fields(), "");
        page += &format!("### {name}\n\n| fields | under a budget |\n|---|---|\n{rows}\n");
    }
    says("bounds", &page);
}
