use super::*;

fn pico([input, cached_input, write_5m, write_1h, output, reasoning]: [u64; 6]) -> Rates {
    Rates {
        input: PicoUsdPerToken(input),
        cached_input: PicoUsdPerToken(cached_input),
        cache_write_5m: PicoUsdPerToken(write_5m),
        cache_write_1h: PicoUsdPerToken(write_1h),
        output: PicoUsdPerToken(output),
        reasoning: PicoUsdPerToken(reasoning),
    }
}

fn plain(input: u64, cached_input: u64, output: u64) -> Price {
    Price::plain(
        PicoUsdPerToken(input),
        PicoUsdPerToken(cached_input),
        PicoUsdPerToken(output),
    )
}

fn tiered(rates: [u64; 6], above: u64, long: [u64; 6]) -> Price {
    let long_context = Some(LongContext {
        above,
        rates: pico(long),
    });
    Price {
        rates: pico(rates),
        long_context,
    }
}

fn usage([input, cached_input, write_5m, write_1h, output, reasoning]: [u64; 6]) -> TokenUsage {
    TokenUsage {
        input,
        cached_input,
        cache_write_5m: write_5m,
        cache_write_1h: write_1h,
        cache_write_untold: 0,
        output,
        reasoning,
        tier: crate::protocol::Tier::Untold,
    }
}

/// SplitMix64: draws that a seed decides.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number up to this one, often one of both ends.
    fn up_to(&mut self, most: u64) -> u64 {
        match self.next() % 8 {
            0 => 0,
            1 => most,
            _ => self.next() % most.saturating_add(1).max(1),
        }
    }
}

#[test]
fn a_single_cheap_token_rounds_up_to_one_nano() {
    assert_eq!(plain(37, 37, 0).cost(&usage([1, 0, 0, 0, 0, 0])), NanoUsd(1));
}

#[test]
fn each_kind_of_token_has_its_own_price_and_they_are_rounded_together() {
    // 600 x 0.15 + 400 x 0.075 + 10 x 0.60 USD per million tokens = 126 micro-USD
    let cost = plain(150_000, 75_000, 600_000).cost(&usage([1_000, 400, 0, 0, 10, 4]));
    assert_eq!(cost, NanoUsd(126_000));
    // Claude Sonnet 4.5: 3.00 in, 0.30 read, 3.75 and 6.00 written, 15.00 out.
    let sonnet = Price {
        rates: pico([3_000_000, 300_000, 3_750_000, 6_000_000, 15_000_000, 15_000_000]),
        long_context: None,
    };
    // 100 x 3 + 50,000 x 0.3 + 1,000 x 3.75 + 2,000 x 6 + 200 x 15 micro-USD
    assert_eq!(
        sonnet.cost(&usage([53_100, 50_000, 1_000, 2_000, 200, 80])),
        NanoUsd(34_050_000)
    );
    let thinks_dearly = Price {
        rates: pico([0, 0, 0, 0, 1_000, 3_000]),
        long_context: None,
    };
    assert_eq!(thinks_dearly.cost(&usage([0, 0, 0, 0, 10, 4])), NanoUsd(18));
    // A third of a nano-USD each, one in all.
    let third = Price {
        rates: pico([300, 300, 300, 300, 300, 300]),
        long_context: None,
    };
    assert_eq!(third.cost(&usage([2, 1, 0, 0, 1, 0])), NanoUsd(1));
}

#[test]
fn a_long_input_makes_the_whole_request_dearer() {
    // Gemini 2.5 Pro: 1.25, 0.125 and 10.00 USD up to 200,000 tokens; 2.50, 0.25 and 15.00 above.
    let price = tiered(
        [1_250_000, 125_000, 1_250_000, 1_250_000, 10_000_000, 10_000_000],
        200_000,
        [2_500_000, 250_000, 2_500_000, 2_500_000, 15_000_000, 15_000_000],
    );
    let at = |input, cached| price.cost(&usage([input, cached, 0, 0, 1_000, 400]));
    assert_eq!(at(200_000, 0), NanoUsd(260_000_000));
    assert_eq!(at(200_001, 0), NanoUsd(515_002_500));
    // Cached tokens make an input as long as others do.
    assert_eq!(at(200_000, 190_000), NanoUsd(46_250_000));
    assert_eq!(at(200_001, 190_001), NanoUsd(87_500_250));
}

#[test]
fn absurd_counts_saturate_instead_of_wrapping() {
    let most = usage([u64::MAX, 0, 0, 0, u64::MAX, 0]);
    assert_eq!(plain(u64::MAX, 0, u64::MAX).cost(&most), NanoUsd(i64::MAX));
    let price = tiered([u64::MAX; 6], 0, [u64::MAX; 6]);
    assert_eq!(price.cost(&usage([u64::MAX; 6])), NanoUsd(i64::MAX));
    assert_eq!(price.worst_case(u64::MAX, u64::MAX), NanoUsd(i64::MAX));
}

#[test]
fn only_a_price_whose_every_part_is_zero_is_free() {
    assert!(Price::FREE.is_free());
    assert!(tiered([0; 6], 5, [0; 6]).is_free());
    for place in 0..6 {
        let mut rates = [0; 6];
        rates[place] = 1;
        let long_context = None;
        assert!(
            !Price {
                rates: pico(rates),
                long_context
            }
            .is_free(),
            "{rates:?}"
        );
        assert!(!tiered([0; 6], 5, rates).is_free(), "{rates:?} in a long context");
    }
}

#[test]
fn the_worst_case_takes_the_dearest_prices_that_an_input_of_at_most_the_bound_can_have() {
    for place in 0..4 {
        let mut rates = [1_000, 1_000, 1_000, 1_000, 0, 0];
        rates[place] = 7_000;
        let worst = tiered(rates, 100, [2_000; 6]).worst_case(100, 0);
        assert_eq!(worst, NanoUsd(700), "{rates:?}");
    }
    let price = tiered([1_000, 0, 0, 0, 2_000, 5_000], 100, [3_000, 0, 0, 4_000, 4_000, 0]);
    // A short input cannot have the prices of a long one; a long bound can have either.
    assert_eq!(price.worst_case(100, 10), NanoUsd(100 + 50));
    assert_eq!(price.worst_case(101, 10), NanoUsd(404 + 50));
}

#[test]
fn no_usage_within_the_bounds_costs_more_than_the_worst_case() {
    for seed in 1..=50_000 {
        let mut draw = Draw(seed);
        let dearest = [1, 999, 1_000, 75_000_000, u64::MAX][usize::try_from(seed % 5).unwrap()];
        let largest = [3, 1_000, 2_000_000, u64::MAX][usize::try_from(seed % 4).unwrap()];
        let (bound, cap) = (draw.up_to(largest), draw.up_to(largest));
        let mut prices = || [(); 6].map(|()| draw.up_to(dearest));
        let (rates, long) = (prices(), prices());
        let mut price = tiered(rates, draw.up_to(largest), long);
        if draw.next().is_multiple_of(4) {
            price.long_context = None;
        }
        let (input, output) = (draw.up_to(bound), draw.up_to(cap));
        // Parts may be more than their total: nothing stops a provider from saying so.
        let parts = [(); 3].map(|()| draw.up_to(input.saturating_mul(2)));
        let used = usage([input, parts[0], parts[1], parts[2], output, draw.up_to(output)]);
        let (worst, cost) = (price.worst_case(bound, cap), price.cost(&used));
        assert!(
            worst >= cost,
            "seed {seed}: {worst} < {cost} for {used:?} within {bound} and {cap} at {price:?}"
        );
    }
}

#[test]
fn a_price_that_was_written_before_it_had_tiers_is_read_and_written_as_it_was() {
    let written = r#"{"input":150000,"cached_input":75000,"output":600000}"#;
    let price: Price = serde_json::from_str(written).unwrap();
    assert_eq!(price, plain(150_000, 75_000, 600_000));
    assert!(price.is_plain());
    assert_eq!(serde_json::to_string(&price).unwrap(), written);
}

#[test]
fn a_price_is_read_back_as_it_was_written() {
    for price in [
        Price::FREE,
        tiered([1, 2, 3, 4, 5, 6], 7, [8, 9, 10, 11, 12, 13]),
        tiered([1, 2, 1, 4, 5, 5], 7, [8, 8, 8, 8, 8, 8]),
    ] {
        let text = serde_json::to_string(&price).unwrap();
        assert_eq!(serde_json::from_str::<Price>(&text).unwrap(), price, "{text}");
        assert_eq!(price.is_plain(), price == Price::FREE, "{text}");
    }
    let text = serde_json::to_string(&tiered([1, 2, 1, 4, 5, 5], 7, [8; 6])).unwrap();
    assert_eq!(
        text,
        r#"{"input":1,"cached_input":2,"cache_write_1h":4,"output":5,"long_context":{"above":7,"input":8,"cached_input":8,"output":8}}"#
    );
}

#[test]
fn something_is_held_where_a_longer_input_than_the_bound_would_cost_something() {
    let from_five = tiered([0; 6], 5, [10_000, 0, 0, 0, 0, 0]);
    assert_eq!(from_five.to_hold(5, 7), NanoUsd(1));
    assert_eq!(from_five.to_hold(6, 7), from_five.worst_case(6, 7));
    assert_eq!(from_five.to_hold(0, 0), NanoUsd::ZERO);
    assert_eq!(tiered([0; 6], 5, [0; 6]).to_hold(5, 7), NanoUsd::ZERO);
    let plain = plain(3_000, 300, 15_000);
    assert_eq!(plain.to_hold(5, 7), plain.worst_case(5, 7));
    assert_eq!(Price::FREE.to_hold(5, 7), NanoUsd::ZERO);
}
