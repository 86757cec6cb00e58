//! Counts, read with distrust.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

/// More tokens than any answer has: a count above it is an error of the provider.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// A value that cannot be a count, or counts that contradict each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoCount;

/// Makes a report of a `usage` value, given how its members become counts: nothing, if one that must be there is not.
pub(super) fn report<'a, M: Deserialize<'a>>(
    value: &'a RawValue,
    counts: impl FnOnce(&M) -> Result<Option<TokenUsage>, NoCount>,
) -> UsageReport {
    match members::<M>(value).and_then(|found| found.map_or(Ok(None), |found| counts(&found))) {
        Ok(Some(usage)) => UsageReport::Reported(usage.within_totals()),
        Ok(None) => UsageReport::Missing,
        Err(NoCount) => UsageReport::Absurd,
    }
}

/// The members of a `usage` value that must be an object; nothing if it is `null`.
pub(super) fn members<'a, M: Deserialize<'a>>(value: &'a RawValue) -> Result<Option<M>, NoCount> {
    let text = value.get();
    if text == "null" {
        return Ok(None);
    }
    // A struct can be read from an array too.
    if !text.starts_with('{') {
        return Err(NoCount);
    }
    serde_json::from_str(text).map(Some).or(Err(NoCount))
}

/// The members of a value within a usage. Details that cannot be read are as good as none: the totals still count.
pub(super) fn details<'a, M: Deserialize<'a> + Default>(value: Option<&'a RawValue>) -> M {
    value
        .and_then(|value| members(value).ok().flatten())
        .unwrap_or_default()
}

/// A count; nothing if it is absent or `null`.
pub(super) fn count(value: Option<&RawValue>) -> Result<Option<u64>, NoCount> {
    let Some(text) = value.map(RawValue::get).filter(|text| *text != "null") else {
        return Ok(None);
    };
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let digits = quoted.unwrap_or(text);
    let count = match digits.parse::<u64>() {
        Ok(count) => count,
        Err(_not_plain) => whole(digits).ok_or(NoCount)?,
    };
    if count <= MOST_TOKENS {
        Ok(Some(count))
    } else {
        Err(NoCount)
    }
}

/// The largest of counts that say the same thing under several names; 0 if none of them is there.
pub(super) fn largest<const N: usize>(values: [Option<&RawValue>; N]) -> Result<u64, NoCount> {
    values
        .into_iter()
        .try_fold(0, |most, value| Ok(most.max(count(value)?.unwrap_or(0))))
}

/// Whether a part is counted beside the rest, so that both make up the total, or within it, so that the rest alone does.
/// Where the total is not there or does not tell, the part is where it usually is.
pub(super) fn is_beside(total: Option<u64>, rest: u64, part: u64, usually: bool) -> bool {
    match total {
        Some(total) if total == rest => false,
        Some(total) if total == rest.saturating_add(part) => true,
        _ => usually,
    }
}

/// Whether a part that is more than its whole must be beside it, since no total says that it is not.
pub(super) fn must_be_beside(total: Option<u64>, whole: u64, part: u64) -> bool {
    total.is_none() && part > whole
}

/// Cache writes that stay for a short and for a long time, and those of the short ones that are not said to be short: of
/// all that were written, those of which it is not said how long they stay count as short until it is known what was asked.
pub(super) fn writes(all: Option<u64>, short: Option<u64>, long: Option<u64>) -> (u64, u64, u64) {
    let (short, long) = (short.unwrap_or(0), long.unwrap_or(0));
    let untold = all.unwrap_or(0).saturating_sub(long).saturating_sub(short);
    (short + untold, long, untold)
}

/// A whole number that is written as a fraction (`12.0`, `1e3`), as some languages print theirs.
fn whole(digits: &str) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.bytes().all(|digit| digit == b'0') && !fraction.is_empty() {
        return whole.parse().ok();
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E'])?;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    mantissa
        .parse::<u64>()
        .ok()?
        .checked_mul(10_u64.checked_pow(exponent.parse().ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<u64>, NoCount> {
        count(Some(serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn whole_numbers_count_however_they_are_spelled() {
        for (json, number) in [
            ("0", 0),
            ("17", 17),
            ("\"12\"", 12),
            ("3.0", 3),
            ("1e3", 1_000),
            ("2E+2", 200),
            ("1000000000000", MOST_TOKENS),
        ] {
            assert_eq!(read(json), Ok(Some(number)), "{json}");
        }
    }

    #[test]
    fn null_is_no_count_and_neither_is_what_is_not_there() {
        assert_eq!(read("null"), Ok(None));
        assert_eq!(count(None), Ok(None));
    }

    #[test]
    fn what_cannot_be_a_count_is_refused() {
        for json in [
            "-1",
            "-0.0",
            "1.5",
            "1e13",
            "1000000000001",
            "18446744073709551616",
            "\"many\"",
            "\"-3\"",
            "\"\"",
            "\"null\"",
            "true",
            "[1]",
            "{}",
            "1e400",
        ] {
            assert_eq!(read(json), Err(NoCount), "{json}");
        }
    }

    #[test]
    fn the_total_tells_what_is_beside_what() {
        assert!(!is_beside(Some(10), 10, 4, true));
        assert!(is_beside(Some(14), 10, 4, false));
        for usually in [true, false] {
            assert_eq!(is_beside(None, 10, 4, usually), usually);
            assert_eq!(is_beside(Some(11), 10, 4, usually), usually);
        }
    }

    #[test]
    fn writes_of_unknown_length_are_short_ones_that_are_told_apart() {
        for (all, short, long, expected) in [
            (None, None, None, (0, 0, 0)),
            (Some(5), None, None, (5, 0, 5)),
            (Some(5), Some(2), Some(3), (2, 3, 0)),
            (Some(9), Some(2), Some(3), (6, 3, 4)),
            (None, Some(2), Some(3), (2, 3, 0)),
            (Some(1), Some(2), Some(3), (2, 3, 0)),
        ] {
            assert_eq!(writes(all, short, long), expected, "{all:?} {short:?} {long:?}");
        }
    }
}
