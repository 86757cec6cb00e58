use gateway_actors::protocol::{Capability, Dialect};
use serde_json::{Value, json};

use super::super::read_request::read_request;
use super::super::samples::model_of;
use super::*;
use crate::dialects::neutral::{
    CacheMark, Document, Image, Message, Opaque, OpaqueKind, Origin, Part, PartKind, Role, Source, ToolCall,
    ToolChoice, ToolKind, ToolName, ToolResult,
};

fn losses() -> Losses {
    Losses::new(Dialect::AnthropicMessages, Dialect::OpenaiChat)
}

fn model(provider: &str) -> Model {
    model_of(provider, &[Capability::Reasoning])
}

/// What is written for a model, and what was left out.
fn written_for(request: &Request<'_>, model: &Model) -> (Value, Vec<String>) {
    let mut losses = losses();
    let body = write_request(request, model, &mut losses).unwrap();
    let dropped = losses.into_dropped().into_iter().map(|name| name.into_owned());
    (serde_json::from_slice(&body).unwrap(), dropped.collect())
}

fn written(request: &Request<'_>, provider: &str) -> (Value, Vec<String>) {
    written_for(request, &model(provider))
}

fn request(messages: Vec<Message<'_>>) -> Request<'_> {
    Request {
        messages,
        ..Request::default()
    }
}

fn message<'a>(role: Role, parts: Vec<PartKind<'a>>) -> Message<'a> {
    Message {
        role,
        parts: parts.into_iter().map(Part::from).collect(),
    }
}

fn call(id: &'static str) -> PartKind<'static> {
    PartKind::ToolCall(ToolCall {
        id: id.into(),
        name: ToolName::plain("look"),
        arguments: "{\"at\":1}".into(),
        is_custom: false,
    })
}

#[test]
fn a_message_of_nothing_but_reasoning_is_left_out_and_told() {
    let thought = PartKind::Reasoning {
        text: "So it is".into(),
        opaque: None,
    };
    let asked = request(vec![
        Message::text(Role::User, "hi"),
        message(Role::Assistant, vec![thought]),
    ]);
    let (body, dropped) = written(&asked, "deepseek");
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(dropped, ["messages.thinking"]);
}

fn image(base64: &'static str) -> PartKind<'static> {
    PartKind::Image(Image {
        source: Source::Data {
            media_type: "image/png".into(),
            base64: base64.into(),
        },
        detail: None,
    })
}

fn result<'a>(call_id: &'a str, content: Vec<PartKind<'a>>) -> PartKind<'a> {
    PartKind::ToolResult(ToolResult {
        call_id: call_id.into(),
        content,
        is_error: false,
    })
}

/// A request that has everything that goes there and back, written from `types/chat` of the `openai` package, 3.57.0.
const RICH: &str = r#"{"model":"the-model","messages":[
    {"role":"system","content":"Be brief."},{"role":"developer","content":"In French."},
    {"role":"user","content":[{"type":"text","text":"What?"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}},
        {"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]},
    {"role":"assistant","content":"Looking.","tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}},
        {"id":"call_2","type":"custom","custom":{"name":"shell","input":"ls"}}]},
    {"role":"tool","tool_call_id":"call_1","content":"a cat"},{"role":"tool","tool_call_id":"call_2","content":"a dog"},
    {"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"Why?"}],
    "tools":[{"type":"function","function":{"name":"look","description":"Looks","strict":true,
            "parameters":{"type":"object","properties":{},"additionalProperties":false}}},
        {"type":"custom","custom":{"name":"shell","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"s"}}}}],
    "tool_choice":"required","parallel_tool_calls":false,
    "response_format":{"type":"json_schema","json_schema":{"name":"cat","strict":true,
        "schema":{"type":"object","properties":{},"additionalProperties":false}}},
    "max_completion_tokens":500,"seed":7,"stop":["END"],"reasoning_effort":"high","verbosity":"low","user":"u",
    "logit_bias":{"1":2},"prompt_cache_key":"k","service_tier":"flex","stream":true}"#;

#[test]
fn there_and_back_a_request_keeps_its_meaning() {
    let mut losses = losses();
    let request = read_request(RICH, &mut losses).unwrap();
    let body = write_request(&request, &model("openai"), &mut losses).unwrap();
    let body = String::from_utf8(body).unwrap();
    let back = read_request(&body, &mut losses).unwrap();
    assert_eq!(format!("{back:#?}"), format!("{request:#?}"));
    assert!(losses.into_dropped().is_empty());
    let value: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value["model"], "the-model");
    assert_eq!(value["stream_options"], json!({"include_usage": true}));
}

#[test]
fn there_and_back_through_openrouter_keeps_marks_reasoning_and_what_belongs_to_it() {
    let body = r#"{"model":"m","messages":[
        {"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"assistant","content":"b","reasoning_details":[
            {"type":"reasoning.text","text":"hm","signature":"Eq==","format":"anthropic-claude-v1","index":0},
            {"type":"reasoning.encrypted","data":"gA","id":"call_1","index":1}],"tool_calls":[
            {"id":"call_1","type":"function","function":{"name":"look","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"a cat"}],
        "temperature":0.70,"top_p":0.9,"top_k":40,"min_p":0.05,"presence_penalty":1,"reasoning":{"max_tokens":2000,"exclude":true}}"#;
    let mut losses = losses();
    let request = read_request(body, &mut losses).unwrap();
    let written = write_request(&request, &model("openrouter"), &mut losses).unwrap();
    let written = String::from_utf8(written).unwrap();
    let back = read_request(&written, &mut losses).unwrap();
    assert_eq!(format!("{back:#?}"), format!("{request:#?}"));
    assert!(losses.into_dropped().is_empty());
}

#[test]
fn a_limit_above_the_models_own_is_lowered_to_it_and_told() {
    let mut request = request(vec![Message::text(Role::User, "x")]);
    for (limit, sent, told) in [(10_000, 10_000, vec![]), (10_001, 10_000, vec!["max_tokens"])] {
        request.max_output_tokens = Some(limit);
        for (provider, member) in [("openai", "max_completion_tokens"), ("groq", "max_tokens")] {
            let (value, dropped) = written(&request, provider);
            assert_eq!(value[member], sent, "{provider}");
            assert_eq!(dropped, told, "{provider}");
        }
    }
}

#[test]
fn the_limit_and_the_developer_have_openais_names_for_openai_alone() {
    let mut request = request(vec![
        Message::text(Role::Developer, "x"),
        Message::text(Role::User, "y"),
    ]);
    request.max_output_tokens = Some(9);
    let (openai, _) = written(&request, "openai");
    assert_eq!(
        (&openai["max_completion_tokens"], &openai["max_tokens"]),
        (&json!(9), &Value::Null)
    );
    assert_eq!(openai["messages"][0]["role"], "developer");
    let (other, _) = written(&request, "groq");
    assert_eq!(
        (&other["max_completion_tokens"], &other["max_tokens"]),
        (&Value::Null, &json!(9))
    );
    assert_eq!(other["messages"][0]["role"], "system");
}

#[test]
fn texts_become_one_where_parts_are_not_taken_and_so_do_neighbouring_instructions() {
    let texts = || vec![PartKind::Text("a".into()), PartKind::Text("b".into())];
    let request = request(vec![
        message(Role::System, texts()),
        Message::text(Role::Developer, "c"),
        message(Role::User, texts()),
    ]);
    let (value, _) = written(&request, "vllm");
    assert_eq!(
        value["messages"],
        json!([{"role": "system", "content": "a\n\nb\n\nc"}, {"role": "user", "content": "a\n\nb"}])
    );
    let (value, _) = written(&request, "openai");
    assert_eq!(
        value["messages"][0]["content"],
        json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    );
    assert_eq!(value["messages"][1], json!({"role": "developer", "content": "c"}));
}

#[test]
fn results_follow_their_calls_and_their_images_come_behind_all_of_them() {
    let request = request(vec![
        message(Role::Assistant, vec![call("call_1"), call("call_2")]),
        message(
            Role::User,
            vec![
                result("call_1", vec![PartKind::Text("a".into()), image("AA")]),
                PartKind::Text("so?".into()),
                result("call_2", vec![image("BB")]),
            ],
        ),
    ]);
    let (value, dropped) = written(&request, "openai");
    let url = |data: &str| json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}});
    assert_eq!(
        value["messages"].as_array().unwrap()[1..],
        [
            json!({"role": "tool", "tool_call_id": "call_1", "content": "a"}),
            json!({"role": "tool", "tool_call_id": "call_2", "content": ""}),
            json!({"role": "user", "content": [url("AA"), url("BB"), {"type": "text", "text": "so?"}]}),
        ]
    );
    assert!(dropped.is_empty());
}

#[test]
fn reasoning_goes_back_to_who_made_it_and_unsigned_words_where_they_are_read() {
    let opaque = |origin| {
        Some(Opaque {
            kind: OpaqueKind::Details,
            data: r#"{"type":"reasoning.text","signature":"Eq"}"#.into(),
            origin,
        })
    };
    let reasoning = |opaque| {
        let reasoning = PartKind::Reasoning {
            text: "hm".into(),
            opaque,
        };
        request(vec![message(
            Role::Assistant,
            vec![reasoning, PartKind::Text("so".into())],
        )])
    };
    let own = Origin::of(&model("openrouter"));
    let (value, dropped) = written(&reasoning(opaque(Some(own))), "openrouter");
    let details = json!([{"type": "reasoning.text", "text": "hm", "signature": "Eq"}]);
    assert_eq!(
        value["messages"][0],
        json!({"role": "assistant", "content": "so", "reasoning_details": details})
    );
    assert!(dropped.is_empty());
    let foreign = Origin::of(&model("anthropic"));
    // Its words go without what is sealed, or are told as left out beside it.
    let signature = "messages.thinking.signature";
    for (origin, provider, member, told) in [
        (Some(foreign), "openrouter", Some("reasoning"), vec![signature]),
        (Some(foreign), "deepseek", Some("reasoning_content"), vec![signature]),
        (None, "openai", None, vec![signature, "messages.thinking"]),
    ] {
        let (value, dropped) = written(&reasoning(opaque(origin)), provider);
        let mut expected = json!({"role": "assistant", "content": "so"});
        if let Some(member) = member {
            expected[member] = json!("hm");
        }
        assert_eq!(value["messages"][0], expected, "{provider}");
        assert_eq!(dropped, told, "{provider}");
    }
    let unsigned = Some(Opaque {
        kind: OpaqueKind::Signature,
        data: "".into(),
        origin: None,
    });
    assert_eq!(
        written(&reasoning(unsigned), "deepseek"),
        written(&reasoning(None), "deepseek"),
        "an empty signature is none"
    );
    for (provider, member) in [
        ("openrouter", Some("reasoning")),
        ("deepseek", Some("reasoning_content")),
        ("vllm", Some("reasoning_content")),
        ("groq", None),
    ] {
        let (value, dropped) = written(&reasoning(None), provider);
        let words = member.map(|member| value["messages"][0][member].as_str().unwrap());
        assert_eq!(words, member.map(|_| "hm"), "{provider}");
        assert_eq!(
            dropped,
            if member.is_some() {
                vec![]
            } else {
                vec!["messages.thinking"]
            }
        );
    }
}

#[test]
fn tools_of_plain_text_are_functions_with_one_argument_where_only_openai_has_them() {
    let custom = |is_custom| {
        PartKind::ToolCall(ToolCall {
            id: "call_1".into(),
            name: ToolName::plain("shell"),
            arguments: "ls \"x\"".into(),
            is_custom,
        })
    };
    let mut request = request(vec![message(Role::Assistant, vec![custom(true)])]);
    let flat = r#"{"type":"grammar","syntax":"lark","definition":"s"}"#;
    request.tools.push(crate::dialects::neutral::Tool {
        name: ToolName::plain("shell"),
        description: None,
        kind: ToolKind::Custom {
            format: Some(serde_json::from_str(flat).unwrap()),
        },
        cache: None,
    });
    request.tool_choice = Some(ToolChoice::Named(ToolName::plain("shell")));
    let (value, dropped) = written(&request, "openai");
    assert_eq!(
        value["messages"][0]["tool_calls"][0]["custom"],
        json!({"name": "shell", "input": "ls \"x\""})
    );
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "s"}});
    assert_eq!(value["tools"][0]["custom"], json!({"name": "shell", "format": grammar}));
    assert_eq!(
        value["tool_choice"],
        json!({"type": "custom", "custom": {"name": "shell"}})
    );
    assert!(dropped.is_empty());
    let (value, dropped) = written(&request, "groq");
    let function = &value["messages"][0]["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], r#"{"input":"ls \"x\""}"#);
    assert_eq!(
        value["tools"][0]["function"]["parameters"]["required"],
        json!(["input"])
    );
    assert_eq!(
        value["tool_choice"],
        json!({"type": "function", "function": {"name": "shell"}})
    );
    assert_eq!(dropped, ["tools.custom"]);
}

#[test]
fn ids_of_calls_are_made_to_fit_and_stay_with_their_results() {
    let long = "toolu_0123456789012345678901234567890123456789";
    for (provider, id, fits) in [
        ("openai", "call_1", true),
        ("openai", long, false),
        ("mistral", "abcDEF123", true),
        ("mistral", "call_1", false),
    ] {
        let request = request(vec![
            message(Role::Assistant, vec![call(id)]),
            message(Role::User, vec![result(id, vec![PartKind::Text("x".into())])]),
        ]);
        let (value, _) = written(&request, provider);
        let written = value["messages"][0]["tool_calls"][0]["id"].as_str().unwrap();
        assert_eq!(value["messages"][1]["tool_call_id"], written);
        assert_eq!(written == id, fits, "{provider} {id}");
        assert!(written.len() <= if provider == "mistral" { 9 } else { 40 });
    }
}

#[test]
fn what_no_model_of_this_dialect_takes_is_refused() {
    let number = |text: &'static str| Number::read(serde_json::from_str(text).unwrap());
    let refused = |change: &dyn Fn(&mut Request<'_>)| {
        let mut request = request(vec![Message::text(Role::User, "x")]);
        change(&mut request);
        let error = write_request(&request, &model("openai"), &mut losses()).unwrap_err();
        error.param.unwrap().into_owned()
    };
    assert_eq!(refused(&|request| request.temperature = number("2.5")), "temperature");
    assert_eq!(refused(&|request| request.stop = vec!["x".into(); 5]), "stop_sequences");
    assert_eq!(refused(&|request| request.logprobs = Some(0)), "logprobs");
    let document = PartKind::Document(Document {
        source: Source::Url("https://example.com/a.pdf".into()),
        name: None,
    });
    let with_document = request(vec![message(Role::User, vec![document])]);
    let error = write_request(&with_document, &model("openai"), &mut losses()).unwrap_err();
    assert_eq!(error.param.unwrap(), "messages.document");
    assert!(write_request(&with_document, &model("openrouter"), &mut losses()).is_ok());
    let mut request = request(vec![Message::text(Role::User, "x")]);
    request.answers = 3;
    assert_eq!(
        written(&request, "openai").0["n"],
        3,
        "several answers can be told in it"
    );
}

#[test]
fn what_a_provider_does_not_take_is_left_out_and_told() {
    let number = |text: &'static str| Number::read(serde_json::from_str(text).unwrap());
    let mut request = request(vec![Message::text(Role::User, "x")]);
    request.messages[0].parts[0].cache = Some(CacheMark::Default);
    request.top_k = number("40");
    request.min_p = number("0.1");
    request.temperature = number("0.5");
    request.top_p = number("1.0");
    request.logit_bias = serde_json::from_str("{}").ok();
    request.metadata = serde_json::from_str("{}").ok();
    request.user = Some("u".into());
    request.cache_key = Some("k".into());
    request.service_tier = Some("standard_only".into());
    request.verbosity = Some("low".into());
    request.reasoning = Some(Reasoning {
        budget_tokens: Some(9_000),
        visible: Some(true),
        ..Reasoning::default()
    });
    let (value, dropped) = written(&request, "openai");
    assert_eq!(value["reasoning_effort"], "high");
    assert_eq!((&value["temperature"], &value["top_p"]), (&Value::Null, &Value::Null));
    assert_eq!(
        dropped,
        [
            "cache_control",
            "temperature",
            "top_k",
            "min_p",
            "thinking.display",
            "metadata",
            "service_tier"
        ]
    );
    let (value, dropped) = written(&request, "mistral");
    assert_eq!(
        dropped,
        [
            "cache_control",
            "top_k",
            "min_p",
            "logit_bias",
            "thinking.display",
            "metadata",
            "service_tier",
            "verbosity",
            "prompt_cache_key",
            "metadata.user_id"
        ]
    );
    assert_eq!(value["temperature"], json!(0.5));
    let (_, dropped) = written_for(&request, &model_of("vllm", &[]));
    assert!(dropped.contains(&"thinking.budget_tokens".to_owned()), "{dropped:?}");
}

#[test]
fn words_for_the_effort_are_those_that_the_provider_has_and_others_than_were_asked_for_are_told() {
    let mut request = request(vec![Message::text(Role::User, "x")]);
    for (effort, openai, groq) in [
        (Effort::None, "none", "none"),
        (Effort::Minimal, "minimal", "low"),
        (Effort::Medium, "medium", "medium"),
        (Effort::ExtraHigh, "xhigh", "high"),
        (Effort::Max, "max", "high"),
    ] {
        request.reasoning = Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        });
        assert_eq!(written(&request, "openai").0["reasoning_effort"], openai);
        let (value, dropped) = written(&request, "groq");
        assert_eq!(value["reasoning_effort"], groq);
        let told: &[&str] = if openai == groq { &[] } else { &["output_config.effort"] };
        assert_eq!(dropped, told, "{effort:?}");
        assert_eq!(
            written(&request, "openrouter").0["reasoning"],
            json!({"effort": openai})
        );
    }
}

#[test]
fn without_tools_nothing_is_said_of_them() {
    let mut request = request(vec![Message::text(Role::User, "x")]);
    request.tool_choice = Some(ToolChoice::Auto);
    request.parallel_tool_calls = Some(false);
    let (value, _) = written(&request, "openai");
    assert_eq!(
        value,
        json!({"model": "the-model", "messages": [{"role": "user", "content": "x"}]})
    );
}

#[test]
fn a_message_of_which_nothing_remains_is_left_out() {
    let reasoning = PartKind::Reasoning {
        text: "hm".into(),
        opaque: None,
    };
    let request = request(vec![
        message(Role::Assistant, vec![reasoning]),
        Message::text(Role::User, "x"),
    ]);
    let (value, _) = written(&request, "openai");
    assert_eq!(value["messages"].as_array().unwrap().len(), 1);
}
