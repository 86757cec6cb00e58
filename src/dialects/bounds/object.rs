//! The members of the body, or of an object in it, each by what its dialect's table says of it. Content is walked through
//! where it stands, so that it is read once.

use std::fmt;

use gateway_actors::protocol::GatewayError;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::content::Walk;
use super::effect::{Effect, Field};
use super::reading::Reading;
use crate::dialects::object::Text;
use crate::dialects::place::At;

/// Reads an object whose fields are in a table.
#[derive(Debug)]
pub(super) struct Fields<'r, 'a> {
    pub(super) reading: &'r mut Reading<'a>,
    pub(super) table: &'static [Field],
    /// The field of the body that it is the value of.
    pub(super) within: Option<&'static str>,
    /// What is wrong, where reading stopped.
    pub(super) problem: &'r mut Option<GatewayError>,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for Fields<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Fields<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen: Vec<&'static str> = Vec::with_capacity(self.table.len());
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            let Some(field) = self.table.iter().find(|field| field.name == name) else {
                let value = map.next_value()?;
                self.check(|reading| reading.unlisted(&name, value))?;
                continue;
            };
            if seen.contains(&field.name) {
                let message = format!("`{}` is given more than once: send it once", field.name);
                return self.check(|_| Err(GatewayError::invalid(field.name, message)));
            }
            seen.push(field.name);
            let above = At::top(self.within.unwrap_or(field.name));
            let at = match self.within {
                Some(_) => above.member(field.name),
                None => above,
            };
            if matches!(field.effect, Effect::Content) {
                let walk = Walk::of(self.reading, &at, self.problem);
                if let Err(error) = map.next_value_seed(walk) {
                    self.problem.get_or_insert_with(|| at.wrong("cannot be read"));
                    return Err(error);
                }
                continue;
            }
            let value: &'a RawValue = map.next_value()?;
            // A cap is to be put in its place.
            if value.get() != "null" || matches!(field.effect, Effect::Cap) {
                self.check(|reading| reading.field(*field, value, &at))?;
            }
        }
        Ok(())
    }
}

impl<'a> Fields<'_, 'a> {
    /// Stops where something is wrong.
    fn check<E: Error>(&mut self, read: impl FnOnce(&mut Reading<'a>) -> Result<(), GatewayError>) -> Result<(), E> {
        read(self.reading).map_err(|error| {
            *self.problem = Some(error);
            E::custom("stopped")
        })
    }
}
