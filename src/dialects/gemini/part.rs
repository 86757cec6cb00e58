//! What `contents` are made of, as it is written.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::dialects::json::is_object;
use crate::dialects::neutral::{ObjectArguments, Source};

/// Where the files are that the API fetches for every model: its own file store, and Google's object store.
const GOOGLE_PLACES: [&str; 2] = ["https://generativelanguage.googleapis.com/", "gs://"];

/// Media types by the ends of names, for files of which nothing else is known.
const MEDIA_TYPES: [(&str, &str); 9] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".heic", "image/heic"),
    (".heif", "image/heif"),
    (".gif", "image/gif"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
];

/// One side's turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    pub(super) parts: Vec<Part<'a>>,
}

/// One thing that is said. Of its members one is there, `thought` and `thoughtSignature` beside it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    pub(super) mime_type: &'a str,
    pub(super) data: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<&'static str>,
    pub(super) file_uri: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    pub(super) id: &'a str,
    pub(super) name: Cow<'a, str>,
    pub(super) args: ObjectArguments<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    pub(super) id: &'a str,
    pub(super) name: Cow<'a, str>,
    pub(super) response: Outcome<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<ResponsePart<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResponsePart<'a> {
    pub(super) inline_data: Blob<'a>,
}

/// What came of a call, in words.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) is_error: bool,
}

impl Serialize for Outcome<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Option<&RawValue> = serde_json::from_str(&self.text).ok();
        let object = value.filter(|value| is_object(value));
        if let Some(object) = object.filter(|_object| !self.is_error) {
            return object.serialize(serializer);
        }
        let name = if self.is_error { "error" } else { "result" };
        let mut map = serializer.serialize_map(Some(1))?;
        match object {
            Some(object) => map.serialize_entry(name, object)?,
            None => map.serialize_entry(name, &self.text)?,
        }
        map.end()
    }
}

impl<'a> Part<'a> {
    /// A text.
    pub(super) fn text(text: &'a str) -> Self {
        Self {
            text: Some(text),
            ..Self::default()
        }
    }

    /// An image or a file; nothing if it is at an address from which the API does not fetch. `fetches`: whether it does so
    /// from anywhere for this model.
    pub(super) fn media(source: &'a Source<'_>, fetches: bool) -> Option<Self> {
        match source {
            Source::Data { media_type, base64 } => Some(Self {
                inline_data: Some(Blob {
                    mime_type: media_type,
                    data: base64,
                }),
                ..Self::default()
            }),
            Source::Url(url)
                if fetches && url.starts_with("https://")
                    || GOOGLE_PLACES.iter().any(|place| url.starts_with(place)) =>
            {
                Some(Self {
                    file_data: Some(FileData {
                        mime_type: media_type_of(url),
                        file_uri: url,
                    }),
                    ..Self::default()
                })
            }
            Source::Url(_) => None,
        }
    }
}

fn media_type_of(url: &str) -> Option<&'static str> {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let found = MEDIA_TYPES.iter().find(|(end, _)| {
        let start = url.len().checked_sub(end.len());
        let tail = start.and_then(|start| url.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    });
    found.map(|(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, is_error: bool) -> String {
        let text = Cow::Borrowed(text);
        serde_json::to_string(&Outcome { text, is_error }).unwrap()
    }

    #[test]
    fn a_result_is_an_object_whatever_the_tool_said() {
        assert_eq!(outcome(r#" {"n":1.50} "#, false), r#"{"n":1.50}"#);
        assert_eq!(outcome("sunny", false), r#"{"result":"sunny"}"#);
        assert_eq!(outcome("[1]", false), r#"{"result":"[1]"}"#);
        assert_eq!(outcome("", false), r#"{"result":""}"#);
        assert_eq!(outcome("no such file", true), r#"{"error":"no such file"}"#);
        assert_eq!(outcome(r#"{"code":2}"#, true), r#"{"error":{"code":2}}"#);
    }

    #[test]
    fn files_from_anywhere_are_named_for_models_that_are_given_them() {
        let written = |url: &'static str| {
            let source = Source::Url(Cow::Borrowed(url));
            Part::media(&source, true).map(|part| serde_json::to_string(&part).unwrap())
        };
        assert_eq!(
            written("https://example.com/a.png?size=2").as_deref(),
            Some(r#"{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png?size=2"}}"#)
        );
        assert_eq!(
            written("https://example.com/1").as_deref(),
            Some(r#"{"fileData":{"fileUri":"https://example.com/1"}}"#)
        );
        assert_eq!(written("http://example.com/a.png"), None);
    }

    #[test]
    fn files_of_googles_own_are_named_and_others_are_not() {
        let written = |url: &'static str| {
            let source = Source::Url(Cow::Borrowed(url));
            let part = |fetches| Part::media(&source, fetches).map(|part| serde_json::to_string(&part).unwrap());
            let is_googles = part(false).is_some();
            assert!(!is_googles || part(true) == part(false));
            part(false).unwrap_or_default()
        };
        assert_eq!(
            written("https://generativelanguage.googleapis.com/v1beta/files/abc"),
            r#"{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}"#
        );
        assert_eq!(
            written("gs://bucket/a.PNG"),
            r#"{"fileData":{"mimeType":"image/png","fileUri":"gs://bucket/a.PNG"}}"#
        );
        for other in [
            "https://example.com/a.png",
            "https://generativelanguage.googleapis.com.example.com/a.png",
            "http://generativelanguage.googleapis.com/v1beta/files/abc",
            "",
        ] {
            assert_eq!(written(other), "", "{other}");
        }
    }
}
