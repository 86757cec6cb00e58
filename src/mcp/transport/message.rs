//! What a line is: a message for the service, something to refuse, or nothing.

use std::borrow::Cow;

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, ClientRequest, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::RxJsonRpcMessage;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::twice::given_twice;
use crate::mcp::error::Fault;

/// The requests that are answered here. All others are unknown, those too that rmcp knows and would decline.
const METHODS: &[&str] = &["initialize", "ping", "server/discover", "tools/list", CALL];

/// The one whose parameters decide about money.
const CALL: &str = "tools/call";

const BYTE_ORDER_MARK: char = '\u{feff}';

/// What a line is.
#[derive(Debug)]
pub(super) enum Incoming {
    /// For the service.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// To be answered with an error, under the id if it could be read.
    Refused(Option<RequestId>, Fault),
    /// Not to be answered.
    Ignored,
}

/// The members that every message has. Given twice, one is refused; under another case, it is not known.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells a member that is null from one that is not there.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(value: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Incoming {
    let Ok(line) = std::str::from_utf8(line) else {
        return Incoming::Refused(None, Fault::NotJson);
    };
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim();
    if line.is_empty() {
        return Incoming::Ignored;
    }
    match serde_json::from_str::<Envelope<'_>>(line) {
        Ok(envelope) => message(line, &envelope),
        Err(error) if !error.is_data() => Incoming::Refused(None, Fault::NotJson),
        Err(_) if line.starts_with('[') => Incoming::Refused(None, whole(line, Fault::Batch)),
        Err(_) => Incoming::Refused(None, whole(line, Fault::NotAMessage)),
    }
}

/// The fault of a line, unless it is none because the line is not even JSON to its end.
fn whole(line: &str, fault: Fault) -> Fault {
    match serde_json::from_str::<&RawValue>(line) {
        Ok(_) => fault,
        Err(_) => Fault::NotJson,
    }
}

fn message(line: &str, envelope: &Envelope<'_>) -> Incoming {
    let Some(method) = envelope.method else {
        let is_response = envelope.result.is_some() || envelope.error.is_some();
        return if is_response {
            response(line, envelope)
        } else {
            Incoming::Refused(id(envelope).ok().flatten(), Fault::NotAMessage)
        };
    };
    let Ok(id) = id(envelope) else {
        return Incoming::Refused(None, Fault::BadId);
    };
    let method = serde_json::from_str::<Cow<'_, str>>(method.get());
    let (Ok(method), Some("\"2.0\"")) = (method, envelope.jsonrpc.map(RawValue::get)) else {
        return Incoming::Refused(id, Fault::NotAMessage);
    };
    let parsed = serde_json::from_str(line);
    let Some(id) = id else {
        // A notification is never answered.
        return parsed.map_or(Incoming::Ignored, |message| Incoming::Message(Box::new(message)));
    };
    let method = method.into_owned();
    if !METHODS.contains(&method.as_str()) {
        return Incoming::Refused(Some(id), Fault::UnknownMethod { method });
    }
    if method == CALL
        && let Some(name) = envelope.params.and_then(|params| given_twice(params.get()))
    {
        return Incoming::Refused(Some(id), Fault::GivenTwice { method, name });
    }
    match parsed {
        Ok(message) if !is_custom(&message) => Incoming::Message(Box::new(message)),
        _ => Incoming::Refused(Some(id), Fault::BadParams { method }),
    }
}

/// What a client answers to something that it was asked. What cannot be read as an answer is not answered itself.
fn response(line: &str, envelope: &Envelope<'_>) -> Incoming {
    if envelope.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
        return Incoming::Ignored;
    }
    match serde_json::from_str::<RxJsonRpcMessage<RoleServer>>(line) {
        // An answer of which nobody knows what it says is as good as none.
        Ok(JsonRpcMessage::Response(answer)) if envelope.result.is_some_and(|it| given_twice(it.get()).is_some()) => {
            let error = ErrorData::invalid_params("the client's answer has a member twice", None);
            Incoming::Message(Box::new(JsonRpcMessage::error(error, Some(answer.id))))
        }
        Ok(message @ (JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_))) => Incoming::Message(Box::new(message)),
        _ => Incoming::Ignored,
    }
}

/// Whether rmcp has no type for a request. If its method is known, its parameters are not what they should be.
fn is_custom(message: &RxJsonRpcMessage<RoleServer>) -> bool {
    match message {
        JsonRpcMessage::Request(request) => matches!(request.request, ClientRequest::CustomRequest(_)),
        _ => false,
    }
}

/// The id, if there is one.
fn id(envelope: &Envelope<'_>) -> Result<Option<RequestId>, serde_json::Error> {
    envelope.id.map(|id| serde_json::from_str(id.get())).transpose()
}

/// The request that a notification cancels.
pub(super) fn cancels(notification: &ClientNotification) -> Option<&RequestId> {
    match notification {
        ClientNotification::CancelledNotification(cancelled) => cancelled.params.request_id.as_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &[u8]) -> (Option<String>, i32) {
        match read(line) {
            Incoming::Refused(id, fault) => (id.map(|id| id.to_string()), ErrorData::from(fault).code.0),
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(line)),
        }
    }

    #[test]
    fn requests_and_notifications_are_messages_with_a_byte_order_mark_and_a_carriage_return_too() {
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\r",
            r#" {"jsonrpc":"2.0","id":-5,"method":"tools/call","params":{"name":"no-such"}}"#,
            r#"{"jsonrpc":"2.0","method":"no/such","params":{"a":[1]}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Incoming::Message(_)), "{line}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_under_its_id_where_it_has_one() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{}{}}}"#,
            "[".repeat(5_000),
            "]".repeat(5_000)
        );
        let cases: [(&[u8], Option<&str>, i32); 25] = [
            (br#"{"jsonrpc":"2.0","id":"x","method":"no/such"}"#, Some("x"), -32601),
            (
                br#"{"jsonrpc":"2.0","id":5,"method":"resources/list"}"#,
                Some("5"),
                -32601,
            ),
            (
                br#"{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
                Some("6"),
                -32602,
            ),
            (br#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#, Some("7"), -32602),
            (
                br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a","arguments":{"task":"x","task":"y"}}}"#,
                Some("8"),
                -32602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}}"#,
                Some("8"),
                -32602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a","inputResponses":{"q":{"content":{"e":1,"e":2}}}}}"#,
                Some("8"),
                -32602,
            ),
            (b"hello", None, -32700),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1", None, -32700),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", None, -32700),
            (b"[1,", None, -32700),
            (b"[]", None, -32600),
            (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None, -32600),
            (b"5", None, -32600),
            (b"{}", None, -32600),
            (br#"{"id":3,"method":"ping"}"#, Some("3"), -32600),
            (br#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#, Some("3"), -32600),
            (br#"{"jsonrpc":"2.0","id":3,"Method":"ping"}"#, Some("3"), -32600),
            (br#"{"jsonrpc":"2.0","id":3,"method":5}"#, Some("3"), -32600),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"ping","method":"tools/list"}"#,
                None,
                -32600,
            ),
            (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None, -32600),
            (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, None, -32600),
            (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None, -32600),
            (
                br#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#,
                None,
                -32600,
            ),
            (deep.as_bytes(), Some("4"), -32602),
        ];
        for (line, id, code) in cases {
            let expected = (id.map(str::to_owned), code);
            assert_eq!(refused(line), expected, "{:.80}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn empty_lines_and_answers_that_cannot_be_read_are_ignored() {
        for line in [
            "",
            " \r",
            r#"{"id":1,"result":{}}"#,
            r#"{"jsonrpc":"1.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":{},"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":"x"}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Incoming::Ignored), "{line}");
        }
    }

    #[test]
    fn what_a_client_answers_is_read_with_its_id() {
        for (line, is_error) in [
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, false),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"escalate":"approve"}}}"#,
                false,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#, true),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"escalate":"reject","escalate":"approve"}}}"#,
                true,
            ),
        ] {
            let Incoming::Message(message) = read(line.as_bytes()) else {
                panic!("{line}")
            };
            let id = match *message {
                JsonRpcMessage::Response(response) if !is_error => Some(response.id),
                JsonRpcMessage::Error(error) if is_error => error.id,
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(id, Some(RequestId::Number(1)), "{line}");
        }
    }

    #[test]
    fn the_request_that_is_cancelled_is_found() {
        let line = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x","reason":"r"}}"#;
        let Incoming::Message(message) = read(line) else {
            panic!("no message")
        };
        let JsonRpcMessage::Notification(notification) = *message else {
            panic!("no notification")
        };
        assert_eq!(
            cancels(&notification.notification),
            Some(&RequestId::String("x".into()))
        );
    }
}
