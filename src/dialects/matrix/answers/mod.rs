//! What of each provider's answers reaches clients of another dialect.
//!
//! For each thing that an answer may hold, each provider's dialect has a body and a stream of its own, written from its
//! published schema (see [`sample`]). Both go through the real translation. What the table says of them is the first of
//! the ways named in [`expected`] that the client's answer meets, whole and as a stream put together again; an answer that
//! meets none fails the test. Streams keep the grammar of the client's dialect, tell what the whole answer tells, and
//! neither has a member of the provider's dialect.

mod cut;
mod expected;
mod names;
mod reassemble;
mod row;
mod run;
mod sample;
mod state;
mod usage;
mod want;

use gateway_actors::protocol::Dialect;
use serde_json::Value;

use self::row::Row;
use self::run::Got;
use super::page;
use super::sides::{CLIENTS, PROVIDERS, words};

/// What the words of the tables mean.
const LEGEND: &str = "\
What an answer holds that comes from a model of another dialect, whole or as a stream:

* *carried*: it is where the client's dialect has it, and means the same;
* *told as …*: the client's dialect has nothing of the kind, but something close to it;
* *dropped*: it is left out, and the answer is whole without it. Citations stand beside a text. Token probabilities were
  not asked for: a request for them is refused. What a provider's own tools did or made was not asked for either;
* *an error*: it cannot be told, and would be missed: an image, or code that the provider ran in the midst of its answer.
  The client gets an error in its own dialect;
* *–*: the provider's dialect has nothing of the kind.

Usage is told by the rule of the client's dialect: OpenAI's count what was read from a cache, what was written to it and
reasoning within their totals, Anthropic's counts the cache beside its input.
";

/// What a client gets of one thing, in the table's words.
///
/// # Errors
/// Why it is nothing that the table has words for.
fn cell(client: Dialect, provider: Dialect, row: Row) -> Result<String, String> {
    if client == provider {
        return Ok("as sent".to_owned());
    }
    let Some(sample) = sample::sample(provider, row) else {
        return Ok("–".to_owned());
    };
    let got = match run::run(client, provider, &sample) {
        Ok(got) => got,
        Err(_told) => return Ok("an error".to_owned()),
    };
    if let Some(why) = names::fails(client, provider, &got) {
        return Err(why);
    }
    let whole = seen(client, provider, row, &got, &got.whole)?;
    let stream = seen(client, provider, row, &got, &got.reassembled)?;
    Ok(if whole == stream {
        whole
    } else {
        format!("{whole}; in streams {stream}")
    })
}

fn seen(client: Dialect, provider: Dialect, row: Row, got: &Got, answer: &Value) -> Result<String, String> {
    let mut why = Vec::new();
    for outcome in expected::outcomes(client, provider, row) {
        match outcome.fails(answer) {
            None => return Ok(outcome.says),
            Some(reason) => why.push(reason),
        }
    }
    Err(format!("{}\nin {answer}\nstream {}", why.join("\n"), got.stream))
}

fn table(client: Dialect, failures: &mut Vec<String>) -> String {
    let mut table = format!("### Answers for clients of {}\n\n| an answer with |", words(client));
    for provider in PROVIDERS {
        table.push_str(&format!(" {} |", words(provider)));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(PROVIDERS.len())));
    for row in Row::ALL {
        table.push_str(&format!("| {} |", row.label()));
        for provider in PROVIDERS {
            match cell(client, provider, row) {
                Ok(says) => table.push_str(&format!(" {says} |")),
                Err(why) => failures.push(format!("{} → {}: {row:?}: {why}", words(provider), words(client))),
            }
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_page_says_what_of_every_providers_answers_reaches_every_client() {
    let mut failures = Vec::new();
    let tables: Vec<String> = CLIENTS.iter().map(|client| table(*client, &mut failures)).collect();
    assert!(
        failures.is_empty(),
        "{} cells\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    page::says("answers", &format!("{LEGEND}\n{}", tables.join("\n")));
}

#[test]
fn probabilities_of_tokens_are_refused_where_they_could_not_be_told() {
    for (client, body) in [
        (
            Dialect::OpenaiChat,
            r#"{"model":"m","logprobs":true,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"model":"m","top_logprobs":2,"input":"hi"}"#,
        ),
    ] {
        for provider in PROVIDERS.into_iter().filter(|provider| *provider != client) {
            let refused = run::try_send(client, body, &run::model(provider));
            assert!(refused.is_err(), "{client:?} to {provider:?}: {refused:?}");
        }
    }
}
