//! Virtual keys as they are kept, and the port to where they are: never the key itself, only a digest of it that nobody
//! can make without the database's secret.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::ids::InvalidId;
use super::layer::Layer;
use super::scope::Scope;
use super::store::StoreFuture;
use super::tenancy::{KeyId, KeyIdentity, RateLimits};

/// 32 bytes, printed and read as 64 hexadecimal digits.
macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// These bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The bytes as the database has them: hexadecimal digits.
            #[must_use]
            pub fn to_hex(&self) -> String {
                hex_of(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                bytes_of(text).map(Self).ok_or(InvalidId {
                    what: $what,
                    must_be: "64 hexadecimal digits",
                })
            }
        }
    };
}

bytes32! {
    /// The digest that a key is known by: HMAC-SHA-256 of its whole text under the database's [`HashSecret`].
    KeyHash, "digest"
}

bytes32! {
    /// What keys are hashed with: random, made once for each database.
    HashSecret, "secret"
}

fn hex_of(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 64 || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A key that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Who its holder is.
    pub identity: KeyIdentity,
    /// What people call it.
    pub name: Arc<str>,
    /// The key's first characters, by which people know it.
    pub prefix: Arc<str>,
    /// The key's digest.
    pub hash: KeyHash,
}

/// A key that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Who its holder is.
    pub identity: Arc<KeyIdentity>,
    /// What people call it.
    pub name: Arc<str>,
    /// The key's first characters.
    pub prefix: Arc<str>,
    /// The key's digest.
    pub hash: KeyHash,
    /// The digest of the key before the last rotation, and until when that is taken, if not for ever gone.
    pub previous: Option<PreviousHash>,
    /// When it was made, in microseconds since 1970 (UTC), like the other times by the database's clock.
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
    /// When it was revoked; it stays so.
    pub revoked_at: Option<i64>,
}

/// What a key was before it was rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousHash {
    /// Its digest.
    pub hash: KeyHash,
    /// From when on it is refused, in microseconds since 1970 (UTC).
    pub until: i64,
}

/// What is to become of a key. What is absent stays; what may be without a value has two levels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChange {
    /// Its name.
    pub name: Option<Arc<str>>,
    /// The dearest layer that may answer.
    pub max_layer: Option<Option<Layer>>,
    /// The models that may answer.
    pub models: Option<Option<Arc<[Arc<str>]>>>,
    /// From when on it is refused.
    pub expires_at: Option<Option<i64>>,
    /// Requests in a minute.
    pub rpm: Option<Option<u32>>,
    /// Tokens in a minute.
    pub tpm: Option<Option<u64>>,
    /// Requests at once.
    pub max_concurrent: Option<Option<u32>>,
}

/// A new text of a key that stays the same otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The new text's digest.
    pub hash: KeyHash,
    /// Its first characters.
    pub prefix: Arc<str>,
    /// How long the old text is still taken.
    pub grace: Duration,
}

/// Keys and rates that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// The keys that changed; those that are revoked too, unless all were asked for.
    pub keys: Vec<StoredKey>,
    /// The rates of projects and users that changed; nothing where they were deleted.
    pub limits: Vec<(Scope, Option<RateLimits>)>,
    /// What to ask from the next time.
    pub next: KeyCursor,
    /// The database's time, in microseconds since 1970 (UTC).
    pub now: i64,
}

/// Places in the orders in which keys and rates change; the default is before the first. Each change has a place behind all
/// that were durable before it, whatever the clocks say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCursor {
    /// Among the changes of keys.
    pub keys: i64,
    /// Among the changes of rates.
    pub limits: i64,
}

/// The rates of projects and users, as they are known to a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitRules(HashMap<Scope, RateLimits>);

impl LimitRules {
    /// The rates of this scope, if it has any.
    #[must_use]
    pub fn of(&self, scope: &Scope) -> Option<RateLimits> {
        self.0.get(scope).copied()
    }

    /// Whether no scope has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets or removes the rates of a scope.
    pub fn set(&mut self, scope: Scope, limits: Option<RateLimits>) {
        match limits {
            Some(limits) => self.0.insert(scope, limits),
            None => self.0.remove(&scope),
        };
    }
}

/// The keys, and the rates of projects and users, in the database.
///
/// Whatever changes something is durable when its future is ready, and may be repeated.
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// What this database's keys are hashed with: made by whoever asks first, the same for all.
    fn hash_secret(&self) -> StoreFuture<HashSecret>;

    /// Stores a key.
    fn create(&self, key: NewKey) -> StoreFuture<StoredKey>;

    /// Reads keys in the order in which they were made, those behind this one or the first, at most so many; revoked
    /// and expired ones too.
    fn list(&self, after: Option<KeyId>, most: u32) -> StoreFuture<Vec<StoredKey>>;

    /// Reads a key, if there is one.
    fn get(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>>;

    /// Changes a key; nothing if there is none or it was revoked.
    fn update(&self, id: &KeyId, change: KeyChange) -> StoreFuture<Option<StoredKey>>;

    /// Revokes a key for ever; nothing if there is none. One that was revoked stays as it is.
    fn revoke(&self, id: &KeyId) -> StoreFuture<Option<StoredKey>>;

    /// Gives a key another text; nothing if there is none or it was revoked. What was before the text that it has now is
    /// refused from then on.
    fn rotate(&self, id: &KeyId, rotation: Rotation) -> StoreFuture<Option<StoredKey>>;

    /// What changed behind these places; without them all that holds.
    fn changes(&self, since: Option<KeyCursor>) -> StoreFuture<KeyChanges>;

    /// Sets the rates of a project or user.
    fn set_limits(&self, scope: Scope, limits: RateLimits) -> StoreFuture<()>;

    /// The rates of a project or user, if there are any.
    fn limits(&self, scope: Scope) -> StoreFuture<Option<RateLimits>>;

    /// Deletes the rates of a project or user; whether there were any.
    fn delete_limits(&self, scope: Scope) -> StoreFuture<bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_survive_printing_and_parsing_and_are_not_told_in_debug() {
        let mut bytes = [0xa5; 32];
        bytes[0] = 0x0f;
        let hash = KeyHash::new(bytes);
        let text = hash.to_hex();
        assert!(text.starts_with("0fa5") && text.len() == 64);
        assert_eq!(text.parse(), Ok(hash));
        for bad in ["", "0f", &text.to_uppercase(), &format!("{text}0"), &"é".repeat(32)] {
            assert!(bad.parse::<KeyHash>().is_err(), "{bad:?} was accepted");
        }
        assert_eq!(format!("{hash:?}"), "KeyHash(…)");
        assert_eq!(format!("{:?}", HashSecret::new(bytes)), "HashSecret(…)");
    }
}
