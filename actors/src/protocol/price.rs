//! What tokens cost. Prices are pico-USD per token; an attempt's cost is rounded up once.

use serde::{Deserialize, Serialize};

use super::money::NanoUsd;
use super::usage::TokenUsage;

const PICO_PER_NANO: u128 = 1_000;

/// A price in pico-USD (10⁻¹² USD) per token: 1 USD per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PicoUsdPerToken(pub u64);

/// What a model's tokens cost. Zero means free; a model whose price is unknown has no `Price` at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// What they cost in a request whose input is not long.
    #[serde(flatten)]
    pub rates: Rates,
    /// What they cost in a request whose input is long, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContext>,
}

/// The prices of a request with a long input. They hold for the whole of it: for its output, and for its input from the
/// first token on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LongContext {
    /// An input of more tokens than this is long; all of them count, whether they were cached or not.
    pub above: u64,
    /// What the tokens of such a request cost.
    #[serde(flatten)]
    pub rates: Rates,
}

/// What one token of each kind costs.
///
/// As JSON it leaves out the prices of cache writes that are the input's, and that of reasoning if it is the output's:
/// what was written before these prices were known apart is read as it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "WrittenRates", into = "WrittenRates")]
pub struct Rates {
    /// Input tokens that were neither read from the provider's cache nor written to it.
    pub input: PicoUsdPerToken,
    /// Input tokens that were read from it; the input price where the catalogue names none.
    pub cached_input: PicoUsdPerToken,
    /// Input tokens that were written to it for a short time; the input price where the catalogue names none.
    pub cache_write_5m: PicoUsdPerToken,
    /// Input tokens that were written to it for a long time; the input price where the catalogue names none.
    pub cache_write_1h: PicoUsdPerToken,
    /// Output tokens other than reasoning.
    pub output: PicoUsdPerToken,
    /// Reasoning; the output price where the catalogue names none.
    pub reasoning: PicoUsdPerToken,
}

impl Price {
    /// A model that costs nothing.
    pub const FREE: Self = Self::plain(PicoUsdPerToken(0), PicoUsdPerToken(0), PicoUsdPerToken(0));

    /// A price that these three say all of: writing to the cache costs what input costs, reasoning what output costs,
    /// and a long input is no dearer than a short one.
    #[must_use]
    pub const fn plain(input: PicoUsdPerToken, cached_input: PicoUsdPerToken, output: PicoUsdPerToken) -> Self {
        Self {
            rates: Rates {
                input,
                cached_input,
                cache_write_5m: input,
                cache_write_1h: input,
                output,
                reasoning: output,
            },
            long_context: None,
        }
    }

    /// Whether the prices of input, cached input and output say all of it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Rates {
            input,
            cached_input,
            output,
            ..
        } = self.rates;
        *self == Self::plain(input, cached_input, output)
    }

    /// Whether every token is free, in a long context too.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.rates.are_zero() && self.long_context.is_none_or(|long| long.rates.are_zero())
    }

    /// The cost of what was used, rounded up to a whole nano-USD. Parts that are more than their total are cut to it.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> NanoUsd {
        let usage = usage.within_totals();
        let rates = self.long_rates(usage.input).unwrap_or(self.rates);
        rounded_up(&[
            (usage.uncached_input(), rates.input),
            (usage.cached_input, rates.cached_input),
            (usage.cache_write_5m, rates.cache_write_5m),
            (usage.cache_write_1h, rates.cache_write_1h),
            (usage.visible_output(), rates.output),
            (usage.reasoning, rates.reasoning),
        ])
    }

    /// The most an attempt can cost whose input and output are no more than these: every input token at the dearest
    /// input price of any tier that such an input can be in, and the whole output cap at the dearest output price.
    #[must_use]
    pub fn worst_case(&self, input_bound: u64, output_cap: u64) -> NanoUsd {
        let long = self.long_rates(input_bound).unwrap_or(self.rates);
        let input = self.rates.dearest_input().max(long.dearest_input());
        let output = self.rates.dearest_output().max(long.dearest_output());
        rounded_up(&[(input_bound, input), (output_cap, output)])
    }

    /// What is to be held for an attempt that is bounded like this: its worst case, and something also where a bounded input
    /// is free and a longer one is not. A provider may report more input than the bound, and who is to pay must be known.
    #[must_use]
    pub fn to_hold(&self, input_bound: u64, output_cap: u64) -> NanoUsd {
        let worst = self.worst_case(input_bound, output_cap);
        let beyond = self.long_context.is_some_and(|long| {
            let (input, output) = (long.rates.dearest_input(), long.rates.dearest_output());
            rounded_up(&[(input_bound, input), (output_cap, output)]) > NanoUsd::ZERO
        });
        if beyond { worst.max(NanoUsd(1)) } else { worst }
    }

    /// Whether tokens that are written to the cache for a long time cost more than those that are for a short one.
    #[must_use]
    pub fn long_writes_are_dearer(&self) -> bool {
        let is_dearer = |rates: Rates| rates.cache_write_1h > rates.cache_write_5m;
        is_dearer(self.rates) || self.long_context.is_some_and(|long| is_dearer(long.rates))
    }

    /// The prices of a request with so much input, if they are those of a long one.
    fn long_rates(&self, input: u64) -> Option<Rates> {
        let long = self.long_context.filter(|long| input > long.above)?;
        Some(long.rates)
    }
}

impl Rates {
    fn are_zero(&self) -> bool {
        self.dearest_input().max(self.dearest_output()) == PicoUsdPerToken(0)
    }

    fn dearest_input(&self) -> PicoUsdPerToken {
        let writes = self.cache_write_5m.max(self.cache_write_1h);
        self.input.max(self.cached_input).max(writes)
    }

    fn dearest_output(&self) -> PicoUsdPerToken {
        self.output.max(self.reasoning)
    }
}

/// Tokens at their prices, together, rounded up to a whole nano-USD; the largest amount where that cannot be held.
fn rounded_up(priced: &[(u64, PicoUsdPerToken)]) -> NanoUsd {
    let pico = priced.iter().fold(0_u128, |sum, (tokens, price)| {
        sum.saturating_add(u128::from(*tokens) * u128::from(price.0))
    });
    NanoUsd(i64::try_from(pico.div_ceil(PICO_PER_NANO)).unwrap_or(i64::MAX))
}

/// Rates as JSON.
#[derive(Serialize, Deserialize)]
struct WrittenRates {
    input: PicoUsdPerToken,
    cached_input: PicoUsdPerToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_5m: Option<PicoUsdPerToken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_1h: Option<PicoUsdPerToken>,
    output: PicoUsdPerToken,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<PicoUsdPerToken>,
}

impl From<WrittenRates> for Rates {
    fn from(written: WrittenRates) -> Self {
        let WrittenRates { input, output, .. } = written;
        Self {
            input,
            cached_input: written.cached_input,
            cache_write_5m: written.cache_write_5m.unwrap_or(input),
            cache_write_1h: written.cache_write_1h.unwrap_or(input),
            output,
            reasoning: written.reasoning.unwrap_or(output),
        }
    }
}

impl From<Rates> for WrittenRates {
    fn from(rates: Rates) -> Self {
        let Rates { input, output, .. } = rates;
        let unless = |price: PicoUsdPerToken, usual: PicoUsdPerToken| (price != usual).then_some(price);
        Self {
            input,
            cached_input: rates.cached_input,
            cache_write_5m: unless(rates.cache_write_5m, input),
            cache_write_1h: unless(rates.cache_write_1h, input),
            output,
            reasoning: unless(rates.reasoning, output),
        }
    }
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
