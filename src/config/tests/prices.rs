//! What a model's tokens cost.

use gateway_actors::protocol::{MediaTokens, Price, Rates};

use super::{CONTRACT, problems, settings};

fn with_price(lines: &str) -> String {
    let (head, _) = CONTRACT.split_once("input_usd_per_mtok").unwrap();
    format!("{head}{lines}\n")
}

#[test]
fn prices_are_exact_in_every_spelling() {
    for (written, pico) in [
        ("0", 0),
        ("0.0", 0),
        ("1", 1_000_000),
        ("0.15", 150_000),
        ("0.075", 75_000),
        ("37.5", 37_500_000),
        ("1e-6", 1),
        ("1_000.5", 1_000_500_000),
        ("+2.5", 2_500_000),
        ("\"0.1\"", 100_000),
    ] {
        let config = with_price(&format!(
            "input_usd_per_mtok = {written}\noutput_usd_per_mtok = {written}"
        ));
        let price = settings(&config, &[]).models[0].price.unwrap();
        assert_eq!((price.rates.input.0, price.rates.output.0), (pico, pico), "{written}");
    }
}

#[test]
fn a_price_that_is_not_written_is_unknown_and_cached_input_has_its_own() {
    assert_eq!(settings(&with_price(""), &[]).models[0].price, None);
    let config = with_price("input_usd_per_mtok = 2\ncached_input_usd_per_mtok = 0.5\noutput_usd_per_mtok = 8");
    let price = settings(&config, &[]).models[0].price.unwrap();
    assert_eq!(price.rates.cached_input.0, 500_000);
}

/// The price of a model whose table has these lines.
fn price(lines: &str) -> Price {
    settings(&with_price(lines), &[]).models[0].price.unwrap()
}

/// Input, cached input, cache writes for 5 minutes and for an hour, output, reasoning.
fn pico(rates: Rates) -> [u64; 6] {
    let Rates {
        input,
        cached_input,
        cache_write_5m,
        cache_write_1h,
        output,
        reasoning,
    } = rates;
    [input, cached_input, cache_write_5m, cache_write_1h, output, reasoning].map(|price| price.0)
}

const PLAIN: &str = "input_usd_per_mtok = 3\noutput_usd_per_mtok = 15\n";

#[test]
fn each_part_costs_what_its_total_does_unless_it_has_its_own_price() {
    let (input, output) = (3_000_000, 15_000_000);
    assert_eq!(pico(price(PLAIN).rates), [input, input, input, input, output, output]);
    assert!(price(PLAIN).is_plain());
    for (line, place, expected) in [
        ("cached_input_usd_per_mtok = 0.3", 1, 300_000),
        ("cache_write_5m_usd_per_mtok = 3.75", 2, 3_750_000),
        ("cache_write_1h_usd_per_mtok = 6", 3, 6_000_000),
        ("reasoning_usd_per_mtok = 0", 5, 0),
    ] {
        let mut rates = [input, input, input, input, output, output];
        rates[place] = expected;
        let price = price(&format!("{PLAIN}{line}"));
        assert_eq!((pico(price.rates), price.long_context), (rates, None), "{line}");
    }
}

#[test]
fn a_long_context_has_prices_of_its_own_however_its_table_is_written() {
    let short = price(PLAIN).rates;
    for lines in [
        format!("{PLAIN}long_context = {{ above_tokens = 1000, input_usd_per_mtok = 6, output_usd_per_mtok = 22.5 }}"),
        format!(
            "{PLAIN}[models.long_context]\nabove_tokens = 1_000\ninput_usd_per_mtok = 6\noutput_usd_per_mtok = 22.5"
        ),
    ] {
        let price = price(&lines);
        let long = price.long_context.unwrap();
        // What it does not name costs what its own input and output do, not what it costs in a short context.
        let rates = [6_000_000, 6_000_000, 6_000_000, 6_000_000, 22_500_000, 22_500_000];
        assert_eq!((price.rates, long.above, pico(long.rates)), (short, 1_000, rates));
    }
    let lines = "long_context = { above_tokens = 1000, input_usd_per_mtok = 6, cached_input_usd_per_mtok = 0.6, \
                 cache_write_5m_usd_per_mtok = 7.5, cache_write_1h_usd_per_mtok = 12, output_usd_per_mtok = 22.5, \
                 reasoning_usd_per_mtok = 20 }";
    let long = price(&format!("{PLAIN}{lines}")).long_context.unwrap();
    assert_eq!(
        pico(long.rates),
        [6_000_000, 600_000, 7_500_000, 12_000_000, 22_500_000, 20_000_000]
    );
    assert!(!price(&format!("{PLAIN}{lines}")).is_plain());
}

#[test]
fn a_price_that_cannot_be_is_refused_by_its_name() {
    for key in [
        "cached_input_usd_per_mtok",
        "cache_write_5m_usd_per_mtok",
        "cache_write_1h_usd_per_mtok",
        "reasoning_usd_per_mtok",
    ] {
        for (value, message) in [
            ("-1", "must not be negative"),
            ("true", "must be a decimal number such as 0.15"),
            ("0.1234567", "must have at most 6 digits after the point"),
        ] {
            let said = problems(&with_price(&format!("{PLAIN}{key} = {value}")), &[]);
            assert_eq!(said, format!("gw.toml:17 models.alpha-small.{key}: {message}\n"));
            let long = "above_tokens = 1, input_usd_per_mtok = 6, output_usd_per_mtok = 9";
            let said = problems(
                &with_price(&format!("{PLAIN}long_context = {{ {long}, {key} = {value} }}")),
                &[],
            );
            assert_eq!(
                said,
                format!("gw.toml:17 models.alpha-small.long_context.{key}: {message}\n")
            );
        }
        let said = problems(&with_price(&format!("{key} = 1")), &[]);
        let message = "a price needs both input_usd_per_mtok and output_usd_per_mtok: write 0 for free, leave all out \
                       for unknown";
        assert_eq!(said, format!("gw.toml:15 models.alpha-small.{key}: {message}\n"));
    }
}

#[test]
fn every_problem_of_a_long_context_is_told() {
    let long = "models.alpha-small.long_context";
    for (value, expected) in [
        ("200000", format!("gw.toml:17 {long}: must be a table\n")),
        (
            "{ above_tokens = 0, input_usd_per_mtok = -6, output_usd_per_mtok = 9, above = 3 }",
            format!(
                "gw.toml:17 {long}.above_tokens: must be a whole number from 1 to 4294967295\n\
                 gw.toml:17 {long}.input_usd_per_mtok: must not be negative\n\
                 gw.toml:17 {long}.above: is not a setting; known here: above_tokens, cache_write_1h_usd_per_mtok, \
                 cache_write_5m_usd_per_mtok, cached_input_usd_per_mtok, input_usd_per_mtok, output_usd_per_mtok, \
                 reasoning_usd_per_mtok\n"
            ),
        ),
        (
            "{ cached_input_usd_per_mtok = 1 }",
            format!(
                "gw.toml:17 {long}: `above_tokens` is missing\ngw.toml:17 {long}: `input_usd_per_mtok` is missing\n\
                 gw.toml:17 {long}: `output_usd_per_mtok` is missing\n"
            ),
        ),
        (
            "{ above_tokens = 128000, input_usd_per_mtok = 6, output_usd_per_mtok = 9 }",
            format!("gw.toml:17 {long}.above_tokens: must be less than context_window, which is 128000\n"),
        ),
    ] {
        let said = problems(&with_price(&format!("{PLAIN}long_context = {value}")), &[]);
        assert_eq!(said, expected, "{value}");
    }
    let alone = "long_context = { above_tokens = 1, input_usd_per_mtok = 6, output_usd_per_mtok = 9 }";
    let said = problems(&with_price(alone), &[]);
    assert!(
        said.starts_with("gw.toml:15 models.alpha-small.long_context: a price needs both input_usd_per_mtok"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_most_tokens_of_an_image_and_a_document_are_read_where_they_are_written() {
    let media = |lines: &str| settings(&with_price(&format!("{PLAIN}{lines}")), &[]).models[0].media;
    assert_eq!(media(""), MediaTokens::default());
    let both = MediaTokens {
        image: Some(1_600),
        document: Some(90_000),
    };
    assert_eq!(media("max_image_tokens = 1600\nmax_document_tokens = 90000\n"), both);
    let said = problems(&with_price(&format!("{PLAIN}max_image_tokens = 0")), &[]);
    let expected = "gw.toml:17 models.alpha-small.max_image_tokens: must be a whole number from 1 to 4294967295\n";
    assert_eq!(said, expected);
}
