//! A client's request: read once, carried as the bytes that came to a model that completes texts, and translated for
//! any other.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerRead, BoundRules, Capabilities, Capability, Completion, Dialect, GatewayError, Model, Needs, Operation,
    Outgoing, OutgoingRequest,
};
use serde_json::value::RawValue;

use super::{Writer, read_request, write_answer};
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::json::is_string;
use crate::dialects::openai_chat::owned::{Owned, answers, json_of, required, token_count_from};
use crate::dialects::openai_chat::scan::{Scan, scan};
use crate::dialects::openai_chat::{BYTES_PER_TOKEN_AT_MOST, TOKENS_PER_MESSAGE, text_bytes};
use crate::dialects::translation::{self, ClientSide};
use crate::dialects::{ClientRequest, reading};

/// The most texts that a request may have gone on with, as OpenAI has it for embeddings.
const MOST_PROMPTS: usize = 2048;

/// A `POST /v1/completions` body, read and checked.
pub struct CompletionsRequest {
    body: Bytes,
    owned: Owned,
    needs: Needs,
}

impl CompletionsRequest {
    /// Reads a body in one pass, without copying it.
    ///
    /// # Errors
    /// `malformed_json` if it is not JSON in UTF-8, or nested more than 128 levels deep; `invalid_request` naming
    /// the field if one that the gateway reads is missing, given twice or of the wrong type. Everything else in the
    /// body is the provider's to judge, or the translation's.
    pub fn scan(body: Bytes) -> Result<Self, GatewayError> {
        let json = json_of(&body)?;
        let found = scan(json)?;
        Ok(Self {
            owned: Owned::read(json, &found)?,
            needs: needs(json, &found)?,
            body,
        })
    }

    /// Whether a model gets the request as it was sent.
    fn goes_as_sent(model: &Model) -> bool {
        let has_endpoint = matches!(
            model.dialect,
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Ollama
        );
        has_endpoint && model.capabilities.has(Capability::Completions)
    }
}

/// How requests of these clients are read, and their answers written.
static CLIENT: ClientSide = ClientSide {
    dialect: Dialect::OpenaiChat,
    read_request,
    write_answer,
    stream_writer: |context| Box::new(Writer::new(context)),
};

impl fmt::Debug for CompletionsRequest {
    /// Without the body: what people write to models is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompletionsRequest")
            .field("bytes", &self.body.len())
            .field("model", &self.owned.model)
            .field("stream", &self.owned.stream)
            .finish_non_exhaustive()
    }
}

impl ClientRequest for CompletionsRequest {
    fn model(&self) -> &Arc<str> {
        &self.owned.model
    }

    fn is_stream(&self) -> bool {
        self.owned.stream
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl OutgoingRequest for CompletionsRequest {
    fn operation_for(&self, model: &Model) -> Operation {
        if Self::goes_as_sent(model) {
            Operation::CompleteText
        } else {
            Operation::Generate
        }
    }

    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let bounding = Bounding {
            needs: &self.needs,
            rules: bounds,
        };
        if !Self::goes_as_sent(model) {
            return translation::write(&CLIENT, &self.body, model, self.owned.wants_usage, bounding);
        }
        let bounded = bounding.as_sent(&self.body, Form::Completions, model)?;
        let splices = bounded.as_ref().map_or(&[][..], |bounded| &bounded.splices);
        let body = self.owned.body_for(&self.body, model, splices);
        Ok(bounding.outgoing(body, self.owned.wants_usage, bounded.as_ref(), model))
    }

    // A text that is to be gone on with asks nothing, and has no place for a note.
    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        reading::of_chat(completion)
    }
}

/// What the request needs of a model. One that completes texts can be asked, and one that answers messages: what only
/// some of them can do is refused by name for the others.
fn needs(json: &str, found: &Scan<'_>) -> Result<Needs, GatewayError> {
    let prompts = prompts(found.prompt.ok_or_else(|| required("prompt"))?)?;
    Ok(Needs {
        capabilities: Capabilities::NONE.with(Capability::Completions),
        input_bound: json.len() as u64 + u64::from(prompts.count) * TOKENS_PER_MESSAGE,
        input_estimate: prompts.text_bytes / BYTES_PER_TOKEN_AT_MOST,
        // None at all to have a prompt weighed, with `echo` and `logprobs`.
        max_output: token_count_from(0, "max_tokens", found.max_tokens)?,
        // Each text is gone on with as often as that.
        answers: answers(found)?.saturating_mul(prompts.count),
    })
}

/// The texts to go on with, without what is in them.
struct Prompts {
    count: u32,
    text_bytes: u64,
}

/// Measures a prompt: a text, tokens, or an array of either.
fn prompts(prompt: &RawValue) -> Result<Prompts, GatewayError> {
    let wrong = || {
        let message = format!("`prompt` must be a string, or an array of 1 to {MOST_PROMPTS} strings or token arrays");
        GatewayError::invalid("prompt", message)
    };
    if is_string(prompt) {
        return Ok(Prompts {
            count: 1,
            text_bytes: text_bytes(prompt),
        });
    }
    let items: Vec<&RawValue> = serde_json::from_str(prompt.get()).map_err(|_error| wrong())?;
    let is_token = |item: &&RawValue| item.get().starts_with(|first: char| first.is_ascii_digit());
    if !items.is_empty() && items.iter().all(is_token) {
        return Ok(Prompts {
            count: 1,
            text_bytes: 0,
        });
    }
    let is_prompt = |item: &&RawValue| is_string(item) || item.get().starts_with('[');
    if items.is_empty() || items.len() > MOST_PROMPTS || !items.iter().all(is_prompt) {
        return Err(wrong());
    }
    Ok(Prompts {
        count: u32::try_from(items.len()).unwrap_or(u32::MAX),
        text_bytes: items
            .iter()
            .filter(|item| is_string(item))
            .map(|item| text_bytes(item))
            .sum(),
    })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
