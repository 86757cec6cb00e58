//! The oracle of the dialect's streams, and tests of it.

use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::dialects::sse::{EventText, Framing, Splitter};

/// Checks a whole stream: that its events come in order, and that what they tell piece by piece is what they tell whole.
pub(in crate::dialects) fn check_stream(text: &str) -> Result<(), String> {
    let mut check = Check::default();
    for (number, event) in events(text).iter().enumerate() {
        check
            .event(event)
            .map_err(|why| format!("event {number}: {why}: {}", String::from_utf8_lossy(event)))?;
    }
    if check.grammar.is_over() {
        Ok(())
    } else {
        Err("the stream is not over".to_owned())
    }
}

/// The events of a text, whole ones and what stands behind them.
pub(in crate::dialects::openai_responses) fn events(text: &str) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::new(Framing::Events);
    let mut rest = text.as_bytes();
    let mut events = Vec::new();
    while let Some(end) = splitter.event_end(rest) {
        events.push(rest[..end].to_vec());
        splitter.taken(end);
        rest = &rest[end..];
    }
    if !rest.trim_ascii().is_empty() {
        events.push(rest.to_vec());
    }
    events
}

#[derive(Default)]
struct Check {
    grammar: Grammar,
    /// The text that deltas have told of the part or the arguments that are open.
    told: String,
    /// The texts of the open item's parts.
    parts: Vec<String>,
    items: Vec<Value>,
    ids: HashSet<String>,
    response: Option<String>,
}

impl Check {
    fn event(&mut self, event: &[u8]) -> Result<(), String> {
        let text = EventText::read(Framing::Events, event);
        let value: Value = serde_json::from_slice(&text.data).map_err(|error| error.to_string())?;
        let kind = value["type"].as_str().ok_or("no type")?;
        same(text.name.unwrap_or_default(), kind.as_bytes(), "name and type differ")?;
        let item = &value["item"];
        self.grammar
            .step(&Step {
                kind,
                sequence: value["sequence_number"].as_u64().ok_or("no sequence_number")?,
                output_index: value["output_index"].as_u64(),
                item_id: value["item_id"].as_str(),
                part_index: value["content_index"].as_u64().or(value["summary_index"].as_u64()),
                item: item["type"].as_str().zip(item["id"].as_str()),
                part: value["part"]["type"].as_str(),
            })
            .map_err(|violation| violation.to_string())?;
        self.texts(kind, &value)
    }

    fn texts(&mut self, kind: &str, value: &Value) -> Result<(), String> {
        match kind {
            "error" => value["message"]
                .as_str()
                .map(drop)
                .ok_or("an error has a message".to_owned()),
            _ if kind.ends_with(".delta") => {
                let delta = value["delta"].as_str().ok_or("no delta")?;
                if delta.is_empty() {
                    return Err("a delta of nothing".to_owned());
                }
                self.told.push_str(delta);
                Ok(())
            }
            "response.output_item.added" => {
                let id = value["item"]["id"].as_str().unwrap_or_default();
                self.parts.clear();
                self.told.clear();
                if self.ids.insert(id.to_owned()) {
                    Ok(())
                } else {
                    Err("an id twice".to_owned())
                }
            }
            "response.output_item.done" => {
                self.item(&value["item"])?;
                self.items.push(value["item"].clone());
                Ok(())
            }
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                let part = &value["part"];
                let text = part["text"].as_str().or(part["refusal"].as_str());
                let told = std::mem::take(&mut self.told);
                same(text, Some(&*told), "the part is not what its deltas told")?;
                self.parts.push(told);
                Ok(())
            }
            _ if kind.ends_with(".done") => {
                let members = ["text", "refusal", "arguments", "input"];
                let whole = members.iter().find_map(|name| value[*name].as_str());
                same(whole, Some(&*self.told), "the whole is not what its deltas told")
            }
            _ if value["response"].is_object() => self.response(kind, &value["response"]),
            _ => Ok(()),
        }
    }

    fn item(&self, item: &Value) -> Result<(), String> {
        let texts = |name: &str| -> Vec<String> {
            let parts = item[name].as_array().into_iter().flatten();
            let text = |part: &Value| part["text"].as_str().or(part["refusal"].as_str()).map(str::to_owned);
            parts.filter_map(text).collect()
        };
        match item["type"].as_str() {
            Some("message") => same(
                texts("content"),
                self.parts.clone(),
                "the message is not what its parts told",
            ),
            Some("reasoning") => same(
                texts("summary"),
                self.parts.clone(),
                "the summary is not what its parts told",
            ),
            Some("function_call") => same(item["arguments"].as_str(), Some(&*self.told), "other arguments"),
            Some("custom_tool_call") => same(item["input"].as_str(), Some(&*self.told), "another input"),
            _ => Ok(()),
        }
    }

    fn response(&mut self, kind: &str, response: &Value) -> Result<(), String> {
        let id = response["id"].as_str().ok_or("a response has an id")?;
        same(
            self.response.get_or_insert_with(|| id.to_owned()).as_str(),
            id,
            "another response",
        )?;
        let status = match kind {
            "response.created" | "response.in_progress" => "in_progress",
            other => other.strip_prefix("response.").unwrap_or_default(),
        };
        same(response["status"].as_str(), Some(status), "the status is another")?;
        let output = response["output"].as_array().ok_or("no output")?;
        same(output, &self.items, "the output is not what its items told")?;
        for name in [
            "object",
            "created_at",
            "model",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
        ] {
            if response[name].is_null() {
                return Err(format!("a response without {name}"));
            }
        }
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T, why: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{why}: {found:?} and {expected:?}"))
    }
}

/// The types of a stream's events with what they say of their places, as the reference shows a stream with a text.
const TEXT: [Step<'static>; 9] = [
    step("response.created", 0),
    step("response.in_progress", 1),
    Step {
        item: Some(("message", "msg_1")),
        ..at(step("response.output_item.added", 2))
    },
    Step {
        part: Some("output_text"),
        ..part(step("response.content_part.added", 3))
    },
    part(step("response.output_text.delta", 4)),
    part(step("response.output_text.done", 5)),
    Step {
        part: Some("output_text"),
        ..part(step("response.content_part.done", 6))
    },
    Step {
        item: Some(("message", "msg_1")),
        ..at(step("response.output_item.done", 7))
    },
    step("response.completed", 8),
];

const fn step(kind: &'static str, sequence: u64) -> Step<'static> {
    Step {
        kind,
        sequence,
        output_index: None,
        item_id: None,
        part_index: None,
        item: None,
        part: None,
    }
}

const fn at(step: Step<'static>) -> Step<'static> {
    Step {
        output_index: Some(0),
        ..step
    }
}

const fn part(step: Step<'static>) -> Step<'static> {
    Step {
        item_id: Some("msg_1"),
        part_index: Some(0),
        ..at(step)
    }
}

fn walk<'s>(steps: impl IntoIterator<Item = Step<'s>>) -> Result<Grammar, Violation> {
    let mut grammar = Grammar::default();
    for (sequence, step) in steps.into_iter().enumerate() {
        let sequence = sequence as u64;
        grammar.step(&Step { sequence, ..step })?;
    }
    Ok(grammar)
}

#[test]
fn a_text_is_opened_told_and_closed_and_the_stream_is_over_at_its_end_alone() {
    for length in 0..=TEXT.len() {
        let grammar = walk(TEXT.into_iter().take(length)).unwrap();
        assert_eq!(grammar.is_over(), length == TEXT.len());
    }
}

#[test]
fn no_event_may_be_left_out_or_come_twice_save_a_delta() {
    for (place, left_out) in TEXT.iter().enumerate() {
        let is_delta = left_out.kind.ends_with(".delta");
        let without = TEXT
            .into_iter()
            .enumerate()
            .filter(|(at, _)| *at != place)
            .map(|(_, step)| step);
        // What is missing at the end is not a violation: the stream is just not over.
        let whole = walk(without).is_ok_and(|grammar| grammar.is_over());
        assert_eq!(whole, is_delta, "without {}", left_out.kind);
        let twice = TEXT.into_iter().enumerate().flat_map(|(at, step)| {
            let times = if at == place { 2 } else { 1 };
            std::iter::repeat_n(step, times)
        });
        assert_eq!(walk(twice).is_ok(), is_delta, "twice {}", left_out.kind);
    }
}

#[test]
fn an_error_ends_a_stream_anywhere_and_nothing_follows() {
    for length in 0..TEXT.len() {
        for kind in ["error", "response.failed"] {
            let cut = || TEXT.into_iter().take(length).chain([step(kind, 0)]);
            assert!(walk(cut()).unwrap().is_over());
            assert!(walk(cut().chain([step("error", 0)])).is_err());
        }
    }
}

#[test]
fn places_ids_and_numbers_must_fit() {
    let mut grammar = Grammar::default();
    assert!(grammar.step(&step("response.created", 1)).is_err());
    for (place, right) in TEXT.into_iter().enumerate().take(8).skip(2) {
        for wrong in [
            Step {
                output_index: Some(1),
                ..right
            },
            Step {
                item_id: right.item_id.map(|_| "msg_2"),
                item: right.item.map(|(kind, _)| (kind, "")),
                ..right
            },
            Step {
                part_index: right.part_index.map(|_| 1),
                output_index: None,
                ..right
            },
        ] {
            let steps = TEXT.into_iter().take(place).chain([wrong]);
            assert!(walk(steps).is_err(), "{wrong:?}");
        }
    }
}

#[test]
fn the_events_of_one_kind_of_item_are_not_those_of_another() {
    for item in ["function_call", "custom_tool_call", "reasoning", "tool_search_call"] {
        let open = Step {
            item: Some((item, "msg_1")),
            ..TEXT[2]
        };
        let steps = [TEXT[0], TEXT[1], open, TEXT[3]];
        assert!(walk(steps).is_err(), "{item}");
    }
    let arguments = part(step("response.function_call_arguments.delta", 0));
    assert!(walk(TEXT.into_iter().take(3).chain([arguments])).is_err());
}
