use gateway_actors::protocol::TokenUsage;

use super::super::testing::ANSWER;
use super::*;
use crate::dialects::replay::{Piece, told_by_answer};

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn finish_of(candidate: &str) -> Result<FinishReason<'static>, TranslationError> {
    let body = format!(r#"{{"candidates":[{candidate}]}}"#);
    read_answer(&body).map(|answer| told_by_answer(&answer).finish.unwrap())
}

#[test]
fn every_part_of_an_answer_is_read_in_its_order() {
    let answer = read_answer(ANSWER).unwrap();
    let told = told_by_answer(&answer);
    assert_eq!(
        (told.id.as_str(), told.model.as_str()),
        ("mAitaLmk/H+PPlz7I_PvtfUqQ4=", "gemini-3-flash-preview")
    );
    assert_eq!(
        told.pieces,
        [
            Piece::Reasoning("**Weather**\nTwo calls.".to_owned(), None),
            text("Let me look – é."),
            Piece::Reasoning(String::new(), Some("CiQB0e8=".to_owned())),
            Piece::Call {
                id: "call_mAitaLmkHPPlz7I_PvtfUqQ4_0".to_owned(),
                name: "weather".to_owned(),
                arguments: r#"{"city": "Z\u00fcrich", "days": 1.50}"#.to_owned(),
            },
            Piece::Call {
                id: "call-7".to_owned(),
                name: "clock".to_owned(),
                arguments: "{}".to_owned(),
            },
        ]
    );
    assert_eq!(told.finish, Some(FinishReason::ToolCalls));
    let usage = TokenUsage {
        input: 40,
        cached_input: 8,
        output: 27,
        reasoning: 20,
        ..TokenUsage::default()
    };
    assert_eq!(told.usage, UsageReport::Reported(usage));
}

#[test]
fn text_without_escapes_is_borrowed_from_the_body() {
    let answer =
        read_answer(r#"{"candidates":[{"content":{"parts":[{"text":"plain"}]},"finishReason":"STOP"}]}"#).unwrap();
    assert!(matches!(
        answer.choices[0].parts[..],
        [PartKind::Text(Cow::Borrowed("plain"))]
    ));
}

#[test]
fn a_signature_stands_before_its_part_or_at_the_end() {
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"a","thoughtSignature":"c2ln"},
        {"text":"","thoughtSignature":"ZW5k"}]},"finishReason":"STOP"}]}"#;
    let told = told_by_answer(&read_answer(body).unwrap());
    let signature = |data: &str| Piece::Reasoning(String::new(), Some(data.to_owned()));
    assert_eq!(told.pieces, [signature("c2ln"), text("a"), signature("ZW5k")]);
}

#[test]
fn thoughts_that_follow_each_other_are_one_and_end_with_the_signature_behind_them() {
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"b","thought":true},
        {"functionCall":{"id":"1","name":"f"},"thoughtSignature":"c2ln"},
        {"functionCall":{"id":"2","name":"f"},"thoughtSignature":"ZW5k"}]},"finishReason":"STOP"}]}"#;
    let answer = read_answer(body).unwrap();
    let [first, _, second, _] = answer.choices[0].parts.as_slice() else {
        panic!("{answer:?}")
    };
    for (part, words, signature) in [(first, "ab", "c2ln"), (second, "", "ZW5k")] {
        let PartKind::Reasoning { text, opaque } = part else {
            panic!("{part:?}")
        };
        assert_eq!((&**text, &*opaque.as_ref().unwrap().data), (words, signature));
    }
}

#[test]
fn every_candidate_is_a_choice_and_all_calls_have_their_own_ids() {
    let call = r#"{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}"#;
    let body = format!(r#"{{"candidates":[{call},{call}],"responseId":"r"}}"#);
    let answer = read_answer(&body).unwrap();
    let ids: Vec<_> = answer
        .choices
        .iter()
        .map(|choice| match &choice.parts[..] {
            [PartKind::ToolCall(call)] => call.id.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_r_0", "call_r_1"]);
    // The same answer read again has the same ids, and one without an id has others than the next without one.
    let without = format!(r#"{{"candidates":[{call}]}}"#);
    let id = |body: &str| match &told_by_answer(&read_answer(body).unwrap()).pieces[..] {
        [Piece::Call { id, .. }] => id.clone(),
        other => panic!("{other:?}"),
    };
    assert_ne!(id(&without), id(&without));
}

#[test]
fn an_answer_ends_for_the_reason_that_it_gives() {
    for (reason, expected) in [
        (r#""STOP""#, FinishReason::Stop),
        (r#""MAX_TOKENS""#, FinishReason::Length),
        (r#""SAFETY""#, FinishReason::Refused),
    ] {
        let candidate = format!(r#"{{"content":{{"parts":[{{"text":"a"}}]}},"finishReason":{reason}}}"#);
        assert_eq!(finish_of(&candidate), Ok(expected), "{reason}");
    }
    assert_eq!(
        finish_of(r#"{"finishReason":"PROHIBITED_CONTENT"}"#),
        Ok(FinishReason::Refused)
    );
    assert_eq!(finish_of(r#"{"finishReason":"MALFORMED_FUNCTION_CALL"}"#), Err(FAILED));
}

#[test]
fn an_answer_that_does_not_say_why_it_ended_is_an_error() {
    for reason in [
        "",
        r#","finishReason":null"#,
        r#","finishReason":"""#,
        r#","finishReason":"FINISH_REASON_UNSPECIFIED""#,
    ] {
        let candidate = format!(r#"{{"content":{{"parts":[{{"text":"half an ans"}}]}}{reason}}}"#);
        assert_eq!(finish_of(&candidate), Err(UNENDED), "{reason}");
        let ended = r#"{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}"#;
        assert_eq!(finish_of(&format!("{ended},{candidate}")), Err(UNENDED), "{reason}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    let body =
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#;
    let told = told_by_answer(&read_answer(body).unwrap());
    assert_eq!(told.pieces, [Piece::Refusal(BLOCKED.to_owned())]);
    assert_eq!(told.finish, Some(FinishReason::Refused));
    assert!(matches!(told.usage, UsageReport::Reported(_)));
}

#[test]
fn what_cannot_be_told_is_an_error() {
    for part in [
        r#"{"inlineData":{"mimeType":"image/png","data":"AAAA"}}"#,
        r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#,
        r#"{"text":5}"#,
        r#"{"functionCall":{"args":{}}}"#,
        r#"{"functionCall":{"name":"f","args":[1]}}"#,
    ] {
        let candidate = format!(r#"{{"content":{{"parts":[{part}]}},"finishReason":"STOP"}}"#);
        assert!(finish_of(&candidate).is_err(), "{part}");
    }
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"candidates":[]}"#,
        r#"{"error":{"code":500}}"#,
        r#"{"promptFeedback":{}}"#,
        r#"{"candidates":[{"content":"#,
    ] {
        assert!(read_answer(body).is_err(), "{body}");
    }
}
