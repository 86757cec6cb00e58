//! A client's body with a few places exchanged, all else byte for byte.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use gateway_actors::protocol::OutgoingBody;

/// From this many bytes on, what is kept of a body is not copied but shared.
const SHARED_FROM: usize = 16 * 1024;

/// A place in a body, and what stands there instead of what the client wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) at: Range<usize>,
    pub(super) with: Bytes,
}

impl Splice {
    pub(super) fn new(at: Range<usize>, with: impl Into<Bytes>) -> Self {
        Self { at, with: with.into() }
    }
}

/// The body with these places exchanged, which must be in order and apart from each other.
pub(super) fn spliced<'s>(body: &Bytes, splices: impl Iterator<Item = &'s Splice> + Clone) -> OutgoingBody {
    debug_assert!(
        splices.clone().is_sorted_by(|one, next| one.at.end <= next.at.start),
        "splices in order"
    );
    let part = |range: Range<usize>| body.get(range).map_or_else(Bytes::new, |part| body.slice_ref(part));
    if body.len() < SHARED_FROM {
        let added: usize = splices.clone().map(|splice| splice.with.len()).sum();
        let mut out = BytesMut::with_capacity(body.len() + added);
        let mut copied = 0;
        for splice in splices {
            out.put_slice(body.get(copied..splice.at.start).unwrap_or_default());
            out.put_slice(&splice.with);
            copied = splice.at.end;
        }
        out.put_slice(body.get(copied..).unwrap_or_default());
        return out.freeze().into();
    }
    let mut pieces = Vec::new();
    let mut copied = 0;
    for splice in splices {
        pieces.push(part(copied..splice.at.start));
        pieces.push(splice.with.clone());
        copied = splice.at.end;
    }
    pieces.push(part(copied..body.len()));
    OutgoingBody::from_pieces(pieces)
}

/// The body without these places; nothing if there are none.
pub(super) fn without(body: &Bytes, cuts: Vec<Range<usize>>) -> Option<Bytes> {
    let cuts: Vec<Splice> = cuts.into_iter().map(|cut| Splice::new(cut, Bytes::new())).collect();
    (!cuts.is_empty()).then(|| spliced(body, cuts.iter()).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_places_change_and_large_bodies_are_not_copied() {
        for padding in [0, SHARED_FROM] {
            let text = format!("{{\"model\":\"auto\",\"x\":1}}{}", " ".repeat(padding));
            let body = Bytes::from(text.clone());
            let splices = [Splice::new(1..1, "\"a\":1,"), Splice::new(9..15, "\"tiny\"")];
            let out = spliced(&body, splices.iter());
            assert_eq!(
                out.to_bytes(),
                text.replacen("{\"model\":\"auto\"", "{\"a\":1,\"model\":\"tiny\"", 1)
            );
            let last = out.pieces().last().unwrap();
            let is_shared = body.as_ptr_range().contains(&last.as_ptr());
            assert_eq!(is_shared, padding > 0);
        }
    }
}
