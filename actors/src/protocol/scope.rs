//! What a budget or limit is for, and the stretches of time that it is counted in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime, Time, Weekday};

use super::ids::{ConversationId, InvalidId};
use super::layer::{UnknownWord, words};
use super::tenancy::KeyId;

/// Bytes of a project's or user's id.
const LABEL_BYTES: usize = 256;

/// What a budget or limit is for. Printed, stored and read as `global`, `project:ID`, `user:ID`, `key:ID` or
/// `conversation:ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everything that goes through the gateway.
    Global,
    /// A project: the key's own, or the caller's name for it where no key is in force.
    Project(Arc<str>),
    /// A user, likewise.
    User(Arc<str>),
    /// A virtual key.
    Key(KeyId),
    /// A conversation; without a tenant, every conversation of that name.
    Conversation(ConversationId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Project(id) => write!(f, "project:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Conversation(id) => write!(f, "conversation:{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId {
            what: "scope",
            must_be: "global, project:ID, user:ID, key:ID or conversation:ID",
        };
        if text == "global" {
            return Ok(Self::Global);
        }
        let (kind, id) = text.split_once(':').ok_or_else(|| invalid.clone())?;
        let is_label = (1..=LABEL_BYTES).contains(&id.len()) && !id.chars().any(char::is_control);
        match kind {
            "project" if is_label => Ok(Self::Project(id.into())),
            "user" if is_label => Ok(Self::User(id.into())),
            "key" => id.parse().map(Self::Key),
            "conversation" => ConversationId::from_stored(id).map(Self::Conversation),
            _ => Err(invalid),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

words! {
    /// How long a budget's money is for. Windows begin at midnight UTC by the database's clock.
    Window {
        /// For ever.
        Total = "total",
        /// A day.
        Daily = "daily",
        /// A week from Monday (ISO 8601).
        Weekly = "weekly",
        /// A calendar month.
        Monthly = "monthly",
    }
}

impl Window {
    /// The period that this moment (microseconds since 1970, UTC) is in. A moment that no calendar knows is in the
    /// period `total`, which never ends.
    #[must_use]
    pub fn period_at(self, now_us: i64) -> Period {
        self.calendar_period(now_us).unwrap_or_else(|| Period {
            id: Window::Total.as_str().into(),
            starts_at: 0,
            ends_at: None,
        })
    }

    fn calendar_period(self, now_us: i64) -> Option<Period> {
        let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now_us) * 1_000).ok()?;
        let today = now.date();
        let (id, first, next) = match self {
            Self::Total => return None,
            Self::Daily => (today.to_string(), today, today.next_day()?),
            Self::Weekly => {
                let (year, week, _) = today.to_iso_week_date();
                let monday = Date::from_iso_week_date(year, week, Weekday::Monday).ok()?;
                (
                    format!("{year:04}-W{week:02}"),
                    monday,
                    monday.checked_add(Duration::weeks(1))?,
                )
            }
            Self::Monthly => {
                let (year, month) = (today.year(), today.month());
                let first = today.replace_day(1).ok()?;
                let days = month.length(year);
                let id = format!("{year:04}-{:02}", u8::from(month));
                (id, first, first.checked_add(Duration::days(days.into()))?)
            }
        };
        Some(Period {
            id: id.into(),
            starts_at: midnight_us(first)?,
            ends_at: Some(midnight_us(next)?),
        })
    }
}

/// The day's first moment in microseconds since 1970 (UTC).
fn midnight_us(day: Date) -> Option<i64> {
    let seconds = day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
    seconds.checked_mul(1_000_000)
}

/// A stretch of time in which a budget is counted from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its name: `total`, `2026-11-29`, `2026-W48` or `2026-11`. Together with the scope it names a row of the ledger.
    pub id: Arc<str>,
    /// Its first moment, in microseconds since 1970 (UTC); 0 for `total`.
    pub starts_at: i64,
    /// The first moment after it; never for `total`.
    pub ends_at: Option<i64>,
}

impl Period {
    /// How much of it is left at this moment (microseconds since 1970, UTC); nothing for one that never ends.
    #[must_use]
    pub fn left_at(&self, now_us: i64) -> Option<std::time::Duration> {
        let micros = self.ends_at?.saturating_sub(now_us);
        Some(std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    /// The period of this name; nothing if it is the name of none.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let (window, first) = Self::window_and_first_day(id)?;
        let period = window.period_at(first.map_or(Some(0), midnight_us)?);
        (*period.id == *id).then_some(period)
    }

    /// How long the period of this name is; nothing if it is the name of none.
    #[must_use]
    pub fn window_of(id: &str) -> Option<Window> {
        Self::window_and_first_day(id).map(|(window, _)| window)
    }

    fn window_and_first_day(id: &str) -> Option<(Window, Option<Date>)> {
        let mut parts = id.splitn(3, '-');
        let year = parts.next()?;
        if id == Window::Total.as_str() {
            return Some((Window::Total, None));
        }
        let (year, second) = (year.parse().ok()?, parts.next()?);
        if let Some(week) = second.strip_prefix('W') {
            let monday = Date::from_iso_week_date(year, week.parse().ok()?, Weekday::Monday).ok()?;
            return Some((Window::Weekly, Some(monday)));
        }
        let month = Month::try_from(second.parse::<u8>().ok()?).ok()?;
        let (window, day) = match parts.next() {
            Some(day) => (Window::Daily, day.parse().ok()?),
            None => (Window::Monthly, 1),
        };
        Some((window, Some(Date::from_calendar_date(year, month, day).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29 is a Sunday.
    const SUNDAY_NOON: i64 = 1_795_953_600_000_000;
    const DAY: i64 = 86_400_000_000;

    #[test]
    fn scopes_survive_printing_and_parsing() {
        for text in [
            "global",
            "project:a:b",
            "user:Ann Onymous",
            "conversation:conv-1",
            "conversation:p=x/conv-1",
        ] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "Global",
            "project",
            "project:",
            "user:a\nb",
            "key:",
            "team:x",
            "conversation:a b",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn periods_are_named_by_the_calendar_and_follow_each_other_without_a_gap() {
        let noon = OffsetDateTime::from_unix_timestamp(SUNDAY_NOON / 1_000_000).unwrap();
        assert_eq!(noon.to_string(), "2026-11-29 12:00:00.0 +00:00:00");
        for (window, id, next_id) in [
            (Window::Daily, "2026-11-29", "2026-11-30"),
            (Window::Weekly, "2026-W48", "2026-W49"),
            (Window::Monthly, "2026-11", "2026-12"),
        ] {
            let period = window.period_at(SUNDAY_NOON);
            assert_eq!(&*period.id, id);
            assert!(period.starts_at <= SUNDAY_NOON && period.starts_at % DAY == 0);
            let end = period.ends_at.unwrap();
            assert_eq!(window.period_at(end - 1), period);
            let next = window.period_at(end);
            assert_eq!((&*next.id, next.starts_at), (next_id, end));
        }
        let total = Window::Total.period_at(SUNDAY_NOON);
        assert_eq!((&*total.id, total.ends_at), ("total", None));
    }

    #[test]
    fn the_last_days_of_a_year_may_be_in_the_next_years_first_week() {
        let last_day_of_2024 = 1_735_603_200_000_000;
        assert_eq!(&*Window::Daily.period_at(last_day_of_2024).id, "2024-12-31");
        assert_eq!(&*Window::Weekly.period_at(last_day_of_2024).id, "2025-W01");
        assert_eq!(&*Window::Monthly.period_at(i64::MAX).id, "total");
    }

    #[test]
    fn a_period_is_known_by_its_name_and_other_texts_name_none() {
        for window in Window::ALL.iter().copied() {
            for day in 0..800 {
                let period = window.period_at(SUNDAY_NOON + day * DAY);
                assert_eq!(Period::of_id(&period.id), Some(period.clone()), "{}", period.id);
                assert_eq!(Period::window_of(&period.id), Some(window), "{}", period.id);
            }
        }
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "2026-W54",
            "2026-W1",
            "2026-02-30",
            "2026-11-29-1",
            "all",
        ] {
            assert_eq!(Period::of_id(bad), None, "{bad:?} was taken for a period");
        }
    }
}
