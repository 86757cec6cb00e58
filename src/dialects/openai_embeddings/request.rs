//! A client's request: read once, carried as the bytes that came, or written for a provider of another dialect.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerForm, AnswerTranslation, BoundRules, Capabilities, Capability, Dialect, ErrorKind, GatewayError, Model,
    Needs, Operation, Outgoing, OutgoingBody, OutgoingRequest, StreamTranslation, TranslationError,
};
use serde_json::value::RawValue;

use super::encode::{Encoding, encode};
use super::{answer, gemini, ollama};
use crate::dialects::ClientRequest;
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::json::{is_string, push_string, range_in, text};
use crate::dialects::neutral::{Feature, Losses};
use crate::dialects::object::{Count, List, Text, TextOr, object, read_body};
use crate::dialects::openai_chat::owned::json_of;
use crate::dialects::openai_chat::{BYTES_PER_TOKEN_AT_MOST, text_bytes};
use crate::dialects::place::At;
use crate::dialects::respelled::{OtherName, respelled_model};
use crate::dialects::splice::{Splice, spliced};

/// The most texts of one request, as OpenAI has it.
const MOST_TEXTS: usize = 2048;

object! {
    /// The whole body.
    Body {
        model = "model": &'a RawValue,
        input = "input": TextOr<'a, List<&'a RawValue>>,
        encoding_format = "encoding_format": Text<'a>,
        dimensions = "dimensions": Count,
        user = "user": Text<'a>,
    }
}

/// What is asked of a provider of another dialect.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The texts that become vectors.
    pub(super) texts: Vec<Cow<'a, str>>,
    /// How long the vectors are to be; the model's own length if absent.
    pub(super) dimensions: Option<u32>,
    pub(super) user: Option<Cow<'a, str>>,
    /// Members of the body that nobody here knows.
    pub(super) unknown: Vec<Cow<'a, str>>,
}

/// A `POST /v1/embeddings` body, read and checked.
pub struct EmbeddingsRequest {
    body: Bytes,
    model: Arc<str>,
    /// Where the value of `model` stands.
    model_value: Range<usize>,
    encoding: Encoding,
    needs: Needs,
}

impl EmbeddingsRequest {
    /// Reads a body in one pass, without copying it.
    ///
    /// # Errors
    /// `malformed_json` if it is not JSON in UTF-8, or nested more than 128 levels deep; `invalid_request` naming
    /// the field if one that the gateway reads is missing, given twice or of the wrong type. Everything else in the
    /// body is the provider's to judge.
    pub fn scan(body: Bytes) -> Result<Self, GatewayError> {
        let json = json_of(&body)?;
        let found: Body<'_> = read_body(json)?;
        if found.others.iter().any(|name| OtherName::of(name).is_model) {
            return Err(respelled_model());
        }
        let at = At::top("model");
        let model_value = found.model.ok_or_else(|| at.required())?;
        let model = text(model_value).filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| at.wrong("must be a non-empty string"))?;
        let encoding = match &found.encoding_format {
            None => Encoding::default(),
            Some(Text(word)) => {
                Encoding::from_word(word).ok_or_else(|| At::top("encoding_format").wrong("must be float or base64"))?
            }
        };
        let input = found.input.as_ref().ok_or_else(|| At::top("input").required())?;
        let longest = longest_text(json, input)?;
        Ok(Self {
            model: model.into(),
            model_value: range_in(json, model_value),
            encoding,
            needs: Needs {
                capabilities: Capabilities::NONE.with(Capability::Embeddings),
                input_bound: json.len() as u64,
                // Each text has the window to itself.
                input_estimate: longest / BYTES_PER_TOKEN_AT_MOST,
                max_output: Some(0),
                answers: 1,
            },
            body,
        })
    }

    /// The encoding in which the client wants its vectors.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The body for a provider of OpenAI's dialects.
    fn body_for(&self, model: &Model) -> OutgoingBody {
        let mut name = Vec::with_capacity(model.api_model.len() + 2);
        push_string(&mut name, &model.api_model);
        let splice = Splice::new(self.model_value.clone(), name);
        spliced(&self.body, std::iter::once(&splice))
    }

    /// What is asked of a provider of another dialect.
    fn asked(&self) -> Result<Asked<'_>, GatewayError> {
        let body: Body<'_> = read_body(json_of(&self.body)?)?;
        let input = body.input.ok_or_else(|| At::top("input").required())?;
        let texts = match input {
            TextOr::Text(text) => vec![text],
            TextOr::Other(List(items)) => {
                let texts = items.into_iter().map(|item| text(item).ok_or_else(tokens_refused));
                texts.collect::<Result<_, _>>()?
            }
        };
        Ok(Asked {
            texts,
            dimensions: body.dimensions.map(|Count(dimensions)| dimensions),
            user: body.user.map(|Text(user)| user),
            unknown: body.others,
        })
    }
}

/// At most as many bytes as the longest text has; tokens have none.
fn longest_text(json: &str, input: &TextOr<'_, List<&RawValue>>) -> Result<u64, GatewayError> {
    let items = match input {
        TextOr::Text(text) => return Ok(text.len().min(json.len()) as u64),
        TextOr::Other(List(items)) => items,
    };
    let is_token = |item: &&RawValue| item.get().starts_with(|first: char| first.is_ascii_digit());
    if !items.is_empty() && items.iter().all(is_token) {
        return Ok(0);
    }
    let is_input = |item: &&RawValue| is_string(item) || item.get().starts_with('[');
    if items.is_empty() || items.len() > MOST_TEXTS || !items.iter().all(is_input) {
        let words = format!("must be a string, or an array of 1 to {MOST_TEXTS} strings or token arrays");
        return Err(At::top("input").wrong(&words));
    }
    let texts = items.iter().filter(|item| is_string(item));
    Ok(texts.map(|text| text_bytes(text)).max().unwrap_or(0))
}

/// The refusal of more texts than one request to Gemini may have.
fn too_many_for_gemini() -> GatewayError {
    let most = gemini::MOST_TEXTS;
    let words = format!(
        "must be at most {most} texts for this model, whose provider takes no more at once; send them in turns"
    );
    At::top("input").wrong(&words)
}

/// The refusal of tokens, which are of one provider's models.
fn tokens_refused() -> GatewayError {
    At::top("input").wrong("must be text for this model, whose provider takes no tokens; send strings")
}

impl fmt::Debug for EmbeddingsRequest {
    /// Without the body: what people write to models is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingsRequest")
            .field("bytes", &self.body.len())
            .field("model", &self.model)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

impl ClientRequest for EmbeddingsRequest {
    fn model(&self) -> &Arc<str> {
        &self.model
    }

    fn is_stream(&self) -> bool {
        false
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl OutgoingRequest for EmbeddingsRequest {
    fn operation(&self) -> Operation {
        Operation::Embed
    }

    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let bounding = Bounding {
            needs: &self.needs,
            rules: bounds,
        };
        let is_own = matches!(model.dialect, Dialect::OpenaiChat | Dialect::OpenaiResponses);
        let bounded = match is_own {
            true => bounding.as_sent(&self.body, Form::OpenaiEmbeddings, model)?,
            false => None,
        };
        let mut losses = Losses::new(Dialect::OpenaiChat, model.dialect);
        let (body, texts) = match model.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => (self.body_for(model), 0),
            Dialect::Gemini | Dialect::Ollama => {
                let asked = self.asked()?;
                if model.dialect == Dialect::Gemini && asked.texts.len() > gemini::MOST_TEXTS {
                    return Err(too_many_for_gemini());
                }
                let write = match model.dialect {
                    Dialect::Gemini => gemini::write_request,
                    _ => ollama::write_request,
                };
                let body = write(&asked, &model.api_model).map_err(|_never| {
                    GatewayError::new(ErrorKind::Internal, "the request could not be written; report this")
                })?;
                if asked.user.is_some() {
                    losses.drop(Feature::User);
                }
                for name in &asked.unknown {
                    losses.drop_unknown(name);
                }
                (OutgoingBody::from(body), asked.texts.len())
            }
            Dialect::AnthropicMessages => {
                let message =
                    "a model whose provider speaks Anthropic Messages makes no embeddings; ask for another model";
                return Err(GatewayError::new(ErrorKind::NotSupported, message));
            }
        };
        let translation = EmbeddingsTranslation {
            dialect: model.dialect,
            model: Arc::clone(&model.api_model),
            texts,
            encoding: self.encoding,
        };
        let mut outgoing = Outgoing {
            answer: AnswerForm::Translated(Rc::new(translation)),
            dropped: losses.into_dropped(),
            ..bounding.outgoing(body, true, bounded.as_ref(), model)
        };
        if !is_own {
            let form = Form::of(model.dialect, Operation::Embed);
            bounding.written(&mut outgoing, form, Dialect::OpenaiChat, model)?;
        }
        Ok(outgoing)
    }
}

/// Tells a provider's vectors as the client wants them.
#[derive(Debug)]
struct EmbeddingsTranslation {
    dialect: Dialect,
    model: Arc<str>,
    /// How many there must be; not looked at where the answer is OpenAI's own.
    texts: usize,
    encoding: Encoding,
}

impl AnswerTranslation for EmbeddingsTranslation {
    fn whole(&self, body: &Bytes) -> Result<Bytes, TranslationError> {
        let read = match self.dialect {
            Dialect::Gemini => gemini::read_answer,
            Dialect::Ollama => ollama::read_answer,
            _ => return encode(body, self.encoding),
        };
        let body = std::str::from_utf8(body).map_err(|_error| TranslationError("it is not UTF-8"))?;
        let out = answer::write(&read(body)?, &self.model, self.texts, self.encoding)?;
        Ok(Bytes::from(out))
    }

    fn stream(&self) -> Box<dyn StreamTranslation> {
        Box::new(NoStream)
    }
}

/// Embeddings are not streamed, and nobody asks for it.
#[derive(Debug)]
struct NoStream;

impl StreamTranslation for NoStream {
    fn events(&mut self, _events: &Bytes) -> Result<Bytes, TranslationError> {
        Err(TranslationError("embeddings are not streamed"))
    }

    fn end(&mut self) -> Result<Bytes, TranslationError> {
        Err(TranslationError("embeddings are not streamed"))
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
