//! The calls of tools in a conversation so far.

use std::borrow::Cow;

use serde::Serialize;

use super::super::flavour::{CallIds, Flavour};
use crate::dialects::neutral::ToolCall;
use crate::dialects::shortened;

/// The longest id of a call, as OpenAI has it.
const MOST_ID_BYTES: usize = 40;

/// A call as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Called<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CalledCustom<'a>>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct CalledCustom<'a> {
    name: Cow<'a, str>,
    input: &'a str,
}

/// The argument of a function that stands for a tool of plain text.
#[derive(Serialize)]
struct Input<'a> {
    input: &'a str,
}

/// Writes a call. One of a tool of plain text is one of a function where the provider has no such tools.
pub(super) fn write_call<'r>(call: &'r ToolCall<'_>, flavour: Flavour) -> Call<'r> {
    let id = call_id(&call.id, flavour.call_ids());
    let name = call.name.flat();
    if call.is_custom && flavour.is_openai() {
        return Call {
            id,
            kind: "custom",
            function: None,
            custom: Some(CalledCustom {
                name,
                input: &call.arguments,
            }),
        };
    }
    let arguments = if call.is_custom {
        let input = Input { input: &call.arguments };
        Cow::Owned(serde_json::to_string(&input).unwrap_or_default())
    } else if call.arguments.is_empty() {
        Cow::Borrowed("{}")
    } else {
        Cow::Borrowed(&*call.arguments)
    };
    Call {
        id,
        kind: "function",
        function: Some(Called { name, arguments }),
        custom: None,
    }
}

/// The id of a call in a form that the provider takes. The same id always becomes the same, so that calls and results
/// stay together.
pub(super) fn call_id(id: &str, form: CallIds) -> Cow<'_, str> {
    match form {
        CallIds::UpToForty => shortened::call_id(id, MOST_ID_BYTES),
        CallIds::Nine if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Cow::Borrowed(id),
        CallIds::Nine => Cow::Owned(shortened::digest(id).get(..9).unwrap_or_default().to_owned()),
    }
}
