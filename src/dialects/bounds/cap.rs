//! The output cap that is always sent where a budget pays.

use std::ops::Range;

use gateway_actors::protocol::{GatewayError, Model, Vendor};

use super::Form;
use crate::dialects::splice::Splice;

/// The caps that a body has, and where.
#[derive(Debug, Default)]
pub(super) struct Caps<'a> {
    given: Vec<Given<'a>>,
    /// Where the object begins in which a cap stands.
    pub(super) object: usize,
}

#[derive(Debug)]
struct Given<'a> {
    name: &'static str,
    at: Range<usize>,
    value: &'a str,
}

/// The cap as it is sent.
#[derive(Debug)]
pub(super) struct Cap {
    /// Tokens of every answer at most.
    pub(super) tokens: u32,
    /// What has to be changed in the body.
    pub(super) splices: Vec<Splice>,
}

impl<'a> Caps<'a> {
    /// One that is there, even if it is `null`.
    pub(super) fn note(&mut self, name: &'static str, at: Range<usize>, value: &'a str) {
        self.given.push(Given { name, at, value });
    }

    /// Every cap lowered to the model's own, and the one that the model's provider goes by put in if it is missing.
    pub(super) fn forced(&self, form: Form, model: &Model, json: &str) -> Result<Cap, GatewayError> {
        let Some(needed) = needed(form, model) else {
            return Ok(Cap {
                tokens: 0,
                splices: Vec::new(),
            });
        };
        let mut most: Option<u32> = None;
        let mut is_there = false;
        let mut splices = Vec::new();
        for given in self.given.iter().filter(|given| given.value != "null") {
            let asked: u32 = given.value.parse().map_err(|_error| {
                let message = format!("`{}` must be a whole number from 0 to {}", given.name, u32::MAX);
                GatewayError::invalid(given.name, message)
            })?;
            let capped = asked.min(model.max_output_tokens);
            if capped != asked {
                splices.push(Splice::new(given.at.clone(), capped.to_string()));
            }
            // Which of two counts is the provider's choice.
            most = Some(most.map_or(capped, |most| most.max(capped)));
            is_there |= needed.contains(&given.name);
        }
        let tokens = most.unwrap_or(model.max_output_tokens);
        if let (false, Some(&name)) = (is_there, needed.first()) {
            splices.push(self.put_in(name, tokens, json));
        }
        splices.sort_by_key(|splice| splice.at.start);
        Ok(Cap { tokens, splices })
    }

    /// The cap in place of its `null`, or as the first member of its object.
    fn put_in(&self, name: &str, tokens: u32, json: &str) -> Splice {
        if let Some(null) = self.given.iter().find(|given| given.name == name) {
            return Splice::new(null.at.clone(), tokens.to_string());
        }
        let inside = self.object + 1;
        let is_empty = json
            .get(inside..)
            .is_some_and(|rest| rest.trim_ascii_start().starts_with('}'));
        let comma = if is_empty { "" } else { "," };
        Splice::new(inside..inside, format!("\"{name}\":{tokens}{comma}"))
    }
}

/// The names of the cap that this provider goes by, the one that is put in first; nothing where there is no output.
fn needed(form: Form, model: &Model) -> Option<&'static [&'static str]> {
    Some(match form {
        Form::Chat => match model.vendor {
            // Reasoning models take the first alone, and no model both.
            Vendor::Openai => &["max_completion_tokens", "max_tokens"],
            // Who documents both.
            Vendor::Openrouter | Vendor::Groq | Vendor::Xai | Vendor::Cerebras | Vendor::Gemini => {
                &["max_tokens", "max_completion_tokens"]
            }
            // Who may not know the other name, and would have no cap then.
            _ => &["max_tokens"],
        },
        Form::Completions | Form::Messages => &["max_tokens"],
        Form::Responses => &["max_output_tokens"],
        Form::Gemini => &["maxOutputTokens"],
        Form::Ollama => &["num_predict"],
        Form::OpenaiEmbeddings | Form::GeminiEmbeddings | Form::OllamaEmbeddings => return None,
    })
}
