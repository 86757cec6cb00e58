use serde_json::{Value, json};

use super::*;
use crate::dialects::openai_responses::read_request;
use crate::dialects::openai_responses::samples::losses;

/// Reads a request with these tools and this choice, and gives what they became to a check.
fn with(tools: Value, choice: Value, check: impl FnOnce(&[Tool<'_>], Option<&ToolChoice<'_>>, Vec<String>)) {
    let body = json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice}).to_string();
    let mut losses = losses();
    let request = read_request(&body, &mut losses).unwrap();
    let dropped = losses.into_dropped().into_iter().map(String::from).collect();
    check(&request.tools, request.tool_choice.as_ref(), dropped);
}

fn refused(tools: Value, choice: Value) -> Option<String> {
    let body = json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice}).to_string();
    let error = read_request(&body, &mut losses()).unwrap_err();
    error.param.map(String::from)
}

fn strict_of(tool: Value) -> Option<bool> {
    let mut found = None;
    with(json!([tool]), Value::Null, |tools, _, _| {
        let ToolKind::Function { strict, .. } = tools[0].kind else {
            panic!("{tools:?}")
        };
        found = strict;
    });
    found
}

#[test]
fn a_function_is_strict_unless_it_says_no_as_far_as_its_schema_allows() {
    let closed = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let tool = |schema: &Value, strict: Value| json!({"type": "function", "name": "f", "parameters": schema, "strict": strict});
    assert_eq!(strict_of(tool(&closed, Value::Null)), Some(true));
    assert_eq!(strict_of(tool(&closed, json!(false))), Some(false));
    assert_eq!(strict_of(tool(&json!({"type": "object"}), Value::Null)), None);
    assert_eq!(strict_of(tool(&json!({"type": "object"}), json!(true))), Some(true));
    assert_eq!(strict_of(json!({"type": "function", "name": "f"})), None);
}

#[test]
fn a_namespace_is_in_the_names_of_its_tools_and_told_once() {
    let tools = json!([
        {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [
            {"type": "function", "name": "get", "description": "Gets.", "parameters": {}, "strict": false},
            {"type": "custom", "name": "note"}]},
        {"type": "namespace", "name": "mcp__x", "description": "Tools in the mcp__x namespace.", "tools": [
            {"type": "function", "name": "get", "parameters": {}, "defer_loading": true}]},
    ]);
    with(tools, Value::Null, |tools, _, dropped| {
        let names: Vec<_> = tools.iter().map(|tool| tool.name.flat().into_owned()).collect();
        assert_eq!(names, ["crm__get", "crm__note", "mcp__x__get"]);
        let descriptions: Vec<_> = tools.iter().map(|tool| tool.description.as_deref()).collect();
        let first = Some("Gets.\n\nAbout all tools of crm: Customers.");
        assert_eq!(descriptions, [first, None, None]);
        assert!(matches!(tools[1].kind, ToolKind::Custom { format: None }));
        assert_eq!(
            dropped,
            ["tools.defer_loading"],
            "all tools are offered from the beginning"
        );
    });
}

#[test]
fn a_choice_names_a_tool_with_or_without_its_namespace() {
    let tools = || {
        json!([
            {"type": "function", "name": "look", "parameters": {}},
            {"type": "namespace", "name": "crm", "description": "", "tools": [{"type": "custom", "name": "note"}]},
        ])
    };
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (
            json!({"type": "function", "name": "look"}),
            ToolChoice::Named(ToolName::plain("look")),
        ),
        (
            json!({"type": "custom", "name": "note"}),
            ToolChoice::Named(ToolName {
                namespace: Some("crm".into()),
                name: "note".into(),
            }),
        ),
        (
            json!({"type": "function", "name": "made_up"}),
            ToolChoice::Named(ToolName::plain("made_up")),
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [
                {"type": "function", "name": "look"}, {"type": "custom", "name": "note"}]}),
            ToolChoice::Required,
        ),
    ] {
        with(tools(), choice, |_, found, _| assert_eq!(found, Some(&expected)));
    }
    for (choice, param) in [
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "made_up"}]}),
            "tool_choice.tools",
        ),
        (json!({"type": "allowed_tools", "mode": "auto"}), "tool_choice.tools"),
        (json!({"type": "mcp", "server_label": "x"}), "tool_choice"),
        (json!({"type": "function"}), "tool_choice.name"),
        (json!("any"), "tool_choice"),
        (json!(5), "tool_choice"),
    ] {
        assert_eq!(refused(tools(), choice.clone()).as_deref(), Some(param), "{choice}");
    }
}

#[test]
fn of_tools_only_those_are_offered_that_are_allowed() {
    let choice = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]});
    let tools = json!([
        {"type": "function", "name": "look", "parameters": {}},
        {"type": "namespace", "name": "crm", "description": "", "tools": [{"type": "custom", "name": "note"}]},
    ]);
    with(tools, choice, |tools, found, dropped| {
        let names: Vec<_> = tools.iter().map(|tool| tool.name.flat()).collect();
        assert_eq!(names, ["look"]);
        assert_eq!((found, dropped.len()), (Some(&ToolChoice::Auto), 0));
    });
}

#[test]
fn a_search_is_allowed_by_its_type_and_a_name_in_two_groups_means_both() {
    let choice = json!({"type": "allowed_tools", "mode": "auto", "tools": [
        {"type": "tool_search"}, {"type": "function", "name": "note"}]});
    let group = |name: &str| {
        json!({"type": "namespace", "name": name, "description": "", "tools": [
        {"type": "custom", "name": "note"}, {"type": "custom", "name": "other"}]})
    };
    let tools = json!([{"type": "tool_search", "execution": "client"}, group("crm"), group("erp")]);
    with(tools, choice, |tools, _, _| {
        let names: Vec<_> = tools.iter().map(|tool| tool.name.flat()).collect();
        assert_eq!(names, ["tool_search__client", "crm__note", "erp__note"]);
    });
}

#[test]
fn what_a_tool_asks_beyond_its_call_is_told() {
    let tools = json!([{"type": "function", "name": "f", "parameters": {}, "async": true, "output_schema": {},
        "allowed_callers": ["programmatic"], "defer_loading": false}]);
    with(tools, Value::Null, |_, _, dropped| {
        assert_eq!(dropped, ["tools.allowed_callers", "tools.async", "tools.output_schema"]);
    });
    let usual = json!([{"type": "function", "name": "f", "parameters": {}, "async": false, "allowed_callers": ["direct"]},
        {"type": "tool_search"}]);
    with(usual, Value::Null, |tools, _, dropped| {
        assert_eq!((tools.len(), dropped), (1, vec!["tools".to_owned()]));
    });
}

#[test]
fn tools_that_cannot_be_are_named_by_their_place() {
    let inner = |tool: Value| json!([{"type": "namespace", "name": "n", "description": "d", "tools": [tool]}]);
    for (tools, param) in [
        (json!({}), "tools"),
        (json!([5]), "tools[0]"),
        (json!([{"name": "f"}]), "tools[0].type"),
        (json!([{"type": "function"}]), "tools[0].name"),
        (
            json!([{"type": "function", "name": "f", "parameters": "x"}]),
            "tools[0].parameters",
        ),
        (
            json!([{"type": "function", "name": "f", "strict": "x"}]),
            "tools[0].strict",
        ),
        (
            json!([{"type": "custom", "name": "f", "format": "x"}]),
            "tools[0].format",
        ),
        (json!([{"type": "namespace", "name": "n"}]), "tools[0].tools"),
        (inner(json!({"type": "function"})), "tools[0].tools[0].name"),
        (
            inner(json!({"type": "namespace", "name": "x", "tools": []})),
            "tools[0].tools[0]",
        ),
        (json!([{"type": "shell"}]), "tools[0]"),
        (json!([{"type": "apply_patch"}]), "tools[0]"),
        (json!([{"type": "programmatic_tool_calling"}]), "tools[0]"),
    ] {
        assert_eq!(refused(tools.clone(), Value::Null).as_deref(), Some(param), "{tools}");
    }
}

#[test]
fn names_that_become_one_are_refused_and_the_same_tool_counts_once() {
    let both = json!([
        {"type": "function", "name": "a__b", "parameters": {}},
        {"type": "namespace", "name": "a", "description": "", "tools": [{"type": "function", "name": "b", "parameters": {}}]},
    ]);
    assert_eq!(refused(both, Value::Null).as_deref(), Some("tools"));
    let again = json!([
        {"type": "function", "name": "a", "description": "old", "parameters": {}},
        {"type": "function", "name": "a", "description": "new", "parameters": {}},
    ]);
    with(again, Value::Null, |tools, _, _| {
        assert_eq!((tools.len(), tools[0].description.as_deref()), (1, Some("new")));
    });
}
