use gateway_actors::protocol::{TokenUsage, UsageReport};

use super::super::testing::ANSWER;
use super::*;
use crate::dialects::neutral::FinishReason;
use crate::dialects::replay::{Piece, Told, told_by_answer};

fn read(members: &str) -> Result<Told, TranslationError> {
    let body = format!("{{\"model\":\"m\",{members}}}");
    read_answer(&body).map(|answer| told_by_answer(&answer))
}

#[test]
fn every_part_of_an_answer_is_read_in_its_order() {
    let told = told_by_answer(&read_answer(ANSWER).unwrap());
    assert_eq!((told.id.as_str(), told.model.as_str()), ("", "qwen3"));
    assert_eq!(
        told.pieces,
        [
            Piece::Reasoning("Two calls.".to_owned(), None),
            Piece::Text("Let me look – é.".to_owned()),
            Piece::Call {
                id: "call_abcd1234".to_owned(),
                name: "weather".to_owned(),
                arguments: r#"{"city": "Z\u00fcrich", "days": 1.50}"#.to_owned(),
            },
            Piece::Call {
                id: "call_20250707T203253844124Z_1".to_owned(),
                name: "clock".to_owned(),
                arguments: "{}".to_owned(),
            },
        ]
    );
    assert_eq!(told.finish, Some(FinishReason::ToolCalls));
    let usage = TokenUsage {
        input: 169,
        output: 15,
        ..TokenUsage::default()
    };
    assert_eq!(told.usage, UsageReport::Reported(usage));
}

#[test]
fn text_without_escapes_is_borrowed_from_the_body() {
    let answer = read_answer(r#"{"message":{"content":"plain"},"done":true}"#).unwrap();
    assert!(matches!(
        answer.choices[0].parts[..],
        [PartKind::Text(Cow::Borrowed("plain"))]
    ));
}

#[test]
fn an_answer_ends_for_the_reason_that_it_gives() {
    for (reason, expected) in [
        (r#","done_reason":"stop""#, FinishReason::Stop),
        ("", FinishReason::Stop),
        (r#","done_reason":null"#, FinishReason::Stop),
        (r#","done_reason":"length""#, FinishReason::Length),
        (r#","done_reason":"something new""#, FinishReason::Refused),
    ] {
        let told = read(&format!(r#""message":{{"content":"a"}},"done":true{reason}"#)).unwrap();
        assert_eq!(told.finish, Some(expected), "{reason}");
    }
}

#[test]
fn calls_without_an_id_have_one_of_their_own() {
    let call = r#""message":{"tool_calls":[{"function":{"name":"f"}}]},"done":true"#;
    let id = |created_at: &str| match &read(&format!("{created_at}{call}")).unwrap().pieces[..] {
        [Piece::Call { id, .. }] => id.clone(),
        other => panic!("{other:?}"),
    };
    let at = r#""created_at":"2025-07-07T20:32:53.8+02:00","#;
    assert_eq!(id(at), "call_20250707T20325380200_0");
    assert_eq!(id(at), id(at));
    assert_ne!(id(""), id(""));
}

#[test]
fn arguments_may_be_an_object_in_a_text() {
    let told =
        read(r#""message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},"done":true"#);
    let call = Piece::Call {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: r#"{"a":1}"#.to_owned(),
    };
    assert_eq!(told.unwrap().pieces, [call]);
}

#[test]
fn what_cannot_be_told_is_an_error() {
    for members in [
        r#""done":true"#,
        r#""message":{"content":"a"}"#,
        r#""message":{"content":"a"},"done":false"#,
        r#""message":{"content":""},"done":true,"done_reason":"load""#,
        r#""message":{"content":""},"done":true,"done_reason":"unload""#,
        r#""message":{"content":5},"done":true"#,
        r#""message":{"content":"a","images":["iVBORw0KGgo="]},"done":true"#,
        r#""message":{"tool_calls":[{"function":{"arguments":{}}}]},"done":true"#,
        r#""message":{"tool_calls":[{"function":{"name":"f","arguments":[1]}}]},"done":true"#,
        r#""message":{"tool_calls":[{"function":{"name":"f","arguments":"no"}}]},"done":true"#,
        r#""message":{"tool_calls":[{}]},"done":true"#,
        r#""error":"out of memory""#,
    ] {
        assert!(read(members).is_err(), "{members}");
    }
    for body in ["", "[]", "null", "{", "{}"] {
        assert!(read_answer(body).is_err(), "{body}");
    }
}
