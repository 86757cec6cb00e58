use serde_json::json;

use super::*;
use crate::dialects::neutral::{CacheMark, Request, Source};
use crate::dialects::openai_responses::read_request;
use crate::dialects::openai_responses::samples::losses;

fn body(items: &serde_json::Value) -> String {
    json!({"model": "m", "input": items}).to_string()
}

/// Reads items, and gives what they became to a check.
fn with(items: serde_json::Value, check: impl FnOnce(Request<'_>, Vec<String>)) {
    let body = body(&items);
    let mut losses = losses();
    let request = read_request(&body, &mut losses).unwrap();
    let dropped = losses.into_dropped().into_iter().map(String::from).collect();
    check(request, dropped);
}

fn refused(items: serde_json::Value) -> GatewayError {
    read_request(&body(&items), &mut losses()).unwrap_err()
}

#[test]
fn messages_have_an_easy_form_and_a_full_one() {
    let items = json!([
        {"role": "system", "content": "a"},
        {"type": "message", "role": "user", "status": "completed", "id": "msg_1", "content": [{"type": "input_text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "d", "annotations": [], "logprobs": []}, {"type": "refusal", "refusal": "e"}]},
        {"role": "user", "content": ""},
    ]);
    with(items, |request, dropped| {
        let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
        // Two messages of the model's stay two, and a message of nothing is none.
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Assistant]);
        assert_eq!(request.messages[3].parts.len(), 2);
        assert!(dropped.is_empty());
    });
}

#[test]
fn what_was_cited_and_how_likely_it_was_is_left_out_and_told_where_there_is_any() {
    let cited = json!([{"type": "url_citation", "url": "https://x.test/", "start_index": 0, "end_index": 1}]);
    let likely = json!([{"token": "a", "bytes": [97], "logprob": -0.1, "top_logprobs": []}]);
    for (name, some, told) in [
        ("annotations", cited, "input.annotations"),
        ("logprobs", likely, "input.logprobs"),
    ] {
        for (value, expected) in [(some, &[told][..]), (json!([]), &[]), (json!(null), &[])] {
            let part = json!({"type": "output_text", "text": "a", name: value});
            with(json!([{"role": "assistant", "content": [part]}]), |request, dropped| {
                assert!(matches!(&request.messages[0].parts[0].kind, PartKind::Text(text) if text == "a"));
                assert_eq!(dropped, expected);
            });
        }
    }
}

#[test]
fn images_and_files_are_data_or_at_an_address() {
    let items = json!([{"role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low", "file_id": null},
        {"type": "input_image", "image_url": "https://x.test/a.png"},
        {"type": "input_file", "file_data": "data:text/plain;charset=utf-8;base64,aGk=", "filename": "a.txt"},
        {"type": "input_file", "file_data": "JVBE"},
        {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        {"type": "input_text", "text": "y", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ]}]);
    with(items, |request, dropped| {
        let parts = &request.messages[0].parts;
        let source = |at: usize| match &parts[at].kind {
            PartKind::Image(image) => &image.source,
            PartKind::Document(document) => &document.source,
            other => panic!("{other:?}"),
        };
        let data = |at: usize| match source(at) {
            Source::Data { media_type, base64 } => (media_type.to_string(), base64.to_string()),
            Source::Url(url) => ("url".to_owned(), url.to_string()),
        };
        assert_eq!(data(0), ("image/png".into(), "iVBO".into()));
        assert_eq!(data(1), ("url".into(), "https://x.test/a.png".into()));
        assert_eq!(data(2), ("text/plain".into(), "aGk=".into()));
        assert_eq!(data(3), ("application/pdf".into(), "JVBE".into()));
        assert_eq!(data(4), ("url".into(), "https://x.test/a.pdf".into()));
        assert_eq!(parts[5].cache, Some(CacheMark::OneHour));
        assert_eq!(parts[6].cache, Some(CacheMark::Default));
        assert!(dropped.is_empty());
    });
}

#[test]
fn results_stand_together_and_apart_from_what_the_user_says() {
    let items = json!([
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}", "caller": {"type": "direct"}},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": ""},
        {"type": "function_call_output", "call_id": "a", "output": "1", "name": "f"},
        {"type": "function_call_output", "call_id": "b", "output": ""},
        {"role": "user", "content": "go on"},
    ]);
    with(items, |request, dropped| {
        let sizes: Vec<usize> = request.messages.iter().map(|message| message.parts.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert!(
            matches!(&request.messages[1].parts[1].kind, PartKind::ToolResult(result) if result.content.is_empty())
        );
        assert!(dropped.is_empty());
    });
}

#[test]
fn a_cache_mark_within_a_result_is_the_results() {
    let items = json!([
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]},
    ]);
    with(items, |request, dropped| {
        assert_eq!(request.messages[1].parts[0].cache, Some(CacheMark::OneHour));
        assert!(dropped.is_empty());
    });
}

#[test]
fn reasoning_is_its_words_or_a_summary_and_state_of_others_keeps_its_mark() {
    let items = json!([
        {"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "s"}],
         "content": [{"type": "reasoning_text", "text": "w"}], "encrypted_content": ""},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gw1.s.0000000000000001.sig"},
        {"type": "reasoning", "id": "rs_4", "summary": []},
    ]);
    with(items, |request, _| {
        let thoughts: Vec<(String, Option<(OpaqueKind, String)>)> = request.messages[1]
            .parts
            .iter()
            .map(|part| match &part.kind {
                PartKind::Reasoning { text, opaque } => (
                    text.to_string(),
                    opaque.as_ref().map(|opaque| (opaque.kind, opaque.data.to_string())),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        let signature = Some((OpaqueKind::Signature, "sig".to_owned()));
        assert_eq!(
            thoughts,
            [("a\n\nb".into(), None), ("w".into(), None), (String::new(), signature)]
        );
    });
}

#[test]
fn searches_that_are_over_are_left_out_and_what_they_found_is_offered() {
    let items = json!([
        {"role": "user", "content": "x"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "tool_search_call", "id": "tsc_1", "execution": "server", "call_id": null, "arguments": {}, "status": "completed"},
        {"type": "tool_search_output", "id": "tso_1", "execution": "server", "call_id": null, "status": "completed",
         "tools": [{"type": "function", "name": "found", "parameters": {}}]},
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "more", "parameters": {}}]},
    ]);
    with(items, |request, dropped| {
        assert_eq!(request.messages.len(), 1);
        let names: Vec<&str> = request.tools.iter().map(|tool| &*tool.name.name).collect();
        assert_eq!(names, ["found", "more"]);
        assert_eq!(dropped, ["tools"]);
    });
}

#[test]
fn what_cannot_be_carried_is_refused_with_its_place() {
    let part = |part: serde_json::Value| json!([{"role": "user", "content": [part]}]);
    for (items, param) in [
        (json!([{"id": "msg_1"}]), "input[0]"),
        (json!([{"type": "item_reference", "id": "msg_1"}]), "input[0]"),
        (json!([{"type": "compaction", "encrypted_content": "x"}]), "input[0]"),
        (json!([{"type": "compaction_trigger"}]), "input[0]"),
        (json!([{"type": "mcp_call", "id": "x"}]), "input[0]"),
        (json!([{"type": "mcp_list_tools"}]), "input[0]"),
        (json!([{"type": "local_shell_call"}]), "input[0]"),
        (json!([{"type": "local_shell_call_output"}]), "input[0]"),
        (json!([{"type": "computer_call_output"}]), "input[0]"),
        (json!([{"type": "image_generation_call"}]), "input[0]"),
        (json!([{"type": "code_interpreter_call"}]), "input[0]"),
        (json!([{"type": "program"}]), "input[0]"),
        (json!([{"type": "never_heard_of"}]), "input[0]"),
        (
            part(json!({"type": "input_image", "file_id": "file_1"})),
            "input[0].content[0].file_id",
        ),
        (
            part(json!({"type": "input_file", "file_id": "file_1"})),
            "input[0].content[0].file_id",
        ),
        (
            part(json!({"type": "input_audio", "input_audio": {}})),
            "input[0].content[0]",
        ),
        (part(json!({"type": "input_video"})), "input[0].content[0]"),
        (part(json!({"type": "input_image"})), "input[0].content[0].image_url"),
        (part(json!({"type": "input_file"})), "input[0].content[0].file_data"),
        (
            part(json!({"type": "input_image", "image_url": "data:,x"})),
            "input[0].content[0].image_url",
        ),
        (
            part(json!({"type": "input_image", "image_url": {"url": "x"}})),
            "input[0].content[0].image_url",
        ),
        (part(json!({"type": "input_text"})), "input[0].content[0].text"),
        (part(json!({"text": "x"})), "input[0].content[0].type"),
        (json!([{"role": "user"}]), "input[0].content"),
        (json!([{"role": "user", "content": 5}]), "input[0].content"),
        (json!([{"role": "robot", "content": "x"}]), "input[0].role"),
        (json!([{"type": "message", "content": "x"}]), "input[0].role"),
        (
            json!([{"type": "function_call", "name": "f", "arguments": "{}"}]),
            "input[0].call_id",
        ),
        (
            json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]),
            "input[0].arguments",
        ),
        (
            json!([{"type": "custom_tool_call", "call_id": "c", "name": "f"}]),
            "input[0].input",
        ),
        (
            json!([{"type": "function_call_output", "output": "x"}]),
            "input[0].call_id",
        ),
        (
            json!([{"type": "function_call_output", "call_id": "c"}]),
            "input[0].output",
        ),
        (
            json!([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "", "caller": {"type": "program", "caller_id": "p"}}]),
            "input[0].caller",
        ),
        (json!([{"type": "reasoning", "summary": "x"}]), "input[0].summary"),
        (json!([{"type": "additional_tools"}]), "input[0].tools"),
        (
            json!([{"type": "configuration_update", "reasoning": {"effort": "x"}}]),
            "input[0].reasoning.effort",
        ),
        (json!([7]), "input[0]"),
        (json!({"role": "user"}), "input"),
    ] {
        let error = refused(items.clone());
        assert_eq!(error.param.as_deref(), Some(param), "{items}: {error}");
    }
}

#[test]
fn members_that_nobody_knows_are_told() {
    let items = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "x", "odd": 1}], "phase": "final_answer", "even": null},
        {"type": "function_call_output", "call_id": "c", "output": "x", "mood": "good"},
    ]);
    with(items, |_, dropped| {
        assert_eq!(dropped, ["input.content.odd", "input.phase", "input.mood"]);
    });
}
