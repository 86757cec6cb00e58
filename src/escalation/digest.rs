//! What a request means, in 16 bytes: two requests with the same digest ask for the same thing.

use sha2::{Digest, Sha256};

/// The first 16 bytes of SHA-256 over a request's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestDigest(pub(crate) [u8; 16]);

/// A request's meaning, told part by part. Each part is written with its length, and one that is absent as such, so that no
/// two lists of parts are written alike.
#[derive(Debug, Clone)]
pub(crate) struct Meaning(Sha256);

impl Meaning {
    /// That of a request to this endpoint.
    pub(crate) fn of(endpoint: &str) -> Self {
        Self(Sha256::new()).text(Some(endpoint))
    }

    /// The next part.
    pub(crate) fn text(mut self, part: Option<&str>) -> Self {
        match part {
            None => self.0.update([0]),
            Some(part) => {
                self.0.update([1]);
                self.0
                    .update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                self.0.update(part);
            }
        }
        self
    }

    /// The next part, a number.
    pub(crate) fn number(self, part: Option<f64>) -> Self {
        // 0 and -0 are the same number.
        let spelled = part.map(|number| format!("{:?}", number + 0.0));
        self.text(spelled.as_deref())
    }

    /// All of it.
    pub(crate) fn digest(self) -> RequestDigest {
        RequestDigest(beginning(self.0))
    }
}

/// The first 16 bytes of a digest.
pub(super) fn beginning(digest: Sha256) -> [u8; 16] {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[Option<&str>]| {
            let meaning = parts.iter().fold(Meaning::of("/v1/route"), |all, part| all.text(*part));
            meaning.digest()
        };
        let lists: &[&[Option<&str>]] = &[
            &[],
            &[None],
            &[Some("")],
            &[Some("ab")],
            &[Some("a"), Some("b")],
            &[Some("ab"), None],
            &[None, Some("ab")],
            &[Some("\u{1}")],
        ];
        for (place, one) in lists.iter().enumerate() {
            assert_eq!(of(one), of(one));
            for other in &lists[place + 1..] {
                assert_ne!(of(one), of(other), "{one:?} {other:?}");
            }
        }
        assert_ne!(Meaning::of("/v1/chat").digest(), Meaning::of("/v1/route").digest());
        let number = |number| Meaning::of("x").number(number).digest();
        assert_eq!(number(Some(0.0)), number(Some(-0.0)));
        assert_ne!(number(Some(0.1)), number(None));
    }
}
