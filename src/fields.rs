//! The fields of a request to one of the gateway's own endpoints: a JSON object whose names are known, each given
//! once. Every complaint names its field.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use gateway_actors::protocol::{ErrorKind, GatewayError, InvalidId, UnknownWord};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// More than this of a name that a client made up is not repeated to it.
const NAME_AT_MOST: usize = 64;

/// The fields of a body, not looked into yet.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    entries: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// `malformed_json` when it is no JSON; `invalid_request` when it is no object, or a name is not among those
    /// accepted or is given twice.
    pub(crate) fn parse(body: &'a [u8], accepted: &[&str]) -> Result<Self, GatewayError> {
        let Entries(entries) = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        for (place, (name, _)) in entries.iter().enumerate() {
            if !accepted.contains(&name.as_str()) {
                return Err(unknown(name, accepted));
            }
            if entries.iter().take(place).any(|(seen, _)| seen == name) {
                return Err(given_twice(name));
            }
        }
        Ok(Self { entries })
    }

    /// The text of a field that must be there.
    pub(crate) fn required_text(&self, name: &'static str) -> Result<String, GatewayError> {
        let missing = || GatewayError::invalid(name, format!("`{name}` is required"));
        let given = self.entries.iter().any(|(field, _)| field == name);
        match self.text(name)? {
            Some(text) => Ok(text),
            None if given => Err(wrong_type(name, "a text")),
            None => Err(missing()),
        }
    }

    /// The text of a field; nothing when it is absent or null.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        if !raw.starts_with('"') {
            return Err(wrong_type(name, "a text"));
        }
        match serde_json::from_str::<String>(raw) {
            Ok(text) if text.contains('\0') => {
                let message = format!("`{name}` must not contain the character U+0000");
                Err(GatewayError::invalid(name, message))
            }
            Ok(text) => Ok(Some(text)),
            Err(_) => {
                let message = format!("`{name}` is not a text of whole Unicode characters");
                Err(GatewayError::invalid(name, message))
            }
        }
    }

    /// A short text without control characters: a name or an id that the client made up.
    pub(crate) fn label(&self, name: &'static str, longest: usize) -> Result<Option<String>, GatewayError> {
        match self.text(name)? {
            Some(text) if text.is_empty() || text.len() > longest || text.chars().any(char::is_control) => {
                let message = format!("`{name}` must be 1 to {longest} bytes without control characters");
                Err(GatewayError::invalid(name, message))
            }
            text => Ok(text),
        }
    }

    /// One word of a closed set.
    pub(crate) fn word<T: FromStr<Err = UnknownWord>>(&self, name: &'static str) -> Result<Option<T>, GatewayError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let parsed = text.parse().map(Some);
        parsed.map_err(|UnknownWord { expected }| {
            let message = format!("`{name}` must be one of {}", expected.join(", "));
            GatewayError::invalid(name, message)
        })
    }

    /// An id with a form of its own.
    pub(crate) fn id<T: FromStr<Err = InvalidId>>(&self, name: &'static str) -> Result<Option<T>, GatewayError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let parsed = text.parse().map(Some);
        parsed
            .map_err(|invalid: InvalidId| GatewayError::invalid(name, format!("`{name}` must be {}", invalid.must_be)))
    }

    /// A whole number within its range.
    pub(crate) fn whole_number(
        &self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        match raw.parse::<u32>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(not_in_range(name, &range)),
        }
    }

    /// A number within its range.
    pub(crate) fn number(&self, name: &'static str, range: RangeInclusive<f64>) -> Result<Option<f64>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        match serde_json::from_str::<f64>(raw) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let message = format!("`{name}` must be a number from {} to {}", range.start(), range.end());
                Err(GatewayError::invalid(name, message))
            }
        }
    }

    /// A whole number of 64 bits within its range.
    pub(crate) fn large_number(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        match raw.parse::<u64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(not_in_range(name, &range)),
        }
    }

    /// Yes or no; nothing when it is absent or null.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, GatewayError> {
        match self.value(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(wrong_type(name, "true or false")),
        }
    }

    /// An array of short texts without control characters: at least one, at most `most`.
    pub(crate) fn labels(
        &self,
        name: &'static str,
        most: usize,
        longest: usize,
    ) -> Result<Option<Vec<String>>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        let is_label = |text: &String| (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control);
        match serde_json::from_str::<Vec<String>>(raw) {
            Ok(texts) if (1..=most).contains(&texts.len()) && texts.iter().all(is_label) => Ok(Some(texts)),
            _ => {
                let message = format!(
                    "`{name}` must be an array of 1 to {most} texts, each of 1 to {longest} bytes without control characters"
                );
                Err(GatewayError::invalid(name, message))
            }
        }
    }

    /// An array of small whole numbers within their range, ascending, at most `most`.
    pub(crate) fn ascending(
        &self,
        name: &'static str,
        most: usize,
        range: RangeInclusive<u8>,
    ) -> Result<Option<Vec<u8>>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        match serde_json::from_str::<Vec<u8>>(raw) {
            Ok(numbers)
                if numbers.len() <= most
                    && numbers.iter().all(|number| range.contains(number))
                    && numbers.is_sorted_by(|one, next| one < next) =>
            {
                Ok(Some(numbers))
            }
            _ => {
                let message = format!(
                    "`{name}` must be an array of at most {most} whole numbers from {} to {}, each larger than the one before",
                    range.start(),
                    range.end()
                );
                Err(GatewayError::invalid(name, message))
            }
        }
    }

    /// The fields of an object within this one; complaints name them behind its own name and a point.
    pub(crate) fn object(&self, name: &'static str, accepted: &[&str]) -> Result<Option<Fields<'a>>, GatewayError> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        if !raw.starts_with('{') {
            return Err(wrong_type(name, "an object"));
        }
        let fields = Fields::parse(raw.as_bytes(), accepted);
        fields.map(Some).map_err(|error| within(name, error))
    }

    /// Whether a field is there, be it null.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.entries.iter().any(|(field, _)| field == name)
    }

    /// The JSON text of a field that is there and not null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        let (_, raw) = self.entries.iter().find(|(field, _)| field == name)?;
        Some(raw.get()).filter(|text| *text != "null")
    }
}

/// The complaint about a field of an object, for whoever sent what the object is in.
pub(crate) fn within(object: &'static str, error: GatewayError) -> GatewayError {
    let param = error.param.as_deref().map(|param| format!("{object}.{param}"));
    match param {
        Some(param) => error.with_param(param),
        None => error.with_param(object),
    }
}

/// A field or query parameter that the endpoint does not know.
pub(crate) fn unknown(name: &str, accepted: &[&str]) -> GatewayError {
    let shown: String = name
        .chars()
        .filter(|char| !char.is_control())
        .take(NAME_AT_MOST)
        .collect();
    let message = match accepted {
        [] => format!("`{shown}` is not known here; nothing may be given"),
        accepted => format!("`{shown}` is not known here; known are {}", accepted.join(", ")),
    };
    GatewayError::invalid(shown, message)
}

/// A field or query parameter that was given more than once.
pub(crate) fn given_twice(name: &str) -> GatewayError {
    GatewayError::invalid(name.to_owned(), format!("`{name}` is given twice; give it once"))
}

/// A field or query parameter that is no whole number of its range.
pub(crate) fn not_in_range<T: fmt::Display>(name: &'static str, range: &RangeInclusive<T>) -> GatewayError {
    let message = format!(
        "`{name}` must be a whole number from {} to {}",
        range.start(),
        range.end()
    );
    GatewayError::invalid(name, message)
}

fn wrong_type(name: &'static str, must_be: &str) -> GatewayError {
    GatewayError::invalid(name, format!("`{name}` must be {must_be}"))
}

fn malformed(error: &serde_json::Error) -> GatewayError {
    match error.classify() {
        Category::Data => GatewayError::new(ErrorKind::InvalidRequest, "the body must be a JSON object"),
        Category::Syntax | Category::Eof | Category::Io => {
            let (line, column) = (error.line(), error.column());
            let message = format!("the body is not JSON: look at line {line}, column {column}");
            GatewayError::new(ErrorKind::MalformedJson, message)
        }
    }
}

/// The members of an object in the order in which they came, repeated ones included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = members.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::Layer;

    use super::*;

    const NAMES: &[&str] = &["text", "layer", "count", "ratio"];

    #[test]
    fn a_flag_is_yes_or_no_and_nothing_like_them() {
        let flag = |text: &str| Fields::parse(text.as_bytes(), NAMES).unwrap().flag("text");
        assert_eq!(flag("{}").unwrap(), None);
        assert_eq!(flag(r#"{"text":null}"#).unwrap(), None);
        assert_eq!(flag(r#"{"text":true}"#).unwrap(), Some(true));
        assert_eq!(flag(r#"{"text":false}"#).unwrap(), Some(false));
        for bad in [r#"{"text":"true"}"#, r#"{"text":1}"#, r#"{"text":[]}"#] {
            assert_eq!(flag(bad).unwrap_err().param.as_deref(), Some("text"), "{bad}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_from_what_is_no_object() {
        let not_json: &[&[u8]] = &[
            b"",
            b"{",
            b"nul",
            b"{}x",
            b"\xef\xbb\xbf{}",
            b"{\0\"\0",
            b"{\"text\":\"a\nb\"}",
            b"{\"text\":\"\xff\"}",
        ];
        for body in not_json {
            let error = Fields::parse(body, NAMES).unwrap_err();
            assert_eq!(
                error.kind,
                ErrorKind::MalformedJson,
                "{:?}",
                String::from_utf8_lossy(body)
            );
        }
        for body in ["[]", "1", "\"text\"", "null"] {
            assert_eq!(
                Fields::parse(body.as_bytes(), NAMES).unwrap_err().kind,
                ErrorKind::InvalidRequest,
                "{body}"
            );
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_running_out_of_stack() {
        let deep = "[".repeat(200_000);
        assert!(Fields::parse(deep.as_bytes(), NAMES).is_err());
        let deep = format!("{{\"text\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        let error = Fields::parse(deep.as_bytes(), NAMES)
            .unwrap()
            .required_text("text")
            .unwrap_err();
        assert_eq!(error.param.as_deref(), Some("text"));
    }

    #[test]
    fn unknown_and_repeated_names_are_named() {
        let param = |body: &str| {
            Fields::parse(body.as_bytes(), NAMES)
                .unwrap_err()
                .param
                .unwrap()
                .into_owned()
        };
        assert_eq!(param(r#"{"text":"a","api_base":"http://evil"}"#), "api_base");
        assert_eq!(param(r#"{"text":"a","text":"b"}"#), "text");
        assert_eq!(param(r#"{"text":"a","\u0074ext":"b"}"#), "text");
    }

    #[test]
    fn null_counts_as_absent_only_where_absence_is_fine() {
        let fields = Fields::parse(br#"{"text":null,"layer":null}"#, NAMES).unwrap();
        assert_eq!(fields.word::<Layer>("layer").unwrap(), None);
        assert_eq!(
            fields.required_text("text").unwrap_err().kind,
            ErrorKind::InvalidRequest
        );
    }

    #[test]
    fn numbers_are_read_exactly_or_refused() {
        let count = |json: &str| {
            let body = format!("{{\"count\":{json},\"ratio\":{json}}}");
            let fields = Fields::parse(body.as_bytes(), NAMES).unwrap();
            (
                fields.whole_number("count", 1..=100).ok().flatten(),
                fields.number("ratio", 0.0..=2.0).ok().flatten(),
            )
        };
        assert_eq!(count("1"), (Some(1), Some(1.0)));
        assert_eq!(count("0"), (None, Some(0.0)));
        assert_eq!(count("1.5"), (None, Some(1.5)));
        assert_eq!(count("100"), (Some(100), None));
        for bad in [
            "-1",
            "1e9",
            "1e400",
            "\"1\"",
            "true",
            "[]",
            "{}",
            "18446744073709551616",
        ] {
            assert_eq!(count(bad), (None, None), "{bad}");
        }
    }
}
