//! What of a request for a completion, and of one for embeddings, reaches a provider of each dialect.
//!
//! The fields are those of the `openai` Python package, version 3.57.0 (`types/completion_create_params.py`,
//! `types/embedding_create_params.py`), and what is widely spoken beyond them.

use std::fmt::Write as _;

use bytes::Bytes;
use gateway_actors::protocol::{Capability, Dialect, ErrorKind, GatewayError, Model, OutgoingRequest};

use super::classify::Cell;
use super::models::Models;
use crate::dialects::matrix::page;
use crate::dialects::matrix::sides::{PROVIDERS, words};
use crate::dialects::openai_completions::CompletionsRequest;
use crate::dialects::openai_embeddings::EmbeddingsRequest;

/// Fields of a request for a completion, each with a value that asks something: the row's words, the name, the value.
const OF_COMPLETIONS: &[(&str, &str, &str)] = &[
    ("a prompt of several texts", "prompt", r#"["a","b"]"#),
    ("a prompt of tokens", "prompt", "[1,2]"),
    ("`max_tokens`", "max_tokens", "50"),
    ("`max_tokens` of 0", "max_tokens", "0"),
    ("`temperature`", "temperature", "0.5"),
    ("`top_p`", "top_p", "0.5"),
    ("`top_k`", "top_k", "7"),
    ("`min_p`", "min_p", "0.5"),
    ("`seed`", "seed", "7"),
    ("`frequency_penalty`", "frequency_penalty", "0.5"),
    ("`presence_penalty`", "presence_penalty", "0.5"),
    ("`stop`", "stop", r#""END""#),
    ("`logit_bias`", "logit_bias", r#"{"50256":-100}"#),
    ("`n` above 1", "n", "2"),
    ("`best_of` above 1", "best_of", "2"),
    ("`logprobs`", "logprobs", "2"),
    ("`echo`", "echo", "true"),
    ("`suffix`", "suffix", r#""x""#),
    ("`user`", "user", r#""u""#),
    ("a field that nobody knows", "x_unknown", "1.50"),
];

/// The same of a request for embeddings.
const OF_EMBEDDINGS: &[(&str, &str, &str)] = &[
    ("several texts", "input", r#"["a","b"]"#),
    ("tokens", "input", "[1,2]"),
    ("`dimensions`", "dimensions", "256"),
    ("`user`", "user", r#""u""#),
    ("a field that nobody knows", "x_unknown", "1.50"),
];

/// A body with this field, in the place of the plainest one where it is that.
fn body(plainest: &str, name: &str, value: &str) -> String {
    let plain = format!("\"{plainest}\":\"once\",");
    let plain = if name == plainest { "" } else { &plain };
    format!("{{{plain}\"{name}\":{value},\"model\":\"asked\"}}")
}

type Read = fn(Bytes) -> Result<Box<dyn OutgoingRequest>, GatewayError>;

fn completion(body: Bytes) -> Result<Box<dyn OutgoingRequest>, GatewayError> {
    Ok(Box::new(CompletionsRequest::scan(body)?))
}

fn embeddings(body: Bytes) -> Result<Box<dyn OutgoingRequest>, GatewayError> {
    Ok(Box::new(EmbeddingsRequest::scan(body)?))
}

/// What becomes of a field on its way to this model, beside a plainest body without it.
fn cell(read: Read, plainest: &str, (name, value): (&str, &str), model: &Model) -> Result<Cell, String> {
    let sent = |body: &str| -> Result<_, GatewayError> {
        let outgoing = read(Bytes::from(body.to_owned()))?.write_for(model, None)?;
        Ok((outgoing.body.to_bytes(), outgoing.dropped))
    };
    let asked = body(plainest, name, value);
    let (written, dropped) = match sent(&asked) {
        Ok(sent) => sent,
        Err(error) if error.kind == ErrorKind::InvalidRequest && error.param.as_deref() == Some(name) => {
            return Ok(Cell::Refused);
        }
        Err(error) => return Err(format!("refused, but not by its name: {error:?}")),
    };
    let as_sent = asked.replace("\"asked\"", &format!("\"{}\"", model.api_model));
    let (without, _) = sent(&body(plainest, plainest, "\"once\"")).map_err(|error| format!("{error:?}"))?;
    let is_told = dropped.iter().any(|dropped| dropped == name);
    match (written == as_sent.as_bytes(), is_told, written == without) {
        (true, false, _) => Ok(Cell::AsSent),
        (false, true, true) => Ok(Cell::Dropped),
        (false, false, false) => Ok(Cell::Carried),
        _ => Err(format!(
            "{asked} became {written:?} beside {without:?}, and {dropped:?} was told"
        )),
    }
}

/// A table, one column a model.
fn table(
    title: &str,
    (read, plainest): (Read, &str),
    fields: &[(&str, &str, &str)],
    models: &[(&str, Model)],
    wrong: &mut Vec<String>,
) -> String {
    let mut text = format!("### {title}\n\n| what is asked |");
    for (column, _) in models {
        write!(text, " {column} |").unwrap();
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(models.len())));
    for &(row, name, value) in fields {
        write!(text, "| {row} |").unwrap();
        for (column, model) in models {
            match cell(read, plainest, (name, value), model) {
                Ok(cell) => write!(text, " {} |", cell.words()).unwrap(),
                Err(error) => wrong.push(format!("{row} → {column}: {error}")),
            }
        }
        text.push('\n');
    }
    text
}

#[test]
fn what_becomes_of_each_field_of_completions_and_embeddings_is_what_the_page_says() {
    let mut wrong = Vec::new();
    let mut completing = Models::Earlier.model(Dialect::OpenaiChat);
    completing.capabilities = completing.capabilities.with(Capability::Completions);
    let mut models = vec![("a model that completes texts", completing)];
    models.extend(PROVIDERS.map(|provider| (words(provider), Models::Current.model(provider))));
    let title = "Requests for a completion";
    let completions = table(title, (completion, "prompt"), OF_COMPLETIONS, &models, &mut wrong);
    let models = [
        ("OpenAI", Models::Current.model(Dialect::OpenaiChat)),
        ("Gemini", Models::Current.model(Dialect::Gemini)),
        ("Ollama", Models::Current.model(Dialect::Ollama)),
    ];
    let title = "Requests for embeddings";
    let embeddings = table(title, (embeddings, "input"), OF_EMBEDDINGS, &models, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    page::says("older requests", &format!("{completions}\n{embeddings}"));
}
