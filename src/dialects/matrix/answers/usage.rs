//! Usage by each dialect's own rule: OpenAI counts cache reads, cache writes and reasoning within its totals, Anthropic the
//! cache beside its input, Gemini thoughts beside its candidates.

use gateway_actors::protocol::Dialect;
use serde_json::{Value, json};

use super::reassemble;
use super::row::Row;
use super::run;
use super::sample::{Sample, sample};
use crate::dialects::matrix::sides::CLIENTS;

/// Disjoint counts: input from no cache, cache reads, cache writes of five minutes and of an hour, visible output,
/// reasoning.
type Counts = [u64; 6];

/// What providers report, and what it means.
fn reports() -> Vec<(Dialect, Value, Counts)> {
    let anthropic = |input: u64, read: u64, short: u64, long: u64, output: u64, thinking: u64| {
        json!({"input_tokens": input, "cache_read_input_tokens": read, "cache_creation_input_tokens": short + long,
            "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
            "output_tokens": output, "output_tokens_details": {"thinking_tokens": thinking}})
    };
    vec![
        (
            Dialect::OpenaiChat,
            json!({"prompt_tokens": 1000, "completion_tokens": 70, "total_tokens": 1070,
                "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
                "completion_tokens_details": {"reasoning_tokens": 64}}),
            [100, 600, 300, 0, 6, 64],
        ),
        (
            Dialect::OpenaiChat,
            json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}),
            [9, 0, 0, 0, 2, 0],
        ),
        // Of all that was read, all was in the cache.
        (
            Dialect::OpenaiChat,
            json!({"prompt_tokens": 512, "completion_tokens": 1, "total_tokens": 513,
                "prompt_cache_hit_tokens": 512, "prompt_cache_miss_tokens": 0}),
            [0, 512, 0, 0, 1, 0],
        ),
        (
            Dialect::OpenaiResponses,
            json!({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300},
                "output_tokens": 70, "output_tokens_details": {"reasoning_tokens": 70}, "total_tokens": 1070}),
            [100, 600, 300, 0, 0, 70],
        ),
        (
            Dialect::AnthropicMessages,
            anthropic(100, 600, 200, 100, 70, 64),
            [100, 600, 200, 100, 6, 64],
        ),
        (
            Dialect::AnthropicMessages,
            anthropic(3, 0, 0, 0, 5, 0),
            [3, 0, 0, 0, 5, 0],
        ),
        (
            Dialect::AnthropicMessages,
            anthropic(0, 0, 0, 7, 5, 0),
            [0, 0, 0, 7, 5, 0],
        ),
        (
            Dialect::Gemini,
            json!({"promptTokenCount": 700, "cachedContentTokenCount": 600, "candidatesTokenCount": 6,
                "thoughtsTokenCount": 64, "totalTokenCount": 770}),
            [100, 600, 0, 0, 6, 64],
        ),
        // What tools of its own found is input as well.
        (
            Dialect::Gemini,
            json!({"promptTokenCount": 10, "candidatesTokenCount": 6, "thoughtsTokenCount": 4,
                "toolUsePromptTokenCount": 30, "totalTokenCount": 50}),
            [40, 0, 0, 0, 6, 4],
        ),
        (
            Dialect::Ollama,
            json!({"prompt_eval_count": 26, "eval_count": 290}),
            [26, 0, 0, 0, 290, 0],
        ),
    ]
}

/// The usage that a client of this dialect is to get.
fn by_rule(client: Dialect, [uncached, read, short, long, visible, reasoning]: Counts) -> Value {
    let (written, input) = (short + long, uncached + read + short + long);
    let output = visible + reasoning;
    match client {
        Dialect::OpenaiResponses => json!({"input_tokens": input,
            "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": input + output}),
        Dialect::AnthropicMessages => {
            let mut usage = json!({"input_tokens": uncached, "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written, "output_tokens": output,
                "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}});
            if reasoning > 0 {
                usage["output_tokens_details"] = json!({"thinking_tokens": reasoning});
            }
            usage
        }
        _ => {
            let mut usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
                "prompt_tokens_details": {"cached_tokens": read},
                "completion_tokens_details": {"reasoning_tokens": reasoning}});
            if written > 0 {
                usage["prompt_tokens_details"]["cache_write_tokens"] = json!(written);
            }
            usage
        }
    }
}

/// The sample with this usage in the place of its own.
fn reporting(sample: &Sample, usage: &Value) -> Sample {
    let in_events = |(kind, data): (&str, &str)| {
        let mut data: Value = serde_json::from_str(data).unwrap();
        replace(&mut data, usage);
        format!("{kind}{data}")
    };
    let lines = sample.stream.lines().map(|line| match line.split_once('{') {
        Some((kind, _)) => in_events(line.split_at(kind.len())),
        None => line.to_owned(),
    });
    let stream = lines.map(|line| line + "\n").collect();
    Sample {
        whole: in_events(("", &sample.whole)),
        stream,
    }
}

fn replace(value: &mut Value, usage: &Value) {
    let Value::Object(members) = value else { return };
    if members.get("done") == Some(&Value::Bool(true)) {
        members.extend(usage.as_object().unwrap().clone());
    }
    for (name, member) in members {
        match name.as_str() {
            "usage" | "usageMetadata" if member.is_object() => *member = usage.clone(),
            _ => replace(member, usage),
        }
    }
}

#[test]
fn every_client_is_told_the_usage_by_its_own_dialects_rule() {
    for (provider, report, counts) in reports() {
        let sample = reporting(&sample(provider, Row::Text).unwrap(), &report);
        for client in CLIENTS.into_iter().filter(|client| *client != provider) {
            let got = run::run(client, provider, &sample).unwrap();
            let expected = by_rule(client, counts);
            assert_eq!(got.whole["usage"], expected, "{provider:?} to {client:?}: {report}");
            let mut streamed = expected;
            // The event with the counts of the whole stream has no place for how long the cache keeps what was written,
            // and the start has it only of what was known by then.
            if client == Dialect::AnthropicMessages && got.reassembled["usage"].get("cache_creation").is_none() {
                streamed.as_object_mut().unwrap().remove("cache_creation");
            }
            assert_eq!(
                got.reassembled["usage"], streamed,
                "{provider:?} to {client:?}: {report}"
            );
        }
    }
}

/// The end of a stream of chat completions, in the ways in which providers tell their usage.
#[test]
fn usage_is_told_wherever_in_its_stream_a_provider_tells_it() {
    let head = r#""id":"c","object":"chat.completion.chunk","created":1,"model":"m""#;
    let said = |delta: &str, finish: &str, usage: &str| {
        format!(
            "data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]{usage}}}\n\n"
        )
    };
    let counts = |output: u64| {
        format!(
            r#","usage":{{"prompt_tokens":7,"completion_tokens":{output},"total_tokens":{}}}"#,
            7 + output
        )
    };
    let alone = |output: u64| format!("data: {{{head},\"choices\":[]{}}}\n\n", counts(output));
    let (hi, stop, done) = (r#""content":"hi""#, "\"stop\"", "data: [DONE]\n\n");
    for (about, stream, output) in [
        (
            "at the end",
            [said(hi, "null", ""), said("", stop, ""), alone(3)].concat() + done,
            Some(3),
        ),
        (
            "with the finish",
            said(hi, "null", "") + &said("", stop, &counts(3)) + done,
            Some(3),
        ),
        (
            "before the finish",
            said(hi, "null", &counts(3)) + &said("", stop, "") + done,
            Some(3),
        ),
        (
            "all along",
            said(hi, "null", &counts(1)) + &said(hi, "null", &counts(2)) + &said("", stop, &counts(3)) + done,
            Some(3),
        ),
        (
            "with the finish and again",
            said(hi, stop, &counts(2)) + &alone(3) + done,
            Some(3),
        ),
        (
            "behind an empty delta",
            said(hi, stop, "") + &said(r#""content":"""#, "null", "") + &alone(3) + done,
            Some(3),
        ),
        (
            "without the end mark",
            said(hi, "null", "") + &said("", stop, &counts(3)),
            Some(3),
        ),
        (
            "never",
            said(hi, "null", "") + &said("", stop, r#","usage":null"#) + done,
            None,
        ),
    ] {
        for client in [Dialect::OpenaiResponses, Dialect::AnthropicMessages] {
            let translation = run::translation(client, &run::model(Dialect::OpenaiChat));
            let stream = run::streamed(&*translation, Dialect::OpenaiChat, &stream).unwrap();
            assert_eq!(run::check_stream(client, &stream), Ok(()), "{about}: {stream}");
            let answer = reassemble::stream(client, &stream);
            let told = match output {
                Some(output) => json!(output),
                // Messages must have counts.
                None if client == Dialect::AnthropicMessages => json!(0),
                None => Value::Null,
            };
            assert_eq!(answer["usage"]["output_tokens"], told, "{about}: {stream}");
        }
    }
}
