//! The oracle of tests: reads the text of a stream and steps through the grammar with it.

use serde_json::Value;

use super::{Grammar, Step};

/// Checks that a text is a whole stream of this dialect.
///
/// # Errors
/// What is wrong, and with which event.
pub(in crate::dialects) fn check_stream(text: &str) -> Result<(), String> {
    let mut grammar = Grammar::default();
    let mut first: Option<[Value; 3]> = None;
    let rest = text.strip_suffix("\n\n").ok_or("the text does not end with an event")?;
    for event in rest.split("\n\n") {
        let data = event
            .strip_prefix("data: ")
            .ok_or_else(|| format!("no data: {event}"))?;
        let wrong = |what: &str| format!("{what}: {event}");
        if data == "[DONE]" {
            grammar
                .step(Step::Done)
                .map_err(|violation| wrong(&violation.to_string()))?;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).map_err(|error| wrong(&error.to_string()))?;
        if chunk["object"] != "chat.completion.chunk" || !chunk["created"].is_i64() {
            return Err(wrong("no chunk"));
        }
        let names = [chunk["id"].clone(), chunk["model"].clone(), chunk["created"].clone()];
        if !names[..2]
            .iter()
            .all(|name| name.as_str().is_some_and(|name| !name.is_empty()))
        {
            return Err(wrong("no id or model"));
        }
        if *first.get_or_insert_with(|| names.clone()) != names {
            return Err(wrong("another id, model or time"));
        }
        let step = step(&chunk).map_err(wrong)?;
        grammar.step(step).map_err(|violation| wrong(&violation.to_string()))?;
    }
    if grammar.is_over() {
        Ok(())
    } else {
        Err("it is not over".to_owned())
    }
}

fn step(chunk: &Value) -> Result<Step, &'static str> {
    let choice = match chunk["choices"].as_array().map(Vec::as_slice) {
        Some([]) => {
            let counts = ["prompt_tokens", "completion_tokens", "total_tokens"];
            let has_counts = counts.iter().all(|count| chunk["usage"][count].is_u64());
            return has_counts.then_some(Step::Usage).ok_or("neither choice nor usage");
        }
        Some([choice]) => choice,
        _ => return Err("not one choice"),
    };
    if !chunk["usage"].is_null() || choice["index"] != 0 || choice.get("logprobs") != Some(&Value::Null) {
        return Err("not the members of a choice");
    }
    let delta = choice["delta"].as_object().ok_or("no delta")?;
    if let Some(reason) = choice.get("finish_reason").ok_or("no finish_reason")?.as_str() {
        let is_known = ["stop", "length", "tool_calls", "content_filter", "function_call"].contains(&reason);
        return (is_known && delta.is_empty())
            .then_some(Step::Finish)
            .ok_or("no such end");
    }
    if let Some(role) = delta.get("role") {
        return (role == "assistant").then_some(Step::Role).ok_or("no such role");
    }
    if let Some(call) = delta.get("function_call") {
        if !call["arguments"].is_string() {
            return Err("no arguments");
        }
        return Ok(if call["name"].is_string() {
            Step::FunctionBegins
        } else {
            Step::FunctionGoesOn
        });
    }
    if let Some(calls) = delta.get("tool_calls") {
        let [call] = calls.as_array().ok_or("no list of calls")?.as_slice() else {
            return Err("not one call");
        };
        let index = call["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .ok_or("no index")?;
        let (function, custom) = (&call["function"], &call["custom"]);
        if !function["arguments"].is_string() && !custom["input"].is_string() {
            return Err("no arguments");
        }
        let is_named = function["name"].is_string() || custom["name"].is_string();
        return match (call["id"].is_string(), call["type"].is_string(), is_named) {
            (true, true, true) => Ok(Step::CallBegins(index)),
            (false, false, false) => Ok(Step::CallGoesOn(index)),
            _ => Err("half a beginning of a call"),
        };
    }
    let texts = ["content", "refusal", "reasoning_content"];
    let has_text = texts.iter().any(|name| delta.get(*name).is_some_and(Value::is_string));
    let has_details = delta.get("reasoning_details").is_some_and(Value::is_array);
    (has_text || has_details).then_some(Step::Delta).ok_or("nothing new")
}
