//! Members that an object has twice. Most parsers let the last of them count without a word; nobody knows which one was
//! meant, least of all where it decides about money.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The first member that an object in this JSON has twice, however deep it is. Escapes in names are resolved.
pub(super) fn given_twice(json: &str) -> Option<String> {
    // What cannot be read is told by whoever reads it.
    serde_json::from_str(json).ok().and_then(|Twice(name)| name)
}

/// Reads any value to its end.
struct Twice(Option<String>);

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TwiceVisitor).map(Self)
    }
}

struct TwiceVisitor;

impl<'de> Visitor<'de> for TwiceVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut names, mut found) = (HashSet::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            let Twice(within) = map.next_value()?;
            if let Some(name) = names.replace(name) {
                found = found.or(Some(name));
            }
            found = found.or(within);
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Twice(within)) = items.next_element()? {
            found = found.or(within);
        }
        Ok(found)
    }

    fn visit_str<E>(self, _text: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _number: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _flag: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_object_has_twice_is_found_wherever_it_is() {
        for (json, name) in [
            (r#"{"a":1,"b":[null,true,1.5,-2,"x"],"c":{"a":1}}"#, None),
            (r#"[{"a":1},{"a":1}]"#, None),
            (r#"{"a":1,"a":1}"#, Some("a")),
            (r#"{"a":1,"b":2,"\u0061":1}"#, Some("a")),
            (r#"{"a":{"b":[{"c":1,"c":null}]}}"#, Some("c")),
            (r#"{"":1,"":1}"#, Some("")),
        ] {
            assert_eq!(given_twice(json).as_deref(), name, "{json}");
        }
    }
}
