//! Stored responses: answers in OpenAI's Responses API that a later request may go on from, and the port to where they
//! are kept.
//!
//! A response keeps what its own request added and what was answered; what came before it is the response it went on
//! from. So a conversation is a chain of responses, each of which can be gone on from more than once, read again and
//! deleted.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use super::ids::{InvalidId, RequestId, client_text, stored_name, within};
use super::store::StoreFuture;

/// What all responses of a chain may have together, in bytes of input and body: one that has more is not read, so that
/// no request takes more memory than this.
pub const CHAIN_BYTES: u64 = 64 * 1024 * 1024;

/// How many responses [`ResponseStore::purge_expired`] removes at once, at most.
pub const PURGE_BATCH: usize = 50;

/// A response's name, by which clients address it: 1 to 128 of `A-Z a-z 0-9 _ -`, so that it can address nothing else,
/// within its tenant ([`Caller::tenant`](super::Caller::tenant)). Stored as `tenant/name`, or as the name alone where
/// there is no tenant; read from a text it is the name alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseId(Arc<str>);

impl ResponseId {
    /// A fresh id that no other process will make: `resp_` and 32 hex digits, sortable by time (UUID version 7).
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("resp_{}", Uuid::now_v7().simple()).into())
    }

    /// The response that this tenant knows by the same name.
    #[must_use]
    pub fn within(&self, tenant: Option<&str>) -> Self {
        Self(within(tenant, self.client_text()))
    }

    /// The response that is stored under this id.
    ///
    /// # Errors
    /// When none can be.
    pub fn from_stored(text: &str) -> Result<Self, InvalidId> {
        match stored_name(text, "response id")? {
            Some(name) => name.parse::<Self>().map(|_name| Self(text.into())),
            None => text.parse(),
        }
    }

    /// The id as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as clients write it.
    #[must_use]
    pub fn client_text(&self) -> &str {
        client_text(&self.0)
    }
}

impl fmt::Display for ResponseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ResponseId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId {
                what: "response_id",
                must_be: "1 to 128 characters out of A-Z a-z 0-9 _ -",
            })
        }
    }
}

/// A response that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// Its name.
    pub id: ResponseId,
    /// The response it went on from, which may be gone since. Never itself.
    pub previous: Option<ResponseId>,
    /// The request that it answered.
    pub request: RequestId,
    /// When it was made, in microseconds since 1970 (UTC).
    pub created_at: i64,
    /// The model that answered, by its id. Like the other texts it has no U+0000, which PostgreSQL cannot keep: JSON
    /// writes that as an escape.
    pub model: Arc<str>,
    /// The items that its own request gave as input, as the text of a JSON array; not those of the responses before it.
    pub input: Arc<str>,
    /// The response object as the client got it, as JSON text.
    pub body: Arc<str>,
    /// From when on it is as if it were not there, in microseconds since 1970 (UTC), by the database's clock.
    pub expires_at: i64,
}

/// A response and everything before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// All of it, oldest first; the last is the response that was asked for.
    Whole(Vec<StoredResponse>),
    /// A response is not there: it never was, was deleted, or has expired.
    Broken {
        /// That response: the one that was asked for, or one that a later one went on from.
        missing: ResponseId,
    },
    /// There are more responses than were asked for.
    TooLong,
    /// They have more than [`CHAIN_BYTES`] together.
    TooLarge,
}

/// The responses in the database.
pub trait ResponseStore: fmt::Debug + Send + Sync {
    /// Stores a response; durable when the future is ready. Idempotent: the same response is stored once.
    ///
    /// # Errors
    /// [`StoreError::ResponseMismatch`](super::store::StoreError::ResponseMismatch) when another response has its id.
    fn put(&self, response: StoredResponse) -> StoreFuture<()>;

    /// Reads a response, if it is there.
    fn get(&self, id: &ResponseId) -> StoreFuture<Option<StoredResponse>>;

    /// Reads a response and everything before it, as they are at one moment, if they are at most so many.
    fn chain(&self, id: &ResponseId, most: u32) -> StoreFuture<Chain>;

    /// Deletes a response; whether it was there. Those that went on from it stay, and their chains are
    /// [`Chain::Broken`] from then on.
    ///
    /// A job that the database did not acknowledge is run again, and may not find what it has deleted itself: `false`
    /// says that the response is gone, not who deleted it.
    fn delete(&self, id: &ResponseId) -> StoreFuture<bool>;

    /// Removes those that expired first, at most [`PURGE_BATCH`]; how many they were. Fewer than that: none is left.
    fn purge_expired(&self) -> StoreFuture<usize>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_the_charset_are_refused() {
        for bad in [
            "",
            "resp/1",
            "resp.1",
            "..",
            "resp 1",
            "resp_1\n",
            "resp%5f1",
            "*",
            "r\u{e9}sp",
            &"x".repeat(129),
        ] {
            let refused = bad.parse::<ResponseId>().unwrap_err();
            assert_eq!(
                refused.to_string(),
                "response_id must be 1 to 128 characters out of A-Z a-z 0-9 _ -",
                "{bad:?}"
            );
        }
    }

    #[test]
    fn ids_of_the_charset_survive_parsing_and_printing() {
        for good in ["r", "resp_68af4030592c81938ec0a5fbab4a3e9f", "-_-", &"x".repeat(128)] {
            assert_eq!(good.parse::<ResponseId>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn generated_ids_are_ids_and_differ() {
        let (one, other) = (ResponseId::generate(), ResponseId::generate());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.as_str().len(), "resp_".len() + 32);
            assert_eq!(id.as_str().parse::<ResponseId>().unwrap(), id);
        }
    }
}
