//! The port `ResponseStore`: what both databases promise, alone and together with other stores on the same data.

use std::time::Duration;

use ai_mcp_gateway::store::{SqliteConfig, Store, StoreConfig};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use gateway_actors::protocol::{
    CHAIN_BYTES, Chain, PURGE_BATCH, RequestId, ResponseId, StoreError, StoredResponse, TurnOpened,
};

use crate::database::{TestDatabase, TestStore, on_each_database, postgres_config};
use crate::samples::{conversation, response, response_id, turn};
use crate::support::{PostgresDatabase, PostgresServer, wait_for};

on_each_database! {
    a_response_is_read_as_it_was_stored,
    any_response_comes_back_as_it_was,
    a_response_that_is_stored_twice_is_there_once,
    another_response_of_the_same_id_is_refused_and_the_first_stays,
    a_response_that_is_refused_takes_no_other_write_with_it,
    of_many_stores_that_give_one_id_to_different_responses_one_succeeds,
    a_chain_is_read_from_its_first_response_to_the_one_that_was_asked_for,
    a_response_can_be_gone_on_from_more_than_once,
    a_chain_with_a_link_that_was_deleted_says_which,
    a_chain_with_a_link_that_has_expired_is_broken_there,
    a_chain_of_more_responses_than_asked_for_is_too_long,
    a_chain_of_more_bytes_than_fit_is_too_large,
    a_response_is_deleted_once,
    a_response_that_has_expired_is_as_good_as_gone,
    the_id_of_a_response_that_has_expired_is_free,
    expired_responses_are_purged_a_batch_at_a_time_and_others_stay,
    expired_responses_are_purged_by_themselves_when_a_gateway_starts,
    a_large_response_comes_back_whole,
    a_response_whose_caller_went_away_is_stored_all_the_same,
}

fn put(store: &Store, response: &StoredResponse) -> Result<(), StoreError> {
    store.block_on(store.responses().put(response.clone()))
}

fn stored(store: &Store, response: &StoredResponse) {
    put(store, response).unwrap();
}

fn get(store: &Store, id: &str) -> Option<StoredResponse> {
    store.block_on(store.responses().get(&response_id(id))).unwrap()
}

fn chain(store: &Store, id: &str, most: u32) -> Chain {
    store.block_on(store.responses().chain(&response_id(id), most)).unwrap()
}

fn delete(store: &Store, id: &str) -> bool {
    store.block_on(store.responses().delete(&response_id(id))).unwrap()
}

fn purge(store: &Store) -> usize {
    store.block_on(store.responses().purge_expired()).unwrap()
}

/// Stores a chain of responses of these ids, oldest first.
fn stored_chain(store: &Store, ids: &[&str]) -> Vec<StoredResponse> {
    let mut previous = None;
    let mut responses = Vec::new();
    for id in ids {
        let response = response(id, previous);
        stored(store, &response);
        responses.push(response);
        previous = Some(*id);
    }
    responses
}

/// A response that expired long ago.
fn expired(id: &str, previous: Option<&str>) -> StoredResponse {
    let mut response = response(id, previous);
    response.expires_at = response.created_at + 1;
    response
}

fn rows(test: &TestStore) -> Vec<String> {
    test.texts("SELECT id FROM responses ORDER BY id")
}

fn a_response_is_read_as_it_was_stored(test: &TestStore) {
    let first = response("resp_1", None);
    let mut second = response("resp_2", Some("resp_1"));
    second.expires_at -= 7;
    stored(&test.store, &first);
    stored(&test.store, &second);
    let neighbour = test.neighbour();
    assert_eq!(get(&neighbour, "resp_1"), Some(first));
    assert_eq!(get(&neighbour, "resp_2"), Some(second));
    assert_eq!(get(&neighbour, "resp_3"), None);
    // Ids are told apart letter by letter.
    assert_eq!(get(&neighbour, "RESP_1"), None);
}

fn any_response_comes_back_as_it_was(test: &TestStore) {
    let every_plane: String = (0..=16_u32)
        .filter_map(|plane| char::from_u32(plane * 0x1_0000 + 0xfffd))
        .collect();
    for (number, text) in [
        r#"["'quotes' \"and\" $1 ?1 :name"]"#,
        r#"["back\\slash \u0000 \\x00"]"#,
        "",
        &every_plane,
    ]
    .into_iter()
    .enumerate()
    {
        let mut response = response(&format!("resp_{number}"), None);
        (response.model, response.input, response.body) = (text.into(), text.into(), text.into());
        stored(&test.store, &response);
        assert_eq!(get(&test.store, response.id.as_str()), Some(response));
    }
}

fn a_response_that_is_stored_twice_is_there_once(test: &TestStore) {
    let response = response("resp_1", Some("resp_0"));
    stored(&test.store, &response);
    stored(&test.store, &response);
    stored(&test.neighbour(), &response);
    assert_eq!(rows(test), ["resp_1"]);
    assert_eq!(get(&test.store, "resp_1"), Some(response));
}

fn another_response_of_the_same_id_is_refused_and_the_first_stays(test: &TestStore) {
    let first = response("resp_1", Some("resp_0"));
    stored(&test.store, &first);
    let others: [fn(&mut StoredResponse); 7] = [
        |other| other.previous = None,
        |other| other.request = RequestId::generate(),
        |other| other.model = "other".into(),
        |other| other.input = "[]".into(),
        |other| other.body = "{}".into(),
        |other| other.created_at += 1,
        |other| other.expires_at += 1,
    ];
    for change in others {
        let mut other = first.clone();
        change(&mut other);
        let refused = put(&test.store, &other);
        assert!(
            matches!(refused, Err(StoreError::ResponseMismatch)),
            "{other:?}: {refused:?}"
        );
    }
    assert_eq!(get(&test.store, "resp_1"), Some(first));
}

/// SQLite commits what is sent together in one transaction.
fn a_response_that_is_refused_takes_no_other_write_with_it(test: &TestStore) {
    stored(&test.store, &response("resp_1", None));
    let opened = test
        .store
        .conversations()
        .open_turn(turn(&conversation("conv-1"), "hello"));
    let refused = test.store.responses().put(response("resp_1", None));
    let beside = test.store.responses().put(response("resp_2", None));
    let (opened, refused, beside) = test
        .store
        .block_on(async { futures_util::join!(opened, refused, beside) });
    assert!(matches!(opened, Ok(TurnOpened::Opened { seq: 1, .. })), "{opened:?}");
    assert!(matches!(refused, Err(StoreError::ResponseMismatch)), "{refused:?}");
    beside.unwrap();
    assert_eq!(rows(test), ["resp_1", "resp_2"]);
}

fn of_many_stores_that_give_one_id_to_different_responses_one_succeeds(test: &TestStore) {
    let stores: Vec<Store> = (0..4).map(|_| test.patient_neighbour()).collect();
    let responses: Vec<StoredResponse> = stores.iter().map(|_| response("resp_1", None)).collect();
    let putting = stores
        .iter()
        .zip(&responses)
        // Twice each, as after a commit whose acknowledgement was lost.
        .flat_map(|(store, response)| {
            [
                store.responses().put(response.clone()),
                store.responses().put(response.clone()),
            ]
        });
    let results = test.store.block_on(futures_util::future::join_all(putting));
    let there = get(&test.store, "resp_1").unwrap();
    for (result, response) in results.iter().zip(responses.iter().flat_map(|one| [one, one])) {
        match result {
            Ok(()) => assert_eq!(*response, there),
            Err(StoreError::ResponseMismatch) => assert_ne!(*response, there),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
}

fn a_chain_is_read_from_its_first_response_to_the_one_that_was_asked_for(test: &TestStore) {
    // Ids in no order.
    let responses = stored_chain(&test.store, &["resp_b", "resp_d", "resp_a", "resp_c"]);
    stored(&test.store, &response("resp_beside", None));
    for (place, response) in responses.iter().enumerate() {
        let read = chain(&test.store, response.id.as_str(), 4);
        assert_eq!(read, Chain::Whole(responses[..=place].to_vec()));
    }
    let unknown = chain(&test.store, "resp_x", 4);
    let missing = response_id("resp_x");
    assert_eq!(unknown, Chain::Broken { missing });
}

fn a_response_can_be_gone_on_from_more_than_once(test: &TestStore) {
    let trunk = stored_chain(&test.store, &["resp_1", "resp_2"]);
    for branch in ["resp_left", "resp_right"] {
        let last = response(branch, Some("resp_2"));
        stored(&test.store, &last);
        let whole = [&trunk[..], &[last]].concat();
        assert_eq!(chain(&test.store, branch, 100), Chain::Whole(whole));
    }
}

fn a_chain_with_a_link_that_was_deleted_says_which(test: &TestStore) {
    let responses = stored_chain(&test.store, &["resp_1", "resp_2", "resp_3", "resp_4"]);
    assert!(delete(&test.store, "resp_2"));
    let missing = response_id("resp_2");
    for later in ["resp_2", "resp_3", "resp_4"] {
        let missing = missing.clone();
        assert_eq!(chain(&test.store, later, 100), Chain::Broken { missing }, "{later}");
    }
    assert_eq!(chain(&test.store, "resp_1", 100), Chain::Whole(responses[..1].to_vec()));
    assert_eq!(get(&test.store, "resp_4").as_ref(), responses.last());
}

fn a_chain_with_a_link_that_has_expired_is_broken_there(test: &TestStore) {
    stored(&test.store, &response("resp_1", None));
    stored(&test.store, &expired("resp_2", Some("resp_1")));
    stored(&test.store, &response("resp_3", Some("resp_2")));
    let missing = response_id("resp_2");
    for asked in ["resp_2", "resp_3"] {
        let missing = missing.clone();
        assert_eq!(chain(&test.store, asked, 100), Chain::Broken { missing }, "{asked}");
    }
}

fn a_chain_of_more_responses_than_asked_for_is_too_long(test: &TestStore) {
    let responses = stored_chain(&test.store, &["resp_1", "resp_2", "resp_3"]);
    for most in 0..3 {
        assert_eq!(chain(&test.store, "resp_3", most), Chain::TooLong, "{most}");
    }
    for most in [3, u32::MAX] {
        assert_eq!(chain(&test.store, "resp_3", most), Chain::Whole(responses.clone()));
    }
    // What is missing comes before the limit, and the limit before what is missing.
    delete(&test.store, "resp_1");
    assert_eq!(chain(&test.store, "resp_3", 1), Chain::TooLong);
    let missing = response_id("resp_1");
    assert_eq!(chain(&test.store, "resp_3", 2), Chain::Broken { missing });
    // Nothing keeps a program that writes to the tables from making a circle.
    test.execute("UPDATE responses SET previous_id = 'resp_3' WHERE id = 'resp_2'");
    assert_eq!(chain(&test.store, "resp_3", 1_000), Chain::TooLong);
}

fn a_chain_of_more_bytes_than_fit_is_too_large(test: &TestStore) {
    let limit = usize::try_from(CHAIN_BYTES).unwrap();
    let mut first = response("resp_1", None);
    // Bytes count, not characters.
    (first.input, first.body) = ("\u{e9}".repeat(limit / 4).into(), "x".repeat(limit / 2 - 2).into());
    let mut second = response("resp_2", Some("resp_1"));
    (second.input, second.body) = ("1".into(), "2".into());
    let third = response("resp_3", Some("resp_2"));
    for response in [&first, &second, &third] {
        stored(&test.store, response);
    }
    // Without the texts in the message of a failure.
    let whole = Chain::Whole(vec![first, second]);
    assert!(
        chain(&test.store, "resp_2", 100) == whole,
        "as many bytes as fit were not read"
    );
    let too_large = chain(&test.store, "resp_3", 100);
    assert!(too_large == Chain::TooLarge, "more bytes than fit were read");
}

fn a_response_is_deleted_once(test: &TestStore) {
    stored_chain(&test.store, &["resp_1", "resp_2"]);
    assert!(delete(&test.neighbour(), "resp_1"));
    assert!(!delete(&test.store, "resp_1"));
    assert!(!delete(&test.store, "resp_0"));
    assert_eq!(get(&test.store, "resp_1"), None);
    assert_eq!(rows(test), ["resp_2"]);
}

fn a_response_that_has_expired_is_as_good_as_gone(test: &TestStore) {
    stored(&test.store, &expired("resp_1", None));
    assert_eq!(get(&test.store, "resp_1"), None);
    let missing = response_id("resp_1");
    assert_eq!(chain(&test.store, "resp_1", 100), Chain::Broken { missing });
    assert!(!delete(&test.store, "resp_1"));
}

fn the_id_of_a_response_that_has_expired_is_free(test: &TestStore) {
    stored(&test.store, &expired("resp_1", Some("resp_0")));
    let other = response("resp_1", None);
    stored(&test.store, &other);
    assert_eq!(get(&test.store, "resp_1"), Some(other));
    assert_eq!(rows(test), ["resp_1"]);
}

fn expired_responses_are_purged_a_batch_at_a_time_and_others_stay(test: &TestStore) {
    assert_eq!(purge(&test.store), 0);
    let number = PURGE_BATCH + 7;
    for place in 0..number {
        let mut old = expired(&format!("resp_old_{place:03}"), None);
        old.expires_at += i64::try_from(place).unwrap();
        stored(&test.store, &old);
    }
    stored(&test.store, &response("resp_new", None));
    assert_eq!(purge(&test.store), PURGE_BATCH);
    // Those that expired first have gone first.
    let mut left: Vec<String> = (PURGE_BATCH..number)
        .map(|place| format!("resp_old_{place:03}"))
        .collect();
    left.insert(0, "resp_new".to_owned());
    assert_eq!(rows(test), left);
    assert_eq!(purge(&test.neighbour()), 7);
    assert_eq!(purge(&test.store), 0);
    assert_eq!(rows(test), ["resp_new"]);
}

fn expired_responses_are_purged_by_themselves_when_a_gateway_starts(test: &TestStore) {
    for place in 0..=PURGE_BATCH {
        stored(&test.store, &expired(&format!("resp_{place}"), None));
    }
    stored(&test.store, &response("resp_new", None));
    let started = test.neighbour();
    let purging = started.keep_purging();
    wait_for("the expired responses to be gone", Duration::from_secs(60), || {
        rows(test) == ["resp_new"]
    });
    drop(purging);
    started.shutdown(Duration::from_secs(10));
}

fn a_large_response_comes_back_whole(test: &TestStore) {
    let mut first = response("resp_1", None);
    first.input = format!("[\"{}\"]", "input ".repeat(200_000)).into();
    first.body = format!("{{\"x\":\"{}\"}}", "body\u{1f600}".repeat(150_000)).into();
    let second = response("resp_2", Some("resp_1"));
    stored(&test.store, &first);
    stored(&test.store, &second);
    // Idempotent at this size too.
    stored(&test.store, &first);
    assert!(
        get(&test.store, "resp_1").as_ref() == Some(&first),
        "it came back changed"
    );
    let whole = Chain::Whole(vec![first, second]);
    assert!(
        chain(&test.store, "resp_2", 2) == whole,
        "it came back changed in a chain"
    );
}

fn a_response_whose_caller_went_away_is_stored_all_the_same(test: &TestStore) {
    let current_thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ids: Vec<ResponseId> = (0..20).map(|number| response_id(&format!("resp_{number}"))).collect();
    current_thread.block_on(async {
        for id in &ids {
            // All are polled, and dropped half-done.
            let mut put = test.store.responses().put(response(id.as_str(), None));
            let mut chain = test.store.responses().chain(id, 10);
            let mut deleted = test.store.responses().delete(&response_id("resp_x"));
            tokio::select! {
                biased;
                _ = &mut put => {}
                _ = &mut chain => {}
                _ = &mut deleted => {}
                () = std::future::ready(()) => {}
            }
        }
    });
    let there = || ids.iter().all(|id| get(&test.store, id.as_str()).is_some());
    wait_for("all responses to be there", Duration::from_secs(60), there);
}

#[test]
fn a_file_that_another_program_holds_refuses_writes_in_time_and_is_still_read() {
    let test = TestDatabase::sqlite();
    let StoreConfig::Sqlite(config) = test.config() else {
        unreachable!()
    };
    let path = config.path.clone();
    stored(&test.open(), &response("resp_1", None));
    let impatient = SqliteConfig {
        busy_timeout: Duration::from_millis(20),
        ..config
    };
    let impatient = Store::open(impatient.into()).unwrap();
    let mut other_program = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    other_program
        .batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .unwrap();
    let refused = put(&impatient, &response("resp_2", None));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    let refused = impatient.block_on(impatient.responses().delete(&response_id("resp_1")));
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(get(&impatient, "resp_1").is_some());
    assert!(matches!(chain(&impatient, "resp_1", 1), Chain::Whole(_)));
    other_program.batch_execute("ROLLBACK").unwrap();
    stored(&impatient, &response("resp_2", None));
}

#[test]
fn while_the_server_is_away_nothing_is_stored_or_read_and_afterwards_it_is() {
    let mut server = PostgresServer::start(None);
    let store = Store::open(postgres_config(server.url()).into()).unwrap();
    let (before, meanwhile) = (response("resp_1", None), response("resp_2", Some("resp_1")));
    stored(&store, &before);
    server.stop();
    let responses = store.responses();
    let id = response_id("resp_1");
    let refused = [
        store.block_on(responses.put(meanwhile.clone())).err(),
        store.block_on(responses.get(&id)).err(),
        store.block_on(responses.chain(&id, 10)).err(),
        store.block_on(responses.delete(&id)).err(),
        store.block_on(responses.purge_expired()).err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::Unavailable { .. })), "{error:?}");
    }
    server.start_again();
    stored(&store, &meanwhile);
    assert_eq!(chain(&store, "resp_2", 10), Chain::Whole(vec![before, meanwhile]));
}

#[test]
fn a_response_whose_connection_ends_while_it_is_committed_is_stored_once() {
    let database = PostgresDatabase::create();
    let store = Store::open(postgres_config(&database.url()).into()).unwrap();
    database.execute(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('tries') <= 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON responses DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
         EXECUTE FUNCTION fail()",
    );
    stored(&store, &response("resp_1", None));
    assert_eq!(database.texts("SELECT last_value::text FROM tries"), ["2"]);
    assert_eq!(database.texts("SELECT id FROM responses"), ["resp_1"]);
}

#[test]
fn a_response_expires_by_the_servers_clock() {
    let test = TestDatabase::postgres();
    let store = test.open();
    stored(&store, &response("resp_1", None));
    let expire_in = |interval: &str| {
        test.execute(&format!(
            "UPDATE responses SET expires_at = (extract(epoch FROM clock_timestamp() + interval '{interval}') * 1000000)::bigint"
        ));
    };
    expire_in("1 minute");
    assert!(get(&store, "resp_1").is_some());
    expire_in("0 seconds");
    assert_eq!(get(&store, "resp_1"), None);
    assert_eq!(purge(&store), 1);
}
