//! Random input for tests: a seeded generator and ways to damage bytes that were good.
//!
//! Each case has a seed of its own. `GATEWAY_FUZZ_SEED` (a whole number) sets the seed of the first case, from which the
//! others follow; `GATEWAY_FUZZ_SECONDS` how long to go on, about one second otherwise. Without either the seeds are the
//! same in every run; who goes on for longer looks for something new, from a seed that nobody has seen. A case that fails
//! prints what repeats it.

use std::time::Duration;

use bytes::Bytes;
pub(crate) use fastrand::Rng;
use tokio::time::Instant;

const USUAL_TIME: Duration = Duration::from_secs(1);
const USUAL_SEED: u64 = 0x5eed;

/// Runs cases until the time is over.
pub(crate) fn fuzz(name: &str, mut case: impl FnMut(&mut Rng)) {
    let number = |variable: &str| std::env::var(variable).ok().map(|value| value.parse::<u64>().unwrap());
    let seconds = number("GATEWAY_FUZZ_SECONDS");
    let unseen = || seconds.map_or(USUAL_SEED, |_| fastrand::u64(..));
    let first = number("GATEWAY_FUZZ_SEED").unwrap_or_else(unseen);
    let time = seconds.map_or(USUAL_TIME, Duration::from_secs);
    let started = Instant::now();
    let mut seed = first;
    let mut cases = 0_u64;
    while started.elapsed() < time {
        let repeat = Repeat { name, seed };
        case(&mut Rng::with_seed(seed));
        std::mem::forget(repeat);
        seed = seed.wrapping_add(1);
        cases += 1;
    }
    println!("{name}: {cases} cases from seed {first}");
    assert!(cases > 0, "no time for a single case");
}

/// Says how to repeat a case that panics.
struct Repeat<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Repeat<'_> {
    fn drop(&mut self) {
        println!("{} failed: repeat it with GATEWAY_FUZZ_SEED={}", self.name, self.seed);
    }
}

/// One of these.
pub(crate) fn pick<'a, T: ?Sized>(rng: &mut Rng, from: &[&'a T]) -> &'a T {
    from[rng.usize(..from.len())]
}

/// Any bytes, up to this many.
pub(crate) fn any_bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
    let length = rng.usize(..=most);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}

/// Damages bytes in a few places: flips, cuts, repeats, and pieces of `words` put in.
pub(crate) fn damage(rng: &mut Rng, bytes: &mut Vec<u8>, words: &[&str]) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..20)).min(bytes.len());
        match rng.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 if at < bytes.len() => bytes[at] = rng.u8(..),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => bytes.truncate(at),
            5 => drop(bytes.splice(at..at, any_bytes(rng, 4))),
            _ => drop(bytes.splice(at..at, pick(rng, words).bytes())),
        }
    }
}

/// The bytes in pieces, cut anywhere.
pub(crate) fn in_pieces(rng: &mut Rng, bytes: &Bytes) -> Vec<Bytes> {
    let longest = rng.usize(1..64);
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        pieces.push(rest.split_to(rng.usize(1..=longest).min(rest.len())));
    }
    pieces
}

/// A JSON value as text, with odd white space, escapes and numbers.
pub(crate) fn json(rng: &mut Rng, depth: usize) -> String {
    let kinds = if depth == 0 { 4 } else { 6 };
    match rng.u8(..kinds) {
        0 => pick(rng, &["null", "true", "false"]).to_owned(),
        1 => pick(
            rng,
            &[
                "0",
                "-1",
                "1.50",
                "2",
                "7",
                "1e3",
                "9007199254740993",
                "1e999",
                "-0",
                "128",
                "4294967296",
            ],
        )
        .to_owned(),
        2 => pick(
            rng,
            &[
                r#""""#,
                r#""hi""#,
                r#""\u00e9\ud83d\ude00""#,
                r#""a\"b\\""#,
                r#""json_object""#,
                "\"é€😀\"",
                r#""auto""#,
            ],
        )
        .to_owned(),
        3 => pick(rng, &["[]", "{}", " [ ] ", "{ }"]).to_owned(),
        4 => {
            let values: Vec<String> = (0..rng.usize(..4)).map(|_| json(rng, depth - 1)).collect();
            format!("[{}]", values.join(pick(rng, &[",", " , ", ",\n"])))
        }
        _ => {
            let members: Vec<String> = (0..rng.usize(..4))
                .map(|_| {
                    let name = pick(rng, &["a", "type", "text", "role", "include_usage", "content"]);
                    format!("\"{name}\":{}", json(rng, depth - 1))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}
