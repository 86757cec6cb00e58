use serde_json::{Value, json};

use super::super::testing::{
    BY_BUDGET, BY_EFFORT, asking, call, hello, model, raw, result, said, text, thought, tool, write,
};
use super::*;
use crate::dialects::neutral::{
    CacheMark, Document, Image, Message, Opaque, OpaqueKind, Part, PartKind, Role, Source, Tool, ToolCall, ToolChoice,
    ToolKind, ToolName,
};

#[test]
fn a_plain_request_has_the_models_own_limit_and_no_member_that_was_not_asked_for() {
    let (body, lost) = write(&hello(), BY_EFFORT).unwrap();
    assert_eq!(
        body,
        json!({"model": BY_EFFORT, "max_tokens": 64_000, "messages": [{"role": "user", "content": [text("hi")]}]})
    );
    assert_eq!(lost, [""; 0]);
    for (asked, expected) in [(100, 100), (1_000_000, 64_000)] {
        let mut request = hello();
        request.max_output_tokens = Some(asked);
        assert_eq!(write(&request, BY_EFFORT).unwrap().0["max_tokens"], expected);
    }
}

#[test]
fn instructions_go_before_everything_and_later_ones_behind_the_users_turn_where_the_model_takes_them() {
    let request = asking(vec![
        Message::text(Role::System, "one"),
        Message::text(Role::Developer, "two"),
        Message::text(Role::User, "a"),
        Message::text(Role::Developer, "three"),
        Message::text(Role::User, "b"),
        Message::text(Role::System, "four"),
        Message::text(Role::Assistant, "c"),
        Message::text(Role::System, "five"),
        Message::text(Role::User, "d"),
    ]);
    let (body, lost) = write(&request, BY_EFFORT).unwrap();
    assert_eq!(lost, [""; 0]);
    assert_eq!(body["system"], json!([text("one"), text("two")]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [text("a"), text("b")]},
            {"role": "system", "content": [text("three"), text("four")]},
            {"role": "assistant", "content": [text("c")]},
            {"role": "user", "content": [text("d")]},
            {"role": "system", "content": [text("five")]},
        ])
    );
    let (body, _) = write(&request, BY_BUDGET).unwrap();
    let all = ["one", "two", "three", "four", "five"].map(text);
    assert_eq!(body["system"], json!(all));
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn instructions_that_follow_no_turn_of_the_users_join_those_before_everything() {
    let request = asking(vec![
        Message::text(Role::User, "a"),
        Message::text(Role::Assistant, "b"),
        Message::text(Role::System, "late"),
    ]);
    let (body, _) = write(&request, BY_BUDGET).unwrap();
    assert_eq!(body["system"], json!([text("late")]));
    assert_eq!(body["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn neighbours_of_one_role_are_one_turn_with_results_first_and_silence_left_out() {
    let request = asking(vec![
        Message::text(Role::User, " \n"),
        Message::text(Role::User, "go"),
        Message::text(Role::Assistant, ""),
        said(Role::Assistant, vec![call("call|1", "{\"a\":1.50}"), call("2", "")]),
        said(
            Role::User,
            vec![PartKind::Text("first".into()), result("call|1", "one")],
        ),
        said(Role::User, vec![result("2", "")]),
    ]);
    let (body, lost) = write(&request, BY_EFFORT).unwrap();
    assert_eq!(lost, [""; 0]);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [text("go")]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "gwx_63616c6c7c31", "name": "read", "input": {"a": 1.50}},
                {"type": "tool_use", "id": "2", "name": "read", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "gwx_63616c6c7c31", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "2"},
                text("first"),
            ]},
        ])
    );
}

#[test]
fn white_space_between_two_texts_of_the_models_is_not_lost() {
    let texts = |role, texts: &[&'static str]| {
        let parts = texts.iter().map(|text| PartKind::Text((*text).into()));
        said(role, parts.collect())
    };
    let request = asking(vec![
        texts(Role::User, &["a", "\n", "b"]),
        texts(Role::Assistant, &["Hello", " ", "\n", "world", "", "!", "\n"]),
        Message::text(Role::User, "c"),
    ]);
    let (body, _) = write(&request, BY_EFFORT).unwrap();
    // A block of nothing else is refused, and so is a turn that ends in it.
    assert_eq!(
        body["messages"][1]["content"],
        json!([text("Hello"), text(" \nworld"), text("!")])
    );
    assert_eq!(body["messages"][0]["content"], json!([text("a"), text("b")]));
}

#[test]
fn a_model_goes_on_with_what_it_said_last_without_the_white_space_behind_it_or_refuses_to() {
    let asked = |parts| asking(vec![Message::text(Role::User, "a"), said(Role::Assistant, parts)]);
    let texts = |texts: &[&'static str]| texts.iter().map(|text| PartKind::Text((*text).into())).collect();
    for (last, kept) in [
        (texts(&["{\n \t"]), json!([text("{")])),
        (texts(&["b", " ", " c \u{a0}"]), json!([text("b"), text("  c")])),
        (
            vec![call("1", "{}")],
            json!([{"type": "tool_use", "id": "1", "name": "read", "input": {}}]),
        ),
    ] {
        let request = asked(last);
        let (body, told) = write(&request, BY_BUDGET).unwrap();
        assert_eq!(body["messages"][1]["content"], kept);
        assert!(told.is_empty(), "{told:?}");
        let refused = write(&request, BY_EFFORT).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("messages"));
    }
    // Only the last turn of all is gone on with.
    let mut request = asked(texts(&["b "]));
    request.messages.push(Message::text(Role::User, "c "));
    let (body, _) = write(&request, BY_EFFORT).unwrap();
    assert_eq!(body["messages"][1]["content"], json!([text("b ")]));
    assert_eq!(body["messages"][2]["content"], json!([text("c ")]));
}

#[test]
fn results_without_calls_calls_without_results_and_silence_alone_are_refused() {
    let refused = |messages| write(&asking(messages), BY_EFFORT).unwrap_err();
    let question = || Message::text(Role::User, "a");
    for (messages, param) in [
        (vec![said(Role::User, vec![result("1", "x")])], "messages.tool"),
        (
            vec![
                question(),
                said(Role::Assistant, vec![call("1", "{}")]),
                said(Role::User, vec![result("1", "x"), result("2", "x")]),
            ],
            "messages.tool",
        ),
        (
            vec![question(), said(Role::Assistant, vec![call("1", "{}")]), question()],
            "messages.tool_calls",
        ),
        (
            vec![
                question(),
                said(Role::Assistant, vec![call("1", "{}"), call("2", "{}")]),
                said(Role::User, vec![result("1", "x")]),
            ],
            "messages.tool_calls",
        ),
        (vec![], "messages"),
        (
            vec![Message::text(Role::System, "a"), Message::text(Role::User, " ")],
            "messages",
        ),
        (
            vec![question(), said(Role::System, vec![call("1", "{}")])],
            "messages.content",
        ),
    ] {
        assert_eq!(refused(messages).param.as_deref(), Some(param));
    }
    // The last call may be unanswered yet.
    let last = asking(vec![question(), said(Role::Assistant, vec![call("1", "{}")])]);
    assert!(write(&last, BY_BUDGET).is_ok());
}

#[test]
fn of_more_than_four_cache_marks_the_first_and_the_last_three_stay() {
    let marks = |count: usize| {
        let mut marked = tool("t");
        marked.cache = Some(CacheMark::OneHour);
        let parts = (1..count).map(|number| Part {
            kind: PartKind::Text(number.to_string().into()),
            cache: Some(CacheMark::Default),
        });
        let mut request = asking(vec![Message {
            role: Role::User,
            parts: parts.collect(),
        }]);
        request.tools = vec![marked];
        let (body, dropped) = write(&request, BY_EFFORT).unwrap();
        let blocks = body["messages"][0]["content"].as_array().unwrap();
        let kept = blocks.iter().filter(|block| block.get("cache_control").is_some());
        let kept: Vec<String> = kept.map(|block| block["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(body["tools"][0]["cache_control"]["ttl"], "1h");
        (kept.join(""), dropped)
    };
    assert_eq!(marks(4), ("123".to_owned(), vec![]));
    assert_eq!(marks(5), ("234".to_owned(), vec!["messages.cache_control".into()]));
    assert_eq!(marks(7), ("456".to_owned(), vec!["messages.cache_control".into()]));
}

#[test]
fn a_mark_on_what_is_left_out_is_told() {
    let silent = Part {
        kind: PartKind::Text(" ".into()),
        cache: Some(CacheMark::Default),
    };
    let mut request = hello();
    request.messages[0].parts.push(silent);
    let (body, dropped) = write(&request, BY_EFFORT).unwrap();
    assert_eq!(body["messages"][0]["content"], json!([text("hi")]));
    assert_eq!(dropped, ["messages.cache_control"]);
}

#[test]
fn arguments_become_an_object_whatever_they_are() {
    for (arguments, is_custom, expected) in [
        ("{\"a\":[1.50]}", false, "{\"a\":[1.50]}"),
        (" ", false, "{}"),
        ("[1]", false, r#"{"INVALID_JSON":"[1]"}"#),
        ("{\"a\":", false, r#"{"INVALID_JSON":"{\"a\":"}"#),
        ("ls -l", true, r#"{"input":"ls -l"}"#),
    ] {
        let call = ToolCall {
            id: "1".into(),
            name: ToolName::plain("t"),
            arguments: arguments.into(),
            is_custom,
        };
        assert_eq!(serde_json::to_string(&call.object()).unwrap(), expected);
    }
}

#[test]
fn tools_always_have_a_schema_of_an_object() {
    let mut request = hello();
    let mut function = tool("given");
    function.kind = ToolKind::Function {
        parameters: Some(raw(r#"{"properties":{"n":{"maximum":1.50}}}"#)),
        strict: Some(true),
    };
    function.description = Some("d".into());
    function.cache = Some(CacheMark::OneHour);
    let custom = |format| Tool {
        kind: ToolKind::Custom { format },
        ..tool("patch")
    };
    let grouped = Tool {
        name: ToolName {
            namespace: Some("mcp__files".into()),
            name: "read".into(),
        },
        ..tool("")
    };
    request.tools = vec![function, tool("bare"), custom(Some(raw(r#"{"type":"text"}"#))), grouped];
    let (body, lost) = write(&request, BY_EFFORT).unwrap();
    assert_eq!(lost, [""; 0]);
    assert_eq!(
        body["tools"],
        json!([
            {"name": "given", "description": "d", "strict": true, "cache_control": {"type": "ephemeral", "ttl": "1h"},
                "input_schema": {"type": "object", "properties": {"n": {"maximum": 1.50}}}},
            {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
            {"name": "patch", "input_schema": {"type": "object", "properties": {"input": {"type": "string"}},
                "required": ["input"], "additionalProperties": false}},
            {"name": "mcp__files__read", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
    request.tools = vec![custom(Some(raw(r#"{"type":"grammar","syntax":"lark"}"#)))];
    assert_eq!(write(&request, BY_EFFORT).unwrap().1, ["tools.custom"]);
}

#[test]
fn every_choice_of_tools_is_written() {
    for (choice, parallel, expected) in [
        (None, None, Value::Null),
        (None, Some(true), Value::Null),
        (
            None,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
        (
            Some(ToolChoice::Required),
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            Some(ToolChoice::Named(ToolName::plain("t"))),
            None,
            json!({"type": "tool", "name": "t"}),
        ),
    ] {
        let mut request = hello();
        request.tools = vec![tool("t")];
        (request.tool_choice, request.parallel_tool_calls) = (choice, parallel);
        assert_eq!(write(&request, BY_EFFORT).unwrap().0["tool_choice"], expected);
    }
    let mut request = hello();
    request.tool_choice = Some(ToolChoice::Auto);
    assert_eq!(write(&request, BY_EFFORT).unwrap().0["tool_choice"], Value::Null);
    request.tool_choice = Some(ToolChoice::Required);
    assert_eq!(write(&request, BY_EFFORT).unwrap_err().param.unwrap(), "tool_choice");
}

#[test]
fn images_and_documents_are_written_as_the_api_takes_them() {
    let data = |media_type: &'static str, base64: &'static str| Source::Data {
        media_type: media_type.into(),
        base64: base64.into(),
    };
    let image = |source| PartKind::Image(Image { source, detail: None });
    let document = |source| PartKind::Document(Document { source, name: None });
    for (part, expected) in [
        (
            image(data("image/jpg", "aaaa")),
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aaaa"}}),
        ),
        (
            image(Source::Url("u".into())),
            json!({"type": "image", "source": {"type": "url", "url": "u"}}),
        ),
        (
            document(data("application/pdf", "JVBE")),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}),
        ),
        (
            document(data("text/csv", "YSxiCjEsMgo=")),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b\n1,2\n"}}),
        ),
        (
            document(Source::Url("u".into())),
            json!({"type": "document", "source": {"type": "url", "url": "u"}}),
        ),
    ] {
        let request = asking(vec![said(Role::User, vec![part])]);
        assert_eq!(
            write(&request, BY_EFFORT).unwrap().0["messages"][0]["content"][0],
            expected
        );
    }
    for (part, param) in [
        (image(data("image/bmp", "aaaa")), "messages.image_url"),
        (document(data("application/zip", "aaaa")), "messages.file"),
        (document(data("text/plain", "/w==")), "messages.file"),
        (document(data("text/plain", "%")), "messages.file"),
    ] {
        let request = asking(vec![said(Role::User, vec![part])]);
        assert_eq!(write(&request, BY_EFFORT).unwrap_err().param.unwrap(), param);
    }
}

#[test]
fn reasoning_goes_back_to_who_signed_it_alone() {
    let origin = Origin::of(&model(BY_EFFORT));
    let marked = Opaque {
        kind: OpaqueKind::ThoughtSignature,
        data: "x".into(),
        origin: None,
    };
    let foreign = marked.to_field(OpaqueKind::Signature, origin).into_owned();
    let history = |part| {
        asking(vec![
            Message::text(Role::User, "a"),
            said(Role::Assistant, vec![part, PartKind::Text("b".into())]),
            Message::text(Role::User, "c"),
        ])
    };
    let redacted = PartKind::Reasoning {
        text: "".into(),
        opaque: Some(Opaque::read(OpaqueKind::Redacted, "Em".into())),
    };
    let other = PartKind::Reasoning {
        text: "why".into(),
        opaque: Some(Opaque::read(OpaqueKind::Signature, foreign.into())),
    };
    let thinking = |text: &str, signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    for (part, api_model, expected, lost) in [
        (thought("why", "Eq"), BY_EFFORT, thinking("why", "Eq"), &[][..]),
        (thought("", "Eq"), BY_EFFORT, thinking("", "Eq"), &[]),
        (
            redacted,
            BY_EFFORT,
            json!({"type": "redacted_thinking", "data": "Em"}),
            &[],
        ),
        (
            thought("why", ""),
            BY_EFFORT,
            text("b"),
            &["messages.reasoning_content"],
        ),
        (thought("why", ""), "kimi-k3", thinking("why", ""), &[]),
        (
            other,
            BY_EFFORT,
            text("b"),
            &["messages.reasoning_details", "messages.reasoning_content"],
        ),
    ] {
        let (body, told) = write(&history(part), api_model).unwrap();
        assert_eq!(body["messages"][1]["content"][0], expected);
        assert_eq!(told, lost);
    }
}
