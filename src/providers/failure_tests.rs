use super::*;
use std::time::Duration;

use awc::http::header::{HeaderName, HeaderValue};
use gateway_actors::protocol::{Dialect, Operation, Vendor};

use crate::dialects::inspect;

fn read(status: u16, body: &str) -> UpstreamFailure {
    let status = StatusCode::from_u16(status).unwrap();
    from_status(
        status,
        &HeaderMap::new(),
        body.as_bytes(),
        Some(&SecretString::from("sk-very-secret")),
    )
}

#[test]
fn every_status_has_its_kind_and_none_is_billed_but_where_an_answer_was_waited_for() {
    let cases = [
        (302, FailureKind::Redirect),
        (400, FailureKind::Rejected),
        (401, FailureKind::Auth),
        (402, FailureKind::Auth),
        (403, FailureKind::Auth),
        (404, FailureKind::ModelGone),
        (408, FailureKind::ServerError),
        (409, FailureKind::Rejected),
        (413, FailureKind::Rejected),
        (415, FailureKind::Rejected),
        (422, FailureKind::Rejected),
        (429, FailureKind::RateLimited),
        (500, FailureKind::ServerError),
        (502, FailureKind::ServerError),
        (503, FailureKind::ServerError),
        (504, FailureKind::ServerError),
        (524, FailureKind::ServerError),
        (529, FailureKind::ServerError),
        (700, FailureKind::Malformed),
    ];
    for (status, kind) in cases {
        let failure = read(status, "{}");
        assert_eq!(failure.kind, kind, "{status}");
        let billing = match status {
            504 | 524 => Billing::Ambiguous,
            _ => Billing::NotBilled,
        };
        assert_eq!(failure.billing, billing, "{status}");
        assert_eq!(failure.status, Some(status));
    }
}

#[test]
fn an_input_that_does_not_fit_is_known_by_the_words_providers_use() {
    let bodies = [
        r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#,
        r#"{"error":{"type":"exceed_context_size_error","message":"exceeds the available context size"}}"#,
        "Prompt is too long: 9 > 8",
    ];
    for body in bodies {
        for status in [400, 413, 422] {
            assert_eq!(read(status, body).kind, FailureKind::ContextTooLong, "{status} {body}");
        }
        assert_eq!(read(500, body).kind, FailureKind::ServerError);
    }
}

fn object(error: &str) -> ErrorObject {
    explanation(format!(r#"{{"error":{error}}}"#).as_bytes()).error.unwrap()
}

fn in_a_stream(error: ErrorObject) -> UpstreamFailure {
    from_fault(&StreamFault::ErrorObject(error), StatusCode::OK, UsageReport::Missing)
}

fn in_a_body(error: ErrorObject) -> UpstreamFailure {
    from_shape(&ShapeError::ErrorObject(error), StatusCode::OK)
}

#[test]
fn an_error_told_under_a_good_status_is_what_it_would_be_under_its_own() {
    for (error, status) in [
        (r#"{"code":"context_length_exceeded","message":"x"}"#, 400),
        (
            r#"{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}"#,
            400,
        ),
        (
            r#"{"code":400,"status":"INVALID_ARGUMENT","message":"The input token count (9) exceeds 8"}"#,
            400,
        ),
        (r#"{"code":"invalid_prompt","message":"x"}"#, 400),
        (r#"{"code":"invalid_image_format","message":"x"}"#, 400),
        (r#"{"code":"rate_limit_exceeded","message":"x"}"#, 429),
        (r#"{"type":"rate_limit_error","message":"x"}"#, 429),
        (r#"{"code":429,"message":"x"}"#, 429),
        (r#"{"code":403,"metadata":{"flagged_input":"…"}}"#, 403),
        (r#"{"type":"authentication_error"}"#, 401),
        (r#"{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}"#, 400),
        (r#"{"code":"model_not_found"}"#, 404),
    ] {
        let expected = read(status, &format!(r#"{{"error":{error}}}"#));
        for failure in [in_a_stream(object(error)), in_a_body(object(error))] {
            assert_eq!(
                (failure.kind, failure.billing, failure.status),
                (expected.kind, Billing::NotBilled, Some(status)),
                "{error}"
            );
        }
    }
}

#[test]
fn an_error_behind_something_of_an_answer_may_be_billed_whatever_it_says() {
    for code in ["context_length_exceeded", "rate_limit_exceeded", "overloaded_error"] {
        let mut error = object(&format!(r#"{{"code":"{code}"}}"#));
        error.has_output = true;
        for failure in [in_a_stream(error.clone()), in_a_body(error)] {
            assert_eq!(failure.billing, Billing::Ambiguous, "{code}");
        }
    }
}

#[test]
fn an_overload_that_opens_a_stream_is_not_billed_and_one_in_the_place_of_an_answer_may_be() {
    for (error, status) in [(r#"{"type":"overloaded_error"}"#, 529), (r#"{"code":503}"#, 503)] {
        let failure = in_a_stream(object(error));
        assert_eq!(
            (failure.kind, failure.billing, failure.status),
            (FailureKind::ServerError, Billing::NotBilled, Some(status))
        );
        let failure = in_a_body(object(error));
        assert_eq!(
            (failure.kind, failure.billing, failure.status),
            (FailureKind::ServerError, Billing::Ambiguous, Some(status))
        );
    }
}

#[test]
fn an_error_of_which_nothing_is_known_may_be_billed() {
    for error in [
        r#"{"code":"server_error"}"#,
        r#"{"type":"api_error"}"#,
        r#"{"code":502,"message":"x"}"#,
        r#"{"code":408}"#,
        r#"{"message":"overloaded"}"#,
        r#""prompt is too long""#,
    ] {
        let failure = in_a_stream(object(error));
        assert_eq!(
            (failure.kind, failure.billing, failure.status),
            (FailureKind::ErrorFrame, Billing::Ambiguous, Some(200)),
            "{error}"
        );
        let failure = in_a_body(object(error));
        assert_eq!(
            (failure.kind, failure.billing, failure.status),
            (FailureKind::Malformed, Billing::Ambiguous, Some(200)),
            "{error}"
        );
    }
}

#[test]
fn what_the_model_made_of_one_request_is_its_own_kind_and_billed() {
    let body = |word: &str| format!(r#"{{"candidates":[{{"content":{{}},"finishReason":"{word}"}}]}}"#);
    let choice = |members: &str| format!(r#"{{"choices":[{{"index":0,"message":{{"content":null}},{members}}}]}}"#);
    for (dialect, body) in [
        (Dialect::Gemini, body("MALFORMED_FUNCTION_CALL")),
        (Dialect::Gemini, body("UNEXPECTED_TOOL_CALL")),
        (Dialect::Gemini, body("TOO_MANY_TOOL_CALLS")),
        (Dialect::Gemini, body("MISSING_THOUGHT_SIGNATURE")),
        (
            Dialect::OpenaiChat,
            choice(r#""finish_reason":"error","native_finish_reason":"MALFORMED_FUNCTION_CALL""#),
        ),
        (
            Dialect::OpenaiChat,
            choice(r#""finish_reason":"function_call_filter: MALFORMED_FUNCTION_CALL""#),
        ),
    ] {
        let shape = inspect(Operation::Generate, dialect, Vendor::Other, body.as_bytes()).unwrap_err();
        let ShapeError::ErrorObject(error) = &shape else {
            panic!("{shape}");
        };
        for failure in [
            from_shape(&shape, StatusCode::OK),
            in_a_stream(error.clone()),
            from_body_for_stream(error, StatusCode::OK),
        ] {
            assert_eq!(
                (failure.kind, failure.billing, failure.status),
                (FailureKind::Unusable, Billing::Ambiguous, Some(200)),
                "{body}"
            );
        }
    }
    // That somebody else had no time says nothing of the request.
    let overloaded = choice(r#""finish_reason":"error","native_finish_reason":"overloaded""#);
    let shape = inspect(
        Operation::Generate,
        Dialect::OpenaiChat,
        Vendor::Other,
        overloaded.as_bytes(),
    );
    assert_eq!(
        from_shape(&shape.unwrap_err(), StatusCode::OK).kind,
        FailureKind::Malformed
    );
}

#[test]
fn a_key_that_google_refuses_with_400_is_no_fault_of_the_request() {
    let error = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":
        "INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID",
        "domain":"googleapis.com"}]}}"#;
    // Its endpoint for chat completions sends an array.
    for body in [error.to_owned(), format!("[{error}]")] {
        let failure = read(400, &body);
        assert_eq!(
            (failure.kind, failure.detail.as_str()),
            (FailureKind::Auth, "answered 400")
        );
    }
    let repeated = r#"{"error":{"code":400,"message":"you said: API_KEY_INVALID, API key not valid"}}"#;
    assert_eq!(read(400, repeated).kind, FailureKind::Rejected);
}

#[test]
fn a_time_to_wait_in_the_body_counts_where_no_header_has_one() {
    let body = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":
        "type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}"#;
    assert_eq!(read(429, body).retry_after, Some(Duration::from_secs(7)));
    let long = body.replace("7s", "86400s");
    assert_eq!(read(429, &long).retry_after, Some(Duration::from_secs(60)));
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static("2"));
    let failure = from_status(StatusCode::TOO_MANY_REQUESTS, &headers, body.as_bytes(), None);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(2)));
    let told = in_a_stream(explanation(body.as_bytes()).error.unwrap());
    assert_eq!(
        (told.kind, told.retry_after),
        (FailureKind::RateLimited, Some(Duration::from_secs(7)))
    );
}

#[test]
fn only_a_limited_rate_is_waited_out_by_the_times_at_which_limits_end() {
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("x-ratelimit-reset-tokens"),
        HeaderValue::from_static("30s"),
    );
    let wait = |status: StatusCode, headers: &HeaderMap| from_status(status, headers, b"{}", None).retry_after;
    assert_eq!(
        wait(StatusCode::TOO_MANY_REQUESTS, &headers),
        Some(Duration::from_secs(30))
    );
    assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, &headers), None);
    headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static("9"));
    assert_eq!(
        wait(StatusCode::SERVICE_UNAVAILABLE, &headers),
        Some(Duration::from_secs(9))
    );
}

#[test]
fn usage_reported_with_a_failed_answer_is_kept() {
    let usage = UsageReport::Reported(gateway_actors::protocol::TokenUsage {
        input: 3,
        output: 2,
        ..Default::default()
    });
    let mut error = object(r#"{"code":"server_error"}"#);
    error.usage = usage;
    assert_eq!(in_a_body(error).usage, usage);
}

#[test]
fn a_request_refused_for_what_it_says_does_not_blame_our_key() {
    let body = r#"{"error":{"code":403,"message":"x","metadata":{"flagged_input":"…","reasons":["violence"]}}}"#;
    assert_eq!(read(403, body).kind, FailureKind::Rejected);
}

#[test]
fn the_log_gets_a_word_of_what_the_provider_says_and_never_the_key() {
    let long = format!(r#"{{"error":{{"code":"{}","type":"server_error"}}}}"#, "x".repeat(65));
    for (body, detail) in [
        (
            r#"{"error":{"message":"you said: hello","code":"oops"}}"#,
            "answered 500: oops",
        ),
        (
            r#"{"error":{"message":"you said: hello","type":"server_error","code":null}}"#,
            "answered 500: server_error",
        ),
        (r#"{"error":{"code":503}}"#, "answered 500: 503"),
        (r#"{"error":{"code":"two words"}}"#, "answered 500"),
        (r#"{"error":{"code":"\u001b[31m\n"}}"#, "answered 500"),
        (&long, "answered 500: server_error"),
        (r#"{"error":"you said: hello"}"#, "answered 500"),
        ("you said: hello", "answered 500"),
        ("", "answered 500"),
    ] {
        assert_eq!(read(500, body).detail, detail, "{body}");
    }
    for status in [400, 401, 403, 500] {
        let failure = read(
            status,
            r#"{"error":{"message":"Incorrect API key: sk-very-secret","code":"sk-very-secret"}}"#,
        );
        assert!(!failure.detail.contains("secret"), "{}", failure.detail);
    }
}

#[test]
fn usage_in_an_error_is_kept() {
    let failure = read(
        500,
        r#"{"error":{"message":"x"},"usage":{"prompt_tokens":3,"completion_tokens":0}}"#,
    );
    assert!(matches!(failure.usage, UsageReport::Reported(usage) if usage.input == 3));
}

#[test]
fn what_was_never_sent_is_not_billed_and_the_rest_may_be() {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    for error in [
        ConnectError::Io(refused),
        ConnectError::Timeout,
        ConnectError::NoRecords,
    ] {
        let failure = from_send_error(&SendRequestError::Connect(error));
        assert_eq!(
            (failure.kind, failure.billing),
            (FailureKind::Connect, Billing::NotBilled)
        );
    }
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    for error in [
        SendRequestError::Connect(ConnectError::Disconnected),
        SendRequestError::Send(reset()),
        SendRequestError::Response(reset().into()),
    ] {
        let failure = from_send_error(&error);
        assert_eq!(
            (failure.kind, failure.billing),
            (FailureKind::Reset, Billing::Ambiguous)
        );
    }
    let failure = from_payload_error(&PayloadError::Io(reset()));
    assert_eq!(
        (failure.kind, failure.billing),
        (FailureKind::Reset, Billing::Ambiguous)
    );
    assert_eq!(
        from_payload_error(&PayloadError::Incomplete(None)).kind,
        FailureKind::Truncated
    );
}
