//! Puts the catalogue together: the models of providers that exist, the names that stand for them, the task lists.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_actors::protocol::{Alias, Catalogue, Dialect, Model, TaskType};

use super::builtin::{self, Builtins};
use super::kind::ProviderKind;
use super::models::{OpenaiApi, WrittenAlias, WrittenModel, drop_duplicates};
use super::problem::{Report, quoted};
use super::provider::ProviderSettings;
use super::providers::{Providers, Standing};
use super::routing::WrittenLists;

/// The catalogue while it is put together.
#[derive(Debug, Default)]
pub(super) struct Draft {
    models: Vec<Model>,
    /// Models that are known but left out: switched off, or of a provider that is absent.
    left_out: Vec<Model>,
    /// The names of models of which something was reported.
    unfinished: Vec<String>,
    aliases: Vec<Alias>,
}

impl Draft {
    /// Whether a provider's model is in the catalogue.
    pub(super) fn has(&self, provider: &str, api_model: &str) -> bool {
        let is_it = |model: &Model| model.provider.as_str() == provider && &*model.api_model == api_model;
        self.models.iter().any(is_it)
    }

    /// Whether the catalogue has a model of this provider.
    pub(super) fn has_provider(&self, provider: &str) -> bool {
        self.models.iter().any(|model| model.provider.as_str() == provider)
    }

    /// Adds a model; where its id is taken, its provider's name goes before it.
    pub(super) fn add(&mut self, mut model: Model) {
        if self.models.iter().any(|other| other.id == model.id) {
            model.id = format!("{}/{}", model.provider, model.id).into();
        }
        self.models.push(model);
    }

    /// The id of a provider's model, or the name itself where there is none.
    pub(super) fn id_of(&self, provider: &str, api_model: &str) -> Arc<str> {
        let is_it = |model: &&Model| model.provider.as_str() == provider && &*model.api_model == api_model;
        let found = self.models.iter().find(is_it);
        found.map_or(api_model, |model| model.id.as_str()).into()
    }

    fn has_alias(&self, pattern: &str) -> bool {
        self.aliases.iter().any(|alias| &*alias.pattern == pattern)
    }

    fn knows(&self, name: &str) -> bool {
        self.models.iter().any(|model| is_called(model, name))
    }

    /// Whether a model of this name can be called.
    fn can_use(&self, name: &str, providers: &Providers) -> bool {
        let mut models = self.models.iter().filter(|model| is_called(model, name));
        models.any(|model| providers.is_usable(model.provider.as_str()))
    }

    fn left_out(&self, name: &str) -> bool {
        self.left_out.iter().any(|model| is_called(model, name))
    }
}

fn is_called(model: &Model, name: &str) -> bool {
    model.id.as_str() == name || &*model.api_model == name
}

/// What the catalogue is made from.
pub(super) struct Parts {
    pub(super) models: Vec<WrittenModel>,
    pub(super) aliases: Vec<WrittenAlias>,
    pub(super) lists: WrittenLists,
}

/// The catalogue, its models once more by themselves, and the task lists as far as their names are known.
pub(super) struct Assembled {
    pub(super) models: Vec<Model>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) task_lists: HashMap<TaskType, Vec<String>>,
}

/// Puts the catalogue together and reports names that lead nowhere.
pub(super) fn assemble(parts: Parts, builtins: &Builtins, providers: &Providers, report: &mut Report) -> Assembled {
    let mut draft = select(parts.models, providers, report);
    let replacements = builtin::add_models(&mut draft, builtins, providers, report);
    // In order of precedence: what a file names goes before the environment's general rules.
    let (listed, shipped): (Vec<_>, Vec<_>) = parts.aliases.into_iter().partition(|alias| !alias.is_shipped);
    add_aliases(&mut draft, listed, providers, report);
    for replacement in replacements {
        if !draft.has_alias(&replacement.pattern) {
            draft.aliases.push(replacement);
        }
    }
    add_aliases(&mut draft, shipped, providers, report);

    let task_lists = known_names(parts.lists, &draft, report);
    let is_usable = |model: &Model| providers.is_usable(model.provider.as_str());
    let finds_its_own = builtins.openrouter.free_models && providers.list_free_models();
    if !draft.models.iter().any(is_usable) && !finds_its_own {
        report.warn(
            "models",
            "no model can be used: set OPENROUTER_API_KEY, OPENAI_API_KEY, ANTHROPIC_API_KEY or another vendor's, \
             switch on a local model with OSS_MODEL_ENABLED, or list a provider and its models in the file of --config",
        );
    }
    let shared_lists = task_lists.iter().map(|(task, names)| (*task, shared(names))).collect();
    let catalogue = Catalogue::new(draft.models.clone(), draft.aliases, shared_lists);
    Assembled {
        models: draft.models,
        catalogue: Arc::new(catalogue),
        task_lists,
    }
}

fn shared(names: &[String]) -> Vec<Arc<str>> {
    names.iter().map(|name| name.as_str().into()).collect()
}

/// The models of providers that exist. A shipped model waits silently for its provider's key; a user's is missed.
fn select(mut written: Vec<WrittenModel>, providers: &Providers, report: &mut Report) -> Draft {
    drop_duplicates(&mut written, report);
    let mut draft = Draft::default();
    for mut entry in written {
        let provider = provider_of(&entry, providers, report);
        match (entry.model.take(), provider) {
            (Some(model), Some(provider)) => draft.models.push(Model {
                dialect: dialect_of(&entry, provider, report),
                vendor: provider.vendor(),
                ..model
            }),
            (Some(model), None) => draft.left_out.push(model),
            (None, _) => draft.unfinished.extend(entry.id.into_iter().chain(entry.api_model)),
        }
    }
    draft
}

/// The provider of a model, if it exists and the model is switched on.
fn provider_of<'p>(
    entry: &WrittenModel,
    providers: &'p Providers,
    report: &mut Report,
) -> Option<&'p ProviderSettings> {
    let name = entry.provider.as_deref()?;
    match (providers.standing(name), builtin::needs(name)) {
        (Some((_, Standing::Configured)), _) if entry.is_enabled => return providers.configured(name),
        (Some(_), _) => {}
        (None, _) if entry.is_shipped || !entry.is_enabled => {}
        (None, Some(needs)) => {
            let message = format!("left out: the provider {name} exists only with {needs}");
            report.warn(entry.place.as_str(), message);
        }
        (None, None) => {
            let message = format!("no provider is called {}; list it under [[providers]]", quoted(name));
            report.problem(format!("{}.provider", entry.place), message);
        }
    }
    None
}

/// The dialect in which a model is asked: its provider's, or the one that it names itself.
fn dialect_of(entry: &WrittenModel, provider: &ProviderSettings, report: &mut Report) -> Dialect {
    let kind = provider.kind;
    let Some((api, place)) = &entry.api else {
        return kind.dialect();
    };
    let problem = match api {
        OpenaiApi::Chat if kind.dialect() == Dialect::OpenaiChat => return Dialect::OpenaiChat,
        OpenaiApi::Responses if kind == ProviderKind::AzureOpenai && !provider.azure_api.has_responses() => {
            "the api_version of its provider has no Responses API; set that to v1, or leave this out".to_owned()
        }
        OpenaiApi::Responses if kind.has_responses() => return Dialect::OpenaiResponses,
        OpenaiApi::Chat | OpenaiApi::Responses => format!(
            "a provider of kind {} is not asked for {api} in OpenAI's way; leave this out",
            kind.as_str()
        ),
    };
    report.problem(place.as_str(), problem);
    kind.dialect()
}

fn add_aliases(draft: &mut Draft, written: Vec<WrittenAlias>, providers: &Providers, report: &mut Report) {
    for alias in written {
        if draft.has_alias(&alias.pattern) {
            continue;
        }
        let known = || alias.targets.iter().filter(|target| draft.knows(target));
        let usable = known().find(|target| draft.can_use(target, providers));
        let target: Option<Arc<str>> = usable.or_else(|| known().next()).map(|target| target.as_str().into());
        // A shipped one waits for its models' providers, as they do.
        if !alias.is_shipped {
            report_targets(draft, &alias, target.is_none(), report);
        }
        if let Some(target) = target {
            draft.aliases.push(Alias {
                pattern: alias.pattern.into(),
                target,
            });
        }
    }
}

/// Reports the names of an alias that lead nowhere.
fn report_targets(draft: &Draft, alias: &WrittenAlias, is_left_out: bool, report: &mut Report) {
    let mut waits = false;
    for target in alias.targets.iter().filter(|target| !draft.knows(target)) {
        if draft.unfinished.contains(target) {
            // What is wrong with its model was reported.
        } else if draft.left_out(target) {
            waits = true;
        } else {
            let message = format!("no model is called {}; name a model by id or api_model", quoted(target));
            report.problem(alias.place.as_str(), message);
        }
    }
    if waits && is_left_out {
        let message = match alias.targets.len() {
            1 => "left out: its model is switched off or its provider absent",
            _ => "left out: its models are switched off or their providers absent",
        };
        report.warn(alias.place.as_str(), message);
    }
}

fn known_names(lists: WrittenLists, draft: &Draft, report: &mut Report) -> HashMap<TaskType, Vec<String>> {
    let mut known = HashMap::new();
    for (task, list) in lists {
        let (found, unknown): (Vec<_>, Vec<_>) = list.names.into_iter().partition(|name| draft.knows(name));
        if !list.is_shipped {
            for name in unknown {
                let why = if draft.left_out(&name) {
                    "its model is switched off or its provider absent"
                } else {
                    "no model has this id or api_model"
                };
                report.warn(list.place.clone(), format!("{} is left out: {why}", quoted(&name)));
            }
        }
        if !found.is_empty() {
            known.insert(task, found);
        }
    }
    known
}
