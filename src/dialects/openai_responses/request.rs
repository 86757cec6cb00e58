//! A client's request: read once, carried as the bytes that came, written for a model by replacing what is owned.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use gateway_actors::protocol::{
    AnswerForm, AnswerRead, BoundRules, Completion, Dialect, ErrorKind, GatewayError, Model, Needs, Outgoing,
    OutgoingBody, OutgoingRequest, ProviderName, Question,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::continued::Continued;
use super::echo::echo;
use super::needs::needs;
use super::scan::{Scan, scan};
use super::sealed_items::cuts_in;
use super::unsupported::{Unsupported, refuse_unsupported};
use crate::dialects::bounds::{Bounding, Form};
use crate::dialects::json::{is_string, push_string, range_in, text};
use crate::dialects::neutral::{Feature, holds_marked, tell_lost};
use crate::dialects::precheck::precheck;
use crate::dialects::splice::{Splice, spliced, without};
use crate::dialects::{ClientRequest, noted, question, reading, translation};

/// A `POST /v1/responses` body, read and checked.
#[derive(Clone)]
pub struct ResponsesRequest {
    body: Bytes,
    model: Arc<str>,
    stream: bool,
    stores: bool,
    must_be_rewritten: bool,
    previous_response: Option<Arc<str>>,
    /// The same, once what came before stands in the body itself.
    continued: Option<Arc<str>>,
    /// Who made the sealed items of what came before, as far as that is known: those of the input's first, in order.
    makers: Arc<[Option<ProviderName>]>,
    /// Whether sealed items were left out.
    has_lost_state: bool,
    needs: Needs,
    /// Where the value of `model` stands.
    model_value: Range<usize>,
}

impl ResponsesRequest {
    /// Reads a body in one pass, without copying it.
    ///
    /// # Errors
    /// `malformed_json` if it is not JSON in UTF-8, or nested more than 128 levels deep; `invalid_request` naming
    /// the field if one that the gateway reads is missing, given twice or of the wrong type, or asks for what is not
    /// offered: `background`, `conversation` and `prompt`. Everything else in the body is the provider's to judge.
    pub fn scan(body: Bytes) -> Result<Self, GatewayError> {
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
        refuse_unsupported(&Unsupported {
            background: found.background,
            conversation: found.conversation,
            prompt: found.prompt,
        })?;
        let previous_response = previous_response(&found)?;
        if previous_response.is_none() && !found.input.is_some_and(|input| input.is_given) {
            return Err(required("input"));
        }

        Ok(Self {
            model: model.into(),
            stream: flag("stream", found.stream, false)?,
            stores: flag("store", found.store, true)?,
            must_be_rewritten: holds_marked(&body),
            previous_response,
            continued: None,
            makers: Arc::default(),
            has_lost_state: false,
            needs: needs(json, &found)?,
            model_value: range_in(json, model_value),
            body,
        })
    }

    /// Whether the client wants the answer to be kept, so that a later request may continue it.
    #[must_use]
    pub const fn stores(&self) -> bool {
        self.stores
    }

    /// The answer that this request continues.
    #[must_use]
    pub fn previous_response(&self) -> Option<&str> {
        self.previous_response.as_deref()
    }

    /// Whether it holds what a provider of another dialect made: a provider of this dialect is then not given the body
    /// as it is, but one that was read and written anew.
    #[must_use]
    pub const fn must_be_rewritten(&self) -> bool {
        self.must_be_rewritten
    }

    /// The body as the client sent it.
    #[must_use]
    pub fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The items of this request's own input, a JSON array: what is stored of it.
    #[must_use]
    pub fn input_items(&self) -> String {
        let Some(input) = self.input() else {
            return "[]".to_owned();
        };
        if !is_string(input) {
            return input.get().to_owned();
        }
        let start = r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"#;
        format!("{start}{}}}]}}]", input.get())
    }

    /// The same request, but its answer is not to be kept by anybody: its `store` is false. Nothing else of it changes.
    ///
    /// # Errors
    /// None that [`scan`](Self::scan) has not found before.
    pub fn not_kept(self) -> Result<Self, GatewayError> {
        if !self.stores {
            return Ok(self);
        }
        let json = self.body();
        let splice = match Top::read(json).store {
            Some(store) => Splice::new(range_in(json, store), "false"),
            None => {
                let after_model = self.model_value.end..self.model_value.end;
                Splice::new(after_model, r#","store":false"#)
            }
        };
        Self::scan(spliced(&self.body, std::iter::once(&splice)).to_bytes())
    }

    /// The same request with earlier items, a JSON array, in front of its own, and without an answer that it continues.
    /// Nothing else of it changes. `makers`: which providers made the [`sealed_items`](super::sealed_items) among the
    /// earlier ones, in order, as far as that is known; each is given to its maker alone.
    ///
    /// # Errors
    /// `internal` if `items` is no JSON array. What [`scan`](Self::scan) finds wrong with the whole.
    pub fn with_history(self, items: &str, makers: Vec<Option<ProviderName>>) -> Result<Self, GatewayError> {
        let earlier = inside(items).ok_or_else(|| {
            let message = "the earlier items of this conversation cannot be read; send it whole in `input`";
            GatewayError::new(ErrorKind::Internal, message).with_param("previous_response_id")
        })?;
        let own = self.input_items();
        let own = inside(&own).unwrap_or_default();
        let comma = if earlier.is_empty() || own.is_empty() { "" } else { "," };
        let input = format!("[{earlier}{comma}{own}]");

        let json = self.body();
        let range_of = |value: Option<&RawValue>| value.map(|value| range_in(json, value));
        let members = Top::read(json);
        let mut splices = vec![match range_of(members.input) {
            Some(at) => Splice::new(at, input),
            None => {
                let after_model = self.model_value.end..self.model_value.end;
                Splice::new(after_model, format!(",\"input\":{input}"))
            }
        }];
        splices.extend(range_of(members.previous_response_id).map(|at| Splice::new(at, "null")));
        splices.sort_by_key(|splice| splice.at.start);
        let whole = Self::scan(spliced(&self.body, splices.iter()).to_bytes())?;
        Ok(Self {
            continued: self.previous_response,
            makers: makers.into(),
            ..whole
        })
    }

    /// The body for a provider of this dialect.
    fn body_for(&self, model: &Model, more: &[Splice]) -> OutgoingBody {
        let mut name = Vec::with_capacity(model.api_model.len() + 2);
        push_string(&mut name, &model.api_model);
        let name = Splice::new(self.model_value.clone(), name);
        let mut splices: Vec<&Splice> = more.iter().chain([&name]).collect();
        splices.sort_by_key(|splice| splice.at.start);
        spliced(&self.body, splices.into_iter())
    }

    /// The same request with another body, which has the same items but for sealed ones; nothing if that is none.
    fn changed(&self, body: Bytes) -> Option<Self> {
        let read = Self::scan(body).ok()?;
        Some(Self {
            continued: self.continued.clone(),
            makers: Arc::clone(&self.makers),
            has_lost_state: self.has_lost_state,
            ..read
        })
    }

    /// Where the sealed items stand of which this model's provider is known not to be the maker.
    fn foreign_items(&self, model: &Model) -> Vec<Range<usize>> {
        let is_foreign = |maker: &Option<ProviderName>| maker.as_ref().is_some_and(|maker| *maker != model.provider);
        if !self.makers.iter().any(is_foreign) {
            return Vec::new();
        }
        cuts_in(self.body(), |number| self.makers.get(number).is_some_and(is_foreign))
    }

    fn input(&self) -> Option<&RawValue> {
        Top::read(self.body()).input.filter(|input| input.get() != "null")
    }
}

impl ClientRequest for ResponsesRequest {
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

impl OutgoingRequest for ResponsesRequest {
    fn write_for(&self, model: &Model, bounds: Option<&BoundRules>) -> Result<Outgoing, GatewayError> {
        let bounding = Bounding {
            needs: &self.needs,
            rules: bounds,
        };
        let is_native = model.dialect == Dialect::OpenaiResponses;
        let cuts = if is_native {
            self.foreign_items(model)
        } else {
            Vec::new()
        };
        let has_lost_state = self.has_lost_state || !cuts.is_empty();
        let mut outgoing = if is_native && !self.must_be_rewritten {
            let bounded = bounding.as_sent(&self.body, Form::Responses, model)?;
            let mut splices: Vec<Splice> = cuts.into_iter().map(|cut| Splice::new(cut, Bytes::new())).collect();
            splices.extend(bounded.iter().flat_map(|bounded| &bounded.splices).cloned());
            let body = self.body_for(model, &splices);
            let mut outgoing = bounding.outgoing(body, true, bounded.as_ref(), model);
            if let Some(id) = &self.continued {
                outgoing.answer = AnswerForm::Translated(Rc::new(Continued::new(id)));
            }
            outgoing
        } else {
            let echo = echo(self.body(), self.continued.as_deref());
            let body = without(&self.body, cuts);
            let body = body.as_ref().unwrap_or(&self.body);
            translation::write_repeating(&translation::RESPONSES, body, model, true, Some(echo), bounding)?
        };
        if has_lost_state {
            tell_lost(Feature::Opaque, &mut outgoing, Dialect::OpenaiResponses);
        }
        Ok(outgoing)
    }

    fn question(&self) -> Option<Question> {
        let known = question::Known {
            needs: &self.needs,
            stream: self.stream,
        };
        question::of_responses(&self.body, known)
    }

    fn read_answer(&self, completion: &Completion) -> Option<AnswerRead> {
        reading::of_responses(completion)
    }

    fn with_note(&self, note: &str) -> Option<Rc<dyn OutgoingRequest>> {
        Some(Rc::new(self.changed(noted::in_responses(&self.body, note)?)?))
    }

    fn state_dialect(&self) -> Option<Dialect> {
        Some(Dialect::OpenaiResponses)
    }

    fn without_state(&self, own: Option<&Model>) -> Option<Rc<dyn OutgoingRequest>> {
        let is_kept = |number: usize| {
            let maker = self.makers.get(number).and_then(Option::as_ref);
            own.is_some_and(|own| maker == Some(&own.provider))
        };
        let bare = self.changed(without(&self.body, cuts_in(self.body(), |number| !is_kept(number)))?)?;
        let kept = (0..self.makers.len()).filter(|number| is_kept(*number));
        Some(Rc::new(Self {
            makers: kept.filter_map(|number| self.makers.get(number).cloned()).collect(),
            has_lost_state: true,
            ..bare
        }))
    }
}

impl fmt::Debug for ResponsesRequest {
    /// Without the body: what people write to models is not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponsesRequest")
            .field("bytes", &self.body.len())
            .field("model", &self.model)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// What is replaced when a conversation is put in front, or nothing is to be kept. Kept if it is `null`, so that its place is known.
#[derive(Default)]
struct Top<'a> {
    input: Option<&'a RawValue>,
    previous_response_id: Option<&'a RawValue>,
    store: Option<&'a RawValue>,
}

impl<'a> Top<'a> {
    fn read(json: &'a str) -> Self {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow, default, deserialize_with = "present")]
            input: Option<&'a RawValue>,
            #[serde(borrow, default, deserialize_with = "present")]
            previous_response_id: Option<&'a RawValue>,
            #[serde(borrow, default, deserialize_with = "present")]
            store: Option<&'a RawValue>,
        }
        fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
            Deserialize::deserialize(deserializer).map(Some)
        }
        match serde_json::from_str::<Members<'_>>(json) {
            Ok(members) => Self {
                input: members.input,
                previous_response_id: members.previous_response_id,
                store: members.store,
            },
            Err(_never_as_it_was_scanned) => Self::default(),
        }
    }
}

/// The text between the brackets of an array, without white space around it; nothing if it is no array.
fn inside(items: &str) -> Option<&str> {
    serde_json::from_str::<Vec<&RawValue>>(items).ok()?;
    let inside = items.trim_ascii().strip_prefix('[')?.strip_suffix(']')?;
    Some(inside.trim_ascii())
}

fn previous_response(found: &Scan<'_>) -> Result<Option<Arc<str>>, GatewayError> {
    let Some(value) = found.previous_response_id.filter(|value| value.get() != "null") else {
        return Ok(None);
    };
    let id = text(value).filter(|id| !id.is_empty()).ok_or_else(|| {
        let message = "`previous_response_id` must be the id of an earlier response";
        GatewayError::invalid("previous_response_id", message)
    })?;
    Ok(Some(id.into()))
}

/// A boolean that may be absent or `null`.
fn flag(name: &'static str, value: Option<&RawValue>, usual: bool) -> Result<bool, GatewayError> {
    match value.map(RawValue::get) {
        None | Some("null") => Ok(usual),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(GatewayError::invalid(name, format!("`{name}` must be true or false"))),
    }
}

fn required(name: &'static str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` is required"))
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> GatewayError {
    GatewayError::new(ErrorKind::MalformedJson, message)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
