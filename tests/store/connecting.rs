//! What a user is told when no connection to PostgreSQL is made: the real reason, and what to do next.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use ai_mcp_gateway::store::{OpenError, Store};

use crate::database::postgres_config;
use crate::samples::finished_call;
use crate::support::{PostgresDatabase, PostgresServer};

/// A password that no message may hold.
const CANARY: &str = "canary-5f1e";

/// What opening the store at this address says.
#[track_caller]
fn refusal(url: &str) -> OpenError {
    let refusal = Store::open(postgres_config(url).into()).unwrap_err();
    assert!(!format!("{refusal} {refusal:?}").contains(CANARY), "{refusal:?}");
    refusal
}

#[track_caller]
fn assert_refused(url: &str, advice: &str) {
    let refusal = refusal(url);
    assert!(matches!(refusal, OpenError::Refused { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(advice), "{refusal}");
}

#[track_caller]
fn assert_unreachable(url: &str, advice: &str) {
    let refusal = refusal(url);
    assert!(matches!(refusal, OpenError::Unreachable { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(advice), "{refusal}");
}

/// The address with another login.
fn with_login(url: &str, login: &str) -> String {
    let (_, place) = url.split_once('@').unwrap();
    format!("postgres://{login}@{place}")
}

/// A user without rights, on a server of the test's own, whose users end with it.
fn with_a_plain_user(test: impl FnOnce(&PostgresDatabase, &str)) {
    let server = PostgresServer::start(None);
    let database = PostgresDatabase::create_on(server.url());
    database.execute(&format!("CREATE ROLE plain LOGIN PASSWORD '{CANARY}'"));
    test(&database, &with_login(&database.url(), &format!("plain:{CANARY}")));
    database.execute("DROP ROLE plain");
}

#[test]
fn a_wrong_password_user_or_database_is_named() {
    let database = PostgresDatabase::create();
    let url = database.url();
    let password = "check user and password in DATABASE_URL";
    assert_refused(&with_login(&url, &format!("postgres:{CANARY}")), password);
    assert_refused(&with_login(&url, &format!("nobody:{CANARY}")), password);
    assert_refused(&with_login(&url, "postgres"), "the server asks for a password");
    assert_refused(&format!("{url}_missing"), "there is no such database: create it");
}

#[test]
fn a_server_without_tls_is_named_as_the_reason_where_sslmode_asks_for_it() {
    let database = PostgresDatabase::create();
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", database.url());
        assert_refused(&url, "the server offers no TLS, which sslmode in DATABASE_URL asks for");
    }
}

#[test]
fn what_a_user_may_not_do_is_named() {
    with_a_plain_user(|database, url| {
        database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        assert_refused(url, "its user may not create tables");

        let name = database.texts("SELECT current_database()").remove(0);
        database.execute(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"));
        assert_refused(url, "GRANT CONNECT ON DATABASE");
        database.execute(&format!("GRANT CONNECT ON DATABASE {name} TO PUBLIC"));

        database.execute("ALTER ROLE plain CONNECTION LIMIT 0");
        assert_unreachable(url, "all its connections are taken: raise its max_connections");
        database.execute("ALTER ROLE plain NOLOGIN");
        assert_refused(
            url,
            "check the user in DATABASE_URL, and that the server's pg_hba.conf lets it in",
        );
    });
}

#[test]
fn a_user_who_may_not_choose_the_language_of_errors_is_served() {
    with_a_plain_user(|database, url| {
        database.execute("GRANT CREATE ON SCHEMA public TO plain");
        let store = Store::open(postgres_config(url).into()).unwrap();
        store
            .block_on(store.calls().insert_calls(vec![finished_call()]))
            .unwrap();
        store.shutdown(Duration::from_secs(10));
        database.execute("DROP OWNED BY plain");
    });
}

#[test]
fn a_wrong_port_and_a_wrong_host_name_are_told_apart() {
    assert_unreachable(
        &format!("postgres://me:{CANARY}@127.0.0.1:1/db"),
        "check that it runs, and that DATABASE_URL has its host and port",
    );
    // Longer than a part of a name may be, so that no name server is asked.
    let host = format!("{}.invalid", "x".repeat(64));
    assert_unreachable(
        &format!("postgres://me:{CANARY}@{host}/db"),
        "the host's name is not known: check it in DATABASE_URL",
    );
}

/// Something that listens, waits for the first message, answers it with these bytes and closes.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        assert!(peer.read(&mut [0; 1024]).unwrap() > 0);
        peer.write_all(answer).unwrap();
    });
    format!("postgres://me:{CANARY}@{address}/db?sslmode=disable")
}

#[test]
fn a_server_that_starts_and_one_that_is_no_postgres_are_told_apart() {
    assert_unreachable(
        &answering(b"E\0\0\0\x3eSFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"),
        "it is starting or stopping: start again when it takes connections",
    );
    let no_postgres = "that it is PostgreSQL that listens at this host and port";
    assert_unreachable(&answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), no_postgres);
    assert_unreachable(&answering(b""), no_postgres);
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_time_of_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert_unreachable(
        &format!("postgres://me:{CANARY}@{address}/db?connect_timeout=1"),
        "no firewall is in between (no answer in time)",
    );
}
