use gateway_actors::protocol::Dialect;

use super::*;
use crate::dialects::neutral::{
    CacheMark, OpaqueKind, Part, PartKind, Role, Source, ToolCall, ToolChoice, ToolKind, ToolName, ToolResult,
};

/// Written from `types/chat` of the `openai` package, version 3.57.0, and OpenRouter's reference.
const RICH: &str = r#"{
    "model": "auto", "stream": true, "stream_options": {"include_usage": true}, "x_mine": 1,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "In French.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "user", "name": "ann", "content": [
            {"type": "text", "text": "What is \"this\"?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}}
        ]},
        {"role": "assistant", "content": null, "refusal": null, "reasoning": "hm", "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "signature": "Eq==", "format": "anthropic-claude-v1", "index": 0}
        ], "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
            {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
        {"role": "user", "content": "And now?"}
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "Looks", "strict": true,
            "parameters": {"type": "object", "properties": {"at": {"type": "number"}}}}},
        {"type": "custom", "custom": {"name": "shell", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s"}}}},
        {"type": "web_search"}
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": false,
    "response_format": {"type": "json_schema", "json_schema": {"name": "cat", "strict": true, "schema": {"type": "object"}}},
    "max_completion_tokens": 500, "max_tokens": 400, "temperature": 0.70, "top_p": 0.9, "top_k": 40, "min_p": 0.05,
    "seed": 9007199254740993, "frequency_penalty": -1, "presence_penalty": 1.5, "stop": ["END", "\n\n"],
    "reasoning_effort": "high", "verbosity": "low", "n": 2, "logprobs": true, "top_logprobs": 3,
    "logit_bias": {"50256": -100}, "user": "u", "safety_identifier": "s", "metadata": {"a": "b"},
    "prompt_cache_key": "k", "service_tier": "flex", "store": true, "modalities": ["text"],
    "prediction": {"type": "content", "content": "x"}, "web_search_options": {}
}"#;

fn losses() -> Losses {
    Losses::new(Dialect::OpenaiChat, Dialect::AnthropicMessages)
}

fn read(body: &str) -> Request<'_> {
    read_request(body, &mut losses()).unwrap()
}

fn with_messages(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":[{messages}]}}"#)
}

/// The field that an error names.
fn refused(body: &str) -> String {
    let error = read_request(body, &mut losses()).unwrap_err();
    assert!(!error.message.is_empty());
    error.param.unwrap_or_default().into_owned()
}

fn words<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}")
}

#[test]
fn a_rich_request_is_read_whole() {
    let mut losses = losses();
    let request = read_request(RICH, &mut losses).unwrap();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    use Role::{Assistant, Developer, System, User};
    assert_eq!(roles, [System, Developer, User, Assistant, User, User]);
    assert_eq!(request.messages[1].parts[0].cache, Some(CacheMark::OneHour));
    let kinds = words(&request.messages[2].parts);
    for part in [
        "What is",
        "https://example.com/a.png",
        "image/png",
        "iVBO",
        "application/pdf",
        "JVBE",
    ] {
        assert!(kinds.contains(part), "{part} in {kinds}");
    }
    assert_eq!(
        request.messages[4].parts.len(),
        2,
        "results that follow each other are one message"
    );
    assert_eq!(request.tools.len(), 2);
    assert!(matches!(
        request.tools[0].kind,
        ToolKind::Function { strict: Some(true), .. }
    ));
    assert!(matches!(request.tools[1].kind, ToolKind::Custom { format: Some(_) }));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(ToolName::plain("look"))));
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert!(matches!(&request.format, Some(Format::JsonSchema(schema)) if schema.name.as_deref() == Some("cat")));
    assert_eq!(request.max_output_tokens, Some(500));
    let numbers = [
        request.temperature,
        request.top_k,
        request.seed,
        request.frequency_penalty,
    ];
    let numbers: Vec<_> = numbers.into_iter().flatten().map(Number::as_str).collect();
    assert_eq!(
        numbers,
        ["0.70", "40", "9007199254740993", "-1"],
        "as they were written"
    );
    assert_eq!(request.stop, ["END", "\n\n"]);
    assert_eq!(request.reasoning.unwrap().effort, Some(Effort::High));
    assert_eq!((request.answers, request.logprobs, request.stream), (2, Some(3), true));
    assert_eq!(request.user.as_deref(), Some("s"));
    assert_eq!(request.unknown, ["x_mine"]);
    let dropped = losses.into_dropped();
    assert_eq!(
        dropped,
        ["web_search_options", "user", "store", "prediction", "messages.name"]
    );
}

#[test]
fn an_end_user_that_is_left_out_is_told_by_every_name_that_the_client_gave() {
    for (members, told) in [
        (r#""user":"u""#, vec!["user"]),
        (r#""safety_identifier":"s""#, vec!["safety_identifier"]),
        (
            r#""user":"u","safety_identifier":"s""#,
            vec!["user", "safety_identifier"],
        ),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#);
        let mut losses = losses();
        read_request(&body, &mut losses).unwrap();
        // As a writer does whose dialect has no place for it.
        losses.drop(Feature::User);
        assert_eq!(losses.into_dropped(), told, "{members}");
    }
}

#[test]
fn how_many_likely_tokens_are_wanted_is_told_as_left_out_where_none_are_asked_for() {
    for (members, wanted, told) in [
        (r#""logprobs":true,"top_logprobs":2"#, Some(2), &[][..]),
        (r#""top_logprobs":2"#, None, &["top_logprobs"]),
        (r#""logprobs":false,"top_logprobs":2"#, None, &["top_logprobs"]),
        (r#""logprobs":false,"top_logprobs":0"#, None, &[]),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#);
        let mut losses = losses();
        assert_eq!(read_request(&body, &mut losses).unwrap().logprobs, wanted, "{members}");
        assert_eq!(losses.into_dropped(), told, "{members}");
    }
}

#[test]
fn text_without_escapes_is_not_copied() {
    let body = with_messages(r#"{"role":"user","content":"plain"},{"role":"user","content":"a\nb"}"#);
    let request = read(&body);
    let is_borrowed = |message: usize| match &request.messages[message].parts[0].kind {
        PartKind::Text(text) => matches!(text, Cow::Borrowed(_)),
        other => panic!("{other:?}"),
    };
    assert!(is_borrowed(0) && !is_borrowed(1));
}

#[test]
fn what_the_model_said_before_comes_in_order_and_reasoning_keeps_what_belongs_to_it() {
    let request = read(RICH);
    let [reasoning, look, shell] = request.messages[3].parts.as_slice() else {
        panic!("{:?}", request.messages[3]);
    };
    let PartKind::Reasoning {
        text,
        opaque: Some(opaque),
    } = &reasoning.kind
    else {
        panic!("{reasoning:?}");
    };
    assert_eq!((&**text, opaque.kind, opaque.origin), ("hm", OpaqueKind::Details, None));
    assert!(opaque.data.contains("\"signature\":\"Eq==\""));
    let call = |part: &Part<'_>| match &part.kind {
        PartKind::ToolCall(ToolCall {
            id,
            arguments,
            is_custom,
            ..
        }) => format!("{id} {arguments} {is_custom}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (call(look).as_str(), call(shell).as_str()),
        ("call_1 {\"at\":1} false", "call_2 ls true")
    );
}

#[test]
fn plain_reasoning_texts_are_read_and_not_twice() {
    for member in ["reasoning_content", "reasoning"] {
        let body = with_messages(&format!(r#"{{"role":"assistant","content":"b","{member}":"a"}}"#));
        let parts = words(&read(&body).messages[0].parts);
        assert_eq!(
            (parts.matches("Reasoning").count(), parts.matches("\"a\"").count()),
            (1, 1),
            "{parts}"
        );
    }
}

#[test]
fn functions_of_the_older_form_are_tools_whose_results_find_their_calls() {
    let body = r#"{"model":"m","functions":[{"name":"f"}],"function_call":{"name":"f"},"messages":[
        {"role":"user","content":"go"},
        {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"done"}]}"#;
    let request = read(body);
    assert!(request.legacy_functions);
    assert_eq!(request.tools[0].name, ToolName::plain("f"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(ToolName::plain("f"))));
    let PartKind::ToolCall(call) = &request.messages[1].parts[0].kind else {
        panic!()
    };
    let PartKind::ToolResult(ToolResult { call_id, .. }) = &request.messages[2].parts[0].kind else {
        panic!()
    };
    assert_eq!(call.id, *call_id);
    let stray = with_messages(r#"{"role":"function","name":"g","content":"x"}"#);
    assert_eq!(refused(&stray), "messages[0].name");
}

#[test]
fn of_tools_only_those_are_offered_that_are_allowed() {
    let body = |mode: &str, listed: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],
            "tools":[{{"type":"function","function":{{"name":"a"}}}},{{"type":"function","function":{{"name":"b"}}}}],
            "tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"{mode}","tools":[{listed}]}}}}}}"#
        )
    };
    let (a, b) = (
        r#"{"type":"function","function":{"name":"a"}}"#,
        r#"{"type":"function","function":{"name":"b"}}"#,
    );
    assert_eq!(
        read(&body("auto", &format!("{b},{a}"))).tool_choice,
        Some(ToolChoice::Auto)
    );
    assert_eq!(
        read(&body("required", &format!("{a},{b}"))).tool_choice,
        Some(ToolChoice::Required)
    );
    let some = body("required", b);
    let some = read(&some);
    let names: Vec<_> = some.tools.iter().map(|tool| tool.name.flat()).collect();
    assert_eq!(
        (names, &some.tool_choice),
        (vec!["b".into()], &Some(ToolChoice::Required))
    );
    let none = r#"{"type":"function","function":{"name":"c"}}"#;
    assert_eq!(refused(&body("auto", none)), "tool_choice.allowed_tools.tools");
}

#[test]
fn what_another_dialect_has_no_word_for_is_refused_where_it_stands() {
    let user = |part: &str| {
        with_messages(&format!(
            r#"{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}"#
        ))
    };
    let with = |member: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{member}}}"#);
    for (body, param) in [
        (
            user(r#"{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}"#),
            "messages[0].content[1]",
        ),
        (user(r#"{"type":"video_url","video_url":{}}"#), "messages[0].content[1]"),
        (
            user(r#"{"type":"file","file":{"file_id":"file-1"}}"#),
            "messages[0].content[1].file.file_id",
        ),
        (
            with_messages(r#"{"role":"assistant","audio":{"id":"a"}}"#),
            "messages[0].audio",
        ),
        (with(r#""modalities":["text","audio"]"#), "modalities"),
        (with(r#""audio":{"voice":"ash","format":"wav"}"#), "audio"),
    ] {
        assert_eq!(refused(&body), param, "{body}");
    }
}

#[test]
fn biases_of_no_token_are_none() {
    let with = |biases: &str| format!(r#"{{"messages":[{{"role":"user","content":"x"}}],"logit_bias":{biases}}}"#);
    assert!(read(&with("{}")).logit_bias.is_none());
    assert!(read(&with(r#"{"5":1}"#)).logit_bias.is_some());
}

#[test]
fn what_is_wrong_is_named() {
    let with = |member: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{member}}}"#);
    let message = |message: &str| with_messages(&format!(r#"{{"role":"user","content":"x"}},{message}"#));
    for (body, param) in [
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (message(r#"{"content":"x"}"#), "messages[1].role"),
        (message(r#"{"role":"robot","content":"x"}"#), "messages[1].role"),
        (message(r#"{"role":"user"}"#), "messages[1].content"),
        (message(r#"{"role":"user","content":[]}"#), "messages[1].content"),
        (message(r#"{"role":"user","content":7}"#), "messages[1].content"),
        (
            message(r#"{"role":"user","content":[{"text":"x"}]}"#),
            "messages[1].content[0].type",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"text"}]}"#),
            "messages[1].content[0].text",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"text","text":5}]}"#),
            "messages[1].content[0].text",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}"#),
            "messages[1].content[0].image_url.url",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"file","file":{"file_data":"eA==","filename":"a.txt"}}]}"#),
            "messages[1].content[0].file.file_data",
        ),
        (message(r#"{"role":"assistant"}"#), "messages[1].content"),
        (
            message(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#),
            "messages[1].tool_calls[0].id",
        ),
        (
            message(r#"{"role":"assistant","tool_calls":[{"id":"1","function":{}}]}"#),
            "messages[1].tool_calls[0].function.name",
        ),
        (message(r#"{"role":"tool","content":"x"}"#), "messages[1].tool_call_id"),
        (
            with(r#""tools":[{"type":"function","function":{}}]"#),
            "tools[0].function.name",
        ),
        (with(r#""tools":[{"function":{"name":"f"}}]"#), "tools[0].type"),
        (with(r#""tool_choice":"always""#), "tool_choice"),
        (with(r#""reasoning_effort":"huge""#), "reasoning_effort"),
        (with(r#""reasoning":{"effort":"huge"}"#), "reasoning.effort"),
        (with(r#""response_format":{"type":"xml"}"#), "response_format.type"),
        (
            with(r#""response_format":{"type":"json_schema","json_schema":{}}"#),
            "response_format.json_schema.schema",
        ),
        (with(r#""temperature":"hot""#), "temperature"),
        (with(r#""max_tokens":-1"#), "max_tokens"),
        (with(r#""stop":[1]"#), "stop[0]"),
        (with(r#""stop":"a","stop":"b""#), "stop"),
        (with(r#""logit_bias":[]"#), "logit_bias"),
    ] {
        assert_eq!(refused(&body), param, "{body}");
    }
}

#[test]
fn unknown_members_deeper_down_are_told() {
    let body = r#"{"model":"m","messages":[{"role":"user","mood":1,"content":[{"type":"text","text":"x","colour":1}]},
        {"role":"assistant","content":"","annotations":[]}],"tools":[{"type":"function","function":{"name":"f","x":1}}]}"#;
    let mut losses = losses();
    read_request(body, &mut losses).unwrap();
    assert_eq!(
        losses.into_dropped(),
        [
            "messages.mood",
            "messages.content.colour",
            "messages.annotations",
            "tools.function.x"
        ]
    );
}

#[test]
fn what_is_asked_of_a_stream_or_of_openais_cache_is_told_or_refused() {
    let told = |members: &str| {
        let body = with_messages(r#"{"role":"user","content":"x"}"#).replacen('{', &format!("{{{members},"), 1);
        let mut losses = losses();
        match read_request(&body, &mut losses) {
            Ok(_) => losses.into_dropped().into_iter().map(Cow::into_owned).collect(),
            Err(error) => vec![format!("refused {}", error.param.unwrap_or_default())],
        }
    };
    for (members, expected) in [
        (
            r#""stream_options":{"include_usage":true,"include_obfuscation":false}"#,
            vec![],
        ),
        (
            r#""stream_options":{"include_obfuscation":true}"#,
            vec!["stream_options.include_obfuscation"],
        ),
        (
            r#""stream_options":{"continuous_usage_stats":true}"#,
            vec!["stream_options.continuous_usage_stats"],
        ),
        (
            r#""prompt_cache_options":{"prewarm":true}"#,
            vec!["refused prompt_cache_options.prewarm"],
        ),
        (
            r#""prompt_cache_options":{"prewarm":false}"#,
            vec!["prompt_cache_options"],
        ),
        (r#""prompt_cache_options":null"#, vec![]),
    ] {
        assert_eq!(told(members), expected, "{members}");
    }
}

#[test]
fn openrouters_words_for_reasoning_are_read() {
    let read = |members: &str| {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#);
        read(&body).reasoning
    };
    let reasoning = |effort, budget_tokens, visible| {
        Some(Reasoning {
            effort,
            budget_tokens,
            visible,
        })
    };
    assert_eq!(
        read(r#""reasoning":{"max_tokens":2000,"exclude":true}"#),
        reasoning(None, Some(2000), Some(false))
    );
    assert_eq!(
        read(r#""reasoning":{"enabled":true}"#),
        reasoning(Some(Effort::Medium), None, None)
    );
    assert_eq!(
        read(r#""reasoning_effort":"high","reasoning":{"enabled":false}"#),
        reasoning(Some(Effort::None), None, None)
    );
    assert_eq!(read(r#""include_reasoning":true"#), reasoning(None, None, Some(true)));
    assert_eq!(read(r#""reasoning":{}"#), None);
}

#[test]
fn a_file_is_read_from_data_an_address_or_what_the_reference_calls_base64() {
    for (file, expected) in [
        (r#""file_data":"JVBE","filename":"a.PDF""#, "application/pdf JVBE"),
        (
            r#""file_data":"DATA:text/plain;charset=utf-8;base64,eA==""#,
            "text/plain eA==",
        ),
        (
            r#""file_data":"https://example.com/a.pdf""#,
            "https://example.com/a.pdf",
        ),
    ] {
        let body = with_messages(&format!(
            r#"{{"role":"user","content":[{{"type":"file","file":{{{file}}}}}]}}"#
        ));
        let request = read(&body);
        let PartKind::Document(document) = &request.messages[0].parts[0].kind else {
            panic!()
        };
        let source = match &document.source {
            Source::Url(url) => url.to_string(),
            Source::Data { media_type, base64 } => format!("{media_type} {base64}"),
        };
        assert_eq!(source, expected);
    }
}

#[test]
fn an_empty_text_of_the_model_is_left_out_beside_a_call_and_kept_alone() {
    let call = r#""tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    let parts = |message: &str| read(&with_messages(message)).messages[0].parts.len();
    assert_eq!(parts(&format!(r#"{{"role":"assistant","content":"",{call}}}"#)), 1);
    assert_eq!(parts(r#"{"role":"assistant","content":""}"#), 1);
}
