//! Ids of what orchestration keeps, and the places of a request's attempts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id_text::IdText;
use super::ids::InvalidId;

/// Defines an id that is sortable by the time it was made (UUID version 7) and printed as a prefix and 32 hex digits.
macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id that no other process will make.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id as it is printed, without an allocation.
            #[must_use]
            pub fn text(&self) -> IdText {
                IdText::new().with($prefix).with_hex(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = text.strip_prefix($prefix).unwrap_or_default();
                match Uuid::try_parse(digits) {
                    Ok(id) if digits.len() == 32 => Ok(Self(id)),
                    _ => Err(InvalidId {
                        what: $what,
                        must_be: concat!($prefix, " and 32 hex digits"),
                    }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

prefixed_id! {
    /// An offer to go on with a dearer layer: `esc_` and 32 hex digits.
    EscalationId, "esc_", "escalation id"
}

prefixed_id! {
    /// An experiment: `exp_` and 32 hex digits.
    ExperimentId, "exp_", "experiment id"
}

prefixed_id! {
    /// A heuristic or a note of a bug: `imp_` and 32 hex digits.
    ImprovementId, "imp_", "improvement id"
}

/// The places of a request's attempts, from 1. What is made of several legs shares one count, so that no two attempts have
/// the same place; a plain request counts its own attempts and keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct Ordinals(Option<Arc<AtomicU8>>);

impl Ordinals {
    /// From this many attempts on no further leg is begun: what runs already may make a few more.
    pub const MOST: u8 = 250;

    /// A count that clones of this share.
    #[must_use]
    pub fn shared() -> Self {
        Self(Some(Arc::default()))
    }

    /// The next attempt's place, for a leg that has made this many attempts itself; nothing when there is no place left.
    #[must_use]
    pub fn next(&self, own: usize) -> Option<u8> {
        match &self.0 {
            None => u8::try_from(own + 1).ok(),
            Some(taken) => {
                let before = taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| taken.checked_add(1));
                before.ok().map(|before| before + 1)
            }
        }
    }

    /// Whether no further leg may begin.
    #[must_use]
    pub fn are_spent(&self) -> bool {
        let taken = self.0.as_ref().map(|taken| taken.load(Ordering::Acquire));
        taken.is_some_and(|taken| taken >= Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_printing_and_parsing_and_bytes() {
        let id = EscalationId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(EscalationId::from_bytes(*id.as_bytes()), id);
        assert!(id.to_string().starts_with("esc_"));
        for bad in ["", "esc_", "exp_0190f1c2a4b87c3d9e0f112233445566", "esc_0190f1c2"] {
            assert!(bad.parse::<EscalationId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn legs_that_share_a_count_never_get_the_same_place() {
        let (one, own) = (Ordinals::shared(), Ordinals::default());
        let other = one.clone();
        assert_eq!((one.next(0), other.next(0), one.next(1)), (Some(1), Some(2), Some(3)));
        assert_eq!((own.next(0), own.next(1), own.next(255)), (Some(1), Some(2), None));
        for _ in 4..=249 {
            assert!(!one.are_spent());
            assert!(other.next(0).is_some());
        }
        assert_eq!((one.next(0), one.are_spent()), (Some(250), true));
        for place in 251..=255 {
            assert_eq!(one.next(0), Some(place));
        }
        assert_eq!(one.next(0), None);
    }
}
