use gateway_actors::protocol::TokenUsage;
use serde_json::{Value, json};

use super::*;
use crate::dialects::neutral::{Opaque, OpaqueKind, Tool, ToolKind, ToolNames};
use crate::dialects::openai_responses::check_stream;
use crate::dialects::openai_responses::grammar::tests::events;
use crate::dialects::openai_responses::samples::context;
use crate::dialects::sse::{EventText, Framing};

/// The names of a custom tool, of one in a namespace, and of the client's search for tools.
pub(in crate::dialects::openai_responses) fn names() -> ToolNames {
    let function = || ToolKind::Function {
        parameters: None,
        strict: None,
    };
    let tool = |name: ToolName<'static>, kind: ToolKind<'static>| Tool {
        name,
        description: None,
        kind,
        cache: None,
    };
    let in_group = ToolName {
        namespace: Some("mcp__x".into()),
        name: "get".into(),
    };
    ToolNames::of(&[
        tool(ToolName::plain("sql"), ToolKind::Custom { format: None }),
        tool(in_group, function()),
        tool(super::super::tool_search::NAME, function()),
    ])
}

/// The stream of these events.
fn rendered(said: impl IntoIterator<Item = Event<'static>>) -> String {
    let mut writer = Writer::new(context(names()));
    let mut out = Vec::new();
    said.into_iter().for_each(|event| writer.write(event, &mut out));
    writer.end(&mut out);
    String::from_utf8(out).unwrap()
}

/// The types of a stream's events, without `response.`, and their data.
fn parsed(stream: &str) -> Vec<(String, Value)> {
    let read = |event: Vec<u8>| {
        let value: Value = serde_json::from_slice(&EventText::read(Framing::Events, &event).data).unwrap();
        let kind = value["type"].as_str().unwrap();
        (kind.strip_prefix("response.").unwrap_or(kind).to_owned(), value)
    };
    events(stream).into_iter().map(read).collect()
}

fn kinds(stream: &str) -> Vec<String> {
    parsed(stream).into_iter().map(|(kind, _)| kind).collect()
}

fn begin() -> Event<'static> {
    Event::Begin {
        id: "msg_1".into(),
        model: "claude".into(),
    }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text(text.into())
}

fn call(index: u32, name: &'static str) -> Event<'static> {
    Event::ToolCall {
        index,
        id: format!("c{index}").into(),
        name: name.into(),
    }
}

fn arguments(index: u32, json: &'static str) -> Event<'static> {
    Event::Arguments {
        index,
        json: json.into(),
    }
}

fn usage() -> Event<'static> {
    Event::Usage(UsageReport::Reported(TokenUsage {
        input: 3,
        output: 2,
        ..TokenUsage::default()
    }))
}

#[test]
fn a_text_is_told_as_the_reference_shows_it() {
    let stream = rendered([
        begin(),
        text("Hel"),
        text(""),
        text("lo"),
        Event::Finish(FinishReason::Stop),
        usage(),
    ]);
    check_stream(&stream).unwrap();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds(&stream), expected);
    let events = parsed(&stream);
    assert_eq!(
        events[4].1,
        json!({"type": "response.output_text.delta", "sequence_number": 4, "output_index": 0, "item_id": "msg_0123_0",
            "content_index": 0, "delta": "Hel", "logprobs": []})
    );
    assert_eq!(
        events[2].1["item"],
        json!({"type": "message", "id": "msg_0123_0", "status": "in_progress", "role": "assistant", "content": []})
    );
    let response = &events[9].1["response"];
    assert_eq!(
        (&response["id"], &response["model"]),
        (&json!("resp_0123"), &json!("claude"))
    );
    assert_eq!(
        (&response["status"], &response["instructions"]),
        (&json!("completed"), &json!("be brief"))
    );
    assert_eq!(response["usage"]["total_tokens"], 5);
    assert_eq!(events[0].1["response"]["usage"], Value::Null);
    assert!(stream.starts_with("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"));
}

#[test]
fn reasoning_is_a_summary_that_ends_with_its_state() {
    let state = |data: &'static str| {
        Event::Opaque(Opaque {
            kind: OpaqueKind::Signature,
            data: data.into(),
            origin: None,
        })
    };
    let stream = rendered([
        begin(),
        Event::Reasoning("I thi".into()),
        Event::Reasoning("nk.".into()),
        state("one"),
        state("two"),
        Event::Reasoning("More.".into()),
        text("Hi"),
        Event::Refusal("no".into()),
        Event::Finish(FinishReason::Refused),
    ]);
    check_stream(&stream).unwrap();
    let events = parsed(&stream);
    let output = events.last().unwrap().1["response"]["output"].as_array().unwrap();
    let kinds: Vec<&str> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "reasoning", "reasoning", "message"]);
    assert_eq!(
        output[0]["summary"],
        json!([{"type": "summary_text", "text": "I think."}])
    );
    let state_of = |at: usize| output[at]["encrypted_content"].as_str().unwrap_or_default();
    assert!(state_of(0).starts_with("gw1.s.") && state_of(0).ends_with(".one"));
    assert!(state_of(1).ends_with(".two") && output[1]["summary"] == json!([]));
    assert_eq!(state_of(2), "");
    assert_eq!(output[3]["content"].as_array().unwrap().len(), 2);
    // A refusal in words is a whole answer.
    assert_eq!(events.last().unwrap().0, "completed");
}

#[test]
fn calls_have_the_clients_names_and_custom_ones_a_plain_text() {
    let stream = rendered([
        begin(),
        call(0, "mcp__x__get"),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        call(1, "sql"),
        arguments(1, "{\"input\":\"SEL"),
        arguments(1, "ECT\\n\"}"),
        call(2, "tool_search__client"),
        arguments(2, "{\"query\":\n"),
        arguments(2, "\"x\"}"),
        call(3, "look"),
        Event::Finish(FinishReason::ToolCalls),
    ]);
    check_stream(&stream).unwrap();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds(&stream), expected);
    let events = parsed(&stream);
    assert_eq!(events[8].1["delta"], "SEL");
    assert_eq!(
        events[18].1["response"]["output"],
        json!([
            {"type": "function_call", "id": "fc_0123_0", "status": "completed", "call_id": "c0", "namespace": "mcp__x",
             "name": "get", "arguments": "{\"a\":1}"},
            {"type": "custom_tool_call", "id": "ctc_0123_1", "status": "completed", "call_id": "c1", "name": "sql",
             "input": "SELECT\n"},
            {"type": "tool_search_call", "id": "tsc_0123_2", "status": "completed", "call_id": "c2", "execution": "client",
             "arguments": {"query": "x"}},
            {"type": "function_call", "id": "fc_0123_3", "status": "completed", "call_id": "c3", "name": "look",
             "arguments": "{}"},
        ])
    );
}

#[test]
fn what_comes_while_a_call_is_open_waits_until_it_is_whole() {
    let mut writer = Writer::new(context(names()));
    let mut out = Vec::new();
    let mut kinds_after = |event: Event<'static>| {
        let before = out.len();
        writer.write(event, &mut out);
        kinds(std::str::from_utf8(&out[before..]).unwrap())
    };
    assert_eq!(kinds_after(begin()).len(), 2);
    assert_eq!(kinds_after(call(0, "a")), ["output_item.added"]);
    assert_eq!(
        kinds_after(arguments(0, "{\"x\":{}")),
        ["function_call_arguments.delta"]
    );
    assert!(kinds_after(call(1, "b")).is_empty());
    assert!(kinds_after(arguments(1, "{}")).is_empty());
    assert!(kinds_after(text("then")).is_empty());
    assert!(kinds_after(arguments(7, "{}")).is_empty());
    let released = kinds_after(arguments(0, "}"));
    assert_eq!(
        released,
        [
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
        ]
    );
    assert_eq!(kinds_after(text(" more")), ["output_text.delta"]);
    writer.write(Event::Finish(FinishReason::ToolCalls), &mut out);
    writer.end(&mut out);
    check_stream(std::str::from_utf8(&out).unwrap()).unwrap();
}

#[test]
fn what_waits_for_a_call_that_is_never_whole_comes_at_the_end() {
    let stream = rendered([
        begin(),
        call(0, "a"),
        arguments(0, "{\"x\":"),
        call(1, "b"),
        text("then"),
        arguments(1, "{\"y\":1}"),
        Event::Finish(FinishReason::Length),
    ]);
    check_stream(&stream).unwrap();
    let events = parsed(&stream);
    let (kind, last) = events.last().unwrap();
    assert_eq!(kind, "incomplete");
    assert_eq!(
        last["response"]["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    let output = last["response"]["output"].as_array().unwrap();
    assert_eq!(
        (&output[0]["arguments"], &output[1]["arguments"]),
        (&json!("{\"x\":"), &json!("{\"y\":1}"))
    );
    let of_items: Vec<&str> = output.iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(of_items, ["completed", "completed", "incomplete"]);
}

#[test]
fn a_stream_ends_well_whatever_came() {
    for (said, end) in [
        (vec![], "failed"),
        (vec![begin(), text("x")], "failed"),
        (vec![begin(), Event::Finish(FinishReason::Stop)], "completed"),
        (vec![begin(), Event::Finish(FinishReason::StopText(None))], "completed"),
        (vec![begin(), Event::Finish(FinishReason::Refused)], "incomplete"),
        (vec![begin(), Event::Finish(FinishReason::Paused)], "incomplete"),
        (vec![text("x"), begin(), Event::Finish(FinishReason::Stop)], "completed"),
    ] {
        let stream = rendered(said);
        check_stream(&stream).unwrap();
        let (kind, last) = parsed(&stream).pop().unwrap();
        assert_eq!(kind, end);
        assert_eq!(last["response"]["error"].is_null(), end != "failed");
    }
}

#[test]
fn nothing_comes_after_the_end() {
    let mut writer = Writer::new(context(names()));
    let mut out = Vec::new();
    writer.end(&mut out);
    let length = out.len();
    writer.write(text("x"), &mut out);
    writer.end(&mut out);
    assert_eq!(out.len(), length);
}

#[test]
fn a_stream_that_is_cut_at_an_event_is_not_over() {
    let stream = rendered([
        begin(),
        Event::Reasoning("hm".into()),
        text("Hi"),
        call(0, "sql"),
        arguments(0, "{\"input\":\"x\"}"),
        Event::Finish(FinishReason::ToolCalls),
    ]);
    let all = events(&stream);
    for length in 0..all.len() {
        let cut = String::from_utf8(all[..length].concat()).unwrap();
        assert_eq!(check_stream(&cut), Err("the stream is not over".to_owned()), "{length}");
    }
    check_stream(&stream).unwrap();
}
