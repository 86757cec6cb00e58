//! Who asks: the local user, the administrator, or the holder of a virtual key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::catalogue::Model;
use super::ids::InvalidId;
use super::layer::{Layer, UnknownWord, words};

/// A virtual key's id, which is no secret: `key_` and 32 hex digits, sortable by the time it was made (UUID version 7).
/// A key that is rotated keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Arc<str>);

const KEY_PREFIX: &str = "key_";

impl KeyId {
    /// A fresh id.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("{KEY_PREFIX}{}", Uuid::now_v7().simple()).into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = text.strip_prefix(KEY_PREFIX).unwrap_or_default();
        if digits.len() == 32 && digits.bytes().all(is_digit) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                what: "key id",
                must_be: "key_ and 32 hex digits",
            })
        }
    }
}

words! {
    /// What a caller may do; each role may do what those before it may.
    AccessRole {
        /// Has models answer, and reads what is its own.
        User = "user",
        /// Reads everything, changes nothing.
        Operator = "operator",
        /// Everything.
        Admin = "admin",
    }
}

/// What is known of a virtual key that was shown: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The key's id.
    pub id: KeyId,
    /// The project that its calls belong to.
    pub project: Option<Arc<str>>,
    /// The user that its calls belong to.
    pub user: Option<Arc<str>>,
    /// What its holder may do.
    pub role: AccessRole,
    /// The dearest layer that may answer.
    pub max_layer: Option<Layer>,
    /// The models that may answer: names or patterns in which `*` stands for any run of characters, matched with a
    /// model's id and its provider's name for it. None: all of them.
    pub models: Option<Arc<[Arc<str>]>>,
    /// From when on it is refused, in microseconds since 1970 (UTC).
    pub expires_at: Option<i64>,
    /// How much it may be used.
    pub limits: RateLimits,
}

impl KeyIdentity {
    /// Whether this model may answer the key's holder.
    #[must_use]
    pub fn may_use(&self, model: &Model) -> bool {
        let in_layers = self.max_layer.is_none_or(|max| model.layer <= max);
        in_layers && self.models.as_deref().is_none_or(|models| model.is_among(models))
    }
}

/// How much may be asked for in a minute, and at once. None: without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateLimits {
    /// Requests in a minute.
    pub rpm: Option<u32>,
    /// Tokens in a minute, input and output together.
    pub tpm: Option<u64>,
    /// Requests under way at once.
    pub max_concurrent: Option<u32>,
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Whoever reaches a gateway that wants no key.
    Local,
    /// Who has the administrator's key.
    Admin,
    /// Who has this virtual key.
    Key(Arc<KeyIdentity>),
}

impl Caller {
    /// What the caller may do.
    #[must_use]
    pub fn role(&self) -> AccessRole {
        match self {
            Self::Local | Self::Admin => AccessRole::Admin,
            Self::Key(key) => key.role,
        }
    }

    /// The virtual key, if there is one.
    #[must_use]
    pub fn key(&self) -> Option<&KeyIdentity> {
        match self {
            Self::Local | Self::Admin => None,
            Self::Key(key) => Some(key),
        }
    }

    /// Whether this model may answer the caller.
    #[must_use]
    pub fn may_use(&self, model: &Model) -> bool {
        self.key().is_none_or(|key| key.may_use(model))
    }

    /// Whose conversations and stored responses the caller sees: those of its project and user, or of the key alone
    /// where it has neither. None: those of nobody in particular, which only callers without a virtual key see.
    #[must_use]
    pub fn tenant(&self) -> Option<Arc<str>> {
        let key = self.key()?;
        Some(match (&key.project, &key.user) {
            (None, None) => format!("k={}", key.id).into(),
            (Some(project), None) => format!("p={project}").into(),
            (None, Some(user)) => format!("u={user}").into(),
            // The length keeps one pair's text from being another's.
            (Some(project), Some(user)) => format!("b={}={project}={user}", project.len()).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(project: Option<&str>, user: Option<&str>) -> Caller {
        Caller::Key(Arc::new(KeyIdentity {
            id: KeyId::generate(),
            project: project.map(Arc::from),
            user: user.map(Arc::from),
            role: AccessRole::User,
            max_layer: None,
            models: None,
            expires_at: None,
            limits: RateLimits::default(),
        }))
    }

    #[test]
    fn key_ids_survive_printing_and_parsing_and_nothing_else_is_one() {
        let id = KeyId::generate();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        for bad in ["", "key_", "key_123", &id.as_str().to_uppercase(), &format!("{id}0")] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn tenants_differ_when_project_user_or_key_differ() {
        let tenants = [
            key(None, None).tenant(),
            key(None, None).tenant(),
            key(Some("a"), None).tenant(),
            key(None, Some("a")).tenant(),
            key(Some("a"), Some("b")).tenant(),
            key(Some("a=b"), Some("c")).tenant(),
            key(Some("a"), Some("b=c")).tenant(),
        ];
        let distinct: std::collections::HashSet<_> = tenants.iter().collect();
        assert_eq!(distinct.len(), tenants.len());
        assert_eq!(key(Some("a"), None).tenant(), key(Some("a"), None).tenant());
        assert_eq!((Caller::Local.tenant(), Caller::Admin.tenant()), (None, None));
    }
}
