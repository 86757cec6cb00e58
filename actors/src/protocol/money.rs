//! Money: integers only. Amounts are nano-USD, prices pico-USD per token; an attempt's cost is rounded up once.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

use super::usage::TokenUsage;

const NANO_PER_USD: u64 = 1_000_000_000;
const PICO_PER_NANO: u128 = 1_000;

/// An amount of money in nano-USD (10⁻⁹ USD). Arithmetic saturates: a sum that cannot be held is reported as the
/// largest amount rather than wrapping round to a small one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount as a decimal number of USD without trailing zeros, for example `0.002` or `0`.
    ///
    /// Printed from the integer, so that it is exact at every size.
    #[must_use]
    pub fn to_usd_string(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        let (whole, fraction) = (nano / NANO_PER_USD, nano % NANO_PER_USD);
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:09}");
        format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.to_usd_string())
    }
}

impl Add for NanoUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for NanoUsd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// A price in pico-USD (10⁻¹² USD) per token: 1 USD per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PicoUsdPerToken(pub u64);

/// What a model's tokens cost. Zero means free; a model whose price is unknown has no `Price` at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// Input tokens that were not served from the provider's cache.
    pub input: PicoUsdPerToken,
    /// Input tokens that were; the input price where the catalogue names none.
    pub cached_input: PicoUsdPerToken,
    /// Output tokens, reasoning included.
    pub output: PicoUsdPerToken,
}

impl Price {
    /// A model that costs nothing.
    pub const FREE: Self = Self {
        input: PicoUsdPerToken(0),
        cached_input: PicoUsdPerToken(0),
        output: PicoUsdPerToken(0),
    };

    /// Whether every token is free.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// The cost of what was used, rounded up to a whole nano-USD.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> NanoUsd {
        let cached = usage.cached_input.min(usage.input);
        let fresh = usage.input - cached;
        self.sum(fresh, cached, usage.output)
    }

    /// The most an attempt can cost: every input token at the dearer of the two input prices, and the whole output cap.
    #[must_use]
    pub fn worst_case(&self, input_bound: u64, output_cap: u64) -> NanoUsd {
        let dearest = Self {
            input: self.input.max(self.cached_input),
            ..*self
        };
        dearest.sum(input_bound, 0, output_cap)
    }

    fn sum(&self, fresh: u64, cached: u64, output: u64) -> NanoUsd {
        let of = |tokens: u64, price: PicoUsdPerToken| u128::from(tokens) * u128::from(price.0);
        let pico = of(fresh, self.input)
            .saturating_add(of(cached, self.cached_input))
            .saturating_add(of(output, self.output));
        NanoUsd(i64::try_from(pico.div_ceil(PICO_PER_NANO)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(input: u64, cached_input: u64, output: u64) -> Price {
        Price {
            input: PicoUsdPerToken(input),
            cached_input: PicoUsdPerToken(cached_input),
            output: PicoUsdPerToken(output),
        }
    }

    #[test]
    fn a_single_cheap_token_rounds_up_to_one_nano() {
        let usage = TokenUsage {
            input: 1,
            ..TokenUsage::default()
        };
        assert_eq!(price(37, 37, 0).cost(&usage), NanoUsd(1));
    }

    #[test]
    fn cached_tokens_are_part_of_the_input_and_priced_apart() {
        let usage = TokenUsage {
            input: 1_000,
            cached_input: 400,
            output: 10,
            reasoning: 4,
        };
        // 600 x 0.15 + 400 x 0.075 + 10 x 0.60 USD per million tokens = 126 micro-USD
        assert_eq!(price(150_000, 75_000, 600_000).cost(&usage), NanoUsd(126_000));
    }

    #[test]
    fn absurd_counts_saturate_instead_of_wrapping() {
        let usage = TokenUsage {
            input: u64::MAX,
            output: u64::MAX,
            ..TokenUsage::default()
        };
        assert_eq!(price(u64::MAX, 0, u64::MAX).cost(&usage), NanoUsd(i64::MAX));
    }

    #[test]
    fn amounts_print_exactly() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (2_000_000, "0.002"),
            (1_500_000_000, "1.5"),
            (-250_000_000, "-0.25"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            assert_eq!(NanoUsd(nano).to_usd_string(), text);
        }
    }
}
