//! Names that are another's but for the case of their letters. Some servers (those written in Go, by its usual library)
//! read them as that name, so that one request would be two: the one that the gateway looked at, and the one that is
//! answered and billed.

use std::fmt;

use gateway_actors::protocol::GatewayError;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The name of the member that says which model is asked.
const MODEL: &str = "model";

/// Whether a name is one of these in other letters.
pub(super) fn is_respelled(name: &str, names: &[&str]) -> bool {
    names
        .iter()
        .any(|known| *known != name && known.eq_ignore_ascii_case(name))
}

/// The error for a body that names its model by another spelling of the member.
pub(super) fn respelled_model() -> GatewayError {
    GatewayError::invalid(MODEL, "`model` must be written in small letters, and given once")
}

/// The name of a member that is not read. Kept is whether it is `model` in other letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OtherName {
    pub(super) is_model: bool,
}

impl OtherName {
    /// What is to be known of this name.
    pub(super) fn of(name: &str) -> Self {
        Self {
            is_model: is_respelled(name, &[MODEL]),
        }
    }
}

impl<'de> Deserialize<'de> for OtherName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = OtherName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<OtherName, E> {
                Ok(OtherName::of(name))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_other_letters_is_told_from_itself_and_from_others() {
        for (name, expected) in [
            ("model", false),
            ("Model", true),
            ("MODEL", true),
            ("models", false),
            ("", false),
        ] {
            assert_eq!(is_respelled(name, &["stream", MODEL]), expected, "{name}");
        }
        let name: OtherName = serde_json::from_str(r#""m\u004fdel""#).unwrap();
        assert!(name.is_model);
    }
}
