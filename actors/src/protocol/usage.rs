//! Token counts of one attempt, in one form whatever the provider calls them.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Tokens of one attempt, or of several together. Parts are contained in their totals, whatever the provider's own
/// convention is: reads and writes of a prompt cache are part of `input`, reasoning is part of `output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    /// All input tokens.
    pub input: u64,
    /// Those of them that the provider served from its prompt cache.
    pub cached_input: u64,
    /// Those of them that were written to the provider's cache to stay there for a short time: 5 minutes at Anthropic,
    /// 30 minutes at OpenAI, and where a provider does not say how long.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_5m: u64,
    /// Those of them that were written to it to stay for a long time: an hour at Anthropic, 12 hours at OpenAI.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    /// Those of `cache_write_5m` of which the provider did not say how long they stay. Nothing is kept of it: once the
    /// attempt is settled they are short or long.
    #[serde(skip)]
    pub cache_write_untold: u64,
    /// All output tokens.
    pub output: u64,
    /// Those of them that were spent on hidden reasoning.
    pub reasoning: u64,
    /// At whose prices, as far as its provider says. Nothing is kept of it.
    #[serde(skip)]
    pub tier: Tier,
}

/// At whose prices tokens are billed: providers have tiers of service, speeds and places that cost more or less than what
/// the catalogue knows, which is what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Tier {
    /// It is not said.
    #[default]
    Untold,
    /// At the usual ones.
    Usual,
    /// At others, dearer or cheaper.
    Other,
}

impl Tier {
    /// What a word for a tier, a speed or a place means, in a request or in an answer.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        match word {
            "" => Self::Untold,
            "auto" | "default" | "standard" | "standard_only" | "on_demand" | "global" | "not_available" => Self::Usual,
            _ => Self::Other,
        }
    }

    /// The same for a value in JSON, which says nothing if it is no string.
    #[must_use]
    pub fn of_json(json: &str) -> Self {
        let word = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        word.map_or(Self::Untold, Self::of_word)
    }

    /// The same for a member that need not be there.
    #[must_use]
    pub fn of_member(value: Option<&RawValue>) -> Self {
        value.map_or(Self::Untold, |value| Self::of_json(value.get()))
    }
}

impl TokenUsage {
    /// Input tokens that were neither read from a cache nor written to one; 0 where the parts are more than the whole.
    #[must_use]
    pub fn uncached_input(&self) -> u64 {
        self.input
            .saturating_sub(self.cached_input)
            .saturating_sub(self.cache_write_5m)
            .saturating_sub(self.cache_write_1h)
    }

    /// Output tokens other than reasoning; 0 where the reasoning is more than the whole.
    #[must_use]
    pub fn visible_output(&self) -> u64 {
        self.output.saturating_sub(self.reasoning)
    }

    /// The same totals, with parts that are more than their total cut to what is left of it: cache reads first, then the
    /// longer writes.
    #[must_use]
    pub fn within_totals(self) -> Self {
        let cached_input = self.cached_input.min(self.input);
        let cache_write_1h = self.cache_write_1h.min(self.input - cached_input);
        let cache_write_5m = self.cache_write_5m.min(self.input - cached_input - cache_write_1h);
        Self {
            cached_input,
            cache_write_5m,
            cache_write_1h,
            cache_write_untold: self.cache_write_untold.min(cache_write_5m),
            reasoning: self.reasoning.min(self.output),
            ..self
        }
    }

    /// The same with every write short or long: those of which it was not told are long where this says that they may be.
    #[must_use]
    pub fn with_writes_told(self, may_be_long: bool) -> Self {
        let usage = self.within_totals();
        let long = if may_be_long { usage.cache_write_untold } else { 0 };
        Self {
            cache_write_5m: usage.cache_write_5m - long,
            cache_write_1h: usage.cache_write_1h + long,
            cache_write_untold: 0,
            ..usage
        }
    }
}

/// Every count by itself; a sum that cannot be held is the largest count.
impl Add for TokenUsage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            cache_write_untold: self.cache_write_untold.saturating_add(other.cache_write_untold),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            tier: self.tier.max(other.tier),
        }
    }
}

impl AddAssign for TokenUsage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Most calls write no cache, and most journal entries need not say so.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a provider said about usage in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UsageReport {
    /// Nothing, or `null`.
    #[default]
    Missing,
    /// Counts that can be believed; an explicit zero is a count.
    Reported(TokenUsage),
    /// Something that cannot be a count: negative, fractional, absurdly large or not a number.
    Absurd,
    /// It is known that nothing was used: no model was asked.
    Unused,
}

impl UsageReport {
    /// The same at the prices of this tier, where the report itself does not say.
    #[must_use]
    pub fn in_tier(self, tier: Tier) -> Self {
        match self {
            Self::Reported(usage) if usage.tier == Tier::Untold => Self::Reported(TokenUsage { tier, ..usage }),
            other => other,
        }
    }
}

/// Where the token counts of a call record come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Reported,
    /// Counted by the gateway: an upper bound, since the provider did not say.
    Estimated,
    /// The attempt produced nothing and used nothing.
    None,
}

impl UsageSource {
    /// The name stored with a call record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: TokenUsage = TokenUsage {
        input: 100,
        cached_input: 30,
        cache_write_5m: 20,
        cache_write_1h: 10,
        cache_write_untold: 5,
        output: 50,
        reasoning: 15,
        tier: Tier::Untold,
    };

    #[test]
    fn what_is_left_of_a_total_is_its_plain_part() {
        assert_eq!((USAGE.uncached_input(), USAGE.visible_output()), (40, 35));
        let more_than_all = TokenUsage {
            input: 59,
            output: 14,
            ..USAGE
        };
        assert_eq!((more_than_all.uncached_input(), more_than_all.visible_output()), (0, 0));
    }

    #[test]
    fn parts_never_make_more_of_their_totals() {
        assert_eq!(USAGE.within_totals(), USAGE);
        for (input, parts) in [
            (59, (30, 19, 10)),
            (45, (30, 5, 10)),
            (35, (30, 0, 5)),
            (9, (9, 0, 0)),
            (0, (0, 0, 0)),
        ] {
            let cut = TokenUsage { input, ..USAGE }.within_totals();
            let found = (cut.cached_input, cut.cache_write_5m, cut.cache_write_1h);
            assert_eq!((cut.input, found), (input, parts));
        }
        assert_eq!(TokenUsage { output: 3, ..USAGE }.within_totals().reasoning, 3);
    }

    #[test]
    fn writes_of_unknown_length_become_long_ones_only_where_they_may_be() {
        for (may_be_long, parts) in [(false, (20, 10, 0)), (true, (15, 15, 0))] {
            let told = USAGE.with_writes_told(may_be_long);
            assert_eq!(
                (told.cache_write_5m, told.cache_write_1h, told.cache_write_untold),
                parts
            );
            assert_eq!(told.uncached_input(), USAGE.uncached_input());
        }
    }

    #[test]
    fn sums_are_of_every_count_and_saturate() {
        let mut sum = USAGE;
        sum += USAGE;
        assert_eq!(sum, USAGE + USAGE);
        assert_eq!(
            sum,
            TokenUsage {
                input: 200,
                cached_input: 60,
                cache_write_5m: 40,
                cache_write_1h: 20,
                cache_write_untold: 10,
                output: 100,
                reasoning: 30,
                tier: Tier::Untold,
            }
        );
        let most = TokenUsage {
            input: u64::MAX,
            cached_input: u64::MAX,
            cache_write_5m: u64::MAX,
            cache_write_1h: u64::MAX,
            cache_write_untold: u64::MAX,
            output: u64::MAX,
            reasoning: u64::MAX,
            tier: Tier::Untold,
        };
        assert_eq!(most + USAGE, most);
    }

    #[test]
    fn counts_of_a_journal_that_knew_no_cache_writes_are_read() {
        let written = r#"{"input":9,"cached_input":4,"output":3,"reasoning":1}"#;
        let usage: TokenUsage = serde_json::from_str(written).unwrap();
        let expected = TokenUsage {
            input: 9,
            cached_input: 4,
            output: 3,
            reasoning: 1,
            ..TokenUsage::default()
        };
        assert_eq!(usage, expected);
        // What has nothing new to say is written as it always was.
        assert_eq!(serde_json::to_string(&usage).unwrap(), written);
        let text = serde_json::to_string(&USAGE).unwrap();
        // Nothing of what was not told is kept.
        let kept = TokenUsage {
            cache_write_untold: 0,
            ..USAGE
        };
        assert_eq!(serde_json::from_str::<TokenUsage>(&text).unwrap(), kept);
    }
}
