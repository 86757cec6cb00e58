//! Moments as people write them: a date, or RFC 3339.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};
use toml::value::{Datetime, Offset};

/// What a moment must be, as the end of a sentence that begins with "must".
pub(crate) const MUST_BE: &str =
    "be a date such as 2026-11-29 (its midnight in UTC) or a time such as 2026-11-29T12:00:00Z";

/// The moment in microseconds since 1970 (UTC): midnight UTC of a date; a time must say its offset. Nothing if the text is
/// neither, or before 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let written: Datetime = text.parse().ok()?;
    let date = written.date?;
    let month = Month::try_from(date.month).ok()?;
    let date = Date::from_calendar_date(date.year.into(), month, date.day).ok()?;
    let moment = match (written.time, written.offset) {
        (None, None) => date.with_time(Time::MIDNIGHT).assume_utc(),
        (Some(time), Some(offset)) => {
            let nanosecond = time.nanosecond.unwrap_or_default();
            let second = time.second.unwrap_or_default();
            let time = Time::from_hms_nano(time.hour, time.minute, second, nanosecond).ok()?;
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => minutes,
            };
            let offset = UtcOffset::from_whole_seconds(i32::from(minutes) * 60).ok()?;
            date.with_time(time).assume_offset(offset)
        }
        _ => return None,
    };
    since_1970(moment)
}

fn since_1970(moment: OffsetDateTime) -> Option<i64> {
    let micros = i64::try_from(moment.unix_timestamp_nanos() / 1_000).ok()?;
    (micros >= 0).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_with_an_offset_are_moments() {
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("2026-11-29"), Some(1_795_910_400_000_000));
        assert_eq!(parse("2026-11-29T12:00:00Z"), Some(1_795_953_600_000_000));
        assert_eq!(parse("2026-11-29T14:00:00.5+02:00"), Some(1_795_953_600_500_000));
    }

    #[test]
    fn what_is_no_moment_or_not_a_certain_one_is_none() {
        for bad in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "1969-12-31",
            "2026-11-29T12:00:00",
            "12:00:00",
            "1e400",
            "-0",
            "1763793720",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
