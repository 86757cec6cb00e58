//! Whole answers, and everything that comes in their place.

use std::time::{Duration, SystemTime};

use ai_mcp_gateway::providers::{BuildError, Upstreams};
use gateway_actors::protocol::{Billing, FailureKind, TokenUsage, Upstream as _, UpstreamReply, UsageReport};
use tokio::net::TcpListener;

use super::server::{Server, Step, answer, chunk, last_chunk};
use super::{KEY, SHORT, call, failure, make, settings, settings_of};

const JSON: &str = "content-type: application/json";
const ANSWER: &str =
    r#"{"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;

async fn failure_of(script: Vec<Step>) -> (FailureKind, Billing, Option<u16>) {
    let failure = failure(settings_of(&Server::start(script).await), false).await;
    (failure.kind, failure.billing, failure.status)
}

fn chunked(rest: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let head = Step::Say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec());
    [head].into_iter().chain(rest).collect()
}

#[actix_web::test]
async fn an_answer_comes_back_as_it_was_sent_with_its_usage() {
    let server = Server::start(answer("200 OK", &[JSON], ANSWER)).await;
    let UpstreamReply::Complete(completion) = make(settings_of(&server), call(false)).await.unwrap() else {
        panic!("not complete")
    };
    assert_eq!((completion.status, completion.body.as_ref()), (200, ANSWER.as_bytes()));
    let usage = TokenUsage {
        input: 3,
        output: 1,
        ..TokenUsage::default()
    };
    assert_eq!(completion.usage, UsageReport::Reported(usage));
}

#[actix_web::test]
async fn the_request_has_the_path_the_key_and_the_clients_bytes_and_nothing_else_of_the_client() {
    let server = Server::start(answer("200 OK", &[JSON], ANSWER)).await;
    make(settings_of(&server), call(false)).await.unwrap();
    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("date: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.remove(0), "POST /v1/chat/completions HTTP/1.1");
    lines.sort();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "accept-encoding: identity".to_owned(),
        format!("authorization: Bearer {KEY}"),
        format!("content-length: {}", body.len()),
        "content-type: application/json".to_owned(),
        format!("host: {}", server.address),
        format!("user-agent: ai-mcp-gateway/{version}"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(
        body,
        r#"{"model":"gpt-4o-mini","stream":false,"seed":1.50,"messages":[{"role":"user","content":"hi"}]}"#
    );
}

#[actix_web::test]
async fn a_provider_without_a_key_gets_no_authorization() {
    let server = Server::start(answer("200 OK", &[JSON], ANSWER)).await;
    let mut settings = settings_of(&server);
    (settings.api_key_env, settings.api_key) = (None, None);
    make(settings, call(false)).await.unwrap();
    assert!(!server.requests()[0].to_ascii_lowercase().contains("authorization"));
}

#[actix_web::test]
async fn a_provider_whose_key_is_not_set_is_not_called() {
    let server = Server::start(answer("200 OK", &[JSON], ANSWER)).await;
    let mut settings = settings_of(&server);
    settings.api_key = None;
    let failure = failure(settings, false).await;
    assert_eq!((failure.kind, failure.billing), (FailureKind::Auth, Billing::NotBilled));
    assert_eq!(server.connections(), 0);
}

#[actix_web::test]
async fn connections_are_used_again_after_answers_and_after_refusals() {
    for status in ["200 OK", "429 Too Many Requests"] {
        let mut script = answer(status, &[JSON], ANSWER);
        script.push(Step::NextRequest);
        script.extend(answer(status, &[JSON], ANSWER));
        let server = Server::start(script).await;
        let upstreams = Upstreams::new(&[settings_of(&server)]).unwrap();
        for _ in 0..2 {
            let _ = upstreams.call(call(false)).await;
        }
        assert_eq!((server.requests().len(), server.connections()), (2, 1), "{status}");
    }
}

#[actix_web::test]
async fn a_body_in_pieces_is_put_together() {
    let (first, rest) = ANSWER.split_at(10);
    let (second, third) = rest.split_at(1);
    let script = chunked([chunk(first), chunk(second), chunk(third), last_chunk()]);
    let server = Server::start(script).await;
    let UpstreamReply::Complete(completion) = make(settings_of(&server), call(false)).await.unwrap() else {
        panic!("not complete")
    };
    assert_eq!(completion.body, ANSWER);
}

#[actix_web::test]
async fn statuses_that_refuse_are_told_apart_and_not_billed() {
    let context = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
    let cases = [
        ("500 Internal Server Error", "oops", FailureKind::ServerError),
        ("503 Service Unavailable", "", FailureKind::ServerError),
        ("529 Overloaded", "", FailureKind::ServerError),
        (
            "401 Unauthorized",
            r#"{"error":{"message":"bad key"}}"#,
            FailureKind::Auth,
        ),
        ("403 Forbidden", "", FailureKind::Auth),
        ("404 Not Found", "", FailureKind::ModelGone),
        ("408 Request Timeout", "", FailureKind::ServerError),
        ("400 Bad Request", "{}", FailureKind::Rejected),
        ("400 Bad Request", context, FailureKind::ContextTooLong),
        ("413 Payload Too Large", "", FailureKind::Rejected),
        ("429 Too Many Requests", "", FailureKind::RateLimited),
    ];
    for (status, body, kind) in cases {
        let number = status.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(
            failure_of(answer(status, &[JSON], body)).await,
            (kind, Billing::NotBilled, Some(number)),
            "{status}"
        );
    }
}

#[actix_web::test]
async fn g6_the_time_to_wait_is_read_in_every_form() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    let cases = [
        ("retry-after: 2".to_owned(), Some(Duration::from_secs(2))),
        (format!("retry-after: {date}"), Some(Duration::from_secs(60))),
        ("retry-after-ms: 1500".to_owned(), Some(Duration::from_millis(1500))),
        (
            "x-ratelimit-reset-requests: 1m30s".to_owned(),
            Some(Duration::from_secs(60)),
        ),
        (
            "x-ratelimit-reset-tokens: 250ms".to_owned(),
            Some(Duration::from_millis(250)),
        ),
        ("retry-after: 1000000000".to_owned(), Some(Duration::from_secs(60))),
        ("retry-after: -1".to_owned(), None),
        ("x-nothing: 1".to_owned(), None),
    ];
    for (header, expected) in cases {
        let server = Server::start(answer("429 Too Many Requests", &[&header], "{}")).await;
        let failure = failure(settings_of(&server), false).await;
        assert_eq!(
            (failure.kind, failure.retry_after),
            (FailureKind::RateLimited, expected),
            "{header}"
        );
    }
}

#[actix_web::test]
async fn g13_a_redirect_is_not_followed() {
    let elsewhere = Server::start(answer("200 OK", &[JSON], ANSWER)).await;
    let location = format!("location: http://{}/v1/chat/completions", elsewhere.address);
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let (kind, billing, _) = failure_of(answer(status, &[&location], "")).await;
        assert_eq!((kind, billing), (FailureKind::Redirect, Billing::NotBilled), "{status}");
    }
    assert_eq!(elsewhere.connections(), 0, "the key must not go there");
}

#[actix_web::test]
async fn g11_what_is_no_answer_under_a_good_status_may_be_billed() {
    let html = "content-type: text/html";
    let cases = [
        (html, "<!DOCTYPE html><p>hello", FailureKind::Malformed),
        (JSON, "<!DOCTYPE html><p>hello", FailureKind::Malformed),
        (JSON, "", FailureKind::Empty),
        (JSON, "{}", FailureKind::Malformed),
        (JSON, r#"{"choices":[]}"#, FailureKind::Malformed),
        (JSON, r#"{"error":{"message":"overloaded"}}"#, FailureKind::Malformed),
        (JSON, r#"{"choices":[{"mess"#, FailureKind::Truncated),
        ("content-encoding: gzip", ANSWER, FailureKind::Malformed),
    ];
    for (header, body, kind) in cases {
        assert_eq!(
            failure_of(answer("200 OK", &[header], body)).await,
            (kind, Billing::Ambiguous, Some(200)),
            "{header} {body}"
        );
    }
}

#[actix_web::test]
async fn g12_a_body_cut_off_is_truncated() {
    let length = ANSWER.len() + 10;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", &ANSWER[..40]);
    let (kind, billing, _) = failure_of(vec![Step::Say(head.into_bytes())]).await;
    assert_eq!((kind, billing), (FailureKind::Truncated, Billing::Ambiguous));
    let in_chunk = Step::Say(b"40\r\n{\"choices\":".to_vec());
    for script in [chunked([chunk(&ANSWER[..40])]), chunked([in_chunk])] {
        let (kind, billing, _) = failure_of(script).await;
        assert_eq!((kind, billing), (FailureKind::Truncated, Billing::Ambiguous));
    }
}

#[actix_web::test]
async fn g11_interim_answers_are_skipped_and_no_answer_is_given_to_the_wrong_request() {
    let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let mut script = Vec::new();
    for number in 0..3 {
        if number > 0 {
            script.push(Step::NextRequest);
        }
        script.push(Step::Say(hints.into()));
        script.extend(answer(
            "200 OK",
            &[JSON],
            &ANSWER.replace("hello", &format!("hello {number}")),
        ));
    }
    let server = Server::start(script).await;
    let upstreams = Upstreams::new(&[settings_of(&server)]).unwrap();
    for number in 0..3 {
        let Ok(UpstreamReply::Complete(completion)) = upstreams.call(call(false)).await else {
            panic!("no answer")
        };
        let text = String::from_utf8_lossy(&completion.body).into_owned();
        assert!(text.contains(&format!("hello {number}")), "{text}");
    }
    assert_eq!(server.connections(), 1);
}

#[actix_web::test]
async fn g11_interim_answers_without_end_are_no_answer() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(3_000);
    let (kind, billing, _) = failure_of(vec![Step::Say(hints.into()), Step::WaitForClient]).await;
    assert_eq!((kind, billing), (FailureKind::Malformed, Billing::Ambiguous));
}

#[actix_web::test]
async fn g14_an_answer_above_the_limit_is_not_read() {
    let announced = Step::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n{".to_vec());
    let mut server = Server::start(vec![announced, Step::WaitForClient]).await;
    let announced = failure(settings_of(&server), false).await;
    assert_eq!(
        (announced.kind, announced.billing),
        (FailureKind::TooLarge, Billing::Ambiguous)
    );
    server.client_left().await;

    let piece = chunk(&" ".repeat(10_000));
    let mut server = Server::start(chunked(vec![piece; 8].into_iter().chain([Step::WaitForClient]))).await;
    assert_eq!(failure(settings_of(&server), false).await.kind, FailureKind::TooLarge);
    server.client_left().await;
}

#[actix_web::test]
async fn g15_a_head_that_is_too_large_or_no_head_is_a_failure() {
    let many = (0..10_000)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect::<String>();
    let long = format!("x-long: {}\r\n", "a".repeat(1_000_000));
    for headers in [many, long] {
        let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        let (kind, billing, _) = failure_of(vec![Step::Say(head.into_bytes())]).await;
        assert!(
            matches!(kind, FailureKind::TooLarge | FailureKind::Malformed),
            "{kind:?}"
        );
        assert_eq!(billing, Billing::Ambiguous);
    }
    let (kind, billing, _) = failure_of(vec![Step::Say(b"not http at all\r\n\r\n".to_vec())]).await;
    assert_eq!((kind, billing), (FailureKind::Malformed, Billing::Ambiguous));
}

#[actix_web::test]
async fn g2_silence_ends_at_the_limit_that_is_passed_first() {
    let some = Step::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec());
    let cases = [
        (vec![Step::WaitForClient], FailureKind::FirstByteTimeout),
        (vec![some, Step::WaitForClient], FailureKind::IdleTimeout),
    ];
    for (script, kind) in cases {
        let mut server = Server::start(script).await;
        let mut settings = settings_of(&server);
        (settings.timeouts.first_byte, settings.timeouts.idle) = (SHORT, SHORT);
        if kind == FailureKind::IdleTimeout {
            settings.timeouts.first_byte = super::LONG;
        }
        let failure = failure(settings, false).await;
        assert_eq!((failure.kind, failure.billing), (kind, Billing::Ambiguous));
        server.client_left().await;
    }
}

#[actix_web::test]
async fn g25_the_callers_deadline_bounds_the_call() {
    let server = Server::start(vec![Step::WaitForClient]).await;
    let mut call = call(false);
    call.deadline = tokio::time::Instant::now() + SHORT;
    let failure = make(settings_of(&server), call).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::Deadline, Billing::Ambiguous)
    );
}

#[actix_web::test]
async fn g4_a_connection_lost_after_the_request_may_be_billed() {
    for script in [vec![Step::Reset], Vec::new()] {
        let (kind, billing, status) = failure_of(script).await;
        assert_eq!((kind, billing, status), (FailureKind::Reset, Billing::Ambiguous, None));
    }
}

#[actix_web::test]
async fn g1_a_connection_that_is_refused_or_a_name_that_is_unknown_is_not_billed() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for base_url in [format!("http://{free}/v1"), "http://no-such-host.invalid/v1".to_owned()] {
        let failure = failure(settings(&base_url), false).await;
        assert_eq!(
            (failure.kind, failure.billing),
            (FailureKind::Connect, Billing::NotBilled),
            "{base_url}"
        );
    }
}

#[actix_web::test]
async fn g1_a_server_without_tls_is_a_failure_to_connect() {
    let server = Server::start(answer("200 OK", &[], ANSWER)).await;
    let mut settings = settings(&format!("https://{}/v1", server.address));
    settings.timeouts.connect = SHORT;
    let failure = failure(settings, false).await;
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::Connect, Billing::NotBilled)
    );
    assert!(server.requests().is_empty());
}

#[actix_web::test]
async fn a_key_that_cannot_be_sent_is_refused_without_being_told() {
    let mut settings = settings("http://127.0.0.1:1/v1");
    settings.api_key = Some(format!("{KEY}\n").into());
    assert!(!format!("{settings:?}").contains(KEY));
    let error = Upstreams::new(&[settings]).unwrap_err();
    assert!(matches!(error, BuildError::Key { .. }));
    assert!(!format!("{error:?} {error}").contains(KEY));
}

#[actix_web::test]
async fn debug_output_names_the_providers_and_tells_no_key() {
    let upstreams = Upstreams::new(&[settings("http://127.0.0.1:1/v1")]).unwrap();
    assert_eq!(format!("{upstreams:?}"), r#"{"alpha"}"#);
}

#[actix_web::test]
async fn g11_an_answer_without_a_length_goes_on_until_the_connection_ends_and_shares_it_with_nobody() {
    for fields in [JSON.to_owned(), format!("{JSON}\r\ntransfer-encoding: Identity")] {
        let script = vec![Step::Say(
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{ANSWER}").into_bytes(),
        )];
        let server = Server::start(script).await;
        let upstreams = Upstreams::new(&[settings_of(&server)]).unwrap();
        for _ in 0..2 {
            let Ok(UpstreamReply::Complete(completion)) = upstreams.call(call(false)).await else {
                panic!("no answer to {fields:?}")
            };
            assert_eq!(completion.body, ANSWER);
        }
        assert_eq!(server.connections(), 2);
    }
}

#[actix_web::test]
async fn g11_a_body_where_none_may_be_reaches_no_later_request() {
    let stray = answer("200 OK", &[JSON], &ANSWER.replace("hello", "not yours"));
    let mut script = vec![Step::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())];
    script.extend(stray);
    script.push(Step::NextRequest);
    let server = Server::start(script).await;
    let upstreams = Upstreams::new(&[settings_of(&server)]).unwrap();
    for _ in 0..2 {
        assert!(upstreams.call(call(false)).await.is_err());
    }
    assert_eq!(server.connections(), 2);
}

#[actix_web::test]
async fn g11_a_body_is_not_waited_for_where_none_may_be_whatever_is_announced() {
    for (status, kind) in [
        ("204 No Content", FailureKind::Empty),
        ("205 Reset Content", FailureKind::Empty),
        ("304 Not Modified", FailureKind::Redirect),
    ] {
        for field in [
            "content-length: 100",
            "Content-Length : 7",
            "transfer-encoding: chunked",
        ] {
            for streamed in [false, true] {
                let head = format!("HTTP/1.1 {status}\r\n{JSON}\r\n{field}\r\n\r\n");
                let mut server = Server::start(vec![Step::Say(head.into()), Step::WaitForClient]).await;
                let mut settings = settings_of(&server);
                // What waits for a body fails by a time limit instead.
                (settings.timeouts.first_byte, settings.timeouts.idle) = (super::LONG, SHORT);
                let failure = failure(settings, streamed).await;
                assert_eq!(failure.kind, kind, "{status} {field}");
                server.client_left().await;
            }
        }
    }
}
