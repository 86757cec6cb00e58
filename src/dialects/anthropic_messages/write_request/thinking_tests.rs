use std::borrow::Cow;

use serde_json::{Value, json};

use super::super::super::testing::{BY_BUDGET, BY_EFFORT, asking, call, hello, result, said, thought, tool, write};
use super::*;
use crate::dialects::neutral::{Message, PartKind, Role, ToolChoice};

fn reasoning(effort: Option<Effort>, budget_tokens: Option<u32>, visible: Option<bool>) -> Option<Reasoning> {
    Some(Reasoning {
        effort,
        budget_tokens,
        visible,
    })
}

/// What is written of thinking and effort, and what is told.
fn thinking_of(request: &Request<'_>, api_model: &str) -> (Value, Value, Vec<Cow<'static, str>>) {
    let (body, lost) = write(request, api_model).unwrap();
    (body["thinking"].clone(), body["output_config"]["effort"].clone(), lost)
}

#[test]
fn a_model_is_asked_to_think_in_the_way_that_it_takes() {
    let adaptive = |display: &str| json!({"type": "adaptive", "display": display});
    let enabled = |budget: u32| json!({"type": "enabled", "budget_tokens": budget});
    for (asked, max_tokens, api_model, thinking, effort, lost) in [
        (None, 64_000, BY_EFFORT, Value::Null, Value::Null, ""),
        (
            reasoning(Some(Effort::Minimal), None, None),
            64_000,
            BY_EFFORT,
            json!({"type": "adaptive"}),
            json!("low"),
            "reasoning_effort",
        ),
        (
            reasoning(Some(Effort::Max), None, Some(true)),
            64_000,
            BY_EFFORT,
            adaptive("summarized"),
            json!("max"),
            "",
        ),
        (
            reasoning(Some(Effort::ExtraHigh), None, None),
            64_000,
            BY_EFFORT,
            json!({"type": "adaptive"}),
            json!("xhigh"),
            "",
        ),
        // Of these words this model has the dearer alone.
        (
            reasoning(Some(Effort::ExtraHigh), None, None),
            64_000,
            "claude-sonnet-4-6",
            json!({"type": "adaptive"}),
            json!("high"),
            "reasoning_effort",
        ),
        (
            reasoning(Some(Effort::Max), None, None),
            64_000,
            "claude-sonnet-4-6",
            json!({"type": "adaptive"}),
            json!("max"),
            "",
        ),
        (
            reasoning(None, Some(5_000), Some(false)),
            64_000,
            BY_EFFORT,
            adaptive("omitted"),
            json!("medium"),
            "",
        ),
        (
            reasoning(None, None, Some(true)),
            64_000,
            BY_EFFORT,
            adaptive("summarized"),
            Value::Null,
            "",
        ),
        (
            reasoning(None, None, Some(false)),
            64_000,
            BY_EFFORT,
            Value::Null,
            Value::Null,
            "",
        ),
        (
            reasoning(Some(Effort::None), None, None),
            64_000,
            BY_EFFORT,
            json!({"type": "disabled"}),
            Value::Null,
            "",
        ),
        (
            reasoning(Some(Effort::None), None, None),
            64_000,
            "claude-fable-5",
            Value::Null,
            json!("low"),
            "reasoning_effort",
        ),
        (
            reasoning(Some(Effort::None), None, None),
            64_000,
            "claude-sonnet-5-5",
            json!({"type": "between_tools"}),
            Value::Null,
            "",
        ),
        (
            reasoning(Some(Effort::High), None, None),
            64_000,
            BY_BUDGET,
            enabled(16_384),
            Value::Null,
            "",
        ),
        // Half of the output is left for the answer, save where the caller counts for itself.
        (
            reasoning(Some(Effort::High), None, None),
            8_000,
            BY_BUDGET,
            enabled(4_000),
            Value::Null,
            "",
        ),
        (
            reasoning(Some(Effort::High), None, None),
            1_500,
            BY_BUDGET,
            enabled(1_024),
            Value::Null,
            "",
        ),
        (
            reasoning(None, Some(7_999), None),
            8_000,
            BY_BUDGET,
            enabled(7_999),
            Value::Null,
            "",
        ),
        (
            reasoning(None, Some(9_000), None),
            8_000,
            BY_BUDGET,
            enabled(7_999),
            Value::Null,
            "reasoning.max_tokens",
        ),
        (
            reasoning(None, Some(2_000), Some(false)),
            8_000,
            BY_BUDGET,
            json!({"type": "enabled", "budget_tokens": 2_000, "display": "omitted"}),
            Value::Null,
            "",
        ),
        (
            reasoning(None, Some(500), None),
            8_000,
            BY_BUDGET,
            enabled(1_024),
            Value::Null,
            "reasoning.max_tokens",
        ),
        (
            reasoning(None, Some(500), None),
            1_024,
            BY_BUDGET,
            Value::Null,
            Value::Null,
            "reasoning.max_tokens",
        ),
        (
            reasoning(Some(Effort::Low), None, None),
            1_024,
            BY_BUDGET,
            Value::Null,
            Value::Null,
            "reasoning_effort",
        ),
        (
            reasoning(None, None, Some(true)),
            100,
            BY_BUDGET,
            Value::Null,
            Value::Null,
            "include_reasoning",
        ),
    ] {
        let mut request = hello();
        request.reasoning = asked;
        request.max_output_tokens = Some(max_tokens);
        let lost: &[&str] = if lost.is_empty() { &[] } else { &[lost] };
        let (told_thinking, told_effort, told) = thinking_of(&request, api_model);
        assert_eq!(
            (told_thinking, told_effort),
            (thinking, effort),
            "{asked:?} {api_model}"
        );
        assert_eq!(told, lost, "{asked:?} {api_model}");
    }
}

#[test]
fn nobody_thinks_when_a_call_is_forced() {
    let mut request = hello();
    request.tools = vec![tool("t")];
    request.tool_choice = Some(ToolChoice::Required);
    request.reasoning = reasoning(Some(Effort::High), None, None);
    let (thinking, _, lost) = thinking_of(&request, BY_BUDGET);
    assert_eq!((thinking, &*lost), (Value::Null, &["reasoning_effort".into()][..]));
    let (thinking, effort, lost) = thinking_of(&request, BY_EFFORT);
    assert_eq!(
        (thinking, effort, &*lost),
        (Value::Null, Value::Null, &["reasoning_effort".into()][..])
    );
    // From Claude 5 on a model thinks unless it is told not to, and some cannot be told.
    for asked in [request.reasoning, None] {
        request.reasoning = asked;
        assert_eq!(thinking_of(&request, "claude-opus-5").0, json!({"type": "disabled"}));
        for always in ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"] {
            let error = write(&request, always).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("tool_choice"), "{always}");
        }
    }
    request.tool_choice = None;
    assert_eq!(thinking_of(&request, "claude-opus-5").0, Value::Null);
}

#[test]
fn by_budget_nobody_begins_to_think_in_the_midst_of_a_turn() {
    let loops = |first: Vec<PartKind<'static>>| {
        asking(vec![
            Message::text(Role::User, "go"),
            said(Role::Assistant, first),
            said(Role::User, vec![result("1", "x")]),
            said(Role::Assistant, vec![call("2", "{}")]),
            said(Role::User, vec![result("2", "y")]),
        ])
    };
    let mut cases = vec![
        (loops(vec![thought("why", "Eq"), call("1", "{}")]), true),
        (loops(vec![call("1", "{}")]), false),
        (
            loops(vec![PartKind::Text("so".into()), thought("", "Eq"), call("1", "{}")]),
            false,
        ),
    ];
    // A new question begins a new turn; with a result beside it, it may be the same.
    let mut asked = loops(vec![call("1", "{}")]);
    asked
        .messages
        .push(said(Role::User, vec![PartKind::Text("and?".into())]));
    cases.push((asked, false));
    let mut asked = loops(vec![call("1", "{}")]);
    asked.messages.push(Message::text(Role::Assistant, "done"));
    asked.messages.push(Message::text(Role::User, "and?"));
    cases.push((asked, true));
    for (mut request, thinks) in cases {
        request.reasoning = reasoning(None, Some(2_000), None);
        let (thinking, _, lost) = thinking_of(&request, BY_BUDGET);
        assert_eq!(thinking.is_object(), thinks, "{request:?}");
        assert_eq!(lost.is_empty(), thinks);
        assert!(thinking_of(&request, BY_EFFORT).0.is_object());
    }
}
