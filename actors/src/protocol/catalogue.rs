//! The catalogue: which models exist, at which provider, in which layer, at what price. A read-mostly snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use super::dialect::Dialect;
use super::ids::{ModelId, ProviderName};
use super::layer::{Capabilities, Layer, TaskType};
use super::price::Price;
use super::router::Selection;
use super::vendor::Vendor;

/// One model of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The gateway's name for it.
    pub id: ModelId,
    /// The provider that serves it.
    pub provider: ProviderName,
    /// Whose service that provider is, whatever it is called.
    pub vendor: Vendor,
    /// The provider's name for it.
    pub api_model: Arc<str>,
    /// The dialect in which its provider is asked for it.
    pub dialect: Dialect,
    /// The layer it belongs to.
    pub layer: Layer,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Tokens that input and output may take together.
    pub context_window: u32,
    /// Tokens one answer may have.
    pub max_output_tokens: u32,
    /// What its tokens cost; absent when unknown.
    pub price: Option<Price>,
    /// The most tokens of what is no text, where the operator knows.
    pub media: MediaTokens,
}

/// The most input tokens that something other than text becomes at a model, where the operator has said so. What its
/// vendor documents is known without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaTokens {
    /// Of one image.
    pub image: Option<u32>,
    /// Of one document, such as a PDF, pictures of its pages included.
    pub document: Option<u32>,
}

impl Model {
    /// Whether the model is known to cost nothing.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.price.is_some_and(|price| price.is_free())
    }

    /// Whether one of these names or patterns is for it: `*` stands for any run of characters, and both the gateway's and
    /// the provider's name for the model count.
    #[must_use]
    pub fn is_among(&self, patterns: &[Arc<str>]) -> bool {
        patterns
            .iter()
            .any(|pattern| glob_matches(pattern, self.id.as_str()) || glob_matches(pattern, &self.api_model))
    }

    /// A key that orders models from cheap to dear: the price of one input and one output token together.
    /// A model of unknown price sorts last.
    #[must_use]
    pub fn price_rank(&self) -> u64 {
        self.price.map_or(u64::MAX, |price| {
            price.rates.input.0.saturating_add(price.rates.output.0)
        })
    }
}

/// A name that stands for another: a glob over requested names, and the model name it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// A pattern in which `*` stands for any run of characters.
    pub pattern: Arc<str>,
    /// An id or `api_model` of the catalogue.
    pub target: Arc<str>,
}

/// Everything the router chooses from.
#[derive(Debug, Default)]
pub struct Catalogue {
    models: Vec<Arc<Model>>,
    by_id: HashMap<ModelId, Arc<Model>>,
    by_api_model: HashMap<Arc<str>, Vec<Arc<Model>>>,
    aliases: Vec<Alias>,
    task_lists: HashMap<TaskType, Vec<Arc<str>>>,
}

impl Catalogue {
    /// Builds the snapshot. Ids must be unique (the settings check sees to it; of two, the first is kept).
    #[must_use]
    pub fn new(models: Vec<Model>, aliases: Vec<Alias>, task_lists: HashMap<TaskType, Vec<Arc<str>>>) -> Self {
        let mut catalogue = Self {
            aliases,
            task_lists,
            ..Self::default()
        };
        for model in models {
            if catalogue.by_id.contains_key(&model.id) {
                continue;
            }
            let model = Arc::new(model);
            catalogue.by_id.insert(model.id.clone(), Arc::clone(&model));
            let of_this_name = catalogue.by_api_model.entry(Arc::clone(&model.api_model)).or_default();
            of_this_name.push(Arc::clone(&model));
            catalogue.models.push(model);
        }
        catalogue
    }

    /// This catalogue and more models behind its own. One whose id is taken is left out.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Model>) -> Self {
        let own = self.models.iter().map(|model| Model::clone(model));
        let models = own.chain(more).collect();
        Self::new(models, self.aliases.clone(), self.task_lists.clone())
    }

    /// Every model, in the catalogue's own order.
    #[must_use]
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The model with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Model>> {
        self.by_id.get(id)
    }

    /// Every model that its provider calls by this name.
    #[must_use]
    pub fn by_api_model(&self, name: &str) -> &[Arc<Model>] {
        self.by_api_model.get(name).map_or(&[], Vec::as_slice)
    }

    /// The models a name stands for, and how: an exact id; else every entry with that `api_model`; else an alias.
    #[must_use]
    pub fn called(&self, name: &str) -> Option<(Selection, Vec<Arc<Model>>)> {
        if let Some(found) = self.named(name) {
            return Some(found);
        }
        let alias = self.aliases.iter().find(|alias| glob_matches(&alias.pattern, name))?;
        let (_, models) = self.named(&alias.target)?;
        Some((Selection::Alias, models))
    }

    fn named(&self, name: &str) -> Option<(Selection, Vec<Arc<Model>>)> {
        if let Some(model) = self.by_id(name) {
            return Some((Selection::Id, vec![Arc::clone(model)]));
        }
        let models = self.by_api_model(name);
        (!models.is_empty()).then(|| (Selection::ApiModel, models.to_vec()))
    }

    /// The names that stand for others, in order of precedence.
    #[must_use]
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    /// The names preferred for a task, best first.
    #[must_use]
    pub fn task_list(&self, task: TaskType) -> &[Arc<str>] {
        self.task_lists.get(&task).map_or(&[], Vec::as_slice)
    }
}

/// Whether `text` matches a pattern in which `*` stands for any run of characters.
fn glob_matches(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(prefix) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn globs_match_as_people_expect() {
        for (pattern, text, expected) in [
            ("claude-*", "claude-opus", true),
            ("claude-*", "my-claude-opus", false),
            ("*mini*", "gpt-4o-mini-2024", true),
            ("*", "anything", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*bc", "abc", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
