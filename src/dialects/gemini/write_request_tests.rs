use gateway_actors::protocol::Dialect;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::testing::model;
use super::*;
use crate::dialects::neutral::{CacheMark, Effort, Format, Message, Number, Reasoning, Role, Schema, ToolName};

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

fn tool(name: &'static str, kind: ToolKind<'static>) -> Tool<'static> {
    Tool {
        name: ToolName::plain(name),
        description: Some(Cow::Borrowed("Does it.")),
        kind,
        cache: None,
    }
}

fn function(parameters: Option<&'static str>) -> ToolKind<'static> {
    ToolKind::Function {
        parameters: parameters.map(raw),
        strict: None,
    }
}

/// What is written for a model, and what is told as left out.
fn written(name: &str, request: &Request<'_>) -> Result<(Value, Vec<Cow<'static, str>>), GatewayError> {
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Gemini);
    let body = write_request(request, &model(name), &mut losses)?;
    Ok((serde_json::from_slice(&body).unwrap(), losses.into_dropped()))
}

fn refused(change: impl FnOnce(&mut Request<'_>)) -> String {
    let mut asked = request();
    change(&mut asked);
    let error = written("gemini-2.5-flash", &asked).unwrap_err();
    error.param.unwrap().into_owned()
}

#[test]
fn a_plain_request_has_nothing_that_was_not_asked_for() {
    let (body, dropped) = written("gemini-2.5-flash", &request()).unwrap();
    assert_eq!(
        body,
        json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": {}})
    );
    assert!(dropped.is_empty());
}

#[test]
fn a_limit_above_the_models_own_is_lowered_to_it_and_told() {
    for (limit, sent, is_told) in [(65_536, 65_536, false), (65_537, 65_536, true)] {
        let asked = Request {
            max_output_tokens: Some(limit),
            ..request()
        };
        let (body, dropped) = written("gemini-2.5-flash", &asked).unwrap();
        assert_eq!(body["generationConfig"]["maxOutputTokens"], sent);
        assert_eq!(
            dropped.first().is_some_and(|name| name == "max_completion_tokens"),
            is_told
        );
    }
}

/// Member for member a `GenerateContentRequest` of google-genai 3.6.1.
#[test]
fn every_setting_has_its_place() {
    let asked = Request {
        max_output_tokens: Some(1_000),
        temperature: number("0.70"),
        top_p: number("0.9"),
        top_k: number("40"),
        seed: number("-7"),
        presence_penalty: number("0.5"),
        frequency_penalty: number("-0.5"),
        stop: vec!["END".into(), "\n\n".into()],
        answers: 2,
        format: Some(Format::JsonSchema(Schema {
            name: Some("answer".into()),
            description: None,
            schema: raw(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#),
            strict: Some(true),
        })),
        reasoning: Some(Reasoning {
            effort: Some(Effort::Low),
            budget_tokens: None,
            visible: Some(true),
        }),
        tools: vec![
            tool("look", function(Some(r#"{"type":"object","properties":{}}"#))),
            tool("wait", function(None)),
        ],
        tool_choice: Some(ToolChoice::Named(ToolName::plain("look"))),
        parallel_tool_calls: Some(true),
        ..request()
    };
    let (body, dropped) = written("gemini-3.1-pro-preview", &asked).unwrap();
    assert_eq!(
        body,
        json!({
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "tools": [{"functionDeclarations": [
                {
                    "name": "look", "description": "Does it.",
                    "parametersJsonSchema": {"type": "object", "properties": {}},
                },
                {"name": "wait", "description": "Does it."},
            ]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
            "generationConfig": {
                "maxOutputTokens": 1000, "temperature": 0.7, "topP": 0.9, "topK": 40, "seed": -7,
                "presencePenalty": 0.5, "frequencyPenalty": -0.5, "stopSequences": ["END", "\n\n"],
                "candidateCount": 2, "responseMimeType": "application/json",
                "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "integer"}}},
                "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true},
            },
        })
    );
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn numbers_keep_their_spelling() {
    let asked = Request {
        temperature: number("0.70"),
        ..request()
    };
    let mut losses = Losses::new(Dialect::OpenaiChat, Dialect::Gemini);
    let body = write_request(&asked, &model("gemini-2.5-flash"), &mut losses).unwrap();
    assert!(String::from_utf8(body).unwrap().contains(r#""temperature":0.70"#));
}

#[test]
fn a_choice_of_tools_is_a_mode_and_says_nothing_where_there_are_none() {
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"functionCallingConfig": {"mode": "AUTO"}})),
        (ToolChoice::None, json!({"functionCallingConfig": {"mode": "NONE"}})),
        (ToolChoice::Required, json!({"functionCallingConfig": {"mode": "ANY"}})),
    ] {
        let is_forced = choice == ToolChoice::Required;
        let asked = |tools| Request {
            tools,
            tool_choice: Some(choice.clone()),
            ..request()
        };
        let (body, _) = written("gemini-2.5-flash", &asked(vec![tool("f", function(None))])).unwrap();
        assert_eq!(body["toolConfig"], expected);
        let (body, _) = written("gemini-2.5-flash", &asked(Vec::new())).unwrap();
        assert_eq!(body.get("toolConfig").is_some(), is_forced);
    }
}

#[test]
fn a_custom_tool_is_a_function_of_one_text() {
    let asked = Request {
        tools: vec![tool(
            "patch",
            ToolKind::Custom {
                format: Some(raw("{}")),
            },
        )],
        ..request()
    };
    let (body, dropped) = written("gemini-2.5-flash", &asked).unwrap();
    assert_eq!(
        body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"],
        json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})
    );
    assert_eq!(dropped, ["tools.custom"]);
}

#[test]
fn what_does_no_harm_is_left_out_and_told() {
    let mut marked = tool(
        "f",
        ToolKind::Function {
            parameters: None,
            strict: Some(true),
        },
    );
    marked.cache = Some(CacheMark::OneHour);
    let asked = Request {
        parallel_tool_calls: Some(false),
        min_p: number("0.1"),
        seed: number("3000000000"),
        presence_penalty: number("1"),
        frequency_penalty: number("1"),
        verbosity: Some("low".into()),
        user: Some("u".into()),
        metadata: Some(raw("{}")),
        cache_key: Some("k".into()),
        service_tier: Some("flex".into()),
        logit_bias: Some(raw("{}")),
        format: Some(Format::JsonSchema(Schema {
            name: None,
            description: Some("An answer.".into()),
            schema: raw("{}"),
            strict: None,
        })),
        tools: vec![marked],
        ..request()
    };
    let (body, dropped) = written("gemini-4-argon", &asked).unwrap();
    assert_eq!(
        dropped,
        [
            "parallel_tool_calls",
            "verbosity",
            "user",
            "metadata",
            "prompt_cache_key",
            "service_tier",
            "tools.function.strict",
            "tools.cache_control",
            "min_p",
            "response_format.json_schema.description",
            "seed",
            "presence_penalty",
            "frequency_penalty",
        ]
    );
    assert_eq!(
        body["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": {}})
    );
}

#[test]
fn what_would_change_the_question_is_refused_by_name() {
    assert_eq!(refused(|asked| asked.logprobs = Some(3)), "logprobs");
    assert_eq!(
        refused(|asked| asked.logit_bias = Some(raw(r#"{"5":-100}"#))),
        "logit_bias"
    );
    assert_eq!(refused(|asked| asked.answers = 9), "n");
    assert_eq!(refused(|asked| (asked.answers, asked.stream) = (2, true)), "n");
    assert_eq!(refused(|asked| asked.stop = vec!["x".into(); 6]), "stop");
    for temperature in ["2.1", "-0.1", "1e9"] {
        assert_eq!(refused(|asked| asked.temperature = number(temperature)), "temperature");
    }
    let five = Request {
        stop: vec!["x".into(); 5],
        temperature: number("2"),
        answers: 8,
        ..request()
    };
    assert!(written("gemini-2.5-flash", &five).is_ok());
}

#[test]
fn a_model_that_cannot_answer_with_json_beside_tools_refuses_it_or_is_told_of_none_that_it_must_not_call() {
    let schema = || {
        Format::JsonSchema(Schema {
            name: None,
            description: None,
            schema: raw(r#"{"type":"object"}"#),
            strict: None,
        })
    };
    let asked = |format, tool_choice| Request {
        tools: vec![tool("f", function(None))],
        format: Some(format),
        tool_choice,
        ..request()
    };
    for format in [|| Format::JsonObject, schema] {
        for choice in [None, Some(ToolChoice::Auto), Some(ToolChoice::Required)] {
            let asked = asked(format(), choice);
            let error = written("gemini-2.5-flash", &asked).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("response_format"));
            let (body, _) = written("gemini-3-flash-preview", &asked).unwrap();
            assert!(body["tools"].is_array() && body["generationConfig"]["responseMimeType"].is_string());
        }
        let silent = asked(format(), Some(ToolChoice::None));
        let (body, dropped) = written("gemini-2.5-flash", &silent).unwrap();
        assert_eq!((&body["tools"], &body["toolConfig"]), (&Value::Null, &Value::Null));
        assert!(body["generationConfig"]["responseMimeType"].is_string() && dropped.is_empty());
    }
}

#[test]
fn an_answer_that_is_any_object_is_asked_for_by_its_media_type() {
    let asked = Request {
        format: Some(Format::JsonObject),
        ..request()
    };
    let (body, _) = written("gemini-2.5-flash", &asked).unwrap();
    assert_eq!(
        body["generationConfig"],
        json!({"responseMimeType": "application/json"})
    );
}
