//! Token counts of an answer in this dialect.

use gateway_actors::protocol::{UsageReport, Vendor};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::usage::{ReasoningTokens, of_openai_chat};

/// Reads the value of a `usage` member of this vendor's.
#[must_use]
pub fn usage_report(value: &RawValue, vendor: Vendor) -> UsageReport {
    of_openai_chat(value, ReasoningTokens::of(vendor))
}

/// What Groq says beside a stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct XGroq<'a> {
    /// In the last chunk, whether usage was asked for or not.
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    /// Why the stream was ended early.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> XGroq<'a> {
    /// Reads the member. What is no object says nothing.
    pub(super) fn read(value: &'a RawValue) -> Self {
        serde_json::from_str(value.get()).unwrap_or_default()
    }
}

/// What a chunk of this vendor's says of usage: in its own member, or where only Groq has it.
pub(super) fn chunk_usage(usage: Option<&RawValue>, groq: &XGroq<'_>, vendor: Vendor) -> UsageReport {
    let read = |usage| usage_report(usage, vendor);
    let told = usage.map_or(UsageReport::Missing, read);
    match groq.usage {
        Some(beside) if told == UsageReport::Missing => read(beside),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use gateway_actors::protocol::{Dialect, Operation, TokenUsage};
    use serde_json::json;

    use super::*;
    use crate::dialects::neutral::Event;
    use crate::dialects::provider_side::{read_answer, stream_reader};
    use crate::dialects::sse::{EventText, Framing};
    use crate::dialects::{StreamScanner, UsageEvents, inspect};

    /// The output and the reasoning, wherever the usage is read.
    fn output(vendor: Vendor, usage: &serde_json::Value) -> Vec<(u64, u64)> {
        let whole = json!({"id": "c", "model": "m", "usage": usage,
            "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]});
        let whole = whole.to_string();
        let chunk = json!({"id": "c", "model": "m", "usage": usage,
            "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]});
        let chunk = format!("data: {chunk}\n\n");
        let mut reports = vec![
            inspect(Operation::Generate, Dialect::OpenaiChat, vendor, whole.as_bytes())
                .unwrap()
                .usage,
            read_answer(Dialect::OpenaiChat, vendor, &whole).unwrap().usage,
        ];
        let mut scanner = StreamScanner::new(Dialect::OpenaiChat, vendor, 1 << 20, UsageEvents::Forward);
        scanner.push(chunk.clone().into());
        while scanner.next_frame().unwrap().is_some() {}
        reports.push(scanner.usage());
        let event = EventText::read(Framing::Events, chunk.as_bytes());
        let mut give = |event: Event<'_>| {
            reports.extend(match event {
                Event::Usage(usage) => Some(usage),
                _ => None,
            })
        };
        stream_reader(Dialect::OpenaiChat, vendor)
            .read(&event, &mut give)
            .unwrap();
        let counts = reports.into_iter().map(|report| match report {
            UsageReport::Reported(TokenUsage { output, reasoning, .. }) => (output, reasoning),
            other => panic!("{vendor}: {other:?}"),
        });
        counts.collect()
    }

    #[test]
    fn where_the_total_does_not_tell_reasoning_is_counted_as_its_vendor_does() {
        let silent = json!({"prompt_tokens": 10, "completion_tokens": 20,
            "completion_tokens_details": {"reasoning_tokens": 9}});
        let within = json!({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30,
            "completion_tokens_details": {"reasoning_tokens": 9}});
        let beside = json!({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 39,
            "completion_tokens_details": {"reasoning_tokens": 9}});
        let unnamed = json!({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 39});
        for vendor in Vendor::ALL {
            let is_xai = *vendor == Vendor::Xai;
            for (usage, expected) in [
                (&silent, if is_xai { (29, 9) } else { (20, 9) }),
                (&within, (20, 9)),
                (&beside, (29, 9)),
                (&unnamed, (29, 9)),
            ] {
                assert_eq!(output(*vendor, usage), [expected; 4], "{vendor}: {usage}");
            }
        }
    }
}
