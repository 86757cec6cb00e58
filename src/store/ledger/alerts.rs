//! What operators are told of a budget that is being spent.

use gateway_actors::protocol::{Excess, StoreFuture};
use serde::Serialize;
use uuid::Uuid;

use super::charges::CallAboveAllowed;
use super::rows::{PeriodKey, Watch};

/// A row of `events` that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Event {
    pub(in crate::store) id: String,
    pub(in crate::store) once: String,
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) detail: String,
}

/// Logs the events that a job raised, once its transaction is durable. What was not raised is not among them: others had
/// raised it before.
pub(in crate::store) fn told<T: Send + 'static>(job: StoreFuture<(T, Vec<Event>)>) -> StoreFuture<T> {
    Box::pin(async move {
        let (answer, raised) = job.await?;
        for event in raised {
            tracing::warn!(
                event = event.id,
                kind = event.kind,
                detail = event.detail,
                "{}",
                event.text()
            );
        }
        Ok(answer)
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    scope: &'a str,
    period: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    limit_nano_usd: i64,
    spent_nano_usd: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AboveAllowedDetail<'a> {
    scope: &'a str,
    period: &'a str,
    attempt: &'a str,
    model: &'a str,
    held_nano_usd: i64,
    cost_nano_usd: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_cap_tokens: Option<u64>,
    output_tokens: u64,
}

const THRESHOLD: &str = "budget_threshold";
const OVERRUN: &str = "budget_overrun";
const ABOVE_HOLD: &str = "cost_above_hold";
const ABOVE_CAP: &str = "output_above_cap";

impl Event {
    fn new(kind: &'static str, once: String, detail: &impl Serialize) -> Self {
        let detail = serde_json::to_string(detail);
        debug_assert!(detail.is_ok(), "writing numbers and texts to memory does not fail");
        Self {
            id: Uuid::now_v7().simple().to_string(),
            once,
            kind,
            detail: detail.unwrap_or_default(),
        }
    }

    /// What the log says of it.
    fn text(&self) -> &'static str {
        match self.kind {
            THRESHOLD => "a part of a budget is spent that is to be told of",
            OVERRUN => "more was spent of a budget than its limit",
            ABOVE_CAP => "a call has more output than its request allowed; it is booked in full",
            _ => "a call cost more than was held for it; it is booked in full",
        }
    }
}

/// That a call was more than its request allowed; once of each kind in a period of a budget.
pub(super) fn above_allowed(key: &PeriodKey, call: &CallAboveAllowed) -> Event {
    let kind = match call.excess {
        Excess::Cost => ABOVE_HOLD,
        Excess::Output => ABOVE_CAP,
    };
    let PeriodKey { scope, period } = key;
    let detail = AboveAllowedDetail {
        scope,
        period,
        attempt: &call.attempt,
        model: &call.model,
        held_nano_usd: call.held,
        cost_nano_usd: call.cost,
        output_cap_tokens: call.output_cap,
        output_tokens: call.output,
    };
    Event::new(kind, format!("{kind}|{scope}|{period}"), &detail)
}

/// What is to be told when so much is posted now, and so much was `before`; with nothing before, all that holds now. The
/// database keeps what it was told once of each limit: of another limit it is told anew.
pub(super) fn events(key: &PeriodKey, watch: &Watch, before: Option<i64>, posted: i64) -> Vec<Event> {
    let limit = watch.limit;
    let reaches = |posted: i64, percent: u8| i128::from(posted) * 100 >= i128::from(limit) * i128::from(percent);
    let is_crossed = |percent: u8| reaches(posted, percent) && !before.is_some_and(|before| reaches(before, percent));
    let event = |kind: &'static str, percent: Option<u8>| {
        let PeriodKey { scope, period } = key;
        let of_percent = percent.map(|percent| format!("|{percent}")).unwrap_or_default();
        let detail = Detail {
            scope,
            period,
            percent,
            limit_nano_usd: limit,
            spent_nano_usd: posted,
        };
        Event::new(kind, format!("{kind}|{scope}|{period}{of_percent}|{limit}"), &detail)
    };
    let percents = watch.percents.iter().copied();
    // Of nothing, no part can be spent.
    let crossed = percents.filter(|&percent| limit > 0 && is_crossed(percent));
    let mut events: Vec<_> = crossed.map(|percent| event(THRESHOLD, Some(percent))).collect();
    if posted > limit && before.is_none_or(|before| before <= limit) {
        events.push(event(OVERRUN, None));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limit: i64, before: Option<i64>, posted: i64) -> Vec<String> {
        let key = PeriodKey {
            scope: "project:a|b".into(),
            period: "2026-11".into(),
        };
        let watch = Watch {
            limit,
            percents: vec![50, 100],
        };
        events(&key, &watch, before, posted)
            .into_iter()
            .map(|event| {
                let without_limit = event.once.strip_suffix(&format!("|{limit}"));
                without_limit
                    .expect("the limit is part of what is told once")
                    .to_owned()
            })
            .collect()
    }

    const HALF: &str = "budget_threshold|project:a|b|2026-11|50";
    const ALL: &str = "budget_threshold|project:a|b|2026-11|100";
    const OVER: &str = "budget_overrun|project:a|b|2026-11";

    #[test]
    fn a_part_of_the_limit_is_told_of_when_it_is_reached_and_not_before_or_after() {
        assert_eq!(told(100, Some(0), 49), [""; 0]);
        assert_eq!(told(100, Some(49), 50), [HALF]);
        assert_eq!(told(100, Some(50), 99), [""; 0]);
        assert_eq!(told(100, Some(99), 100), [ALL]);
        assert_eq!(told(100, Some(100), 101), [OVER]);
        assert_eq!(told(100, Some(101), 900), [""; 0]);
        assert_eq!(told(100, Some(0), 101), [HALF, ALL, OVER]);
        assert_eq!(told(101, Some(50), 51), [HALF]);
    }

    #[test]
    fn all_that_holds_is_told_of_when_nothing_was_before() {
        assert_eq!(told(100, None, 60), [HALF]);
        assert_eq!(told(100, None, 0), [""; 0]);
        assert_eq!(told(0, None, 0), [""; 0]);
        assert_eq!(told(0, Some(0), 1), [OVER]);
        assert_eq!(told(i64::MAX, Some(0), i64::MAX), [HALF, ALL]);
    }

    #[test]
    fn an_event_says_what_was_spent_of_what() {
        let key = PeriodKey {
            scope: "user:\"x\"".into(),
            period: "total".into(),
        };
        let watch = Watch {
            limit: 10,
            percents: vec![80],
        };
        let event = events(&key, &watch, Some(0), 9).remove(0);
        assert_eq!(
            event.detail,
            r#"{"scope":"user:\"x\"","period":"total","percent":80,"limitNanoUsd":10,"spentNanoUsd":9}"#
        );
    }
}
