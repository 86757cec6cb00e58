//! A client's request: read once, carried as the bytes that came, written for a model by replacing what is owned.
//!
//! Only `model` is. A provider of this dialect gets everything else byte for byte, betas that nobody here knows among
//! it. The one exception is reasoning that a model of another dialect made, which Anthropic's servers refuse: it is cut
//! out ([`foreign`](super::foreign)).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerRead, BoundRules, Capabilities, Capability, Completion, Dialect, ErrorKind, GatewayError, Model, Needs,
    Operation, Outgoing, OutgoingBody, OutgoingRequest, Question,
};
use serde_json::value::RawValue;

use super::foreign::{Foreign, foreign_reasoning, signed_reasoning};
use super::models::Takes;
use super::scan::{Scan, scan};
use super::{BYTES_PER_TOKEN_AT_MOST, TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE};
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::json::{is_non_empty_container, push_string, range_in, text};
use crate::dialects::neutral::{Feature, tell_lost};
use crate::dialects::precheck::precheck;
use crate::dialects::splice::{Splice, spliced, without};
use crate::dialects::{ClientRequest, noted, question, reading, translation};

/// The longest window of models that have a longer one only with a beta (`context-1m-2025-08-07`).
const SHORT_WINDOW: u32 = 200_000;

/// A `POST /v1/messages` body, or one of `/v1/messages/count_tokens`, read and checked.
pub struct MessagesRequest {
    body: Bytes,
    operation: Operation,
    model: Arc<str>,
    stream: bool,
    needs: Needs,
    /// Where the value of `model` stands.
    model_value: Range<usize>,
    has_marked_reasoning: bool,
    has_unsigned_reasoning: bool,
    /// Whether signed reasoning was left out.
    has_lost_state: bool,
    /// What the client's `anthropic-beta` header says.
    betas: Option<Arc<str>>,
    /// What its `anthropic-version` header says.
    version: Option<Arc<str>>,
}

impl MessagesRequest {
    /// Reads a request for an answer in one pass, without copying it.
    ///
    /// # Errors
    /// `malformed_json` if it is not JSON in UTF-8, or nested more than 128 levels deep; `invalid_request` naming
    /// the field if one that the gateway reads is missing, given twice or of the wrong type. Everything else in the
    /// body is the provider's to judge.
    pub fn scan(body: Bytes) -> Result<Self, GatewayError> {
        Self::read(body, Operation::Generate)
    }

    /// Reads a request for the count of its tokens, which needs no `max_tokens` and has no stream.
    ///
    /// # Errors
    /// As [`scan`](Self::scan) does.
    pub fn scan_for_count(body: Bytes) -> Result<Self, GatewayError> {
        Self::read(body, Operation::CountTokens)
    }

    fn read(body: Bytes, operation: Operation) -> Result<Self, GatewayError> {
        let json = std::str::from_utf8(&body).map_err(|error| {
            let place = error.valid_up_to();
            malformed(format!("the body is not UTF-8: see byte {place}"))
        })?;
        if json.trim_ascii().is_empty() {
            return Err(malformed("the body is empty: send a JSON object"));
        }
        precheck(&body).map_err(|refused| malformed(format!("the body is not accepted: {refused}")))?;
        let found = scan(json)?;

        let model_value = found.model.ok_or_else(|| required("model"))?;
        let model = text(model_value)
            .filter(|model| !model.is_empty())
            .ok_or_else(|| GatewayError::invalid("model", "`model` must be a non-empty string"))?;
        let messages = found.messages.unwrap_or_default();
        Ok(Self {
            operation,
            model: model.into(),
            stream: flag("stream", found.stream)? && operation == Operation::Generate,
            needs: needs(json, &found, operation)?,
            model_value: range_in(json, model_value),
            has_marked_reasoning: messages.has_marked_reasoning,
            has_unsigned_reasoning: messages.has_unsigned_reasoning,
            has_lost_state: false,
            betas: None,
            version: None,
            body,
        })
    }

    /// The same request with the betas that its `anthropic-beta` header names: a provider of this dialect gets them too.
    #[must_use]
    pub fn with_betas(mut self, betas: Option<Arc<str>>) -> Self {
        self.betas = betas;
        self
    }

    /// The same request for an answer by the rules of the version that its `anthropic-version` header names: a provider of
    /// this dialect is asked for that one.
    #[must_use]
    pub fn with_version(mut self, version: Option<Arc<str>>) -> Self {
        self.version = version;
        self
    }

    /// The same request with another body; nothing if that is none.
    fn changed(&self, body: Bytes, has_lost_state: bool) -> Option<Self> {
        let read = Self::read(body, self.operation).ok()?;
        Some(Self {
            has_lost_state,
            ..read.with_betas(self.betas.clone()).with_version(self.version.clone())
        })
    }

    /// Whether a model whose provider speaks this dialect must not get the body as it came, save for its name: it holds
    /// reasoning that a model of another dialect made. What is written leaves that out.
    #[must_use]
    pub fn must_be_rewritten(&self, model: &Model) -> bool {
        self.has_marked_reasoning || self.has_unsigned_reasoning && Takes::of(&model.api_model).signed_thinking
    }

    /// The body for a provider of this dialect.
    fn body_for(&self, model: &Model, more: &[Splice], foreign: Foreign) -> OutgoingBody {
        let mut name = Vec::with_capacity(model.api_model.len() + 2);
        push_string(&mut name, &model.api_model);
        let mut splices = vec![Splice::new(self.model_value.clone(), name)];
        splices.extend_from_slice(more);
        splices.extend(foreign.splices);
        splices.sort_by_key(|splice| splice.at.start);
        spliced(&self.body, splices.iter())
    }
}

impl fmt::Debug for MessagesRequest {
    /// Without the body: what people write to models is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagesRequest")
            .field("bytes", &self.body.len())
            .field("operation", &self.operation)
            .field("model", &self.model)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl ClientRequest for MessagesRequest {
    fn model(&self) -> &Arc<str> {
        &self.model
    }

    fn is_stream(&self) -> bool {
        self.stream
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl OutgoingRequest for MessagesRequest {
    fn operation(&self) -> Operation {
        self.operation
    }

    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let bounding = Bounding {
            needs: &self.needs,
            rules: bounds,
        };
        if model.dialect != Dialect::AnthropicMessages {
            let mut outgoing = match self.operation {
                Operation::CountTokens => translation::write_count(&self.body, model, bounding),
                _ => translation::write(&translation::MESSAGES, &self.body, model, true, bounding),
            }?;
            // Betas are Anthropic's own.
            outgoing
                .dropped
                .extend(self.betas.as_ref().map(|_betas| Cow::Borrowed("anthropic-beta")));
            if self.version.as_deref().is_some_and(|version| version != OWN_VERSION) {
                outgoing.dropped.push(Cow::Borrowed(VERSION));
            }
            return Ok(outgoing);
        }
        let is_count = self.operation == Operation::CountTokens;
        let bounded = match is_count {
            true => None,
            false => bounding.as_sent(&self.body, Form::Messages, model)?,
        };
        let splices = bounded.as_ref().map_or(&[][..], |bounded| &bounded.splices);
        let foreign = if self.must_be_rewritten(model) {
            foreign_reasoning(&self.body, Takes::of(&model.api_model).signed_thinking)
        } else {
            Foreign::default()
        };
        let loses_words = foreign.loses_words;
        let body = self.body_for(model, splices, foreign);
        let mut outgoing = bounding.outgoing(body, true, bounded.as_ref(), model);
        if is_count {
            bounding.of_count(&mut outgoing, model);
        }
        if let Some(betas) = &self.betas {
            match bounds.and_then(|_rules| without_longer_window(betas, model)) {
                None => outgoing.headers.push(("anthropic-beta", Arc::clone(betas))),
                Some(rest) => {
                    outgoing.dropped.push(Cow::Borrowed("anthropic-beta"));
                    if !rest.is_empty() {
                        outgoing.headers.push(("anthropic-beta", rest));
                    }
                }
            }
        }
        match &self.version {
            Some(version) if is_date(version) => outgoing.headers.push((VERSION, Arc::clone(version))),
            Some(_) => outgoing.dropped.push(Cow::Borrowed(VERSION)),
            None => {}
        }
        if self.has_marked_reasoning || self.has_lost_state {
            tell_lost(Feature::Opaque, &mut outgoing, Dialect::AnthropicMessages);
        }
        if loses_words {
            tell_lost(Feature::ReasoningText, &mut outgoing, Dialect::AnthropicMessages);
        }
        Ok(outgoing)
    }

    fn question(&self) -> Option<Question> {
        if self.operation != Operation::Generate {
            return None;
        }
        let known = question::Known {
            needs: &self.needs,
            stream: self.stream,
        };
        question::of_messages(&self.body, known)
    }

    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        reading::of_messages(completion)
    }

    fn with_note(&self, note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        let body = noted::in_messages(&self.body, note, self.model_value.end)?;
        Some(Rc::new(self.changed(body, self.has_lost_state)?))
    }

    fn state_dialect(&self) -> Option<Dialect> {
        Some(Dialect::AnthropicMessages)
    }

    fn without_state(&self, _: Option<&Model>) -> Option<Rc<dyn OutgoingRequest>> {
        let cuts = signed_reasoning(&self.body);
        Some(Rc::new(self.changed(without(&self.body, cuts)?, true)?))
    }
}

/// The header that names the version.
const VERSION: &str = "anthropic-version";

/// The version by whose rules answers are written here.
const OWN_VERSION: &str = "2023-06-01";

/// Whether a version has the form that all have.
fn is_date(version: &str) -> bool {
    let form = b"0000-00-00";
    let fits = |(digit, place): (u8, &u8)| match place {
        b'0' => digit.is_ascii_digit(),
        dash => digit == *dash,
    };
    version.len() == form.len() && version.bytes().zip(form).all(fits)
}

/// The betas without the one that makes the model's window longer than the catalogue has it: a longer input has prices that
/// the catalogue does not have. Nothing if that one is not among them.
fn without_longer_window(betas: &str, model: &Model) -> Option<Arc<str>> {
    let is_longer = |beta: &&str| beta.starts_with("context-1m") && model.context_window <= SHORT_WINDOW;
    let names = || betas.split(',').map(str::trim_ascii);
    if !names().any(|beta| is_longer(&beta)) {
        return None;
    }
    let rest: Vec<&str> = names().filter(|beta| !is_longer(beta)).collect();
    Some(rest.join(",").into())
}

/// What the request needs of a model.
fn needs(json: &str, found: &Scan<'_>, operation: Operation) -> Result<Needs, GatewayError> {
    let messages = found.messages.ok_or_else(|| required("messages"))?;
    let mut capabilities = Capabilities::NONE;
    if found.tools.is_some_and(is_non_empty_container) {
        capabilities = capabilities.with(Capability::Tools);
    }
    if found.asks_for_json() {
        capabilities = capabilities.with(Capability::Json);
    }
    if messages.images > 0 {
        capabilities = capabilities.with(Capability::Vision);
    }
    let max_tokens = token_count("max_tokens", found.max_tokens)?;
    if max_tokens.is_none() && operation == Operation::Generate {
        return Err(required("max_tokens"));
    }
    let overhead = messages.count * TOKENS_PER_MESSAGE + messages.images * TOKENS_PER_IMAGE;
    Ok(Needs {
        capabilities,
        input_bound: json.len() as u64 + overhead,
        input_estimate: (found.system_bytes() + messages.text_bytes) / BYTES_PER_TOKEN_AT_MOST,
        max_output: max_tokens,
        answers: 1,
    })
}

/// A boolean that may be absent or `null`.
fn flag(name: &'static str, value: Option<&RawValue>) -> Result<bool, GatewayError> {
    match value.map(RawValue::get) {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(GatewayError::invalid(name, format!("`{name}` must be true or false"))),
    }
}

/// A number of tokens, that may be absent or `null`. With 0 the provider fills its cache and answers nothing.
fn token_count(name: &'static str, value: Option<&RawValue>) -> Result<Option<u32>, GatewayError> {
    let Some(value) = value.map(RawValue::get).filter(|&value| value != "null") else {
        return Ok(None);
    };
    let count = value.parse().map_err(|_error| {
        GatewayError::invalid(name, format!("`{name}` must be a whole number from 0 to {}", u32::MAX))
    })?;
    Ok(Some(count))
}

fn required(name: &'static str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` is required"))
}

fn malformed(message: impl Into<Cow<'static, str>>) -> GatewayError {
    GatewayError::new(ErrorKind::MalformedJson, message)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "request_fuzz_tests.rs"]
mod fuzz;
