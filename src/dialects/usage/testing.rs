//! For the tables of the readers' tests.

use gateway_actors::protocol::{TokenUsage, UsageReport};
use serde_json::value::RawValue;

/// A JSON value.
pub(super) fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

/// Reported counts: input, cache reads, cache writes for 5 minutes and for an hour, output, reasoning.
pub(super) fn used(counts: [u64; 6]) -> UsageReport {
    used_untold(counts, 0)
}

/// The same, where it was not told of so many short writes how long they stay.
pub(super) fn used_untold(
    [input, cached_input, write_5m, write_1h, output, reasoning]: [u64; 6],
    untold: u64,
) -> UsageReport {
    UsageReport::Reported(TokenUsage {
        input,
        cached_input,
        cache_write_5m: write_5m,
        cache_write_1h: write_1h,
        cache_write_untold: untold,
        output,
        reasoning,
        ..TokenUsage::default()
    })
}

/// Values that cannot be a count.
pub(super) const NO_COUNTS: &[&str] = &["-1", "1.5", "1e13", "\"many\"", "true", "[1]", "{}"];

/// Checks that the object is read as expected, and that it is absurd as soon as one of its counts is. A count is a
/// member of the object itself, given by name.
#[track_caller]
pub(super) fn check_counts(read: fn(&RawValue) -> UsageReport, good: &str, expected: UsageReport, members: &[&str]) {
    assert_eq!(read(raw(good)), expected, "{good}");
    for member in members {
        for bad in NO_COUNTS {
            let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(good).unwrap();
            let old = object.insert((*member).to_owned(), serde_json::from_str(bad).unwrap());
            assert!(old.is_some(), "{good} has no {member}");
            let json = serde_json::to_string(&object).unwrap();
            assert_eq!(read(raw(&json)), UsageReport::Absurd, "{json}");
        }
    }
    for (json, expected) in [
        ("null", UsageReport::Missing),
        ("{}", UsageReport::Missing),
        ("[]", UsageReport::Absurd),
        ("5", UsageReport::Absurd),
        ("\"x\"", UsageReport::Absurd),
        ("true", UsageReport::Absurd),
    ] {
        assert_eq!(read(raw(json)), expected, "{json}");
    }
}
