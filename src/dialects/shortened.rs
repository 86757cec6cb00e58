//! Names that say nothing but that two things are the same one, made to fit where a provider limits their length.
//!
//! The same name always becomes the same one, and different ones stay different, so that nothing is lost by it: results
//! stay with their calls, and a provider still tells end users apart and finds its prompt cache. What it shows of them
//! elsewhere is the shorter name.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// The longest end user's name and cache key that OpenAI takes ("Expected a string with maximum length 64"), and the
/// shortest limit of any provider.
pub(super) const MOST_KEY_BYTES: usize = 64;

/// An end user's name or a cache key of at most 64 bytes: itself, or the hexadecimal digits of its SHA-256.
pub(super) fn key(name: &str) -> Cow<'_, str> {
    if name.len() <= MOST_KEY_BYTES {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(digest(name))
    }
}

/// The hexadecimal digits of a text's SHA-256, of which there are 64.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id of a call of at most so many bytes, which are 29 or more: itself, or one with a part of its digest.
pub(super) fn call_id(id: &str, most: usize) -> Cow<'_, str> {
    if id.len() <= most {
        return Cow::Borrowed(id);
    }
    let digest = digest(id);
    Cow::Owned(format!("call_{}", digest.get(..24).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_stays_and_any_other_becomes_one_that_does_and_is_always_the_same() {
        let (fits, long) = ("u".repeat(64), "u".repeat(65));
        assert_eq!(key(&fits), fits);
        let short = key(&long);
        assert_eq!((short.len(), &short), (64, &key(&long)));
        assert_ne!(short, key(&"u".repeat(66)));
        assert!(short.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(call_id(&fits, 64), fits);
        assert_eq!(call_id(&long, 64).len(), 29);
        assert_eq!(call_id(&long, 64), call_id(&long, 40));
        assert_ne!(call_id(&fits, 40), call_id(&long, 40));
    }
}
