//! What an attempt cost, from how it ended.

use crate::protocol::{Billing, NanoUsd, Price, Tier, TokenUsage, UpstreamFailure, UsageReport, UsageSource};

/// How an attempt ended, as far as money is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'a> {
    /// The whole answer arrived.
    Completed,
    /// It failed.
    Failed(&'a UpstreamFailure),
    /// The client left, and the answer was not read to its end: how much of it the provider made is not known.
    Left,
    /// It was cut since the process ends, or its task ended without a word.
    Abandoned,
}

/// What is known of an attempt's size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// An upper bound of the input's tokens.
    pub(super) input_bound: u64,
    /// Bytes of answer that arrived: an upper bound of its tokens.
    pub(super) output_bytes: u64,
    /// What the provider said of usage.
    pub(super) usage: UsageReport,
    /// Whether a budget pays for it, so that nothing may be on the bill and not in the books.
    pub(super) budgeted: bool,
    /// Whether it asked, or may have asked, that something stays in the provider's cache for hours.
    pub(super) long_writes: bool,
    /// Whether it asked to be answered at other prices than the usual ones, which the catalogue does not know.
    pub(super) other_tier: bool,
}

/// What is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) usage: TokenUsage,
    pub(super) source: UsageSource,
    pub(super) cost: NanoUsd,
    pub(super) estimated: bool,
}

/// Settles an attempt: by what was reported; else by what may have been billed at most.
pub(super) fn settle(end: End<'_>, size: Size, price: Option<&Price>, held: NanoUsd) -> Settlement {
    let usage = match end {
        End::Failed(failure) if size.usage == UsageReport::Missing => failure.usage,
        _ => size.usage,
    };
    match believed(usage, price) {
        UsageReport::Reported(usage) => by_report(usage, size, price),
        UsageReport::Unused => Settlement {
            usage: TokenUsage::default(),
            source: UsageSource::Reported,
            cost: NanoUsd::ZERO,
            estimated: false,
        },
        UsageReport::Absurd => full(held),
        UsageReport::Missing => match end {
            // What is seen of an answer may not be all that is billed: reasoning and calls of tools have more tokens.
            End::Completed if size.budgeted => full(held),
            End::Completed => counted(size, price, held),
            End::Failed(failure) if failure.billing == Billing::NotBilled => Settlement {
                usage: TokenUsage::default(),
                source: UsageSource::None,
                cost: NanoUsd::ZERO,
                estimated: false,
            },
            End::Failed(_) | End::Left | End::Abandoned => full(held),
        },
    }
}

/// What was reported. Cache writes of which it does not say how long they stay are the dearest that the request can have
/// caused. What was answered at other prices than the usual ones is booked at those, and known to be.
fn by_report(usage: TokenUsage, size: Size, price: Option<&Price>) -> Settlement {
    let may_be_long =
        (size.long_writes || usage.cache_write_1h > 0) && price.is_some_and(Price::long_writes_are_dearer);
    let has_other_price = match usage.tier {
        Tier::Untold => size.other_tier,
        Tier::Usual => false,
        Tier::Other => price.is_some_and(|price| !price.is_free()),
    };
    let told = TokenUsage {
        tier: Tier::Untold,
        ..usage.with_writes_told(may_be_long)
    };
    Settlement {
        usage: told,
        source: UsageSource::Reported,
        cost: price.map_or(NanoUsd::ZERO, |price| price.cost(&told)),
        estimated: may_be_long && usage.cache_write_untold > 0 || has_other_price,
    }
}

/// What is said of usage, as far as it can be: every request has input, so that a report without any of what is paid for
/// says nothing.
fn believed(usage: UsageReport, price: Option<&Price>) -> UsageReport {
    match usage {
        UsageReport::Reported(TokenUsage { input: 0, .. }) if price.is_some_and(|price| !price.is_free()) => {
            UsageReport::Missing
        }
        usage => usage,
    }
}

/// The worst case: it may all be on the bill.
fn full(held: NanoUsd) -> Settlement {
    Settlement {
        usage: TokenUsage::default(),
        source: UsageSource::Estimated,
        cost: held,
        estimated: true,
    }
}

/// The bounds of what was sent and received, and never more than was held.
fn counted(size: Size, price: Option<&Price>, held: NanoUsd) -> Settlement {
    let usage = TokenUsage {
        input: size.input_bound,
        output: size.output_bytes,
        ..TokenUsage::default()
    };
    let cost = price.map_or(NanoUsd::ZERO, |price| price.worst_case(usage.input, usage.output));
    Settlement {
        usage,
        source: UsageSource::Estimated,
        cost: cost.min(held),
        estimated: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FailureKind, PicoUsdPerToken};

    const PRICE: Price = Price::plain(PicoUsdPerToken(1_000), PicoUsdPerToken(500), PicoUsdPerToken(2_000));
    const HELD: NanoUsd = NanoUsd(1_000);

    fn reported(input: u64, output: u64) -> UsageReport {
        UsageReport::Reported(TokenUsage {
            input,
            output,
            ..TokenUsage::default()
        })
    }

    fn settled(end: End<'_>, usage: UsageReport) -> (i64, bool) {
        let size = Size {
            input_bound: 100,
            output_bytes: 50,
            usage,
            budgeted: false,
            long_writes: false,
            other_tier: false,
        };
        let settlement = settle(end, size, Some(&PRICE), HELD);
        (settlement.cost.0, settlement.estimated)
    }

    #[test]
    fn each_end_is_booked_by_its_rule() {
        let refused = UpstreamFailure::new(FailureKind::ServerError, Billing::NotBilled, "500");
        let reset = UpstreamFailure::new(FailureKind::Reset, Billing::Ambiguous, "reset");
        for (end, usage, expected) in [
            (End::Completed, reported(10, 5), (20, false)),
            (End::Completed, reported(0, 0), (200, true)),
            (End::Completed, reported(0, 5), (200, true)),
            (End::Completed, reported(10, 0), (10, false)),
            (End::Completed, UsageReport::Unused, (0, false)),
            (End::Left, reported(0, 0), (1_000, true)),
            (End::Failed(&refused), reported(0, 0), (0, false)),
            (End::Failed(&reset), reported(0, 0), (1_000, true)),
            (End::Completed, UsageReport::Missing, (200, true)),
            (End::Completed, UsageReport::Absurd, (1_000, true)),
            (End::Completed, reported(5_000, 0), (5_000, false)),
            (End::Left, reported(10, 5), (20, false)),
            (End::Left, UsageReport::Missing, (1_000, true)),
            (End::Failed(&refused), UsageReport::Missing, (0, false)),
            (End::Failed(&refused), reported(10, 5), (20, false)),
            (End::Failed(&reset), UsageReport::Missing, (1_000, true)),
            (End::Abandoned, UsageReport::Missing, (1_000, true)),
        ] {
            assert_eq!(settled(end, usage), expected, "{end:?} with {usage:?}");
        }
    }

    #[test]
    fn an_answer_without_usage_that_a_budget_pays_for_costs_what_was_held() {
        let mut size = Size {
            input_bound: 100,
            output_bytes: 50,
            usage: UsageReport::Missing,
            budgeted: true,
            long_writes: false,
            other_tier: false,
        };
        for usage in [UsageReport::Missing, reported(0, 0)] {
            size.usage = usage;
            assert_eq!(
                settle(End::Completed, size, Some(&PRICE), HELD),
                full(HELD),
                "{usage:?}"
            );
        }
        size.usage = reported(10, 5);
        assert_eq!(settle(End::Completed, size, Some(&PRICE), HELD).cost, NanoUsd(20));
    }

    #[test]
    fn cache_writes_of_unknown_length_are_the_dearest_that_the_request_can_have_caused() {
        let mut price = PRICE;
        (price.rates.cache_write_5m, price.rates.cache_write_1h) = (PicoUsdPerToken(1_250), PicoUsdPerToken(2_000));
        let usage = TokenUsage {
            input: 1_000,
            cache_write_5m: 800,
            cache_write_untold: 600,
            output: 5,
            ..TokenUsage::default()
        };
        for (long_writes, price, expected) in [
            (false, price, (200 + 1_000 + 10, false, 0)),
            (true, price, (200 + 250 + 1_200 + 10, true, 600)),
            (true, PRICE, (1_000 + 10, false, 0)),
        ] {
            let size = Size {
                input_bound: 100,
                output_bytes: 50,
                usage: UsageReport::Reported(usage),
                budgeted: true,
                long_writes,
                other_tier: false,
            };
            let settled = settle(End::Completed, size, Some(&price), HELD);
            let found = (settled.cost.0, settled.estimated, settled.usage.cache_write_1h);
            assert_eq!(
                (found, settled.usage.cache_write_untold),
                (expected, 0),
                "{long_writes}"
            );
        }
        let told = TokenUsage {
            cache_write_untold: 0,
            ..usage
        };
        let size = Size {
            input_bound: 100,
            output_bytes: 50,
            usage: UsageReport::Reported(told),
            budgeted: true,
            long_writes: true,
            other_tier: false,
        };
        let settled = settle(End::Completed, size, Some(&price), HELD);
        assert_eq!((settled.cost.0, settled.estimated), (1_210, false));
        // A provider that told of some long ones may have made more of them, whoever asked for it.
        let some_long = TokenUsage {
            cache_write_1h: 100,
            ..usage
        };
        let size = Size {
            usage: UsageReport::Reported(some_long),
            long_writes: false,
            ..size
        };
        let settled = settle(End::Completed, size, Some(&price), HELD);
        assert_eq!((settled.usage.cache_write_1h, settled.estimated), (700, true));
    }

    #[test]
    fn what_was_answered_at_other_prices_is_booked_at_the_usual_ones_and_flagged() {
        let free = Price::plain(PicoUsdPerToken(0), PicoUsdPerToken(0), PicoUsdPerToken(0));
        for (asked, answered, price, expected) in [
            (false, Tier::Untold, Some(&PRICE), (20, false)),
            (true, Tier::Untold, Some(&PRICE), (20, true)),
            (true, Tier::Usual, Some(&PRICE), (20, false)),
            (false, Tier::Other, Some(&PRICE), (20, true)),
            (false, Tier::Other, Some(&free), (0, false)),
            (false, Tier::Other, None, (0, false)),
        ] {
            let size = Size {
                input_bound: 100,
                output_bytes: 50,
                usage: reported(10, 5).in_tier(answered),
                budgeted: true,
                long_writes: false,
                other_tier: asked,
            };
            let settled = settle(End::Completed, size, price, HELD);
            assert_eq!((settled.cost.0, settled.estimated), expected, "{asked} {answered:?}");
            assert_eq!(UsageReport::Reported(settled.usage), reported(10, 5));
        }
    }

    #[test]
    fn a_free_models_counts_are_booked_as_they_are() {
        let free = Price::plain(PicoUsdPerToken(0), PicoUsdPerToken(0), PicoUsdPerToken(0));
        let size = Size {
            input_bound: 100,
            output_bytes: 50,
            usage: reported(0, 0),
            budgeted: false,
            long_writes: false,
            other_tier: false,
        };
        for price in [None, Some(&free)] {
            let settlement = settle(End::Completed, size, price, NanoUsd::ZERO);
            assert_eq!((settlement.usage, settlement.estimated), (TokenUsage::default(), false));
        }
    }

    #[test]
    fn usage_that_came_with_a_failure_counts() {
        let mut failure = UpstreamFailure::new(FailureKind::ErrorFrame, Billing::Ambiguous, "error");
        failure.usage = reported(10, 5);
        assert_eq!(settled(End::Failed(&failure), UsageReport::Missing), (20, false));
    }
}
