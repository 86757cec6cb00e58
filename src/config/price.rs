//! Reads what a model's tokens cost.

use gateway_actors::protocol::{LongContext, PicoUsdPerToken, Price, Rates};

use super::reader::{Names, Reader, key};
use super::value::{integer, price};

const INPUT: Names = key("input_usd_per_mtok");
const OUTPUT: Names = key("output_usd_per_mtok");
/// What has another price only if it is written.
const CACHED_INPUT: Names = key("cached_input_usd_per_mtok");
const CACHE_WRITE_5M: Names = key("cache_write_5m_usd_per_mtok");
const CACHE_WRITE_1H: Names = key("cache_write_1h_usd_per_mtok");
const REASONING: Names = key("reasoning_usd_per_mtok");
const LONG_CONTEXT: &str = "long_context";

/// Prices as a table has them.
#[derive(Clone, Copy)]
struct WrittenRates {
    input: Option<PicoUsdPerToken>,
    output: Option<PicoUsdPerToken>,
    cached_input: Option<PicoUsdPerToken>,
    cache_write_5m: Option<PicoUsdPerToken>,
    cache_write_1h: Option<PicoUsdPerToken>,
    reasoning: Option<PicoUsdPerToken>,
}

impl WrittenRates {
    /// Reads a table that may have prices.
    fn read(reader: &mut Reader<'_>) -> Self {
        let (input, output) = (reader.optional(INPUT, price), reader.optional(OUTPUT, price));
        Self::with(input, output, reader)
    }

    /// Reads a table that must have them.
    fn read_required(reader: &mut Reader<'_>) -> Self {
        let (input, output) = (reader.required(INPUT, price), reader.required(OUTPUT, price));
        Self::with(input, output, reader)
    }

    fn with(input: Option<PicoUsdPerToken>, output: Option<PicoUsdPerToken>, reader: &mut Reader<'_>) -> Self {
        Self {
            input,
            output,
            cached_input: reader.optional(CACHED_INPUT, price),
            cache_write_5m: reader.optional(CACHE_WRITE_5M, price),
            cache_write_1h: reader.optional(CACHE_WRITE_1H, price),
            reasoning: reader.optional(REASONING, price),
        }
    }

    /// The whole; nothing without the prices of input and output.
    fn whole(self) -> Option<Rates> {
        let (input, output) = self.input.zip(self.output)?;
        Some(Rates {
            input,
            cached_input: self.cached_input.unwrap_or(input),
            cache_write_5m: self.cache_write_5m.unwrap_or(input),
            cache_write_1h: self.cache_write_1h.unwrap_or(input),
            output,
            reasoning: self.reasoning.unwrap_or(output),
        })
    }
}

/// Absent means unknown; 0 must be written. What cannot be read has been reported.
pub(super) fn read_price(reader: &mut Reader<'_>, context_window: Option<u32>) -> Option<Price> {
    let written = WrittenRates::read(reader);
    let mut long_context = None;
    reader.sub_table(LONG_CONTEXT, |reader| {
        long_context = read_long_context(reader, context_window);
    });
    check_is_whole(reader);
    Some(Price {
        rates: written.whole()?,
        long_context,
    })
}

fn read_long_context(reader: &mut Reader<'_>, context_window: Option<u32>) -> Option<LongContext> {
    let above_key = key("above_tokens");
    let above = reader.required(above_key, integer::<u32>(1..=u64::from(u32::MAX)));
    let written = WrittenRates::read_required(reader);
    if let Some((_, window)) = above.zip(context_window).filter(|(above, window)| above >= window) {
        let place = reader.place_of(above_key);
        let message = format!("must be less than context_window, which is {window}");
        reader.report.problem(place, message);
    }
    above.zip(written.whole()).map(|(above, rates)| LongContext {
        above: above.into(),
        rates,
    })
}

/// Reports prices of parts without those of input and output.
fn check_is_whole(reader: &mut Reader<'_>) {
    let parts = [
        CACHED_INPUT,
        CACHE_WRITE_5M,
        CACHE_WRITE_1H,
        REASONING,
        key(LONG_CONTEXT),
    ];
    let given = |reader: &Reader<'_>, keys: &[Names]| keys.iter().copied().find(|key| reader.has(*key));
    let (has_input, has_output) = (reader.has(INPUT), reader.has(OUTPUT));
    let first = given(reader, &[INPUT, OUTPUT]).or_else(|| given(reader, &parts));
    if let Some(first) = first.filter(|_| !(has_input && has_output)) {
        let message = "a price needs both input_usd_per_mtok and output_usd_per_mtok: write 0 for free, leave all out \
                       for unknown";
        let place = reader.place_of(first);
        reader.report.problem(place, message);
    }
}
