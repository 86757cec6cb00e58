//! What a call is expected to cost. What the fit knows of a model is its output and the question; the prices are the
//! catalogue's, and whatever else a request holds is counted.

use gateway_routing as routing;
use routing::{KnownModel, Part, RoutingModel};

use super::roster::Entry;
use crate::protocol::{Model, NanoUsd, Needs, Question, TokenUsage};

/// Output tokens of a usual answer, where nothing better is known.
const USUAL_OUTPUT: u32 = 400;
/// At least so many tokens are estimated for a text: one for as many bytes.
const BYTES_PER_TOKEN: u64 = 8;
const PICO_PER_NANO: u64 = 1_000;

/// What a call of a model costs on average, as far as that is known, else what this one costs.
pub(super) fn usual_cost(calibration: &RoutingModel, entry: &Entry) -> NanoUsd {
    let of_fit = |known: &KnownModel| calibration.part(*known) == Some(Part::Strongest);
    match entry.known.filter(of_fit) {
        Some(known) if entry.cost > NanoUsd::ZERO => {
            let [_, priced] = paid(calibration, known, entry.model());
            nano(priced.of(calibration.unit_nano_usd()))
        }
        _ => entry.cost,
    }
}

/// A price of the fit, and the catalogue's for the same; in pico-USD a token.
#[derive(Debug, Clone, Copy)]
struct Paid {
    then: u64,
    now: u64,
}

impl Paid {
    /// An amount at the fit's price, at the catalogue's.
    fn of(self, amount: u64) -> u64 {
        let Self { then, now } = self;
        if then == 0 {
            return amount;
        }
        let amount = u128::from(amount) * u128::from(now) / u128::from(then);
        u64::try_from(amount).unwrap_or(u64::MAX)
    }
}

/// The prices of input and output; the same then and now where one of them is not known.
fn paid(calibration: &RoutingModel, known: KnownModel, model: &Model) -> [Paid; 2] {
    match (calibration.fitted_prices(known), model.price) {
        (Some([input, output]), Some(price)) => {
            let (now_in, now_out) = (price.rates.input.0, price.rates.output.0);
            [
                Paid {
                    then: input,
                    now: now_in,
                },
                Paid {
                    then: output,
                    now: now_out,
                },
            ]
        }
        _ => [Paid { then: 1, now: 1 }; 2],
    }
}

fn nano(amount: u64) -> NanoUsd {
    NanoUsd(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// What a call of a model is expected to cost that the fit knows: as much output as there, and the question, which is all
/// the input that there was; what else a request holds comes to it. All of it at the catalogue's prices.
pub(super) fn known_cost(
    calibration: &RoutingModel,
    read: &routing::Question<'_>,
    known: KnownModel,
    model: &Model,
    question: Option<&Question>,
    needs: &Needs,
) -> NanoUsd {
    if model.is_free() {
        return NanoUsd::ZERO;
    }
    let fitted = read.fitted_cost(known);
    let [input, output] = paid(calibration, known, model);
    // Counted as the whole request's is.
    let own = question.map_or(0, |question| question.text.len() as u64 / BYTES_PER_TOKEN);
    let of_input = (own * input.then / PICO_PER_NANO).min(fitted);
    let of_fit = nano(input.of(of_input).saturating_add(output.of(fitted - of_input)));
    let more = TokenUsage {
        input: needs.input_estimate.saturating_sub(own),
        ..TokenUsage::default()
    };
    of_fit + model.price.map_or(NanoUsd::ZERO, |price| price.cost(&more))
}

/// What a call is expected to cost; nothing where the price is not known.
pub(super) fn expected_cost(model: &Model, needs: &Needs, is_capped: bool) -> Option<NanoUsd> {
    if model.is_free() {
        return Some(NanoUsd::ZERO);
    }
    let asked = needs.max_output.filter(|_| is_capped).unwrap_or(USUAL_OUTPUT);
    let usage = TokenUsage {
        input: needs.input_estimate,
        output: u64::from(asked.min(USUAL_OUTPUT)),
        ..TokenUsage::default()
    };
    Some(model.price?.cost(&usage))
}

/// What a call costs at least: its input.
pub(super) fn least_cost(model: &Model, needs: &Needs) -> NanoUsd {
    let usage = TokenUsage {
        input: needs.input_estimate,
        ..TokenUsage::default()
    };
    model.price.map_or(NanoUsd::ZERO, |price| price.cost(&usage))
}

#[cfg(test)]
mod tests {
    use crate::protocol::{PicoUsdPerToken, Price};
    use crate::router::bench::{Bench, HARD, fitted};

    /// Expected costs of the calibration's own models at these many times their usual price, cheapest first.
    fn known_costs(times: u64, change: impl Fn(&mut Bench)) -> Vec<i64> {
        let calibration = crate::protocol::testkit::learned().load().model.clone();
        let models = fitted().into_iter().map(|mut model| {
            let [input, output] = calibration
                .fitted_prices(calibration.known(&model.api_model).unwrap())
                .unwrap()
                .map(|pico| PicoUsdPerToken(pico * times));
            model.price = Some(Price::plain(input, input, output));
            model
        });
        let mut bench = Bench::new(models.collect());
        bench.ask(HARD).request.wish.explain = true;
        bench.request.needs.input_estimate = HARD.len() as u64 / 8;
        change(&mut bench);
        let mut costs: Vec<i64> = bench.decision().estimates.iter().map(|one| one.cost.0).collect();
        costs.sort_unstable();
        costs
    }

    #[test]
    fn what_a_known_model_costs_follows_the_catalogues_price_and_the_size_of_the_request() {
        let calibration = crate::protocol::testkit::learned().load().model.clone();
        let read = calibration.question(HARD);
        let names = calibration.known_names().map(|name| calibration.known(name).unwrap());
        let mut fitted_costs: Vec<i64> = names.map(|known| read.fitted_cost(known) as i64).collect();
        fitted_costs.sort_unstable();
        let usual = known_costs(1, |_| {});
        assert_eq!(usual, fitted_costs, "the fit's own prices and its own question");
        let dear = known_costs(3, |_| {});
        for (dear, usual) in dear.iter().zip(&usual) {
            assert!((dear - 3 * usual).abs() <= 3, "{dear} {usual}");
        }
        // 50,000 more tokens of input at 0.05 USD a million at least.
        let long = known_costs(1, |bench| bench.request.needs.input_estimate += 50_000);
        assert!(long[0] >= usual[0] + 2_500_000, "{long:?}");
        assert!(long[5] >= usual[5] + 100_000_000, "{long:?}");
    }
}
