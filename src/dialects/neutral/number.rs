//! A number of a request in the spelling that its client chose.

use serde_json::value::RawValue;

/// A JSON number as it was written, so that `0.70` stays `0.70` on its way to another dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dialects) struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    /// The number that a value spells; nothing if it is none.
    pub(in crate::dialects) fn read(value: &'a RawValue) -> Option<Self> {
        let text = value.get();
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        is_number.then_some(Self(text))
    }

    /// The spelling.
    pub(in crate::dialects) fn as_str(self) -> &'a str {
        self.0
    }

    /// The value, as near as a double can say it.
    pub(in crate::dialects) fn value(self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl serde::Serialize for Number<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_spelling() {
        let value: &RawValue = serde_json::from_str("0.70").unwrap();
        let number = Number::read(value).unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "0.70");
        assert!((number.value() - 0.7).abs() < 1e-9);
        assert_eq!(Number::read(serde_json::from_str("\"1\"").unwrap()), None);
        assert_eq!(Number::read(serde_json::from_str("null").unwrap()), None);
    }
}
