use gateway_actors::protocol::Dialect;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::testing::model;
use super::*;
use crate::dialects::neutral::{
    CacheMark, Document, Effort, Format, Image, Message, Number, Opaque, OpaqueKind, PartKind, Reasoning, Role, Schema,
    Source, ToolCall, ToolName, ToolResult,
};

fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

fn number(json: &str) -> Option<Number<'_>> {
    Number::read(raw(json))
}

fn request<'a>() -> Request<'a> {
    Request {
        messages: vec![Message::text(Role::User, "Hi")],
        ..Request::default()
    }
}

fn text(text: &'static str) -> PartKind<'static> {
    PartKind::Text(Cow::Borrowed(text))
}

fn message(role: Role, kinds: Vec<PartKind<'static>>) -> Message<'static> {
    Message {
        role,
        parts: kinds.into_iter().map(Into::into).collect(),
    }
}

fn image(source: Source<'static>) -> PartKind<'static> {
    PartKind::Image(Image { source, detail: None })
}

fn data() -> Source<'static> {
    Source::Data {
        media_type: Cow::Borrowed("image/png"),
        base64: Cow::Borrowed("AAAA"),
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

fn result(id: &'static str, content: Vec<PartKind<'static>>, is_error: bool) -> PartKind<'static> {
    PartKind::ToolResult(ToolResult {
        call_id: Cow::Borrowed(id),
        content,
        is_error,
    })
}

fn tool(kind: ToolKind<'static>) -> Tool<'static> {
    Tool {
        name: ToolName::plain("look"),
        description: None,
        kind,
        cache: None,
    }
}

fn function(parameters: Option<&'static str>, strict: Option<bool>) -> ToolKind<'static> {
    ToolKind::Function {
        parameters: parameters.map(raw),
        strict,
    }
}

/// What is written, and what is told as left out.
fn written(request: &Request<'_>) -> Result<(Value, Vec<Cow<'static, str>>), GatewayError> {
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Ollama);
    let body = write_request(request, &model("qwen3:8b"), &mut losses)?;
    Ok((serde_json::from_slice(&body).unwrap(), losses.into_dropped()))
}

fn refused(change: impl FnOnce(&mut Request<'_>)) -> String {
    let mut asked = request();
    change(&mut asked);
    written(&asked).unwrap_err().param.unwrap().into_owned()
}

#[test]
fn a_plain_request_says_whether_it_wants_a_stream_and_that_nothing_is_cut() {
    for stream in [true, false] {
        let (body, dropped) = written(&Request { stream, ..request() }).unwrap();
        assert_eq!(
            body,
            json!({
                "model": "qwen3:8b", "messages": [{"role": "user", "content": "Hi"}],
                "options": {}, "stream": stream, "truncate": false,
            })
        );
        assert!(dropped.is_empty());
    }
}

#[test]
fn a_limit_above_the_models_own_is_lowered_to_it_and_told() {
    for (limit, sent, is_told) in [(4_096, 4_096, false), (4_097, 4_096, true)] {
        let asked = Request {
            max_output_tokens: Some(limit),
            ..request()
        };
        let (body, dropped) = written(&asked).unwrap();
        assert_eq!(body["options"]["num_predict"], sent);
        assert_eq!(
            dropped.first().is_some_and(|name| name == "max_completion_tokens"),
            is_told
        );
    }
}

/// Member for member a `ChatRequest` of `api/types.go` at v0.33.0-rc2.
#[test]
fn every_setting_has_its_place() {
    let asked = Request {
        max_output_tokens: Some(100),
        temperature: number("0.70"),
        top_p: number("0.9"),
        top_k: number("40"),
        min_p: number("0.05"),
        seed: number("101"),
        frequency_penalty: number("0.5"),
        presence_penalty: number("-0.5"),
        stop: vec!["END".into()],
        format: Some(Format::JsonSchema(Schema {
            name: Some("answer".into()),
            description: None,
            schema: raw(r#"{"type":"object"}"#),
            strict: Some(true),
        })),
        reasoning: Some(Reasoning {
            effort: Some(Effort::None),
            ..Reasoning::default()
        }),
        tools: vec![tool(function(
            Some(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#),
            None,
        ))],
        tool_choice: Some(ToolChoice::Auto),
        parallel_tool_calls: Some(true),
        ..request()
    };
    let (body, dropped) = written(&asked).unwrap();
    assert_eq!(
        body,
        json!({
            "model": "qwen3:8b",
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {
                "name": "look",
                "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
            }}],
            "format": {"type": "object"},
            "options": {
                "num_predict": 100, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": 101,
                "frequency_penalty": 0.5, "presence_penalty": -0.5, "stop": ["END"],
            },
            "think": false,
            "stream": false,
            "truncate": false,
        })
    );
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_conversation_is_a_message_for_each_turn_and_each_result() {
    let asked = Request {
        messages: vec![
            message(Role::System, vec![text("Be brief."), text("Be kind.")]),
            Message::text(Role::Developer, "Now."),
            message(
                Role::User,
                vec![text("What is"), image(data()), text("this?"), image(data())],
            ),
            message(
                Role::Assistant,
                vec![
                    PartKind::Reasoning {
                        text: "Hm.".into(),
                        opaque: None,
                    },
                    text("Let me "),
                    text("look."),
                    call("c1", "look", r#"{"at": "it"}"#),
                    call("c2", "wait", "not JSON"),
                ],
            ),
            message(
                Role::User,
                vec![
                    result("c2", vec![text("done")], false),
                    result("c1", vec![text("a"), text("pig")], false),
                    result("lost", vec![], false),
                    text("Well?"),
                ],
            ),
            Message::text(Role::Assistant, ""),
        ],
        ..Request::default()
    };
    let (body, dropped) = written(&asked).unwrap();
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "Be brief.\nBe kind."},
            {"role": "system", "content": "Now."},
            {"role": "user", "content": "What is\nthis?", "images": ["AAAA", "AAAA"]},
            {
                "role": "assistant", "content": "Let me look.", "thinking": "Hm.",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "look", "arguments": {"at": "it"}}},
                    {"id": "c2", "function": {"name": "wait", "arguments": {"INVALID_JSON": "not JSON"}}},
                ],
            },
            {"role": "tool", "content": "done", "tool_name": "wait", "tool_call_id": "c2"},
            {"role": "tool", "content": "a\npig", "tool_name": "look", "tool_call_id": "c1"},
            {"role": "tool", "content": "", "tool_call_id": "lost"},
            {"role": "user", "content": "Well?"},
        ])
    );
    assert!(dropped.is_empty());
}

#[test]
fn a_tool_without_arguments_takes_an_empty_object_and_none_leaves_the_tools_out() {
    let asked = |choice| Request {
        tools: vec![tool(function(None, None)), tool(ToolKind::Custom { format: None })],
        tool_choice: choice,
        ..request()
    };
    let (body, _) = written(&asked(None)).unwrap();
    assert_eq!(
        body["tools"][0]["function"]["parameters"],
        json!({"type": "object", "properties": {}})
    );
    assert_eq!(
        body["tools"][1]["function"]["parameters"],
        json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
    );
    let (body, dropped) = written(&asked(Some(ToolChoice::None))).unwrap();
    assert!(body.get("tools").is_none() && dropped.is_empty());
}

#[test]
fn an_answer_that_is_any_object_is_asked_for_by_a_word() {
    let asked = Request {
        format: Some(Format::JsonObject),
        ..request()
    };
    assert_eq!(written(&asked).unwrap().0["format"], "json");
}

#[test]
fn what_does_no_harm_is_left_out_and_told() {
    let mut marked = tool(function(None, Some(true)));
    marked.cache = Some(CacheMark::Default);
    let detailed = PartKind::Image(Image {
        source: data(),
        detail: Some(Cow::Borrowed("low")),
    });
    let state = PartKind::Reasoning {
        text: "".into(),
        opaque: Some(Opaque {
            kind: OpaqueKind::Signature,
            data: "EqoB".into(),
            origin: None,
        }),
    };
    let asked = Request {
        messages: vec![
            message(Role::User, vec![detailed]),
            message(Role::Assistant, vec![state, call("c", "look", "{}")]),
            message(Role::User, vec![result("c", vec![text("no")], true)]),
        ],
        tools: vec![
            marked,
            tool(ToolKind::Custom {
                format: Some(raw("{}")),
            }),
        ],
        parallel_tool_calls: Some(false),
        verbosity: Some("low".into()),
        user: Some("u".into()),
        metadata: Some(raw("{}")),
        cache_key: Some("k".into()),
        service_tier: Some("flex".into()),
        logit_bias: Some(raw("{}")),
        reasoning: Some(Reasoning {
            effort: None,
            budget_tokens: Some(2_000),
            visible: Some(true),
        }),
        ..Request::default()
    };
    assert_eq!(
        written(&asked).unwrap().1,
        [
            "parallel_tool_calls",
            "verbosity",
            "user",
            "metadata",
            "prompt_cache_key",
            "service_tier",
            "messages.image_url.detail",
            "messages.reasoning_details",
            "messages.tool",
            "tools.function.strict",
            "tools.cache_control",
            "tools.custom",
            "reasoning.max_tokens",
        ]
    );
}

#[test]
fn a_document_of_plain_text_is_told_as_its_text() {
    let document = || {
        PartKind::Document(Document {
            source: Source::Data {
                media_type: Cow::Borrowed("text/plain"),
                base64: Cow::Borrowed("SGVsbG8="),
            },
            name: Some("a.txt".into()),
        })
    };
    let asked = Request {
        messages: vec![
            message(Role::User, vec![text("See"), document()]),
            message(Role::Assistant, vec![call("c", "look", "{}")]),
            message(Role::User, vec![result("c", vec![document()], false)]),
        ],
        ..Request::default()
    };
    let (body, dropped) = written(&asked).unwrap();
    assert_eq!(body["messages"][0]["content"], "See\nHello");
    assert_eq!(body["messages"][2]["content"], "Hello");
    assert_eq!(dropped, ["messages.file.filename"]);
}

#[test]
fn what_would_change_the_question_is_refused_by_name() {
    assert_eq!(refused(|asked| asked.logprobs = Some(0)), "logprobs");
    assert_eq!(
        refused(|asked| asked.logit_bias = Some(raw(r#"{"5":1}"#))),
        "logit_bias"
    );
    assert_eq!(refused(|asked| asked.answers = 2), "n");
    assert_eq!(refused(|asked| asked.temperature = number("-1")), "temperature");
    assert_eq!(refused(|asked| asked.messages.clear()), "messages");
    for choice in [ToolChoice::Required, ToolChoice::Named(ToolName::plain("look"))] {
        assert_eq!(refused(|asked| asked.tool_choice = Some(choice)), "tool_choice");
    }
    let url = || Source::Url(Cow::Borrowed("https://example.com/a.png"));
    for (kind, name) in [
        (image(url()), "messages.image_url"),
        (
            PartKind::Document(Document {
                source: data(),
                name: None,
            }),
            "messages.file",
        ),
        (result("c", vec![image(data())], false), "messages.tool.content"),
    ] {
        assert_eq!(
            refused(|asked| asked.messages = vec![message(Role::User, vec![kind])]),
            name
        );
    }
}
