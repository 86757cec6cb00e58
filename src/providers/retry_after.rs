//! When a provider says that trying again may help, in every form that providers use.

use std::time::{Duration, SystemTime};

use awc::http::header::HeaderMap;

/// Longer than this is not waited for: the provider is asked again.
const LONGEST: Duration = Duration::from_secs(60);

/// The time to wait where our rate is limited; nothing if the answer does not say, or says nonsense or a time that has
/// passed.
///
/// Read are, in this order, what [`asked_wait`] reads, what the body asks for, and the longest of `x-ratelimit-reset*`
/// (seconds, a duration such as `1m30s`, or a date as seconds or milliseconds since 1970).
pub(super) fn retry_after(headers: &HeaderMap, in_body: Option<Duration>, now: SystemTime) -> Option<Duration> {
    let resets = || {
        [
            "x-ratelimit-reset-requests",
            "x-ratelimit-reset-tokens",
            "x-ratelimit-reset",
        ]
        .into_iter()
        .filter_map(|name| read(headers, name).and_then(|value| reset(value, now)))
        .max()
    };
    asked_wait(headers, now).or(in_body).or_else(resets).map(at_most)
}

/// The time after which an answer asks to be tried again: `retry-after-ms`, or `retry-after` (seconds or a date).
pub(super) fn asked_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    read(headers, "retry-after-ms")
        .and_then(|value| seconds(value, 0.001))
        .or_else(|| read(headers, "retry-after").and_then(|value| seconds(value, 1.0).or_else(|| date(value, now))))
        .map(at_most)
}

/// As much of a time as is waited for.
pub(super) fn at_most(wait: Duration) -> Duration {
    wait.min(LONGEST)
}

fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A number that is not negative, in units of so many seconds.
fn seconds(value: &str, unit: f64) -> Option<Duration> {
    let seconds = value
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number >= 0.0)?
        * unit;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

fn date(value: &str, now: SystemTime) -> Option<Duration> {
    httpdate::parse_http_date(value).ok()?.duration_since(now).ok()
}

fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    /// Larger numbers of seconds are dates.
    const DATES: Duration = Duration::from_secs(1_000_000_000);
    let Some(number) = seconds(value, 1.0) else {
        return duration(value);
    };
    if number < DATES {
        return Some(number);
    }
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let date = if number >= DATES * 1000 { number / 1000 } else { number };
    date.checked_sub(since_1970)
}

/// A duration such as `1m30.5s` or `250ms`.
fn duration(mut value: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    while !value.is_empty() {
        let (number, rest) = value.split_at(value.find(|character: char| character.is_ascii_alphabetic())?);
        let end = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(end);
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.saturating_add(seconds(number, unit)?);
        value = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use awc::http::header::{HeaderName, HeaderValue};

    /// Sunday, 6 November 1994, 08:49:37.
    const NOW: u64 = 784_111_777;

    fn wait(headers: &[(&'static str, &str)]) -> Option<f64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        retry_after(&map, None, now).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("retry-after", "2", 2.0),
            ("retry-after", "0", 0.0),
            ("retry-after", " 1.5 ", 1.5),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
            ("retry-after-ms", "250", 0.25),
            ("x-ratelimit-reset-requests", "1s", 1.0),
            ("x-ratelimit-reset-tokens", "20ms", 0.02),
            ("x-ratelimit-reset-tokens", "7.66s", 7.66),
            ("x-ratelimit-reset", "12", 12.0),
        ];
        for (name, value, expected) in cases {
            assert_eq!(wait(&[(name, value)]), Some(expected), "{name}: {value}");
        }
    }

    #[test]
    fn dates_since_1970_are_read_in_seconds_and_milliseconds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(reset("1800000005", now), Some(Duration::from_secs(5)));
        assert_eq!(reset("1800000005500", now), Some(Duration::from_millis(5500)));
        assert_eq!(reset("1799999999", now), None);
    }

    #[test]
    fn long_waits_are_cut_to_a_minute() {
        for (name, value) in [
            ("retry-after", "1e9"),
            ("retry-after", "99999999999999999999999"),
            ("retry-after", "Sun, 06 Nov 2044 08:49:37 GMT"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-reset-requests", "100h1m"),
        ] {
            assert_eq!(wait(&[(name, value)]), Some(60.0), "{name}: {value}");
        }
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["-1", "soon", "", "NaN", "inf", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
        }
        for value in ["s", "1x", "1s2", "-5"] {
            assert_eq!(wait(&[("x-ratelimit-reset-tokens", value)]), None, "{value}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn the_more_exact_header_wins_and_of_resets_the_longest() {
        assert_eq!(wait(&[("retry-after", "2"), ("retry-after-ms", "1500")]), Some(1.5));
        assert_eq!(wait(&[("retry-after", "-1"), ("x-ratelimit-reset", "3")]), Some(3.0));
        let resets = [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "4s")];
        assert_eq!(wait(&resets), Some(4.0));
    }
}
