//! The port `CallStore`: what both databases promise.

use std::sync::Arc;
use std::time::Duration;

use gateway_actors::protocol::{CallRecord, DispatchRecord, LongContext, Price, StoreError};

use crate::database::{TestStore, on_each_database};
use crate::samples::{dispatch, finished, finished_call};

on_each_database! {
    a_record_keeps_what_it_says,
    a_price_is_kept_whole_where_three_columns_do_not_say_all_of_it,
    a_record_that_is_there_stays_as_it_is,
    a_finished_record_replaces_an_interrupted_one,
    one_batch_may_say_the_same_attempt_twice,
    a_long_batch_may_say_an_attempt_twice_or_what_is_there_already,
    counts_that_the_database_cannot_hold_are_stored_as_the_largest_it_can,
    a_large_batch_is_stored_whole,
    two_stores_that_insert_the_same_records_at_once_store_each_once,
    a_store_that_was_shut_down_refuses_records,
}

fn insert(test: &TestStore, records: Vec<Arc<CallRecord>>) {
    test.store.block_on(test.store.calls().insert_calls(records)).unwrap();
}

/// Id, outcome and cost of every row, in the order of the ids.
fn rows(test: &TestStore) -> Vec<String> {
    test.texts("SELECT attempt_id || ' ' || outcome || ' ' || cost_nano_usd FROM llm_calls ORDER BY attempt_id")
}

fn a_record_keeps_what_it_says(test: &TestStore) {
    let record = finished_call();
    insert(test, vec![Arc::clone(&record)]);
    let attempt = record.dispatch.attempt;
    let expected = [
        ("attempt_id", attempt.to_string()),
        ("request_id", attempt.request.to_string()),
        ("ordinal", "1".into()),
        ("instance_id", record.dispatch.instance.to_string()),
        ("cell", "3".into()),
        ("conversation_id", "conv-1".into()),
        ("user_id", "user-1".into()),
        ("project_id", "project \"one\"".into()),
        ("endpoint", "/v1/chat".into()),
        ("model_id", "alpha-small".into()),
        ("api_model", "gpt-4o-mini".into()),
        ("provider", "alpha".into()),
        ("layer", "L1".into()),
        ("task", "create-project".into()),
        ("purpose", "panel".into()),
        ("input_tokens", "10".into()),
        ("cached_input_tokens", "4".into()),
        ("cache_write_5m_tokens", "3".into()),
        ("cache_write_1h_tokens", "2".into()),
        ("output_tokens", "20".into()),
        ("reasoning_tokens", "5".into()),
        ("usage_source", "reported".into()),
        ("cost_nano_usd", "1234".into()),
        ("held_nano_usd", "5000".into()),
        ("output_cap_tokens", "100".into()),
        ("input_price_pico_usd", "150000".into()),
        ("cached_input_price_pico_usd", "75000".into()),
        ("output_price_pico_usd", "600000".into()),
        ("coalesce(price, 'NULL')", "NULL".into()),
        ("CAST(estimated AS INTEGER)", "0".into()),
        ("CAST(streamed AS INTEGER)", "1".into()),
        ("outcome", "completed".into()),
        ("status", "200".into()),
        ("CAST(success AS INTEGER)", "1".into()),
        ("first_byte_us", "120".into()),
        ("duration_us", "4500".into()),
        ("started_at", "1700000000000000".into()),
    ];
    for (column, value) in expected {
        let found = test.texts(&format!("SELECT CAST({column} AS TEXT) FROM llm_calls"));
        assert_eq!(found, [value], "{column}");
    }
}

fn a_price_is_kept_whole_where_three_columns_do_not_say_all_of_it(test: &TestStore) {
    let plain = finished_call();
    let mut dearer = dispatch();
    let price = dearer.price.as_mut().unwrap();
    price.rates.cache_write_1h.0 = 300_000;
    price.long_context = Some(LongContext {
        above: 200_000,
        rates: price.rates,
    });
    let price = *price;
    let mut unknown = dispatch();
    unknown.price = None;
    let records = [&dearer, &unknown].map(|dispatch| Arc::new(finished(dispatch)));
    insert(test, [vec![plain], records.to_vec()].concat());
    let columns =
        "coalesce(input_price_pico_usd || ' ' || cached_input_price_pico_usd || ' ' || output_price_pico_usd, '-')";
    let of = |dispatch: &DispatchRecord, column: &str| {
        let of_it = format!("WHERE attempt_id = '{}'", dispatch.attempt);
        test.texts(&format!("SELECT {column} FROM llm_calls {of_it}"))
    };
    let stored = of(&dearer, "price").remove(0);
    assert_eq!(serde_json::from_str::<Price>(&stored).unwrap(), price, "{stored}");
    assert_eq!(of(&dearer, columns), ["150000 75000 600000"]);
    assert_eq!(of(&unknown, &format!("{columns} || coalesce(price, '-')")), ["--"]);
    assert_eq!(
        test.texts("SELECT attempt_id FROM llm_calls WHERE price IS NOT NULL")
            .len(),
        1
    );
}

fn a_record_that_is_there_stays_as_it_is(test: &TestStore) {
    let record = finished_call();
    let mut changed = CallRecord::clone(&record);
    changed.cost.0 = 9;
    let interrupted = CallRecord::interrupted(record.dispatch.clone());
    insert(test, vec![Arc::clone(&record)]);
    insert(test, vec![Arc::new(changed)]);
    insert(test, vec![Arc::new(interrupted)]);
    let id = record.dispatch.attempt.to_string();
    assert_eq!(rows(test), [format!("{id} completed 1234")]);
}

fn a_finished_record_replaces_an_interrupted_one(test: &TestStore) {
    let dispatch = dispatch();
    let id = dispatch.attempt.to_string();
    insert(test, vec![Arc::new(CallRecord::interrupted(dispatch.clone()))]);
    assert_eq!(rows(test), [format!("{id} interrupted 5000")]);
    insert(test, vec![Arc::new(CallRecord::interrupted(dispatch.clone()))]);
    insert(test, vec![Arc::new(finished(&dispatch))]);
    assert_eq!(rows(test), [format!("{id} completed 1234")]);
}

fn one_batch_may_say_the_same_attempt_twice(test: &TestStore) {
    let (first, second) = (dispatch(), dispatch());
    let mut changed = finished(&first);
    changed.cost.0 = 9;
    insert(
        test,
        vec![
            Arc::new(finished(&first)),
            Arc::new(changed),
            Arc::new(CallRecord::interrupted(first.clone())),
            Arc::new(CallRecord::interrupted(second.clone())),
            Arc::new(finished(&second)),
        ],
    );
    let mut expected = [first, second].map(|dispatch| format!("{} completed 1234", dispatch.attempt));
    expected.sort();
    assert_eq!(rows(test), expected);
}

fn a_long_batch_may_say_an_attempt_twice_or_what_is_there_already(test: &TestStore) {
    let sent: Vec<_> = (0..40).map(|_| dispatch()).collect();
    let interrupted = |place: usize| Arc::new(CallRecord::interrupted(sent[place].clone()));
    insert(test, vec![Arc::new(finished(&sent[2])), interrupted(3)]);
    let mut batch: Vec<_> = sent.iter().map(|one| Arc::new(finished(one))).collect();
    batch.insert(20, interrupted(20));
    batch.push(interrupted(2));
    insert(test, batch);
    let expected = sent.iter().map(|one| format!("{} completed 1234", one.attempt));
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(rows(test), expected);
}

fn counts_that_the_database_cannot_hold_are_stored_as_the_largest_it_can(test: &TestStore) {
    let mut record = CallRecord::clone(&finished_call());
    record.usage.input = u64::MAX;
    insert(test, vec![Arc::new(record)]);
    let stored = test.texts("SELECT CAST(input_tokens AS TEXT) FROM llm_calls");
    assert_eq!(stored, [i64::MAX.to_string()]);
}

fn a_large_batch_is_stored_whole(test: &TestStore) {
    let records: Vec<_> = (0..1_100).map(|_| finished_call()).collect();
    insert(test, records.clone());
    insert(test, records);
    assert_eq!(rows(test).len(), 1_100);
}

fn two_stores_that_insert_the_same_records_at_once_store_each_once(test: &TestStore) {
    let records: Vec<_> = (0..50).map(|_| dispatch()).collect();
    let found: Vec<_> = records
        .iter()
        .map(|one| Arc::new(CallRecord::interrupted(one.clone())))
        .collect();
    let mut ended: Vec<_> = records.iter().map(|one| Arc::new(finished(one))).collect();
    ended.reverse();
    let neighbour = test.patient_neighbour();
    let (one, other) = (test.store.calls(), neighbour.calls());
    let both = async { tokio::join!(one.insert_calls(found), other.insert_calls(ended)) };
    let (first, second) = test.store.block_on(both);
    first.unwrap();
    second.unwrap();
    let rows = rows(test);
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| row.ends_with("completed 1234")), "{rows:?}");
}

fn a_store_that_was_shut_down_refuses_records(test: &TestStore) {
    let neighbour = test.neighbour();
    let calls = neighbour.calls();
    neighbour.shutdown(Duration::from_secs(10));
    let late = test.store.block_on(calls.insert_calls(vec![finished_call()]));
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
}
