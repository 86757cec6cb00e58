//! Journal files at random: every entry before the damage is read, and nothing that was not written.

use gateway_actors::testkit::samples::{dispatch, finished};

use super::tests::{Decoded, decode};
use super::*;
use crate::fuzz::{Rng, any_bytes, damage, fuzz};

const WORDS: &[&str] = &["\0\0\0\0", "[1,{\"ended\":{}}]", "\u{1}\0\0\0", "\u{7f}"];

/// A file of whole entries, and the place at which each ends.
fn file(rng: &mut Rng) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
    for seq in 1..=rng.u64(1..6) {
        let mut dispatched = dispatch();
        dispatched.endpoint = "/".repeat(rng.usize(1..50)).into();
        let record = finished(&dispatched);
        let end = if rng.bool() {
            EventRef::Ended(AttemptEnd::from(&record))
        } else {
            EventRef::Finished(&record)
        };
        for event in [EventRef::Dispatched(&dispatched), end]
            .into_iter()
            .take(rng.usize(1..=2))
        {
            encode(&EntryRef(seq, event), &mut buffer).unwrap();
            bytes.extend_from_slice(&buffer);
            ends.push(bytes.len());
        }
    }
    (bytes, ends)
}

fn shown(decoded: &Decoded) -> Vec<String> {
    decoded.entries.iter().map(|entry| format!("{entry:?}")).collect()
}

#[test]
fn journals_at_random_give_every_entry_before_the_damage_and_nothing_else() {
    fuzz("journals", |rng| {
        let (good, ends) = file(rng);
        let written = shown(&decode(&good));
        assert_eq!(written.len(), ends.len());
        let mut bytes = good.clone();
        match rng.u8(..5) {
            0 => bytes = any_bytes(rng, 200),
            1 => bytes.extend(any_bytes(rng, 40)),
            _ => damage(rng, &mut bytes, WORDS),
        }
        let decoded = decode(&bytes);
        let read = shown(&decoded);
        let same = good.iter().zip(&bytes).take_while(|(good, now)| good == now).count();
        let untouched = ends.iter().filter(|&&end| end <= same).count();
        assert!(
            read.len() >= untouched,
            "{} of {untouched} before the damage",
            read.len()
        );
        assert_eq!(read[..untouched], written[..untouched]);
        for entry in &read {
            assert!(written.contains(entry), "an entry that nobody wrote: {entry}");
        }
        assert!(decoded.lost_bytes <= bytes.len());
        assert!(!decoded.damaged || decoded.lost_bytes > 0);
        let kept = decode(&bytes[..bytes.len() - decoded.lost_bytes]);
        assert_eq!((shown(&kept), kept.lost_bytes, kept.damaged), (read, 0, false));
    });
}
