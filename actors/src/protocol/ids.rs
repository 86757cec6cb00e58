//! Names of things: requests, attempts, processes, cells, conversations, providers and models.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id_text::IdText;

/// An id or name that does not have the form it must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {must_be}")]
pub struct InvalidId {
    /// What was being read, for example `conversationId`.
    pub what: &'static str,
    /// The form it must have, in words.
    pub must_be: &'static str,
}

/// What a request's id begins with.
const REQUEST_PREFIX: &str = "req_";

/// One request of a client. Sortable by time (UUID version 7); printed as `req_` and 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A fresh id that no other process will make.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl RequestId {
    /// The id as it is printed, without an allocation.
    #[must_use]
    pub fn text(&self) -> IdText {
        IdText::new().with(REQUEST_PREFIX).with_hex(&self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for RequestId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId {
            what: "request id",
            must_be: "req_ and 32 hex digits",
        };
        let digits = text.strip_prefix(REQUEST_PREFIX).ok_or_else(|| invalid.clone())?;
        match Uuid::try_parse(digits) {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(invalid),
        }
    }
}

/// One call of a provider on behalf of a request: the request's id and the attempt's place in it, from 1.
///
/// Settlement is idempotent by this id, and the call record's primary key is its printed form (`<request>.<n>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// The request on whose behalf the call is made.
    pub request: RequestId,
    /// 1 for the first attempt of the request.
    pub ordinal: u8,
}

impl AttemptId {
    /// The id as it is printed, without an allocation.
    #[must_use]
    pub fn text(&self) -> IdText {
        self.request.text().with(".").with_number(self.ordinal)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId {
            what: "attempt id",
            must_be: "a request id, a dot and a number from 1 to 255",
        };
        let (request, ordinal) = text.rsplit_once('.').ok_or_else(|| invalid.clone())?;
        match (request.parse(), ordinal.parse::<u8>()) {
            (Ok(request), Ok(ordinal)) if ordinal > 0 => Ok(Self { request, ordinal }),
            _ => Err(invalid),
        }
    }
}

/// One start of the gateway process. Leases and journals are owned by an instance, so that a restart can tell its dead
/// predecessor's from a living neighbour's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Uuid);

impl InstanceId {
    /// A fresh id for this start of the process.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl InstanceId {
    /// The id as it is printed, without an allocation.
    #[must_use]
    pub fn text(&self) -> IdText {
        IdText::new().with_hex(&self.0)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl FromStr for InstanceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Uuid::try_parse(text) {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(InvalidId {
                what: "instance id",
                must_be: "32 hex digits",
            }),
        }
    }
}

/// One cell of a process: the actors and the client of one worker thread. Numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellId(pub u16);

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Serialises an id through its printed form.
macro_rules! serde_by_text {
    ($($id:ty),+) => {$(
        impl Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

serde_by_text!(RequestId, AttemptId, InstanceId);

impl Serialize for ConversationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for ConversationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_stored(&text).map_err(serde::de::Error::custom)
    }
}

/// A conversation: the client's name for it, 1 to 128 of `A-Z a-z 0-9 . _ -`, so that it can address nothing else, within
/// its tenant ([`Caller::tenant`](super::Caller::tenant)). Stored as `tenant/name`, or as the name alone where there is no
/// tenant; read from a text it is the name alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId(Arc<str>);

/// What stands between the tenant and the client's name, and in no client's name.
const TENANT_END: char = '/';
/// Bytes of a stored id: a tenant is made of two labels of at most 256 bytes and a few signs.
const STORED_BYTES: usize = 1024;

/// What a tenant's thing of this name is stored under.
pub(super) fn within(tenant: Option<&str>, name: &str) -> Arc<str> {
    match tenant {
        Some(tenant) => format!("{tenant}{TENANT_END}{name}").into(),
        None => name.into(),
    }
}

/// The name in what is stored.
pub(super) fn client_text(stored: &str) -> &str {
    stored.rsplit_once(TENANT_END).map_or(stored, |(_, name)| name)
}

/// The name behind a tenant, if there is one.
pub(super) fn stored_name<'a>(stored: &'a str, what: &'static str) -> Result<Option<&'a str>, InvalidId> {
    let Some((tenant, name)) = stored.rsplit_once(TENANT_END) else {
        return Ok(None);
    };
    let is_tenant = !tenant.is_empty() && stored.len() <= STORED_BYTES && !tenant.chars().any(char::is_control);
    match is_tenant {
        true => Ok(Some(name)),
        false => Err(InvalidId {
            what,
            must_be: "a tenant, a slash and a name",
        }),
    }
}

impl ConversationId {
    /// A fresh id for a client that gave none.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("conv-{}", Uuid::now_v7().simple()).into())
    }

    /// The conversation that this tenant knows by the same name.
    #[must_use]
    pub fn within(&self, tenant: Option<&str>) -> Self {
        Self(within(tenant, self.client_text()))
    }

    /// The conversation that is stored under this id.
    ///
    /// # Errors
    /// When none can be.
    pub fn from_stored(text: &str) -> Result<Self, InvalidId> {
        match stored_name(text, "conversation id")? {
            Some(name) => name.parse::<Self>().map(|_name| Self(text.into())),
            None => text.parse(),
        }
    }

    /// The id as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the client wrote it.
    #[must_use]
    pub fn client_text(&self) -> &str {
        client_text(&self.0)
    }

    /// Whether it belongs to a tenant.
    #[must_use]
    pub fn has_tenant(&self) -> bool {
        self.0.contains(TENANT_END)
    }

    /// Whether what holds for this id holds for that conversation: for one of a tenant's, itself alone; for a name
    /// without a tenant, every conversation of that name, whoever's it is.
    #[must_use]
    pub fn covers(&self, conversation: &Self) -> bool {
        self == conversation || self.as_str() == conversation.client_text()
    }

    fn text(&self) -> &str {
        &self.0
    }
}

/// By its stored id.
impl Borrow<str> for ConversationId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ConversationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                what: "conversationId",
                must_be: "1 to 128 characters out of A-Z a-z 0-9 . _ -",
            })
        }
    }
}

/// Defines a cheap-to-clone name that is compared and printed as its text.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// A configured provider's name (`[[providers]] name`).
    ProviderName
}

name! {
    /// The gateway's own name for a model (`[[models]] id`); unique in the catalogue.
    ModelId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_printing_and_parsing() {
        let attempt = AttemptId {
            request: RequestId::generate(),
            ordinal: 3,
        };
        assert_eq!(attempt.to_string().parse::<AttemptId>().unwrap(), attempt);
        let instance = InstanceId::generate();
        assert_eq!(instance.to_string().parse::<InstanceId>().unwrap(), instance);
    }

    #[test]
    fn conversation_ids_outside_the_charset_are_refused() {
        for bad in [
            "",
            "a/b",
            "..%00",
            "a b",
            "conv:messages:x",
            "*",
            "\u{1F600}",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<ConversationId>().is_err(), "{bad:?} was accepted");
        }
        assert!("conv-123.A_b".parse::<ConversationId>().is_ok());
    }

    #[test]
    fn a_conversation_of_a_tenant_is_stored_apart_and_told_by_its_own_name() {
        let asked: ConversationId = "conv-1".parse().unwrap();
        let stored = asked.within(Some("p=a/b c"));
        assert_eq!((stored.as_str(), stored.client_text()), ("p=a/b c/conv-1", "conv-1"));
        assert_eq!(ConversationId::from_stored(stored.as_str()), Ok(stored.clone()));
        assert_eq!(stored.within(None), asked);
        let other = asked.within(Some("p=b"));
        assert!(stored.has_tenant() && !asked.has_tenant());
        assert!(asked.covers(&asked) && asked.covers(&stored) && asked.covers(&other) && stored.covers(&stored));
        assert!(!stored.covers(&asked) && !stored.covers(&other));
        let json = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<ConversationId>(&json).unwrap(), stored);
        for bad in ["/conv-1", "t/", "t\n/conv-1", "t/a b"] {
            assert!(ConversationId::from_stored(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
