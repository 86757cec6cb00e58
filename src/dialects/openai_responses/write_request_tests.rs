use std::borrow::Cow;

use gateway_actors::protocol::{Capabilities, Dialect, Vendor};
use serde_json::{Value, json};

use super::*;
use crate::dialects::neutral::{
    CacheMark, Effort, Opaque, OpaqueKind, Origin, Part, Reasoning, Tool, ToolCall, ToolChoice, ToolKind, ToolName,
    ToolResult,
};
use crate::dialects::openai_responses::samples::model;

fn losses() -> Losses {
    Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiResponses)
}

fn asked(messages: Vec<Message<'static>>) -> Request<'static> {
    Request {
        messages,
        ..Request::default()
    }
}

fn hi() -> Request<'static> {
    asked(vec![Message::text(Role::User, "hi")])
}

fn written(request: &Request<'_>) -> (Value, Vec<String>) {
    let mut losses = losses();
    let body = write_request(request, &model("gpt-6"), &mut losses).unwrap();
    let dropped = losses.into_dropped().into_iter().map(String::from).collect();
    (serde_json::from_slice(&body).unwrap(), dropped)
}

fn raw(json: &'static str) -> &'static RawValue {
    serde_json::from_str(json).unwrap()
}

fn number(json: &'static str) -> Option<Number<'static>> {
    Number::read(raw(json))
}

#[test]
fn the_least_request_has_a_model_an_input_and_is_not_stored() {
    let (body, dropped) = written(&hi());
    let item = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]});
    let include = ["reasoning.encrypted_content"];
    assert_eq!(
        body,
        json!({"model": "gpt-6", "input": [item], "include": include, "store": false})
    );
    assert!(dropped.is_empty());
}

#[test]
fn leading_instructions_stand_apart_and_later_ones_in_their_place() {
    let mut first = Message::text(Role::System, "a");
    first.parts.push(PartKind::Text("b".into()).into());
    let request = asked(vec![
        first,
        Message::text(Role::System, "c"),
        Message::text(Role::User, "hi"),
        Message::text(Role::Developer, "d"),
    ]);
    let (body, _) = written(&request);
    assert_eq!(body["instructions"], "a\n\nb");
    let roles: Vec<&str> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "developer"]);
    // The input must not be empty.
    let (body, _) = written(&asked(vec![Message::text(Role::System, "only")]));
    assert!(body.get("instructions").is_none() && body["input"][0]["role"] == "system");
}

#[test]
fn tools_always_say_whether_they_are_strict() {
    let tool = |strict| Tool {
        name: ToolName {
            namespace: Some("mcp__x".into()),
            name: "get".into(),
        },
        description: None,
        kind: ToolKind::Function {
            parameters: None,
            strict,
        },
        cache: Some(CacheMark::Default),
    };
    let custom = Tool {
        name: ToolName::plain("sql"),
        description: Some("Asks.".into()),
        kind: ToolKind::Custom {
            format: Some(raw(
                r#"{"type":"grammar","grammar":{"syntax":"regex","definition":"x+"}}"#,
            )),
        },
        cache: None,
    };
    let mut request = hi();
    request.tools = vec![tool(None), tool(Some(true)), custom];
    request.tool_choice = Some(ToolChoice::Named(ToolName::plain("sql")));
    let (body, dropped) = written(&request);
    let function = |strict: bool| {
        let mut parameters = json!({"type": "object", "properties": {}});
        if strict {
            parameters["additionalProperties"] = json!(false);
        }
        json!({"type": "function", "name": "mcp__x__get", "strict": strict, "parameters": parameters})
    };
    let custom = json!({"type": "custom", "name": "sql", "description": "Asks.",
        "format": {"type": "grammar", "syntax": "regex", "definition": "x+"}});
    assert_eq!(body["tools"], json!([function(false), function(true), custom]));
    assert_eq!(body["tool_choice"], json!({"type": "custom", "name": "sql"}));
    assert_eq!(dropped, ["tools.cache_control"]);
    request.tool_choice = Some(ToolChoice::Named(request.tools[0].name.clone()));
    assert_eq!(
        written(&request).0["tool_choice"],
        json!({"type": "function", "name": "mcp__x__get"})
    );
    for (choice, word) in [
        (ToolChoice::Auto, "auto"),
        (ToolChoice::None, "none"),
        (ToolChoice::Required, "required"),
    ] {
        request.tool_choice = Some(choice);
        assert_eq!(written(&request).0["tool_choice"], word);
    }
}

/// A conversation in which a tool was called, with reasoning of this kind before.
fn reasoned(opaque: Option<Opaque<'static>>) -> Request<'static> {
    let call = ToolCall {
        id: "c1".into(),
        name: ToolName::plain("look"),
        arguments: "{}".into(),
        is_custom: false,
    };
    let result = ToolResult {
        call_id: "c1".into(),
        content: Vec::new(),
        is_error: true,
    };
    let thought = PartKind::Reasoning {
        text: "hm".into(),
        opaque,
    };
    asked(vec![
        Message::text(Role::User, "hi"),
        Message {
            role: Role::Assistant,
            parts: vec![thought.into(), PartKind::ToolCall(call).into()],
        },
        Message {
            role: Role::User,
            parts: vec![PartKind::ToolResult(result).into()],
        },
    ])
}

fn encrypted(origin: Option<Origin>) -> Option<Opaque<'static>> {
    Some(Opaque {
        kind: OpaqueKind::Encrypted,
        data: Cow::Borrowed("rs_1|gAAA="),
        origin,
    })
}

#[test]
fn reasoning_goes_back_to_its_maker_and_to_nobody_else() {
    for origin in [None, Some(Origin::of(&model("gpt-6")))] {
        let (body, dropped) = written(&reasoned(encrypted(origin)));
        let item = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA=",
            "summary": [{"type": "summary_text", "text": "hm"}]});
        assert_eq!(body["input"][1], item);
        assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
        // The mark of a failed call has no place.
        assert_eq!(dropped, ["messages.tool_result.is_error"]);
        assert_eq!(
            body["input"][3],
            json!({"type": "function_call_output", "call_id": "c1", "output": ""})
        );
    }
    let signature = Opaque {
        kind: OpaqueKind::Signature,
        data: Cow::Borrowed("sig"),
        origin: None,
    };
    for (opaque, told) in [
        (
            encrypted(Some(Origin::of(&model("other")))),
            "messages.thinking.signature",
        ),
        (Some(signature), "messages.thinking.signature"),
        (None, "messages.thinking"),
    ] {
        let (body, dropped) = written(&reasoned(opaque));
        assert_eq!(body["input"][1]["type"], "function_call");
        assert_eq!(dropped[0], told);
        // Nor do its words go without it.
        assert!(dropped.iter().any(|name| name == "messages.thinking"), "{dropped:?}");
    }
}

#[test]
fn reasoning_that_is_asked_for_comes_with_its_state() {
    for (reasoning, expected, includes) in [
        (
            Reasoning {
                effort: Some(Effort::ExtraHigh),
                visible: Some(true),
                budget_tokens: None,
            },
            json!({"effort": "xhigh", "summary": "auto"}),
            true,
        ),
        (
            Reasoning {
                effort: Some(Effort::Max),
                ..Reasoning::default()
            },
            json!({"effort": "max"}),
            true,
        ),
        (
            Reasoning {
                budget_tokens: Some(5_000),
                ..Reasoning::default()
            },
            json!({"effort": "medium"}),
            true,
        ),
        (
            Reasoning {
                effort: Some(Effort::None),
                ..Reasoning::default()
            },
            json!({"effort": "none"}),
            false,
        ),
    ] {
        let mut request = hi();
        request.reasoning = Some(reasoning);
        let (body, _) = written(&request);
        assert_eq!(body["reasoning"], expected);
        assert_eq!(body.get("include").is_some(), includes);
    }
}

#[test]
fn the_state_of_reasoning_is_asked_for_unless_the_model_does_not_reason() {
    let includes = |reasoning: Option<Reasoning>, model: &Model| {
        let request = Request { reasoning, ..hi() };
        let body = write_request(&request, model, &mut losses()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["store"], false);
        body.get("include").is_some()
    };
    let off = Reasoning {
        effort: Some(Effort::None),
        ..Reasoning::default()
    };
    let mut model = model("m");
    for vendor in [Vendor::Openai, Vendor::Openrouter, Vendor::Other] {
        model.vendor = vendor;
        model.capabilities = Capabilities::NONE.with(Capability::Reasoning);
        assert!(includes(None, &model), "{vendor}");
        assert!(!includes(Some(off), &model), "{vendor}");
        model.capabilities = Capabilities::NONE;
        assert!(!includes(None, &model), "{vendor}");
    }
}

#[test]
fn a_model_is_asked_nothing_that_its_provider_refuses() {
    let mut request = hi();
    (request.temperature, request.top_p) = (number("0.5"), number("1.0"));
    request.reasoning = Some(Reasoning {
        effort: Some(Effort::High),
        budget_tokens: None,
        visible: Some(true),
    });
    let written = |model: &Model| {
        let mut losses = losses();
        let body = write_request(&request, model, &mut losses).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (body, losses.into_dropped())
    };
    let mut model = model("m");
    model.vendor = Vendor::Openai;
    let (body, dropped) = written(&model);
    assert_eq!(body["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert_eq!((body.get("temperature"), body.get("top_p")), (None, None));
    assert_eq!(dropped, ["temperature"]);

    model.capabilities = Capabilities::NONE;
    let (body, dropped) = written(&model);
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(0.5), &json!(1.0)));
    assert_eq!((body.get("reasoning"), body.get("include")), (None, None));
    assert_eq!(dropped, ["output_config.effort", "thinking.display"]);
}

#[test]
fn instructions_are_the_input_where_nothing_else_is_left_of_a_conversation() {
    let thought = || Message {
        role: Role::Assistant,
        parts: vec![
            PartKind::Reasoning {
                text: "so".into(),
                opaque: None,
            }
            .into(),
        ],
    };
    let (body, dropped) = written(&asked(vec![Message::text(Role::System, "be brief"), thought()]));
    assert_eq!(body.get("instructions"), None);
    assert_eq!(body["input"][0]["content"][0]["text"], "be brief");
    assert_eq!(dropped, ["messages.thinking"]);
    let error = write_request(&asked(vec![thought()]), &model("m"), &mut losses()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages"));
}

#[test]
fn a_document_at_an_address_goes_without_its_name_and_that_is_told() {
    let document = crate::dialects::neutral::Document {
        source: crate::dialects::neutral::Source::Url("https://example.com/a.pdf".into()),
        name: Some("a.pdf".into()),
    };
    let mut request = hi();
    request.messages[0].parts.push(PartKind::Document(document).into());
    let (body, dropped) = written(&request);
    let file = json!({"type": "input_file", "file_url": "https://example.com/a.pdf"});
    assert_eq!(body["input"][0]["content"][1], file);
    assert_eq!(dropped, ["messages.document.title"]);
}

#[test]
fn what_has_no_place_is_refused_or_left_out_and_told() {
    type Ask = fn(&mut Request<'static>);
    let cases: [(Ask, &str); 7] = [
        (|request| request.answers = 2, "n"),
        (|request| request.stop = vec!["x".into()], "stop_sequences"),
        (|request| request.logprobs = Some(1), "logprobs"),
        (|request| request.logit_bias = Some(raw("{}")), "logit_bias"),
        (|request| request.max_output_tokens = Some(15), "max_tokens"),
        (|request| request.temperature = number("2.1"), "temperature"),
        (
            |request| {
                let image = crate::dialects::neutral::Image {
                    source: crate::dialects::neutral::Source::Url("http://x".into()),
                    detail: None,
                };
                request.messages.push(Message {
                    role: Role::Assistant,
                    parts: vec![PartKind::Image(image).into()],
                });
            },
            "messages.content",
        ),
    ];
    for (ask, param) in cases {
        let mut request = hi();
        ask(&mut request);
        let error = write_request(&request, &model("m"), &mut losses()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
    }
    let mut request = hi();
    request.seed = number("1");
    request.top_k = number("1");
    request.min_p = number("0.1");
    request.frequency_penalty = number("1");
    request.presence_penalty = number("1");
    request.service_tier = Some("standard_only".into());
    request.metadata = Some(raw(r#"{"a":1}"#));
    request.verbosity = Some("huge".into());
    request.messages[0].parts.push(Part {
        kind: PartKind::Text("x".into()),
        cache: Some(CacheMark::OneHour),
    });
    let (body, dropped) = written(&request);
    assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
    let told = [
        "top_k",
        "min_p",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "cache_control",
        "verbosity",
        "service_tier",
        "metadata",
    ];
    assert_eq!(dropped, told);
}

#[test]
fn keys_and_ids_of_calls_that_are_too_long_go_shorter_and_stay_the_same() {
    let long = "i".repeat(65);
    let call = PartKind::ToolCall(ToolCall {
        id: long.clone().into(),
        name: ToolName::plain("f"),
        arguments: "{}".into(),
        is_custom: false,
    });
    let result = PartKind::ToolResult(ToolResult {
        call_id: long.clone().into(),
        content: vec![PartKind::Text("x".into())],
        is_error: false,
    });
    let said = |role, part: PartKind<'static>| Message {
        role,
        parts: vec![part.into()],
    };
    let mut request = asked(vec![said(Role::Assistant, call), said(Role::User, result)]);
    request.user = Some(long.clone().into());
    request.cache_key = Some(long.into());
    let (body, dropped) = written(&request);
    let id = body["input"][0]["call_id"].as_str().unwrap();
    assert!(id.starts_with("call_") && id.len() <= 64, "{id}");
    assert_eq!(body["input"][1]["call_id"], id);
    assert_eq!(body["safety_identifier"].as_str().map(str::len), Some(64));
    assert_eq!(body["prompt_cache_key"], body["safety_identifier"]);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_schema_that_openai_does_not_keep_to_for_certain_goes_without_that_and_it_is_told() {
    let closed = r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#;
    let open = r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#;
    let asks = |schema: &'static str, vendor: Vendor| {
        let mut request = hi();
        request.format = Some(Format::JsonSchema(crate::dialects::neutral::Schema {
            name: None,
            description: None,
            schema: raw(schema),
            strict: Some(true),
        }));
        request.tools = vec![Tool {
            name: ToolName::plain("f"),
            description: None,
            kind: ToolKind::Function {
                parameters: Some(raw(schema)),
                strict: Some(true),
            },
            cache: None,
        }];
        let mut model = model("gpt-6");
        model.vendor = vendor;
        let mut losses = losses();
        let body: Value = serde_json::from_slice(&write_request(&request, &model, &mut losses).unwrap()).unwrap();
        let strict = [&body["text"]["format"]["strict"], &body["tools"][0]["strict"]].map(|strict| strict == true);
        (strict, losses.into_dropped())
    };
    assert_eq!(asks(closed, Vendor::Openai), ([true; 2], vec![]));
    assert_eq!(asks(open, Vendor::Other), ([true; 2], vec![]));
    let (strict, dropped) = asks(open, Vendor::Openai);
    assert_eq!(strict, [false; 2]);
    assert_eq!(dropped, ["output_config.format", "tools.strict"]);
}

#[test]
fn a_limit_above_the_models_own_is_lowered_to_it() {
    let mut request = hi();
    for (limit, sent) in [(16, 16), (4_000, 4_000), (100_000, 4_000)] {
        request.max_output_tokens = Some(limit);
        assert_eq!(written(&request).0["max_output_tokens"], sent);
    }
}
