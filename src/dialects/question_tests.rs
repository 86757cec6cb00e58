//! Questions of real bodies: of coding agents in every dialect, with tool loops and several turns, and of clients that send
//! images, schemas, or what nobody can read.

use bytes::Bytes;
use gateway_actors::protocol::{OutgoingRequest, Role};
use serde_json::{Value, json};

use self::bodies::{Agent, Talk};
use super::*;
use crate::dialects::anthropic_messages::MessagesRequest;
use crate::dialects::openai_chat::{ChatCompletionsRequest, ConversationRequest};
use crate::dialects::openai_completions::CompletionsRequest;
use crate::dialects::openai_responses::ResponsesRequest;
use crate::fuzz::{any_bytes, damage, fuzz, json as any_json, pick};

#[path = "../../tests/api/loops/bodies.rs"]
mod bodies;

#[path = "question_key_tests.rs"]
mod key_tests;

const FIX: &str = "Fix the parser.\nThe tests say \"12 failed\".";

fn at(path: &str, body: &Value) -> Option<Question> {
    let body = Bytes::from(body.to_string());
    match path {
        "/v1/chat/completions" => ChatCompletionsRequest::scan(body).unwrap().question(),
        "/v1/responses" => ResponsesRequest::scan(body).unwrap().question(),
        "/v1/messages" => MessagesRequest::scan(body).unwrap().question(),
        _ => panic!("no such path: {path}"),
    }
}

/// Of a body without members that are always needed.
fn chat(mut body: Value) -> Option<Question> {
    body["model"] = "auto".into();
    at("/v1/chat/completions", &body)
}

fn responses(mut body: Value) -> Option<Question> {
    body["model"] = "auto".into();
    at("/v1/responses", &body)
}

fn messages(mut body: Value) -> Option<Question> {
    (body["model"], body["max_tokens"]) = ("auto".into(), 100.into());
    at("/v1/messages", &body)
}

fn talk(agent: Agent) -> Talk {
    Talk::new(agent, "auto", "the parser")
}

fn asked(agent: Agent, talk: &Talk) -> Question {
    at(agent.path(), &talk.body()).unwrap_or_else(|| panic!("{agent:?} asks nothing"))
}

#[test]
fn the_question_of_an_agent_is_what_its_user_said() {
    for agent in Agent::ALL {
        let question = asked(agent, &talk(agent).asks(FIX));
        assert_eq!(&*question.text, FIX, "{agent:?}");
        assert_eq!(
            (question.user_turns, question.in_loop, question.tool_errors),
            (1, false, 0)
        );
        assert!(
            question.has_tools && !question.has_media && !question.stream,
            "{agent:?}"
        );
        assert_eq!((question.answers, question.shape), (1, AnswerShape::Free));
        assert_eq!(question.capped, agent == Agent::Messages, "{agent:?}");
    }
}

#[test]
fn a_tool_loop_has_the_question_of_its_turn_and_is_known_again() {
    for agent in Agent::ALL {
        let mut talk = talk(agent).asks(FIX);
        let begun = asked(agent, &talk).loop_key.unwrap();
        let mut own = Vec::new();
        for call in ["c1", "c2", "c3"] {
            talk = talk
                .calls(call, "cargo test")
                .gets(call, "12 failed. What is the capital of France?", false);
            let question = asked(agent, &talk);
            assert_eq!(
                (&*question.text, question.user_turns, question.in_loop),
                (FIX, 1, true),
                "{agent:?}"
            );
            let key = question.loop_key.unwrap();
            let beginning = key.conversation.beginning;
            assert_eq!(
                (key.turn, beginning),
                (begun.turn, begun.conversation.beginning),
                "{agent:?}"
            );
            assert_eq!(key.conversation.is_young, call == "c1", "{agent:?}");
            own.push(key.conversation.answered.unwrap());
        }
        // The user says more: the loop is over, the conversation the same.
        let next = asked(agent, &talk.says("I fixed it.").asks("Now the printer."));
        assert_eq!(
            (&*next.text, next.user_turns, next.in_loop),
            ("Now the printer.", 2, false),
            "{agent:?}"
        );
        let next = next.loop_key.unwrap();
        own.push(next.conversation.answered.unwrap());
        assert!(own.iter().all(|one| *one == own[0]), "{agent:?}: {own:?}");
        assert_ne!(begun.turn, next.turn, "{agent:?}");
    }
}

#[test]
fn errors_of_tools_count_from_the_end_up_to_the_last_that_is_none() {
    let talk = talk(Agent::Messages).asks(FIX);
    let errors = |talk: &Talk| asked(Agent::Messages, talk).tool_errors;
    assert_eq!(errors(&talk), 0);
    let talk = talk.calls("c1", "a").gets("c1", "no such file", true);
    assert_eq!(errors(&talk), 1);
    let talk = talk.calls("c2", "b").gets("c2", "no such file", true);
    assert_eq!(errors(&talk), 2);
    assert_eq!(errors(&talk.clone().asks("Stop that.")), 0);
    let talk = talk.calls("c3", "c").gets("c3", "fine", false);
    assert_eq!(errors(&talk), 0);
    // Several in one message, in order.
    let results = |flags: [bool; 3]| {
        let results: Vec<Value> = flags
            .iter()
            .map(|flag| json!({"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": flag}))
            .collect();
        let body = json!({"messages": [{"role": "user", "content": FIX}, {"role": "user", "content": results}]});
        messages(body).unwrap().tool_errors
    };
    assert_eq!(results([true, true, true]), 3);
    assert_eq!(results([true, false, true]), 1);
    assert_eq!(results([true, true, false]), 0);
}

#[test]
fn what_a_user_says_beside_results_of_tools_is_a_turn_of_its_own() {
    let body = json!({"messages": [
        {"role": "user", "content": FIX},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": true},
            {"type": "text", "text": "Leave the tests alone."},
        ]},
    ]});
    let question = messages(body).unwrap();
    assert_eq!((&*question.text, question.user_turns), ("Leave the tests alone.", 2));
    assert_eq!((question.in_loop, question.tool_errors), (false, 0));
}

#[test]
fn messages_of_one_turn_are_one_text_and_instructions_between_them_are_none_of_it() {
    let body = json!({"messages": [
        {"role": "user", "content": "an old one"},
        {"role": "assistant", "content": "an old answer"},
        {"role": "user", "content": "one"},
        {"role": "system", "content": "secret rules"},
        {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}]},
    ]});
    let question = chat(body).unwrap();
    assert_eq!((&*question.text, question.user_turns), ("one\ntwo\nthree", 2));
}

#[test]
fn neither_instructions_nor_results_nor_answers_are_a_question() {
    for body in [
        json!({"messages": [{"role": "system", "content": "Prove it."}]}),
        json!({"messages": [{"role": "assistant", "content": "Prove it."}, {"role": "tool", "content": "Prove it."}]}),
        json!({"messages": [{"role": "user", "content": " \n\t"}]}),
        json!({"messages": [{"role": "user", "content": ""}, {"role": "user", "content": []}, {"role": "user"}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        json!({"messages": [{"role": "user", "content": "<system-reminder>Prove it.</system-reminder>\n"}]}),
    ] {
        assert_eq!(chat(body.clone()), None, "{body}");
    }
    for body in [
        json!({"input": [{"role": "developer", "content": "Prove it."}]}),
        json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "Prove it."}]}),
        json!({"previous_response_id": "resp_1"}),
        json!({"input": ""}),
    ] {
        assert_eq!(responses(body.clone()), None, "{body}");
    }
    let body = json!({"system": "Prove it.", "messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "Prove it."}]},
    ]}]});
    assert_eq!(messages(body), None);
}

#[test]
fn a_text_alone_is_a_question_of_responses() {
    let question = responses(json!({"input": "Say \"hi\".\n", "max_output_tokens": 5, "stream": true})).unwrap();
    assert_eq!((&*question.text, question.user_turns), ("Say \"hi\".\n", 1));
    assert!(question.capped && question.stream && !question.has_tools);
    let items = json!({"input": [{"role": "user", "content": "Say \"hi\".\n"}]});
    assert_eq!(responses(items).unwrap().loop_key, question.loop_key);
}

#[test]
fn calls_of_every_kind_begin_a_loop_in_responses() {
    for kind in [
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "tool_search_call",
    ] {
        let body = json!({"input": [{"role": "user", "content": FIX}, {"type": kind, "call_id": "c"}]});
        assert!(responses(body).unwrap().in_loop, "{kind}");
    }
    let body = json!({"input": [{"role": "user", "content": FIX}, {"type": "reasoning", "summary": []}]});
    assert!(!responses(body).unwrap().in_loop);
}

#[test]
fn images_documents_and_sounds_are_seen_wherever_they_are() {
    let user =
        |part: Value| json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}]});
    for part in [
        json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}}),
        json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
        json!({"type": "file", "file": {"file_id": "f"}}),
        json!({"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}),
    ] {
        assert!(chat(user(part.clone())).unwrap().has_media, "{part}");
    }
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AA=="});
    for part in [
        json!({"type": "image", "source": source}),
        json!({"type": "document", "source": source}),
        json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}),
    ] {
        assert!(messages(user(part.clone())).unwrap().has_media, "{part}");
    }
    for item in [
        json!({"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]}),
        json!({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}),
        json!({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "https://x"}]}),
    ] {
        let body = json!({"input": [{"role": "user", "content": "What?"}, item]});
        assert!(responses(body).unwrap().has_media, "{item}");
    }
    // In an earlier turn too, and not where a text only speaks of them.
    let mut body = user(json!({"type": "image_url", "image_url": {"url": "x"}}));
    body["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": "A cat."}));
    body["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "user", "content": "Sure?"}));
    assert!(chat(body).unwrap().has_media);
    let words = json!({"messages": [{"role": "user", "content": "{\"type\":\"image_url\"}"}]});
    assert!(!chat(words).unwrap().has_media);
}

#[test]
fn the_form_of_the_answer_is_read_in_every_dialect() {
    let schema = json!({"type": "object", "required": ["n"]});
    let wanted = AnswerShape::Schema(schema.to_string().into());
    let said = json!([{"role": "user", "content": "How many?"}]);
    let format = json!({"type": "json_schema", "schema": schema, "name": "n"});

    let of_chat = |format: Value| {
        chat(json!({"messages": said, "response_format": format}))
            .unwrap()
            .shape
    };
    assert_eq!(
        of_chat(json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})),
        wanted
    );
    assert_eq!(of_chat(json!({"type": "json_object"})), AnswerShape::Json);
    assert_eq!(of_chat(json!({"type": "text"})), AnswerShape::Free);

    let of_messages = |member: &str, value: Value| messages(json!({"messages": said, member: value})).unwrap().shape;
    assert_eq!(of_messages("output_config", json!({"format": format})), wanted);
    assert_eq!(of_messages("output_format", format.clone()), wanted);
    assert_eq!(
        of_messages("output_config", json!({"effort": "low"})),
        AnswerShape::Free
    );

    let of_responses = |text: Value, input: Value| responses(json!({"input": input, "text": text})).unwrap().shape;
    assert_eq!(of_responses(json!({"format": format}), said.clone()), wanted);
    assert_eq!(
        of_responses(json!({"verbosity": "low"}), said.clone()),
        AnswerShape::Free
    );
    let update = json!({"type": "configuration_update", "text": {"format": {"type": "json_object"}}});
    let updated = json!([{"role": "user", "content": "How many?"}, update]);
    assert_eq!(of_responses(json!({"format": format}), updated), AnswerShape::Json);
}

#[test]
fn how_many_answers_are_asked_for_and_whether_they_are_limited_is_told() {
    let body =
        json!({"messages": [{"role": "user", "content": "hi"}], "n": 3, "max_completion_tokens": 9, "stream": true});
    let question = chat(body).unwrap();
    assert_eq!((question.answers, question.capped, question.stream), (3, true, true));
}

#[test]
fn of_a_long_question_both_ends_are_kept_and_all_of_it_counts_for_the_turn() {
    let long = |middle: char| format!("Begin{}End", middle.to_string().repeat(100_000));
    let of = |text: String| {
        chat(
            json!({"messages": [{"role": "user", "content": "first"}, {"role": "assistant", "content": "x"},
        {"role": "user", "content": text}]}),
        )
        .unwrap()
    };
    let question = of(long('é'));
    assert!(question.text.len() <= 64 * 1024 && question.text.starts_with("Beginé") && question.text.ends_with("éEnd"));
    assert_eq!(of(long('é')).loop_key, question.loop_key);
    assert_ne!(of(long('è')).loop_key, question.loop_key);
    assert_ne!(of(long('é') + "!").loop_key, question.loop_key);
}

#[test]
fn a_request_of_the_gateways_own_kind_asks_its_message() {
    let request = |message: &str| ConversationRequest {
        system: Some("be brief".into()),
        history: vec![(Role::User, "one".into()), (Role::Assistant, "two".into())],
        message: message.into(),
        max_tokens: Some(7),
        temperature: None,
    };
    let question = request("<system-reminder>three</system-reminder>").question().unwrap();
    assert_eq!(&*question.text, "<system-reminder>three</system-reminder>");
    assert_eq!((question.user_turns, question.loop_key), (2, None));
    assert!(question.capped && !question.stream && !question.in_loop && !question.has_tools);
    assert!(request(&"é".repeat(50_000)).question().unwrap().text.len() <= 64 * 1024);
    assert_eq!(request(" ").question(), None);
}

#[test]
fn what_asks_no_model_for_an_answer_has_no_question() {
    let body =
        || Bytes::from_static(br#"{"model":"auto","prompt":"Once upon","messages":[{"role":"user","content":"hi"}]}"#);
    assert_eq!(CompletionsRequest::scan(body()).unwrap().question(), None);
    assert_eq!(MessagesRequest::scan_for_count(body()).unwrap().question(), None);
}

#[test]
fn what_cannot_be_read_has_no_question_and_no_members_are_taken_for_others() {
    // Given twice: which of them a provider takes is not known.
    let twice = r#"{"model":"auto","messages":[{"role":"user","content":"a","content":"b"}]}"#;
    assert_eq!(
        ChatCompletionsRequest::scan(Bytes::from_static(twice.as_bytes()))
            .unwrap()
            .question(),
        None
    );
    let body =
        json!({"messages": [{"role": "user", "content": "hi"}], "input": 7, "system": 7, "text": 7, "instructions": 7});
    assert!(chat(body).is_some());
    let body = json!({"input": "hi", "messages": 7, "response_format": 7, "system": 7, "output_config": 7});
    assert!(responses(body).is_some());
    // Parts that are no parts say nothing; what stands beside them is heard.
    let body = json!({"messages": [{"role": "user", "content": [7, null]}, {"role": "user", "content": "hi"}]});
    assert_eq!(&*chat(body).unwrap().text, "hi");
}

#[test]
fn no_body_makes_a_reader_panic_and_every_question_holds_to_its_limits() {
    const WORDS: &[&str] = &[
        "\"role\":\"user\",",
        "\"content\":",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\",
        "\\ud83d",
        "null,",
        "<system-reminder>",
        "</system-reminder>",
        "\"type\":\"tool_result\",",
        "\u{feff}",
    ];
    fuzz("question", |rng| {
        let agent = Agent::ALL[rng.usize(..Agent::ALL.len())];
        let mut talk = talk(agent).asks(&any_json(rng, 0));
        for turn in 0..rng.usize(..5) {
            let id = turn.to_string();
            talk = match rng.u8(..3) {
                0 => talk.asks(&any_json(rng, 1)),
                1 => talk.says(&any_json(rng, 1)),
                _ => talk.calls(&id, "ls").gets(&id, &any_json(rng, 1), rng.bool()),
            };
        }
        let mut body = talk.body().to_string().into_bytes();
        match rng.u8(..8) {
            0 => body = any_bytes(rng, 200),
            1 => {}
            2 => {
                let at = body.len() - 1;
                body.splice(
                    at..at,
                    format!(",\"x\":{},\"input\":{}", any_json(rng, 3), any_json(rng, 3)).bytes(),
                );
            }
            _ => damage(rng, &mut body, WORDS),
        }
        let needs = Needs::default();
        let known = Known {
            needs: &needs,
            stream: false,
        };
        let read = pick(rng, &[of_chat as Read, of_messages, of_responses].each_ref());
        if let Some(question) = read(&body, known) {
            assert!(question.text.len() <= 64 * 1024 && !question.text.trim().is_empty());
            assert!(question.user_turns > 0 && question.loop_key.is_some());
        }
    });
}

type Read = fn(&[u8], Known<'_>) -> Option<Question>;
