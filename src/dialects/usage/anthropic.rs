//! The `usage` of Anthropic's Messages: of a whole message, and of a stream's events together.

use gateway_actors::protocol::{Tier, TokenUsage, UsageReport};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::{NoCount, count, details, members, writes};

#[derive(Deserialize, Default)]
struct Usage<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_read_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    iterations: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    speed: Option<&'a RawValue>,
    #[serde(borrow)]
    inference_geo: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Creation<'a> {
    #[serde(borrow)]
    ephemeral_5m_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    ephemeral_1h_input_tokens: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct OutputDetails<'a> {
    #[serde(borrow)]
    thinking_tokens: Option<&'a RawValue>,
}

/// Counts as the wire has them, each where it was given.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    uncached: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

/// What the events of a stream say of usage together.
///
/// `message_start` has the input, and `message_delta` the output; it may say the input again, and more of it. The output
/// that `message_start` names is what there is of it before anything was said, and counts for nothing.
/// Every count is of everything up to its event, so that of two the larger is the later. An event whose counts cannot be
/// makes the whole absurd.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnthropicUsage {
    counts: Counts,
    /// The tier of service, the speed, and the place.
    tiers: [Tier; 3],
    is_absurd: bool,
}

impl AnthropicUsage {
    /// Takes in the `usage` of `message_start`.
    pub fn start(&mut self, value: &RawValue) {
        self.merge(value);
        self.counts.output = None;
        self.counts.thinking = None;
    }

    /// Takes in the `usage` of a later event, or of a whole message.
    pub fn merge(&mut self, value: &RawValue) {
        let usage = members::<Usage<'_>>(value).map(Option::unwrap_or_default);
        match usage.and_then(|usage| Ok((all(&usage)?, usage))) {
            Ok((counts, usage)) => {
                self.counts = self.counts.with(counts, Ord::max);
                let told = [usage.service_tier, usage.speed, usage.inference_geo];
                for (known, told) in self.tiers.iter_mut().zip(told) {
                    *known = told.map_or(*known, |told| Tier::of_json(told.get()));
                }
            }
            Err(NoCount) => self.is_absurd = true,
        }
    }

    /// What is known so far; nothing before both input and output were told.
    #[must_use]
    pub fn report(&self) -> UsageReport {
        if self.is_absurd {
            return UsageReport::Absurd;
        }
        let counts = &self.counts;
        let (Some(uncached), Some(output)) = (counts.uncached, counts.output) else {
            return UsageReport::Missing;
        };
        let cached_input = counts.read.unwrap_or(0);
        let (cache_write_5m, cache_write_1h, cache_write_untold) =
            writes(counts.written, counts.written_5m, counts.written_1h);
        let parts = [cached_input, cache_write_5m, cache_write_1h];
        let usage = TokenUsage {
            input: parts.into_iter().fold(uncached, u64::saturating_add),
            cached_input,
            cache_write_5m,
            cache_write_1h,
            cache_write_untold,
            output,
            reasoning: counts.thinking.unwrap_or(0),
            tier: self.tier(),
        };
        UsageReport::Reported(usage.within_totals())
    }

    /// At other prices if one of the three is another, at the usual ones if it is said of all three that they are usual.
    fn tier(&self) -> Tier {
        let [least, .., most] = {
            let mut tiers = self.tiers;
            tiers.sort_unstable();
            tiers
        };
        if most == Tier::Other { most } else { least }
    }
}

/// Reads the value of a whole message's `usage` member.
///
/// Cache reads and writes are beside `input_tokens`; writes that do not tell how long they stay count as short ones,
/// and are told apart.
/// Thinking is part of the output. A beta says what each of several `iterations` used, some of which are in no total: the
/// compaction of a context, and the advice of another model, whose tokens count as if they were this model's.
#[must_use]
pub fn of_anthropic(value: &RawValue) -> UsageReport {
    let mut usage = AnthropicUsage::default();
    usage.merge(value);
    usage.report()
}

impl Counts {
    /// Each count combined with the other's where both have it, and that of one where only one has.
    fn with(self, other: Self, combine: fn(u64, u64) -> u64) -> Self {
        let both = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(combine(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            uncached: both(self.uncached, other.uncached),
            read: both(self.read, other.read),
            written: both(self.written, other.written),
            written_5m: both(self.written_5m, other.written_5m),
            written_1h: both(self.written_1h, other.written_1h),
            output: both(self.output, other.output),
            thinking: both(self.thinking, other.thinking),
        }
    }
}

/// The totals, or what all iterations together make where that is more.
fn all(usage: &Usage<'_>) -> Result<Counts, NoCount> {
    let iterations = usage
        .iterations
        .and_then(|list| serde_json::from_str::<Vec<Usage<'_>>>(list.get()).ok())
        .unwrap_or_default();
    let together = iterations.iter().try_fold(Counts::default(), |sum, iteration| {
        Ok(sum.with(totals(iteration)?, u64::saturating_add))
    })?;
    Ok(totals(usage)?.with(together, Ord::max))
}

fn totals(usage: &Usage<'_>) -> Result<Counts, NoCount> {
    let creation: Creation<'_> = details(usage.cache_creation);
    let of_output: OutputDetails<'_> = details(usage.output_tokens_details);
    Ok(Counts {
        uncached: count(usage.input_tokens)?,
        read: count(usage.cache_read_input_tokens)?,
        written: count(usage.cache_creation_input_tokens)?,
        written_5m: count(creation.ephemeral_5m_input_tokens)?,
        written_1h: count(creation.ephemeral_1h_input_tokens)?,
        output: count(usage.output_tokens)?,
        thinking: count(of_output.thinking_tokens)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NO_COUNTS, check_counts, raw, used, used_untold};
    use super::*;

    fn merged(events: &[&str]) -> UsageReport {
        let mut usage = AnthropicUsage::default();
        let [start, rest @ ..] = events else {
            return usage.report();
        };
        usage.start(raw(start));
        for event in rest {
            usage.merge(raw(event));
        }
        usage.report()
    }

    #[test]
    fn a_tier_a_speed_or_a_place_with_prices_of_its_own_is_told() {
        let tier = |events: &[&str]| match merged(events) {
            UsageReport::Reported(usage) => usage.tier,
            other => panic!("{other:?}"),
        };
        let end = r#"{"output_tokens":7}"#;
        for (told, expected) in [
            ("", Tier::Untold),
            (r#","service_tier":"standard""#, Tier::Untold),
            (r#","service_tier":"priority""#, Tier::Other),
            (r#","service_tier":"standard","speed":"fast""#, Tier::Other),
            (r#","inference_geo":"us""#, Tier::Other),
            (
                r#","service_tier":"standard","speed":"standard","inference_geo":"global""#,
                Tier::Usual,
            ),
            (r#","service_tier":null,"speed":null"#, Tier::Untold),
        ] {
            let start = format!(r#"{{"input_tokens":10,"output_tokens":1{told}}}"#);
            assert_eq!(tier(&[&start, end]), expected, "{told}");
        }
    }

    #[test]
    fn every_count_is_read_and_distrusted() {
        let usage =
            r#"{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,"output_tokens":7}"#;
        let counts = [
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens",
        ];
        check_counts(of_anthropic, usage, used_untold([17, 4, 3, 0, 7, 0], 3), &counts);
        for bad in NO_COUNTS {
            for details in [
                format!(r#""cache_creation":{{"ephemeral_5m_input_tokens":{bad}}}"#),
                format!(r#""cache_creation":{{"ephemeral_1h_input_tokens":{bad}}}"#),
                format!(r#""output_tokens_details":{{"thinking_tokens":{bad}}}"#),
                format!(r#""iterations":[{{"type":"compaction","input_tokens":{bad}}}]"#),
            ] {
                let usage = format!(r#"{{"input_tokens":10,"output_tokens":7,{details}}}"#);
                assert_eq!(of_anthropic(raw(&usage)), UsageReport::Absurd, "{usage}");
            }
        }
        for usage in [r#"{"input_tokens":10}"#, r#"{"output_tokens":7}"#] {
            assert_eq!(of_anthropic(raw(usage)), UsageReport::Missing, "{usage}");
        }
    }

    #[test]
    fn cache_reads_and_writes_are_beside_the_input() {
        // Usage, CacheCreation and OutputTokensDetails of the anthropic package, types/usage.py and its neighbours.
        for (usage, expected) in [
            (
                r#"{"input_tokens":2095,"cache_creation_input_tokens":2051,"cache_read_input_tokens":2051,
                    "cache_creation":{"ephemeral_5m_input_tokens":1051,"ephemeral_1h_input_tokens":1000},
                    "output_tokens":503,"output_tokens_details":{"thinking_tokens":300},"inference_geo":"not_available",
                    "server_tool_use":{"web_search_requests":0,"web_fetch_requests":2},"service_tier":"standard"}"#,
                [6197, 2051, 1051, 1000, 503, 300],
            ),
            (
                r#"{"input_tokens":21,"cache_creation_input_tokens":188086,"cache_read_input_tokens":0,
                    "output_tokens":393}"#,
                [188_107, 0, 188_086, 0, 393, 0],
            ),
            (
                r#"{"input_tokens":21,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,
                    "cache_creation":null,"output_tokens":393,"output_tokens_details":null,"iterations":null}"#,
                [21, 0, 0, 0, 393, 0],
            ),
            (
                r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#,
                [0, 0, 0, 0, 0, 0],
            ),
            (
                r#"{"input_tokens":5,"cache_creation_input_tokens":50,"output_tokens":3,
                    "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":50}}"#,
                [55, 0, 0, 50, 3, 0],
            ),
        ] {
            // Without a split nothing is told.
            let untold = if usage.contains("188086") { 188_086 } else { 0 };
            assert_eq!(of_anthropic(raw(usage)), used_untold(expected, untold), "{usage}");
        }
    }

    #[test]
    fn what_iterations_used_beyond_the_totals_is_added() {
        // BetaUsage and its iterations of the anthropic package, types/beta/beta_usage.py and its neighbours.
        for (usage, expected) in [
            // A compaction is in no total.
            (
                r#"{"input_tokens":23000,"output_tokens":1000,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,
                    "iterations":[{"type":"compaction","input_tokens":180000,"output_tokens":3500,
                        "cache_read_input_tokens":0,"cache_creation_input_tokens":0},
                    {"type":"message","input_tokens":23000,"output_tokens":1000,
                        "cache_read_input_tokens":0,"cache_creation_input_tokens":0}]}"#,
                [203_000, 0, 0, 0, 4500, 0],
            ),
            // Turns of a tool's loop are in the totals.
            (
                r#"{"input_tokens":7,"output_tokens":1329,"cache_read_input_tokens":233365,
                    "cache_creation_input_tokens":1895,"iterations":[
                    {"type":"message","input_tokens":6,"output_tokens":1326,"cache_read_input_tokens":115735,
                        "cache_creation_input_tokens":1895,
                        "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":1895}},
                    {"type":"message","input_tokens":1,"output_tokens":3,"cache_read_input_tokens":117630,
                        "cache_creation_input_tokens":0}]}"#,
                [235_267, 233_365, 0, 1895, 1329, 0],
            ),
            (
                r#"{"input_tokens":7,"output_tokens":9,"iterations":[]}"#,
                [7, 0, 0, 0, 9, 0],
            ),
            (
                r#"{"input_tokens":7,"output_tokens":9,"iterations":"of no known shape"}"#,
                [7, 0, 0, 0, 9, 0],
            ),
        ] {
            assert_eq!(of_anthropic(raw(usage)), used(expected), "{usage}");
        }
    }

    #[test]
    fn the_events_of_a_stream_say_it_together() {
        // Usage of message_start, and MessageDeltaUsage of the anthropic package, types/message_delta_usage.py.
        let start = r#"{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":5,
            "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6},"output_tokens":1}"#;
        for (events, expected) in [
            (&[start, r#"{"output_tokens":15}"#][..], [40, 5, 4, 6, 15, 0]),
            (&[start, r#"{"output_tokens":0}"#], [40, 5, 4, 6, 0, 0]),
            // Output is of everything so far: the last says it all.
            (
                &[start, r#"{"output_tokens":15}"#, r#"{"output_tokens":40}"#],
                [40, 5, 4, 6, 40, 0],
            ),
            // Said again.
            (
                &[
                    start,
                    r#"{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":5,"output_tokens":15,
                        "output_tokens_details":{"thinking_tokens":9}}"#,
                ],
                [40, 5, 4, 6, 15, 9],
            ),
            // Raised by a tool that the provider ran.
            (
                &[
                    start,
                    r#"{"input_tokens":9025,"cache_creation_input_tokens":10,"cache_read_input_tokens":70,
                        "output_tokens":15}"#,
                ],
                [9_105, 70, 4, 6, 15, 0],
            ),
            // Null, zero and less than before take nothing back.
            (
                &[
                    start,
                    r#"{"input_tokens":0,"cache_creation_input_tokens":null,"cache_read_input_tokens":0,"output_tokens":15}"#,
                    "null",
                ],
                [40, 5, 4, 6, 15, 0],
            ),
            // Servers that know their counts only at the end.
            (
                &[
                    r#"{"input_tokens":0,"output_tokens":0}"#,
                    r#"{"input_tokens":25,"output_tokens":15}"#,
                ],
                [25, 0, 0, 0, 15, 0],
            ),
        ] {
            assert_eq!(merged(events), used(expected), "{events:?}");
        }
        // What the split of the start does not say of a larger total is not told.
        let more = r#"{"cache_creation_input_tokens":12,"output_tokens":15}"#;
        assert_eq!(merged(&[start, more]), used_untold([42, 5, 6, 6, 15, 0], 2));
        assert_eq!(merged(&[]), UsageReport::Missing);
        // What the start says of the output is of nothing that was said.
        for end in ["null", "{}", r#"{"output_tokens":null}"#, r#"{"input_tokens":25}"#] {
            assert_eq!(merged(&[start, end]), UsageReport::Missing, "{end}");
        }
        assert_eq!(merged(&["{}", r#"{"output_tokens":15}"#]), UsageReport::Missing);
        assert_eq!(merged(&[start, r#"{"output_tokens":-1}"#]), UsageReport::Absurd);
        assert_eq!(
            merged(&[r#"{"input_tokens":"x"}"#, start, r#"{"output_tokens":15}"#]),
            UsageReport::Absurd
        );
    }
}
