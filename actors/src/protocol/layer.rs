//! The vocabulary of routing: layers, task types, quality levels and what a request needs of a model.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Defines a closed set of words with their spelling on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value's spelling in settings, requests and records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { expected: &[$($text),+] }),
                }
            }
        }
    };
}

pub(super) use words;

/// A word that is not one of those allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", expected.join(", "))]
pub struct UnknownWord {
    /// The words that are allowed.
    pub expected: &'static [&'static str],
}

words! {
    /// A tier of models, from free to premium.
    Layer {
        /// Free or local models.
        L0 = "L0",
        /// Cheap models.
        L1 = "L1",
        /// Mid-priced models.
        L2 = "L2",
        /// Premium models.
        L3 = "L3",
    }
}

impl Layer {
    /// 0 for L0 up to 3 for L3.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

words! {
    /// What kind of work a request is; picks the task list that orders the candidates.
    TaskType {
        /// Conversation and questions (`CHAT_MODELS`).
        Chat = "chat",
        /// Writing or changing code (`CODE_MODELS`).
        Code = "code",
        /// Analysis and debugging (`ANALYZE_MODELS`).
        Analyze = "analyze",
        /// Scaffolding a project (`CREATE_PROJECT_MODELS`).
        CreateProject = "create-project",
        /// Anything else; no task list.
        General = "general",
    }
}

words! {
    /// How much the caller cares for the answer's quality.
    QualityLevel {
        /// The cheapest model that can do it.
        Normal = "normal",
        /// A better model where there is one.
        High = "high",
        /// The answer matters more than its price.
        Critical = "critical",
    }
}

words! {
    /// One thing a model can do.
    Capability {
        /// Answers messages.
        Chat = "chat",
        /// Writes code.
        Code = "code",
        /// Reasons in steps.
        Reasoning = "reasoning",
        /// Calls tools.
        Tools = "tools",
        /// Keeps to a JSON schema or object format.
        Json = "json",
        /// Reads images.
        Vision = "vision",
        /// Goes on with a plain text, in OpenAI's completions before chat (`/v1/completions`).
        Completions = "completions",
        /// Turns texts into vectors (`/v1/embeddings`).
        Embeddings = "embeddings",
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Capabilities(u8);

impl Capabilities {
    /// No capability.
    pub const NONE: Self = Self(0);

    /// This set and one more.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability as u8)
    }

    /// Whether the set holds a capability.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// What `needed` asks for and this set lacks.
    #[must_use]
    pub const fn missing(self, needed: Self) -> Self {
        Self(needed.0 & !self.0)
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The capabilities in the set.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.iter().copied().filter(move |&one| self.has(one))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, capability) in self.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{capability}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_parse_only_in_their_exact_spelling() {
        assert_eq!("L2".parse::<Layer>().unwrap(), Layer::L2);
        assert!("l2".parse::<Layer>().is_err());
        assert_eq!("create-project".parse::<TaskType>().unwrap(), TaskType::CreateProject);
        let error = "ultra".parse::<QualityLevel>().unwrap_err();
        assert_eq!(error.to_string(), "expected one of normal, high, critical");
    }

    #[test]
    fn missing_capabilities_are_named() {
        let model: Capabilities = [Capability::Chat, Capability::Tools].into_iter().collect();
        let needed: Capabilities = [Capability::Tools, Capability::Vision].into_iter().collect();
        assert_eq!(model.missing(needed).to_string(), "vision");
    }
}
