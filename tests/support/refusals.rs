//! What every answer of the gateway must be, whatever the test is about that gets it.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;
use tokio::sync::watch;

use super::client::Reply;
use super::records::CallRow;

/// What faulty providers say in tests, and what stands for keys: nobody may hear or read it.
const SECRETS: [&str; 2] = ["secret-upstream-detail", "sk-secret"];

/// What is nobody's business but the operator's: it may be in the log, and in no error.
const INSIDES: [&str; 6] = ["SELECT ", "INSERT ", "gateway.db", ".rs:", "/home/", "/tmp/"];

/// Refusals of the gateway's own, for which no provider may be asked.
const BEFORE_ANY_CALL: [u16; 11] = [400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 431];

/// What a turn is told whose conversation was deleted while a provider answered it.
const DELETED_MEANWHILE: &str = "was deleted while this message was being answered";

/// The ids of all requests that this test program has seen refused before any call.
static REFUSED: LazyLock<watch::Sender<HashSet<String>>> = LazyLock::new(watch::Sender::default);

/// An answer has the request's id and tells no secret; a refusal is JSON that says what is wrong.
#[track_caller]
pub(super) fn assert_is_answer(reply: &Reply) {
    assert!(reply.request_id().starts_with("req_"), "{reply:?}");
    assert_tells_no_secret(&String::from_utf8_lossy(&reply.body));
    let is_stream = reply
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/event-stream"));
    if is_stream {
        let events = reply.events();
        let events = events
            .iter()
            .filter_map(|data| serde_json::from_str::<Value>(data).ok());
        for event in events.filter(is_error) {
            assert_is_error(&event);
        }
    } else if reply.status >= 400 && !reply.cut {
        assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
        let body = reply.json();
        // The readiness probe says what is wrong in a shape of its own.
        if body["ready"] != false {
            assert_is_error(&body);
            assert_has_its_id(reply, &body);
            note_refusal(reply, &body, word_of(reply, &body));
        }
    }
}

/// A text that somebody may read tells nothing of what must stay secret.
#[track_caller]
pub(super) fn assert_tells_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Whether an event of a stream tells of an error: an `error` object, which Responses do not have in theirs.
fn is_error(event: &Value) -> bool {
    event["error"].is_object() || event["type"] == "error" || event["type"] == "response.failed"
}

/// The object with the `message`: in chat completions, Messages and the native shape it is `error`, in Responses the event
/// itself, or the `error` of the response that failed.
fn inner(body: &Value) -> &Value {
    match (body["type"].as_str(), &body["error"]) {
        (Some("response.failed"), _) => &body["response"]["error"],
        (Some("error"), Value::Null) => body,
        (_, error) => error,
    }
}

#[track_caller]
fn assert_is_error(body: &Value) {
    let message = inner(body)["message"].as_str().unwrap_or_default();
    assert!(message.len() > 10, "no message: {body}");
    let text = body.to_string();
    for inside in INSIDES {
        assert!(!text.contains(inside), "{inside} in {text}");
    }
}

/// An error in Anthropic's shape names the request, as its header does.
#[track_caller]
fn assert_has_its_id(reply: &Reply, body: &Value) {
    if body["type"] == "error" {
        assert_eq!(body["request_id"], reply.request_id(), "{body}");
    }
}

/// The gateway's own word for the error is in a header, since Anthropic's shape has no place for it; the other shapes have
/// it in the body too, where it is the same.
#[track_caller]
fn word_of<'a>(reply: &'a Reply, body: &Value) -> &'a str {
    let word = reply.header("x-gateway-error");
    let word = word.unwrap_or_else(|| panic!("no word for the error: {reply:?}"));
    let error = &body["error"];
    let in_body = match (body["type"].as_str(), &error["code"]) {
        (Some("error"), _) => None,
        // The native shape has the word in `type`, OpenAI's in `code`.
        (_, Value::Null) => error["type"].as_str(),
        // By OpenAI's own name for it.
        (_, code) if code == "context_length_exceeded" => Some("context_too_long"),
        (_, code) => code.as_str(),
    };
    assert!(in_body.is_none_or(|in_body| in_body == word), "{word}, but {body}");
    word
}

/// Remembers a refusal of the gateway's own. One that a provider made is passed on in the same statuses and shapes, and a
/// turn whose conversation is deleted has asked one.
#[track_caller]
fn note_refusal(reply: &Reply, body: &Value, word: &str) {
    let is_late = inner(body)["message"]
        .as_str()
        .is_some_and(|message| message.contains(DELETED_MEANWHILE));
    if BEFORE_ANY_CALL.contains(&reply.status) && !word.starts_with("upstream_") && !is_late {
        REFUSED.send_modify(|refused| {
            refused.insert(reply.request_id().to_owned());
        });
    }
}

/// None of these calls was made for a request that was refused before any.
#[track_caller]
pub(super) fn assert_none_was_refused(calls: &[CallRow]) {
    let refused = REFUSED.borrow();
    for call in calls {
        assert!(
            !refused.contains(&call.request_id),
            "called for a refused request: {call:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use ureq::http::HeaderMap;

    use super::*;

    fn refusal(status: u16, body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("x-request-id", "req_1".parse().unwrap());
        headers.insert("x-gateway-error", "invalid_request".parse().unwrap());
        Reply {
            status,
            headers,
            body: body.into(),
            cut: false,
        }
    }

    fn with(message: &str) -> String {
        json!({ "error": { "type": "invalid_request", "message": message } }).to_string()
    }

    fn is_taken(reply: &Reply) -> bool {
        std::panic::catch_unwind(|| assert_is_answer(reply)).is_ok()
    }

    #[test]
    fn a_refusal_in_json_with_an_id_and_a_message_is_taken_and_nothing_less() {
        let good = || refusal(400, &with("`message` must be a text"));
        assert!(is_taken(&good()));
        let mut nameless = good();
        nameless.headers.remove("x-request-id");
        let mut wordless = good();
        wordless.headers.remove("x-gateway-error");
        let mut other = good();
        other
            .headers
            .insert("x-gateway-error", "upstream_error".parse().unwrap());
        let mut text = good();
        text.headers.insert("content-type", "text/plain".parse().unwrap());
        let bad = [
            nameless,
            wordless,
            other,
            text,
            refusal(400, ""),
            refusal(400, "no JSON"),
            refusal(400, "{}"),
            refusal(400, &with("no")),
            refusal(502, &with("it said: secret-upstream-detail")),
            refusal(500, &with("no such table in SELECT * FROM x")),
            refusal(500, &with("panicked at src/lib.rs:7")),
            refusal(200, "sk-secret"),
        ];
        for reply in &bad {
            assert!(!is_taken(reply), "{reply:?}");
        }
    }

    #[test]
    fn an_error_in_anthropics_shape_names_the_request_of_the_header() {
        let body = |id: &str| {
            let error = json!({ "type": "invalid_request_error", "message": "`messages` is required" });
            json!({ "type": "error", "error": error, "request_id": id }).to_string()
        };
        assert!(is_taken(&refusal(400, &body("req_1"))));
        assert!(!is_taken(&refusal(400, &body("req_2"))));
    }

    #[test]
    fn a_refusal_of_a_providers_is_told_from_our_own_in_every_shape() {
        let message = "`x` must be a text";
        let shapes = |word: &str| {
            let native = json!({ "error": { "type": word, "message": message } });
            let openai = json!({ "error": { "type": "invalid_request_error", "code": word, "message": message } });
            let error = json!({ "type": "invalid_request_error", "message": message });
            let anthropic = |id: &str| json!({ "type": "error", "error": error, "request_id": id });
            [(native, "a"), (openai, "b")]
                .map(|(body, id)| (body, format!("req_{word}_{id}")))
                .into_iter()
                .chain([(anthropic(&format!("req_{word}_c")), format!("req_{word}_c"))])
                .collect::<Vec<_>>()
        };
        for (word, is_own) in [("invalid_request", true), ("upstream_invalid_request", false)] {
            for (body, id) in shapes(word) {
                let mut reply = refusal(400, &body.to_string());
                reply.headers.insert("x-request-id", id.parse().unwrap());
                reply.headers.insert("x-gateway-error", word.parse().unwrap());
                assert_is_answer(&reply);
                assert_eq!(REFUSED.borrow().contains(&id), is_own, "{body}");
            }
        }
    }

    #[test]
    fn an_error_in_a_stream_is_looked_at_whatever_its_dialect() {
        let stream = |event: &Value| {
            let mut reply = refusal(200, &format!("data: {event}\n\n"));
            let kind = "text/event-stream".parse().unwrap();
            reply.headers.insert("content-type", kind);
            is_taken(&reply)
        };
        for (message, is_good) in [("the provider broke off; send it again", true), ("no", false)] {
            let error = json!({ "code": "upstream_error", "message": message });
            let flat = json!({ "type": "error", "code": "upstream_error", "message": message, "sequence_number": 3 });
            let failed = json!({ "type": "response.failed", "response": { "error": error } });
            for event in [
                json!({ "error": error }),
                json!({ "type": "error", "error": error }),
                flat,
                failed,
            ] {
                assert_eq!(stream(&event), is_good, "{event}");
            }
        }
    }
}
