use serde_json::{Value, json};

use gateway_actors::protocol::ErrorKind;

use super::super::testing::{read, write};
use super::*;
use crate::dialects::neutral::{CacheMark, Effort, Format, Reasoning, Source, ToolChoice, ToolKind};

/// A conversation as a coding agent has it. Written from `MessageCreateParams` and its blocks, `anthropic` 2.14.0.
const RICH: &str = r#"{
    "model": "auto", "max_tokens": 32000, "stream": true, "temperature": 1.0,
    "system": [
        {"type": "text", "text": "You are brief."},
        {"type": "text", "text": "The \"tools\" are yours.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "medium", "format": {"type": "json_schema", "schema": {"type": "object", "n": 1.50}}},
    "stop_sequences": ["END", "\n\nHuman:"],
    "metadata": {"user_id": "user-1"},
    "service_tier": "standard_only",
    "tools": [
        {"name": "read", "description": "Reads a file.", "strict": true,
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}},
        {"type": "custom", "name": "shell", "input_schema": {"type": "object"},
            "cache_control": {"type": "ephemeral"}}
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
    "messages": [
        {"role": "user", "content": "What is in the picture?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I must look.", "signature": "EqoBCkgIARAB=="},
            {"type": "redacted_thinking", "data": "EmwKAhgBEgy3"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_01", "name": "read", "input": {"path": "a.png", "n": 1.50}},
            {"type": "tool_use", "id": "toolu_02", "name": "shell", "input": {}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01", "content": [
                {"type": "text", "text": "a.png"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
            ]},
            {"type": "tool_result", "tool_use_id": "toolu_02", "content": "no such command", "is_error": true},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBER"},
                "title": "paper.pdf"},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {"type": "text", "text": "And now?", "cache_control": {"type": "ephemeral"}}
        ]},
        {"role": "system", "content": "The user is in a hurry."}
    ]
}"#;

#[test]
fn a_rich_request_goes_there_and_back_with_nothing_lost() {
    let (request, lost) = read(RICH).unwrap();
    assert_eq!(
        (lost.len(), request.unknown.len()),
        (0, 0),
        "{lost:?} {:?}",
        request.unknown
    );
    let (written, lost) = write(&request, "claude-opus-4-8").unwrap();
    assert_eq!(lost, [""; 0]);
    let mut expected: Value = serde_json::from_str(RICH).unwrap();
    expected["model"] = json!("claude-opus-4-8");
    // A text is a block of text, white space beside it apart; the usual temperature needs no telling.
    expected.as_object_mut().unwrap().remove("temperature");
    expected["messages"][0]["content"] = json!([{"type": "text", "text": "What is in the picture?"}]);
    expected["messages"][2]["content"][1]["content"] = json!([{"type": "text", "text": "no such command"}]);
    expected["messages"][3]["content"] = json!([{"type": "text", "text": "The user is in a hurry."}]);
    expected["tools"][1].as_object_mut().unwrap().remove("type");
    assert_eq!(written, expected);
    // And once more.
    let again = written.to_string();
    let (request, lost) = read(&again).unwrap();
    assert!(lost.is_empty() && request.unknown.is_empty());
    assert_eq!(write(&request, "claude-opus-4-8").unwrap().0, written);
}

#[test]
fn numbers_and_schemas_keep_their_spelling_and_texts_are_borrowed() {
    let (request, _) = read(RICH).unwrap();
    let Some(Format::JsonSchema(schema)) = &request.format else {
        panic!("{:?}", request.format)
    };
    assert_eq!(schema.schema.get(), r#"{"type": "object", "n": 1.50}"#);
    assert_eq!(request.temperature.unwrap().as_str(), "1.0");
    let PartKind::ToolCall(call) = &request.messages[2].parts[3].kind else {
        panic!("{:?}", request.messages[2])
    };
    assert_eq!(call.arguments, r#"{"path": "a.png", "n": 1.50}"#);
    assert!(matches!(call.arguments, Cow::Borrowed(_)));
    assert!(matches!(
        &request.messages[0].parts[0].kind,
        PartKind::Text(Cow::Borrowed("You are brief."))
    ));
    assert!(matches!(
        &request.messages[0].parts[1].kind,
        PartKind::Text(Cow::Owned(_))
    ));
    assert_eq!(request.messages[0].parts[1].cache, Some(CacheMark::OneHour));
}

/// A request with these members besides.
fn with(members: &str) -> String {
    format!(r#"{{"max_tokens":100,"messages":[{{"role":"user","content":"hi"}}]{members}}}"#)
}

/// A request whose one message has this content.
fn content(blocks: &str) -> String {
    format!(r#"{{"max_tokens":100,"messages":[{{"role":"user","content":{blocks}}}]}}"#)
}

#[test]
fn thinking_and_effort_say_together_how_much_the_model_reasons() {
    let reasoning = |effort, budget_tokens, visible| Reasoning {
        effort,
        budget_tokens,
        visible,
    };
    for (members, expected) in [
        (
            r#","thinking":{"type":"adaptive"}"#,
            reasoning(Some(Effort::High), None, None),
        ),
        (
            r#","thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"xhigh"}"#,
            reasoning(Some(Effort::ExtraHigh), None, Some(false)),
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":2000,"display":"summarized"}"#,
            reasoning(None, Some(2000), Some(true)),
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":2000},"output_config":{"effort":"low"}"#,
            reasoning(Some(Effort::Low), Some(2000), None),
        ),
        (
            r#","output_config":{"effort":"max"}"#,
            reasoning(Some(Effort::Max), None, None),
        ),
        (
            r#","thinking":{"type":"disabled"},"output_config":{"effort":"high"}"#,
            reasoning(Some(Effort::None), None, None),
        ),
        (
            r#","thinking":{"type":"between_tools"}"#,
            reasoning(Some(Effort::None), None, None),
        ),
    ] {
        let body = with(members);
        assert_eq!(read(&body).unwrap().0.reasoning, Some(expected), "{members}");
    }
    assert_eq!(
        read(&with(r#","output_config":{},"thinking":null"#))
            .unwrap()
            .0
            .reasoning,
        None
    );
}

#[test]
fn what_does_no_harm_is_left_out_and_told() {
    for (body, expected) in [
        (
            with(r#","thinking":{"type":"disabled"},"output_config":{"effort":"low"}"#),
            "output_config.effort",
        ),
        (
            with(r#","thinking":{"type":"between_tools"}"#),
            "thinking.between_tools",
        ),
        (
            with(r#","thinking":{"type":"adaptive","block_binding":{}}"#),
            "thinking.block_binding",
        ),
        (
            with(r#","output_config":{"task_budget":{"type":"tokens"}}"#),
            "output_config.task_budget",
        ),
        (with(r#","metadata":{"team":"x"}"#), "metadata.team"),
        (
            with(r#","tools":[{"type":"web_search_20260318","name":"web_search"}]"#),
            "tools",
        ),
        (
            with(r#","tools":[{"name":"t","input_schema":{},"defer_loading":true}]"#),
            "tools.defer_loading",
        ),
        (
            content(r#"[{"type":"text","text":"a","citations":[]}]"#),
            "messages.citations",
        ),
        (
            content(
                r#"[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"},"title":"t"}]"#,
            ),
            "messages.document.title",
        ),
        (
            content(r#"[{"type":"image","source":{"type":"url","url":"u"},"transformations":{}}]"#),
            "messages.image.transformations",
        ),
        (
            content(
                r#"[{"type":"tool_use","id":"1","name":"n","input":{},"caller":{"type":"code_execution_20260120"}}]"#,
            ),
            "messages.tool_use.caller",
        ),
        (
            content(
                r#"[{"type":"tool_result","tool_use_id":"1","content":[{"type":"tool_reference","tool_name":"n"}]}]"#,
            ),
            "messages.tool_result.tool_reference",
        ),
        (
            r#"{"messages":[{"role":"system","content":"a","clear_at":"never"}]}"#.to_owned(),
            "messages.clear_at",
        ),
    ] {
        assert_eq!(read(&body).unwrap().1, [expected], "{body}");
    }
    let direct = content(r#"[{"type":"tool_use","id":"1","name":"n","input":{},"caller":{"type":"direct"}}]"#);
    assert_eq!(read(&direct).unwrap().1, [""; 0]);
}

#[test]
fn members_that_nobody_knows_are_named_and_absent_ones_are_not() {
    let body = with(
        r#","context_management":{"edits":[]},"inference_geo":"eu","speed":"fast","mcp_servers":[],"container":null"#,
    );
    assert_eq!(
        read(&body).unwrap().0.unknown,
        ["context_management", "inference_geo", "speed"]
    );
}

#[test]
fn what_only_anthropics_models_can_be_asked_is_refused_by_name() {
    for (body, param) in [
        (with(r#","mcp_servers":[{"type":"url","name":"x"}]"#), "mcp_servers"),
        (with(r#","container":"c_1""#), "container"),
        (with(r#","thread":{"type":"create"}"#), "thread"),
        (with(r#","compaction":{}"#), "compaction"),
        (
            with(r#","max_tokens":0"#).replace(r#""max_tokens":100,"#, ""),
            "max_tokens",
        ),
        (
            with(r#","tools":[{"name":"t","input_schema":{}},{"type":"bash_20250124","name":"bash"}]"#),
            "tools[1]",
        ),
        (with(r#","tools":[{"type":"computer_toolset_20260801"}]"#), "tools[0]"),
        (
            with(r#","tools":[{"type":"mcp_toolset","mcp_server_name":"x"}]"#),
            "tools[0]",
        ),
        (
            with(r#","tools":[{"type":"web_search_20250305","name":"s"}],"tool_choice":{"type":"tool","name":"s"}"#),
            "tool_choice.name",
        ),
        (
            with(r#","tools":[{"type":"web_search_20250305","name":"s"}],"tool_choice":{"type":"any"}"#),
            "tool_choice",
        ),
        (
            content(r#"[{"type":"text","text":"a"},{"type":"server_tool_use","id":"1"}]"#),
            "messages[0].content[1]",
        ),
        (
            content(r#"[{"type":"web_search_tool_result"}]"#),
            "messages[0].content[0]",
        ),
        (
            content(r#"[{"type":"container_upload","file_id":"f"}]"#),
            "messages[0].content[0]",
        ),
        (content(r#"[{"type":"search_result"}]"#), "messages[0].content[0]"),
        (content(r#"[{"type":"brand_new"}]"#), "messages[0].content[0]"),
        (
            content(r#"[{"type":"image","source":{"type":"file","file_id":"f"}}]"#),
            "messages[0].content[0].source",
        ),
        (
            content(r#"[{"type":"document","source":{"type":"file","file_id":"f"}}]"#),
            "messages[0].content[0].source",
        ),
        (
            content(r#"[{"type":"document","source":{"type":"url","url":"u"},"context":"c"}]"#),
            "messages[0].content[0].context",
        ),
        (
            content(r#"[{"type":"tool_use","id":"1","name":"click","input":{},"toolset_name":"browser"}]"#),
            "messages[0].content[0]",
        ),
        (
            content(r#"[{"type":"tool_result","tool_use_id":"1","content":[{"type":"search_result"}]}]"#),
            "messages[0].content[0].content[0]",
        ),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, Some(param)),
            "{body}"
        );
        assert!(error.message.contains('`'), "{}", error.message);
    }
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (body, param) in [
        (r#"{"max_tokens":1}"#.to_owned(), "messages"),
        (r#"{"messages":{}}"#.to_owned(), "messages"),
        (r#"{"messages":[]}"#.to_owned(), "messages"),
        (r#"{"messages":[5]}"#.to_owned(), "messages[0]"),
        (
            r#"{"messages":[{"role":"tool","content":""}]}"#.to_owned(),
            "messages[0].role",
        ),
        (r#"{"messages":[{"content":""}]}"#.to_owned(), "messages[0].role"),
        (r#"{"messages":[{"role":"user"}]}"#.to_owned(), "messages[0].content"),
        (content("5"), "messages[0].content"),
        (content("[5]"), "messages[0].content[0]"),
        (content("[{}]"), "messages[0].content[0].type"),
        (content(r#"[{"type":"text"}]"#), "messages[0].content[0].text"),
        (
            content(r#"[{"type":"text","text":"a","text":"b"}]"#),
            "messages[0].content[0].text",
        ),
        (content(r#"[{"type":"image"}]"#), "messages[0].content[0].source"),
        (
            content(r#"[{"type":"image","source":{"type":"base64","data":"x"}}]"#),
            "messages[0].content[0].source.media_type",
        ),
        (
            content(r#"[{"type":"tool_use","id":"1","name":"n"}]"#),
            "messages[0].content[0].input",
        ),
        (
            content(r#"[{"type":"tool_use","id":"1","name":"n","input":[]}]"#),
            "messages[0].content[0].input",
        ),
        (
            content(r#"[{"type":"tool_result"}]"#),
            "messages[0].content[0].tool_use_id",
        ),
        (
            content(r#"[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"2h"}}]"#),
            "messages[0].content[0].cache_control.ttl",
        ),
        (
            with(r#","system":[{"type":"image","source":{"type":"url","url":"u"}}]"#),
            "system[0]",
        ),
        (with(r#","temperature":"1""#), "temperature"),
        (with(r#","stop_sequences":["a",5]"#), "stop_sequences[1]"),
        (with(r#","stream":"yes""#), "stream"),
        (with(r#","thinking":{"type":"enabled"}"#), "thinking.budget_tokens"),
        (with(r#","thinking":{"type":"sometimes"}"#), "thinking.type"),
        (
            with(r#","thinking":{"type":"adaptive","display":"x"}"#),
            "thinking.display",
        ),
        (with(r#","output_config":{"effort":"none"}"#), "output_config.effort"),
        (
            with(r#","output_config":{"format":{"type":"json_object"}}"#),
            "output_config.format.type",
        ),
        (
            with(r#","output_config":{"format":{"type":"json_schema"}}"#),
            "output_config.format.schema",
        ),
        (with(r#","tools":[{"name":"t"}]"#), "tools[0].input_schema"),
        (with(r#","tools":[{"input_schema":{}}]"#), "tools[0].name"),
        (with(r#","tool_choice":{"type":"tool"}"#), "tool_choice.name"),
        (with(r#","tool_choice":{"type":"all"}"#), "tool_choice.type"),
        (with(r#","metadata":5"#), "metadata"),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, Some(param)),
            "{body}"
        );
    }
    assert_eq!(read("{").unwrap_err().kind, ErrorKind::MalformedJson);
}

#[test]
fn a_mark_of_the_whole_request_is_that_of_its_last_part() {
    let body = content(r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#);
    let body = body.replacen('{', r#"{"cache_control":{"type":"ephemeral","ttl":"1h"},"#, 1);
    let (request, _) = read(&body).unwrap();
    let marks: Vec<_> = request.messages[0].parts.iter().map(|part| part.cache).collect();
    assert_eq!(marks, [None, Some(CacheMark::OneHour)]);
}

#[test]
fn what_a_tool_gave_may_be_nothing_a_text_or_blocks_and_a_mark_within_it_is_one_behind_it() {
    let body = content(
        r#"[{"type":"tool_result","tool_use_id":"1"},{"type":"tool_result","tool_use_id":"2","content":[
            {"type":"text","text":"a","cache_control":{"type":"ephemeral"}},
            {"type":"document","source":{"type":"url","url":"u"}}]}]"#,
    );
    let (request, lost) = read(&body).unwrap();
    assert_eq!(lost, [""; 0]);
    let parts = &request.messages[0].parts;
    let PartKind::ToolResult(nothing) = &parts[0].kind else {
        panic!()
    };
    let PartKind::ToolResult(blocks) = &parts[1].kind else {
        panic!()
    };
    assert!(nothing.content.is_empty() && !nothing.is_error && parts[0].cache.is_none());
    assert_eq!((blocks.content.len(), parts[1].cache), (2, Some(CacheMark::Default)));
    assert!(matches!(&blocks.content[1], PartKind::Document(document) if matches!(document.source, Source::Url(_))));
}

#[test]
fn an_unsigned_thought_and_one_of_another_dialect_are_told_from_a_signed_one() {
    let body = content(
        r#"[{"type":"thinking","thinking":"a","signature":""},{"type":"thinking","thinking":"b"},
            {"type":"thinking","thinking":"c","signature":"gw1.t.0000000000000007.xyz"},
            {"type":"thinking","thinking":"d","signature":"Eq"}]"#,
    );
    let (request, _) = read(&body).unwrap();
    let origins: Vec<_> = request.messages[0]
        .parts
        .iter()
        .map(|part| match &part.kind {
            PartKind::Reasoning { opaque, .. } => {
                opaque.as_ref().map(|opaque| (opaque.origin.is_some(), &*opaque.data))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(origins, [None, None, Some((true, "xyz")), Some((false, "Eq"))]);
}

#[test]
fn every_choice_of_tools_is_read() {
    let tools = r#","tools":[{"name":"t","input_schema":{"type":"object"}}]"#;
    for (choice, expected, parallel) in [
        (r#"{"type":"auto"}"#, ToolChoice::Auto, None),
        (r#"{"type":"none"}"#, ToolChoice::None, None),
        (
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
            ToolChoice::Required,
            Some(false),
        ),
        (
            r#"{"type":"tool","name":"t","disable_parallel_tool_use":false}"#,
            ToolChoice::Named(crate::dialects::neutral::ToolName::plain("t")),
            Some(true),
        ),
    ] {
        let body = with(&format!(r#"{tools},"tool_choice":{choice}"#));
        let (request, _) = read(&body).unwrap();
        assert_eq!(
            (&request.tool_choice, request.parallel_tool_calls),
            (&Some(expected), parallel)
        );
        assert!(matches!(request.tools[0].kind, ToolKind::Function { strict: None, .. }));
    }
}
