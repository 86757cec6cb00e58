//! What a translation loses, by the client's own names for it.

use std::borrow::Cow;

use gateway_actors::protocol::{Dialect, GatewayError};

use super::feature::Feature;

/// The most names that are told.
const MOST_NAMES: usize = 24;

/// Stands behind them where there are more.
const MORE: &str = "more";

/// The longest name of the client's own making that is told.
const MOST_NAME_BYTES: usize = 64;

/// Collects what cannot be carried from the client's dialect to a model's.
#[derive(Debug)]
pub(in crate::dialects) struct Losses {
    client: Dialect,
    model: Dialect,
    /// The client's own names for features, where they are not those that its dialect has for them.
    called: Vec<(Feature, &'static str)>,
    features: Vec<&'static str>,
    /// Of the client's own making.
    unknown: Vec<Cow<'static, str>>,
    /// Whether there were more of these than are told.
    has_more: bool,
}

impl Losses {
    /// Nothing lost yet.
    pub(in crate::dialects) fn new(client: Dialect, model: Dialect) -> Self {
        Self {
            client,
            model,
            called: Vec::new(),
            features: Vec::new(),
            unknown: Vec::new(),
            has_more: false,
        }
    }

    /// The client calls the feature so.
    pub(in crate::dialects) fn call(&mut self, feature: Feature, name: &'static str) {
        self.called.push((feature, name));
    }

    /// The client gave these names to its end user. There is one in other dialects: the older one gives way.
    pub(in crate::dialects) fn call_end_user(&mut self, has_user: bool, has_safety_identifier: bool) {
        if !has_safety_identifier {
            return;
        }
        if has_user {
            self.drop(Feature::User);
        }
        self.call(Feature::User, "safety_identifier");
    }

    /// The client's name for a feature.
    fn name(&self, feature: Feature) -> &'static str {
        let called = self.called.iter().rev().find(|(called, _)| *called == feature);
        called.map_or_else(|| feature.name_in(self.client), |(_, name)| name)
    }

    /// Leaves out something whose loss does no harm.
    pub(in crate::dialects) fn drop(&mut self, feature: Feature) {
        let name = self.name(feature);
        if !self.features.contains(&name) {
            self.features.push(name);
        }
    }

    /// Leaves out the mark for the prompt cache that a tool has.
    pub(in crate::dialects) fn drop_mark_of_tool(&mut self) {
        const NAME: &str = "tools.cache_control";
        if !self.features.contains(&NAME) {
            self.features.push(NAME);
        }
    }

    /// Leaves out a member that nobody here knows. A name that cannot stand in a header is told as `…`.
    pub(in crate::dialects) fn drop_unknown(&mut self, name: &str) {
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"._-[]".contains(&byte);
        let is_tellable = (1..=MOST_NAME_BYTES).contains(&name.len()) && name.bytes().all(may_stand);
        let name = if is_tellable { name } else { "other" };
        if self.unknown.iter().any(|told| told == name) {
            return;
        }
        if self.unknown.len() == MOST_NAMES {
            self.has_more = true;
            return;
        }
        self.unknown.push(Cow::Owned(name.to_owned()));
    }

    /// The refusal of a request that is to fill the prompt cache, by this member, and to be answered with nothing: any other
    /// model would answer it.
    #[must_use]
    pub(in crate::dialects) fn refuse_prewarming(&self, name: &'static str) -> GatewayError {
        let message = format!(
            "`{name}`: a request without any answer, to fill the prompt cache, cannot be carried to this model, whose \
             provider speaks {}; leave it out or do not send the request",
            spoken(self.model)
        );
        GatewayError::invalid(name, message)
    }

    /// The refusal of something that would change what the model is asked if it were left out.
    #[must_use]
    pub(in crate::dialects) fn refuse(&self, feature: Feature) -> GatewayError {
        self.refuse_at(feature, self.name(feature))
    }

    /// The same for what stands at this place in the client's body.
    #[must_use]
    pub(in crate::dialects) fn refuse_at(&self, feature: Feature, place: impl Into<Cow<'static, str>>) -> GatewayError {
        let name = place.into();
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
        let name = self.name(feature);
        let message = format!("`{name}`: {why}, since its provider speaks {}", spoken(self.model));
        GatewayError::invalid(name, message)
    }

    /// The names of what was left out, each once: first what a model might have been asked, then what nobody knows, each in
    /// the order in which it was. Of very many there are not all, and `more` is the last.
    pub(in crate::dialects) fn into_dropped(self) -> Vec<Cow<'static, str>> {
        let mut dropped: Vec<_> = self.features.into_iter().map(Cow::Borrowed).collect();
        for name in self.unknown {
            if !dropped.contains(&name) {
                dropped.push(name);
            }
        }
        if self.has_more || dropped.len() > MOST_NAMES {
            dropped.truncate(MOST_NAMES);
            dropped.push(Cow::Borrowed(MORE));
        }
        dropped
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

    #[test]
    fn what_is_refused_where_it_stands_is_named_by_its_place_in_the_message_too() {
        let losses = Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat);
        let refusal = losses.refuse_at(Feature::ProviderState, "messages[0].content[1].source".to_owned());
        assert_eq!(refusal.param.as_deref(), Some("messages[0].content[1].source"));
        let said = &*refusal.message;
        assert!(
            said.starts_with("`messages[0].content[1].source`: what a provider has stored"),
            "{said}"
        );
    }

    #[test]
    fn of_very_many_losses_features_are_told_before_what_nobody_knows_and_that_there_are_more() {
        let told = |unknown: usize| {
            let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Gemini);
            (0..unknown).for_each(|number| losses.drop_unknown(&format!("x{number}")));
            losses.drop(Feature::Seed);
            losses.into_dropped()
        };
        assert_eq!(told(2), ["seed", "x0", "x1"]);
        let all = told(MOST_NAMES - 1);
        assert_eq!((all.len(), &*all[MOST_NAMES - 1]), (MOST_NAMES, "x22"));
        for many in [MOST_NAMES, MOST_NAMES + 1, 1_000] {
            let some = told(many);
            assert_eq!(some.len(), MOST_NAMES + 1);
            assert_eq!((&*some[0], &*some[MOST_NAMES]), ("seed", MORE), "{many}");
        }
    }

    #[test]
    fn a_feature_is_told_by_the_name_that_the_client_used() {
        let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::OpenaiResponses);
        losses.call(Feature::MaxTokens, "max_tokens");
        assert_eq!(losses.refuse(Feature::MaxTokens).param.as_deref(), Some("max_tokens"));
        assert_eq!(
            losses.refuse_value(Feature::MaxTokens, "no").param.as_deref(),
            Some("max_tokens")
        );
        assert_eq!(
            losses.refuse(Feature::JsonSchema).param.as_deref(),
            Some("response_format")
        );
        losses.drop(Feature::MaxTokens);
        // What was left out before goes by the name that it had then.
        losses.drop(Feature::User);
        losses.call(Feature::User, "safety_identifier");
        losses.drop(Feature::User);
        losses.drop(Feature::MaxTokens);
        assert_eq!(losses.into_dropped(), ["max_tokens", "user", "safety_identifier"]);
    }
}
