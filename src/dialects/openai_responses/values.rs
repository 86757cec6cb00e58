//! Values of a request: members taken one by one, so that what nobody took can be told, and errors that name the place.

use std::borrow::Cow;
use std::fmt;

use gateway_actors::protocol::GatewayError;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::json::{is_object, text};
use crate::dialects::neutral::Number;

/// Where a value stands in a request, such as `input[3].content`. Written out only for an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    outer: Option<&'p Place<'p>>,
    step: Step,
}

/// The body itself.
pub(super) const BODY: Place<'static> = Place {
    outer: None,
    step: Step::Body,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Body,
    Member(&'static str),
    At(usize),
}

impl<'p> Place<'p> {
    /// A member of the body.
    pub(super) const fn top(name: &'static str) -> Self {
        Self {
            outer: None,
            step: Step::Member(name),
        }
    }

    /// A member of the object here.
    pub(super) const fn member(&'p self, name: &'static str) -> Self {
        Self {
            outer: Some(self),
            step: Step::Member(name),
        }
    }

    /// An element of the array here, counted from 0.
    pub(super) const fn at(&'p self, place: usize) -> Self {
        Self {
            outer: Some(self),
            step: Step::At(place),
        }
    }

    /// The error that the value here is not what it must be.
    pub(super) fn must_be(&self, what: &str) -> GatewayError {
        GatewayError::invalid(self.to_string(), format!("`{self}` must be {what}"))
    }

    /// The error that there is no value here.
    pub(super) fn is_required(&self) -> GatewayError {
        GatewayError::invalid(self.to_string(), format!("`{self}` is required"))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            outer.fmt(f)?;
        }
        let is_inside = self.outer.is_some_and(|outer| outer.step != Step::Body);
        match self.step {
            Step::Body => Ok(()),
            Step::Member(name) if is_inside => write!(f, ".{name}"),
            Step::Member(name) => f.write_str(name),
            Step::At(place) => write!(f, "[{place}]"),
        }
    }
}

/// The members of an object that nobody has taken yet. Of members with one name the last counts.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of an object.
    ///
    /// # Errors
    /// When the value is none.
    pub(super) fn read(value: &'a RawValue, place: &Place<'_>) -> Result<Self, GatewayError> {
        Self::of(value).ok_or_else(|| place.must_be("an object"))
    }

    /// The members of a value; nothing if it is no object.
    pub(super) fn of(value: &'a RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// Takes a member. One that is `null` is not there.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut found = None;
        self.0.retain(|(known, value)| {
            let is_it = known == name;
            if is_it {
                found = Some(*value);
            }
            !is_it
        });
        found.filter(|value| value.get() != "null")
    }

    /// Takes a member that must be a string if it is there.
    pub(super) fn string(
        &mut self,
        name: &'static str,
        place: &Place<'_>,
    ) -> Result<Option<Cow<'a, str>>, GatewayError> {
        self.take(name)
            .map(|value| string(value, &place.member(name)))
            .transpose()
    }

    /// Takes a string that must be there.
    pub(super) fn required(&mut self, name: &'static str, place: &Place<'_>) -> Result<Cow<'a, str>, GatewayError> {
        let found = self.string(name, place)?;
        found.ok_or_else(|| place.member(name).is_required())
    }

    /// Whether there is a member of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The names of what nobody took and is not `null`.
    pub(super) fn left(self) -> impl Iterator<Item = Cow<'a, str>> {
        let is_there = |(_, value): &(Cow<'a, str>, &RawValue)| value.get() != "null";
        self.0.into_iter().filter(is_there).map(|(name, _)| name)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of a string.
pub(super) fn string<'a>(value: &'a RawValue, place: &Place<'_>) -> Result<Cow<'a, str>, GatewayError> {
    text(value).ok_or_else(|| place.must_be("a string"))
}

/// True or false.
pub(super) fn boolean(value: &RawValue, place: &Place<'_>) -> Result<bool, GatewayError> {
    match value.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(place.must_be("true or false")),
    }
}

/// A number in its own spelling.
pub(super) fn number<'a>(value: &'a RawValue, place: &Place<'_>) -> Result<Number<'a>, GatewayError> {
    Number::read(value).ok_or_else(|| place.must_be("a number"))
}

/// A number of tokens and the like, from `least`.
pub(super) fn count(value: &RawValue, least: u32, place: &Place<'_>) -> Result<u32, GatewayError> {
    let count = value.get().parse().ok().filter(|count| *count >= least);
    count.ok_or_else(|| place.must_be(&format!("a whole number from {least} to {}", u32::MAX)))
}

/// The elements of an array.
pub(super) fn elements<'a>(value: &'a RawValue, place: &Place<'_>) -> Result<Vec<&'a RawValue>, GatewayError> {
    serde_json::from_str(value.get()).map_err(|_no_array| place.must_be("an array"))
}

/// An object as it stands.
pub(super) fn object<'a>(value: &'a RawValue, place: &Place<'_>) -> Result<&'a RawValue, GatewayError> {
    is_object(value)
        .then_some(value)
        .ok_or_else(|| place.must_be("an object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_error_names_the_place_in_full() {
        let input = Place::top("input");
        let item = input.at(3);
        let error = item.member("content").must_be("a string or an array of parts");
        assert_eq!(error.param.as_deref(), Some("input[3].content"));
        assert_eq!(
            error.message,
            "`input[3].content` must be a string or an array of parts"
        );
    }

    #[test]
    fn members_are_taken_by_name_and_the_rest_is_told() {
        let mut members = Members::of(raw(r#"{"a":1,"b":null,"b\u0063":"x","a":2,"d":null}"#)).unwrap();
        assert_eq!(members.take("a").map(RawValue::get), Some("2"));
        assert!(members.take("a").is_none() && members.take("b").is_none());
        assert_eq!(members.left().collect::<Vec<_>>(), ["bc"]);
        assert!(Members::of(raw("[]")).is_none());
    }

    #[test]
    fn values_of_another_kind_are_told_by_what_they_must_be() {
        let place = Place::top("x");
        assert_eq!(string(raw(r#""a\nb""#), &place).unwrap(), "a\nb");
        assert!(boolean(raw("true"), &place).unwrap());
        assert_eq!(count(raw("7"), 1, &place).unwrap(), 7);
        assert_eq!(number(raw("0.50"), &place).unwrap().as_str(), "0.50");
        for message in [
            string(raw("1"), &place).unwrap_err().message,
            boolean(raw("\"true\""), &place).unwrap_err().message,
            count(raw("0"), 1, &place).unwrap_err().message,
            number(raw("\"1\""), &place).unwrap_err().message,
            elements(raw("{}"), &place).unwrap_err().message,
            object(raw("[]"), &place).unwrap_err().message,
        ] {
            assert!(message.starts_with("`x` must be "), "{message}");
        }
    }
}
