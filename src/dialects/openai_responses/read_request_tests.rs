use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use super::*;
use crate::dialects::neutral::{OpaqueKind, PartKind, ToolKind, ToolName};
use crate::dialects::openai_responses::samples::{CODEX, losses, model};
use crate::dialects::openai_responses::write_request;

fn refused(body: &str) -> GatewayError {
    read_request(body, &mut losses()).unwrap_err()
}

/// What was left out of a request.
fn dropped(body: &str) -> Vec<String> {
    let mut losses = losses();
    read_request(body, &mut losses).unwrap();
    losses.into_dropped().into_iter().map(String::from).collect()
}

#[test]
fn what_codex_sends_is_read_as_a_conversation_with_tools() {
    let mut losses = losses();
    let request = read_request(CODEX, &mut losses).unwrap();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [Role::Developer, Role::User, Role::User, Role::Assistant, Role::User]
    );

    let [thought, said, write, patch, search] = request.messages[3].parts.as_slice() else {
        panic!("{:?}", request.messages[3]);
    };
    let PartKind::Reasoning {
        text,
        opaque: Some(opaque),
    } = &thought.kind
    else {
        panic!("{thought:?}");
    };
    assert_eq!(
        (&**text, &*opaque.data, opaque.kind),
        ("thinking", "rs_1|gAAA=", OpaqueKind::Encrypted)
    );
    assert!(matches!(&said.kind, PartKind::Text(text) if text == "Hello"));
    let call = |part: &crate::dialects::neutral::Part<'_>| match &part.kind {
        PartKind::ToolCall(call) => (
            call.name.flat().into_owned(),
            call.arguments.clone().into_owned(),
            call.is_custom,
        ),
        other => panic!("{other:?}"),
    };
    assert_eq!(call(write), ("mcp__files__write".into(), "{}".into(), false));
    assert_eq!(call(patch), ("apply_patch".into(), "*** Begin Patch\n+hi".into(), true));
    assert_eq!(call(search).1, r#"{"query":"write file","limit":3}"#);
    let results: Vec<(&str, usize)> = request.messages[4]
        .parts
        .iter()
        .map(|part| match &part.kind {
            PartKind::ToolResult(result) => (&*result.call_id, result.content.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(results, [("call_1", 2), ("call_3", 1), ("call_4", 1)]);
    let PartKind::ToolResult(found) = &request.messages[4].parts[2].kind else {
        panic!("{:?}", request.messages[4]);
    };
    let names = "These tools were found and can be called: mcp__files__write, mcp__files__read_all";
    assert!(
        matches!(&found.content[0], PartKind::Text(text) if text == names),
        "{found:?}"
    );

    let tools: Vec<String> = request.tools.iter().map(|tool| tool.name.flat().into_owned()).collect();
    let expected = [
        "exec_command",
        "apply_patch",
        "tool_search__client",
        "mcp__files__write",
        "mcp__files__read_all",
    ];
    assert_eq!(tools, expected);
    assert!(matches!(request.tools[1].kind, ToolKind::Custom { format: Some(_) }));
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        (reasoning.effort, reasoning.visible),
        (Some(Effort::Medium), Some(true))
    );
    assert_eq!(request.tool_choice, Some(ToolChoice::Auto));
    assert!(request.stream && request.parallel_tool_calls == Some(true));
    assert_eq!(request.cache_key.as_deref(), Some("01a2244b"));
    assert_eq!(request.unknown, ["client_metadata"]);
    assert_eq!(losses.into_dropped(), ["tools", "input.phase"]);
}

#[test]
fn a_text_is_a_message_and_instructions_come_first() {
    let body = r#"{"model":"m","instructions":"be brief","input":"hi","temperature":0.70,"top_p":1,"max_output_tokens":20,
        "user":"u","safety_identifier":"s","metadata":{"a":"b"},"service_tier":"flex","store":true,
        "truncation":"disabled","stream_options":{"include_obfuscation":false}}"#;
    let mut losses = losses();
    let request = read_request(body, &mut losses).unwrap();
    let [system, user] = request.messages.as_slice() else {
        panic!("{:?}", request.messages)
    };
    assert_eq!((system.role, user.role), (Role::System, Role::User));
    assert_eq!(request.temperature.unwrap().as_str(), "0.70");
    assert_eq!(
        (request.max_output_tokens, request.user.as_deref()),
        (Some(20), Some("s"))
    );
    assert_eq!(request.metadata.unwrap().get(), r#"{"a":"b"}"#);
    assert_eq!(request.service_tier.as_deref(), Some("flex"));
    assert!(request.unknown.is_empty());
    assert_eq!(losses.into_dropped(), ["user"], "the other name goes in its place");
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
        (r#""user":null,"safety_identifier":null"#, vec![]),
    ] {
        let mut losses = losses();
        let body = format!(r#"{{"model":"m","input":"x",{members}}}"#);
        let request = read_request(&body, &mut losses).unwrap();
        // As a writer does whose dialect has no place for it.
        if request.user.is_some() {
            losses.drop(Feature::User);
        }
        assert_eq!(losses.into_dropped(), told, "{members}");
    }
}

#[test]
fn formats_are_read_with_their_schema_as_it_stands() {
    let body = r#"{"model":"m","input":"x","text":{"verbosity":"low","format":{"type":"json_schema","name":"n",
        "description":"d","strict":true,"schema":{"type": "object"}}}}"#;
    let request = read_request(body, &mut losses()).unwrap();
    let Some(Format::JsonSchema(schema)) = &request.format else {
        panic!("{:?}", request.format)
    };
    assert_eq!((schema.name.as_deref(), schema.strict), (Some("n"), Some(true)));
    assert_eq!(schema.schema.get(), r#"{"type": "object"}"#);
    assert_eq!(request.verbosity.as_deref(), Some("low"));
    let format = |format: &str| {
        let body = format!(r#"{{"model":"m","input":"x","text":{{"format":{format}}}}}"#);
        read_request(&body, &mut losses()).map(|request| request.format.is_some())
    };
    assert!(!format(r#"{"type":"text"}"#).unwrap());
    assert!(format(r#"{"type":"json_object"}"#).unwrap());
    for (bad, param) in [
        (r#"{"type":"xml"}"#, "text.format.type"),
        (r#"{}"#, "text.format.type"),
        (r#"{"type":"json_schema","name":"n"}"#, "text.format.schema"),
        ("[]", "text.format"),
    ] {
        assert_eq!(format(bad).unwrap_err().param.as_deref(), Some(param), "{bad}");
    }
}

#[test]
fn a_configuration_update_holds_for_what_is_asked() {
    let body = r#"{"model":"m","reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"json_object"}},"input":[
        {"type":"configuration_update","reasoning":{"effort":"medium"}},
        {"role":"user","content":"hi"},
        {"type":"configuration_update","id":"cu_1","reasoning":{"effort":"high"},"text":{"format":{"type":"text"}}}]}"#;
    let mut losses = losses();
    let request = read_request(body, &mut losses).unwrap();
    let reasoning = request.reasoning.unwrap();
    assert_eq!((reasoning.effort, reasoning.visible), (Some(Effort::High), Some(true)));
    assert!(request.format.is_none() && losses.into_dropped().is_empty());
}

#[test]
fn what_is_harmless_is_left_out_and_told() {
    for (member, told) in [
        (r#""truncation":"auto""#, "truncation"),
        (r#""max_tool_calls":3"#, "max_tool_calls"),
        (r#""include":["web_search_call.action.sources"]"#, "include"),
        (r#""reasoning":{"context":"all_turns"}"#, "reasoning.context"),
        (r#""tools":[{"type":"web_search_preview"}]"#, "tools"),
        (r#""tools":[{"type":"image_generation"}]"#, "tools"),
    ] {
        assert_eq!(
            dropped(&format!(r#"{{"model":"m","input":"x",{member}}}"#)),
            [told],
            "{member}"
        );
    }
    let quiet =
        r#"{"model":"m","input":"x","include":["reasoning.encrypted_content"],"truncation":null,"top_logprobs":0}"#;
    assert!(dropped(quiet).is_empty());
}

#[test]
fn probabilities_are_asked_for_by_either_member() {
    let logprobs = |members: &str| {
        let body = format!(r#"{{"model":"m","input":"x",{members}}}"#);
        read_request(&body, &mut losses()).unwrap().logprobs
    };
    assert_eq!(logprobs(r#""top_logprobs":3"#), Some(3));
    assert_eq!(logprobs(r#""include":["message.output_text.logprobs"]"#), Some(0));
    assert_eq!(
        logprobs(r#""top_logprobs":5,"include":["message.output_text.logprobs"]"#),
        Some(5)
    );
    assert_eq!(logprobs(r#""top_logprobs":0"#), None);
}

#[test]
fn probabilities_are_refused_by_the_member_that_asked_for_them() {
    for (members, param) in [
        (r#""include":["message.output_text.logprobs"]"#, "include"),
        (
            r#""top_logprobs":0,"include":["message.output_text.logprobs"]"#,
            "include",
        ),
        (
            r#""top_logprobs":2,"include":["message.output_text.logprobs"]"#,
            "top_logprobs",
        ),
        (r#""top_logprobs":2"#, "top_logprobs"),
    ] {
        let mut losses = losses();
        let body = format!(r#"{{"model":"m","input":"x",{members}}}"#);
        read_request(&body, &mut losses).unwrap();
        let refusal = losses.refuse(Feature::Logprobs);
        assert_eq!(refusal.param.as_deref(), Some(param), "{members}");
    }
}

#[test]
fn what_is_asked_of_a_stream_is_told_where_it_is_not_so_anyway() {
    for (options, told) in [
        (r#"{"include_obfuscation":false}"#, vec![]),
        (
            r#"{"include_obfuscation":true}"#,
            vec!["stream_options.include_obfuscation"],
        ),
        (r#"{"x":1}"#, vec!["stream_options.x"]),
        ("null", vec![]),
    ] {
        let body = format!(r#"{{"model":"m","input":"x","stream":true,"stream_options":{options}}}"#);
        assert_eq!(dropped(&body), told, "{options}");
    }
}

#[test]
fn a_request_that_is_to_be_answered_with_nothing_is_refused_by_name() {
    let body = |options: &str| format!(r#"{{"model":"m","input":"x","prompt_cache_options":{options}}}"#);
    let error = refused(&body(r#"{"prewarm":true}"#));
    assert_eq!(error.param.as_deref(), Some("prompt_cache_options.prewarm"));
    assert_eq!(
        dropped(&body(r#"{"prewarm":false,"mode":"explicit"}"#)),
        ["prompt_cache_options"]
    );
}

#[test]
fn tools_that_the_client_runs_are_not_said_to_be_the_providers() {
    for member in [
        r#""tools":[{"type":"local_shell"}]"#,
        r#""tools":[{"type":"shell"}]"#,
        r#""tools":[{"type":"apply_patch"}]"#,
        r#""tools":[{"type":"computer_use_preview"}]"#,
        r#""tool_choice":{"type":"apply_patch"}"#,
    ] {
        let error = refused(&format!(r#"{{"model":"m","input":"x",{member}}}"#));
        assert!(
            error.message.contains("known only to OpenAI's models"),
            "{}",
            error.message
        );
    }
    for kind in [
        "local_shell_call",
        "shell_call_output",
        "apply_patch_call",
        "computer_call",
    ] {
        let error = refused(&format!(
            r#"{{"model":"m","input":[{{"type":"{kind}","call_id":"c"}}]}}"#
        ));
        assert!(error.message.contains("this kind of content"), "{}", error.message);
    }
    let error = refused(r#"{"model":"m","input":"x","tools":[{"type":"mcp"}]}"#);
    assert!(error.message.contains("runs itself"), "{}", error.message);
}

#[test]
fn what_cannot_be_carried_is_refused_by_name() {
    for (member, param) in [
        (r#""background":true"#, "background"),
        (r#""conversation":{"id":"c"}"#, "conversation"),
        (r#""prompt":{"id":"p"}"#, "prompt"),
        (r#""previous_response_id":"resp_1""#, "previous_response_id"),
        (r#""tools":[{"type":"mcp","server_label":"x"}]"#, "tools[0]"),
        (r#""tools":[{"type":"local_shell"}]"#, "tools[0]"),
        (
            r#""tools":[{"type":"file_search","vector_store_ids":["v"]}]"#,
            "tools[0]",
        ),
        (r#""tool_choice":{"type":"web_search_preview"}"#, "tool_choice"),
        (r#""reasoning":{"effort":"huge"}"#, "reasoning.effort"),
        (r#""reasoning":7"#, "reasoning"),
        (r#""temperature":"hot""#, "temperature"),
        (r#""stream":1"#, "stream"),
        (r#""metadata":[]"#, "metadata"),
        (r#""instructions":["x"]"#, "instructions"),
        (r#""include":"x""#, "include"),
        (r#""top_logprobs":-1"#, "top_logprobs"),
    ] {
        let error = refused(&format!(r#"{{"model":"m","input":"x",{member}}}"#));
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{member}");
        assert_eq!(error.param.as_deref(), Some(param), "{member}");
    }
    for body in [
        r#"{"model":"m"}"#,
        r#"{"model":"m","input":[]}"#,
        r#"{"model":"m","input":null}"#,
    ] {
        assert_eq!(refused(body).param.as_deref(), Some("input"), "{body}");
    }
}

#[test]
fn without_tools_their_settings_say_nothing() {
    let body =
        r#"{"model":"m","input":"x","tools":[{"type":"web_search"}],"tool_choice":"auto","parallel_tool_calls":true}"#;
    let request = read_request(body, &mut losses()).unwrap();
    assert!(request.tools.is_empty() && request.tool_choice.is_none() && request.parallel_tool_calls.is_none());
    let forced = body.replace("\"auto\"", "\"required\"");
    assert_eq!(refused(&forced).param.as_deref(), Some("tool_choice"));
}

/// A request that uses all that goes through unharmed.
const RICH: &str = r#"{"model":"m","instructions":"be brief","max_output_tokens":200,"temperature":0.70,"top_p":0.9,
    "parallel_tool_calls":false,"tool_choice":{"type":"function","name":"look"},"prompt_cache_key":"k",
    "safety_identifier":"u","metadata":{"a":"b"},"service_tier":"flex","stream":true,
    "reasoning":{"effort":"high","summary":"auto"},
    "text":{"verbosity":"high","format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
    "tools":[{"type":"function","name":"look","description":"Looks.","parameters":{"type":"object"},"strict":true},
     {"type":"custom","name":"sql","format":{"type":"grammar","syntax":"lark","definition":"start: X"}}],
    "input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"dev"}]},
     {"type":"message","role":"user","content":[{"type":"input_text","text":"see"},
      {"type":"input_image","image_url":"data:image/png;base64,iVBO","detail":"high"},
      {"type":"input_image","image_url":"https://x.test/a.png"},
      {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}]},
     {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA="},
     {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},
     {"type":"function_call","call_id":"c1","name":"look","arguments":"{\"a\":1}"},
     {"type":"custom_tool_call","call_id":"c2","name":"sql","input":"SELECT 1"},
     {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"seen"},
      {"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},
     {"type":"custom_tool_call_output","call_id":"c2","output":"1"},
     {"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"no"}]},
     {"type":"message","role":"user","content":[{"type":"input_text","text":"why?"}]}]}"#;

/// Reads a body and writes it for a provider of the same dialect.
fn there(body: &str) -> Value {
    let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiResponses);
    let request = read_request(body, &mut losses).unwrap();
    let written = write_request(&request, &model("m"), &mut losses).unwrap();
    assert_eq!(losses.into_dropped(), Vec::<String>::new());
    serde_json::from_slice(&written).unwrap()
}

#[test]
fn there_and_back_keeps_the_meaning() {
    let once = there(RICH);
    let mut expected: Value = serde_json::from_str(RICH).unwrap();
    expected["store"] = json!(false);
    expected["include"] = json!(["reasoning.encrypted_content"]);
    assert_eq!(once, expected);
    assert_eq!(there(&once.to_string()), once);
}

#[test]
fn what_codex_sends_survives_there_and_back() {
    let mut losses = Losses::new(Dialect::OpenaiResponses, Dialect::OpenaiResponses);
    let request = read_request(CODEX, &mut losses).unwrap();
    let written = write_request(&request, &model("m"), &mut losses).unwrap();
    let written = String::from_utf8(written).unwrap();
    let again = read_request(&written, &mut losses).unwrap();
    assert_eq!(again.messages.len(), request.messages.len());
    let names = |request: &Request<'_>| -> Vec<String> {
        request.tools.iter().map(|tool| tool.name.flat().into_owned()).collect()
    };
    assert_eq!(names(&again), names(&request));
    // Names are flat by then, and what they stood for is known to the answer.
    assert!(again.tools.iter().all(|tool| tool.name.namespace.is_none()));
    let known = crate::dialects::neutral::ToolNames::of(&request.tools);
    let (name, is_custom) = known.original("mcp__files__write");
    let expected = ToolName {
        namespace: Some("mcp__files".into()),
        name: "write".into(),
    };
    assert_eq!((name, is_custom), (expected, false));
}
