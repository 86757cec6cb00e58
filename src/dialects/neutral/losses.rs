//! What a translation loses, by the client's own names for it.

use std::borrow::Cow;

use gateway_actors::protocol::{Dialect, GatewayError};

use super::feature::Feature;

/// The most names that are told.
const MOST_NAMES: usize = 24;

/// The longest name of the client's own making that is told.
const MOST_NAME_BYTES: usize = 64;

/// Collects what cannot be carried from the client's dialect to a model's.
#[derive(Debug)]
pub(in crate::dialects) struct Losses {
    client: Dialect,
    model: Dialect,
    dropped: Vec<Cow<'static, str>>,
}

impl Losses {
    /// Nothing lost yet.
    pub(in crate::dialects) fn new(client: Dialect, model: Dialect) -> Self {
        Self {
            client,
            model,
            dropped: Vec::new(),
        }
    }

    /// Leaves out something whose loss does no harm.
    pub(in crate::dialects) fn drop(&mut self, feature: Feature) {
        self.add(Cow::Borrowed(feature.name_in(self.client)));
    }

    /// Leaves out a member that nobody here knows. A name that cannot stand in a header is told as `…`.
    pub(in crate::dialects) fn drop_unknown(&mut self, name: &str) {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-[]".contains(&byte);
        let is_tellable = (1..=MOST_NAME_BYTES).contains(&name.len()) && name.bytes().all(may_stand);
        self.add(if is_tellable {
            Cow::Owned(name.to_owned())
        } else {
            Cow::Borrowed("other")
        });
    }

    /// The refusal of something that would change what the model is asked if it were left out.
    #[must_use]
    pub(in crate::dialects) fn refuse(&self, feature: Feature) -> GatewayError {
        let name = feature.name_in(self.client);
        let message = format!(
            "`{name}`: {} cannot be carried to this model, whose provider speaks {}; leave it out or ask for a model of \
             another provider",
            feature.label(),
            spoken(self.model)
        );
        GatewayError::invalid(name, message)
    }

    /// The same for a value that the model's dialect does not have.
    #[must_use]
    pub(in crate::dialects) fn refuse_value(&self, feature: Feature, why: &str) -> GatewayError {
        let name = feature.name_in(self.client);
        let message = format!("`{name}`: {why}, since its provider speaks {}", spoken(self.model));
        GatewayError::invalid(name, message)
    }

    /// The names of what was left out, each once, in the order in which it was.
    pub(in crate::dialects) fn into_dropped(self) -> Vec<Cow<'static, str>> {
        self.dropped
    }

    fn add(&mut self, name: Cow<'static, str>) {
        if self.dropped.len() < MOST_NAMES && !self.dropped.contains(&name) {
            self.dropped.push(name);
        }
    }
}

/// A dialect in words.
const fn spoken(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "OpenAI chat completions",
        Dialect::OpenaiResponses => "OpenAI Responses",
        Dialect::AnthropicMessages => "Anthropic Messages",
        Dialect::Gemini => "Gemini's generateContent",
        Dialect::Ollama => "Ollama's chat API",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_by_the_clients_own_names_each_once() {
        let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::Ollama);
        losses.drop(Feature::Verbosity);
        losses.drop(Feature::Verbosity);
        losses.drop_unknown("x_mine");
        losses.drop_unknown("a\r\nb");
        let refusal = losses.refuse(Feature::JsonSchema);
        assert_eq!(refusal.param.as_deref(), Some("text.format"));
        assert_eq!(losses.into_dropped(), ["text.verbosity", "x_mine", "other"]);
    }
}
