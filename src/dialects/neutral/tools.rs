//! Tools: those that a model is offered, its calls of them, and their names on both sides.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::request::CacheMark;
use crate::dialects::json::is_object;

/// The longest name that every provider takes.
const MOST_NAME_BYTES: usize = 64;

/// What a tool that takes a plain text takes where there are only functions.
const TEXT_SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

/// A tool that the model may call.
#[derive(Debug)]
pub(in crate::dialects) struct Tool<'a> {
    pub(in crate::dialects) name: ToolName<'a>,
    pub(in crate::dialects) description: Option<Cow<'a, str>>,
    pub(in crate::dialects) kind: ToolKind<'a>,
    pub(in crate::dialects) cache: Option<CacheMark>,
}

/// What a tool takes.
#[derive(Debug)]
pub(in crate::dialects) enum ToolKind<'a> {
    /// Arguments of this JSON schema; of none if absent.
    Function {
        parameters: Option<&'a RawValue>,
        strict: Option<bool>,
    },
    /// A text, of a grammar or not, which only OpenAI's dialects have. Elsewhere it is a function with one argument,
    /// `input`.
    Custom {
        /// The grammar, as it stands.
        format: Option<&'a RawValue>,
    },
}

impl ToolKind<'_> {
    /// What it takes as a JSON schema, for dialects that have functions alone; nothing for a function of no arguments.
    pub(in crate::dialects) fn schema(&self) -> Option<ToolSchema<'_>> {
        match self {
            Self::Function { parameters, .. } => parameters.filter(|schema| is_object(schema)).map(ToolSchema::Given),
            Self::Custom { .. } => Some(ToolSchema::Text),
        }
    }
}

/// A JSON schema of what a tool takes.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialects) enum ToolSchema<'a> {
    /// The client's.
    Given(&'a RawValue),
    /// An object with one member, `input`, for a tool that takes a plain text.
    Text,
}

impl Serialize for ToolSchema<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(schema) => schema.serialize(serializer),
            Self::Text => {
                let schema: &RawValue = serde_json::from_str(TEXT_SCHEMA).map_err(serde::ser::Error::custom)?;
                schema.serialize(serializer)
            }
        }
    }
}

/// The client's name for a tool: in a group of tools or by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::dialects) struct ToolName<'a> {
    /// The group, which only the Responses dialect has.
    pub(in crate::dialects) namespace: Option<Cow<'a, str>>,
    pub(in crate::dialects) name: Cow<'a, str>,
}

impl<'a> ToolName<'a> {
    /// A tool that is in no group.
    pub(in crate::dialects) fn plain(name: impl Into<Cow<'a, str>>) -> Self {
        Self {
            namespace: None,
            name: name.into(),
        }
    }

    /// The name under which a model knows the tool where its dialect has no groups: group and name in one, of at most 64
    /// letters, digits, underscores and dashes. The same tool always gets the same one. Anthropic's clients may have names
    /// twice as long.
    pub(in crate::dialects) fn flat(&self) -> Cow<'_, str> {
        let Some(namespace) = &self.namespace else {
            return fitting(Cow::Borrowed(&self.name));
        };
        let may_stand = |letter: char| {
            if letter.is_ascii_alphanumeric() || letter == '-' {
                letter
            } else {
                '_'
            }
        };
        let joined: String = format!("{namespace}__{}", self.name).chars().map(may_stand).collect();
        fitting(Cow::Owned(joined))
    }

    fn into_owned(self) -> ToolName<'static> {
        ToolName {
            namespace: self.namespace.map(|namespace| Cow::Owned(namespace.into_owned())),
            name: Cow::Owned(self.name.into_owned()),
        }
    }
}

/// A name of at most 64 bytes: itself, or its beginning with a part of its digest.
fn fitting(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= MOST_NAME_BYTES {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let most = MOST_NAME_BYTES - 1 - mark.len();
    let kept = name.get(..name.floor_char_boundary(most)).unwrap_or_default();
    Cow::Owned(format!("{kept}_{mark}"))
}

/// A call of a tool.
#[derive(Debug)]
pub(in crate::dialects) struct ToolCall<'a> {
    /// Ties the result to the call.
    pub(in crate::dialects) id: Cow<'a, str>,
    pub(in crate::dialects) name: ToolName<'a>,
    /// JSON text as the model wrote it, which may be no JSON; the plain text for a tool that takes one.
    pub(in crate::dialects) arguments: Cow<'a, str>,
    /// Whether `arguments` is a plain text.
    pub(in crate::dialects) is_custom: bool,
}

impl ToolCall<'_> {
    /// The arguments where a dialect has nothing but objects. A plain text is the member `input` of one, and what a model
    /// wrote that is no JSON object the member `INVALID_JSON`, as Anthropic advises.
    pub(in crate::dialects) fn object(&self) -> ObjectArguments<'_> {
        let text: &str = &self.arguments;
        if self.is_custom {
            return ObjectArguments::Text { input: text };
        }
        match serde_json::from_str::<&RawValue>(text) {
            Ok(object) if is_object(object) => ObjectArguments::Object(object),
            Ok(null) if null.get() == "null" => ObjectArguments::Nothing {},
            _ if text.trim_ascii().is_empty() => ObjectArguments::Nothing {},
            _ => ObjectArguments::Invalid { written: text },
        }
    }
}

/// The arguments of a call as a JSON object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::dialects) enum ObjectArguments<'a> {
    /// As the model wrote them.
    Object(&'a RawValue),
    /// The plain text for a tool that takes one.
    Text { input: &'a str },
    /// What a model wrote that is no object.
    Invalid {
        #[serde(rename = "INVALID_JSON")]
        written: &'a str,
    },
    /// None.
    Nothing {},
}

/// Which tools the model must or may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dialects) enum ToolChoice<'a> {
    /// Whichever it likes, or none.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(ToolName<'a>),
}

/// From the names under which a model knows the tools back to the client's, for those where they differ.
#[derive(Debug, Default)]
pub(in crate::dialects) struct ToolNames {
    by_flat: HashMap<String, (ToolName<'static>, bool)>,
}

impl ToolNames {
    /// The names of these tools.
    pub(in crate::dialects) fn of(tools: &[Tool<'_>]) -> Self {
        let by_flat = tools.iter().filter_map(|tool| {
            let is_custom = matches!(tool.kind, ToolKind::Custom { .. });
            let flat = tool.name.flat();
            let differs = is_custom || tool.name.namespace.is_some() || flat != tool.name.name;
            differs.then(|| (flat.into_owned(), (tool.name.clone().into_owned(), is_custom)))
        });
        Self {
            by_flat: by_flat.collect(),
        }
    }

    /// The client's name for the tool that a model calls by `flat`, and whether it takes a plain text.
    pub(in crate::dialects) fn original<'a>(&'a self, flat: &'a str) -> (ToolName<'a>, bool) {
        match self.by_flat.get(flat) {
            Some((name, is_custom)) => (name.clone(), *is_custom),
            None => (ToolName::plain(flat), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(namespace: Option<&'static str>, name: &'static str) -> Tool<'static> {
        Tool {
            name: ToolName {
                namespace: namespace.map(Cow::Borrowed),
                name: Cow::Borrowed(name),
            },
            description: None,
            kind: ToolKind::Function {
                parameters: None,
                strict: None,
            },
            cache: None,
        }
    }

    #[test]
    fn a_name_goes_flat_and_comes_back() {
        let tools = [tool(Some("mcp__files"), "read.all"), tool(None, "shell")];
        let names = ToolNames::of(&tools);
        assert_eq!(tools[0].name.flat(), "mcp__files__read_all");
        assert_eq!(names.original("mcp__files__read_all").0, tools[0].name);
        assert_eq!(names.original("shell").0, ToolName::plain("shell"));
        assert_eq!(names.original("made_up").0, ToolName::plain("made_up"));
    }

    #[test]
    fn arguments_are_an_object_whatever_the_model_wrote() {
        let object = |arguments: &'static str, is_custom: bool| {
            let call = ToolCall {
                id: Cow::Borrowed("call_1"),
                name: ToolName::plain("shell"),
                arguments: Cow::Borrowed(arguments),
                is_custom,
            };
            serde_json::to_string(&call.object()).unwrap()
        };
        assert_eq!(object(" {\"n\":1.50} ", false), r#"{"n":1.50}"#);
        for nothing in ["", " \n", "null", "{}"] {
            assert_eq!(object(nothing, false), "{}", "{nothing:?}");
        }
        assert_eq!(object("[1]", false), r#"{"INVALID_JSON":"[1]"}"#);
        assert_eq!(object(r#"{"cut":"#, false), r#"{"INVALID_JSON":"{\"cut\":"}"#);
        assert_eq!(object("{}", true), r#"{"input":"{}"}"#);
    }

    #[test]
    fn a_tool_has_the_schema_it_was_given_or_that_of_a_plain_text() {
        let schema = |kind: ToolKind<'_>| serde_json::to_string(&kind.schema()).unwrap();
        let function = |parameters: &'static str| ToolKind::Function {
            parameters: Some(serde_json::from_str(parameters).unwrap()),
            strict: None,
        };
        assert_eq!(schema(function(r#"{"type": "object"}"#)), r#"{"type": "object"}"#);
        assert_eq!(schema(function("null")), "null");
        assert_eq!(schema(ToolKind::Custom { format: None }), TEXT_SCHEMA);
    }

    #[test]
    fn long_names_stay_apart_within_sixty_four_bytes() {
        let long = "x".repeat(70);
        let name = |end: &str| ToolName {
            namespace: Some(Cow::Owned(long.clone())),
            name: Cow::Owned(end.to_owned()),
        };
        let (one, other) = (name("one"), name("other"));
        assert_eq!(one.flat().len(), MOST_NAME_BYTES);
        assert_ne!(one.flat(), other.flat());
        assert_eq!(one.flat(), name("one").flat());
    }

    #[test]
    fn a_long_name_in_no_group_is_cut_and_comes_back_too() {
        let long: &'static str = "mcp__plugin_playwright_playwright__browser_take_screenshot_of_the_whole_page";
        let tools = [tool(None, long)];
        let flat = tools[0].name.flat();
        assert_eq!(flat.len(), MOST_NAME_BYTES);
        assert_eq!(ToolNames::of(&tools).original(&flat).0, tools[0].name);
        // At a letter of several bytes it is cut before it.
        let letters = ToolName::plain("é".repeat(40));
        assert!(letters.flat().len() <= MOST_NAME_BYTES);
    }
}
