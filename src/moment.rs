//! Moments as texts: RFC 3339 in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The present moment as RFC 3339 in UTC with milliseconds.
pub(crate) fn now_text() -> String {
    timestamp(OffsetDateTime::now_utc())
}

/// A moment given in microseconds since 1970 as RFC 3339 in UTC with milliseconds.
pub(crate) fn micros_text(micros: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000);
    timestamp(moment.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

fn timestamp(moment: OffsetDateTime) -> String {
    let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
    let (hour, minute, second) = (moment.hour(), moment.minute(), moment.second());
    let milli = moment.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The moment that an RFC 3339 text names, in microseconds since 1970; nothing if it names none.
pub(crate) fn micros_of(text: &str) -> Option<i64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos() / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        assert_eq!(micros_text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(micros_text(1_763_793_720_000_999), "2025-11-22T06:42:00.000Z");
        assert_eq!(micros_text(1_709_210_096_789_000), "2024-02-29T12:34:56.789Z");
    }

    #[test]
    fn moments_are_read_from_rfc_3339() {
        assert_eq!(micros_of("2025-11-22T06:42:00Z"), Some(1_763_793_720_000_000));
        assert_eq!(micros_of("2025-11-22T07:42:00.5+01:00"), Some(1_763_793_720_500_000));
        for bad in [
            "",
            "tomorrow",
            "2025-11-22",
            "2025-11-22T06:42:00",
            "2025-13-22T06:42:00Z",
        ] {
            assert_eq!(micros_of(bad), None, "{bad}");
        }
    }
}
