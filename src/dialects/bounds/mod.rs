//! The worst case of an attempt that a budget pays for: how many tokens a body can be billed for at most, or which part
//! of it has no bound.
//!
//! What is looked at is the body in the dialect of the model's provider, whoever wrote it, so that nothing is sent that was
//! not counted. One table a dialect ([`fields`]) says what each top-level field does to the price: text is bounded by its
//! bytes ([`text`]), what is no text by what its vendor documents ([`media`]), the output by a cap that is always sent
//! ([`cap`]). All else is refused by name, fields that nobody here knows among it.
//!
//! Input is bounded so: a token of every tokenizer in use covers at least one byte of the text that it is given, so that
//! the bytes of the whole body are more tokens than its texts have, whatever a provider puts between them being made up
//! for by the rest of the JSON and by the constants below.

mod cap;
mod content;
mod effect;
mod fields;
mod media;
mod object;
#[cfg(test)]
mod page;
mod reading;
mod refusal;
#[cfg(test)]
mod samples;
mod stored_item;
mod text;
mod tools;

use bytes::Bytes;
use gateway_actors::protocol::{
    BoundRules, Dialect, GatewayError, Model, Needs, Operation, Outgoing, OutgoingBody, TokenBound, Vendor,
};

use self::effect::Field;
use self::reading::Reading;
use self::refusal::Names;
use super::splice::{Splice, spliced};

/// Tokens that a provider may add to a request, whatever is in it: chat templates that name the date and how to answer.
/// The longest known, of gpt-oss, adds about 90.
const TOKENS_PER_REQUEST: u64 = 512;

/// The same at xAI, whose servers put a text of their own before every conversation: its page "Consumption and rate limits"
/// says that they add tokens and not how many; in its guide "Chat Completions" (with Grok 4.7) two short sentences are 716.
const TOKENS_PER_REQUEST_AT_XAI: u64 = 4_096;

/// Tokens added for each message, item and part of one: role, separators and the like.
const TOKENS_PER_PIECE: u64 = 16;

/// What kind of a body it is: whose table of fields applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    Completions,
    Responses,
    Messages,
    Gemini,
    Ollama,
    OpenaiEmbeddings,
    GeminiEmbeddings,
    OllamaEmbeddings,
}

impl Form {
    /// The form of what a provider of this dialect is asked.
    pub(super) const fn of(dialect: Dialect, operation: Operation) -> Self {
        match (operation, dialect) {
            (Operation::Embed, Dialect::Gemini) => Self::GeminiEmbeddings,
            (Operation::Embed, Dialect::Ollama) => Self::OllamaEmbeddings,
            (Operation::Embed, _) => Self::OpenaiEmbeddings,
            (Operation::CompleteText, _) => Self::Completions,
            (_, Dialect::OpenaiChat) => Self::Chat,
            (_, Dialect::OpenaiResponses) => Self::Responses,
            (_, Dialect::AnthropicMessages) => Self::Messages,
            (_, Dialect::Gemini) => Self::Gemini,
            (_, Dialect::Ollama) => Self::Ollama,
        }
    }

    /// Its fields, and what each does to the price.
    const fn fields(self) -> &'static [Field] {
        match self {
            Self::Chat => fields::CHAT,
            Self::Completions => fields::COMPLETIONS,
            Self::Responses => fields::RESPONSES,
            Self::Messages => fields::MESSAGES,
            Self::Gemini => fields::GEMINI,
            Self::Ollama => fields::OLLAMA,
            Self::OpenaiEmbeddings => fields::EMBEDDINGS,
            Self::GeminiEmbeddings => fields::GEMINI_EMBEDDINGS,
            Self::OllamaEmbeddings => fields::OLLAMA_EMBEDDINGS,
        }
    }

    /// Whether it is answered with tokens.
    const fn has_output(self) -> bool {
        !matches!(
            self,
            Self::OpenaiEmbeddings | Self::GeminiEmbeddings | Self::OllamaEmbeddings
        )
    }
}

/// The worst case of a body, and what has to be changed in it so that it is one.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) bound: TokenBound,
    /// In order and apart from each other. None touches a value of `model`, `stream` or `stream_options`.
    pub(super) splices: Vec<Splice>,
}

/// How the bound of an attempt comes about: certain where a budget's rules are there, else estimated from its needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounding<'a> {
    pub(super) needs: &'a Needs,
    pub(super) rules: Option<&'a BoundRules>,
}

#[cfg(test)]
impl Bounding<'static> {
    /// That of a request of no particular needs, which no budget pays for.
    pub(super) const NONE: Self = Self {
        needs: &Needs {
            capabilities: gateway_actors::protocol::Capabilities::NONE,
            input_bound: 0,
            input_estimate: 0,
            max_output: None,
            answers: 1,
        },
        rules: None,
    };
}

impl Bounding<'_> {
    /// Bounds a body that the client itself has written in the dialect of this model's provider; nothing where no budget
    /// pays.
    ///
    /// # Errors
    /// `cost_unbounded` naming what has no bound; `invalid_request` naming a field that is given twice or is no number.
    pub(super) fn as_sent(self, body: &Bytes, form: Form, model: &Model) -> Result<Option<Bounded>, GatewayError> {
        let Some(rules) = self.rules else {
            return Ok(None);
        };
        bounded(text_of(body), form, model, rules, Names::Own).map(Some)
    }

    /// A request in the client's own dialect with its bound.
    pub(super) fn outgoing(
        self,
        body: OutgoingBody,
        usage_events: bool,
        bounded: Option<&Bounded>,
        model: &Model,
    ) -> Outgoing {
        let estimate = || TokenBound::estimate(self.needs, body.len(), model);
        let bound = bounded.map_or_else(estimate, |bounded| bounded.bound);
        Outgoing::as_sent(body, usage_events, bound)
    }

    /// The output cap that a request written for this model is given.
    pub(super) fn cap(self, asked: Option<u32>, model: &Model) -> Option<u32> {
        match self.rules {
            None => asked,
            Some(_) => Some(asked.map_or(model.max_output_tokens, |asked| asked.min(model.max_output_tokens))),
        }
    }

    /// Bounds what was written for a model of another dialect than the client's, and changes its body accordingly.
    ///
    /// # Errors
    /// As [`as_sent`](Self::as_sent), by the client's own names.
    pub(super) fn written(
        self,
        outgoing: &mut Outgoing,
        form: Form,
        client: Dialect,
        model: &Model,
    ) -> Result<(), GatewayError> {
        let Some(rules) = self.rules else {
            outgoing.bound = TokenBound::estimate(self.needs, outgoing.body.len(), model);
            return Ok(());
        };
        let body = outgoing.body.to_bytes();
        let Bounded { bound, splices } = bounded(text_of(&body), form, model, rules, Names::Of(client))?;
        outgoing.bound = bound;
        if !splices.is_empty() {
            outgoing.body = spliced(&body, splices.iter());
        }
        Ok(())
    }

    /// The bound of a question that costs nothing: how many tokens a request has.
    pub(super) fn of_count(self, outgoing: &mut Outgoing, model: &Model) {
        outgoing.bound = match self.rules {
            None => TokenBound::estimate(self.needs, outgoing.body.len(), model),
            Some(_) => TokenBound::default(),
        };
    }
}

/// The text of a body that was read before.
fn text_of(body: &Bytes) -> &str {
    std::str::from_utf8(body).unwrap_or_default()
}

fn bounded(json: &str, form: Form, model: &Model, rules: &BoundRules, names: Names) -> Result<Bounded, GatewayError> {
    let mut reading = Reading::new(json, form, model, rules, names);
    reading.read()?;
    let cap = reading.cap()?;
    let input = input_bound(&reading);
    let output = if form.has_output() {
        output_bound(&reading, cap.tokens, input)
    } else {
        0
    };
    Ok(Bounded {
        bound: TokenBound { input, output },
        splices: cap.splices,
    })
}

/// All that the body has of text, and the most that the rest can be.
fn input_bound(reading: &Reading<'_>) -> u64 {
    let found = &reading.found;
    let media = found.images.tokens.saturating_add(found.documents.tokens);
    let per_request = match reading.model.vendor {
        Vendor::Xai => TOKENS_PER_REQUEST_AT_XAI,
        _ => TOKENS_PER_REQUEST,
    };
    text::bound(reading.json)
        .saturating_sub(found.media_bytes)
        .saturating_add(found.pieces.saturating_mul(TOKENS_PER_PIECE))
        .saturating_add(found.tools.tokens)
        .saturating_add(media)
        .saturating_add(per_request)
}

/// The cap for every answer, and what a provider bills beyond it.
fn output_bound(reading: &Reading<'_>, cap: u32, input: u64) -> u64 {
    let answers = reading.answers.saturating_mul(reading.prompts);
    let each = u64::from(cap).max(beyond_cap(reading.model));
    let echoed = if reading.echoes { input } else { 0 };
    each.saturating_add(echoed).saturating_mul(answers)
}

/// How much output a model may be billed for whatever its cap is; 0 where the cap holds. Reasoning is within it at OpenAI,
/// Anthropic, Gemini (whose thoughts end with `MAX_TOKENS` when they reach it), DeepSeek, Mistral and with every server that
/// counts what it generates. xAI tells reasoning apart from the completion, and does not say that the cap holds for it:
/// there, nothing but the window is certain.
fn beyond_cap(model: &Model) -> u64 {
    let reasons = !model.api_model.contains("non-reasoning");
    match model.vendor {
        Vendor::Xai if reasons => model.context_window.into(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod field_tests;

#[cfg(test)]
#[path = "media_tests.rs"]
mod media_tests;

#[cfg(test)]
#[path = "write_tests.rs"]
mod write_tests;

#[cfg(test)]
#[path = "token_tests.rs"]
mod token_tests;
