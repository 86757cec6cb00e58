//! The tools that a request offers, and the choice among them.
//!
//! Tools stand in `tools` and, as Codex has it, in items of the input (`additional_tools`, `tool_search_output`): all of
//! them are offered from the beginning. A tool in a namespace keeps it in its [`ToolName`]; what the namespace says of
//! itself is told with its first tool. The client's search for tools ([`tool_search`]) becomes a function.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use gateway_actors::protocol::GatewayError;
use serde_json::value::RawValue;

use super::tool_search;
use super::values::{Members, Place, boolean, elements, object, string};
use crate::dialects::json::text;
use crate::dialects::neutral::{Feature, Losses, Tool, ToolChoice, ToolKind, ToolName};
use crate::dialects::openai_strict::is_strict;

/// The tools of a request. One that is offered twice counts as it was offered last.
#[derive(Debug, Default)]
pub(super) struct Tools<'a> {
    list: Vec<Tool<'a>>,
    places: HashMap<ToolName<'a>, usize>,
    /// The names of those that were read last.
    read: Vec<ToolName<'a>>,
    /// Whether tools that a provider would run itself were left out.
    hosted_left_out: bool,
    /// Whether those that are being read have been loaded by a search, however they were offered.
    are_found: bool,
}

/// The group that tools stand in.
struct Group<'a> {
    name: Cow<'a, str>,
    /// What it says of itself, until that is told.
    about: Option<Cow<'a, str>>,
}

impl<'a> Tools<'a> {
    /// Reads an array of tools, and gives the names of those that can be called.
    pub(super) fn read(
        &mut self,
        offered: &'a RawValue,
        place: &Place<'_>,
        losses: &mut Losses,
    ) -> Result<&[ToolName<'a>], GatewayError> {
        self.read.clear();
        for (number, tool) in elements(offered, place)?.into_iter().enumerate() {
            self.read_one(tool, &place.at(number), &mut None, losses)?;
        }
        Ok(&self.read)
    }

    /// The same for tools that a search has found.
    pub(super) fn read_found(
        &mut self,
        found: &'a RawValue,
        place: &Place<'_>,
        losses: &mut Losses,
    ) -> Result<&[ToolName<'a>], GatewayError> {
        self.are_found = true;
        self.read(found, place, losses)?;
        self.are_found = false;
        Ok(&self.read)
    }

    /// Reads one tool, which may be a group of tools.
    fn read_one(
        &mut self,
        tool: &'a RawValue,
        place: &Place<'_>,
        group: &mut Option<Group<'a>>,
        losses: &mut Losses,
    ) -> Result<(), GatewayError> {
        let mut members = Members::read(tool, place)?;
        let kind = members.required("type", place)?;
        match &*kind {
            "function" | "custom" => {
                if self.are_found {
                    members.take(DEFERRED);
                }
                let tool = read_tool(&kind, &mut members, place, group, losses)?;
                self.add(tool);
            }
            "namespace" if group.is_none() => {
                let inner = place.member("tools");
                let tools = members.take("tools").ok_or_else(|| inner.is_required())?;
                let name = members.required("name", place)?;
                let about = members.string("description", place)?;
                let mut group = Some(Group {
                    about: about.filter(|about| says_something(about, &name)),
                    name,
                });
                for (number, tool) in elements(tools, &inner)?.into_iter().enumerate() {
                    self.read_one(tool, &inner.at(number), &mut group, losses)?;
                }
            }
            "tool_search" if members.string("execution", place)?.as_deref() == Some("client") => {
                let parameters = members.take("parameters");
                let parameters = parameters
                    .map(|value| object(value, &place.member("parameters")))
                    .transpose()?;
                self.add(Tool {
                    name: tool_search::NAME,
                    description: members.string("description", place)?,
                    kind: ToolKind::Function {
                        parameters,
                        strict: None,
                    },
                    cache: None,
                });
            }
            // The provider would search among tools that are all offered here anyhow.
            "tool_search" => losses.drop(Feature::HostedTools),
            hosted if hosted.starts_with("web_search") || hosted == "image_generation" => {
                losses.drop(Feature::HostedTools);
                self.hosted_left_out = true;
                return Ok(());
            }
            kind if is_client_run(kind) => return Err(known_to_openai(place)),
            _ => return Err(losses.refuse_at(Feature::HostedTools, place.to_string())),
        }
        members
            .left()
            .for_each(|name| losses.drop_unknown(&format!("tools.{name}")));
        Ok(())
    }

    fn add(&mut self, tool: Tool<'a>) {
        self.read.push(tool.name.clone());
        match self.places.get(&tool.name).and_then(|place| self.list.get_mut(*place)) {
            Some(known) => *known = tool,
            None => {
                self.places.insert(tool.name.clone(), self.list.len());
                self.list.push(tool);
            }
        }
    }

    /// Reads `tool_choice`. Where it allows for some of the tools, the others are no longer offered, which is the same to a
    /// model.
    pub(super) fn read_choice(
        &mut self,
        choice: &'a RawValue,
        losses: &Losses,
    ) -> Result<ToolChoice<'a>, GatewayError> {
        let place = Place::top("tool_choice");
        let must_be = || place.must_be("`auto`, `none`, `required` or an object that names a tool");
        if let Some(word) = text(choice) {
            return self.word(&word, losses).ok_or_else(must_be)?;
        }
        let mut members = Members::of(choice).ok_or_else(must_be)?;
        match &*members.required("type", &place)? {
            "function" | "custom" => {
                let name = members.required("name", &place)?;
                Ok(ToolChoice::Named(self.name_of(name)))
            }
            "allowed_tools" => {
                let allowed = place.member("tools");
                let listed = members.take("tools").ok_or_else(|| allowed.is_required())?;
                self.keep(&elements(listed, &allowed)?, &allowed)?;
                let mode = members.required("mode", &place)?;
                self.word(&mode, losses)
                    .ok_or_else(|| place.member("mode").must_be("`auto` or `required`"))?
            }
            kind if is_client_run(kind) => Err(known_to_openai(&place)),
            _ => Err(losses.refuse_at(Feature::HostedTools, "tool_choice")),
        }
    }

    /// A choice that is one word; nothing if it is none.
    fn word(&self, word: &str, losses: &Losses) -> Option<Result<ToolChoice<'a>, GatewayError>> {
        Some(Ok(match word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            // The model would have had another tool to call.
            "required" if self.list.is_empty() && self.hosted_left_out => {
                return Some(Err(losses.refuse_at(Feature::HostedTools, "tool_choice")));
            }
            "required" => ToolChoice::Required,
            _ => return None,
        }))
    }

    /// The tool that is meant by a name without a namespace.
    fn name_of(&self, name: Cow<'a, str>) -> ToolName<'a> {
        let plain = ToolName::plain(name);
        if self.places.contains_key(&plain) {
            return plain;
        }
        let mut same = self.list.iter().filter(|tool| tool.name.name == plain.name);
        match (same.next(), same.next()) {
            (Some(only), None) => only.name.clone(),
            _ => plain,
        }
    }

    /// The tools that may be meant by a name without a namespace: where there are several, all of them.
    fn all_of(&self, name: Cow<'a, str>) -> Vec<ToolName<'a>> {
        let plain = ToolName::plain(name);
        if self.places.contains_key(&plain) {
            return vec![plain];
        }
        let names = self.list.iter().map(|tool| &tool.name);
        names.filter(|tool| tool.name == plain.name).cloned().collect()
    }

    /// Keeps the tools that are listed.
    fn keep(&mut self, listed: &[&'a RawValue], place: &Place<'_>) -> Result<(), GatewayError> {
        let mut names = HashSet::new();
        for (number, tool) in listed.iter().enumerate() {
            let place = place.at(number);
            let mut tool = Members::read(tool, &place)?;
            if let Some(name) = tool.take("name") {
                names.extend(self.all_of(string(name, &place.member("name"))?));
            } else if tool.string("type", &place)?.as_deref() == Some("tool_search") {
                names.insert(tool_search::NAME);
            }
        }
        self.list.retain(|tool| names.contains(&tool.name));
        if self.list.is_empty() && !self.hosted_left_out {
            return Err(place.must_be("a list with at least one of `tools`"));
        }
        Ok(())
    }

    /// The tools, in the order in which they were offered first.
    ///
    /// # Errors
    /// When two of them have one name for a model whose dialect has no namespaces.
    pub(super) fn into_list(self) -> Result<Vec<Tool<'a>>, GatewayError> {
        let mut names = HashSet::with_capacity(self.list.len());
        if self.list.iter().all(|tool| names.insert(tool.name.flat())) {
            drop(names);
            return Ok(self.list);
        }
        let message = "`tools`: two tools have the same name once group and name are one; rename one of them";
        Err(GatewayError::invalid("tools", message))
    }
}

/// Whether a tool is told to the model only once it has been searched for.
const DEFERRED: &str = "defer_loading";

/// Whether a kind of tool is one that the client runs, and of which only OpenAI's models know how it is called.
fn is_client_run(kind: &str) -> bool {
    ["local_shell", "shell", "apply_patch"].contains(&kind) || kind.starts_with("computer")
}

fn known_to_openai(place: &Place<'_>) -> GatewayError {
    let name = place.to_string();
    let message = format!(
        "`{name}` is of a type that is known only to OpenAI's models; describe the tool as a function, leave it out or ask \
         for a model whose provider speaks OpenAI Responses"
    );
    GatewayError::invalid(name, message)
}

fn read_tool<'a>(
    kind: &str,
    members: &mut Members<'a>,
    place: &Place<'_>,
    group: &mut Option<Group<'a>>,
    losses: &mut Losses,
) -> Result<Tool<'a>, GatewayError> {
    let name = members.required("name", place)?;
    let description = members.string("description", place)?;
    let kind = if kind == "custom" {
        let format = members.take("format");
        ToolKind::Custom {
            format: format.map(|value| object(value, &place.member("format"))).transpose()?,
        }
    } else {
        let parameters = members.take("parameters");
        let parameters = parameters
            .map(|value| object(value, &place.member("parameters")))
            .transpose()?;
        let strict = members.take("strict");
        let strict = strict
            .map(|value| boolean(value, &place.member("strict")))
            .transpose()?;
        ToolKind::Function {
            parameters,
            // Strict is what the dialect does if nothing is said, as far as the schema allows it.
            strict: strict.or_else(|| parameters.filter(|schema| is_strict(schema)).map(|_| true)),
        }
    };
    // All tools are offered from the beginning, to be called by the model itself.
    for (name, usual) in [
        (DEFERRED, "false"),
        ("allowed_callers", r#"["direct"]"#),
        ("async", "false"),
    ] {
        if members
            .take(name)
            .is_some_and(|value| value.get() != usual && value.get() != "false")
        {
            losses.drop_unknown(&format!("tools.{name}"));
        }
    }
    let about = group.as_mut().and_then(|group| group.about.take());
    let group = group.as_ref().map(|group| group.name.clone());
    Ok(Tool {
        description: match (about, &group) {
            (Some(about), Some(group)) => {
                let own = description.unwrap_or_default();
                let gap = if own.is_empty() { "" } else { "\n\n" };
                Some(Cow::Owned(format!("{own}{gap}About all tools of {group}: {about}")))
            }
            _ => description,
        },
        name: ToolName { namespace: group, name },
        kind,
        cache: None,
    })
}

/// Whether a namespace's description says more than its name: Codex has a sentence for those without one.
fn says_something(about: &str, name: &str) -> bool {
    !about.is_empty() && about != format!("Tools in the {name} namespace.")
}

#[cfg(test)]
#[path = "read_tools_tests.rs"]
mod tests;
