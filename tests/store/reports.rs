//! The port `ReportStore`: sums are those of the records, exactly, on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_actors::protocol::{
    CallFilter, CallRecord, CallSums, Dimension, Interval, KeyId, Layer, LegRole, NanoUsd, Outcome, RecordOwner,
    ReportGroup, ReportQuestion, StoreError, TokenUsage, UsageSource,
};

use crate::database::{TestStore, on_each_database};
use crate::samples::{dispatch, finished};
use crate::support::Draw;

on_each_database! {
    sums_are_those_of_the_records_whatever_they_are_told_apart_by,
    days_weeks_and_months_end_at_midnight_utc,
    a_filter_keeps_what_is_within_it_and_nothing_else,
    the_dearest_calls_come_first,
    a_report_that_is_too_large_is_refused_and_never_cut,
    sums_of_no_records_are_no_groups,
}

/// 2026-11-29, a Sunday.
const SUNDAY: i64 = 1_795_910_400_000_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// A record of a call that was sent then, by a request of about the same time.
pub(crate) fn call_at(started_at: i64, number: u64) -> CallRecord {
    let mut dispatch = dispatch();
    let millis = started_at / 1_000;
    let request = format!("req_{millis:012x}7{:03x}8{number:015x}", number % 0xfff);
    dispatch.attempt.request = request.parse().unwrap();
    dispatch.started_at = started_at;
    dispatch.charges = None;
    dispatch.conversation = None;
    finished(&dispatch)
}

pub(crate) fn insert(test: &TestStore, records: &[CallRecord]) {
    let records = records.iter().cloned().map(Arc::new).collect();
    test.store.block_on(test.store.calls().insert_calls(records)).unwrap();
}

fn question(interval: Option<Interval>, dimensions: &[Dimension]) -> ReportQuestion {
    ReportQuestion {
        filter: CallFilter::of(RecordOwner::Everyone),
        interval,
        dimensions: dimensions.to_vec(),
        most_groups: 10_000,
    }
}

fn report(test: &TestStore, question: ReportQuestion) -> Vec<ReportGroup> {
    test.store.block_on(test.store.reports().report(question)).unwrap()
}

/// The sums of one record.
fn of(record: &CallRecord) -> CallSums {
    let flag = u64::from;
    CallSums {
        calls: 1,
        succeeded: flag(record.outcome == Outcome::Completed),
        estimated: flag(record.estimated),
        input_tokens: record.usage.input,
        cached_input_tokens: record.usage.cached_input,
        output_tokens: record.usage.output,
        reasoning_tokens: record.usage.reasoning,
        cost: record.cost,
        estimated_cost: if record.estimated { record.cost } else { NanoUsd::ZERO },
        duration_us: record.duration_us,
        first_at: record.dispatch.started_at,
        last_at: record.dispatch.started_at,
    }
}

fn sum<'r>(records: impl IntoIterator<Item = &'r CallRecord>) -> CallSums {
    let mut records = records.into_iter();
    let sum = records.try_fold(CallSums::default(), |sum, record| sum.checked_add(of(record)));
    sum.unwrap()
}

fn value(record: &CallRecord, dimension: Dimension) -> Option<String> {
    let sent = &record.dispatch;
    match dimension {
        Dimension::Model => Some(sent.model.to_string()),
        Dimension::Layer => Some(sent.layer.to_string()),
        Dimension::Provider => Some(sent.provider.to_string()),
        Dimension::Project => sent.project_id.as_deref().map(Into::into),
        Dimension::User => sent.user_id.as_deref().map(Into::into),
        Dimension::Key => sent.key_id.as_ref().map(ToString::to_string),
        Dimension::Outcome => Some(record.outcome.as_str().to_owned()),
        Dimension::Purpose => Some(sent.purpose.to_string()),
    }
}

/// `GATEWAY_TEST_SEED`, or one that is always the same.
fn seed() -> u64 {
    std::env::var("GATEWAY_TEST_SEED").map_or(0x5eed, |seed| seed.parse().unwrap())
}

/// Random records of some days, models, projects and users.
fn drawn(draw: &mut Draw, count: u64) -> Vec<CallRecord> {
    let keys: Vec<KeyId> = (0..3).map(|_| KeyId::generate()).collect();
    let mut pick = |of: usize| draw.below(of);
    let mut records = Vec::new();
    for number in 0..count {
        let at =
            SUNDAY - 70 * DAY + i64::try_from(pick(140)).unwrap() * DAY / 2 + i64::try_from(pick(1_000_000)).unwrap();
        let mut record = call_at(at, number);
        let sent = &mut record.dispatch;
        sent.model = format!("model-{}", pick(4)).into();
        sent.provider = format!("provider-{}", pick(2)).into();
        sent.layer = Layer::ALL[pick(4)];
        sent.purpose = LegRole::ALL[pick(LegRole::ALL.len())];
        sent.project_id = [None, Some("p".into()), Some("=q".into())][pick(3)].clone();
        sent.user_id = [None, Some("u".into())][pick(2)].clone();
        sent.key_id = [None, Some(keys[pick(3)].clone())][pick(2)].clone();
        sent.conversation = [None, Some("conv-1".parse().unwrap()), Some("conv-2".parse().unwrap())][pick(3)].clone();
        record.outcome = [Outcome::Completed, Outcome::Refused, Outcome::ClientLeft][pick(3)];
        record.estimated = pick(2) == 0;
        record.usage_source = UsageSource::Reported;
        let output = u64::try_from(pick(1_000_000)).unwrap();
        record.usage = TokenUsage {
            input: u64::try_from(pick(1_000_000)).unwrap(),
            output,
            reasoning: output / 3,
            ..TokenUsage::default()
        };
        // So large and odd that a float would not hold the sum.
        record.cost = NanoUsd(9_007_199_254_740_993 + i64::try_from(pick(1_000)).unwrap());
        records.push(record);
    }
    records
}

/// A group's period, and its value of each dimension.
type Key = (Option<String>, Vec<Option<String>>);

fn sums_are_those_of_the_records_whatever_they_are_told_apart_by(test: &TestStore) {
    let seed = seed();
    let records = drawn(&mut Draw::new(seed), 700);
    insert(test, &records);
    // Messages of the same conversations, which must not make any sum larger.
    test.execute(
        "INSERT INTO conversations (id, created_at, updated_at, next_seq) VALUES ('conv-1', 1, 1, 4);
         INSERT INTO messages (conversation_id, seq, role, content, status, created_at)
         VALUES ('conv-1', 1, 'user', 'a', 'done', 1), ('conv-1', 2, 'assistant', 'b', 'done', 1),
            ('conv-1', 3, 'user', 'c', 'done', 1)",
    );
    let all = report(test, question(None, &[]));
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].sums, sum(&records));
    let intervals = [None, Some(Interval::Day), Some(Interval::Week), Some(Interval::Month)];
    let dimensions: Vec<Vec<Dimension>> = Dimension::ALL
        .iter()
        .map(|one| vec![*one])
        .chain([
            vec![],
            vec![Dimension::User, Dimension::Project],
            vec![Dimension::Provider, Dimension::Model, Dimension::Outcome],
            vec![Dimension::Purpose, Dimension::Layer],
        ])
        .collect();
    for interval in intervals {
        for dimensions in &dimensions {
            let mut expected: BTreeMap<Key, Vec<&CallRecord>> = BTreeMap::new();
            for record in &records {
                let period = interval.map(|interval| interval.window().period_at(record.dispatch.started_at));
                let values = dimensions.iter().map(|one| value(record, *one)).collect();
                let key = (period.map(|period| period.id.to_string()), values);
                expected.entry(key).or_default().push(record);
            }
            let groups = report(test, question(interval, dimensions));
            assert_eq!(groups.len(), expected.len(), "{interval:?} {dimensions:?}");
            for group in &groups {
                let values = group.values.iter().map(|value| value.as_deref().map(Into::into));
                let key = (
                    group.period.as_ref().map(|period| period.id.to_string()),
                    values.collect(),
                );
                let records = expected[&key].iter().copied();
                assert_eq!(group.sums, sum(records), "{key:?}, seed {seed}");
            }
            let starts: Vec<_> = groups
                .iter()
                .filter_map(|group| group.period.as_ref().map(|period| period.starts_at))
                .collect();
            assert!(starts.is_sorted(), "{starts:?}");
        }
    }
}

fn days_weeks_and_months_end_at_midnight_utc(test: &TestStore) {
    let moments = [
        SUNDAY - 1,
        SUNDAY,
        SUNDAY + DAY - 1,
        // Monday of another week, and then the first of another month.
        SUNDAY + DAY,
        SUNDAY + 2 * DAY - 1,
        SUNDAY + 2 * DAY,
    ];
    let records: Vec<_> = moments
        .iter()
        .zip(0..)
        .map(|(at, number)| call_at(*at, number))
        .collect();
    insert(test, &records);
    let calls = |interval| -> Vec<(String, u64)> {
        let groups = report(test, question(Some(interval), &[]));
        groups
            .into_iter()
            .map(|group| (group.period.unwrap().id.to_string(), group.sums.calls))
            .collect()
    };
    let of = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(id, calls)| ((*id).to_owned(), *calls)).collect()
    };
    assert_eq!(
        calls(Interval::Day),
        of(&[
            ("2026-11-28", 1),
            ("2026-11-29", 2),
            ("2026-11-30", 2),
            ("2026-12-01", 1)
        ])
    );
    assert_eq!(calls(Interval::Week), of(&[("2026-W48", 3), ("2026-W49", 3)]));
    assert_eq!(calls(Interval::Month), of(&[("2026-11", 5), ("2026-12", 1)]));
}

fn a_filter_keeps_what_is_within_it_and_nothing_else(test: &TestStore) {
    let seed = seed();
    let records = drawn(&mut Draw::new(seed), 300);
    insert(test, &records);
    let everyone = CallFilter::of(RecordOwner::Everyone);
    let at = records[7].dispatch.started_at;
    let key = records
        .iter()
        .find_map(|record| record.dispatch.key_id.clone())
        .unwrap();
    let labels = |project: Option<&str>, user: Option<&str>| RecordOwner::Labels {
        project: project.map(Into::into),
        user: user.map(Into::into),
    };
    type Keep<'a> = Box<dyn Fn(&CallRecord) -> bool + 'a>;
    let project_is = |record: &CallRecord, project: &str| record.dispatch.project_id.as_deref() == Some(project);
    let user_is = |record: &CallRecord, user: &str| record.dispatch.user_id.as_deref() == Some(user);
    let cases: Vec<(CallFilter, Keep<'_>)> = vec![
        (
            CallFilter {
                since: Some(at),
                ..everyone.clone()
            },
            Box::new(|record| record.dispatch.started_at >= at),
        ),
        (
            CallFilter {
                until: Some(at),
                ..everyone.clone()
            },
            Box::new(|record| record.dispatch.started_at < at),
        ),
        (
            CallFilter {
                since: Some(at),
                until: Some(at + 1),
                ..everyone.clone()
            },
            Box::new(|record| record.dispatch.started_at == at),
        ),
        (
            CallFilter {
                conversation: Some("conv-2".parse().unwrap()),
                ..everyone.clone()
            },
            Box::new(|record| {
                record
                    .dispatch
                    .conversation
                    .as_ref()
                    .is_some_and(|id| id.as_str() == "conv-2")
            }),
        ),
        (
            CallFilter::of(RecordOwner::Key(key.clone())),
            Box::new(|record| record.dispatch.key_id.as_ref() == Some(&key)),
        ),
        (
            CallFilter::of(labels(Some("p"), None)),
            Box::new(|record| project_is(record, "p")),
        ),
        (
            CallFilter::of(labels(Some("p"), Some("u"))),
            Box::new(|record| project_is(record, "p") && user_is(record, "u")),
        ),
        // Whoever sees one project only finds nothing of another.
        (
            CallFilter {
                project: Some("=q".into()),
                ..CallFilter::of(labels(Some("p"), None))
            },
            Box::new(|_| false),
        ),
        (
            CallFilter {
                user: Some("u".into()),
                since: Some(at),
                ..everyone.clone()
            },
            Box::new(|record| user_is(record, "u") && record.dispatch.started_at >= at),
        ),
        (
            CallFilter {
                project: Some("p' OR '1'='1".into()),
                ..everyone
            },
            Box::new(|_| false),
        ),
    ];
    for (filter, keep) in cases {
        let groups = report(
            test,
            ReportQuestion {
                filter: filter.clone(),
                ..question(None, &[])
            },
        );
        let found = groups.first().map(|group| group.sums).unwrap_or_default();
        let expected = sum(records.iter().filter(|record| keep(record)));
        assert_eq!(found, expected, "{filter:?}, seed {seed}");
    }
}

fn the_dearest_calls_come_first(test: &TestStore) {
    let mut records: Vec<_> = (0..20).map(|number| call_at(SUNDAY + HOUR, number)).collect();
    for (record, cost) in records.iter_mut().zip([5, 3, 9, 1].into_iter().cycle()) {
        record.cost = NanoUsd(cost);
    }
    records[4].cost = NanoUsd(100);
    records[4].dispatch.started_at = SUNDAY - 30 * DAY;
    insert(test, &records);
    let mut filter = CallFilter::of(RecordOwner::Everyone);
    filter.since = Some(SUNDAY);
    let dearest = test.store.reports().dearest_calls(filter, 7);
    let dearest = test.store.block_on(dearest).unwrap();
    let costs: Vec<i64> = dearest.iter().map(|call| call.cost.0).collect();
    assert_eq!(costs, [9, 9, 9, 9, 9, 5, 5]);
    let first = &records[2];
    assert_eq!(dearest[0].purpose, first.dispatch.purpose.as_str());
    assert_eq!(dearest[0].attempt, first.dispatch.attempt.to_string());
    assert_eq!(dearest[0].key, first.dispatch.key_id.as_ref().map(ToString::to_string));
}

fn a_report_that_is_too_large_is_refused_and_never_cut(test: &TestStore) {
    let mut records: Vec<_> = (0..3).map(|number| call_at(SUNDAY, number)).collect();
    for (record, model) in records.iter_mut().zip(["a", "b", "c"]) {
        record.dispatch.model = model.into();
    }
    insert(test, &records);
    let mut asked = question(None, &[Dimension::Model]);
    for (most_groups, fits) in [(2, false), (3, true)] {
        asked.most_groups = most_groups;
        let answer = test.store.block_on(test.store.reports().report(asked.clone()));
        match (fits, answer) {
            (true, Ok(groups)) => assert_eq!(groups.len(), 3),
            (false, Err(StoreError::ReportTooLarge)) => {}
            (_, answer) => panic!("{most_groups}: {answer:?}"),
        }
    }
    let mut absurd: Vec<_> = (10..12).map(|number| call_at(SUNDAY, number)).collect();
    for record in &mut absurd {
        record.cost = NanoUsd(i64::MAX);
    }
    insert(test, &absurd);
    let answer = test.store.block_on(test.store.reports().report(question(None, &[])));
    assert!(matches!(answer, Err(StoreError::ReportTooLarge)), "{answer:?}");
}

fn sums_of_no_records_are_no_groups(test: &TestStore) {
    assert_eq!(report(test, question(None, &[])), []);
    assert_eq!(report(test, question(Some(Interval::Month), &[Dimension::Key])), []);
}
