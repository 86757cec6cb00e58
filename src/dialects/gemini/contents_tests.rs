use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use super::super::testing::model;
use super::*;
use crate::dialects::neutral::{CacheMark, Opaque, ToolName};

const NEW: &str = "gemini-3-flash-preview";
const OLD: &str = "gemini-2.5-flash";

fn text(text: &'static str) -> PartKind<'static> {
    PartKind::Text(Cow::Borrowed(text))
}

fn message(role: Role, kinds: Vec<PartKind<'static>>) -> Message<'static> {
    Message {
        role,
        parts: kinds.into_iter().map(NeutralPart::from).collect(),
    }
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> PartKind<'static> {
    PartKind::ToolCall(ToolCall {
        id: Cow::Borrowed(id),
        name: ToolName::plain(name),
        arguments: Cow::Borrowed(arguments),
        is_custom: false,
    })
}

fn result(id: &'static str, content: Vec<PartKind<'static>>) -> PartKind<'static> {
    PartKind::ToolResult(ToolResult {
        call_id: Cow::Borrowed(id),
        content,
        is_error: false,
    })
}

/// Reasoning with a signature of this model's, or of any other.
fn signed(thought: &'static str, data: &'static str, maker: Option<&str>) -> PartKind<'static> {
    PartKind::Reasoning {
        text: Cow::Borrowed(thought),
        opaque: Some(Opaque {
            kind: OpaqueKind::ThoughtSignature,
            data: Cow::Borrowed(data),
            origin: maker.map(|name| Origin::of(&model(name))),
        }),
    }
}

fn data(media_type: &'static str) -> Source<'static> {
    Source::Data {
        media_type: Cow::Borrowed(media_type),
        base64: Cow::Borrowed("AAAA"),
    }
}

fn image(source: Source<'static>) -> PartKind<'static> {
    PartKind::Image(Image { source, detail: None })
}

/// What is written for a model, and what is told as left out.
fn written(name: &str, messages: &[Message<'_>]) -> Result<(Value, Vec<Cow<'static, str>>), GatewayError> {
    let mut losses = Losses::new(Dialect::AnthropicMessages, Dialect::Gemini);
    let (system, contents) = Conversation::write(messages, &model(name), &mut losses)?;
    let value = json!({"system": system, "contents": contents});
    Ok((value, losses.into_dropped()))
}

/// The parts of the model's only content.
fn model_parts(name: &str, kinds: Vec<PartKind<'static>>) -> Value {
    let (value, _dropped) = written(name, &[message(Role::Assistant, kinds)]).unwrap();
    assert_eq!(value["contents"][0]["role"], "model");
    value["contents"][0]["parts"].clone()
}

#[test]
fn neighbours_of_one_role_are_one_content_and_instructions_stand_apart() {
    let (value, dropped) = written(
        OLD,
        &[
            Message::text(Role::System, "Be brief."),
            Message::text(Role::User, "Hi"),
            Message::text(Role::User, ""),
            Message::text(Role::User, "again"),
            Message::text(Role::Assistant, "Hello"),
            Message::text(Role::Developer, "Be kind."),
            Message::text(Role::Assistant, "there"),
            message(Role::User, vec![text("and"), PartKind::Refusal(Cow::Borrowed("no"))]),
        ],
    )
    .unwrap();
    assert_eq!(
        value,
        json!({
            "system": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}, {"text": "again"}]},
                {"role": "model", "parts": [{"text": "Hello"}, {"text": "there"}]},
                {"role": "user", "parts": [{"text": "and"}, {"text": "no"}]},
            ],
        })
    );
    assert!(dropped.is_empty());
}

#[test]
fn instructions_alone_are_asked_as_the_users_and_nothing_at_all_is_refused() {
    let (value, _) = written(OLD, &[Message::text(Role::System, "Say hi.")]).unwrap();
    assert_eq!(
        value,
        json!({"system": null, "contents": [{"role": "user", "parts": [{"text": "Say hi."}]}]})
    );
    for messages in [vec![], vec![Message::text(Role::User, "")]] {
        assert_eq!(written(OLD, &messages).unwrap_err().param.as_deref(), Some("messages"));
    }
}

#[test]
fn calls_and_results_carry_the_id_and_the_name() {
    let (value, dropped) = written(
        OLD,
        &[
            Message::text(Role::User, "Weather?"),
            message(
                Role::Assistant,
                vec![
                    call("c1", "weather", r#"{"city": "Z\u00fcrich"}"#),
                    call("c2", "clock", ""),
                ],
            ),
            message(
                Role::User,
                vec![
                    result("c2", vec![text("12:00"), text("UTC")]),
                    PartKind::ToolResult(ToolResult {
                        call_id: Cow::Borrowed("c1"),
                        content: vec![text("no such city")],
                        is_error: true,
                    }),
                    text("Well?"),
                ],
            ),
        ],
    )
    .unwrap();
    assert_eq!(
        value["contents"],
        json!([
            {"role": "user", "parts": [{"text": "Weather?"}]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Zürich"}}},
                {"functionCall": {"id": "c2", "name": "clock", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c2", "name": "clock", "response": {"result": "12:00\nUTC"}}},
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"error": "no such city"}}},
                {"text": "Well?"},
            ]},
        ])
    );
    assert!(dropped.is_empty());
}

#[test]
fn a_result_without_its_call_is_refused_by_the_number_of_its_message() {
    let messages = [
        Message::text(Role::User, "Hi"),
        message(Role::User, vec![result("lost", vec![text("x")])]),
    ];
    let error = written(NEW, &messages).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages.tool_result"));
    assert!(
        error.message.contains("message 2 holds the result of a call"),
        "{}",
        error.message
    );
}

#[test]
fn a_signature_goes_back_to_the_part_that_it_came_with() {
    for (kinds, expected) in [
        (
            vec![signed("", "s1", None), call("a", "f", "{}"), call("b", "f", "{}")],
            json!([
                {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "s1"},
                {"functionCall": {"id": "b", "name": "f", "args": {}}},
            ]),
        ),
        (
            vec![text("Hel"), signed("", "s1", None), text("lo")],
            json!([{"text": "Hel"}, {"text": "lo", "thoughtSignature": "s1"}]),
        ),
        // Google ends an answer without calls with an empty text that is signed.
        (
            vec![text("Hello"), signed("", "s1", None)],
            json!([{"text": "Hello"}, {"text": "", "thoughtSignature": "s1"}]),
        ),
        (
            vec![signed("Hm.", "s1", None), signed("", "s2", None), text("Hello")],
            json!([
                {"text": "Hm.", "thought": true},
                {"text": "", "thoughtSignature": "s1"},
                {"text": "Hello", "thoughtSignature": "s2"},
            ]),
        ),
    ] {
        assert_eq!(model_parts(NEW, kinds), expected);
    }
}

#[test]
fn a_signature_before_text_and_the_first_call_is_the_calls_where_calls_must_have_one() {
    let kinds = || vec![signed("", "s1", None), text("Wait."), call("a", "f", "{}")];
    assert_eq!(
        model_parts(NEW, kinds()),
        json!([
            {"text": "Wait."},
            {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "s1"},
        ])
    );
    assert_eq!(model_parts(OLD, kinds())[0]["thoughtSignature"], "s1");
    // Behind the first call it is of what it stands before.
    let later = model_parts(
        NEW,
        vec![
            call("a", "f", "{}"),
            signed("", "s2", None),
            text("b"),
            call("c", "f", "{}"),
        ],
    );
    assert_eq!(later[1], json!({"text": "b", "thoughtSignature": "s2"}));
    let both = model_parts(
        NEW,
        vec![
            signed("", "s1", None),
            text("a"),
            signed("", "s2", None),
            call("b", "f", "{}"),
        ],
    );
    assert_eq!(both[0], json!({"text": "a", "thoughtSignature": "s1"}));
    assert_eq!(both[1]["thoughtSignature"], "s2");
}

#[test]
fn calls_of_another_model_have_the_documented_stand_in_for_a_signature() {
    let foreign = || {
        vec![
            Message::text(Role::User, "Go"),
            message(
                Role::Assistant,
                vec![
                    signed("Hm.", "s1", Some(OLD)),
                    call("a", "f", "{}"),
                    call("b", "f", "{}"),
                ],
            ),
        ]
    };
    let (value, dropped) = written(NEW, &foreign()).unwrap();
    assert_eq!(
        value["contents"][1]["parts"],
        json!([
            {"text": "Hm.", "thought": true},
            {
                "functionCall": {"id": "a", "name": "f", "args": {}},
                "thoughtSignature": "skip_thought_signature_validator",
            },
            {"functionCall": {"id": "b", "name": "f", "args": {}}},
        ])
    );
    assert_eq!(dropped, ["messages.thinking.signature"]);
    let (value, _) = written("gemini-2.0-flash", &foreign()).unwrap();
    assert_eq!(value["contents"][1]["parts"].as_array().unwrap().len(), 2);
    assert!(value["contents"][1]["parts"][0].get("thoughtSignature").is_none());
}

#[test]
fn thoughts_are_left_out_for_models_that_do_not_think() {
    let thought = PartKind::Reasoning {
        text: Cow::Borrowed("Hm."),
        opaque: None,
    };
    let messages = [message(Role::Assistant, vec![thought, text("Hello")])];
    let (value, dropped) = written("gemini-2.0-flash", &messages).unwrap();
    assert_eq!(value["contents"][0]["parts"], json!([{"text": "Hello"}]));
    assert_eq!(dropped, ["messages.thinking"]);
}

#[test]
fn images_and_files_are_carried_in_base64_and_from_googles_own_places() {
    let kinds = vec![
        PartKind::Image(Image {
            source: data("image/png"),
            detail: Some(Cow::Borrowed("high")),
        }),
        PartKind::Document(Document {
            source: data("application/pdf"),
            name: Some(Cow::Borrowed("a.pdf")),
        }),
        image(Source::Url(Cow::Borrowed("gs://bucket/b.webp"))),
    ];
    let (value, dropped) = written(OLD, &[message(Role::User, kinds)]).unwrap();
    assert_eq!(
        value["contents"][0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
            {"fileData": {"mimeType": "image/webp", "fileUri": "gs://bucket/b.webp"}},
        ])
    );
    assert_eq!(dropped, ["messages.image", "messages.document.title"]);
    let elsewhere = || Source::Url(Cow::Borrowed("https://example.com/a.png"));
    let refused = written("gemini-2.0-flash", &[message(Role::User, vec![image(elsewhere())])]).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("messages.image"));
    let document = PartKind::Document(Document {
        source: elsewhere(),
        name: None,
    });
    let refused = written("gemini-2.0-flash", &[message(Role::User, vec![document])]).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("messages.document"));
}

#[test]
fn images_in_results_are_carried_to_models_that_read_them_there() {
    let messages = |source: Source<'static>| {
        vec![
            message(Role::Assistant, vec![call("a", "look", "{}")]),
            message(Role::User, vec![result("a", vec![text("seen"), image(source)])]),
        ]
    };
    let (value, _) = written(NEW, &messages(data("image/png"))).unwrap();
    assert_eq!(
        value["contents"][1]["parts"][0]["functionResponse"],
        json!({
            "id": "a", "name": "look", "response": {"result": "seen"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
        })
    );
    for refused in [
        written(OLD, &messages(data("image/png"))),
        written(NEW, &messages(Source::Url(Cow::Borrowed("gs://bucket/b.webp")))),
    ] {
        assert_eq!(
            refused.unwrap_err().param.as_deref(),
            Some("messages.tool_result.content")
        );
    }
}

#[test]
fn cache_marks_are_told_and_instructions_hold_nothing_but_text() {
    let mut marked = Message::text(Role::User, "Hi");
    marked.parts[0].cache = Some(CacheMark::Default);
    assert_eq!(written(OLD, &[marked]).unwrap().1, ["cache_control"]);
    let system = message(Role::System, vec![image(data("image/png"))]);
    assert_eq!(
        written(OLD, &[system]).unwrap_err().param.as_deref(),
        Some("messages.content")
    );
}
